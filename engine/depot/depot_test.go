package depot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/store"
)

var quiet = slog.New(slog.DiscardHandler)

// keeper is a depot over a real store, with a clock of its own.
type keeper struct {
	*Depot
	t     *testing.T
	store *store.Store
	clock atomic.Int64
	cfg   *config.Config
}

func newKeeper(t *testing.T, change func(*config.Config)) *keeper {
	t.Helper()
	st, err := store.Open(store.Options{Dir: t.TempDir(), Logger: quiet, MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	k := &keeper{t: t, store: st, cfg: config.Default()}
	k.clock.Store(1e9)
	k.cfg.Limits.DiskFree = 0
	if change != nil {
		change(k.cfg)
	}
	k.reopen()
	return k
}

// reopen is a restart.
func (k *keeper) reopen() {
	k.t.Helper()
	k.Depot = New(Options{Store: k.store, Secret: []byte("secret"), Logger: quiet, Now: func() time.Time { return time.Unix(k.clock.Load(), 0) }})
	k.rest = 0
	k.SetLimits(k.cfg)
	if err := k.Prepare(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keeper) wait(d time.Duration) { k.clock.Add(int64(d / time.Second)) }

func (k *keeper) request(q Request) (ID, error) {
	id := NewID(k.Now())
	if q.Owner == "" {
		q.Owner = "romeo@test"
	}
	return id, k.store.UpdateWait(func(tx *store.Tx) error { return k.Reserve(tx, id, q, k.Now()) })
}

// promise is a place for a file of so many bytes.
func (k *keeper) promise(size int64) ID {
	k.t.Helper()
	id, err := k.request(Request{Name: "a.txt", Type: "text/plain", Size: size})
	if err != nil {
		k.t.Fatal(err)
	}
	return id
}

func (k *keeper) begin(id ID) *Upload {
	k.t.Helper()
	p, err := k.Place(id, k.Sign(id))
	if err != nil {
		k.t.Fatal(err)
	}
	u, err := k.Begin(p)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(u.Close)
	return u
}

func (k *keeper) fill(id ID, data string) error {
	k.t.Helper()
	u := k.begin(id)
	defer u.Close()
	if _, err := io.WriteString(u, data); err != nil {
		return err
	}
	return u.Commit("")
}

func (k *keeper) put(data string) ID {
	k.t.Helper()
	id := k.promise(int64(len(data)))
	if err := k.fill(id, data); err != nil {
		k.t.Fatal(err)
	}
	return id
}

// want wants the file to have data, or, if that is "", not to be there.
func (k *keeper) want(id ID, data string) {
	k.t.Helper()
	f, err := k.Open(id)
	if data == "" {
		if !errors.Is(err, ErrGone) {
			k.t.Errorf("got %v, want %v", err, ErrGone)
		}
		return
	}
	if err != nil {
		k.t.Errorf("open: %v", err)
		return
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != data || f.Size != int64(len(data)) {
		k.t.Errorf("got %q of %d bytes, %v, want %q", got, f.Size, err, data)
	}
}

// files are all there are on disk, on their way in or not.
func (k *keeper) files() (n int) {
	k.t.Helper()
	for _, glob := range []string{"tmp/*", "[0-9a-f][0-9a-f]/*"} {
		list, err := filepath.Glob(filepath.Join(k.dir, glob))
		if err != nil {
			k.t.Fatal(err)
		}
		n += len(list)
	}
	return n
}

func (k *keeper) has(files, bytes int64) {
	k.t.Helper()
	_ = k.store.View(func(tx *store.Tx) error {
		u, err := readUsage(tx, "romeo@test")
		if err != nil || u.files != files || u.bytes != bytes || rows.Len(tx, "romeo@test") != int(files) {
			k.t.Errorf("%d rows, %d files of %d bytes counted, %v, want %d of %d", rows.Len(tx, "romeo@test"), u.files, u.bytes, err, files, bytes)
		}
		return nil
	})
}

func (k *keeper) sweepOnce() {
	k.t.Helper()
	if err := k.sweep(context.Background()); err != nil {
		k.t.Fatal(err)
	}
}

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
