package tls

import (
	"bytes"
	"crypto/rand"
	ctls "crypto/tls"
	"math"
	"reflect"
	"testing"
)

// A session goes through AppendState and Restore at every turn and does not
// notice.
func TestRestoredSessionGoesOn(t *testing.T) {
	eachSuite(t, func(t *testing.T, k, client *conn) {
		var server Conn = k
		cc := NewCache(1)
		turn := func(wire []byte) (plain, reply []byte) {
			state := server.AppendState([]byte("x"))[1:]
			restored, err := Restore(state)
			if err != nil {
				t.Fatal(err)
			}
			if again := restored.AppendState(nil); !bytes.Equal(again, state) {
				t.Fatal("state is another after Restore")
			}
			server = restored
			clear(state)
			plain, _, reply, err = server.Open(NewCache(1), nil, wire)
			if err != nil {
				t.Fatal(err)
			}
			return plain, bytes.Clone(reply)
		}
		if plain, _ := turn(client.record(cc, typeData, 'a')); string(plain) != "a" {
			t.Errorf("got %q", plain)
		}
		if k.suite().tls13() {
			turn(client.record(cc, typeHandshake, msgKeyUpdate, 0, 0))
			_, reply := turn(client.record(cc, typeHandshake, 1, 1))
			client.out.update(client.suite())
			if _, _, _, err := client.Open(cc, nil, reply); err != nil {
				t.Error(err)
			}
		}
		if plain, _ := turn(client.record(cc, typeData, 'b')); string(plain) != "b" {
			t.Errorf("got %q", plain)
		}
		wire, _ := server.Seal(NewCache(1), nil, []byte("c"))
		if plain, _, _, err := client.Open(cc, nil, wire); string(plain) != "c" || err != nil {
			t.Errorf("client got %q, %v", plain, err)
		}
	})
}

func TestRestoredStateIsTheSame(t *testing.T) {
	cert := ecdsaCert()
	s := newServer(func(c *ctls.Config) {
		c.ClientAuth = ctls.RequireAnyClientCert
		c.NextProtos = []string{"xmpp-client"}
	})
	_, p := connect(t, s, clientConfig(func(c *ctls.Config) {
		c.Certificates = []ctls.Certificate{cert}
		c.NextProtos = []string{"xmpp-client"}
	}))
	want := p.conn.State()
	restored, err := Restore(p.conn.AppendState(nil))
	if err != nil {
		t.Fatal(err)
	}
	got := restored.State()
	if !bytes.Equal(got.PeerCertificates[0].Raw, want.PeerCertificates[0].Raw) {
		t.Error("peer's certificate differs")
	}
	got.PeerCertificates, want.PeerCertificates, want.Certificate = nil, nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDamagedStateIsRefused(t *testing.T) {
	k, _ := twins(1)
	good := k.AppendState(nil)
	for n := range good {
		if _, err := Restore(good[:n]); err == nil {
			t.Fatalf("the first %d bytes of %d were taken", n, len(good))
		}
	}
	if _, err := Restore(append(bytes.Clone(good), 0)); err == nil {
		t.Error("a byte too many was taken")
	}
	for _, at := range []int{0, 1, 6} { // version, suite, length of a handshake message
		bad := bytes.Clone(good)
		bad[at] = math.MaxUint8
		if _, err := Restore(bad); err == nil {
			t.Errorf("byte %d set to 255 was taken", at)
		}
	}
}

func FuzzRestore(f *testing.F) {
	for i := range suites {
		k, _ := twins(i)
		f.Add(k.AppendState(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := Restore(b)
		if err != nil {
			return
		}
		if !bytes.Equal(k.AppendState(nil), b) {
			t.Error("Restore took what AppendState does not write")
		}
		junk := make([]byte, 100)
		rand.Read(junk)
		k.Open(NewCache(1), nil, junk)
	})
}
