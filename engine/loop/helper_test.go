package loop

import (
	"io"
	"log/slog"
	"testing"
)

// quiet keeps the log of expected panics out of the test's output.
func quiet(t *testing.T) {
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	t.Cleanup(func() { slog.SetDefault(old) })
}
