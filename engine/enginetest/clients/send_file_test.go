//go:build interop

package clients

import (
	"strings"
	"testing"
)

// TestSendFile has one client upload a file and send its address to another,
// which fetches it (XEP-0363), before and after the server is killed with
// kill -9.
func TestSendFile(t *testing.T) {
	s := newUploads(t, "upload.max_size = \"1MB\"\nupload.per_day = \"3MB\"")
	s.add("romeo", "juliet")
	for _, pair := range [][2]kind{{slixmpp, xmppjs}, {xmppjs, slixmpp}} {
		t.Run(pair[0].name+"/"+pair[1].name, func(t *testing.T) {
			romeo, juliet := pair[0].available(t, s, "romeo"), pair[1].available(t, s, "juliet")
			const size = 765_432
			url := romeo.ask(command{Do: "upload", Name: "très cool.png", N: size}, "uploaded").URL
			if !strings.HasSuffix(url, "/tr%C3%A8s%20cool.png") {
				t.Errorf("the address is %s", url)
			}
			romeo.do(command{Do: "send", To: juliet.jid, Body: url, N: 1})
			e := juliet.take("the address", func(e *event) bool { return e.Event == "message" })
			sent := strings.TrimSuffix(e.Body, " 0")
			juliet.fetches(t, sent, size)

			s.kill()
			s.start()
			juliet = pair[1].login(t, s, "juliet")
			juliet.fetches(t, sent, size)

			romeo = pair[0].login(t, s, "romeo")
			romeo.do(command{Do: "upload", Name: "too large.png", N: 1_000_001})
			e = romeo.take("a refusal", func(e *event) bool { return e.Event == "error" })
			if e.Condition != "not-acceptable" && !strings.HasPrefix(e.Condition, "FileTooBig") {
				t.Errorf("too large: got %+v", e)
			}
		})
	}
}

func (c *client) fetches(t *testing.T, url string, size int) {
	t.Helper()
	if e := c.ask(command{Do: "fetch", URL: url}, "fetched"); !e.Same || e.N != size || e.Type != "image/png" {
		t.Errorf("got %+v of %s", e, url)
	}
}
