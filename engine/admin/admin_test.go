package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"meerkat/engine"
	"meerkat/engine/alarm"
	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/store"
)

// door is a server over a real store in dir, and a client of it.
type door struct {
	*Client
	dir   string
	store *store.Store
	log   bytes.Buffer
}

func open(t *testing.T, dir string) *door {
	t.Helper()
	d := &door{dir: dir}
	var err error
	if d.store, err = store.Open(store.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Limits.ScramIterations = 4096
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	board := alarm.New(slog.New(slog.DiscardHandler), nil)
	board.Set(time.Unix(5, 0), alarm.Disk, alarm.Warning, "little room", "make room")
	s := &Server{
		Accounts: engine.OpenAccounts(d.store, cfg),
		Uploads:  engine.OpenUploads(d.store, cfg),
		Status:   func() Status { return Status{Version: "1", PID: 7, Alarms: Alarms(board), Metrics: metric.Snapshot()} },
		Log:      slog.New(slog.NewTextHandler(&d.log, nil)),
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	if d.Client, err = Dial(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Client.Close)
	return d
}

func TestAccountsThroughTheSocket(t *testing.T) {
	d := open(t, t.TempDir())
	for _, jid := range []string{"romeo@localhost", "juliet@localhost", "ju@localhost"} {
		if err := d.Add(jid, "secret"); err != nil {
			t.Fatalf("add %s: %v", jid, err)
		}
	}
	if err := d.Add("Romeo@localhost", "other"); !errors.Is(err, auth.ErrExists) {
		t.Errorf("add twice: got %v, want %v", err, auth.ErrExists)
	}
	if err := d.SetPassword("romeo@localhost", "better"); err != nil {
		t.Errorf("password: %v", err)
	}
	if err := d.SetPassword("nobody@localhost", "x"); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("password of nobody: got %v, want %v", err, auth.ErrNoAccount)
	}
	if err := d.Revoke("ju@localhost"); err != nil {
		t.Errorf("revoke: %v", err)
	}
	if err := d.Revoke("nobody@localhost"); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("revoke nobody's tokens: %v", err)
	}
	if err := d.Disable("ju@localhost"); err != nil {
		t.Errorf("disable: %v", err)
	}
	if err := d.Enable("ju@localhost"); err != nil {
		t.Errorf("enable: %v", err)
	}
	if err := errors.Join(d.Disable("nobody@localhost"), d.Enable("nobody@localhost")); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("disable nobody: %v", err)
	}
	if err := d.Remove("ju@localhost"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := d.Remove("ju@localhost"); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("remove twice: got %v, want %v", err, auth.ErrNoAccount)
	}
	if got, err := d.List("", "", 10); err != nil || !reflect.DeepEqual(got, []string{"juliet@localhost", "romeo@localhost"}) {
		t.Errorf("list: got %v, %v", got, err)
	}
	if got, err := d.List("r", "", 10); err != nil || !reflect.DeepEqual(got, []string{"romeo@localhost"}) {
		t.Errorf("list r: got %v, %v", got, err)
	}
	if got, err := d.List("", "juliet@localhost", 1); err != nil || !reflect.DeepEqual(got, []string{"romeo@localhost"}) {
		t.Errorf("list after juliet: got %v, %v", got, err)
	}
	verifyPassword(t, d.store, "better")
	if got := d.log.String(); strings.Contains(got, "secret") || strings.Count(got, "by=\"admin socket\"") != 8 {
		t.Errorf("log, want eight changes and no password:\n%s", got)
	}
}

