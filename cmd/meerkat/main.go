// Command meerkat is the whole server: it serves, and it is the operator's tool
// for accounts, checks and the manual.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"meerkat/bench"
	"meerkat/engine/config"
)

// version is the release; the build may set it: -ldflags "-X main.version=...".
var version = "0.1.0"

// Exit statuses. The service is not started again after 2: no restart mends it.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // wrong arguments or configuration

	exitRestart = 3 // ordered by an administrator: whoever watches over us starts us again
)

// terminal is what a command reads and writes.
type terminal struct {
	in       *os.File
	out, err io.Writer
}

// command is a word that may follow "meerkat".
type command struct {
	name, args, help string
	run              func(t terminal, args []string) error
}

// commands are all there are, in the order of the help.
func commands() []command {
	return []command{
		{"serve", "[-config FILE] [-data DIR]", "serve; also without a command", serve},
		{"account", "add|remove|list|password|revoke|disable|enable|invite ...", "manage accounts, of a running server or a stopped one", account},
		{"room", "list|show|destroy|affiliation ...", "see, end and put people in charge of rooms, of a running server", rooms},
		{"upload", "list|remove ...", "see and remove what accounts have uploaded, of a running server or a stopped one", uploads},
		{"status", "[-config FILE] [-data DIR]", "show what a running server does", status},
		{"check", "[-connections N] [-fix] [-store]", "check configuration, certificates, ports, limits and disk", check},
		{"plan", "[-sessions N] [-roster K] [-tls]", "print what so many sessions need, and how many fit here", plan},
		{"config", "doc", "print the manual of the configuration, which is also a sample of it", configDoc},
		{"bench", "SCENARIO ...", "load tests against this or any XMPP server", benchmark},
		{"version", "", "print the version", printVersion},
	}
}

func main() {
	os.Exit(run(terminal{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

// run is main without the process. Arguments that begin with a flag are serve's.
func run(t terminal, args []string) int {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") && !isHelp(args[0]) {
		args = append([]string{"serve"}, args...)
	}
	if isHelp(args[0]) {
		usage(t.out)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return exit(t, c.run(t, args[1:]))
		}
	}
	usage(t.err)
	return exit(t, usageError(fmt.Sprintf("unknown command %q", args[0])))
}

func isHelp(arg string) bool {
	return arg == "help" || strings.TrimLeft(arg, "-") == "help" || arg == "-h"
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "Meerkat %s, a messaging server (XMPP).\n\n", version)
	for _, c := range commands() {
		fmt.Fprintf(w, "  meerkat %-42s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
	fmt.Fprintf(w, "\nWithout -config, %s is used if it is there; else localhost is served from ./data.\n", systemConfig)
}

// usageError is a mistake in the arguments.
type usageError string

func (e usageError) Error() string { return string(e) }

// quiet is an error whose text the user has read already.
type quiet struct{ code int }

func (quiet) Error() string { return "" }

// exit prints err, each of its lines with our name in front, and is the status
// to end with.
func exit(t terminal, err error) int {
	var usage usageError
	var mistake *config.Error
	var told quiet
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &told):
		return told.code
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(t.err, "meerkat: %s\n", strings.TrimRight(line, "\n"))
	}
	if errors.As(err, &usage) || errors.As(err, &mistake) {
		return exitUsage
	}
	return exitFailed
}

func benchmark(_ terminal, args []string) error {
	if code := bench.Main(args); code != exitOK {
		return quiet{code}
	}
	return nil
}

func printVersion(t terminal, args []string) error {
	if len(args) > 0 {
		return usageError("version takes no arguments")
	}
	_, err := fmt.Fprintf(t.out, "meerkat %s\n", version)
	return err
}

func configDoc(t terminal, args []string) error {
	if len(args) != 1 || args[0] != "doc" {
		return usageError("try: meerkat config doc")
	}
	return config.WriteManual(t.out)
}
