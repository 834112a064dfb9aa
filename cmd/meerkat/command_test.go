package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestAccountsOfAStoppedAndARunningServer(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	account := func(input string, args ...string) (string, string, int) {
		t.Helper()
		return meerkat(t, dir, input, append([]string{"account", "-config", "meerkat.toml"}, args...)...)
	}
	var r *running
	for _, state := range []string{"stopped", "running"} {
		if state == "running" {
			r = start(t, dir)
		}
		out, errs, code := account("", "add", "romeo@localhost")
		made := regexp.MustCompile(`^romeo@localhost added\npassword: (\S{23})\n$`).FindStringSubmatch(out)
		if code != 0 || made == nil {
			t.Fatalf("%s: add: status %d, %q, %q", state, code, out, errs)
		}
		for _, row := range []struct {
			input string
			args  string
			code  int
			want  string
		}{
			{"s", "add juliet@localhost -password-stdin", 0, "juliet@localhost added\n"},
			{"s", "add juliet@localhost -password-stdin", 1, "juliet@localhost exists already"},
			{"", "list", 0, "juliet@localhost\nromeo@localhost\n"},
			{"", "list r", 0, "romeo@localhost\n"},
			{"new\n", "password juliet@localhost -password-stdin", 0, "juliet@localhost has a new password\n"},
			{"", "password nobody@localhost", 1, "there is no account nobody@localhost"},
			{"", "add juliet@localhost -password-stdin", 1, "a password has 1 to 1023 octets"},
			{"", "add juliet@example.org", 2, "example.org is not served here: domains has localhost (meerkat.toml)"},
			{"", "add localhost", 2, `"localhost" is no account's address`},
			{"", "add a@localhost/phone", 2, `is no account's address`},
			{"", "add", 2, "try: meerkat account"},
			{"", "rename a b", 2, "try: meerkat account"},
			{"", "", 2, "try: meerkat account"},
			{"", "list -nonsense", 2, "flag provided but not defined"},
			{"", "revoke romeo@localhost", 0, "romeo@localhost has no login tokens any more\n"},
			{"", "revoke nobody@localhost", 1, "there is no account nobody@localhost"},
			{"", "remove romeo@localhost", 0, "romeo@localhost removed\n"},
			{"", "remove romeo@localhost", 1, "there is no account romeo@localhost"},
		} {
			out, errs, code := account(row.input, strings.Fields(row.args)...)
			if code != row.code || !strings.Contains(out+errs, row.want) {
				t.Errorf("%s: account %s: status %d, %q, %q, want %d, %q", state, row.args, code, out, errs, row.code, row.want)
			}
		}
		if state == "running" {
			mustLogin(t, r.addrs[0], "juliet@localhost", "new")
			if _, _, err := login(r.addrs[0], "romeo@localhost", made[1]); err == nil {
				t.Error("a removed account logged in")
			}
			r.stop()
		}
		if _, errs, code := account("", "remove", "juliet@localhost"); code != 0 {
			t.Fatalf("%s: remove: %s", state, errs)
		}
	}
}

func TestAccountsMakesNoStoreByMistake(t *testing.T) {
	dir := t.TempDir()
	for _, verb := range []string{"list", "remove a@localhost", "password a@localhost"} {
		_, errs, code := meerkat(t, dir, "", append([]string{"account", "-data", "slip"}, strings.Fields(verb)...)...)
		if code != 1 || !strings.Contains(errs, "no accounts: stat slip: no such file or directory") {
			t.Errorf("%s: status %d, %q", verb, code, errs)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "slip")); err == nil {
		t.Error("a store was made")
	}
}

func TestStatusOfAServer(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	if _, errs, code := meerkat(t, dir, "", "status", "-config", "meerkat.toml"); code != 1 || !strings.Contains(errs, "no server is running on "+dir) {
		t.Errorf("stopped: status %d, %q", code, errs)
	}
	r := start(t, dir)
	out, errs, code := meerkat(t, dir, "", "status", "-config", "meerkat.toml", "-metrics")
	if code != 0 {
		t.Fatalf("status %d, %s", code, errs)
	}
	for _, want := range []string{"version  " + version, "domains  localhost\n", "listens  " + r.addrs[0], "meerkat_store_commits_total "} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	r.stop()
}

