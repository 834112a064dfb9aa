package depot

import "meerkat/engine/metric"

const offLoop = metric.OffLoop

// Reasons of refused, and of removed.
const (
	byTooLarge = iota
	byQuota
	byDisk
)

const (
	byAge = iota
	byDisuse
	byOperator
	byAccount
	byOrphan
)

var (
	refused = metric.NewCounterVec("meerkat_upload_refused_total",
		"Uploads refused before they began.", "reason", "too_large", "quota", "disk")
	removed = metric.NewCounterVec("meerkat_upload_removed_total",
		"Files removed, and places that nobody used.", "reason", "age", "unused", "operator", "account", "orphan")
	stored = metric.NewCounter("meerkat_upload_stored_total",
		"Files that were uploaded and are on disk.")
	storedBytes = metric.NewCounter("meerkat_upload_stored_bytes_total",
		"Bytes of those files.")
	lost = metric.NewCounter("meerkat_upload_lost_total",
		"Files asked for that should be on disk and are not.")
	uploading = metric.NewGauge("meerkat_uploads_now",
		"Files on their way in.")
)

// show makes what the last sweep has counted metrics.
func (d *Depot) show() {
	metric.NewGaugeFunc("meerkat_upload_files", "Files on disk, as of the last minute or so.",
		func() float64 { return float64(d.totals.files.Load()) })
	metric.NewGaugeFunc("meerkat_upload_bytes", "Bytes of those files.",
		func() float64 { return float64(d.totals.bytes.Load()) })
}
