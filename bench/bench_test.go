package bench

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	stdtls "crypto/tls"

	"meerkat/bench/load"
	"meerkat/bench/proc"
	"meerkat/bench/report"
	"meerkat/engine"
	"meerkat/engine/config"
	"meerkat/engine/metric"
	"meerkat/store"
)

// TestMain lets the test binary be the children that the bench starts of
// itself: workers, the floor, and the server.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "bench":
		os.Exit(Main(os.Args[2:]))
	case len(os.Args) > 3 && os.Args[1] == "serve":
		if err := serveEngine(os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serveEngine is what the command meerkat does, without its surroundings.
func serveEngine(path string) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	st, err := store.Open(store.Options{Dir: cfg.Data})
	if err != nil {
		return err
	}
	defer st.Close()
	tls := &stdtls.Config{Certificates: []stdtls.Certificate{selfSigned()}, MinVersion: stdtls.VersionTLS12}
	s, err := engine.New(cfg, engine.Options{Store: st, TLS: func() *stdtls.Config { return tls }, Logger: slog.Default()})
	if err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return err
	}
	go http.ListenAndServe(cfg.Metrics.Listen, metric.Handler(nil))
	waitForEnd()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.Shutdown(ctx)
}

// play runs a scenario with its flags and reads its result. Every limit must be
// kept.
func play(t *testing.T, name string, args ...string) *report.Result {
	t.Helper()
	r, status := finish(t, name, args...)
	if status != exitOK {
		t.Fatalf("bench %s %v: status %d, want 0: %v", name, args, status, r.Missed())
	}
	return r
}

// finish is play for what a busy machine may not reach: a rate.
func finish(t *testing.T, name string, args ...string) (*report.Result, int) {
	t.Helper()
	dir := t.TempDir()
	file, page := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
	args = append([]string{name}, append(args, "-quiet", "-json", file, "-html", page)...)
	status := Main(args)
	r, err := report.ReadJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if r.Scenario != name || len(r.Latencies) > 0 && !strings.Contains(string(html), "<svg") {
		t.Errorf("result of %q, or a page without a chart", r.Scenario)
	}
	return r, status
}

func value(t *testing.T, r *report.Result, name string) float64 {
	t.Helper()
	v, ok := r.Value(name)
	if !ok {
		t.Errorf("no figure %q in %+v", name, r.Figures)
	}
	return v
}

func TestMessageOverWebSocket(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-tls", "none"}, {"-tls", "direct"}, {"-tls", "none", "-body", "65900", "-tcp"}} {
		args = append(args, "-ws", "/ws", "-pairs", "5", "-duration", "200ms", "-slices", "1", "-open", "0")
		if r := play(t, "message", args...); value(t, r, "rate") == 0 || value(t, r, "ratio, median") > 100 {
			t.Errorf("%v: %+v", args, r.Figures)
		}
	}
}

// A server cannot be cheaper than the floor by much, nor its rate be nothing.
func TestMessage(t *testing.T) {
	t.Parallel()
	r := play(t, "message", "-pairs", "20", "-window", "4", "-duration", "600ms", "-slices", "2")
	if rate := value(t, r, "rate"); rate < 100 {
		t.Errorf("%v messages a second", rate)
	}
	if ratio := value(t, r, "ratio, median"); ratio < 0.5 || ratio > 100 {
		t.Errorf("the server takes %v times the floor", ratio)
	}
	if n := len(r.Slices); n != 4 || r.Slices[0].Of != "floor" || r.Slices[1].Of != "Meerkat" {
		t.Errorf("%d slices, want 4 by turns: %+v", n, r.Slices)
	}
	wanted := value(t, r, "open loop, wanted")
	if reached := value(t, r, "open loop, reached"); reached < wanted/2 || reached > wanted*2 {
		t.Errorf("%v messages a second in an open loop of %v", reached, wanted)
	}
	if value(t, r, "open loop, p99") == 0 || value(t, r, "floor's open loop, p99") == 0 {
		t.Error("nothing came in the open loop")
	}
}

func TestPresence(t *testing.T) {
	t.Parallel()
	r := play(t, "presence", "-users", "60", "-roster", "20", "-duration", "300ms", "-slices", "1", "-tls", "starttls", "-mech", "SCRAM-SHA-256")
	if rate := value(t, r, "rate"); rate < 100 {
		t.Errorf("%v stanzas a second", rate)
	}
	if size := value(t, r, "bytes of a stanza"); size < 80 || size > 300 {
		t.Errorf("stanzas of %v bytes", size)
	}
}

