package load

import (
	"testing"
	"unsafe"
)

// What an idle client keeps, all told: its struct, its JID, and with TLS its
// session. The ciphers of hot sessions are a loop's, not a client's.
func TestIdleClientIsSmall(t *testing.T) {
	const jid = 48
	plain := unsafe.Sizeof(conn{}) + jid
	if plain > 256 {
		t.Errorf("an idle client in clear keeps %d bytes", plain)
	}
	if tls := plain + unsafe.Sizeof(session{}); tls > 512 {
		t.Errorf("an idle client with TLS keeps %d bytes", tls)
	}
	t.Logf("conn %d, session %d bytes", unsafe.Sizeof(conn{}), unsafe.Sizeof(session{}))
}

// A client that has been online and at work, and rests, owns no buffer.
func TestRestingClientOwnsNoBuffer(t *testing.T) {
	s := &server{t: t, layout: layout}
	c := crowd(t, s, target(s.start()))
	do(t, c, Job{Message: &MessageJob{Users: 40, Window: 4, Body: 4000}})
	wait(t, c, "500 messages", func(st Stats) bool { return st.Received > 500 })
	drain(t, c)
	for _, l := range c.loops {
		l.call(func() {
			for i := range l.conns {
				if c := &l.conns[i]; c.in != nil || c.out != nil || c.login != nil {
					t.Errorf("client %d holds %d bytes in, %d out, login %v", i, cap(c.in), cap(c.out), c.login)
				}
			}
		})
	}
}
