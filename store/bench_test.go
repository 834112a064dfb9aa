package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

func owner(i int) string { return fmt.Sprintf("user%07d@example.org", i) }

// BenchmarkUpdate puts 300 bytes for a random one of 100,000 owners, with n
// updates in flight, which is what makes batches.
func BenchmarkUpdate(b *testing.B) {
	v := bytes.Repeat([]byte("x"), 300)
	put := func(tx *Tx) error { return testDoc.Put(tx, owner(rand.IntN(100_000)), v) }
	add := func(tx *Tx) error {
		_, err := benchLog.Append(tx, owner(rand.IntN(100_000)), v)
		return err
	}
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("doc/%d", n), func(b *testing.B) { benchmarkUpdate(b, n, put) })
	}
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("log/%d", n), func(b *testing.B) { benchmarkUpdate(b, n, add) })
	}
}

var benchLog = NewLog("bench", LogLimit{})

func benchmarkUpdate(b *testing.B, inFlight int, fn func(*Tx) error) {
	s := openTest(b, b.TempDir())
	tokens := make(chan struct{}, inFlight)
	for range inFlight {
		tokens <- struct{}{}
	}
	done := func(err error) {
		if err != nil {
			b.Error(err)
		}
		tokens <- struct{}{}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		<-tokens
		s.Update(fn, done)
	}
	for range inFlight {
		<-tokens
	}
	b.StopTimer()
	st := s.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	b.ReportMetric(float64(st.Updates)/float64(st.Commits), "updates/commit")
}

// BenchmarkJournal puts values of 300 bytes for a random one of 10,000 sessions, 20
// an update, 16 updates in flight. Each tenth forgets what its session had before,
// so that little is left when a segment is full. A row is a value.
func BenchmarkJournal(b *testing.B) {
	const sessions = 10_000
	s := openTest(b, b.TempDir())
	must(b, s, func(tx *Tx) (err error) {
		for i := range uint64(sessions) {
			err = errors.Join(err, putParent(owner(int(i)), i)(tx))
		}
		return err
	})
	v := message(300)
	names, next := make([]string, sessions), make([]uint64, sessions)
	for i := range names {
		names[i] = owner(i)
	}
	free := make(chan *Records, 16)
	for range cap(free) {
		free <- new(Records)
	}
	before := s.Stats()
	cpu := cpuTime()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; {
		r := <-free
		r.Reset(1 << 20)
		for n := 0; n < 20; n, i = n+1, i+1 {
			k := rand.IntN(sessions)
			next[k]++
			err := testQueue.Put(r, names[k], uint64(k), next[k], v)
			if i%10 == 0 {
				err = errors.Join(err, testQueue.Forget(r, names[k], uint64(k), next[k]))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		s.Update(func(tx *Tx) error { return tx.Journal(r) }, func(err error) {
			if err != nil {
				b.Error(err)
			}
			free <- r
		})
	}
	for range cap(free) {
		<-free
	}
	s.journal.jobs.wait()
	b.StopTimer()
	st := s.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(b.N)/float64(st.Commits-before.Commits), "rows/commit")
	b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/row")
	b.ReportMetric(100*float64(st.JournalMoved)/float64(b.N), "moved-%")
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkView reads a roster of 10 KB, from as many goroutines as the box has
// cores.
func BenchmarkView(b *testing.B) {
	s := openTest(b, b.TempDir())
	const owners = 2000
	v := bytes.Repeat([]byte("r"), 10<<10)
	var all sync.WaitGroup
	for i := range owners {
		all.Add(1)
		s.Update(func(tx *Tx) error { return testDoc.Put(tx, owner(i), v) }, func(error) { all.Done() })
	}
	all.Wait()
	names := make([]string, owners)
	for i := range names {
		names[i] = owner(i)
	}
	b.SetBytes(int64(len(v)))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		buf := make([]byte, 0, len(v))
		for pb.Next() {
			err := s.View(func(tx *Tx) error {
				buf = append(buf[:0], testDoc.Get(tx, names[rand.IntN(owners)])...)
				return nil
			})
			if err != nil || len(buf) != len(v) {
				b.Fatalf("%v, %d bytes", err, len(buf))
			}
		}
	})
}

// BenchmarkOpen opens a store of a million accounts, 300 bytes each.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := openTest(b, dir)
	v := bytes.Repeat([]byte("x"), 300)
	const accounts = 1_000_000
	for i := 0; i < accounts; i += 10_000 {
		must(b, s, func(tx *Tx) error {
			for j := range 10_000 {
				if err := testDoc.Put(tx, owner(i+j), v); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(s.Path())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size()>>20), "MB")
}
