package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// run feeds the watchdog and obeys signals until one says to stop.
func (p *process) run(signals <-chan os.Signal) {
	var feed <-chan time.Time
	every := p.manager.Watchdog() / 3
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		feed = t.C
	}
	for {
		select {
		case <-feed:
			p.feed(p.server.Beat(), every)
		case s := <-signals:
			if s != syscall.SIGHUP {
				p.log.Info("stopping", "signal", s.String())
				go p.insist(signals, time.Now())
				return
			}
			p.reload()
		case p.again = <-p.quits:
			p.log.Info("stopping", "restart", p.again, "by", "an administrator")
			go p.insist(signals, time.Now())
			return
		}
	}
}

// quit has run end, as an administrator has ordered.
func (p *process) quit(restart bool) {
	select {
	case p.quits <- restart:
	default: // it is ending already
	}
}

// restart begins anew after close: systemd starts us when it sees the status, else
// the process becomes a new one.
func (p *process) restart() error {
	if p.manager.Managed() {
		return quiet{exitRestart}
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(exe, os.Args, os.Environ())
}

// feed tells the watchdog that all is well, unless a loop has owed a turn for
// longer than the time between two feeds. systemd acts when six are missing.
func (p *process) feed(owed, every time.Duration) {
	if owed > every {
		p.log.Error("an event loop does not turn, so systemd will restart the server", "for", owed.Round(time.Second))
		return
	}
	if err := p.manager.Feed(); err != nil {
		p.log.Warn("the watchdog of systemd was not fed", "err", err)
	}
}

// insist ends the process at once if it is told again, later, to stop. What was
// acknowledged is on disk. Those who send a signal to a process and then to its
// group mean it once.
func (p *process) insist(signals <-chan os.Signal, first time.Time) {
	for s := range signals {
		if s != syscall.SIGHUP && time.Since(first) > time.Second {
			p.log.Warn("stopping without a drain", "signal", s.String())
			os.Exit(exitFailed)
		}
	}
}

// reload brings a changed configuration and changed certificates into effect.
// With a mistake in either, everything stays as it was.
func (p *process) reload() {
	if err := p.manager.Reloading(); err != nil {
		p.log.Warn("systemd was not told of the reload", "err", err)
	}
	if err := p.tryReload(); err != nil {
		p.log.Error("nothing was reloaded", "err", err, "do", "mend it, then: systemctl reload meerkat")
	} else {
		p.log.Info("reloaded", "config", p.path, "certificates", len(p.certs.ends()))
	}
	if err := p.manager.Ready("reloaded"); err != nil {
		p.log.Warn("systemd was not told of the reload", "err", err)
	}
}

func (p *process) tryReload() error {
	cfg, path, err := p.settings.load()
	if err != nil {
		return err
	}
	if path != p.path {
		return fmt.Errorf("%s has come or gone since the start; that needs a restart", systemConfig)
	}
	for _, key := range cfg.Restart(p.began) {
		p.log.Warn("a changed option needs a restart", "option", key, "do", "systemctl restart meerkat")
	}
	cfg.Domains, cfg.Data = p.began.Domains, p.began.Data // a certificate of our own is made by them
	if err := p.certs.reload(cfg); err != nil {
		return err
	}
	p.server.Reload(cfg)
	setLevel(&p.level, &cfg.Log)
	p.config.Store(cfg)
	return nil
}
