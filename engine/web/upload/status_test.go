package upload

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"

	"meerkat/engine/depot"
)

// A client that goes away, also because the server ends, is not the operator's
// trouble; the disk is.
func TestStatusOf(t *testing.T) {
	for err, want := range map[error]int{
		depot.ErrForged: http.StatusForbidden, depot.ErrGone: http.StatusGone, depot.ErrUsed: http.StatusConflict,
		depot.ErrBusy: http.StatusConflict, depot.ErrTooLarge: http.StatusRequestEntityTooLarge, depot.ErrFull: http.StatusInsufficientStorage,
		io.ErrUnexpectedEOF: http.StatusBadRequest, net.ErrClosed: http.StatusBadRequest, os.ErrDeadlineExceeded: http.StatusBadRequest,
		os.ErrClosed: http.StatusInternalServerError, syscall.EIO: http.StatusInternalServerError,
	} {
		if got := statusOf(fmt.Errorf("put: %w", err)); got != want {
			t.Errorf("%v is %d, want %d", err, got, want)
		}
	}
}
