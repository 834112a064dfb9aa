package report

import (
	"strings"
	"testing"

	"meerkat/xml"
)

// What goes to the log is bounded, whatever the client sends.
func TestWhatIsLoggedIsBounded(t *testing.T) {
	long := strings.Repeat("\u00fc", 10000)
	id := "<stanza-id xmlns='" + sidSpace + "' by='" + long + "' id='" + long + "'/>"
	var doc xml.Doc
	e, err := doc.Parse([]byte("<report xmlns='"+space+"' reason='x'><text>"+long+"</text>"+strings.Repeat(id, 30)+"</report>"), "")
	if err != nil {
		t.Fatal(err)
	}
	r, ok := read(e, "tybalt@test")
	if !ok || len(r.ids) != maxIDs || len(r.text) > maxText {
		t.Fatalf("%v: %d ids, a text of %d bytes", ok, len(r.ids), len(r.text))
	}
	for _, id := range r.ids {
		if len(id) > 2*maxID+1 {
			t.Errorf("an id of %d bytes", len(id))
		}
	}
}
