package invite

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"meerkat/store"
)

var now = time.Unix(1_800_000_000, 0).UTC()

func open(t *testing.T) (*store.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(store.Options{Dir: dir, MapSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func update(t *testing.T, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.UpdateWait(fn); err != nil {
		t.Fatal(err)
	}
}

// The store does not have what opens the door.
func TestTokensAreStoredHashed(t *testing.T) {
	s, dir := open(t)
	in := Invite{Host: "test", By: "romeo@test", User: "juliet@test", Register: true, Subscribe: true, Expires: now.Add(time.Hour)}
	var token string
	update(t, s, func(tx *store.Tx) (err error) { token, err = New(tx, in, 1, now); return err })
	update(t, s, func(tx *store.Tx) error {
		if got, ok := Find(tx, KeyOf(token), now); !ok || !reflect.DeepEqual(got, in) {
			t.Errorf("got %+v, %v, want %+v", got, ok, in)
		}
		if _, ok := Find(tx, KeyOf(token), in.Expires); ok {
			t.Error("it is good when its time is over")
		}
		if _, ok := Find(tx, KeyOf(token), time.Time{}); !ok {
			t.Error("it is not known any more to who has shown it before")
		}
		return nil
	})
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(token)) {
			t.Errorf("%s has the token", f)
		}
	}
}

// What has been used, has expired or is of an account that is gone leaves nothing
// behind, and does not count.
func TestNothingIsLeftBehind(t *testing.T) {
	s, _ := open(t)
	in := Invite{Host: "test", By: "romeo@test", User: "juliet@test", Register: true, Expires: now.Add(time.Hour)}
	update(t, s, func(tx *store.Tx) error {
		token, err := New(tx, in, 1, now)
		if err != nil {
			return err
		}
		if _, err := New(tx, Invite{Host: "test", By: "romeo@test", Expires: in.Expires}, 1, now); !errors.Is(err, store.ErrFull) {
			t.Errorf("a second one: %v", err)
		}
		if _, err := New(tx, Invite{Host: "test", User: "juliet@test", Expires: in.Expires}, 0, now); !errors.Is(err, ErrReserved) {
			t.Errorf("the same name: %v", err)
		}
		if !Reserved(tx, "juliet@test", "other", now) || Reserved(tx, "juliet@test", KeyOf(token), now) || Reserved(tx, "nurse@test", "", now) {
			t.Error("names are not reserved as they should be")
		}
		return Registered(tx, KeyOf(token), "juliet@test")
	})
	empty(t, s)
	later := now.Add(2 * time.Hour)
	update(t, s, func(tx *store.Tx) error { _, err := New(tx, in, 1, now); return err })
	update(t, s, func(tx *store.Tx) error {
		if Reserved(tx, "juliet@test", "", later) {
			t.Error("a name is reserved for ever")
		}
		in := in
		in.Expires = later.Add(time.Hour)
		_, err := New(tx, in, 1, later)
		return err
	})
	update(t, s, func(tx *store.Tx) error { return s.RemoveOwner(tx, "romeo@test") })
	update(t, s, func(tx *store.Tx) error { return Sweep(tx, later) })
	empty(t, s)
}

func empty(t *testing.T, s *store.Store) {
	t.Helper()
	update(t, s, func(tx *store.Tx) error {
		if a, b, c := docs.Len(tx, everybody), mine.Len(tx, "romeo@test"), names.Get(tx, "juliet@test"); a+b+len(c) > 0 {
			t.Errorf("left: %d invitations, %d of romeo, a name of %d bytes", a, b, len(c))
		}
		return nil
	})
}

func TestURI(t *testing.T) {
	for want, in := range map[string]Invite{
		"xmpp:juliet@test?register;preauth=T":     {Host: "test", By: "romeo@test", User: "juliet@test", Register: true, Subscribe: true},
		"xmpp:test?register;preauth=T":            {Host: "test", Register: true},
		"xmpp:romeo@test?roster;preauth=T;ibr=y":  {Host: "test", By: "romeo@test", Register: true, Subscribe: true},
		"xmpp:romeo@test?roster;preauth=T":        {Host: "test", By: "romeo@test", Subscribe: true},
		"xmpp:j%C3%BA%3F@test?register;preauth=T": {Host: "test", User: "jú?@test", Register: true},
	} {
		if got := in.URI("T"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	in := Invite{Host: "test", By: "romeo@test", User: "juliet@test", For: "x@test", Register: true, Subscribe: true, Expires: now}
	f.Add(in.encode())
	f.Add([]byte{1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0xff})
	f.Fuzz(func(t *testing.T, v []byte) {
		in, ok := decode(v)
		if !ok {
			return
		}
		if again, ok := decode(in.encode()); !ok || !reflect.DeepEqual(again, in) {
			t.Errorf("%q is %+v, then %+v", v, in, again)
		}
	})
}
