package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"meerkat/engine"
	"meerkat/engine/admin"
	"meerkat/engine/alarm"
	"meerkat/engine/config"
	"meerkat/engine/loop"
	"meerkat/store"
	"meerkat/systemd"
	"meerkat/tune"
)

const (
	// drainTime is how long streams have to hear system-shutdown.
	drainTime = 8 * time.Second
	// openTime is what opening and migrating a large store may take.
	openTime = 5 * time.Minute
)

// process is a server with all that is around it. start makes it from the
// bottom to the top, close takes it apart the other way round.
type process struct {
	settings settings
	term     terminal
	path     string // of the configuration, "" if none
	started  time.Time
	began    *config.Config                // of the start
	config   atomic.Pointer[config.Config] // of the last reload

	log       *slog.Logger
	level     slog.LevelVar
	manager   *systemd.Notifier
	inherited *systemd.Inherited
	files     tune.Files
	open      tune.FileCount
	gc        tune.GC      // for keepMemory alone, once it runs
	gcLimit   atomic.Int64 // of gc, bytes
	store     *store.Store
	certs     certificates
	board     *alarm.Board
	watch     *alarm.Watch
	server    *engine.Server
	greeting  string    // for a person who started it by hand
	quits     chan bool // see quit
	again     bool      // begin anew after the end

	ctx    context.Context // of what runs besides the server
	cancel context.CancelFunc
	beside sync.WaitGroup
}

// serve runs the server until a signal ends it.
func serve(t terminal, args []string) error {
	p := &process{term: t, started: time.Now(), quits: make(chan bool, 1)}
	rest, err := parse(p.settings.flags("serve", t), args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError(fmt.Sprintf("serve takes flags only, not %q", rest[0]))
	}
	cfg, path, err := p.settings.load()
	if err != nil {
		return err
	}
	p.path, p.began = path, cfg
	p.config.Store(cfg)
	p.log = newLogger(t.err, &cfg.Log, &p.level)
	slog.SetDefault(p.log)

	// From here on a signal must not end us half-way.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)

	if err := p.start(cfg); err != nil {
		return errors.Join(err, p.close())
	}
	p.run(signals)
	if err := p.close(); err != nil || !p.again {
		return err
	}
	return p.restart()
}

// start brings everything up. What it has begun when it fails, close ends.
func (p *process) start(cfg *config.Config) (err error) {
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if p.manager, err = systemd.Open(); err != nil {
		return err
	}
	if p.inherited, err = systemd.Inherit(); err != nil {
		return err
	}
	p.tune()
	if err := p.manager.Extend(openTime); err != nil {
		p.log.Warn("systemd was not told that the start may take long", "err", err)
	}
	if p.store, err = store.Open(store.Options{Dir: cfg.Data, Logger: p.log}); err != nil {
		return err
	}
	admin.ShowStore(p.store)
	if err := p.certs.reload(cfg); err != nil {
		return err
	}
	p.makeAlarms(cfg)
	if err := p.startServer(cfg); err != nil {
		return err
	}
	if err := p.startBeside(cfg); err != nil {
		return err
	}
	p.ready(cfg)
	return nil
}

// tune sets what a process may set itself.
func (p *process) tune() {
	var err error
	if p.files, err = tune.RaiseNofile(); err != nil {
		p.log.Warn("the limit of open files stays as it is", "err", err)
	}
	p.log.Info("open files", "limit", p.files.Limit, "enough_for_connections", p.files.Connections())
	p.gc = tune.Box{}.SetGC()
	p.gcLimit.Store(p.gc.Limit)
	room := tune.Box{}.Bounds(tune.Load{TLS: true}, p.files.Limit)[0]
	p.log.Info("room", "sessions", room.Sessions, "bound_by", room.By)
	p.log.Info("garbage collector", "memory_limit_bytes", p.gc.Limit, "memory_bytes", p.gc.Memory, "by", p.gc.Why)
}

func (p *process) makeAlarms(cfg *config.Config) {
	p.board = alarm.New(p.log, nil)
	p.open.Connections = loop.Connections
	p.watch = alarm.NewWatch(p.board, alarm.Sources{
		Data:     cfg.Data,
		DiskFree: func() uint64 { return uint64(p.config.Load().Limits.DiskFree) },
		Certs:    p.certs.ends,
		Files:    p.files,
		Open:     p.open.Count,
		Commits: func() (uint64, bool) {
			s := p.store.Stats()
			return s.CommitErrors, s.ReadOnly
		},
		Memory: p.memoryFull,
	})
}

