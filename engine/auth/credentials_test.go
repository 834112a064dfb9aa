package auth

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestDeriveMakesKeysOfEveryHash(t *testing.T) {
	c, err := Derive("pencil", 5000)
	if err != nil {
		t.Fatal(err)
	}
	salts := map[string]bool{}
	for h := range Hash(hashes) {
		k := c.Keys[h]
		if k.Iterations != 5000 || len(k.Salt) != saltSize || len(k.Stored) != h.Size() || len(k.Server) != h.Size() {
			t.Errorf("%v: %d iterations, %d, %d, %d octets", h, k.Iterations, len(k.Salt), len(k.Stored), len(k.Server))
		}
		salted := saltedPassword(h, "pencil", k.Salt, k.Iterations)
		if !bytes.Equal(k.Stored, h.sum(h.mac(salted, []byte("Client Key")))) || !bytes.Equal(k.Server, h.mac(salted, []byte("Server Key"))) {
			t.Errorf("%v: not the keys of RFC 5802 §3", h)
		}
		salts[string(k.Salt)] = true
	}
	if len(salts) != int(hashes) {
		t.Error("salts are shared")
	}
}

func TestDeriveRefuses(t *testing.T) {
	for _, p := range []string{"", "\x00", "a\x00b", "a\nb", "\x7f", "\xff", "\u0007", strings.Repeat("a", MaxPassword+1)} {
		if _, err := Derive(p, MinIterations); !errors.Is(err, ErrPassword) {
			t.Errorf("Derive(%.20q): %v, want ErrPassword", p, err)
		}
	}
	for _, n := range []int{-1, 0, MinIterations - 1, MaxIterations + 1} {
		if _, err := Derive("pencil", n); err == nil || errors.Is(err, ErrPassword) {
			t.Errorf("Derive with %d iterations: %v", n, err)
		}
	}
}

func TestVerify(t *testing.T) {
	f := func(set, typed string, want bool) {
		t.Helper()
		c, err := Derive(set, MinIterations)
		if err != nil {
			t.Fatal(err)
		}
		before := derivations.Value()
		if got := c.Verify(typed); got != want {
			t.Errorf("set %q, typed %q: %v, want %v", set, typed, got, want)
		}
		if n := derivations.Value() - before; n != 1 {
			t.Errorf("typed %q: %d derivations, want 1", typed, n)
		}
	}
	f("pencil", "pencil", true)
	f("pencil", "Pencil", false)
	f("pencil", "", false)
	f("pencil", "pencil\x00", false)
	f("pencil", "\xff", false)
	f("pencil", strings.Repeat("a", 4000), false)
	f(" two words ", " two words ", true)
	f("two words", "two\u00a0words", true)     // OpaqueString maps spaces
	f("cr\u00e8me", "cre\u0300me", true)       // and composes
	f("p\u00e4ss\u2163", "p\u00e4ssIV", false) // but folds nothing
	f("\U0001f511", "\U0001f511", true)
}

func TestVerifyWithoutKeys(t *testing.T) {
	var c Credentials
	if c.Verify("pencil") || c.Verify("") {
		t.Error("empty credentials let somebody in")
	}
}

func TestRecordRoundTrip(t *testing.T) {
	full, err := Derive("pencil", MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	partial := Credentials{Disabled: true}
	partial.Keys[SHA256] = full.Keys[SHA256]
	for _, c := range []Credentials{full, partial, {}} {
		record := c.AppendTo([]byte("x"))[1:]
		got, err := DecodeCredentials(record)
		if err != nil {
			t.Fatal(err)
		}
		clear := bytes.Clone(record)
		for i := range record {
			record[i] = 0xff // got must not borrow
		}
		if again := got.AppendTo(nil); !bytes.Equal(again, clear) || got.Disabled != c.Disabled {
			t.Errorf("%x, want %x", again, clear)
		}
	}
	if n := len(full.AppendTo(nil)); n > 300 {
		t.Errorf("a record takes %d octets, want 300 at most", n)
	}
}

func TestDamagedRecords(t *testing.T) {
	c, err := Derive("pencil", MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	record := c.AppendTo(nil)
	f := func(what string, b []byte) {
		t.Helper()
		if got, err := DecodeCredentials(b); err != ErrRecord || !got.empty() {
			t.Errorf("%s: %v, want ErrRecord", what, err)
		}
	}
	for n := range record {
		f("cut", record[:n])
	}
	f("long", append(bytes.Clone(record), 0))
	f("version", append([]byte{2}, record[1:]...))
	f("flags", append([]byte{1, 2}, record[2:]...))
	f("few iterations", append([]byte{1, 0, 1}, record[4:]...))
	f("endless varint", append([]byte{1, 0}, bytes.Repeat([]byte{0xff}, 20)...))
	f("huge iterations", append([]byte{1, 0, 0xff, 0xff, 0xff, 0x7f}, record[4:]...))
	f("no salt", append([]byte{1, 0, record[2], record[3], 0}, make([]byte, 300)...))
}

func FuzzDecodeCredentials(f *testing.F) {
	c, _ := Derive("pencil", MinIterations)
	f.Add(c.AppendTo(nil))
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, record []byte) {
		c, err := DecodeCredentials(record)
		if err != nil {
			return
		}
		again, err := DecodeCredentials(c.AppendTo(nil))
		if err != nil || !bytes.Equal(again.AppendTo(nil), c.AppendTo(nil)) {
			t.Fatalf("%x decodes to what does not encode", record)
		}
	})
}
