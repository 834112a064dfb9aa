package roster

import "meerkat/engine/metric"

var pushes = metric.NewCounter("meerkat_roster_pushes_total", "Roster pushes written to sessions.")
