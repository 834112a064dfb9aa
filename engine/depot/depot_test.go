package depot

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"meerkat/engine/config"
)

func TestPlaceIsFilledOnce(t *testing.T) {
	k := newKeeper(t, nil)
	id := k.promise(5)
	k.want(id, "")
	if err := k.fill(id, "hello"); err != nil {
		t.Fatal(err)
	}
	k.want(id, "hello")
	if _, err := k.Place(id, k.Sign(id)); !errors.Is(err, ErrUsed) {
		t.Errorf("a second time: %v", err)
	}
	k.reopen()
	k.want(id, "hello")
	if _, err := k.Place(id, k.Sign(id)); !errors.Is(err, ErrUsed) {
		t.Errorf("after a restart: %v", err)
	}
	k.has(1, 5)
}

func TestOnlyWhatWasPromised(t *testing.T) {
	k := newKeeper(t, nil)
	id, other := k.promise(5), k.promise(5)
	for what, s := range map[string]Signature{"none": {}, "of another place": k.Sign(other)} {
		if _, err := k.Place(id, s); !errors.Is(err, ErrForged) {
			t.Errorf("signature %s: %v", what, err)
		}
	}
	never := NewID(k.Now())
	if _, err := k.Place(never, k.Sign(never)); !errors.Is(err, ErrGone) {
		t.Errorf("a place that nobody has: %v", err)
	}
	k.wait(4 * time.Minute)
	if _, err := k.Place(id, k.Sign(id)); err != nil {
		t.Errorf("in time: %v", err)
	}
	u := k.begin(id)
	k.wait(2 * time.Minute)
	if _, err := k.Place(other, k.Sign(other)); !errors.Is(err, ErrGone) {
		t.Errorf("too late: %v", err)
	}
	k.sweepOnce() // not what has begun in time
	if _, err := io.WriteString(u, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(""); err != nil {
		t.Errorf("begun in time: %v", err)
	}
	u.Close()
	k.want(id, "hello")
	k.has(1, 5) // the other was swept away
}

func TestSizeIsAsAnnounced(t *testing.T) {
	k := newKeeper(t, nil)
	id := k.promise(5)
	u := k.begin(id)
	_, _ = io.WriteString(u, "hell")
	if _, err := io.WriteString(u, "oo"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too much: %v", err)
	}
	if err := u.Commit(""); err == nil {
		t.Error("too little is taken")
	}
	u.Close()
	u.Close()
	if n := k.files(); n != 0 {
		t.Errorf("%d files are left", n)
	}
	k.want(id, "")
	if err := k.fill(id, "hello"); err != nil { // another try
		t.Error(err)
	}
	k.want(id, "hello")
}

// TestLastUploadCounts: a client begins anew while we wait for a connection that
// is dead.
func TestLastUploadCounts(t *testing.T) {
	k := newKeeper(t, nil)
	id := k.promise(5)
	first, second := k.begin(id), k.begin(id)
	if _, err := io.WriteString(first, "hallo"); !errors.Is(err, ErrBusy) {
		t.Errorf("the first goes on: %v", err)
	}
	if n := k.files(); n != 1 {
		t.Errorf("%d files are on disk, want 1", n)
	}
	first.Close()
	_, _ = io.WriteString(second, "hello")
	third := k.begin(id)
	if err := second.Commit(""); !errors.Is(err, ErrBusy) {
		t.Errorf("the second is committed: %v", err)
	}
	second.Close()
	_, _ = io.WriteString(third, "hullo")
	if !k.claim(third) { // as in the midst of Commit
		t.Fatal("the third is not the last")
	}
	if p, err := k.Place(id, k.Sign(id)); err != nil {
		t.Fatal(err)
	} else if _, err := k.Begin(p); !errors.Is(err, ErrBusy) {
		t.Errorf("while one is committed: %v", err)
	}
	if err := third.Commit(""); err != nil {
		t.Fatal(err)
	}
	third.Close()
	k.want(id, "hullo")
	if n := k.files(); n != 1 {
		t.Errorf("%d files are on disk, want 1", n)
	}
}

func TestQuotas(t *testing.T) {
	k := newKeeper(t, func(c *config.Config) {
		c.Upload.MaxSize, c.Upload.PerDay, c.Upload.FilesPerDay, c.Upload.PerUser = 100, 150, 3, 200
		c.Upload.Retention = config.Duration(10 * 24 * time.Hour)
	})
	first, before := k.Now(), refused.Value(byQuota)
	tomorrow := time.Unix((int64(1e9)/86400+1)*86400, 0)
	for i, row := range []struct {
		wait  time.Duration
		size  int64
		want  string
		retry time.Time
	}{
		{size: 101, want: ErrTooLarge.Error()},
		{size: 100},
		{size: 51, want: "at most 150B a day", retry: tomorrow},
		{size: 50},
		{wait: 24 * time.Hour, size: 51, want: "at most 200B in all", retry: first.Add(10 * 24 * time.Hour)},
		{size: 48},
		{size: 1},
		{size: 1},
		{size: 1, want: "at most 3 files a day", retry: tomorrow.Add(24 * time.Hour)},
	} {
		k.wait(row.wait)
		id, err := k.request(Request{Name: "a", Size: row.size})
		if err == nil && row.size == 100 {
			err = k.fill(id, strings.Repeat("x", 100)) // places that nobody fills count as well
		}
		if row.want == "" && err != nil || row.want != "" && (err == nil || err.Error() != row.want) {
			t.Errorf("request %d: got %v, want %q", i, err, row.want)
		}
		var q *Quota
		if errors.As(err, &q) && !q.Retry.Equal(row.retry) {
			t.Errorf("request %d: try again at %v, want %v", i, q.Retry, row.retry)
		}
	}
	k.has(5, 200)
	if n := refused.Value(byQuota) - before; n != 3 {
		t.Errorf("%d refusals are counted, want 3", n)
	}
	if _, err := k.request(Request{Owner: "juliet@test", Name: "a", Size: 100}); err != nil {
		t.Errorf("another account: %v", err)
	}
}

func TestLostFile(t *testing.T) {
	k := newKeeper(t, nil)
	id := k.put("hello")
	if err := os.Remove(k.path(id)); err != nil {
		t.Fatal(err)
	}
	before := lost.Value()
	k.want(id, "")
	if lost.Value() != before+1 {
		t.Error("it is not counted")
	}
}

func TestDiskIsNotFilled(t *testing.T) {
	k := newKeeper(t, nil)
	id := k.promise(5)
	k.cfg.Limits.DiskFree = 1 << 60
	k.SetLimits(k.cfg)
	if _, err := k.request(Request{Name: "a", Size: 1}); !Full(err) {
		t.Errorf("place: %v", err)
	}
	p, err := k.Place(id, k.Sign(id))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Begin(p); !Full(err) {
		t.Errorf("upload: %v", err)
	}
	k.cfg.Limits.DiskFree = 0
	k.SetLimits(k.cfg)
	if err := k.fill(id, "hello"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	k.want(id, "hello")
}

// TestManyAtOnce has uploads, downloads and sweeps meet.
func TestManyAtOnce(t *testing.T) {
	k := newKeeper(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			_ = k.sweep(ctx)
		}
	})
	var puts sync.WaitGroup
	for i := range 8 {
		puts.Go(func() {
			for n := range 5 {
				data := bytes.Repeat([]byte{byte('a' + i)}, 1+n*1000)
				id := k.put(string(data))
				k.want(id, string(data))
			}
		})
	}
	puts.Wait()
	cancel()
	all.Wait()
	if n := k.files(); n != 40 {
		t.Errorf("%d files, want 40", n)
	}
}

// Who has been told that a place is free, and comes when another has filled it,
// does no harm to the file.
func TestLateUploadLeavesTheFile(t *testing.T) {
	k := newKeeper(t, nil)
	id := k.promise(5)
	late, err := k.Place(id, k.Sign(id))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.fill(id, "hello"); err != nil {
		t.Fatal(err)
	}
	u, err := k.Begin(late)
	if !errors.Is(err, ErrUsed) {
		t.Errorf("it begins with %v, want ErrUsed", err)
	}
	if err == nil {
		_, _ = io.WriteString(u, "wrong")
		t.Logf("and ends with %v", u.Commit(""))
		u.Close()
	}
	k.want(id, "hello")
	if n := len(k.active); n != 0 {
		t.Errorf("%d uploads are still active", n)
	}
}
