package main

import (
	"context"
	"runtime"
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

// lookAtMemory gives back pages of the store and what a burst has left, and
// moves the collector's limit.
func (p *process) lookAtMemory(k *tune.Keeper, now time.Time) {
	is, err := tune.Box{}.Resident()
	if err != nil {
		return // without /proc there is nothing to judge by
	}
	waste := k.Waste(now, is)
	if is.File > mappedBytes || waste {
		if err := p.store.Trim(); err != nil {
			p.log.Warn("pages of the store stay in memory", "err", err)
		}
	}
	if waste {
		runtime.GC() // what pools let go of in the first collection is freed in the second
		debug.FreeOSMemory()
		p.log.Debug("memory given back", "bytes_before", is.Own())
	}
	total, available := tune.Box{}.Available()
	if p.gc.Follow(total, available, is.Own(), 1-p.memoryLimit()) {
		p.log.Debug("garbage collector", "memory_limit_bytes", p.gc.Limit, "available_bytes", available)
	}
	p.gcLimit.Store(p.gc.Limit)
}

// memoryLimit is the part of the memory that may be in use, up to 1.
func (p *process) memoryLimit() float64 {
	if percent := p.config.Load().Limits.Memory; percent > 0 {
		return float64(percent) / 100
	}
	return 1
}

// memoryFull is how near memory is to where logins are refused; 1 is there.
func (p *process) memoryFull() float64 {
	if p.config.Load().Limits.Memory == 0 {
		return 0
	}
	return tune.Box{}.Pressure(p.gcLimit.Load()).Fullness(p.memoryLimit())
}
