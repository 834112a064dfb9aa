package avatar

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"image"
	_ "image/gif" // for their sizes, as the two below
	_ "image/jpeg"
	_ "image/png"

	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// pictures has what presence says of an account's picture: a byte that is 1 if
// everybody may see the picture, 0 if contacts may, and the name of the picture,
// which is the SHA-1 of its bytes in hexadecimal digits.
var pictures = store.NewDoc("avatar")

// picture is that in memory.
type picture struct {
	open bool
	tail []byte // the element that goes into presence, with the name
}

// newPicture returns the picture called id.
func newPicture(id string, open bool) *picture { return &picture{open, element(id)} }

// nameAt is where the name begins in an element.
const nameAt = len("<x xmlns='" + updateSpace + "'><photo>")

// id returns the name.
func (p *picture) id() []byte { return p.tail[nameAt : nameAt+2*sha1.Size] }

// load returns the picture of an account, nil if it has none.
func load(tx *store.Tx, owner string) *picture {
	v := pictures.Get(tx, owner)
	if len(v) != 1+2*sha1.Size {
		return nil
	}
	return newPicture(string(v[1:]), v[0] == 1)
}

// element is what presence says; "" is that there is no picture (XEP-0153 §4.1).
func element(id string) []byte {
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("x", updateSpace).Start("photo", "")
	if id != "" {
		b.Text(id)
	}
	out := b.End().End().Bytes()
	return out[:len(out):len(out)]
}

// save stores p, nil for no picture, and reports whether that is a change.
func save(tx *store.Tx, owner string, p *picture) (changed bool, err error) {
	old := load(tx, owner)
	switch {
	case p == nil && old == nil, p != nil && old != nil && bytes.Equal(p.tail, old.tail) && p.open == old.open:
		return false, nil
	case p == nil:
		return true, pictures.Delete(tx, owner)
	}
	v := []byte{0}
	if p.open {
		v[0] = 1
	}
	return true, pictures.Put(tx, owner, append(v, p.id()...))
}

// decode returns the bytes that Base64 with any white space means, false if it is
// not that or nothing.
func decode(text []byte) ([]byte, bool) {
	compact := bytes.Join(bytes.Fields(text), nil)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(compact)))
	n, err := base64.StdEncoding.Decode(out, compact)
	return out[:n], err == nil && n > 0
}

// name returns what a picture is called.
func name(data []byte) string {
	sum := sha1.Sum(data)
	return hex.EncodeToString(sum[:])
}

// look returns the format of a picture and its size in pixels, as far as it says
// so.
func look(data []byte) (format string, width, height int) {
	c, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "", 0, 0
	}
	return "image/" + format, c.Width, c.Height
}
