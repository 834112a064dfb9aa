package upload_test

import (
	"testing"

	"meerkat/engine/enginetest"
)

// Every conversation in testdata is played against a real engine in memory.
func TestTranscripts(t *testing.T) { enginetest.Play(t, "testdata/*.xmpp") }
