package stream_test

import (
	"testing"

	"meerkat/engine/enginetest"
)

// Every conversation in testdata is played against a real engine.
func TestTranscripts(t *testing.T) { enginetest.Play(t, "testdata/*.xmpp") }
