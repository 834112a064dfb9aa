package invite

import (
	"encoding/binary"
	"time"

	"meerkat/store"
)

// A stored Invite is
//
//	version  1 byte, 1
//	flags    1 byte: register, subscribe
//	expires  8 bytes, Unix seconds
//	4 times, for Host, By, User, For: a field (store.AppendField)
const (
	version       = 1
	flagRegister  = 1
	flagSubscribe = 2
)

func (in *Invite) encode() []byte {
	var flags byte
	if in.Register {
		flags |= flagRegister
	}
	if in.Subscribe {
		flags |= flagSubscribe
	}
	b := binary.BigEndian.AppendUint64([]byte{version, flags}, uint64(in.Expires.Unix()))
	for _, s := range []string{in.Host, in.By, in.User, in.For} {
		b = store.AppendField(b, s)
	}
	return b
}

// decode reads what encode wrote; false is for anything else.
func decode(v []byte) (in Invite, ok bool) {
	if len(v) < 10 || v[0] != version || v[1] > flagRegister|flagSubscribe {
		return in, false
	}
	in.Register, in.Subscribe = v[1]&flagRegister != 0, v[1]&flagSubscribe != 0
	in.Expires = time.Unix(int64(binary.BigEndian.Uint64(v[2:])), 0).UTC()
	f := store.Fields{Rest: v[10:]}
	in.Host, in.By, in.User, in.For = f.Text(), f.Text(), f.Text(), f.Text()
	if f.Bad || len(f.Rest) > 0 {
		return Invite{}, false
	}
	return in, true
}