// Everybody hears everything in rooms of both sizes, and nobody weighs too much.
func TestRoom(t *testing.T) {
	t.Parallel()
	r := play(t, "room", "-occupants", "30", "-joins", "3", "-large", "60", "-many", "2", "-duration", "600ms", "-slices", "2")
	if rate := value(t, r, "rate"); rate < 100 {
		t.Errorf("%v deliveries a second", rate)
	}
	for _, name := range []string{"ratio, median", "entering, ratio, median", "very large room, ratio of medians"} {
		if ratio := value(t, r, name); ratio < 0.2 || ratio > 100 {
			t.Errorf("%s is %v", name, ratio)
		}
	}
	if size := value(t, r, "bytes of a message"); size < 200 || size > 1000 {
		t.Errorf("messages of %v bytes", size)
	}
	if value(t, r, "very large room, ping, longest") == 0 || value(t, r, "very large room, time to the last occupant, median") == 0 {
		t.Errorf("nothing is measured in the very large room: %+v", r.Figures)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	r := play(t, "login", "-users", "20", "-parallel", "4", "-duration", "300ms", "-slices", "1", "-tls", "direct", "-pipeline")
	if cpu := value(t, r, "CPU, median"); cpu < 20 {
		t.Errorf("a login takes %v us of CPU", cpu)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	r := play(t, "idle", "-users", "300", "-roster", "10", "-settle", "100ms", "-workers", "2")
	if got := value(t, r, "messages received"); got < 300 {
		t.Errorf("%v messages for 300 users", got)
	}
}

func TestTalk(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"storm", "t3"} {
		r, _ := finish(t, name, "-users", "200", "-arrival", "400", "-messages", "380000", "-changes", "50000", "-hold", "1s", "-roster", "10")
		if got := value(t, r, "users online"); got != 200 {
			t.Errorf("%v users online", got)
		}
		for _, fault := range []string{"lost", "doubled", "reordered", "damaged"} {
			if got := value(t, r, fault); got != 0 {
				t.Errorf("%s: %v %s", name, got, fault)
			}
		}
		if got := value(t, r, "messages"); got < 20 {
			t.Errorf("%s: %v messages a second", name, got)
		}
		if len(r.Series) != 4 {
			t.Errorf("%d series, want 4 with samples", len(r.Series))
		}
	}
}

// What is not kept makes the status of a run.
func TestLimitDecidesTheStatus(t *testing.T) {
	t.Parallel()
	args := []string{"login", "-users", "20", "-duration", "200ms", "-slices", "1", "-quiet", "-most", "0.001"}
	if status := Main(args); status != exitFailed {
		t.Errorf("status %d of a login that takes too much, want %d", status, exitFailed)
	}
	if status := Main([]string{"login", "-password", "x", "-addr", "127.0.0.1:1", "-quiet"}); status != exitFailed {
		t.Errorf("status %d of a server that is not there, want %d", status, exitFailed)
	}
}

// A ratio is one of turns next to each other, not of the machine's moods.
func TestRatioOfNeighbours(t *testing.T) {
	if got := neighbours([]float64{2, 30, 6, 1}, []float64{1, 10, 2, 0}); !slices.Equal(got, []float64{2, 3, 3}) {
		t.Errorf("got %v, want [2 3 3]", got)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"nothing"}, {"message", "-pears", "1"}, {"message", "x"}, {"message", "-slices", "0"}, {"idle", "-tls", "maybe"}, {"idle", "-ws", "/ws", "-tls", "starttls"}, {"seed"}, {"table"}} {
		if status := Main(args); status != exitUsage {
			t.Errorf("bench %v: status %d, want %d", args, status, exitUsage)
		}
	}
}

