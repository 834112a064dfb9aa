package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"meerkat/engine/admin"
	"meerkat/engine/config"
	"meerkat/store"
	"meerkat/tune"
)

// dnsTimeout is how long check waits for the answer about one domain.
const dnsTimeout = 3 * time.Second

// check looks at all that a server needs and says of each what is, what was
// wanted and what to type.
func check(t terminal, args []string) error {
	var s settings
	f := s.flags("check", t)
	connections := f.Int("connections", 10000, "for how many connections at a time")
	mend := f.Bool("fix", false, "as root: write the kernel's settings and the service's limits that so many need")
	deep := f.Bool("store", false, "read the whole database, which takes a while (only while no server runs)")
	rest, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 || *connections < 1 {
		return usageError("try: meerkat check [-connections N] [-fix] [-store]")
	}
	cfg, path, err := s.load()
	if err != nil {
		var mistakes *config.Error
		if !errors.As(err, &mistakes) {
			return err
		}
		for _, l := range mistakes.Lines {
			show(t.out, tune.Finding{What: "config", Is: mistakes.Path + ": " + l, Type: "meerkat config doc"})
		}
		return quiet{exitUsage}
	}
	sessions := tune.Load{Sessions: *connections, Roster: 100, TLS: cfg.C2S.RequireTLS}
	if *mend {
		if err := fix(t, cfg, sessions); err != nil {
			return err
		}
	}
	bad := 0
	for _, look := range []func() []tune.Finding{
		func() []tune.Finding { return []tune.Finding{checkConfig(cfg, path)} },
		func() []tune.Finding { return checkTLS(cfg, time.Now()) },
		func() []tune.Finding { return checkServer(cfg, *deep) },
		func() []tune.Finding { return checkDisk(cfg) },
		func() []tune.Finding { return tune.Box{}.Check(sessions, ports(cfg)) },
		func() []tune.Finding { return checkDNS(cfg) },
	} {
		for _, found := range look() {
			show(t.out, found)
			if !found.Good {
				bad++
			}
		}
	}
	if bad > 0 {
		return quiet{exitFailed}
	}
	return nil
}

// show prints one finding, and below it what to type.
func show(w io.Writer, f tune.Finding) {
	if f.Good {
		fmt.Fprintf(w, "%-8s %s: good\n", f.What, f.Is)
		return
	}
	fmt.Fprintf(w, "%-8s %s\n", f.What, f.Is)
	if f.Type != "" {
		fmt.Fprintf(w, "         → %s\n", f.Type)
	}
}

func checkConfig(cfg *config.Config, path string) tune.Finding {
	if path == "" {
		path = "none, defaults"
	}
	n := len(cfg.C2S.Listen) + len(cfg.C2S.DirectTLS) + len(cfg.HTTP.Listen) + len(cfg.HTTP.TLSListen)
	f := tune.Finding{What: "config", Is: fmt.Sprintf("%s: %d domains, %d listeners", path, len(cfg.Domains), n), Good: true}
	if !cfg.C2S.RequireTLS {
		f = tune.Finding{What: "config", Is: path + ": passwords and messages may pass in clear text",
			Type: "set under [c2s]: require_tls = true"}
	}
	return f
}

// checkTLS reads the certificates as the server would, but makes none.
func checkTLS(cfg *config.Config, now time.Time) (all []tune.Finding) {
	if len(cfg.TLS.Certificates) == 0 {
		return []tune.Finding{{What: "tls", Good: true, Is: "no certificate configured: a self-signed one is used"}}
	}
	var certs certificates
	if err := certs.reload(cfg); err != nil {
		return []tune.Finding{{What: "tls", Is: err.Error(), Type: "mend the file, or set it right under [tls] certificates"}}
	}
	for i, cert := range certs.ends() {
		days := int(cert.Ends.Sub(now) / (24 * time.Hour))
		f := tune.Finding{What: "tls", Good: days >= 14,
			Is: fmt.Sprintf("%s: certificate ends in %d days (%s)", cert.Name, days, cert.Ends.Format(time.DateOnly))}
		if !f.Good {
			f.Type = "renew it, then: systemctl reload meerkat"
		}
		all = append(all, f)
		if key := cfg.TLS.Certificates[i].Key; openToOthers(key) {
			all = append(all, tune.Finding{What: "tls", Is: key + ": everybody on this box can read the key",
				Type: "chmod o-rwx " + key})
		}
	}
	for _, d := range certs.uncovered(cfg.Domains) {
		all = append(all, tune.Finding{What: "tls", Is: d + ": no certificate has this name, so clients will not trust the server",
			Type: "get one for it and add it under [tls] certificates"})
	}
	return all
}

