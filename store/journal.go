package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// How the journal of Queues lies on disk, numbers little endian:
//
//	segment  a file N.journal: journalMagic, then frames
//	frame    magic, number N of the segment, length and checksum of the records,
//	         checksum of these four, u32 each; records, see Records
//
// A commit writes one frame. A segment that is full is moved to main.db, without
// what has been forgotten meanwhile, and its file is used for another one:
// writing over what is there costs the file system less than growing does. What
// lies behind the last frame of a segment is of an earlier one, and its number
// tells so.
const (
	journalDir   = "journal"
	journalMagic = "meerkat journal\n"
	recordsMagic = 0x4a524b4d
	recordsHead  = 20
	maxSpares    = 2 // files kept for use again
	segmentExt   = ".journal"
	spareSuffix  = ".spare"
)

// segmentSize is when a segment is full: one that is followed by another is as large
// or larger, so it must not grow from release to release. Tests make it smaller.
var segmentSize int64 = 64 << 20

// journal is the segments of a store.
type journal struct {
	dir   string
	store *Store

	// Of the writer.
	f      *os.File // nil until something is written
	number uint32   // of f, or of the last one there was
	size   int64    // of f: what has been committed
	staged int64    // bytes behind size, not committed yet
	parts  [][]byte
	head   [recordsHead]byte

	mu     sync.Mutex
	full   []sealed // segments that are to be moved, oldest first
	spares []string
	jobs   jobs

	// Of the jobs: what the segment aheadOf has forgotten.
	ahead   forgotten
	aheadOf string

	stats journalCounters
}

// sealed is a segment that is not written to. size is where its frames end, 0 if
// that is not known: it is of a crash. One that others follow was full.
type sealed struct {
	path     string
	size     int
	followed bool
}

// journalCounters are since Open.
type journalCounters struct{ bytes, moved atomic.Uint64 }

func segmentName(n uint32) string { return fmt.Sprintf("%010d%s", n, segmentExt) }

// segmentNumber is the number in the name of a segment.
func segmentNumber(path string) (n uint32, ok bool) {
	base, ok := strings.CutSuffix(filepath.Base(path), segmentExt)
	v, err := strconv.ParseUint(base, 10, 32)
	return uint32(v), ok && err == nil
}

// openJournal moves to main.db what a crash has left.
func (s *Store) openJournal() error {
	j := &journal{dir: filepath.Join(s.opt.Dir, journalDir), store: s}
	j.jobs.log, j.jobs.idle.L = s.opt.Logger, &j.jobs.mu
	s.journal = j
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return fmt.Errorf("store: create %s: %w", j.dir, err)
	}
	all, err := j.find()
	if err == nil {
		err = j.moveAll(all)
	}
	if err != nil {
		return fmt.Errorf("store: open %w", err)
	}
	return nil
}

// find returns the segments there are, oldest first, and removes spare files.
func (j *journal) find() (all []sealed, err error) {
	paths, others, err := listSegments(j.dir)
	for _, path := range others {
		if strings.HasSuffix(path, segmentExt+spareSuffix) {
			err = errors.Join(err, os.Remove(path))
			continue
		}
		j.store.opt.Logger.Warn("store: a file that is not ours is in the journal", "file", path)
	}
	if len(paths) > 0 {
		j.number, _ = segmentNumber(paths[len(paths)-1])
	}
	return unmeasured(paths), err
}

func unmeasured(paths []string) (all []sealed) {
	for i, path := range paths {
		all = append(all, sealed{path: path, followed: i < len(paths)-1})
	}
	return all
}

// listSegments returns the paths of the segments in dir, oldest first, and those
// of other files.
func listSegments(dir string) (paths, others []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if _, ok := segmentNumber(path); ok {
			paths = append(paths, path)
		} else {
			others = append(others, path)
		}
	}
	slices.SortFunc(paths, func(x, y string) int {
		a, _ := segmentNumber(x)
		b, _ := segmentNumber(y)
		return cmp.Compare(a, b)
	})
	return paths, others, err
}

// close moves what there is to main.db, so that a store that is closed is whole
// without its journal. The writer has ended.
func (j *journal) close() error {
	j.jobs.close()
	all := j.full
	if j.f != nil {
		all = append(all, sealed{path: j.f.Name(), size: int(j.size)})
		if err := j.f.Close(); err != nil {
			return err
		}
	}
	if j.store.failed.Load() != nil {
		return nil // the next Open does it
	}
	err := j.moveAll(all)
	for _, p := range j.spares {
		err = errors.Join(err, os.Remove(p))
	}
	return err
}

// write writes a frame with records, and waits until it is on disk. publish or
// takeBack must follow.
func (j *journal) write(records [][]byte) error {
	if len(records) == 0 {
		return nil
	}
	if err := j.ready(); err != nil {
		return err
	}
	size, sum := 0, uint32(0)
	j.parts = append(j.parts[:0], j.head[:])
	for _, b := range records {
		size += len(b)
		sum = crc32.Update(sum, castagnoli, b)
		j.parts = append(j.parts, b)
	}
	putRecordsHead(j.head[:], j.number, size, sum)
	j.staged = int64(recordsHead + size)
	err := writeParts(j.f, j.parts, j.size)
	if err == nil {
		err = fdatasync(j.f)
	}
	if err != nil {
		return errors.Join(err, j.takeBack())
	}
	return nil
}

// ready has a segment that is not full.
func (j *journal) ready() error {
	if j.f != nil && j.size < segmentSize {
		return nil
	}
	f, err := j.create(j.number + 1)
	if err != nil {
		return err
	}
	if j.f != nil {
		j.seal()
	}
	j.f, j.size = f, int64(len(journalMagic))
	j.number++
	return nil
}

