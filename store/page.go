package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// What bbolt writes (its file format version 2), read here without mapping the
// file, so that no damage can fault. Numbers are in the machine's byte order.
//
//	page     id u64, flags u16, count u16, overflow u32, then count elements
//	meta     magic, version, pagesize, flags u32; root, sequence, freelist,
//	         high, txid, sum u64: FNV-1a of what stands before it
//	branch   offset u32, key length u32, child u64
//	leaf     flags u32, offset u32, key length u32, value length u32
//	freelist count x id u64; if count is 0xffff, the first u64 is the count
//
// An offset counts from its element. A page with overflow n is n+1 pages long.
// A leaf element with bucketFlag has a bucket as its value: root u64, sequence
// u64, and if root is 0 then the bucket's one page, inline.
const (
	pageHeader = 16
	elemSize   = 16

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	bucketFlag = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = ^uint64(0)
)

var native = binary.NativeEndian

// damaged returns ErrDamaged with the reason.
func damaged(text string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(text, args...))
}

// meta is the part of a meta page that says where things are.
type meta struct {
	pageSize, root, freelist, high, txid uint64
}

// parseMeta reads the meta page that begins at p[0].
func parseMeta(p []byte) (meta, error) {
	b := p[pageHeader:]
	switch {
	case native.Uint32(b) != boltMagic:
		return meta{}, damaged("no database: magic number %08x", native.Uint32(b))
	case native.Uint32(b[4:]) != boltVersion:
		return meta{}, damaged("database format %d", native.Uint32(b[4:]))
	case native.Uint64(b[56:]) != checksum(b[:56]):
		return meta{}, damaged("meta page with a wrong checksum")
	}
	return meta{
		pageSize: uint64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]),
		high:     native.Uint64(b[40:]),
		txid:     native.Uint64(b[48:]),
	}, nil
}

func checksum(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}

// pageFile is a bbolt file as of its last commit.
type pageFile struct {
	f *os.File
	meta
	torn error // why one of the two meta pages is unusable, nil if neither is
}

// openPageFile reads the meta pages, which alternate between commits, and picks
// the later one that is whole, as bbolt does.
func openPageFile(f *os.File) (*pageFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, damaged("the file is empty")
	}
	m0, err0 := readMeta(f, 0)
	second := int64(os.Getpagesize())
	if err0 == nil {
		second = int64(m0.pageSize)
	}
	m1, err1 := readMeta(f, second)
	p := &pageFile{f: f, meta: m0, torn: err1}
	if err0 != nil || err1 == nil && m1.txid > m0.txid {
		p.meta, p.torn = m1, err0
	}
	if err0 != nil && err1 != nil {
		return nil, err0
	}
	return p, p.checkMeta(info.Size())
}

func readMeta(f *os.File, at int64) (meta, error) {
	var buf [pageHeader + 64]byte
	if _, err := f.ReadAt(buf[:], at); err != nil {
		return meta{}, damaged("meta page at byte %d: %v", at, err)
	}
	return parseMeta(buf[:])
}

// checkMeta checks that what the meta page speaks of lies in the file.
func (p *pageFile) checkMeta(size int64) error {
	switch {
	case p.pageSize < 1024 || p.pageSize > 1<<24 || p.pageSize&(p.pageSize-1) != 0:
		return damaged("page size %d", p.pageSize)
	case p.high > uint64(size)/p.pageSize:
		return damaged("cut off: %d bytes of %d", size, p.high*p.pageSize)
	case !p.within(p.root):
		return damaged("root page %d of %d", p.root, p.high)
	}
	return p.checkFreelist()
}

// within reports whether id can be the page of data.
func (p *pageFile) within(id uint64) bool { return id >= 2 && id < p.high }

// checkFreelist checks that the free pages are pages, and no page twice.
func (p *pageFile) checkFreelist() error {
	if p.freelist == noFreelist {
		return nil
	}
	pg, err := p.read(p.freelist)
	if err != nil {
		return err
	}
	ids, err := pg.freeIDs()
	if err != nil {
		return err
	}
	last := uint64(1)
	for ; len(ids) > 0; ids = ids[8:] {
		id := native.Uint64(ids)
		if id <= last || id >= p.high {
			return damaged("free page %d after %d in page %d", id, last, pg.id)
		}
		last = id
	}
	return nil
}

