package enginetest

import (
	"log/slog"
	"strings"
	"testing"
)

// Where the store takes nothing any more people go on talking, and are told of no id
// in an archive that has not got the message. What was stored before has its id.
func TestMessagesThatCannotBeStored(t *testing.T) {
	m := newEngine(t)
	m.logs = slog.DiscardHandler // it complains, and should
	if err := m.configure("archive.default = 'always'"); err != nil {
		t.Fatal(err)
	}
	romeo, juliet := benchSession(t, m, "romeo", true), benchSession(t, m, "juliet", true)
	said := func(text string) string {
		t.Helper()
		romeo.Send([]byte("<message to='juliet@" + Domain + "/r' type='chat'><body>" + text + "</body></message><r xmlns='urn:xmpp:sm:3'/>"))
		var in []byte
		if !m.until(func() bool { in = append(in, juliet.Read()...); return strings.Contains(string(in), "</message>") }) {
			t.Fatalf("%s does not come: %s", text, in)
		}
		return string(in)
	}
	if in := said("stored"); !strings.Contains(in, "<stanza-id ") {
		t.Errorf("a message that is stored has no id: %s", in)
	}
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	if in := said("not stored"); strings.Contains(in, "<stanza-id ") || !strings.Contains(in, "<body>not stored</body>") {
		t.Errorf("a message that is not stored comes as %s", in)
	}
}
