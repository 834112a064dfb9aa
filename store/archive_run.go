package store

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// How an index file lies on disk, numbers little endian:
//
//	header  runMagic; from, to: the bytes of the log it covers; rows; owners; last
//	        sequence number; where the table is, u64 each; checksum of these u32
//	groups  one an owner, in order of bytes: count u32; length of the owner u16;
//	        owner; places, in order
//	table   where each group begins, u64
//
// Only Erase changes it once it has its name.
const (
	runMagic  = "mkindex\n"
	runHeader = 64
)

// run is an index file that is mapped. The mapping ends when nobody has the run
// any more, so that a reader needs no lock, only the pointer.
type run struct {
	path     string
	b        []byte
	from, to int64
	rows     int
	owners   int
	last     uint64
	table    int
}

// runName returns the name of the file for part of m's log.
func runName(m *month, from, to int64) string {
	return fmt.Sprintf("%s.%012x-%012x.idx", m.name, from, to)
}

// isRunOf reports whether name is that of a run of the month called month.
func isRunOf(name, month string) bool {
	rest, ok := strings.CutPrefix(name, month+".")
	span, ok2 := strings.CutSuffix(rest, ".idx")
	from, to, ok3 := strings.Cut(span, "-")
	_, err1 := strconv.ParseUint(from, 16, 63)
	_, err2 := strconv.ParseUint(to, 16, 63)
	return ok && ok2 && ok3 && len(from) >= 12 && len(to) >= 12 && err1 == nil && err2 == nil
}

// openRuns opens the runs among files that are m's, as many as cover its log
// without a gap. A crash leaves runs that were merged into another: they go.
func (a *Archive) openRuns(m *month, files []string) error {
	var all []*run
	for _, name := range files {
		if !isRunOf(name, m.name) {
			continue
		}
		r, err := openRun(a.path(name))
		if err != nil {
			return fmt.Errorf("%s: %w (it is made anew if it is removed)", a.path(name), err)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y *run) int {
		return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(y.to, x.to)) // the longest first
	})
	at := int64(len(logMagic))
	for _, r := range all {
		if r.from != at {
			if err := a.discard(r.path); err != nil {
				return err
			}
			continue
		}
		m.runs, at = append(m.runs, r), r.to
	}
	return nil
}

// openRun maps a run and checks that its parts are where they should be.
func openRun(path string) (*run, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < runHeader {
		return nil, damaged("an index of %d bytes", info.Size())
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map: %w", err)
	}
	r := &run{path: path, b: b}
	runtime.AddCleanup(r, unmap, b)
	return r, r.parse()
}

func unmap(b []byte) { _ = syscall.Munmap(b) } // it can only fail if b is no mapping

func (r *run) parse() error {
	h := r.b[:runHeader]
	if string(h[:8]) != runMagic || binary.LittleEndian.Uint32(h[56:]) != crc32.Checksum(h[:56], castagnoli) {
		return damaged("no index")
	}
	field := func(i int) int64 { return int64(binary.LittleEndian.Uint64(h[8+8*i:])) }
	r.from, r.to, r.rows, r.owners = field(0), field(1), int(field(2)), int(field(3))
	r.last, r.table = uint64(field(4)), int(field(5))
	if r.table < runHeader || r.owners < 0 || len(r.b) != r.table+8*r.owners {
		return damaged("an index of %d bytes, its table of %d at %d", len(r.b), r.owners, r.table)
	}
	return nil
}

// group returns owner i, its places, and where these begin.
func (r *run) group(i int) (owner, places []byte, at int, err error) {
	off := binary.LittleEndian.Uint64(r.b[r.table+8*i:])
	if off < runHeader || off+6 > uint64(r.table) {
		return nil, nil, 0, damaged("%s: owner %d is not within it", r.path, i)
	}
	at = int(off)
	n := int(binary.LittleEndian.Uint32(r.b[at:]))
	l := int(binary.LittleEndian.Uint16(r.b[at+4:]))
	at += 6
	if at+l+n*placeSize > r.table {
		return nil, nil, 0, damaged("%s: owner %d is not within it", r.path, i)
	}
	owner, at = r.b[at:at+l], at+l
	return owner, r.b[at : at+n*placeSize], at, nil
}

