package roster

import (
	"fmt"
	"strings"
	"testing"

	"meerkat/engine/stanza"
)

// states are the nine of RFC 6121 Appendix A.1, by their names there.
var states = map[string]State{
	"None":                0,
	"None+Pending Out":    Ask,
	"None+Pending In":     In,
	"None+Pending Out+In": Ask | In,
	"To":                  To,
	"To+Pending In":       To | In,
	"From":                From,
	"From+Pending Out":    From | Ask,
	"Both":                To | From,
}

// tables is Appendix A.2 and A.3, a line a row: state | pass it on? | new state.
// "auto" passes nothing on but answers subscribed.
var tables = map[string]string{
	"out subscribe": `
		None                | yes | None+Pending Out
		None+Pending Out    | yes | None+Pending Out
		None+Pending In     | yes | None+Pending Out+In
		None+Pending Out+In | yes | None+Pending Out+In
		To                  | yes | To
		To+Pending In       | yes | To+Pending In
		From                | yes | From+Pending Out
		From+Pending Out    | yes | From+Pending Out
		Both                | yes | Both`,
	"out unsubscribe": `
		None                | yes | None
		None+Pending Out    | yes | None
		None+Pending In     | yes | None+Pending In
		None+Pending Out+In | yes | None+Pending In
		To                  | yes | None
		To+Pending In       | yes | None+Pending In
		From                | yes | From
		From+Pending Out    | yes | From
		Both                | yes | From`,
	"out subscribed": `
		None                | no  | None
		None+Pending Out    | no  | None+Pending Out
		None+Pending In     | yes | From
		None+Pending Out+In | yes | From+Pending Out
		To                  | no  | To
		To+Pending In       | yes | Both
		From                | no  | From
		From+Pending Out    | no  | From+Pending Out
		Both                | no  | Both`,
	"out unsubscribed": `
		None                | no  | None
		None+Pending Out    | no  | None+Pending Out
		None+Pending In     | yes | None
		None+Pending Out+In | yes | None+Pending Out
		To                  | no  | To
		To+Pending In       | yes | To
		From                | yes | None
		From+Pending Out    | yes | None+Pending Out
		Both                | yes | To`,
	"in subscribe": `
		None                | yes  | None+Pending In
		None+Pending Out    | yes  | None+Pending Out+In
		None+Pending In     | no   | None+Pending In
		None+Pending Out+In | no   | None+Pending Out+In
		To                  | yes  | To+Pending In
		To+Pending In       | no   | To+Pending In
		From                | auto | From
		From+Pending Out    | auto | From+Pending Out
		Both                | auto | Both`,
	"in unsubscribe": `
		None                | no  | None
		None+Pending Out    | no  | None+Pending Out
		None+Pending In     | yes | None
		None+Pending Out+In | yes | None+Pending Out
		To                  | no  | To
		To+Pending In       | yes | To
		From                | yes | None
		From+Pending Out    | yes | None+Pending Out
		Both                | yes | To`,
	"in subscribed": `
		None                | no  | None
		None+Pending Out    | yes | To
		None+Pending In     | no  | None+Pending In
		None+Pending Out+In | yes | To+Pending In
		To                  | no  | To
		To+Pending In       | no  | To+Pending In
		From                | no  | From
		From+Pending Out    | yes | Both
		Both                | no  | Both`,
	"in unsubscribed": `
		None                | no  | None
		None+Pending Out    | yes | None
		None+Pending In     | no  | None+Pending In
		None+Pending Out+In | yes | None+Pending In
		To                  | yes | None
		To+Pending In       | yes | None+Pending In
		From                | no  | From
		From+Pending Out    | yes | From
		Both                | yes | From`,
}

var events = map[string]stanza.Type{
	"subscribe": stanza.Subscribe, "subscribed": stanza.Subscribed,
	"unsubscribe": stanza.Unsubscribe, "unsubscribed": stanza.Unsubscribed,
}

func TestAppendixARowByRow(t *testing.T) {
	rows := 0
	for name, table := range tables {
		way, event, _ := strings.Cut(name, " ")
		for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
			rows++
			t.Run(fmt.Sprintf("%s/%s", name, strings.TrimSpace(line)), func(t *testing.T) {
				row(t, way, events[event], strings.Split(line, "|"))
			})
		}
	}
	if rows != 8*9 {
		t.Errorf("%d rows, Appendix A has 72", rows)
	}
}

func row(t *testing.T, way string, event stanza.Type, cells []string) {
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	before, ok1 := states[cells[0]]
	want, ok2 := states[cells[2]]
	if !ok1 || !ok2 {
		t.Fatalf("unknown state in %q", cells)
	}
	effect := map[string]Effect{"yes": Pass, "no": 0, "auto": Grant}[cells[1]]
	step := before.Outbound
	if way == "in" {
		step = before.Inbound
	}
	next, got := step(event)
	if next&appendixA != want || got != effect {
		t.Errorf("state %04b effect %b, want %04b and %b", next&appendixA, got, want, effect)
	}
}

// RFC 6121 §3.4.2: subscribed in advance is kept, grants the request when it
// comes, and unsubscribed takes it back.
func TestPreApproval(t *testing.T) {
	s, effect := State(0).Outbound(stanza.Subscribed)
	if s != Approved || effect != 0 {
		t.Fatalf("subscribed in advance: %b, effect %b; want %b, 0", s, effect, Approved)
	}
	if got, effect := s.Inbound(stanza.Subscribe); got != From || effect != Grant {
		t.Errorf("the request: %b, effect %b; want %b, %b", got, effect, From, Grant)
	}
	if got, effect := s.Outbound(stanza.Unsubscribed); got != 0 || effect != 0 {
		t.Errorf("taken back: %b, effect %b; want none", got, effect)
	}
}
