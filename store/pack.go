package store

import (
	"fmt"

	"github.com/klauspost/compress/s2"
)

// The first byte of a stored log value says how the rest is to be read.
const (
	packedPlain = 0
	packedS2    = 1
	packedBlank = 2 // of a row of the archive: there is no value any more
)

// packMin is the length from which s2 pays: shorter stanzas hardly shrink.
const packMin = 512

// pack returns v as it is stored, kept until the commit.
func (tx *Tx) pack(v []byte) []byte {
	if len(v) >= packMin {
		if n := s2.MaxEncodedLen(len(v)); n > cap(tx.encode) {
			tx.encode = make([]byte, n)
		}
		if z := s2.Encode(tx.encode[:cap(tx.encode)], v); len(z) < len(v) {
			return tx.tagged(packedS2, z)
		}
	}
	return tx.tagged(packedPlain, v)
}

func (tx *Tx) tagged(tag byte, v []byte) []byte {
	p := tx.kept.alloc(1 + len(v))
	p[0] = tag
	copy(p[1:], v)
	return p
}

// unpack returns the value that pack was given. It lies in p or in scratch.
func (tx *Tx) unpack(p []byte) ([]byte, error) {
	n := unpackedLen(p)
	if n < 0 || n > MaxValue {
		return nil, fmt.Errorf("%w: %d bytes that are no value", ErrDamaged, len(p))
	}
	if p[0] == packedPlain {
		return p[1:], nil
	}
	if n > cap(tx.plain) {
		tx.plain = make([]byte, n)
	}
	v, err := s2.Decode(tx.plain[:cap(tx.plain)], p[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return v, nil
}

// unpackedLen returns the length of the value in p, less than 0 if p is no value.
func unpackedLen(p []byte) int {
	if len(p) == 0 || p[0] > packedS2 {
		return -1
	}
	if p[0] == packedPlain {
		return len(p) - 1
	}
	n, err := s2.DecodedLen(p[1:])
	if err != nil {
		return -1
	}
	return n
}