func TestCheckTellsWhatToType(t *testing.T) {
	dir := t.TempDir()
	certify(t, dir, "elsewhere.example")
	writeConfig(t, dir, "disk_free = \"1PiB\"\n[tls]\ncertificates = [{cert = \"c.pem\", key = \"c.key\"}]\n")
	for _, state := range []string{"stopped", "running"} {
		want := []string{
			"config   meerkat.toml: 1 domains, 2 listeners: good\n",
			"tls      localhost: no certificate has this name, so clients will not trust the server\n         → get one for it",
			"tls      elsewhere.example: certificate ends in 36",
			"limits   100000000 connections need 100000512 open files",
			"LimitNOFILE=100000512",
			"memory   100000000 connections need about",
		}
		var r *running
		if state == "running" {
			r = start(t, dir)
			r.logged("alarm=disk")
			want = append(want, "server   process ", "alarm    the disk of ", "MiB free, wanted 1PiB\n         → make room")
		} else {
			want = append(want, "ports    127.0.0.1:0, 127.0.0.1:0 are free: good\n", "does not exist yet")
		}
		out, errs, code := meerkat(t, dir, "", "check", "-config", "meerkat.toml", "-connections", "100000000")
		if code != 1 {
			t.Errorf("%s: status %d, want 1: %s", state, code, errs)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: lacks %q:\n%s", state, w, out)
			}
		}
		if r != nil {
			r.stop()
		}
	}
	out, _, _ := meerkat(t, dir, "", "check", "-config", "meerkat.toml", "-store")
	if !strings.Contains(out, "store    every page of the database: good\n") {
		t.Errorf("-store: got\n%s", out)
	}
}

func TestCheckShowsMistakesOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "depht = 3\n")
	out, _, code := meerkat(t, dir, "", "check", "-config", "meerkat.toml")
	if code != 2 || !strings.Contains(out, `unknown key "limits.depht": did you mean "depth"?`) {
		t.Errorf("status %d:\n%s", code, out)
	}
}

func TestWrongArguments(t *testing.T) {
	dir := t.TempDir()
	for _, row := range []struct {
		args string
		code int
		want string
	}{
		{"help", 0, "meerkat serve"},
		{"--help", 0, "meerkat serve"},
		{"serve -help", 0, "configuration FILE"},
		{"version", 0, "meerkat " + version + "\n"},
		{"version now", 2, "version takes no arguments"},
		{"config doc", 0, "[limits]"},
		{"config", 2, "try: meerkat config doc"},
		{"serve here", 2, `serve takes flags only, not "here"`},
		{"-port 5", 2, "flag provided but not defined: -port"},
		{"sing", 2, `unknown command "sing"`},
		{"check -connections 0", 2, "try: meerkat check"},
		{"status now", 2, "status takes no arguments"},
	} {
		out, errs, code := meerkat(t, dir, "", strings.Fields(row.args)...)
		if code != row.code || !strings.Contains(out+errs, row.want) {
			t.Errorf("meerkat %s: status %d, %q, %q, want %d, %q", row.args, code, out, errs, row.code, row.want)
		}
	}
}

func TestRandomPasswordsDiffer(t *testing.T) {
	a, b := randomPassword(), randomPassword()
	if a == b || !regexp.MustCompile(`^([a-z2-7]{5}-){3}[a-z2-7]{5}$`).MatchString(a) {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestPlan(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	out, errs, code := meerkat(t, dir, "", "plan", "-config", "meerkat.toml", "-sessions", "1000000", "-roster", "50", "-tls")
	if code != 0 {
		t.Fatalf("status %d: %s", code, errs)
	}
	for _, want := range []string{
		"1000000 sessions over TLS, rosters of 50, need about\n", "  open files  1000512\n",
		"of the kernel's sockets", "Here fit about ", "  open files of the process      enough for ", "sudo meerkat check -connections 1000000 -fix\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
}

func TestFixWantsRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeConfig(t, dir, "")
	if err := os.Chmod(filepath.Join(dir, "meerkat.toml"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := prepareCommand(dir, "check", "-config", "meerkat.toml", "-fix")
	program := filepath.Join(dir, "meerkat") // the one go test made may be out of others' reach
	b, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = program
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "wants root") {
		t.Errorf("got %v:\n%s", err, out)
	}
}
