package stream

import (
	"strings"
	"testing"
	"unsafe"

	"meerkat/xml"
)

func TestVersionIsComparedAsNumbers(t *testing.T) {
	for version, want := range map[string]bool{
		"1.0": true, "1.1": true, "01.0": true, "10.0": true, "2.00": true,
		"0.9": false, "0.10": false, "00.1": false,
		"": false, "1": false, "1.": false, ".0": false, "1.0.0": false, "-1.0": false, "1,0": false, "x.y": false, " 1.0": false,
	} {
		if got := modern([]byte(version)); got != want {
			t.Errorf("version=%q: got %v, want %v", version, got, want)
		}
	}
}

func TestStreamIDsAreRandom(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := string(appendID(nil))
		if len(id) != 2*idBytes || seen[id] {
			t.Fatalf("id %q: want %d hex digits that never came before", id, 2*idBytes)
		}
		seen[id] = true
	}
}

// An error of the parser without a condition would end a stream with an empty
// element.
func TestEveryParserErrorHasACondition(t *testing.T) {
	known := "," + strings.Join(conditions, ",") + ","
	for err := xml.NotWellFormed; err <= xml.NoRoom; err++ {
		if int(err) >= len(faults) || !strings.Contains(known, ","+faults[err].condition+",") || faults[err].condition == "" {
			t.Errorf("%v has no condition of RFC 6120 §4.9.3", err)
		}
	}
}

func TestIdleStreamIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Stream{}); n > 250 {
		t.Errorf("a bound stream takes %d bytes, want at most 250", n)
	}
}
