// Package bench is `meerkat bench`: what a server holds and how fast it is,
// measured from outside, for Meerkat and for any other XMPP server.
//
// Clients are load's crowds in processes of their own, and the server is judged
// by its own CPU time and memory, next to floor's programs that move the same
// bytes. Every scenario is a file here; what it finds goes to report.
package bench

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"meerkat/bench/load"
	"meerkat/bench/proc"
	"meerkat/bench/report"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // something broke, or a limit of the scenario is not kept
	exitUsage  = 2
)

// scenario is a word that may follow `meerkat bench`. setup declares its flags,
// and gives what is to be done when they are read.
type scenario struct {
	name, help string
	setup      func(fs *flag.FlagSet) func(*run) error
}

func scenarios() []scenario {
	return append([]scenario{
		{"message", "conversations: messages a second, CPU a message, latency, and how far from the floor", message},
		{"presence", "presence changes told to all contacts, and how far from the floor", presence},
		{"room", "rooms: CPU of a message to each occupant and of entering, very large ones, memory of an occupant", room},
		{"login", "logins, each followed by a logout: how many a second, CPU of each", login},
		{"idle", "sessions that do nothing: bytes of memory each", idle},
	}, append(talks(), scenario{"seed", "make accounts with rosters in a store", seedCommand})...)
}

// run is one scenario being run.
type run struct {
	server serverOptions
	client clientOptions
	result *report.Result
	out    io.Writer
	quiet  bool
}

type usageError string

func (e usageError) Error() string { return string(e) }

// Main runs a scenario; args is what follows `meerkat bench`.
func Main(args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case "worker":
			return exit(os.Stderr, worker(os.Stdin, os.Stdout))
		case "floor":
			return exit(os.Stderr, floorCommand(args[1:]))
		case "table":
			return exit(os.Stderr, table(os.Stdout, args[1:]))
		}
		for _, s := range scenarios() {
			if s.name == args[0] {
				return exit(os.Stderr, s.main(args[1:]))
			}
		}
	}
	usage(os.Stderr)
	return exitUsage
}

func exit(w io.Writer, err error) int {
	var wrong usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &wrong):
		fmt.Fprintf(w, "meerkat bench: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(w, "meerkat bench: %v\n", strings.TrimPrefix(err.Error(), "bench: "))
	return exitFailed
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Usage: meerkat bench SCENARIO [flags]; SCENARIO -h lists the flags.\n\n")
	for _, s := range scenarios() {
		fmt.Fprintf(w, "  %-10s %s\n", s.name, s.help)
	}
	fmt.Fprintf(w, "  %-10s %s\n", "table", "print results kept by -json side by side")
}

// main reads the flags, runs the scenario and hands out its result.
func (s scenario) main(args []string) error {
	fs := flag.NewFlagSet("meerkat bench "+s.name, flag.ContinueOnError)
	r := &run{out: os.Stdout, result: &report.Result{
		Scenario: s.name, Args: args, Began: time.Now(), Machine: proc.Here(),
	}}
	r.server.flags(fs)
	r.client.flags(fs)
	jsonFile := fs.String("json", "", "write the result to this file")
	htmlFile := fs.String("html", "", "write a report with charts to this file")
	fs.BoolVar(&r.quiet, "quiet", false, "show no progress")
	do := s.setup(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	r.result.Server = r.server.name
	fs.VisitAll(func(f *flag.Flag) { r.result.Set(f.Name, f.Value.String()) })
	if err := do(r); err != nil {
		return err
	}
	r.result.Took = time.Since(r.result.Began)
	return r.hand(*jsonFile, *htmlFile)
}

// parse reads flags and nothing else. Help goes to the terminal.
func parse(fs *flag.FlagSet, args []string) error {
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(os.Stdout)
		fs.PrintDefaults()
		return err
	case err != nil:
		return usageError(err.Error())
	case fs.NArg() > 0:
		return usageError(fmt.Sprintf("unexpected %q", fs.Arg(0)))
	}
	return nil
}

// hand prints the result and writes the files that were asked for.
func (r *run) hand(jsonFile, htmlFile string) error {
	r.result.Print(r.out)
	if jsonFile != "" {
		if err := r.result.WriteJSON(jsonFile); err != nil {
			return err
		}
	}
	if htmlFile != "" {
		if err := r.result.WriteHTML(htmlFile); err != nil {
			return err
		}
	}
	if missed := r.result.Missed(); len(missed) > 0 {
		return fmt.Errorf("not kept: %s", strings.Join(missed, "; "))
	}
	return nil
}

func (r *run) figure(name string, value float64, unit string) {
	r.result.Figure(name, value, unit)
}

// faults notes what a crowd found wrong; the result is a miss if there is any.
func (r *run) faults(s load.Stats) {
	r.result.AtMost("lost", float64(s.InFlight), "", 0)
	r.result.AtMost("doubled", float64(s.Doubled), "", 0)
	r.result.AtMost("reordered", float64(s.Reordered), "", 0)
	r.result.AtMost("damaged", float64(s.Damaged), "", 0)
	r.conditions("login failed", s.Failed)
	r.conditions("session dropped", s.Dropped)
	r.conditions("error stanza", s.Errors)
}

// conditions notes what went wrong by why.
func (r *run) conditions(what string, m map[string]uint64) {
	for _, why := range slices.Sorted(maps.Keys(m)) {
		if m[why] > 0 {
			r.result.AtMost(what+": "+why, float64(m[why]), "", 0)
		}
	}
}
