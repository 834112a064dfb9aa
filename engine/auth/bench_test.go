package auth

import "testing"

// BenchmarkScramServer is the server's whole CPU for a login with stored keys,
// the look into the store and all but the network and XML.
func BenchmarkScramServer(b *testing.B) {
	v := newServer(b)
	for h := range Hash(hashes) {
		b.Run(h.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.StopTimer()
			c := &client{hash: h, flag: "n", name: "romeo", password: password}
			salted := map[string][]byte{}
			for range b.N {
				b.StartTimer()
				x, _ := v.Start("SCRAM-"+h.String(), tls13, host)
				challenge, _, _ := x.Step(c.start())
				b.StopTimer()
				final := c.finishWith(salted, challenge)
				b.StartTimer()
				if _, done, err := x.Step(final); !done {
					b.Fatal(err)
				}
				b.StopTimer()
			}
		})
	}
}

func BenchmarkPlainServer(b *testing.B) {
	v := newServer(b)
	message := []byte("\x00romeo\x00pencil")
	b.ReportAllocs()
	for b.Loop() {
		x, _ := v.Start("PLAIN", tls13, host)
		if _, done, err := x.Step(message); !done {
			b.Fatal(err)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	for b.Loop() {
		if _, err := Derive(password, DefaultIterations); err != nil {
			b.Fatal(err)
		}
	}
}
