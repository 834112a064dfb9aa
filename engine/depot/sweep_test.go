package depot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/store"
)

func TestFilesGetOld(t *testing.T) {
	k := newKeeper(t, func(c *config.Config) { c.Upload.Retention = config.Duration(time.Hour) })
	old := k.put("old")
	soon, err := k.request(Request{Name: "a", Size: 4, Until: k.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.fill(soon, "soon"); err != nil {
		t.Fatal(err)
	}
	k.promise(7)
	k.wait(59 * time.Second)
	k.want(soon, "soon")
	k.sweepOnce()
	k.has(3, 14)
	k.wait(time.Second)
	k.want(soon, "") // at once, not when it is swept up
	k.want(old, "old")
	k.wait(59 * time.Minute)
	k.want(old, "")
	young := k.put("young")
	k.sweepOnce()
	k.has(1, 5)
	k.want(young, "young")
	if n := k.files(); n != 1 {
		t.Errorf("%d files are on disk, want 1", n)
	}
	k.cfg.Upload.Retention = 0
	k.SetLimits(k.cfg)
	k.wait(1e5 * time.Hour)
	k.sweepOnce()
	k.want(young, "young")
	if k.totals.files.Load() != 1 || k.totals.bytes.Load() != 5 {
		t.Errorf("%d files of %d bytes are counted", k.totals.files.Load(), k.totals.bytes.Load())
	}
}

func TestSweepGoesThroughManyPages(t *testing.T) {
	k := newKeeper(t, func(c *config.Config) { c.Upload.FilesPerDay = 0 })
	const n = 2*sweepPage + 10
	for range n {
		k.promise(1)
	}
	k.has(n, n)
	k.wait(time.Hour)
	k.sweepOnce()
	k.has(0, 0)
}

// TestAccountGoes: with the account its files cannot be had, and soon they are
// not on disk either, whatever comes between.
func TestAccountGoes(t *testing.T) {
	for _, tidy := range []bool{true, false} {
		k := newKeeper(t, nil)
		id, waits := k.put("hello"), k.promise(3)
		u := k.begin(waits)
		var ids []ID
		_ = k.store.View(func(tx *store.Tx) error { ids = IDs(tx, "romeo@test", 100); return nil })
		if err := k.store.UpdateWait(func(tx *store.Tx) error { return k.store.RemoveOwner(tx, "romeo@test") }); err != nil {
			t.Fatal(err)
		}
		k.want(id, "")
		_, _ = io.WriteString(u, "hey")
		if err := u.Commit(""); !errors.Is(err, ErrGone) {
			t.Errorf("an upload that was on its way: %v", err)
		}
		u.Close()
		if tidy {
			k.Disown(ids)
		} else {
			k.sweepOnce()
		}
		if n := k.files(); n != 0 {
			t.Errorf("%d files are left", n)
		}
		_ = k.store.View(func(tx *store.Tx) error {
			return owners.Each(tx, func(text string, _ []byte) error { t.Errorf("a row is left: %s", text); return nil })
		})
	}
}

func TestOperatorSeesAndRemoves(t *testing.T) {
	k := newKeeper(t, nil)
	id := k.put("hello")
	k.promise(3)
	if _, err := k.request(Request{Owner: "juliet@test", Name: "a", Size: 7}); err != nil {
		t.Fatal(err)
	}
	juliet, romeo := Owner{"juliet@test", 1, 7}, Owner{"romeo@test", 2, 8}
	for _, row := range []struct {
		prefix, after string
		n             int
		want          []Owner
	}{{"", "", 9, []Owner{juliet, romeo}}, {"", "", 1, []Owner{juliet}}, {"", "juliet@test", 9, []Owner{romeo}}, {"r", "", 9, []Owner{romeo}}, {"x", "", 9, nil}} {
		if got, err := k.List(row.prefix, row.after, row.n); err != nil || fmt.Sprint(got) != fmt.Sprint(row.want) {
			t.Errorf("%+v: got %v, %v", row, got, err)
		}
	}
	for range 2 * batch { // more than one update removes
		k.promise(2)
	}
	romeo.Files, romeo.Bytes = romeo.Files+2*batch, romeo.Bytes+4*batch
	if was, err := k.RemoveAll("romeo@test"); err != nil || was != romeo {
		t.Errorf("removed %v, %v", was, err)
	}
	k.want(id, "")
	k.has(0, 0)
	if n := k.files(); n != 0 {
		t.Errorf("%d files are left", n)
	}
	if was, err := k.RemoveAll("romeo@test"); err != nil || was.Files != 0 {
		t.Errorf("removed again: %v, %v", was, err)
	}
	if got, err := k.List("", "", 9); err != nil || len(got) != 1 {
		t.Errorf("left are %v, %v", got, err)
	}
}

// TestCrash: what a crash leaves at any place is either not there, or found.
func TestCrash(t *testing.T) {
	k := newKeeper(t, nil)
	half, named := k.promise(5), k.promise(5)
	u := k.begin(half)
	_, _ = io.WriteString(u, "he")
	u = k.begin(named) // all on disk, but the row does not say so
	_, _ = io.WriteString(u, "hello")
	if err := u.settle(); err != nil {
		t.Fatal(err)
	}
	orphan := NewID(k.Now())
	foreign := filepath.Join(k.dir, "00", "README")
	for _, path := range []string{k.path(orphan), foreign} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k.reopen()
	if n := k.files(); n != 3 {
		t.Errorf("%d files after the restart, want 3", n)
	}
	k.orphans(context.Background())
	if n := k.files(); n != 2 {
		t.Errorf("%d files, want that of the row and the stranger's", n)
	}
	k.want(half, "")
	k.want(named, "")
	if err := k.fill(named, "hallo"); err != nil {
		t.Fatal(err)
	}
	k.want(named, "hallo")
	k.wait(time.Hour)
	k.sweepOnce()
	k.has(1, 5)
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}

func TestCrashBeforeTheRowIsSweptUp(t *testing.T) {
	k := newKeeper(t, nil)
	id := k.promise(5)
	u := k.begin(id)
	_, _ = io.WriteString(u, "hello")
	if err := u.settle(); err != nil {
		t.Fatal(err)
	}
	k.reopen()
	k.wait(time.Hour)
	k.sweepOnce()
	if n := k.files(); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func TestRunEnds(t *testing.T) {
	k := newKeeper(t, nil)
	k.promise(1)
	k.wait(time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { k.Run(ctx); close(ended) }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if list, err := k.List("", "", 1); err == nil && len(list) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing is swept")
		}
	}
	cancel()
	<-ended
}
