package metric

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

var (
	testCounter   = NewCounter("meerkat_test_counted_total", "Counted in tests.")
	testGauge     = NewGauge("meerkat_test_level_things", "Level in tests.")
	testVec       = NewCounterVec("meerkat_test_refused_total", "Refused in tests.", "why", "slow", "big")
	testHistogram = NewHistogram("meerkat_test_wait_seconds", "Waited in tests.", []float64{1, 2, 5})
)

func TestCounterSumsAllShards(t *testing.T) {
	before := testCounter.Value()
	for _, shard := range []int{OffLoop, 0, 1, rows - 2, rows + 3} {
		testCounter.Add(shard, 2)
	}
	if got := testCounter.Value() - before; got != 10 {
		t.Errorf("five shards added 2 each: got %d, want 10", got)
	}
}

func TestShardsHaveOwnCells(t *testing.T) {
	seen := map[*uint64]int{}
	for shard := OffLoop; shard < rows-1; shard++ {
		if other, ok := seen[cell(shard, 0)]; ok {
			t.Fatalf("shards %d and %d share a cell", shard, other)
		}
		seen[cell(shard, 0)] = shard
	}
}

func TestGaugeMayFallOnAnotherShard(t *testing.T) {
	testGauge.Add(1, 3)
	testGauge.Add(2, -2)
	if got := testGauge.Value(); got != 1 {
		t.Errorf("3 on one shard, -2 on another: got %d, want 1", got)
	}
	if got := Snapshot()["meerkat_test_level_things"]; got != 1 {
		t.Errorf("snapshot: got %v, want 1", got)
	}
	testGauge.Add(1, -1)
}

func TestVecCountsByPosition(t *testing.T) {
	big := testVec.Value(1)
	testVec.Add(0, 1, 7)
	if got := testVec.Value(1) - big; got != 7 {
		t.Errorf("value 1: got %d, want 7", got)
	}
	if got := Snapshot()[`meerkat_test_refused_total{why="big"}`]; got != float64(big+7) {
		t.Errorf("snapshot: got %v, want %d", got, big+7)
	}
	mustPanic(t, "value out of range", func() { testVec.Add(0, 2, 1) })
}

func TestGaugeVecFallsBelowItsShards(t *testing.T) {
	v := NewGaugeVec("meerkat_test_active_alarms", "Alarms in tests.", "alarm", "disk", "files")
	v.Add(1, 1, 2)
	v.Add(OffLoop, 1, -3)
	if got := Snapshot()[`meerkat_test_active_alarms{alarm="files"}`]; got != -1 || v.Value(1) != -1 {
		t.Errorf("got %v and %d, want -1", got, v.Value(1))
	}
}

func TestHistogramBucketsAreInclusive(t *testing.T) {
	h := NewHistogram("meerkat_test_size_bytes", "Sizes in tests.", []float64{1, 2})
	for _, v := range []float64{0.5, 1, 1.5, 2, 7} {
		h.Observe(3, v)
	}
	f := &family{col: h.col, bounds: h.bounds}
	count, total, buckets := f.histogram()
	if count != 5 || total != 12 || buckets[1] != 2 || buckets[2] != 4 {
		t.Errorf("got count %d sum %v buckets %v, want 5, 12, map[1:2 2:4]", count, total, buckets)
	}
}

func TestConcurrentAddsAreNotLost(t *testing.T) {
	const workers, each = 8, 1000
	before, waited := testCounter.Value(), Snapshot()["meerkat_test_wait_seconds_sum"]
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				testCounter.Add(w%2, 1)
				testHistogram.Observe(OffLoop, 1)
			}
		})
	}
	wg.Wait()
	if got := testCounter.Value() - before; got != workers*each {
		t.Errorf("counter: got %d, want %d", got, workers*each)
	}
	if got := Snapshot()["meerkat_test_wait_seconds_sum"] - waited; got != workers*each {
		t.Errorf("histogram: got %v, want %d", got, workers*each)
	}
}

func TestFunctionsAreReadOnDemandAndReplaced(t *testing.T) {
	NewGaugeFunc("meerkat_test_queue_entries", "Queue in tests.", func() float64 { return 1 })
	NewGaugeFunc("meerkat_test_queue_entries", "Queue in tests.", func() float64 { return 2 })
	NewCounterFunc("meerkat_test_commits_total", "Commits in tests.", func() float64 { return 3 })
	NewHistogramFunc("meerkat_test_commit_seconds", "Commits in tests.", []float64{1, 2}, func() ([]uint64, float64) {
		return []uint64{4, 0, 1}, 9
	})
	s := Snapshot()
	if s["meerkat_test_commit_seconds_count"] != 5 || s["meerkat_test_commit_seconds_sum"] != 9 {
		t.Errorf("histogram: got %v, %v, want 5, 9", s["meerkat_test_commit_seconds_count"], s["meerkat_test_commit_seconds_sum"])
	}
	if s["meerkat_test_queue_entries"] != 2 || s["meerkat_test_commits_total"] != 3 {
		t.Errorf("got %v and %v, want 2 and 3", s["meerkat_test_queue_entries"], s["meerkat_test_commits_total"])
	}
}

func TestBadDeclarationsPanic(t *testing.T) {
	mustPanic(t, "doubled", func() { NewCounter("meerkat_test_counted_total", "") })
	mustPanic(t, "no prefix", func() { NewCounter("carbons_sent_total", "") })
	mustPanic(t, "capitals", func() { NewGauge("meerkat_test_Level", "") })
	mustPanic(t, "counter without total", func() { NewCounter("meerkat_test_sent", "") })
	mustPanic(t, "gauge with total", func() { NewGauge("meerkat_test_sent_total", "") })
	mustPanic(t, "falling bounds", func() { NewHistogram("meerkat_test_bad_seconds", "", []float64{2, 1}) })
	mustPanic(t, "no values", func() { NewCounterVec("meerkat_test_none_total", "", "why") })
}

func TestHandlerServesOursAndTheProcess(t *testing.T) {
	testVec.Add(0, 0, 1)
	testHistogram.Observe(0, 1.5)
	w := httptest.NewRecorder()
	Handler(func() (int, error) { return 1_000_007, nil }).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		"# HELP meerkat_test_counted_total Counted in tests.",
		"# TYPE meerkat_test_counted_total counter",
		`meerkat_test_refused_total{why="slow"} `,
		`meerkat_test_wait_seconds_bucket{le="2"} `,
		"process_resident_memory_bytes ", "process_cpu_seconds_total ", "process_start_time_seconds ",
		"process_virtual_memory_bytes ", "process_max_fds ", "process_open_fds 1.000007e+06", "go_goroutines ",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	n := testing.AllocsPerRun(1000, func() {
		testCounter.Add(1, 1)
		testGauge.Add(1, 0)
		testVec.Add(1, 0, 1)
		testHistogram.Observe(1, 3)
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkCounterAdd(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		testCounter.Add(1, 1)
	}
}

func BenchmarkHistogramObserve(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		testHistogram.Observe(1, 1.5)
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}
