package engine

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/loop"
	"meerkat/store"
)

// ask returns what the server answers a request for a path over HTTP in clear.
func ask(t *testing.T, path string, change func(*config.HTTP)) string {
	t.Helper()
	cfg := config.Default()
	cfg.Domains, cfg.HTTP.Listen = []string{"test"}, []string{":0"}
	change(&cfg.HTTP)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(store.Options{Dir: t.TempDir(), Logger: quiet, MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	g := loop.NewManual(1, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	s, err := New(cfg, Options{Store: st, Group: g, Logger: quiet, Version: "test"})
	if err != nil {
		return err.Error()
	}
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		st.Close()
	})
	p := s.PipeHTTP(g.At(0), false)
	p.WriteString("GET " + path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
	var answer string
	for end := time.Now().Add(10 * time.Second); !p.Ended() && time.Now().Before(end); time.Sleep(time.Millisecond) {
		g.Turn()
		answer += p.ReadString()
	}
	return answer
}

func TestChatPageIsThereUnlessItIsOff(t *testing.T) {
	own := t.TempDir()
	for _, tt := range []struct {
		path   string
		change func(*config.HTTP)
		want   string
	}{
		{"/", func(*config.HTTP) {}, "converse.min.js"},
		{"/nothing", func(*config.HTTP) {}, "404 Not Found"},
		{"/", func(h *config.HTTP) { h.Chat = false }, "404 Not Found"},
		{"/.well-known/host-meta", func(*config.HTTP) {}, "<XRD "},
		{"/", func(h *config.HTTP) { h.ChatDir = own }, "http.chat_dir: "},
	} {
		if got := ask(t, tt.path, tt.change); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %.300q, want %q in it", tt.path, got, tt.want)
		}
	}
}
