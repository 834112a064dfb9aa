package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"meerkat/bench"
	"meerkat/bench/load"
	"meerkat/engine/admin"
)

// Go heap of an idle session, bytes, with a roster of 100 and presence: socket,
// TLS, stream, account, tables, all told.
const (
	mostPlain = 2048
	mostTLS   = mostPlain + 410
)

func TestHeapPerSession(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has a heap of its own")
	}
	dir := t.TempDir()
	if code := bench.Main([]string{"seed", "-data", filepath.Join(dir, "data"), "-users", "3000", "-quiet"}); code != exitOK {
		t.Fatalf("seed: status %d", code)
	}
	writeConfig(t, dir, "connections_per_address = 0\nunauthenticated = 0\n[loops]\ncount = 1\n")
	clearText(t, dir)
	plain := sessionHeap(t, dir, 0, load.Plain)
	secure := sessionHeap(t, dir, 1, load.Direct)
	t.Logf("plain %.0f bytes, TLS %.0f", plain, secure)
	if plain > mostPlain {
		t.Errorf("a plain session has %.0f bytes of heap, want at most %d", plain, mostPlain)
	}
	if secure > mostTLS {
		t.Errorf("a TLS session has %.0f bytes of heap, want at most %d", secure, mostTLS)
	}
}

// sessionHeap starts a server, brings users online at its listener, and weighs
// the second half of them: what there is once, such as the ciphers of the 1,024
// TLS sessions of a loop that spoke last, is in the first half.
func sessionHeap(t *testing.T, dir string, listener int, mode load.TLS) float64 {
	t.Helper()
	const users, half = 3000, 1500
	server := start(t, dir)
	defer server.stop()
	crowd, err := load.New(load.Target{
		Addr: server.addrs[listener], Domain: "localhost", TLS: mode, Mech: "SCRAM-SHA-1", Password: "bench-password", Resource: "bench",
		Pipeline: true, Roster: true, Presence: true, Users: users,
		Layout: load.Layout{Contacts: 100, Block: 1000, Users: users}, Threads: 1, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer crowd.Close()
	online(t, crowd, half)
	before := heapOf(t, server)
	online(t, crowd, users)
	return (heapOf(t, server) - before) / (users - half)
}

func online(t *testing.T, crowd *load.Crowd, users int) {
	t.Helper()
	if err := crowd.Do(load.Job{Login: &load.LoginJob{Users: users, Parallel: 64}}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); crowd.Stats().Online < users; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("only %+v", crowd.Stats())
		}
	}
}

// heapOf collects the server's garbage and asks for the rest, in bytes.
func heapOf(t *testing.T, server *running) float64 {
	t.Helper()
	c, err := admin.Dial(filepath.Join(server.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var left admin.Collected
	for range 2 { // what a pool lets go of in the first is freed in the second
		if left, err = c.Collect(); err != nil {
			t.Fatal(err)
		}
	}
	return float64(left.Heap)
}

// clearText lets clients of the configuration in dir log in without TLS.
func clearText(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "meerkat.toml")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte("[c2s]\n"), []byte("[c2s]\nrequire_tls = false\n"), 1)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
