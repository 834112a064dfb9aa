package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"meerkat/engine/depot"
	"meerkat/store"
)

// promise makes a place for a file in the store of a stopped server.
func promise(t *testing.T, dir, owner string, size int64) {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d, now := depot.New(depot.Options{Store: s}), time.Now()
	if err := d.Prepare(); err != nil {
		t.Fatal(err)
	}
	q := depot.Request{Owner: owner, Name: "a", Size: size}
	if err := s.UpdateWait(func(tx *store.Tx) error { return d.Reserve(tx, depot.NewID(now), q, now) }); err != nil {
		t.Fatal(err)
	}
}

func TestUploadsOfAStoppedAndARunningServer(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	for _, state := range []string{"stopped", "running"} {
		promise(t, filepath.Join(dir, "data"), "romeo@localhost", 20<<20)
		promise(t, filepath.Join(dir, "data"), "juliet@localhost", 5)
		var r *running
		if state == "running" {
			r = start(t, dir)
		}
		for _, row := range []struct {
			args string
			code int
			want string
		}{
			{"list", 0, "       1 files         5 B  juliet@localhost\n       1 files      20 MiB  romeo@localhost\n       2 files      20 MiB  of 2 accounts\n"},
			{"list j", 0, "       1 files         5 B  juliet@localhost\n       1 files         5 B  of 1 accounts\n"},
			{"remove romeo@localhost", 0, "romeo@localhost: 1 files of 20 MiB removed\n"},
			{"remove romeo@localhost", 0, "romeo@localhost: 0 files of 0 B removed\n"},
			{"remove romeo@example.org", 2, "example.org is not served here"},
			{"remove", 2, "try: meerkat upload"},
			{"remove a b", 2, "try: meerkat upload"},
			{"", 2, "try: meerkat upload"},
			{"list", 0, "       1 files         5 B  juliet@localhost\n       1 files         5 B  of 1 accounts\n"},
			{"remove juliet@localhost", 0, "removed"},
		} {
			out, errs, code := meerkat(t, dir, "", append([]string{"upload", "-config", "meerkat.toml"}, strings.Fields(row.args)...)...)
			if code != row.code || !strings.HasPrefix(out+strings.TrimPrefix(errs, "meerkat: "), row.want) && row.want != "removed" {
				t.Errorf("%s: upload %s: status %d, %q, %q, want %d, %q", state, row.args, code, out, errs, row.code, row.want)
			}
		}
		if r != nil {
			r.stop()
		}
	}
}
