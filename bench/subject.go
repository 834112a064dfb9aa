package bench

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"meerkat/bench/load"
	"meerkat/bench/proc"
)

// serverOptions say which server is measured.
type serverOptions struct {
	addr, direct string
	metrics      string
	pid          int
	name         string
	binary       string
	keep         string
}

func (o *serverOptions) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.addr, "addr", "", "measure the server at this IPv4 host:port; without it one is started and seeded")
	fs.StringVar(&o.direct, "direct", "", "its host:port for -tls direct")
	fs.StringVar(&o.metrics, "metrics", "", "its host:port of Prometheus metrics, if it is a Go program, for its heap")
	fs.IntVar(&o.pid, "pid", 0, "its process, for CPU and memory")
	fs.StringVar(&o.name, "name", "Meerkat", "its name in the report")
	fs.StringVar(&o.binary, "serve", "", "start this meerkat, not the one that is running now")
	fs.StringVar(&o.keep, "keep", "", "keep the started server's data in this directory, and use what is there")
}

// clientOptions say how the clients behave.
type clientOptions struct {
	tls, ws                string
	mech, domain, password string
	pipeline               bool
	threads, workers       int
	timeout                time.Duration
}

func (o *clientOptions) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.tls, "tls", "none", "none, starttls or direct")
	fs.StringVar(&o.ws, "ws", "", "connect by WebSocket to this path, as /ws; -addr and -direct are of HTTP then")
	fs.StringVar(&o.mech, "mech", "SCRAM-SHA-1", "PLAIN, SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512")
	fs.StringVar(&o.domain, "domain", "localhost", "domain of the accounts")
	fs.StringVar(&o.password, "password", "bench-password", "password of every account")
	fs.BoolVar(&o.pipeline, "pipeline", false, "log in with as few writes as the mechanism allows")
	fs.IntVar(&o.threads, "threads", 1, "threads of a generator process")
	fs.IntVar(&o.workers, "workers", 1, "generator processes at least; descriptors may need more")
	fs.DurationVar(&o.timeout, "timeout", time.Minute, "time for one login")
}

// target is how the clients meet the server, but for its address.
func (o *clientOptions) target(layout load.Layout) load.Target {
	return load.Target{
		Domain: o.domain, TLS: load.TLS(o.tls), WS: o.ws, Mech: o.mech, Password: o.password, Resource: "bench",
		Pipeline: o.pipeline, Users: layout.Users, Layout: layout, Threads: o.threads, Timeout: o.timeout,
	}
}

// subject is the server under test.
type subject struct {
	target  load.Target
	tcp     string // where it is met without a WebSocket; "": not known
	metrics string // host:port; "": not known
	data    string // directory of a server that was started here
	pid     int    // 0: not known
	child   *proc.Child
	dir     string // to be removed; "" if it is to be kept
}

// subject finds the server, or seeds and starts one. What it returns is to be
// stopped, also beside an error.
func (r *run) subject(layout load.Layout) (*subject, error) {
	s := &subject{target: r.client.target(layout), pid: r.server.pid, metrics: r.server.metrics}
	switch s.target.TLS {
	case load.StartTLS:
		if s.target.WS != "" {
			return s, usageError("-ws goes with -tls none or direct")
		}
		fallthrough
	case load.Plain:
		s.target.Addr = r.server.addr
	case load.Direct:
		s.target.Addr = r.server.direct
	default:
		return s, usageError(fmt.Sprintf("-tls %s: want none, starttls or direct", s.target.TLS))
	}
	if r.server.addr == "" && r.server.direct == "" {
		return s, r.start(s)
	}
	if s.target.Addr == "" {
		return s, usageError("-tls direct needs -direct host:port, the others -addr host:port")
	}
	return s, nil
}

// start seeds a store and starts our own server on it.
func (r *run) start(s *subject) error {
	dir, err := r.directory(s)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); os.IsNotExist(err) {
		bar := r.progress("seeding", s.target.Layout.Users)
		err := seed(data, r.client.domain, r.client.password, s.target.Layout, bar.add)
		bar.end()
		if err != nil {
			return err
		}
	}
	c := lifted{domain: r.client.domain, data: data, requireTLS: s.target.TLS != load.Plain}
	for _, addr := range []*string{&c.clear, &c.direct, &c.http, &c.https, &c.metrics} {
		if *addr, err = freeAddr(); err != nil {
			return err
		}
	}
	path := filepath.Join(dir, "meerkat.toml")
	if err := os.WriteFile(path, c.toml(), 0o600); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if s.child, err = r.serve("serve", "-config", path); err != nil {
		return err
	}
	s.pid, s.metrics, s.data = s.child.PID, c.metrics, data
	s.target.Addr = c.of(s.target)
	s.tcp = c.of(load.Target{TLS: s.target.TLS})
	return errors.Join(s.child.Listening(s.target.Addr, time.Minute), s.child.Listening(s.metrics, time.Minute))
}

func (r *run) directory(s *subject) (dir string, err error) {
	if r.server.keep != "" {
		if dir, err = filepath.Abs(r.server.keep); err != nil { // the server takes it from its configuration's place
			return "", err
		}
		return dir, os.MkdirAll(dir, 0o700)
	}
	s.dir, err = os.MkdirTemp("", "meerkat-bench-")
	return s.dir, err
}

func (r *run) serve(args ...string) (*proc.Child, error) {
	path := r.server.binary
	if path == "" {
		var err error
		if path, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	return proc.Start(false, "", path, args...)
}

// stop ends what start began.
func (s *subject) stop() {
	if s.child != nil {
		s.child.Stop(15 * time.Second)
	}
	if s.dir != "" {
		os.RemoveAll(s.dir) // a leftover in the temporary directory
	}
}

// lifted is the configuration of a server under test: the limits that a crowd from one box
// would meet are lifted, all others stand as they are shipped.
type lifted struct {
	domain, data         string
	clear, direct        string
	http, https, metrics string
	requireTLS           bool
}

// of is the listener for clients of that kind.
func (c lifted) of(t load.Target) string {
	switch direct := t.TLS == load.Direct; {
	case t.WS != "" && direct:
		return c.https
	case t.WS != "":
		return c.http
	case direct:
		return c.direct
	}
	return c.clear
}

func (c lifted) toml() []byte {
	return fmt.Appendf(nil, `domains = [%q]
data = %q

[c2s]
listen = [%q]
direct_tls = [%q]
require_tls = %v

[http]
listen = [%q]
tls_listen = [%q]

[limits]
connections_per_address = 0
unauthenticated = 0
login_failures_per_address = 0
registrations_per_address = 0
strangers = 0
bytes_per_second = "0B"

[rooms]
per_user = 0
occupants = 20000
user_messages = 0
user_changes = 0
messages = 0
changes = 0

[metrics]
listen = %q
`, c.domain, c.data, c.clear, c.direct, c.requireTLS, c.http, c.https, c.metrics)
}

// freeAddr is a port of loopback that was free just now.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}
