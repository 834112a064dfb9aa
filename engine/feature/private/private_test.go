package private_test

import (
	"testing"

	"meerkat/engine/enginetest"
	"meerkat/engine/feature/private"
	"meerkat/store"
)

func TestTranscripts(t *testing.T) { enginetest.Play(t, "testdata/*.xmpp") }

// What was stored before it was kept elsewhere is moved when its owner logs in.
func TestMoved(t *testing.T) {
	enginetest.PlayOver(t, "testdata/before/*.xmpp", func(st *store.Store) error {
		return st.UpdateWait(func(tx *store.Tx) error {
			for _, owner := range []string{"romeo@test", "juliet@test"} {
				err := private.Leave(tx, owner, "storage:bookmarks storage", "<storage xmlns='storage:bookmarks'>"+
					"<conference jid='play@conference.test' name='The Play'/><conference jid='orchard@conference.test'/>"+
					"<url name='Web' url='http://test/'/></storage>")
				if err != nil {
					return err
				}
			}
			return private.Leave(tx, "romeo@test", "exodus:prefs exodus", "<exodus xmlns='exodus:prefs'/>")
		})
	})
}
