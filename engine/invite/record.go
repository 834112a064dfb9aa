package invite

import (
	"encoding/binary"
	"time"
)

// A stored Invite is
//
//	version  1 byte, 1
//	flags    1 byte: register, subscribe
//	expires  8 bytes, Unix seconds
//	4 times, for Host, By, User, For: the length as uvarint, and the bytes
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
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
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
	b := v[10:]
	for _, s := range []*string{&in.Host, &in.By, &in.User, &in.For} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return Invite{}, false
		}
		*s, b = string(b[size:size+int(n)]), b[size+int(n):]
	}
	return in, len(b) == 0
}
