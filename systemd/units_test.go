package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
)

func TestUnitsParse(t *testing.T) {
	sections := map[string]bool{"Unit": true, "Service": true, "Socket": true, "Install": true}
	for _, name := range []string{"meerkat.service", "meerkat.socket"} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		options, err := unit.DeserializeOptions(f)
		f.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, o := range options {
			if !sections[o.Section] || o.Name == "" {
				t.Errorf("%s: [%s] %s=%s", name, o.Section, o.Name, o.Value)
			}
		}
	}
}

// What other packages and the manual promise about the service.
func TestServiceKeepsItsPromises(t *testing.T) {
	text, err := os.ReadFile("meerkat.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"Type=notify", "WatchdogSec=30", "LimitNOFILE=1048576", "RestartPreventExitStatus=2",
		"ExecReload=/bin/kill -HUP $MAINPID", "StateDirectory=meerkat", "UMask=0077",
	} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("meerkat.service lacks %s", line)
		}
	}
}

func TestSysusersAndTmpfilesLines(t *testing.T) {
	for name, want := range map[string]*regexp.Regexp{
		"meerkat.sysusers": regexp.MustCompile(`^u meerkat - ".+" /var/lib/meerkat$`),
		"meerkat.tmpfiles": regexp.MustCompile(`^d /(etc|var/lib)/meerkat 07[05]0 (root|meerkat) meerkat$`),
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			if !strings.HasPrefix(l, "#") && !want.MatchString(l) {
				t.Errorf("%s: bad line %q", name, l)
			}
		}
	}
}

// Where systemd's own tools are, they have the last word: no warning, and an
// exposure of the service that they call "OK" (below 20 of 100).
func TestUnitsPassSystemdAnalyze(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: only the syntax was checked")
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"meerkat.service", "meerkat.socket"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		installed := strings.Replace(string(text), "/usr/bin/meerkat", os.Args[0], 1)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(installed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	service := filepath.Join(dir, "meerkat.service")
	out, err := exec.Command(tool, "verify", "--man=no", service, filepath.Join(dir, "meerkat.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err = exec.Command(tool, "security", "--offline=true", "--threshold=20", service).CombinedOutput()
	if err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
