package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"meerkat/engine/config"
	"meerkat/engine/jid"
)

const (
	// systemConfig is used without -config, if it is there.
	systemConfig = "/etc/meerkat/meerkat.toml"
	// localData is the data directory without any configuration.
	localData = "data"
	// localAdmin is the account that is made where nothing is configured.
	localAdmin = "admin@localhost"
)

// settings are the flags that all commands share.
type settings struct {
	file string // -config
	data string // -data
}

// flags makes the flag set of a command with the shared flags in it.
func (s *settings) flags(name string, t terminal) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // parse reports, once
	f.StringVar(&s.file, "config", "", "configuration `FILE`")
	f.StringVar(&s.data, "data", "", "data `DIR`, instead of the configured one")
	f.Usage = func() {
		f.SetOutput(t.err)
		fmt.Fprintf(t.err, "Flags of meerkat %s:\n", name)
		f.PrintDefaults()
	}
	return f
}

// parse reads flags wherever they stand among args, and returns the rest.
func parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, quiet{exitOK}
		} else if err != nil {
			return nil, usageError(err.Error())
		}
		if f.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

// load finds the configuration: -config, else the system's, else none. path is
// the file it came from, "" if none.
func (s *settings) load() (cfg *config.Config, path string, err error) {
	path = s.file
	if path == "" && readable(systemConfig) {
		path = systemConfig
	}
	if path == "" {
		cfg = config.Default()
		cfg.Data, cfg.Admin.Accounts = localData, []string{localAdmin}
	} else if cfg, err = config.Load(path); err != nil {
		return nil, path, err
	}
	if s.data != "" {
		cfg.Data = s.data
	}
	return cfg, path, prepare(cfg, path)
}

func readable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
	}
	f.Close()
	return true
}

// prepare brings addresses into the form in which they are compared
// (RFC 7622 §3).
func prepare(cfg *config.Config, path string) error {
	wrong := &config.Error{Path: path}
	for i, d := range cfg.Domains {
		j, err := jid.Domain(d)
		if err != nil {
			wrong.Lines = append(wrong.Lines, fmt.Sprintf("domains has %q: %v", d, err))
			continue
		}
		cfg.Domains[i] = j.String()
	}
	for i, a := range cfg.Admin.Accounts {
		j, err := jid.Parse(a)
		if err != nil {
			wrong.Lines = append(wrong.Lines, fmt.Sprintf("admin.accounts has %q: %v", a, err))
			continue
		}
		cfg.Admin.Accounts[i] = j.BareString()
	}
	if len(wrong.Lines) > 0 {
		return wrong
	}
	return nil
}
