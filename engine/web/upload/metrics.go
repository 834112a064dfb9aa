package upload

import (
	"net/http"

	"meerkat/engine/metric"
)

const offLoop = metric.OffLoop

var (
	refused = metric.NewCounterVec("meerkat_http_uploads_refused_total",
		"Uploads over HTTP that ended with an error.", "reason", "other", "forged", "gone", "used", "size", "type", "broken", "disk")
	fetched = metric.NewCounter("meerkat_http_files_fetched_total",
		"Requests for uploaded files that were answered with one, or a part of it.")
)

// reason is which of refused a status is.
func reason(status int) int {
	switch status {
	case http.StatusForbidden:
		return 1
	case http.StatusGone:
		return 2
	case http.StatusConflict:
		return 3
	case http.StatusRequestEntityTooLarge, http.StatusLengthRequired:
		return 4
	case http.StatusUnsupportedMediaType:
		return 5
	case http.StatusBadRequest:
		return 6
	case http.StatusInsufficientStorage:
		return 7
	}
	return 0
}