// verifyPassword looks into the store for romeo's.
func verifyPassword(t *testing.T, s *store.Store, password string) {
	t.Helper()
	romeo, err := jid.Parse("romeo@localhost")
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(func(tx *store.Tx) error {
		c, err := auth.NewAccounts(s).Get(tx, romeo)
		if err == nil && !c.Verify(password) {
			t.Errorf("the password in the store is not %q", password)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	d := open(t, t.TempDir())
	for want, err := range map[string]error{
		"is not served here": d.Add("romeo@elsewhere", "x"),
		"want name@domain":   d.Add("localhost", "x"),
		"a password has":     d.Add("romeo@localhost", ""),
		"no address":         d.Remove("@"),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	d := open(t, t.TempDir())
	for _, row := range []struct {
		method, path, body string
		code               int
	}{
		{"GET", "/", "", 404},
		{"GET", "/v1/accounts/", "", 404},
		{"GET", "/v1/../metrics", "", 307}, // to the normal form, by the library
		{"GET", "/v1/Status", "", 404},
		{"POST", "/v1/status", "", 405},
		{"PATCH", "/v1/accounts/a@localhost", "", 405},
		{"POST", "/v1/accounts", "", 400},
		{"POST", "/v1/accounts", "{", 400},
		{"POST", "/v1/accounts", `{"jid":"a@localhost","password":"x","admin":true}`, 400},
		{"POST", "/v1/accounts", `{"password":"` + strings.Repeat("x", maxBody) + `"}`, 400},
		{"GET", "/v1/accounts?limit=0", "", 400},
		{"GET", "/v1/accounts?limit=1001", "", 400},
		{"GET", "/v1/accounts?limit=many", "", 400},
		{"DELETE", "/v1/accounts/a%2Fb@localhost", "", 422},
		{"GET", "/v1/uploads?limit=0", "", 400},
		{"POST", "/v1/uploads", "", 405},
		{"DELETE", "/v1/uploads", "", 405},
		{"DELETE", "/v1/uploads/@", "", 422},
	} {
		if got := d.raw(t, row.method, row.path, row.body).StatusCode; got != row.code {
			t.Errorf("%s %s %.40s: got %d, want %d", row.method, row.path, row.body, got, row.code)
		}
	}
}

// raw makes a request as it stands and reads the answer away.
func (d *door) raw(t *testing.T, method, path, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, "http://meerkat"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := d.http.Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestStatusAlarmsMetricsAndGC(t *testing.T) {
	d := open(t, t.TempDir())
	ShowStore(d.store)
	st, err := d.Status()
	if err != nil {
		t.Fatal(err)
	}
	if want := []Alarm{{"disk", "warning", "little room", "make room", time.Unix(5, 0)}}; st.PID != 7 || len(st.Alarms) != 1 ||
		st.Alarms[0].Text != want[0].Text || !st.Alarms[0].Since.Equal(want[0].Since) {
		t.Errorf("got process %d, alarms %+v, want 7, %+v", st.PID, st.Alarms, want)
	}
	if got := st.Metrics["meerkat_store_file_bytes"]; got < 4096 {
		t.Errorf("meerkat_store_file_bytes: got %v, want a page at least", got)
	}
	for _, row := range [][2]string{{"GET", "/metrics"}, {"POST", "/v1/gc"}} {
		if got := d.raw(t, row[0], row[1], "").StatusCode; got != 200 {
			t.Errorf("%s %s: got %d", row[0], row[1], got)
		}
	}
}

func TestStoreMetricsMove(t *testing.T) {
	d := open(t, t.TempDir())
	ShowStore(d.store)
	before := metric.Snapshot()
	if err := d.Add("romeo@localhost", "x"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(150 * time.Millisecond) // a look at the store serves for 100 ms
	after := metric.Snapshot()
	for _, name := range []string{"meerkat_store_updates_total", "meerkat_store_commits_total", "meerkat_store_commit_seconds_count", "meerkat_store_written_bytes_total"} {
		if after[name] <= before[name] {
			t.Errorf("%s: %v, then %v, want more", name, before[name], after[name])
		}
	}
	for _, name := range []string{"meerkat_store_journal_written_bytes_total", "meerkat_store_journal_moved_total", "meerkat_store_journal_segments"} {
		if v, ok := after[name]; !ok || v != 0 {
			t.Errorf("%s: %v, %v, want 0", name, v, ok)
		}
	}
}

func TestSocketIsForItsOwnerAndGoesAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(dir); !errors.Is(err, ErrStopped) {
		t.Errorf("no socket: got %v, want %v", err, ErrStopped)
	}
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(dir, SocketName)); err != nil || fi.Mode() != fs0600 {
		t.Errorf("mode: got %v, %v, want %v", fi.Mode(), err, fs0600)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

const fs0600 = os.ModeSocket | 0o600

func TestSocketOfADeadProcessIsReplaced(t *testing.T) {
	dir := t.TempDir()
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, SocketName), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	if _, err := Dial(dir); !errors.Is(err, ErrStopped) {
		t.Errorf("dead socket: got %v, want %v", err, ErrStopped)
	}
	d := open(t, dir)
	if _, err := d.Status(); err != nil {
		t.Error(err)
	}
}

func TestMetricsListenerShowsMetricsOnly(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ServeMetrics(ctx, ln, nil) }()
	for path, code := range map[string]int{"/metrics": 200, "/": 404, "/v1/status": 404, "/debug/pprof/": 404} {
		resp, err := http.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != code {
			t.Errorf("%s: got %d, want %d", path, resp.StatusCode, code)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// An answer that is no JSON of ours, as from another program on the socket, is
// an error and no account.
func TestForeignAnswersAreErrors(t *testing.T) {
	dir := t.TempDir()
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			w.Write([]byte("hello"))
			return
		}
		w.WriteHeader(http.StatusTeapot)
	})}
	go srv.Serve(ln)
	defer srv.Close()
	c, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Status(); err == nil || !strings.Contains(err.Error(), "unreadable answer") {
		t.Errorf("status: got %v", err)
	}
	if err := c.Remove("a@b"); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("remove: got %v", err)
	}
}

func TestPageIsNeverNull(t *testing.T) {
	d := open(t, t.TempDir())
	resp, err := d.http.Get("http://meerkat/v1/accounts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var raw map[string]json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil || string(raw["accounts"]) != "[]" {
		t.Errorf("got %s, %v, want []", raw["accounts"], err)
	}
}
