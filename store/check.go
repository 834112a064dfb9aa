package store

import "log/slog"

// openPages is how many pages Open looks at: the upper ones of each tree.
const openPages = 1024

func checkFile(path string, pages int, log *slog.Logger) error { return nil }
