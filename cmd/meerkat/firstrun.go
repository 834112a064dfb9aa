package main

import (
	"fmt"
	"net"
	"strings"

	"meerkat/engine/config"
)

// firstAccount makes the administrator's account where nothing is configured and
// nobody has an account yet, and returns its password; "" if it made none.
func (p *process) firstAccount() (password string, err error) {
	if p.path != "" {
		return "", nil
	}
	accounts := p.server.Accounts()
	some, err := accounts.List("", "", 1)
	if err != nil || len(some) > 0 {
		return "", err
	}
	password = randomPassword()
	if err := accounts.Add(localAdmin, password); err != nil {
		return "", fmt.Errorf("make the account %s: %w", localAdmin, err)
	}
	return password, nil
}

// greet is what a person reads who started a server by hand: what listens, and
// what to type into a client. The password is told here and never again.
func (p *process) greet(cfg *config.Config, password string) string {
	if p.path != "" {
		return ""
	}
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-9s"+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintf(&b, "\nMeerkat %s serves %s.\n\n", version, strings.Join(cfg.Domains, ", "))
	addrs := p.server.Addrs()
	for i := range addrs {
		if i < len(cfg.C2S.Listen) {
			addrs[i] += " (STARTTLS)"
		} else {
			addrs[i] += " (TLS)"
		}
	}
	row("listens", "%s", strings.Join(addrs, ", "))
	row("data", "%s", absolute(cfg.Data))
	row("trust", "a self-signed certificate; clients ask about it and may show")
	row("", "SHA-256 %s", p.certs.fingerprint())
	if password != "" {
		row("account", "%s", localAdmin)
		row("password", "%s   (shown this once; to change it: meerkat account password %s)", password, localAdmin)
	}
	host, port := where(cfg)
	fmt.Fprintf(&b, "\nIn a client: address %s, its password, and under \"connection\" server %s, port %s.\n", localAdmin, host, port)
	fmt.Fprintf(&b, "For the next person: meerkat account add NAME@%s\n\n", cfg.Domains[0])
	return b.String()
}

// where is what to type into a client on this box.
func where(cfg *config.Config) (host, port string) {
	listen := append(append([]string{}, cfg.C2S.Listen...), cfg.C2S.DirectTLS...)
	host, port, err := net.SplitHostPort(listen[0])
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return host, port
}
