// Package alarm tells the operator, once and with the remedy, of what needs a
// hand: a slow loop, a full disk, a certificate that ends, open files or memory
// that run out, a store that cannot write. It knows nothing of clients.
//
// An alarm has a level. It is logged when its level changes, never while it
// stays, and falls only when things are clearly better than when it rose.
package alarm

import (
	"log/slog"
	"sync"
	"time"

	"meerkat/engine/metric"
)

// Level is how bad it is.
type Level uint8

const (
	None     Level = iota
	Warning        // act today
	Critical       // users notice, or will within the hour
)

func (l Level) String() string { return [...]string{"none", "warning", "critical"}[l] }

// Kind is what an alarm is about. There is one alarm of each kind.
type Kind uint8

const (
	SlowTurn Kind = iota
	Disk
	Certificate
	Files
	Store
	Memory
	kinds
)

var names = [kinds]string{"slow_turn", "disk", "certificate", "files", "store", "memory"}

func (k Kind) String() string { return names[k] }

var (
	level = metric.NewGaugeVec("meerkat_alarm_level_number",
		"Level of each alarm: 0 none, 1 warning, 2 critical.", "alarm", names[:]...)
	raised = metric.NewCounterVec("meerkat_alarm_raised_total",
		"How often each alarm rose, or rose higher.", "alarm", names[:]...)
)

// Alarm is the state of one kind. The zero time and level None mean that all
// is well.
type Alarm struct {
	Kind  Kind
	Level Level
	Text  string    // what is and what was wanted
	Type  string    // what to type
	Since time.Time // when it left None
}

// Board holds the alarms of a server. Its methods are safe for concurrent use.
type Board struct {
	log  *slog.Logger
	hook func(Alarm)

	mu     sync.Mutex
	alarms [kinds]Alarm // guarded by mu
}

// New makes a board on which all is well. hook, if not nil, is called after
// every change of a level, by whoever caused it.
func New(log *slog.Logger, hook func(Alarm)) *Board {
	b := &Board{log: log, hook: hook}
	for k := range b.alarms {
		b.alarms[k].Kind = Kind(k)
	}
	return b
}

// Active lists the alarms that are not None.
func (b *Board) Active() (active []Alarm) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.alarms {
		if a.Level != None {
			active = append(active, a)
		}
	}
	return active
}

// Level is that of kind now.
func (b *Board) Level(kind Kind) Level {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alarms[kind].Level
}

// Set puts kind at a level. text and remedy are kept fresh while the level
// stays; only a change is logged, counted and told to the hook.
func (b *Board) Set(now time.Time, kind Kind, to Level, text, remedy string) {
	b.mu.Lock()
	old := b.alarms[kind]
	a := Alarm{Kind: kind, Level: to, Text: text, Type: remedy, Since: old.Since}
	switch {
	case to == None:
		a.Text, a.Type, a.Since = "", "", time.Time{}
	case old.Level == None:
		a.Since = now
	}
	b.alarms[kind] = a
	b.mu.Unlock()

	if old.Level != to {
		b.tell(now, old, a)
	}
}

// tell makes a change known.
func (b *Board) tell(now time.Time, old, a Alarm) {
	level.Add(metric.OffLoop, int(a.Kind), int64(a.Level)-int64(old.Level))
	if a.Level > old.Level {
		raised.Add(metric.OffLoop, int(a.Kind), 1)
	}
	switch a.Level {
	case None:
		b.log.Info("alarm cleared", "alarm", a.Kind.String(), "after", now.Sub(old.Since).Round(time.Second), "was", old.Text)
	case Warning:
		b.log.Warn(a.Text, "alarm", a.Kind.String(), "do", a.Type)
	default:
		b.log.Error(a.Text, "alarm", a.Kind.String(), "do", a.Type)
	}
	if b.hook != nil {
		b.hook(a)
	}
}
