package stream

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"meerkat/engine/auth"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
)

// BenchmarkMessage is what a stream adds to a message that goes nowhere: parsing
// and judging, without a socket.
func BenchmarkMessage(b *testing.B) {
	h := newHarness(b, 1, drop)
	s, _ := h.bind("romeo@test")
	one := []byte("<message to='juliet@test' type='chat' id='m1'><body>" + strings.Repeat("x", 100) + "</body></message>")
	in := append(one, make([]byte, 64)...)[:len(one)]
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if n := s.Bytes(s.w, in); n != len(in) {
			b.Fatalf("%d bytes were taken, want %d", n, len(in))
		}
	}
}

// one is a backend with one account.
type one struct{ auth.Account }

func (o one) Lookup(jid.JID) (auth.Account, error) { return o.Account, nil }

// BenchmarkLogin is a login by SCRAM-SHA-1 from accept to close, without a
// socket. The client's part, a few microseconds, is in it.
func BenchmarkLogin(b *testing.B) {
	creds, err := auth.Derive("secret", auth.DefaultIterations)
	if err != nil {
		b.Fatal(err)
	}
	h := newHarness(b, 2, drop)
	h.sh.Mechanisms, err = auth.New(auth.Options{
		Backend: one{auth.Account{JID: jid.MustParse("juliet@test"), Credentials: creds}}, Secret: make([]byte, 32)})
	if err != nil {
		b.Fatal(err)
	}
	keys := creds.Keys[auth.SHA1]
	salted, err := pbkdf2.Key(sha1.New, "secret", keys.Salt, keys.Iterations, sha1.Size)
	if err != nil {
		b.Fatal(err)
	}
	key := hmacOf(salted, "Client Key")
	b.ReportAllocs()
	for b.Loop() {
		s, p := h.dial()
		h.loginAs(p, "juliet", key, keys.Stored)
		if s.phase != bound {
			b.Fatalf("got %q in phase %d", p.ReadString(), s.phase)
		}
		p.WriteString("</stream:stream>")
		h.group.Turn()
		p.Close()
		h.group.Turn()
	}
}

func (h *harness) loginAs(p *loop.Peer, user string, key, stored []byte) {
	say := func(text string) string {
		p.WriteString(text)
		h.group.Turn()
		return p.ReadString()
	}
	say(testHeader)
	bare := "n=" + user + ",r=abcdefghijklmnop"
	got := say("<auth xmlns='" + nsSASL + "' mechanism='SCRAM-SHA-1'>" + base64.StdEncoding.EncodeToString([]byte("n,,"+bare)) + "</auth>")
	_, got, _ = strings.Cut(got, ">")
	got, _, _ = strings.Cut(got, "<")
	challenge, _ := base64.StdEncoding.DecodeString(got)
	nonce, _, _ := bytes.Cut(challenge[2:], []byte(","))
	final := "c=biws,r=" + string(nonce)
	proof := hmacOf(stored, bare+","+string(challenge)+","+final)
	for i := range proof {
		proof[i] ^= key[i]
	}
	final += ",p=" + base64.StdEncoding.EncodeToString(proof)
	say("<response xmlns='" + nsSASL + "'>" + base64.StdEncoding.EncodeToString([]byte(final)) + "</response>")
	say(testHeader)
	say(testBind)
}

func hmacOf(key []byte, text string) []byte {
	m := hmac.New(sha1.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// BenchmarkIdle reports the heap of a bound session that does nothing: stream,
// wire, session and account, without a socket.
func BenchmarkIdle(b *testing.B) {
	const n = 2000
	h := newHarness(b, 1, drop)
	h.sh.Config.Limits.SessionsPerUser = 0
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		peers := make([]*loop.Peer, n)
		for i := range peers {
			var s *Stream
			s, peers[i] = h.login("romeo" + string(rune('a'+i%26)) + strings.Repeat("x", 8) + string(rune(0x4e00+i)) + "@test")
			peers[i].WriteString(testBind)
			h.group.Turn()
			peers[i].Read()
			if s.phase != bound {
				b.Fatal("not bound")
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/session")
		b.ReportMetric(float64(unsafe.Sizeof(loop.Peer{})), "B/peer")
		for _, p := range peers {
			p.Close()
		}
		h.group.Turn()
	}
	b.ReportMetric(float64(unsafe.Sizeof(Stream{})), "B/stream")
}
