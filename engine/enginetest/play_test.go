package enginetest

import (
	"context"
	stdtls "crypto/tls"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"meerkat/engine"
	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/store"
)

func TestPlay(t *testing.T) { Play(t, "testdata/*.xmpp") }

// TestPlayTCP plays the same against real loops, over TCP with TLS.
func TestPlayTCP(t *testing.T) { PlayTCP(t, "testdata/*.xmpp", serve(t)) }

// serve runs a server on loopback with the accounts of the transcripts.
func serve(t *testing.T, change ...func(*config.Config)) (addr string) {
	cfg := config.Default()
	cfg.Domains = []string{Domain}
	cfg.C2S.Listen, cfg.C2S.DirectTLS = []string{"127.0.0.1:0"}, nil
	cfg.Limits.ScramIterations = auth.MinIterations
	cfg.Loops.Count = loops
	for _, fn := range change {
		fn(cfg)
	}
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 64 << 20, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s, err := engine.New(cfg, engine.Options{
		Store: st, Logger: slog.New(complaints{t}), Version: "test",
		TLS: func() *stdtls.Config { return serverTLS() },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"romeo", "juliet"} {
		if err := s.Accounts().Add(user+"@"+Domain, password); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s.Addrs()[0]
}

// What does not go as a transcript says must fail it.
func TestStepsThatFail(t *testing.T) {
	for name, script := range map[string]string{
		"another element comes": `client romeo/desk
romeo/desk sends <message to='romeo@test/desk' id='1'/>
romeo/desk receives
	<message from='romeo@test/desk' to='romeo@test/desk' id='2'/>`,
		"another comes before": `client romeo/desk
romeo/desk sends <message to='romeo@test/desk' id='1'/><message to='romeo@test/desk' id='2'/>
romeo/desk receives
	<message from='romeo@test/desk' to='romeo@test/desk' id='2'/>`,
		"nothing comes": `client romeo/desk
romeo/desk receives
	<message/>`,
		"something comes": `client romeo/desk
romeo/desk sends <message to='romeo@test/desk' id='1'/>
romeo/desk receives nothing`,
		"one too few in any order": `client romeo/desk
romeo/desk sends <message to='romeo@test/desk' id='1'/>
romeo/desk receives anyorder
	<message from='romeo@test/desk' to='romeo@test/desk' id='1'/>
	<message from='romeo@test/desk' to='romeo@test/desk' id='2'/>`,
		"the connection is open": `client romeo/desk
romeo/desk closed`,
		"something is unread at the end": `raw c1
c1 sends <x/>
c1 closed`,
		"the wrong password": `account romeo other
raw c1
c1 logs in as romeo`,
		"the server must speak TLS": "config\n\tc2s.require_tls = true\nraw c1\nc1 opens\nc1 receives\n\t<stream:features/>",
		"no such option":            "config\n\tlimits.nonsense = 1",
		"an option out of range":    "config\n\tlimits.depth = 1",
		"config too late":           "client romeo/desk\nconfig\n\tlimits.depth = 10",
		"no such client":            "romeo/desk receives nothing",
		"no such step":              "client romeo/desk\nromeo/desk sings",
		"no resource":               "client romeo",
		"a name that is not XML":    "client romeo/desk\nromeo/desk receives\n\t<a",
	} {
		t.Run(name, func(t *testing.T) {
			steps, err := parse(name, script)
			if err != nil {
				t.Fatal(err)
			}
			m := newEngine(t)
			m.patience = 50 * time.Millisecond
			if err := perform(steps, m); err == nil {
				t.Errorf("no step of this fails:\n%s", script)
			} else if !strings.Contains(err.Error(), name+":") {
				t.Errorf("the error does not say where: %v", err)
			}
		})
	}
}
