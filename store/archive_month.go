package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

// month is a log, one file, and the index of it.
type month struct {
	name string // of the file, without ".log": 2026-01, or 2026-01.POOL
	pool string
	f    *os.File

	// Of the writer.
	size   int64 // of the file: what has been committed
	staged int64 // bytes written behind size, not committed yet
	parts  [][]byte
	head   [frameHeader]byte

	// Guarded by Archive.mu. Runs cover the log from its first byte, each from
	// the end of the one before; then comes frozen, if not nil, and then tail.
	runs   []*run
	frozen *tail // waits to be made a run
	tail   *tail
	gone   bool // dropped: nothing may be made of it any more

	busy    bool      // frozen is in the jobs
	retryAt time.Time // not before, after an error
}

// tail is the index of the end of a log, in memory: each owner's places.
type tail struct {
	from, to int64
	rows     int
	last     uint64 // greatest sequence number
	owners   map[string]*places
}

// places are places one after the other, as in a run. It only grows, so that a
// reader may keep the slice.
type places struct{ b []byte }

func newTail(from int64) *tail {
	return &tail{from: from, to: from, owners: make(map[string]*places)}
}

// add notes the row of owner at e.
func (t *tail) add(owner []byte, e place) {
	p := t.owners[string(owner)]
	if p == nil {
		p = new(places)
		t.owners[string(owner)] = p
	}
	p.b = appendPlace(p.b, e)
	t.rows++
	t.last = max(t.last, e.seq)
}

// monthName returns the name of the month that now is in.
func monthName(now time.Time, pool string) string {
	name := now.UTC().Format("2006-01")
	if pool != "" {
		name += "." + pool
	}
	return name
}

// parseMonth takes a month's name apart; end is the first moment after it.
func parseMonth(name string) (pool string, end time.Time, ok bool) {
	if len(name) < 7 {
		return "", time.Time{}, false
	}
	t, err := time.Parse("2006-01", name[:7])
	pool = name[7:]
	if pool != "" {
		if pool[0] != '.' || len(pool) == 1 {
			return "", time.Time{}, false
		}
		pool = pool[1:]
	}
	return pool, t.AddDate(0, 1, 0), err == nil && isPool(pool)
}

// openMonths opens what is in the directory, and says what does not belong there.
func (a *Archive) openMonths() error {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return err
	}
	var indexes []string
	for _, e := range entries {
		name := e.Name()
		base, isLog := strings.CutSuffix(name, ".log")
		switch _, _, ok := parseMonth(base); {
		case isLog && ok:
			m, err := openMonth(a.path(name), base, a.check)
			if err != nil {
				return err
			}
			a.months = append(a.months, m)
		case strings.HasSuffix(name, ".idx"):
			indexes = append(indexes, name)
		case strings.HasSuffix(name, ".new"):
			err = a.discard(a.path(name))
		default:
			a.store.opt.Logger.Warn("store: a file that is not ours is in the archive", "file", a.path(name))
		}
		if err != nil {
			return err
		}
	}
	sort.Slice(a.months, func(i, j int) bool { return a.months[i].name < a.months[j].name })
	for _, m := range a.months {
		if err := a.openIndex(m, indexes); err != nil {
			return err
		}
	}
	return a.removeStrays(indexes)
}