// create makes segment n, of a spare file if there is one. Its name is on disk
// when it returns.
func (j *journal) create(n uint32) (*os.File, error) {
	path := filepath.Join(j.dir, segmentName(n))
	if spare := j.spare(); spare != "" {
		if err := os.Rename(spare, path); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err = f.WriteAt([]byte(journalMagic), 0); err == nil {
		err = errors.Join(f.Sync(), syncDir(j.dir))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return f, nil
}

// waiting returns how many segments are to be moved.
func (j *journal) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.full)
}

func (j *journal) spare() (path string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.spares); n > 0 {
		path, j.spares = j.spares[n-1], j.spares[:n-1]
	}
	return path
}

// seal ends the segment that is written to. The one before it can be moved: what
// it has is mostly forgotten by now.
func (j *journal) seal() {
	if err := j.f.Close(); err != nil { // it is synced
		j.store.opt.Logger.Warn("store: closing a segment of the journal", "error", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.full = append(j.full, sealed{path: j.f.Name(), size: int(j.size)})
	if len(j.full) > 1 {
		j.jobs.add(j.moveFirst)
	}
}

// publish ends a commit.
func (j *journal) publish() {
	j.stats.bytes.Add(uint64(j.staged))
	j.size += j.staged
	j.unstage()
}

// takeBack cuts off the frame that write has written. Cutting needs no room on
// the disk, as writing over it might.
func (j *journal) takeBack() error {
	if j.staged == 0 {
		return nil
	}
	defer j.unstage()
	err := j.f.Truncate(j.size)
	if err == nil {
		err = fdatasync(j.f)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	return nil
}

func (j *journal) unstage() {
	clear(j.parts)
	j.staged, j.parts = 0, j.parts[:0]
}

func putRecordsHead(b []byte, number uint32, size int, sum uint32) {
	binary.LittleEndian.PutUint32(b, recordsMagic)
	binary.LittleEndian.PutUint32(b[4:], number)
	binary.LittleEndian.PutUint32(b[8:], uint32(size))
	binary.LittleEndian.PutUint32(b[12:], sum)
	binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
}

// segment is a segment that is read, mapped.
type segment struct {
	path   string
	number uint32
	b      []byte
	size   int // of the frames; what follows is not of this segment
	noted  forgotten
}

// openSegment maps a segment, which this process has written, or else its frames
// are looked at. The caller closes it.
func openSegment(from sealed) (*segment, error) {
	path := from.path
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	g := &segment{path: path}
	g.number, _ = segmentNumber(path)
	if info.Size() < int64(len(journalMagic)) {
		if from.followed {
			return nil, fmt.Errorf("%s: %w", path, damaged("no journal"))
		}
		return g, nil // made, and then came the crash
	}
	if g.b, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if g.size = from.size; g.size > 0 {
		return g, nil
	}
	if g.size, err = g.measure(); err == nil && from.followed && int64(g.size) < segmentSize {
		err = fmt.Errorf("byte %d: %w", g.size, damaged("no frame, but the segment was full"))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), g.close())
	}
	return g, nil
}

func (g *segment) close() error {
	if g.b == nil {
		return nil
	}
	b := g.b
	g.b, g.size = nil, 0
	return unix.Munmap(b)
}

// body returns the records of a frame that frame has found sound.
func (g *segment) body(off int) []byte {
	end := off + recordsHead + int(binary.LittleEndian.Uint32(g.b[off+8:]))
	return g.b[off+recordsHead : end : end]
}

// frame returns the records of the frame at off, nil if there is no whole one.
func (g *segment) frame(off int) []byte {
	b := g.b[off:]
	if len(b) < recordsHead || binary.LittleEndian.Uint32(b) != recordsMagic || binary.LittleEndian.Uint32(b[4:]) != g.number ||
		binary.LittleEndian.Uint32(b[16:]) != crc32.Checksum(b[:16], castagnoli) {
		return nil
	}
	size := int(binary.LittleEndian.Uint32(b[8:]))
	b = b[recordsHead:]
	if size == 0 || size > len(b) || crc32.Checksum(b[:size], castagnoli) != binary.LittleEndian.Uint32(g.b[off+12:]) {
		return nil
	}
	return b[:size:size]
}

// measure returns where the frames end. A last one that is not whole was never
// acknowledged; one that is not the last is damage.
func (g *segment) measure() (int, error) {
	if string(g.b[:len(journalMagic)]) != journalMagic {
		return 0, damaged("no journal")
	}
	off := len(journalMagic)
	for f := g.frame(off); f != nil; f = g.frame(off) {
		off += recordsHead + len(f)
	}
	var magic [8]byte
	binary.LittleEndian.PutUint32(magic[:], recordsMagic)
	binary.LittleEndian.PutUint32(magic[4:], g.number)
	for at := off + 1; ; at++ {
		i := bytes.Index(g.b[min(at, len(g.b)):], magic[:])
		if i < 0 {
			return off, nil
		}
		if at += i; g.frame(at) != nil {
			return 0, fmt.Errorf("byte %d: %w", off, damaged("no frame, but byte %d has one", at))
		}
	}
}

// each calls fn for the records, in order; without values only for the others.
func (g *segment) each(values bool, fn func(r record) error) error {
	for off := len(journalMagic); off < g.size; {
		f := g.body(off)
		off += recordsHead + len(f)
		for len(f) > 0 {
			r, size, err := parseRecord(f)
			if err == nil && (values || r.kind != recordPut) {
				err = fn(r)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", g.path, err)
			}
			f = f[size:]
		}
	}
	return nil
}