// A crowd in several processes is one crowd: parts of blocks, parts of jobs.
func TestFleetDealsWholeBlocks(t *testing.T) {
	layout := load.Layout{Contacts: 4, Block: 10, Users: 45}
	parts := layout.Parts(45, 3)
	at := 0
	for _, p := range parts {
		if p.First != at || p.First%10 != 0 {
			t.Errorf("parts %v do not follow each other in blocks", parts)
		}
		at += p.Users
	}
	job := load.Job{Login: &load.LoginJob{Users: 25, Rate: 100, Parallel: 10}, Message: &load.MessageJob{Users: 40, Rate: 80}}
	users, rate := 0, 0.0
	for _, p := range parts {
		own := job.Part(p)
		if own.Login != nil {
			users += own.Login.Users
		}
		if own.Message != nil {
			rate += own.Message.Rate
		}
	}
	if at != 45 || users != 25 || rate < 79.9 || rate > 80.1 {
		t.Errorf("%d users in parts, %d to log in, %v messages a second; want 45, 25, 80", at, users, rate)
	}
}

// A server that runs is given accounts and contacts by what clients may say. That
// they are contacts shows in who hears of whom. To do it again changes nothing.
func TestSeedByProtocol(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := lifted{domain: "localhost", data: filepath.Join(dir, "data")}
	for _, addr := range []*string{&c.clear, &c.direct, &c.http, &c.https, &c.metrics} {
		var err error
		if *addr, err = freeAddr(); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "meerkat.toml")
	if err := os.WriteFile(file, append(c.toml(), "[register]\nenabled = true\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	child, err := proc.Start(false, "", os.Args[0], "serve", "-config", file)
	if err != nil {
		t.Fatal(err)
	}
	defer child.Stop(15 * time.Second)
	if err := child.Listening(c.clear, time.Minute); err != nil {
		t.Fatal(err)
	}
	seed := []string{"-for", "protocol", "-addr", c.clear, "-users", "30", "-roster", "9", "-password", "<&'>"}
	if status := Main(append([]string{"seed", "-quiet"}, seed...)); status != exitFailed {
		t.Errorf("contacts of nobody: status %d", status)
	}
	seed = append(seed, "-register")
	play(t, "seed", seed...)
	play(t, "seed", seed...)
	r := play(t, "presence", "-addr", c.clear, "-users", "30", "-roster", "9", "-password", "<&'>", "-duration", "300ms", "-slices", "1", "-no-floor")
	if value(t, r, "rate") == 0 {
		t.Error("nobody hears of anybody")
	}
}

func TestSeedersMakeFiles(t *testing.T) {
	for form, file := range map[string]string{
		"prosody":  "localhost/roster/u0000003.dat",
		"portable": "",
		"meerkat":  "main.db",
	} {
		dir := filepath.Join(t.TempDir(), "to")
		err := Main([]string{"seed", "-for", form, "-data", dir, "-users", "10", "-roster", "4", "-quiet"})
		if err != exitOK {
			t.Errorf("%s: status %d", form, err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !strings.Contains(string(b), "u0000004@localhost") {
			t.Errorf("%s: contact u0000004 is not in %s: %v", form, file, err)
		}
	}
}

func TestTable(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for i, server := range []string{"Meerkat", "Other"} {
		r := report.Result{Scenario: "login", Server: server}
		r.Set("mech", "PLAIN")
		r.Set("tls", "none")
		r.Figure("CPU, median", float64(200*(i+1)), "us/login")
		files = append(files, filepath.Join(dir, server))
		if err := r.WriteJSON(files[i]); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := table(&out, files); err != nil {
		t.Fatal(err)
	}
	const want = "| | Meerkat | Other |\n|---|---:|---:|\n| login, PLAIN, TLS none: CPU, median (us/login) | 200 | 400 (2.0x) |\n"
	if out.String() != want {
		t.Errorf("table\n%swant\n%s", out.String(), want)
	}
}

func TestMetricsAreRead(t *testing.T) {
	m, err := metrics(strings.NewReader("# HELP a b\n# TYPE a gauge\na 1.5e+06\nb{c=\"d e\"} 2\nc 3\n"))
	if err != nil || m["a"] != 1.5e6 || m["c"] != 3 || m[`b{c="d e"}`] != 2 || len(m) != 3 {
		t.Errorf("read %v, %v", m, err)
	}
}

// Each scenario's flags can be declared together.
func TestFlagsDoNotClash(t *testing.T) {
	for _, s := range scenarios() {
		if err := s.main([]string{"-h"}); err != flag.ErrHelp {
			t.Errorf("%s -h: %v", s.name, err)
		}
	}
}
