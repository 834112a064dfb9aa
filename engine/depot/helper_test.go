package depot

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
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
