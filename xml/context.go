package xml

import (
	"sync"
	"sync/atomic"
)

// context is what surrounds a top-level element: the namespaces that the stream
// header bound, and the header's name, which the end-tag has to repeat.
// It is immutable.
type context struct {
	name     string   // of the header as written; "" if there is no stream
	uris     [][]byte // [0] is that of xml, [1] the default or nil
	prefixes []string // prefixes[i] is bound to uris[i+2]
	content  bool     // the default is a content namespace
}

// maxContexts bounds how many different stream headers, as far as namespaces
// go, are told apart for as long as the process lives. Nearly all clients send
// one of a handful; without a bound they could fill the memory.
const maxContexts = 4096

// contexts holds every context in use, so that a State needs only a number.
// Reading takes no lock. Contexts are never removed.
var contexts struct {
	sync.Mutex
	list atomic.Pointer[[]*context]
	keys map[string]uint32
}

// frameless is context 0: no stream around the element, nothing declared.
var frameless = newContext("", nil)

func init() {
	contexts.list.Store(&[]*context{frameless})
	contexts.keys = map[string]uint32{}
}

func newContext(name string, def []byte) *context {
	return &context{name: name, uris: [][]byte{[]byte(nsXML), def}, content: isContent(def)}
}

// def returns the default namespace as an entry's ns.
func (c *context) def() uint32 {
	if len(c.uris[1]) == 0 {
		return 0
	}
	return nsDefault
}

// find returns the namespace that the header bound prefix to.
func (c *context) find(prefix []byte) (ns uint32, ok bool) {
	if string(prefix) == "xml" {
		return nsIsXML, true
	}
	for i, p := range c.prefixes {
		if p == string(prefix) {
			return nsContext | uint32(i+2), true
		}
	}
	return 0, false
}

func contextAt(i uint32) *context { return (*contexts.list.Load())[i] }

// internContext returns the number of the context that the stream header in t
// makes. It fails if there are too many.
func internContext(t *tree) (uint32, Error) {
	key := contextKey(t)
	contexts.Lock()
	defer contexts.Unlock()
	if i, ok := contexts.keys[string(key)]; ok {
		return i, 0
	}
	list := *contexts.list.Load()
	if len(list) >= maxContexts {
		return 0, TooBig
	}
	list = append(list[:len(list):len(list)], contextOf(t))
	contexts.list.Store(&list)
	contexts.keys[string(key)] = uint32(len(list) - 1)
	return uint32(len(list) - 1), 0
}

// contextKey writes what makes a context differ from others. Names and values
// can't hold the zero byte.
func contextKey(t *tree) []byte {
	for j := range t.tape {
		if t.tape[j].kind() == kindDecl {
			t.value(uint32(j)) // into side now, so that the key is in one piece
		}
	}
	lo := len(t.side)
	for j, x := range t.tape {
		if k := x.kind(); k != kindStart && k != kindDecl {
			continue
		}
		name, _ := t.name(x)
		t.side = append(append(t.side, name...), 0)
		if x.kind() == kindDecl {
			t.side = append(append(t.side, t.value(uint32(j))...), 0)
		}
	}
	return t.side[lo:]
}

// contextOf copies what the stream header in t declares.
func contextOf(t *tree) *context {
	name, _ := t.name(t.tape[0])
	c := newContext(string(name), nil)
	for j, x := range t.tape {
		if x.kind() != kindDecl {
			continue
		}
		uri := append([]byte{}, t.value(uint32(j))...)
		if x.isDefault() {
			c.uris[1], c.content = uri, isContent(uri)
			continue
		}
		if p := string(t.local(x)); p != "xml" {
			c.prefixes = append(c.prefixes, p)
			c.uris = append(c.uris, uri)
		}
	}
	return c
}
