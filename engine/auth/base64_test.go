package auth

import (
	"bytes"
	"encoding/base64"
	"testing"
)

func TestDecodeBase64(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got, err := DecodeBase64(nil, []byte(in)); err != nil || string(got) != want || got == nil {
			t.Errorf("DecodeBase64(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	f("=", "")
	f("AA==", "\x00")
	f("AAA=", "\x00\x00")
	f("biwsbj11c2Vy", "n,,n=user")
	f("+/+/", "\xfb\xff\xbf")
	if got, err := DecodeBase64([]byte("x"), []byte("YQ==")); string(got) != "xa" || err != nil {
		t.Errorf("appended %q, %v; want xa", got, err)
	}
	if got, err := DecodeBase64([]byte("x"), nil); got != nil || err != nil {
		t.Errorf("nothing was said: %q, %v; want nil", got, err)
	}
}

func TestDecodeBase64RefusesWhatIsNotCanonical(t *testing.T) {
	for _, in := range []string{
		"A", "AA", "AAA", "AA=", "AAA==", "AAAA=", "AA===", "==", "===", "====", "=AAA", "A=A=", "AA=A",
		"AB==", "AAB=", // bits behind the end
		" AAAA", "AAAA ", "AA AA", "AAAA\n", "AA\r\nAA", "\nAAAA", "AAAA\t", "\n", " ", // white space
		"AA-_", "AAA*", "AA\x00A", "AAA\xff", "\u00e4", "AA==AA==", "biws,",
	} {
		got, err := DecodeBase64(nil, []byte(in))
		wantCondition(t, in, err, IncorrectEncoding)
		if got != nil {
			t.Errorf("%q: %q in spite of an error", in, got)
		}
	}
}

func FuzzDecodeBase64(f *testing.F) {
	for _, s := range []string{"", "=", "AA==", "AB==", "AAAA\n", "biws", "===="} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := DecodeBase64(nil, in)
		if err != nil {
			wantCondition(t, string(in), err, IncorrectEncoding)
			return
		}
		canonical := base64.StdEncoding.AppendEncode(nil, out)
		if len(out) == 0 {
			canonical = []byte("=")[:min(len(in), 1)]
		}
		if !bytes.Equal(in, canonical) {
			t.Fatalf("%q passes as %q, whose only form is %q", in, out, canonical)
		}
	})
}
