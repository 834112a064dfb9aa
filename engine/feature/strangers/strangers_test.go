package strangers_test

import (
	"testing"

	"meerkat/engine/enginetest"
)

func TestTranscripts(t *testing.T) { enginetest.Play(t, "testdata/*.xmpp") }
