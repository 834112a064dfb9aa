package main

import (
	"io"
	"log/slog"
	"os"

	"meerkat/engine/config"
)

// newLogger makes the logger that the configuration asks for. level can be
// changed while it runs.
func newLogger(w io.Writer, cfg *config.Log, level *slog.LevelVar) *slog.Logger {
	setLevel(level, cfg)
	opt := &slog.HandlerOptions{Level: level}
	if os.Getenv("JOURNAL_STREAM") != "" { // the journal notes the time itself
		opt.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// setLevel changes the level. Package config has checked the word.
func setLevel(level *slog.LevelVar, cfg *config.Log) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(cfg.Level)); err == nil {
		level.Set(l)
	}
}
