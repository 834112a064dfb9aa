package admin

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"meerkat/engine/depot"
	"meerkat/store"
)

func TestUploadsThroughTheSocket(t *testing.T) {
	d := open(t, t.TempDir())
	keep := depot.New(depot.Options{Store: d.store})
	if err := keep.Prepare(); err != nil {
		t.Fatal(err)
	}
	for i, jid := range []string{"juliet@localhost", "romeo@localhost", "romeo@localhost"} {
		now := time.Unix(1e9, 0)
		q := depot.Request{Owner: jid, Name: "a", Size: int64(10 + i)}
		if err := d.store.UpdateWait(func(tx *store.Tx) error { return keep.Reserve(tx, depot.NewID(now), q, now) }); err != nil {
			t.Fatal(err)
		}
	}
	juliet, romeo := depot.Owner{JID: "juliet@localhost", Files: 1, Bytes: 10}, depot.Owner{JID: "romeo@localhost", Files: 2, Bytes: 23}
	if got, err := d.ListUploads("", "", 10); err != nil || !reflect.DeepEqual(got, []depot.Owner{juliet, romeo}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := d.ListUploads("", "juliet@localhost", 1); err != nil || !reflect.DeepEqual(got, []depot.Owner{romeo}) {
		t.Errorf("after juliet: got %v, %v", got, err)
	}
	if was, err := d.RemoveUploads("romeo@localhost/phone"); err != nil || was != romeo {
		t.Errorf("removed %v, %v", was, err)
	}
	if got, err := d.ListUploads("r", "", 10); err != nil || len(got) != 0 {
		t.Errorf("left is %v, %v", got, err)
	}
	if got := d.log.String(); !strings.Contains(got, "files=2 bytes=23 by=\"admin socket\"") {
		t.Errorf("log:\n%s", got)
	}
}
