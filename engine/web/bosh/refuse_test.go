package bosh

import (
	"strings"
	"testing"

	"meerkat/engine/config"
	"meerkat/xml"
)

// TestRIDGames is what is refused of request ids (XEP-0124 §14.2).
func TestRIDGames(t *testing.T) {
	for name, tt := range map[string]struct {
		rid    string
		status int
		cond   string
	}{
		"beyond the window":  {"14", 404, "item-not-found"},
		"far beyond":         {"9007199254740991", 404, "item-not-found"},
		"never used":         {"1", 404, "item-not-found"},
		"beyond 2^53":        {"9007199254740992", 400, "bad-request"},
		"negative":           {"-1", 400, "bad-request"},
		"signed":             {"+11", 400, "bad-request"},
		"zero":               {"0", 400, "bad-request"},
		"no number":          {"abc", 400, "bad-request"},
		"empty":              {"", 400, "bad-request"},
		"more than 64 bits":  {"99999999999999999999999", 400, "bad-request"},
		"hexadecimal number": {"0x0B", 400, "bad-request"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, nil)
			sid, body := h.session(usual)
			held := h.send(body(11, "", ""))
			h.send(open+" sid='"+sid+"' rid='"+tt.rid+"'/>").want(tt.status, end(tt.cond))
			held.want(tt.status, end(tt.cond))
			h.send(body(12, "", "")).want(404, end("item-not-found"))
			if a := h.actors[0]; !a.ended {
				t.Error("the session lives on")
			}
		})
	}
}

// TestMalformedBodies is what ends with bad-request, never with 500.
func TestMalformedBodies(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":          "",
		"no XML":           "hello",
		"unfinished":       "<body xmlns='" + nsBind + "' rid='10'",
		"two roots":        says("") + says(""),
		"text behind":      open + " rid='10'/>x",
		"other element":    "<bodies xmlns='" + nsBind + "' rid='10'/>",
		"other namespace":  "<body rid='10'/>",
		"text inside":      open + " rid='10'>hello</body>",
		"DOCTYPE":          "<!DOCTYPE body>" + open + " rid='10'/>",
		"comment":          open + " rid='10'><!-- x --></body>",
		"unknown type":     open + " rid='10' type='error'/>",
		"no rid":           open + " to='test'/>",
		"hold no number":   open + " rid='10' hold='x'/>",
		"wait negative":    open + " rid='10' wait='-1'/>",
		"pause no number":  open + " rid='10' pause='soon'/>",
		"undeclared":       open + " rid='10'><a:b/></body>",
		"not UTF-8":        open + " rid='10' to='\xff'/>",
		"entity":           open + " rid='10'>&nbsp;</body>",
		"too deep":         open + " rid='10'>" + strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20) + "</body>",
		"too many attrs":   open + " rid='10'><a a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9='' a10='' a11='' a12='' a13='' a14='' a15='' a16='' a17='' a18='' a19='' a20='' a21=''/></body>",
		"rid in namespace": "<body xmlns='" + nsBind + "' xmlns:x='y' x:rid='10'/>",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, nil)
			h.send(body).want(400, end("bad-request"))
			if len(h.actors) > 0 {
				t.Error("there is a stream")
			}
		})
	}
}

func TestUnknownSession(t *testing.T) {
	h := newHost(t, nil)
	h.session(usual)
	h.send(open+" sid='0123456789abcdef0123456789abcdef' rid='11'/>").want(404, end("item-not-found"))
	if h.actors[0].ended {
		t.Error("another session ends")
	}
}

func TestSessionsHaveUnlikeIDs(t *testing.T) {
	h := newHost(t, nil)
	a, _ := h.session(usual)
	b, _ := h.session(usual)
	if a == b {
		t.Error("the same id twice")
	}
}

func TestBodySizes(t *testing.T) {
	h := newHost(t, nil)
	sid, body := h.session(usual)
	h.send(open+" rid='1' >"+strings.Repeat(" ", 3000)+"</body>").want(413, end("policy-violation"))
	h.send(open+" rid='1' sid='x'>"+strings.Repeat(" ", 1500)+"</body>").want(404, end("item-not-found"))
	h.send(body(11, "", "<a>"+strings.Repeat("x", 1300)+"</a>")).want(403, end("policy-violation")) // before login
	h.send(open+" rid='12' sid='"+sid+"'/>").want(404, end("item-not-found"))

	_, body = h.session(usual)
	h.send(body(11, "", "<home/>")).want(200, says("<moved/>"))
	long := "<a>" + strings.Repeat("x", 900) + "</a>"
	h.send(body(12, "", long+"<echo/>")).want(200, says("<echo xmlns='"+nsBind+"'/>"))
	h.send(body(13, "", "<a>"+strings.Repeat("x", 990)+"</a>")).want(403, end("policy-violation")) // an element
}

func TestLimitsOfSessions(t *testing.T) {
	h := newHost(t, func(c *config.HTTP) { c.BOSHSessions = 2 })
	h.session(usual)
	_, body := h.session(usual)
	h.send(open+" rid='10'/>").want(403, end("policy-violation"))
	h.send(body(11, "type='terminate'", "")).want(200, end(""))
	h.session(usual)

	h = newHost(t, nil) // 3 an address that have not logged in
	for range 3 {
		h.session(usual)
	}
	h.send(open+" rid='10'/>").want(403, end("policy-violation"))
	if n := h.srv.count.Load(); n != 3 {
		t.Errorf("%d sessions are counted, want 3", n)
	}
}

// FuzzBodies: whatever comes is answered, and never with 5xx.
func FuzzBodies(f *testing.F) {
	f.Add([]byte(open + " rid='10' to='test' hold='1' wait='60'/>"))
	f.Add([]byte(open + " rid='11' sid='x'><echo/></body>"))
	f.Add([]byte(open + " rid='10' wait='60' hold='1'><echo/><die/></body>"))
	lim := xml.Limits{Bytes: 1000, Depth: 10, Attrs: 20, Elems: 100}
	f.Fuzz(func(t *testing.T, b []byte) {
		q := parse(append(make([]byte, 0, len(b)+slack), b...), &lim)
		if q == nil {
			return
		}
		if q.rid == 0 || q.rid > maxRID || len(b) > lim.Bytes {
			t.Errorf("%q is taken", b)
		}
		for rest := q.frames; len(rest) > 0; { // unmasked, they are what a server writes
			if len(rest) < 6 || rest[1]&0x80 == 0 {
				t.Fatalf("%q makes frames %x", b, q.frames)
			}
			n := 6 + int(rest[1]&0x7F)
			if rest[1]&0x7F == 126 {
				n = 8 + int(rest[2])<<8 + int(rest[3])
			}
			rest = rest[n:]
		}
	})
}
