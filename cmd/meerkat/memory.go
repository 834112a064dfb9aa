package main

import (
	"context"
	"runtime/debug"
	"time"

	"meerkat/tune"
)

const (
	// memoryEvery is how often memory is looked at. A storm of 2,000 logins a
	// second takes some 20 MB in that time.
	memoryEvery = time.Second
	// mappedBytes of files may be resident before the store gives its pages back.
	mappedBytes = 32 << 20
)

// keepMemory keeps what the process holds near what it needs, until ctx ends.
func (p *process) keepMemory(ctx context.Context) {
	var k tune.Keeper
	t := time.NewTicker(memoryEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			p.lookAtMemory(&k, now)
		}
	}
}

func (p *process) lookAtMemory(k *tune.Keeper, now time.Time) {
	is, err := tune.Box{}.Resident()
	if err != nil {
		return // without /proc there is nothing to judge by
	}
	if is.File > mappedBytes {
		if err := p.store.Trim(); err != nil {
			p.log.Warn("pages of the store stay in memory", "err", err)
		}
	}
	if k.Waste(now, is) {
		debug.FreeOSMemory()
	}
}
