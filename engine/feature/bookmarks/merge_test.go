package bookmarks

import (
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/pubsub"
	"meerkat/store"
)

// What comes from elsewhere is added to what is there, which wins; what neither
// knows as a room is kept from both.
func TestSetMerges(t *testing.T) {
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	limits := func(*config.Config) pubsub.Limits { return pubsub.Limits{Items: 10} }
	_, f := New(pubsub.New(1, pubsub.Host{Personal: true, Default: pubsub.PersonalConfig, Limits: limits}))
	set := func(v string, merge bool) {
		t.Helper()
		err := st.UpdateWait(func(tx *store.Tx) error {
			_, err := f.Set(tx, "romeo@test", time.Unix(1, 0), nil, []byte(v), merge)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set("<storage xmlns='storage:bookmarks'><conference jid='a@x' name='A'/><url name='1'/></storage>", false)
	set("<s:storage xmlns:s='storage:bookmarks'><s:conference jid='a@x' name='other'/><s:conference jid='b@x'/><s:url name='2'/></s:storage>", true)
	const want = "<storage xmlns='storage:bookmarks'><conference jid='a@x' name='A'/><conference jid='b@x'/>" +
		"<s:url xmlns:s='storage:bookmarks' name='2'/><url name='1'/></storage>"
	_ = st.View(func(tx *store.Tx) error {
		if got := string(f.Get(tx, "romeo@test")); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		return nil
	})
}

// FuzzParse: whatever clients store is read without harm, and its rooms are written
// so that they are read as the same ones.
func FuzzParse(f *testing.F) {
	f.Add([]byte("<storage xmlns='storage:bookmarks'><conference jid='a@x' name='A' autojoin='1'><nick>n</nick></conference><url/></storage>"))
	f.Add([]byte("<s:storage xmlns:s='storage:bookmarks'><s:conference jid='A@x'><s:password>&lt;</s:password></s:conference></s:storage>"))
	f.Fuzz(func(t *testing.T, v []byte) {
		list, ok := parse(v)
		if !ok {
			return
		}
		besides(v)
		for _, r := range list {
			got, ok := fromItem(&pubsub.Item{ID: r.item, Payload: r.payload()})
			if !ok || !got.same(&r) {
				t.Errorf("%q has room %+v, which is read as %+v", v, r, got)
			}
		}
	})
}
