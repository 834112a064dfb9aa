package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Check reports what is wrong with c, by the tags and beyond them. The command
// line may have changed c since it was loaded.
func (c *Config) Check() (errs []error) {
	for _, o := range options(c) {
		errs = append(errs, o.check())
	}
	errs = append(errs, c.checkDomains(), c.TLS.Check(), c.C2S.Check(), c.HTTP.Check(), c.External.Check(), c.SASL.Check(), c.checkAdmins(), c.Contact.Check(), c.Invites.Check(), c.Reports.Check(), c.Archive.Check(c.Domains), c.Rooms.Check(c.Domains), c.PubSub.Check(c.Domains, c.Rooms.Name, c.Upload.Name), c.Upload.Check(c.Domains, c.Rooms.Name), c.Limits.Check())
	errs = append(errs, c.checkListeners())
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// checkDomains wants names that can stand in an address (RFC 7622 §3.2), each
// once. How they are prepared is the business of package jid.
func (c *Config) checkDomains() error {
	if len(c.Domains) == 0 {
		return errors.New("domains is empty: name at least the domain of your accounts")
	}
	for i, d := range c.Domains {
		if d == "" || len(d) > 1023 || strings.ContainsAny(d, "@/ \t\r\n\"'<>&") {
			return fmt.Errorf("domains has %q, which is no domain name", d)
		}
		if slices.ContainsFunc(c.Domains[:i], func(other string) bool { return strings.EqualFold(other, d) }) {
			return fmt.Errorf("domains has %q twice", d)
		}
	}
	return nil
}

// Check reports what the tags cannot say.
func (t *TLS) Check() error {
	for _, c := range t.Certificates {
		if c.Cert == "" || c.Key == "" {
			return fmt.Errorf("tls.certificates has {cert = %q, key = %q}: both files are needed", c.Cert, c.Key)
		}
	}
	return nil
}

// Check reports what the tags cannot say.
func (c *C2S) Check() error {
	if len(c.Listen)+len(c.DirectTLS) == 0 {
		return errors.New("c2s.listen and c2s.direct_tls are both empty, so no client could connect")
	}
	if c.ResumeLocation != "" {
		if err := checkListen("c2s.resume_location", c.ResumeLocation); err != nil {
			return err
		}
	}
	return nil
}

// Check reports what the tags cannot say.
func (s *SASL) Check() error {
	if len(s.Mechanisms) == 0 {
		return errors.New("sasl.mechanisms is empty, so nobody could log in")
	}
	return nil
}

// checkListeners wants well-formed addresses, each of them once.
func (c *Config) checkListeners() error {
	seen := map[string]string{}
	for _, l := range []struct {
		key   string
		addrs []string
	}{{"c2s.listen", c.C2S.Listen}, {"c2s.direct_tls", c.C2S.DirectTLS}, {"http.listen", c.HTTP.Listen}, {"http.tls_listen", c.HTTP.TLSListen}, {"metrics.listen", c.Metrics.addrs()}} {
		for _, a := range l.addrs {
			if err := checkListen(l.key, a); err != nil {
				return err
			}
			if other, twice := seen[a]; twice && !strings.HasSuffix(a, ":0") {
				return fmt.Errorf("%s and %s both have %q", other, l.key, a)
			}
			seen[a] = l.key
		}
	}
	return nil
}

// addrs is Listen as a list.
func (m *Metrics) addrs() []string {
	if m.Listen == "" {
		return nil
	}
	return []string{m.Listen}
}

// checkListen wants host:port with a numeric port.
func checkListen(key, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s has %q: want host:port, as \":5222\", \"192.0.2.1:5222\" or \"[2001:db8::1]:5222\"", key, addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s has %q: port %q is no number from 0 to 65535", key, addr, port)
	}
	return nil
}

// checkAdmins wants bare addresses of our own domains.
func (c *Config) checkAdmins() error {
	for _, a := range c.Admin.Accounts {
		local, domain, ok := strings.Cut(a, "@")
		if !ok || local == "" || strings.Contains(domain, "/") {
			return fmt.Errorf("admin.accounts has %q: want an account's address, as \"admin@%s\"", a, c.example())
		}
		if !slices.ContainsFunc(c.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
			return fmt.Errorf("admin.accounts has %q, but %q is not among domains", a, domain)
		}
	}
	return nil
}

// example is a domain to show in messages.
func (c *Config) example() string {
	if len(c.Domains) > 0 {
		return c.Domains[0]
	}
	return "example.org"
}

// Check reports what the tags cannot say.
func (l *Limits) Check() error {
	if l.OutputHard < l.OutputSoft {
		return fmt.Errorf("limits.output_hard %v is less than limits.output_soft %v: raise it to at least that", l.OutputHard, l.OutputSoft)
	}
	if l.OutputHard < l.Stanza {
		return fmt.Errorf("limits.output_hard %v is less than limits.stanza %v, so one large stanza would close its recipient: raise it to at least that", l.OutputHard, l.Stanza)
	}
	if l.PreAuthStanza > l.Stanza {
		return fmt.Errorf("limits.pre_auth_stanza %v is more than limits.stanza %v: strangers may not send more than users", l.PreAuthStanza, l.Stanza)
	}
	if l.Depth < l.PreAuthDepth || l.Elements < l.PreAuthElements {
		return errors.New("limits.pre_auth_depth and limits.pre_auth_elements may not be more than limits.depth and limits.elements")
	}
	return nil
}
