package auth

import (
	"testing"
	"unicode/utf8"
)

// Whatever a client says, in whatever order: every error is a Failure that is fit
// to be sent, nobody is let in without a proof, and nothing goes on after the end.
func FuzzStep(f *testing.F) {
	v := newServer(f)
	names := mechanismNames()
	f.Add(6, []byte("\x00romeo\x00wrong"), []byte(""))
	f.Add(5, []byte("n,,n=romeo,r=abc"), []byte("c=biws,r=abc,p=AAAA"))
	f.Add(2, []byte("p=tls-exporter,a=romeo@example.org,n=ro=2Cmeo,r=abc,x=y"), []byte("c=biws,r=abc,x=y,p=AAAA"))
	f.Add(4, []byte("y,,m=x,n=romeo,r=abc"), []byte("m=x,c=biws,r=abc,p=AAAA"))
	for _, vec := range vectors {
		f.Add(3, []byte(vec.header+vec.first), []byte(vec.final))
	}
	f.Fuzz(func(t *testing.T, which int, first, then []byte) {
		mech := names[uint(which)%uint(len(names))]
		if mech == "PLAIN" && which%3 != 0 {
			return // most of the time would go into derivations
		}
		x, err := v.Start(mech, tls13, host)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range [][]byte{first, then, then} {
			out, done, err := x.Step(in)
			if done || !x.User().IsZero() {
				t.Fatalf("%s: %q %q lets in %q", mech, first, then, x.User())
			}
			if !utf8.Valid(out) {
				t.Fatalf("%s: %q answered by %q", mech, in, out)
			}
			if fail, ok := err.(Failure); err != nil && (!ok || fail.Text == "" || fail.Condition.String() == "" || fail.Cause != nil) {
				t.Fatalf("%s: %q: %#v", mech, in, err)
			}
		}
		if _, _, err := x.Step(then); err == nil {
			t.Fatalf("%s: a fourth step of %q goes on", mech, then)
		}
	})
}
