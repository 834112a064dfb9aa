package bench

import (
	"os"
	"testing"
)

// TestMain lets the test binary be the children that the bench starts of
// itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}