// find returns the places of owner, nil if there are none, and their group.
func (r *run) find(owner string) (places []byte, i int, err error) {
	lo, hi := 0, r.owners
	for lo < hi {
		mid := (lo + hi) / 2
		name, places, _, err := r.group(mid)
		if err != nil {
			return nil, 0, err
		}
		switch {
		case string(name) == owner:
			return places, mid, nil
		case string(name) < owner:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return nil, -1, nil
}

// runWriter writes a run, owners in order.
type runWriter struct {
	f     *os.File
	w     *bufio.Writer
	off   uint64
	table []byte
	rows  int
}

// newRun begins the file that will be called path.
func newRun(path string) (*runWriter, error) {
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w := &runWriter{f: f, w: bufio.NewWriterSize(f, 1<<16), off: runHeader}
	_, err = w.w.Write(make([]byte, runHeader))
	return w, err
}

// add adds an owner with places, given in parts.
func (w *runWriter) add(owner []byte, parts ...[]byte) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n == 0 {
		return
	}
	var head [6]byte
	binary.LittleEndian.PutUint32(head[:], uint32(n/placeSize))
	binary.LittleEndian.PutUint16(head[4:], uint16(len(owner)))
	w.table = binary.LittleEndian.AppendUint64(w.table, w.off)
	w.w.Write(head[:]) // bufio keeps the error for Flush
	w.w.Write(owner)
	for _, p := range parts {
		w.w.Write(p)
	}
	w.off += uint64(len(head) + len(owner) + n)
	w.rows += n / placeSize
}

// finish writes the rest and gives the file its name once it is on disk.
func (w *runWriter) finish(path string, from, to int64, last uint64) (*run, error) {
	w.w.Write(w.table)
	err := w.w.Flush()
	if err == nil {
		_, err = w.f.WriteAt(w.header(from, to, last), 0)
	}
	if err == nil {
		err = w.f.Sync()
	}
	if err = errors.Join(err, w.f.Close()); err == nil {
		err = os.Rename(w.f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, w.discard())
	}
	return openRun(path)
}

func (w *runWriter) header(from, to int64, last uint64) []byte {
	h := append(make([]byte, 0, runHeader), runMagic...)
	for _, v := range []uint64{uint64(from), uint64(to), uint64(w.rows), uint64(len(w.table) / 8), last, w.off} {
		h = binary.LittleEndian.AppendUint64(h, v)
	}
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	return append(h, make([]byte, runHeader-len(h))...)
}

// discard removes a file that is not finished.
func (w *runWriter) discard() error {
	w.f.Close() // the second time does nothing
	if err := os.Remove(w.f.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// mergeRuns writes one run for all of runs, which are neighbours. It returns nil
// without an error if stop says so.
func mergeRuns(path string, runs []*run, stop func() bool) (*run, error) {
	w, err := newRun(path)
	if err != nil {
		return nil, err
	}
	heads := make([]int, len(runs)) // the group of each that comes next
	var last uint64
	for _, r := range runs {
		last = max(last, r.last)
	}
	for {
		owner, parts, err := nextOwner(runs, heads)
		if err != nil || stop() {
			return nil, errors.Join(err, w.discard())
		}
		if owner == nil {
			break
		}
		for i, b := range parts {
			s := span{b: b}
			s.trim(0) // what has been wiped
			parts[i] = s.b
		}
		w.add(owner, parts...)
	}
	return w.finish(path, runs[0].from, runs[len(runs)-1].to, last)
}

// nextOwner returns the least owner of the groups that come next, with its places
// in all runs, and goes on behind it. owner is nil at the end.
func nextOwner(runs []*run, heads []int) (owner []byte, parts [][]byte, err error) {
	for i, r := range runs {
		if heads[i] == r.owners {
			continue
		}
		name, places, _, err := r.group(heads[i])
		if err != nil {
			return nil, nil, err
		}
		switch c := bytes.Compare(name, owner); {
		case owner == nil || c < 0:
			owner, parts = name, append(parts[:0], places)
		case c == 0:
			parts = append(parts, places)
		}
	}
	for i, r := range runs {
		if heads[i] < r.owners {
			if name, _, _, _ := r.group(heads[i]); bytes.Equal(name, owner) {
				heads[i]++
			}
		}
	}
	return owner, parts, nil
}
