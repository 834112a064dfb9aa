package bench

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar is the progress of one step, on the terminal if stderr is one.
type bar struct{ b *progressbar.ProgressBar }

// progress begins a step of n units.
func (r *run) progress(what string, n int) bar {
	if r.quiet || !term.IsTerminal(int(os.Stderr.Fd())) {
		return bar{}
	}
	return bar{progressbar.NewOptions(n,
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)}
}

// What a terminal does not take is nothing to stop for.

func (p bar) add(n int) {
	if p.b != nil {
		p.b.Add(n)
	}
}

func (p bar) set(n int) {
	if p.b != nil {
		p.b.Set(n)
	}
}

func (p bar) end() {
	if p.b != nil {
		p.b.Finish()
	}
}