// page is a page in memory, overflow and all.
type page struct {
	id    uint64
	flags uint16
	count int
	b     []byte // with the header
}

// read reads page id and its overflow.
func (p *pageFile) read(id uint64) (*page, error) {
	if !p.within(id) {
		return nil, damaged("page %d of %d", id, p.high)
	}
	b := make([]byte, p.pageSize)
	if _, err := p.f.ReadAt(b, int64(id*p.pageSize)); err != nil {
		return nil, damaged("page %d: %v", id, err)
	}
	pg, overflow := parsePage(b)
	if pg.id != id {
		return nil, damaged("page %d says that it is page %d", id, pg.id)
	}
	if overflow >= p.high-id {
		return nil, damaged("page %d: %d more pages, of %d", id, overflow, p.high)
	}
	if overflow == 0 {
		return pg, nil
	}
	pg.b = make([]byte, (overflow+1)*p.pageSize)
	if _, err := io.ReadFull(io.NewSectionReader(p.f, int64(id*p.pageSize), int64(len(pg.b))), pg.b); err != nil {
		return nil, damaged("page %d: %v", id, err)
	}
	return pg, nil
}

func parsePage(b []byte) (pg *page, overflow uint64) {
	pg = &page{id: native.Uint64(b), flags: native.Uint16(b[8:]), count: int(native.Uint16(b[10:])), b: b}
	return pg, uint64(native.Uint32(b[12:]))
}

// freeIDs returns the ids on a freelist page, 8 bytes each.
func (pg *page) freeIDs() ([]byte, error) {
	if pg.flags != freelistPage {
		return nil, damaged("page %d of kind %x, want the free list", pg.id, pg.flags)
	}
	ids, n := pg.b[pageHeader:], uint64(pg.count)
	if n == 0xffff {
		n, ids = native.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids))/8 {
		return nil, damaged("free list of %d pages in %d bytes", n, len(ids))
	}
	return ids[:n*8], nil
}

// elements calls fn for each element of a branch or leaf page, after checking
// that it lies in the page and that the keys ascend. value is nil in a branch,
// child is 0 in a leaf.
func (pg *page) elements(fn func(key, value []byte, child uint64, bucket bool) error) error {
	if pg.flags != branchPage && pg.flags != leafPage {
		return damaged("page %d of kind %x, want data", pg.id, pg.flags)
	}
	if pageHeader+pg.count*elemSize > len(pg.b) {
		return damaged("page %d: %d elements in %d bytes", pg.id, pg.count, len(pg.b))
	}
	var last []byte
	for i := range pg.count {
		key, value, child, bucket, err := pg.element(i)
		if err == nil && i > 0 && bytes.Compare(last, key) >= 0 {
			err = damaged("page %d: key %d is not after the one before", pg.id, i)
		}
		if err == nil {
			err = fn(key, value, child, bucket)
		}
		if err != nil {
			return err
		}
		last = key
	}
	return nil
}

// element returns element i of a page that has so many.
func (pg *page) element(i int) (key, value []byte, child uint64, bucket bool, err error) {
	e := pg.b[pageHeader+i*elemSize:]
	var offset, keyLen, valueLen uint64
	if pg.flags == branchPage {
		offset, keyLen, child = u32(e), u32(e[4:]), native.Uint64(e[8:])
	} else {
		bucket = u32(e)&bucketFlag != 0
		offset, keyLen, valueLen = u32(e[4:]), u32(e[8:]), u32(e[12:])
	}
	if offset+keyLen+valueLen > uint64(len(e)) {
		return nil, nil, 0, false, damaged("page %d: element %d is not within it", pg.id, i)
	}
	key = e[offset : offset+keyLen]
	return key, e[offset+keyLen : offset+keyLen+valueLen], child, bucket, nil
}

func u32(b []byte) uint64 { return uint64(native.Uint32(b)) }
