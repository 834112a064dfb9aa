package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// openPages is how many pages Open looks at: the upper ones of each tree, where
// damage would cost most. Cold, they are 1024 random reads.
const openPages = 1024

// checkFile checks the file at path behind what bbolt checks, which is two
// checksums: its length, the free list, and the first pages of its trees, level
// by level. It maps nothing, so that no damage can fault.
func checkFile(path string, pages int, log *slog.Logger) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := openPageFile(f)
	if err != nil {
		return err
	}
	if p.torn != nil {
		log.Warn("store: one of two meta pages is unusable, going on from the other, as after a crash",
			"file", path, "transaction", p.txid, "reason", p.torn)
	}
	return p.walk(pages)
}

// walk checks pages breadth first, from the root, up to budget pages. A tree has
// no page twice, so that there cannot be more of them than in the file.
func (p *pageFile) walk(budget int) error {
	queue := []uint64{p.root}
	for n := 0; len(queue) > 0 && n < budget; {
		pg, err := p.read(queue[0])
		if err != nil {
			return err
		}
		queue = queue[1:]
		if n += len(pg.b) / int(p.pageSize); uint64(n) > p.high {
			return damaged("pages of the trees lead back to themselves")
		}
		children, err := p.children(pg)
		if err != nil {
			return err
		}
		if len(queue) < budget-n {
			queue = append(queue, children...)
		}
	}
	return nil
}

// children returns the pages that pg points to, checked to be pages.
func (p *pageFile) children(pg *page) (ids []uint64, err error) {
	err = pg.elements(func(_, value []byte, child uint64, bucket bool) error {
		switch {
		case pg.flags == leafPage && !bucket:
			return nil
		case pg.flags == leafPage:
			var inline bool
			if child, inline, err = bucketRoot(value); err != nil || inline {
				return err
			}
		}
		if !p.within(child) {
			return damaged("page %d points to page %d of %d", pg.id, child, p.high)
		}
		ids = append(ids, child)
		return nil
	})
	return ids, err
}

// bucketRoot returns the page that the bucket in value begins at. An inline
// bucket is checked right here.
func bucketRoot(value []byte) (id uint64, inline bool, err error) {
	if len(value) < 16 {
		return 0, false, damaged("a bucket of %d bytes", len(value))
	}
	if id = native.Uint64(value); id != 0 {
		return id, false, nil
	}
	if len(value) < 16+pageHeader {
		return 0, true, damaged("an inline bucket of %d bytes", len(value))
	}
	pg, _ := parsePage(value[16:])
	return 0, true, pg.elements(func(_, _ []byte, _ uint64, _ bool) error { return nil })
}

// Check reads the whole store in dir, which nobody may have open, and returns
// all that is wrong with it, joined, up to 20 lines. It takes about as long as
// reading main.db, and memory of some 100 bytes a page.
func Check(dir string) error {
	lock, err := lockDir(dir, time.Second)
	if err != nil {
		return err
	}
	defer lock.Close()
	path := filepath.Join(dir, mainFile)
	if err := checkAll(path); err != nil {
		return fmt.Errorf("store: check %s: %w", path, err)
	}
	if err := errors.Join(checkArchive(filepath.Join(dir, logDir)), checkJournal(filepath.Join(dir, journalDir))); err != nil {
		return fmt.Errorf("store: check %w", err)
	}
	return nil
}

// checkJournal reads what a crash has left of the journal. A store that was
// never opened since there is one has none.
func checkJournal(dir string) error {
	paths, _, err := listSegments(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	found := findings{}
	for _, one := range unmeasured(paths) {
		err := withSegments([]sealed{one}, func(all []*segment) error {
			return all[0].each(true, func(r record) error { _, err := r.queue(); return err })
		})
		if err != nil {
			found.add(err)
		}
	}
	return errors.Join(found...)
}

func checkAll(path string) (err error) {
	if err := checkFile(path, math.MaxInt, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	defer setPanicOnFault(setPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second, PreLoadFreelist: true})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		found := findings{}
		for err := range tx.Check() {
			found.add(damaged("%v", err))
		}
		if len(found) == 0 {
			checkShapes(tx, &found)
		}
		return errors.Join(found...)
	})
}

// findings is a list of errors that does not grow for ever.
type findings []error

func (f *findings) add(err error) {
	if len(*f) < 20 {
		*f = append(*f, err)
	}
}

// checkShapes checks what only this package knows: that the tallies of logs are
// right, and that every entry unpacks.
func checkShapes(tx *bolt.Tx, found *findings) {
	_ = tx.ForEach(func(name []byte, b *bolt.Bucket) error {
		if name[0] == logKind {
			checkLog(b, func(owner string, err error) {
				found.add(fmt.Errorf("log %q of %q: %w", name[2:], owner, err))
			})
		}
		return nil
	})
}

func checkLog(b *bolt.Bucket, report func(owner string, err error)) {
	_ = owners(b, "", func(owner string) error {
		var has, says tally
		tx := &Tx{}
		prefix := tx.prefix(owner)
		c := b.Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if len(k) == len(prefix) {
				says = readTally(v)
				continue
			}
			plain, err := tx.unpack(v)
			if err != nil {
				report(owner, err)
			}
			has.entries++
			has.bytes += uint64(len(plain))
		}
		if has != says {
			report(owner, damaged("%d entries of %d bytes, but its tally says %d of %d", has.entries, has.bytes, says.entries, says.bytes))
		}
		return nil
	})
}

// checkArchive reads all logs of the archive, and holds what the indexes say
// against them.
func checkArchive(dir string) error {
	a := &Archive{dir: dir, check: true, store: &Store{opt: Options{Logger: slog.New(slog.DiscardHandler)}}}
	if err := a.openMonths(); err != nil {
		return err
	}
	found := findings{}
	for _, m := range a.months {
		if err := m.checkLog(); err != nil {
			found.add(fmt.Errorf("%s: %w", m.f.Name(), err))
		}
		for _, r := range m.runs {
			if err := m.checkRun(r); err != nil {
				found.add(err)
			}
		}
		m.f.Close()
	}
	return errors.Join(found...)
}

// checkLog reads every frame and row.
func (m *month) checkLog() error {
	for at := int64(len(logMagic)); at < m.size; {
		body, err := m.frame(at)
		if err == nil {
			err = eachRow(body, func(int, row) error { return nil })
		}
		if err != nil {
			return fmt.Errorf("byte %d: %w", at, err)
		}
		at += int64(frameHeader + len(body))
	}
	return nil
}

// checkRun looks up every place of r in the log.
func (m *month) checkRun(r *run) error {
	var head [rowHeader + MaxOwner]byte
	for i := range r.owners {
		owner, places, _, err := r.group(i)
		if err != nil {
			return err
		}
		for k := range len(places) / placeSize {
			e := placeAt(places, k)
			if e.off == 0 {
				continue
			}
			n, _ := m.f.ReadAt(head[:rowHeader+len(owner)], e.off)
			l := 0
			if n >= rowHeader {
				l = int(binary.LittleEndian.Uint16(head[20:]))
			}
			same := n == rowHeader+len(owner) && binary.LittleEndian.Uint64(head[8:]) == e.seq
			if !same || l != 0 && (l != len(owner) || !bytes.Equal(head[rowHeader:n], owner)) {
				return wrongRow(r.path, e)
			}
		}
	}
	return nil
}
