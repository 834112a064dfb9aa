package engine

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers lists the packages from the lowest to the highest. A package imports
// only packages of lines above its own.
var layers = [][]string{
	{"xml", "store", "tune", "systemd", "engine/jid", "engine/metric", "engine/config", "engine/wire/tls"},
	{"engine/stanza", "engine/loop", "engine/alarm", "engine/depot"},
	{"engine/wire", "engine/auth"},
	{"engine/account"},
	{"engine/feature"},
	{"engine/form", "engine/rsm", "engine/roster"},
	{"engine/command", "engine/invite", "engine/caps", "engine/pubsub", "engine/archive"},
	{"engine/feature/*"},
	{"engine/route"},
	{"engine/stream", "engine/s2s"},
	{"engine/web"},
	{"engine/web/*"},
	{"engine"},
	{"engine/admin", "engine/enginetest", "engine/enginetest/clients"},
	{"bench"},
	{"cmd/meerkat"},
}

const module = "meerkat/"

// level returns the line of a package, by its path inside the module.
func level(path string) (int, bool) {
	for i, line := range layers {
		for _, p := range line {
			if p == path {
				return i, true
			}
			if dir, ok := strings.CutSuffix(p, "*"); ok && strings.HasPrefix(path, dir) {
				return i, true
			}
			if p == "bench" && strings.HasPrefix(path, "bench/") {
				return i, true
			}
		}
	}
	return 0, false
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImportsGoDownwards(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; n++ {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		check(t, p)
	}
	if n < 10 {
		t.Errorf("go list named %d packages, want all of ours", n)
	}
}

func check(t *testing.T, p listed) {
	from := strings.TrimPrefix(p.ImportPath, module)
	mine, ok := level(from)
	if !ok {
		t.Errorf("%s stands in no layer: put it into one", from)
		return
	}
	for _, imp := range p.Imports {
		to, ours := strings.CutPrefix(imp, module)
		if !ours {
			continue
		}
		theirs, ok := level(to)
		inside := strings.HasPrefix(from, "bench") && strings.HasPrefix(to, "bench/")
		inside = inside || strings.HasPrefix(from, "engine/feature/") && strings.HasPrefix(to, from+"/")
		if ok && theirs >= mine && !inside {
			t.Errorf("%s (layer %d) imports %s (layer %d)", from, mine, to, theirs)
		}
	}
}
