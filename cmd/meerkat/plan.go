package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"

	"meerkat/engine/config"
	"meerkat/tune"
)

// plan prints what a number of sessions needs, and how many this box can hold.
func plan(t terminal, args []string) error {
	var s settings
	f := s.flags("plan", t)
	l := tune.Load{Sessions: 100_000, Roster: 100}
	f.IntVar(&l.Sessions, "sessions", l.Sessions, "users online at a time")
	f.IntVar(&l.Roster, "roster", l.Roster, "contacts of each")
	f.BoolVar(&l.TLS, "tls", false, "over TLS")
	rest, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 || l.Sessions < 1 || l.Roster < 0 {
		return usageError("try: meerkat plan [-sessions N] [-roster K] [-tls]")
	}
	cfg, _, err := s.load()
	if err != nil {
		return err
	}
	printPlan(t.out, l)
	if err := printRoom(t.out, tune.Box{}, l); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "\nLook:    meerkat check -connections %d\nSet it:  sudo meerkat check -connections %[1]d -fix\n", l.Sessions)
	for _, found := range (tune.Box{}).Check(l, ports(cfg)) {
		if !found.Good {
			fmt.Fprintf(t.out, "  not yet: %s\n", found.Is)
		}
	}
	return nil
}

func printPlan(w io.Writer, l tune.Load) {
	how := "in clear"
	if l.TLS {
		how = "over TLS"
	}
	n := l.Needs()
	fmt.Fprintf(w, "%d sessions %s, rosters of %d, need about\n", l.Sessions, how, l.Roster)
	fmt.Fprintf(w, "  memory      %s: %s of the server, %s of the kernel's sockets, the rest stays free\n",
		size(n.Memory), size(n.Process), size(n.Kernel))
	fmt.Fprintf(w, "  disk        %s for accounts and rosters\n", size(n.Disk))
	fmt.Fprintf(w, "  open files  %d\n", n.Files)
}

// printRoom says how many fit here, and what is against more.
func printRoom(w io.Writer, b tune.Box, l tune.Load) error {
	files, err := tune.RaiseNofile() // as the server does
	if err != nil && files.Limit == 0 {
		return err
	}
	bounds := b.Bounds(l, files.Limit)
	fmt.Fprintf(w, "Here fit about %d:\n", bounds[0].Sessions)
	for _, x := range bounds {
		fmt.Fprintf(w, "  %-30s enough for %d\n", x.By, x.Sessions)
	}
	return nil
}

// size is n bytes for people.
func size(n uint64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// ports are those that cfg listens on, in order.
func ports(cfg *config.Config) (list []int) {
	for _, addrs := range [][]string{cfg.C2S.Listen, cfg.C2S.DirectTLS, {cfg.Metrics.Listen}} {
		for _, a := range addrs {
			_, port, err := net.SplitHostPort(a)
			if n, e := strconv.Atoi(port); err == nil && e == nil && n > 0 {
				list = append(list, n)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// fix makes of the machine what l needs, and says what it wrote.
func fix(t terminal, cfg *config.Config, l tune.Load) error {
	if os.Geteuid() != 0 {
		return errors.New("check -fix writes below /etc and /proc/sys, so it wants root: sudo meerkat check -fix; nothing has been written")
	}
	done, err := tune.Box{}.Fix(l, ports(cfg))
	for _, line := range done {
		fmt.Fprintf(t.out, "fixed    %s\n", line)
	}
	return err
}