// checkServer looks at the running server, or at what would keep one from
// starting.
func checkServer(cfg *config.Config, deep bool) []tune.Finding {
	client, err := admin.Dial(cfg.Data)
	if errors.Is(err, admin.ErrStopped) {
		all := checkPorts(cfg)
		if deep {
			all = append(all, checkStore(cfg))
		}
		return all
	}
	if err != nil {
		return []tune.Finding{{What: "server", Is: err.Error(), Type: "use the account that owns " + cfg.Data}}
	}
	defer client.Close()
	st, err := client.Status()
	if err != nil {
		return []tune.Finding{{What: "server", Is: err.Error(), Type: "systemctl status meerkat"}}
	}
	all := []tune.Finding{{What: "server", Good: true, Is: fmt.Sprintf("process %d serves on %s", st.PID, strings.Join(st.Listen, ", "))}}
	for _, a := range st.Alarms {
		all = append(all, tune.Finding{What: "alarm", Is: a.Text, Type: a.Type})
	}
	return all
}

func checkPorts(cfg *config.Config) (all []tune.Finding) {
	addrs := slices.Concat(cfg.C2S.Listen, cfg.C2S.DirectTLS, cfg.HTTP.Listen, cfg.HTTP.TLSListen)
	if cfg.Metrics.Listen != "" {
		addrs = append(addrs, cfg.Metrics.Listen)
	}
	for _, a := range addrs {
		ln, err := net.Listen("tcp", a)
		if err != nil {
			_, port, _ := net.SplitHostPort(a)
			all = append(all, tune.Finding{What: "ports", Is: err.Error(), Type: "see who has it: ss -ltnp sport = :" + port})
			continue
		}
		ln.Close()
	}
	if len(all) == 0 {
		all = append(all, tune.Finding{What: "ports", Good: true, Is: strings.Join(addrs, ", ") + " are free"})
	}
	return all
}

func checkStore(cfg *config.Config) tune.Finding {
	if err := store.Check(cfg.Data); err != nil {
		return tune.Finding{What: "store", Is: err.Error(), Type: "put the last good copy of the directory in its place"}
	}
	return tune.Finding{What: "store", Good: true, Is: "every page of the database"}
}

// checkDisk wants a directory we may write to, with room.
func checkDisk(cfg *config.Config) []tune.Finding {
	fi, err := os.Stat(cfg.Data)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return []tune.Finding{{What: "disk", Good: true, Is: cfg.Data + " does not exist yet and is made at the first start"}}
	case err != nil:
		return []tune.Finding{{What: "disk", Is: err.Error(), Type: "use the account that owns it"}}
	case !fi.IsDir():
		return []tune.Finding{{What: "disk", Is: cfg.Data + " is no directory", Type: "name another with data = ..., or move it away"}}
	}
	free, err := tune.Free(cfg.Data)
	if err != nil {
		return []tune.Finding{{What: "disk", Is: err.Error()}}
	}
	f := tune.Finding{What: "disk", Good: free >= uint64(cfg.Limits.DiskFree), Is: fmt.Sprintf("%s: %d MiB free", cfg.Data, free>>20)}
	if !f.Good {
		f.Is += fmt.Sprintf(", wanted %v", cfg.Limits.DiskFree)
		f.Type = "make room, or move the directory to a larger disk"
	}
	return []tune.Finding{f}
}

// checkDNS looks for the SRV records by which clients find the server
// (RFC 6120 §3.2.1), for domains that can have any.
func checkDNS(cfg *config.Config) (all []tune.Finding) {
	for _, d := range cfg.Domains {
		if !strings.Contains(d, ".") || net.ParseIP(strings.Trim(d, "[]")) != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), dnsTimeout)
		all = append(all, lookupSRV(ctx, ascii(d), "xmpp-client", cfg.C2S.Listen)...)
		all = append(all, lookupSRV(ctx, ascii(d), "xmpps-client", cfg.C2S.DirectTLS)...)
		cancel()
	}
	return all
}

// lookupSRV finds the records of one service. None is good if the domain itself
// has an address, as clients fall back to it.
func lookupSRV(ctx context.Context, domain, service string, listen []string) []tune.Finding {
	if len(listen) == 0 {
		return nil
	}
	name := "_" + service + "._tcp." + domain
	_, records, err := net.DefaultResolver.LookupSRV(ctx, service, "tcp", domain)
	if err == nil && len(records) > 0 {
		r := records[0]
		return []tune.Finding{{What: "dns", Good: true, Is: fmt.Sprintf("%s: SRV %d %d %d %s", name, r.Priority, r.Weight, r.Port, r.Target)}}
	}
	if addrs, err := net.DefaultResolver.LookupHost(ctx, domain); err == nil && len(addrs) > 0 {
		return []tune.Finding{{What: "dns", Good: true, Is: fmt.Sprintf("%s: no SRV, clients use %s at %s", name, domain, addrs[0])}}
	}
	_, port, _ := net.SplitHostPort(listen[0])
	return []tune.Finding{{What: "dns", Is: name + ": no SRV, and " + domain + " has no address, so clients do not find the server",
		Type: fmt.Sprintf("add to the zone: %s. IN SRV 5 0 %s <this box>.", name, port)}}
}
