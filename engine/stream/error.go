package stream

import (
	"slices"
	"strconv"
	"strings"

	"meerkat/xml"
)

// conditions are those of RFC 6120 §4.9.3 that this package or the ones above
// it may send. The last stands for what is not among them.
var conditions = []string{
	"bad-format", "bad-namespace-prefix", "conflict", "connection-timeout",
	"host-gone", "host-unknown", "internal-server-error", "invalid-from",
	"invalid-namespace", "invalid-xml", "not-authorized", "not-well-formed",
	"policy-violation", "remote-connection-failed", "reset",
	"resource-constraint", "restricted-xml", "system-shutdown",
	"unsupported-encoding", "unsupported-feature", "unsupported-stanza-type",
	"unsupported-version", "undefined-condition",
}

// faults says what an error of the parser is on a stream.
var faults = [...]struct {
	condition, text string
	limit           func(*xml.Limits) int // whose number stands in text's place of #
	hit             int                   // which limit it is, from 1, in limits
}{
	xml.NotWellFormed: {condition: "not-well-formed"},
	xml.Restricted:    {condition: "restricted-xml"},
	xml.BadEncoding:   {condition: "unsupported-encoding"},
	xml.BadPrefix:     {condition: "bad-namespace-prefix"},
	xml.BadFormat:     {condition: "bad-format", text: "text between stanzas"},
	xml.Reopened:      {condition: "bad-format", text: "a stream header inside a stream"},

	xml.TooBig:       {"policy-violation", "a stanza here may have # bytes", func(l *xml.Limits) int { return l.Bytes }, 1},
	xml.TooDeep:      {"policy-violation", "elements here may be nested # deep", func(l *xml.Limits) int { return l.Depth }, 2},
	xml.TooManyAttrs: {"policy-violation", "an element here may have # attributes", func(l *xml.Limits) int { return l.Attrs }, 3},
	xml.TooManyElems: {"policy-violation", "a stanza here may have # elements", func(l *xml.Limits) int { return l.Elems }, 4},
	xml.NoRoom:       {"resource-constraint", "the server holds too many unfinished stanzas, try again", nil, 5},
}

var limits = []string{"bytes", "depth", "attributes", "elements", "unfinished"}

// broken ends the stream because of what the parser found.
func (s *Stream) broken(err xml.Error) {
	f := &faults[err]
	text, app := f.text, []byte(nil)
	if f.limit != nil {
		text = strings.Replace(text, "#", strconv.Itoa(f.limit(s.limits())), 1)
	}
	if f.hit > 0 {
		limitHits.Add(s.at.shard(), f.hit-1, 1)
	}
	if err == xml.TooBig {
		app = []byte("<stanza-too-big xmlns='" + nsTooBig + "'/>")
	}
	s.failWith(f.condition, text, app)
}

// fail ends the stream with an error (RFC 6120 §4.9) and unbinds its session.
// text may be "".
func (s *Stream) fail(condition, text string) { s.failWith(condition, text, nil) }

// shutdown ends the stream, but not a session that can be resumed when the
// server is back.
func (s *Stream) shutdown() {
	if s.phase != ended {
		s.sayError("system-shutdown", "", nil)
		s.close()
		s.part()
	}
}

// failWith is fail with an application-specific condition (RFC 6120 §4.9.4).
func (s *Stream) failWith(condition, text string, app []byte) {
	if s.phase == ended {
		return
	}
	s.sayError(condition, text, app)
	s.close()
	s.unbind()
}

// sayError writes the error, behind our header if that is not out yet
// (RFC 6120 §4.9.1.2).
func (s *Stream) sayError(condition, text string, app []byte) {
	i := slices.Index(conditions, condition)
	if i < 0 {
		i = len(conditions) - 1
		condition = conditions[i]
	}
	streamErrors.Add(s.at.shard(), i, 1)
	s.at.router.Env().Log.Debug("stream: error sent", "client", s.w.Remote(), "condition", condition, "text", text)
	if s.flags&answered == 0 {
		s.sayHeader("")
	}
	b := s.at.builder()
	b.Start("stream:error", "").Start(condition, nsErrors).End()
	if text != "" {
		b.Start("text", nsErrors).Attr("xml:lang", "en").Text(text).End()
	}
	s.say(b.Raw(app).End())
}