// startServer makes the engine and, without a configuration, the first account.
func (p *process) startServer(cfg *config.Config) (err error) {
	inherited, err := p.take(cfg)
	if err != nil {
		return err
	}
	p.server, err = engine.New(cfg, engine.Options{
		Store: p.store, TLS: p.certs.config, Listeners: inherited, Logger: p.log,
		Version: version, OnSlowTurn: p.watch.SlowTurn, Full: p.watch.Full, Quit: p.quit,
	})
	if err != nil {
		return err
	}
	password, err := p.firstAccount()
	if err != nil {
		return err
	}
	if err := p.server.Start(); err != nil {
		return err
	}
	p.greeting = p.greet(cfg, password)
	return nil
}

// take finds the inherited listeners that the configuration names, and closes
// the others.
func (p *process) take(cfg *config.Config) (map[string]net.Listener, error) {
	taken := map[string]net.Listener{}
	for _, addrs := range [][]string{cfg.C2S.Listen, cfg.C2S.DirectTLS, cfg.HTTP.Listen, cfg.HTTP.TLSListen} {
		for _, a := range addrs {
			ln, err := p.inherited.Take(a)
			if err != nil {
				return nil, err
			}
			if ln != nil {
				taken[a] = ln
			}
		}
	}
	for _, left := range p.inherited.Close() {
		p.log.Warn("systemd opened what the configuration does not name", "socket", left, "do", "name it under [c2s], or take it out of meerkat.socket")
	}
	return taken, nil
}

// startBeside starts what is not the server: alarms, the admin socket, metrics.
func (p *process) startBeside(cfg *config.Config) error {
	ln, err := admin.Listen(cfg.Data)
	if err != nil {
		return err
	}
	listen := p.server.Addrs()
	s := &admin.Server{Accounts: p.server.Accounts(), Uploads: p.server.Uploads(), Rooms: p.server.Rooms(), Status: report(cfg, p.path, listen, p.board, p.started), Open: p.countFiles, Log: p.log}
	p.besides("admin socket", func() error { return s.Serve(p.ctx, ln) })
	p.besides("alarms", func() error { p.watch.Run(p.ctx); return nil })
	p.besides("memory", func() error { p.keepMemory(p.ctx); return nil })
	if cfg.Metrics.Listen == "" {
		return nil
	}
	metrics, err := net.Listen("tcp", cfg.Metrics.Listen)
	if err != nil { // not worth leaving the users without a server
		p.log.Warn("no metrics over HTTP", "err", err, "do", "free the port, or name another: [metrics] listen")
		return nil
	}
	p.besides("metrics", func() error { return admin.ServeMetrics(p.ctx, metrics, p.countFiles) })
	return nil
}

func (p *process) countFiles() (int, error) { return p.open.Count(time.Now()) }

// besides runs fn until the context of the process ends.
func (p *process) besides(what string, fn func() error) {
	p.beside.Go(func() {
		if err := fn(); err != nil {
			p.log.Error("stopped for good", "what", what, "err", err)
		}
	})
}

// ready tells everybody that the server serves.
func (p *process) ready(cfg *config.Config) {
	for _, d := range p.certs.uncovered(cfg.Domains) {
		p.log.Warn("no certificate has this name, so clients will not trust it", "domain", d, "do", "add one under [tls] certificates")
	}
	p.log.Info("serving", "version", version, "config", p.path, "domains", cfg.Domains, "listen", p.server.Addrs(),
		"data", cfg.Data, "after", time.Since(p.started).Round(time.Millisecond))
	if err := p.manager.Ready(fmt.Sprintf("serving %d domains", len(cfg.Domains))); err != nil {
		p.log.Warn("systemd was not told that we serve", "err", err)
	}
	fmt.Fprint(p.term.out, p.greeting)
}

// close ends what start began, flushing all. It is called once.
func (p *process) close() (err error) {
	if p.manager != nil {
		err = p.manager.Stopping()
	}
	if p.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		if late := p.server.Shutdown(ctx); late != nil && !errors.Is(late, context.DeadlineExceeded) {
			err = errors.Join(err, late)
		} else if late != nil {
			p.log.Warn("some streams were cut off without a goodbye", "after", drainTime)
		}
		cancel()
	}
	p.cancel()
	p.beside.Wait()
	if p.store != nil {
		err = errors.Join(err, p.store.Close())
	}
	if p.manager != nil {
		err = errors.Join(err, p.manager.Close())
	}
	return err
}