// removeStrays removes indexes of logs that are not there any more.
func (a *Archive) removeStrays(indexes []string) error {
	for _, name := range indexes {
		owned := slices.ContainsFunc(a.months, func(m *month) bool { return isRunOf(name, m.name) })
		if !owned {
			if err := a.discard(a.path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func openMonth(path, name string, check bool) (*month, error) {
	mode := os.O_RDWR
	if check {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	pool, _, _ := parseMonth(name)
	m := &month{name: name, pool: pool, f: f, size: info.Size()}
	head := make([]byte, len(logMagic))
	if n, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else if n < len(head) && check {
		m.size = int64(len(logMagic))
		return m, nil
	} else if n < len(head) {
		return m, m.begin() // made, and then came the crash
	}
	if string(head) != logMagic {
		return nil, fmt.Errorf("%s: %w", path, damaged("no archive"))
	}
	return m, nil
}

// createMonth makes the file of a month. Its name is on disk when it returns.
func (a *Archive) createMonth(now time.Time, pool string) (*month, error) {
	name := monthName(now, pool)
	f, err := os.OpenFile(a.path(name+".log"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	m := &month{name: name, pool: pool, f: f}
	if err = m.begin(); err == nil {
		err = syncDir(a.dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	m.tail = newTail(m.size)
	return m, nil
}

// begin writes what a log begins with.
func (m *month) begin() error {
	if err := m.f.Truncate(0); err != nil {
		return err
	}
	if _, err := m.f.WriteAt([]byte(logMagic), 0); err != nil {
		return err
	}
	m.size = int64(len(logMagic))
	return m.f.Sync()
}

// openIndex opens the runs of m and reads the rest of its log into the tail.
func (a *Archive) openIndex(m *month, files []string) error {
	if err := a.openRuns(m, files); err != nil {
		return err
	}
	from := int64(len(logMagic))
	for _, r := range m.runs {
		from = r.to
		a.sawSeq(r.last)
	}
	if from > m.size {
		return fmt.Errorf("%s: %w", m.f.Name(), damaged("cut off: %d bytes, of which %d are indexed", m.size, from))
	}
	m.tail = newTail(from)
	if err := a.replay(m); err != nil {
		return fmt.Errorf("%s: %w", m.f.Name(), err)
	}
	a.sawSeq(m.tail.last)
	return nil
}

// sawSeq keeps clocks ahead of seq. It is for the writer and Open.
func (a *Archive) sawSeq(seq uint64) { a.last.Store(max(a.last.Load(), seq)) }

// replay reads the frames behind the indexed ones. A last one that is not whole
// was never acknowledged: it is cut off.
func (a *Archive) replay(m *month) error {
	for m.tail.to < m.size {
		body, err := m.frame(m.tail.to)
		if err == nil {
			err = m.tail.addFrame(body, m.tail.to+frameHeader)
		}
		if err != nil {
			return a.cut(m, err)
		}
		m.tail.to += int64(frameHeader + len(body))
		if m.tail.rows >= manyRows && !a.check {
			m.frozen, m.tail = m.tail, newTail(m.tail.to)
			if err := a.flush(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// manyRows is how many rows without an index Open keeps in memory: where index
// files have been removed there are more. Tests make it smaller.
var manyRows = 1 << 20

// frame reads the body of the frame at off.
func (m *month) frame(off int64) ([]byte, error) {
	var head [frameHeader]byte
	if n, err := m.f.ReadAt(head[:], off); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else if n < len(head) {
		return nil, damaged("a frame cut off after %d bytes", n)
	}
	size, _, err := parseFrameHeader(head[:])
	if err != nil {
		return nil, err
	}
	if off+frameHeader+int64(size) > m.size {
		return nil, damaged("a frame of %d bytes, of which %d are there", size, m.size-off-frameHeader)
	}
	body := make([]byte, size)
	_, err = m.f.ReadAt(body, off+frameHeader)
	return body, err
}

// addFrame notes the rows of a frame whose body is at off, all or none.
func (t *tail) addFrame(body []byte, off int64) error {
	if err := eachRow(body, func(int, row) error { return nil }); err != nil {
		return err
	}
	return eachRow(body, func(at int, r row) error {
		if len(r.owner) > 0 {
			t.add(r.owner, place{r.seq, off + int64(at), r.tag})
		}
		return nil
	})
}

// cut ends the log before the frame that cause is about. If a whole frame comes
// behind it, it was not the last one, and what was acknowledged is damaged.
func (a *Archive) cut(m *month, cause error) error {
	if !errors.Is(cause, ErrDamaged) {
		return cause
	}
	at := m.tail.to
	if m.frameBehind(at + 1) {
		return fmt.Errorf("byte %d: %w", at, cause)
	}
	if m.size = at; a.check {
		return nil
	}
	if err := m.f.Truncate(at); err != nil {
		return err
	}
	return m.f.Sync()
}

// frameBehind looks for a whole frame at or behind off.
func (m *month) frameBehind(off int64) bool {
	const window = 1 << 20
	buf := make([]byte, window+frameHeader)
	for ; off < m.size; off += window {
		n, _ := m.f.ReadAt(buf, off) // what cannot be read is no frame
		for i := 0; i+frameHeader <= n && i < window; i++ {
			if buf[i] != frameMagic&0xff {
				continue
			}
			if _, _, err := parseFrameHeader(buf[i:]); err != nil {
				continue
			}
			body, err := m.frame(off + int64(i))
			if err == nil && newTail(0).addFrame(body, 0) == nil {
				return true
			}
		}
	}
	return false
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// base returns the name of the file for messages.
func (m *month) base() string { return filepath.Base(m.f.Name()) }
