package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"meerkat/engine/admin"
	"meerkat/engine/alarm"
	"meerkat/engine/config"
	"meerkat/engine/metric"
)

// status prints what the running server says of itself.
func status(t terminal, args []string) error {
	var s settings
	f := s.flags("status", t)
	all := f.Bool("metrics", false, "print every metric")
	rest, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("status takes no arguments but flags")
	}
	cfg, _, err := s.load()
	if err != nil {
		return err
	}
	client, err := admin.Dial(cfg.Data)
	if err != nil {
		return err
	}
	defer client.Close()
	st, err := client.Status()
	if err != nil {
		return err
	}
	return printStatus(t, st, *all)
}

func printStatus(t terminal, st admin.Status, all bool) error {
	file := st.Config
	if file == "" {
		file = "none, defaults"
	}
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t.out, "%-9s"+format+"\n", append([]any{name}, args...)...)
	}
	row("version", "%s, process %d, up %v", st.Version, st.PID, time.Since(st.Started).Round(time.Second))
	row("config", "%s", file)
	row("domains", "%s", strings.Join(st.Domains, ", "))
	row("listens", "%s", strings.Join(st.Listen, ", "))
	for _, a := range st.Alarms {
		row("alarm", "%s: %s, since %s", a.Level, a.Text, a.Since.Format(time.DateTime))
		fmt.Fprintf(t.out, "         → %s\n", a.Type)
	}
	if len(st.Alarms) == 0 {
		row("alarms", "none")
	}
	if !all {
		return nil
	}
	names := make([]string, 0, len(st.Metrics))
	for name := range st.Metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(t.out, "%s %v\n", name, st.Metrics[name])
	}
	return nil
}

// report makes the function that tells the state of this process.
func report(cfg *config.Config, path string, listen []string, board *alarm.Board, started time.Time) func() admin.Status {
	if path != "" {
		path = absolute(path)
	}
	return func() admin.Status {
		return admin.Status{
			Version: version, PID: os.Getpid(), Started: started, Config: path, Domains: cfg.Domains,
			Listen: listen, Alarms: admin.Alarms(board), Metrics: metric.Snapshot(),
		}
	}
}

// absolute is path for a reader in another directory.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
