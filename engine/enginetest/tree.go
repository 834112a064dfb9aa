package enginetest

import (
	"encoding/xml"
	"errors"
	"io"
	"sort"
	"strings"
)

// node is an element, or text if it has no name.
type node struct {
	name  string // namespace and local name: {space}local
	text  string
	attrs map[string]string
	kids  []node
}

// Pseudo-elements: the two ends of a stream.
const (
	headerName = "{http://etherx.jabber.org/streams}stream"
	endName    = "/stream"
)

// streamOpen puts what follows in the context of a stream.
const streamOpen = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

// errMore says that an element is not complete yet.
var errMore = errors.New("not complete")

// next takes the first item of a stream from text: an element, the header
// without its children, or the end. It returns how much of text that was; text
// that is white space only gives errMore.
//
// It uses encoding/xml, slow and independent of the server's own parser.
func next(text string) (n node, size int, err error) {
	trimmed := strings.TrimLeft(text, " \t\r\n")
	skipped := len(text) - len(trimmed)
	switch {
	case trimmed == "":
		return n, 0, errMore
	case strings.HasPrefix(trimmed, "</stream:stream>"):
		return node{name: endName}, skipped + len("</stream:stream>"), nil
	case strings.HasPrefix(trimmed, "<?xml"), strings.HasPrefix(trimmed, "<stream:stream"):
		n, size, err = header(trimmed)
	default:
		n, size, err = element(trimmed)
	}
	return n, skipped + size, err
}

func header(text string) (node, int, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		t, err := d.Token()
		if err != nil {
			return node{}, 0, incomplete(err)
		}
		if start, ok := t.(xml.StartElement); ok {
			return open(start), int(d.InputOffset()), nil
		}
	}
}

func element(text string) (node, int, error) {
	d := xml.NewDecoder(strings.NewReader(streamOpen + text))
	if _, err := d.Token(); err != nil {
		return node{}, 0, err
	}
	t, err := d.Token()
	if err != nil {
		return node{}, 0, incomplete(err)
	}
	start, ok := t.(xml.StartElement)
	if !ok {
		return node{}, 0, errors.New("text between elements: " + text)
	}
	n := open(start)
	if err := children(d, &n); err != nil {
		return node{}, 0, incomplete(err)
	}
	return n, int(d.InputOffset()) - len(streamOpen), nil
}

// children reads up to n's end-tag.
func children(d *xml.Decoder, n *node) error {
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			kid := open(t)
			if err := children(d, &kid); err != nil {
				return err
			}
			n.kids = append(n.kids, kid)
		case xml.CharData:
			n.addText(string(t))
		case xml.EndElement:
			n.tidy()
			return nil
		}
	}
}

func open(t xml.StartElement) node {
	n := node{name: full(t.Name), attrs: map[string]string{}}
	for _, a := range t.Attr {
		if a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}) {
			n.attrs[full(a.Name)] = a.Value
		}
	}
	return n
}

func full(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return "{" + n.Space + "}" + n.Local
}

func (n *node) addText(s string) {
	if last := len(n.kids) - 1; last >= 0 && n.kids[last].name == "" {
		n.kids[last].text += s
		return
	}
	n.kids = append(n.kids, node{text: s})
}

// tidy drops white space between elements. Where there are none it is content.
func (n *node) tidy() {
	elements := false
	for _, k := range n.kids {
		elements = elements || k.name != ""
	}
	if !elements {
		return
	}
	kids := n.kids[:0]
	for _, k := range n.kids {
		if k.name != "" || strings.TrimSpace(k.text) != "" {
			kids = append(kids, k)
		}
	}
	n.kids = kids
}

func incomplete(err error) error {
	var s *xml.SyntaxError
	if errors.Is(err, io.EOF) || errors.As(err, &s) && strings.Contains(s.Msg, "unexpected EOF") {
		return errMore
	}
	return err
}

// String writes n so that two that are alike look alike.
func (n node) String() string {
	var b strings.Builder
	n.write(&b, "\t")
	return b.String()
}

func (n node) write(b *strings.Builder, indent string) {
	b.WriteString(indent)
	if n.name == "" {
		b.WriteString(n.text + "\n")
		return
	}
	b.WriteString("<" + n.name)
	names := make([]string, 0, len(n.attrs))
	for a := range n.attrs {
		names = append(names, a)
	}
	sort.Strings(names)
	for _, a := range names {
		b.WriteString(" " + a + "='" + n.attrs[a] + "'")
	}
	b.WriteString(">\n")
	for _, k := range n.kids {
		k.write(b, indent+"\t")
	}
}
