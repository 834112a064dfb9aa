package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"meerkat/bench/load"
	"meerkat/bench/proc"
)

// request is what a worker is asked on its stdin, one JSON value after the
// other: first to make its crowd, then what to do. It answers each.
type request struct {
	Target *load.Target
	Job    *load.Job
	Drain  time.Duration // stop sending, and wait for what is in flight until nothing has come for so long
	Weigh  bool          // give memory that is free back to the kernel, and tell how much is left
}

// answer is what it says on stdout.
type answer struct {
	Stats load.Stats
	RSS   int64 // bytes of the worker's own, without its program, if it was to weigh itself
	Err   string
}

// worker serves requests until in ends. The crowd's connections end with it.
func worker(in io.Reader, out io.Writer) error {
	signal.Ignore(syscall.SIGINT) // the terminal sends it to all; stdin will end
	var crowd *load.Crowd
	defer func() {
		if crowd != nil {
			crowd.Close()
		}
	}()
	enc := json.NewEncoder(out)
	for dec := json.NewDecoder(in); ; {
		var req request
		if err := dec.Decode(&req); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("bench: worker: %w", err)
		}
		a, err := serve(&crowd, req)
		if err != nil {
			a.Err = err.Error()
		}
		if err := enc.Encode(a); err != nil {
			return fmt.Errorf("bench: worker: %w", err)
		}
	}
}

func serve(crowd **load.Crowd, req request) (a answer, err error) {
	switch {
	case req.Target != nil:
		*crowd, err = load.New(*req.Target)
		return a, err
	case *crowd == nil:
		return a, errors.New("bench: a worker is told its target first")
	case req.Job != nil:
		err = (*crowd).Do(*req.Job)
	case req.Drain > 0:
		_, err = (*crowd).Drain(req.Drain)
	}
	a.Stats = (*crowd).Stats()
	if req.Weigh {
		debug.FreeOSMemory()
		var m proc.Mem
		m, err = proc.Memory(os.Getpid())
		a.RSS = m.Anon
	}
	return a, err
}
