package depot

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"meerkat/store"
)

// The sweep is a trickle: so many rows or names, a pause, and once through all
// of them a longer one.
const (
	sweepPage   = 100
	sweepPause  = 50 * time.Millisecond
	sweepEvery  = time.Minute
	orphanEvery = 24 * time.Hour
)

// totals are what the last sweep has counted.
type totals struct{ files, bytes atomic.Int64 }

// Run throws away what is too old, and what a crash has left, until ctx ends.
func (d *Depot) Run(ctx context.Context) {
	var looked time.Time
	for {
		if err := d.sweep(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("old uploads are left; they are removed later", "err", err)
		}
		if now := d.now(); now.Sub(looked) >= orphanEvery {
			looked = now
			d.orphans(ctx)
		}
		if !pause(ctx, sweepEvery) {
			return
		}
	}
}

func pause(ctx context.Context, t time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(t):
		return true
	}
}

// sweep goes through all rows once.
func (d *Depot) sweep(ctx context.Context) error {
	var files, bytes int64
	for from, more := "", true; more; {
		p, err := d.page(from)
		if err == nil {
			err = d.discard(p.dead)
		}
		if err != nil {
			return err
		}
		files, bytes = files+p.files, bytes+p.bytes
		if from, more = p.next, p.next != ""; more && !pause(ctx, d.rest) {
			return ctx.Err()
		}
	}
	d.totals.files.Store(files)
	d.totals.bytes.Store(bytes)
	return nil
}

// page is a part of all rows.
type page struct {
	dead         []dead
	files, bytes int64  // that stay
	next         string // "" at the end
}

// dead is what has to go.
type dead struct {
	id     ID
	owner  string
	reason int
}

func (d *Depot) page(from string) (p page, err error) {
	seen := 0
	err = d.store.View(func(tx *store.Tx) error {
		return owners.EachFrom(tx, from, func(text string, owner []byte) error {
			if seen++; seen > sweepPage {
				p.next = text
				return store.ErrStop
			}
			if id, ok := ParseID(text); ok {
				d.judge(tx, &p, id, string(owner))
			}
			return nil
		})
	})
	return p, err
}

func (d *Depot) judge(tx *store.Tx, p *page, id ID, owner string) {
	alive, reason := d.alive(tx, id, owner)
	switch {
	case alive == nil:
		p.dead = append(p.dead, dead{id, owner, reason})
	case alive.filled:
		p.files++
		p.bytes += alive.size
	}
}

// alive returns the row of an ID if it is to stay, nil and why if not.
func (d *Depot) alive(tx *store.Tx, id ID, owner string) (*row, int) {
	b := rows.Get(tx, owner, string(id[:]))
	if b == nil {
		return nil, byAccount
	}
	r, err := readRow(b)
	switch over := err == nil && r.over(time.Duration(d.limits.Load().Retention), d.now()); {
	case !over, !r.filled && d.isActive(id):
		return &r, 0
	case r.filled:
		return nil, byAge
	}
	return nil, byDisuse
}

// discard removes rows that are still dead, and then their files.
func (d *Depot) discard(list []dead) error {
	if len(list) == 0 {
		return nil
	}
	var gone []ID
	err := d.store.UpdateWait(func(tx *store.Tx) error {
		for _, it := range list {
			if alive, _ := d.alive(tx, it.id, it.owner); alive != nil {
				continue
			}
			if err := remove(tx, it.owner, it.id); err != nil {
				return err
			}
			gone = append(gone, it.id)
			removed.Add(offLoop, it.reason, 1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.log.Debug("uploads removed that were too old or unused", "files", len(gone))
	return d.unlink(gone)
}

// orphans removes files that no row knows of.
func (d *Depot) orphans(ctx context.Context) {
	n := 0
	shards, err := filepath.Glob(filepath.Join(d.dir, "[0-9a-f][0-9a-f]"))
	for _, shard := range shards {
		found, e := d.orphansOf(ctx, shard)
		n += found
		err = errors.Join(err, e)
		if !pause(ctx, d.rest) {
			return
		}
	}
	if err != nil {
		d.log.Warn("not all uploaded files could be looked at", "err", err)
	}
	if n > 0 {
		removed.Add(offLoop, byOrphan, uint64(n))
		d.log.Info("uploaded files that nobody owned have been removed", "files", n)
	}
}

func (d *Depot) orphansOf(ctx context.Context, shard string) (n int, err error) {
	dir, err := os.Open(shard)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(sweepPage)
		list, e := d.unowned(names)
		if e = errors.Join(e, d.unlink(list)); e != nil {
			return n, e
		}
		n += len(list)
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		case !pause(ctx, d.rest):
			return n, nil
		}
	}
}

// unowned are those of names that are IDs without a row, and not on their way in.
func (d *Depot) unowned(names []string) (list []ID, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		for _, name := range names {
			id, ok := ParseID(name)
			if !ok || d.isActive(id) {
				continue
			}
			if owner, _, err := find(tx, id); owner == "" && err == nil {
				list = append(list, id)
			}
		}
		return nil
	})
	return list, err
}
