package tune

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestFileCountCountsOneMore(t *testing.T) {
	for name, c := range map[string]*FileCount{
		"as this kernel has it": {},
		"by a pass":             {kept: func() int { return 0 }, pass: passFiles},
	} {
		before, err := c.Count(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		if after, err := c.Count(time.Now()); err != nil || after != before+1 {
			t.Errorf("%s: got %d, %v, want %d", name, after, err, before+1)
		}
		f.Close()
	}
}

// With many connections a pass is rare, and the numbers between are as good as what
// is known of the connections.
func TestFileCountPassesSeldom(t *testing.T) {
	now, passes, conns, others := time.Now(), 0, 100, 30
	var broken error
	c := &FileCount{
		Connections: func() int { return conns },
		kept:        func() int { return 0 },
		pass:        func() (int, error) { passes++; return conns + others, broken },
	}
	for _, step := range []struct {
		after         time.Duration
		conns, others int
		want, passes  int
	}{
		{0, 100, 30, 130, 1},
		{time.Second, 200, 40, 240, 2}, // few: as they are
		{time.Second, 500_000, 40, 500_040, 2},
		{recount / 2, 400_000, 90, 400_040, 2}, // the others are of the last pass
		{recount / 2, 400_000, 90, 400_090, 3},
		{time.Second, 9_000, 20, 9_020, 4},
	} {
		now, conns, others = now.Add(step.after), step.conns, step.others
		if n, err := c.Count(now); err != nil || n != step.want || passes != step.passes {
			t.Errorf("%+v: got %d after %d passes, %v", step, n, passes, err)
		}
	}
	broken = errors.New("no /proc")
	if _, err := c.Count(now); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	first := &FileCount{Connections: func() int { return 1 << 20 }, kept: c.kept, pass: func() (int, error) { return 1<<20 + 7, nil }}
	if n, err := first.Count(now); err != nil || n != 1<<20+7 {
		t.Errorf("the first count: got %d, %v", n, err)
	}
}
