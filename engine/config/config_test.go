package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreValid(t *testing.T) {
	if errs := Default().Check(); len(errs) > 0 {
		t.Errorf("defaults: %v", errs)
	}
}

func TestEveryOptionHasItsTags(t *testing.T) {
	names := map[string]bool{}
	for _, o := range options(Default()) {
		if o.name == "" || names[o.key()] {
			t.Errorf("option %q in section %q has no name of its own", o.name, o.section)
		}
		names[o.key()] = true
		if _, ok := o.tag.Lookup("default"); !ok {
			t.Errorf("%s has no default", o.key())
		}
		if doc := o.tag.Get("doc"); len(doc) < 20 || !strings.HasSuffix(doc, ".") {
			t.Errorf("%s has no sentence of doc: %q", o.key(), doc)
		}
		if o.value.CanInt() {
			if low, high := o.bound("min"), o.bound("max"); low.Int() >= high.Int() {
				t.Errorf("%s: range %v to %v", o.key(), low, high)
			}
		}
	}
}

func TestFileReplacesDefaults(t *testing.T) {
	c, err := parse("m.toml", []byte(`
domains = ["example.org", "example.net"]
[tls]
certificates = [{cert = "a.pem", key = "a.key"}]
[c2s]
listen = []
direct_tls = ["127.0.0.1:5223"]
[admin]
accounts = ["admin@example.org"]
[limits]
stanza = "1MiB"
offline_bytes = 0
unauthenticated = 0
auth_timeout = "1m30s"
login_block = "1d"
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Domains = []string{"example.org", "example.net"}
	want.TLS.Certificates = []Certificate{{"a.pem", "a.key"}}
	want.C2S.Listen, want.C2S.DirectTLS = []string{}, []string{"127.0.0.1:5223"}
	want.Admin.Accounts = []string{"admin@example.org"}
	want.Limits.Stanza, want.Limits.OfflineBytes, want.Limits.Unauthenticated = 1<<20, 0, 0
	want.Limits.AuthTimeout, want.Limits.LoginBlock = Duration(90*time.Second), Duration(24*time.Hour)
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// Each row is a file with mistakes and the lines the operator gets to read.
func TestMistakesAreToldWithPlaceAndRemedy(t *testing.T) {
	for _, row := range []struct{ file, want string }{
		{"[limits]\nstansa = 1", `m.toml: line 2: unknown key "limits.stansa": did you mean "stanza"?`},
		{"[c2s]\nrequiretls = true", `m.toml: line 2: unknown key "c2s.requiretls": did you mean "require_tls"?`},
		{"stanza = '1MB'", `m.toml: line 1: unknown key "stanza": did you mean "stanza" in section [limits]?`},
		{"[c2s]\ndomains = ['a']", `m.toml: line 2: unknown key "c2s.domains": did you mean "domains" at the top of the file, before any section?`},
		{"[limit]\nstanza = '1MB'", `m.toml: line 1: unknown key "limit": did you mean section [limits]?`},
		{"zzzzzz = 1\n\nqqqqqq = 2", "m.toml: line 1: unknown key \"zzzzzz\"\nm.toml: line 3: unknown key \"qqqqqq\""},
		{"domains = 'a'", `m.toml: line 1, column 11: domains: cannot decode TOML string`},
		{"domains = ['a'", `m.toml: line 1`},
		{"[log]\nlevel = 'info'\nlevel = 'warn'", `m.toml: line 3`},
		{"[limits]\nstanza = '5kB'", "m.toml: limits.stanza is 5kB: want 10kB to 16MiB"},
		{"[limits]\nstanza = 'big'", `m.toml: line 2, column 10: limits.stanza: "big" is not a size like "256KiB"`},
		{"[limits]\nstanza = '9999999PiB'", `"9999999PiB" is too large`},
		{"[limits]\nauth_timeout = 30", "m.toml: limits.auth_timeout is a number without a unit: write it like \"30s\""},
		{"[limits]\nauth_timeout = '-3s'", `"-3s" is not a time span like "30s"`},
		{"[limits]\nroster_items = -1", "m.toml: limits.roster_items is -1: want 1 to 10000000, or 0 for no limit"},
		{"[limits]\nauth_timeout = '25h'", "m.toml: limits.auth_timeout is 25h: want 100ms to 24h"},
		{"[limits]\nscram_iterations = 0", "m.toml: limits.scram_iterations is 0: want 4096 to 1000000"},
		{"[limits]\noutput_hard = '512KiB'", "m.toml: limits.output_hard 512KiB is less than limits.output_soft 1MiB"},
		{"[limits]\nstanza = '8MiB'", "m.toml: limits.output_hard 4MiB is less than limits.stanza 8MiB"},
		{"[limits]\npre_auth_stanza = '512KiB'", "m.toml: limits.pre_auth_stanza 512KiB is more than limits.stanza 256KiB"},
		{"[limits]\ndepth = 10", "m.toml: limits.pre_auth_depth and limits.pre_auth_elements may not be more"},
		{"domains = []", "m.toml: domains is empty"},
		{"domains = ['a@b']", `m.toml: domains has "a@b", which is no domain name`},
		{"domains = ['a', 'A']", `m.toml: domains has "A" twice`},
		{"[tls]\ncertificates = [{cert = 'a'}]", `m.toml: tls.certificates has {cert = "a", key = ""}: both files are needed`},
		{"[tls]\ncertificates = [{cert = 'a', kay = 'b'}]", `m.toml: line 2: unknown key "tls.kay"`},
		{"[tls]\nmin_version = '1.1'", `m.toml: tls.min_version has "1.1": want 1.2, 1.3`},
		{"[c2s]\nlisten = []\ndirect_tls = []", "m.toml: c2s.listen and c2s.direct_tls are both empty"},
		{"[c2s]\nlisten = ['5222']", `m.toml: c2s.listen has "5222": want host:port`},
		{"[c2s]\nlisten = [':xmpp']", `m.toml: c2s.listen has ":xmpp": port "xmpp" is no number`},
		{"[c2s]\nlisten = [':5223']", `m.toml: c2s.listen and c2s.direct_tls both have ":5223"`},
		{"[metrics]\nlisten = 'here'", `m.toml: metrics.listen has "here": want host:port`},
		{"[sasl]\nmechanisms = []", "m.toml: sasl.mechanisms is empty"},
		{"[sasl]\nmechanisms = ['CRAM-MD5']", `m.toml: sasl.mechanisms has "CRAM-MD5": want SCRAM-SHA-512-PLUS`},
		{"[admin]\naccounts = ['root']", `m.toml: admin.accounts has "root": want an account's address, as "admin@localhost"`},
		{"[admin]\naccounts = ['a@b']", `m.toml: admin.accounts has "a@b", but "b" is not among domains`},
		{"[log]\nformat = 'xml'\nlevel = 'loud'", "m.toml: log.level has \"loud\": want debug, info, warn, error\nm.toml: log.format has \"xml\": want text, json"},
	} {
		_, err := parse("m.toml", []byte(row.file))
		var ce *Error
		if !errors.As(err, &ce) {
			t.Errorf("%q: got %v, want an Error", row.file, err)
		} else if !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q:\ngot  %s\nwant %s", row.file, err, row.want)
		}
	}
}

func TestMissingFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.toml")
	if _, err := Load(path); err == nil || err.Error() != path+": no such file or directory" {
		t.Errorf("got %v", err)
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.toml")
	file := "data = 'd'\n[tls]\ncertificates = [{cert = 'c.pem', key = '/etc/k.pem'}]\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "d"); c.Data != want {
		t.Errorf("data: got %s, want %s", c.Data, want)
	}
	if want := (Certificate{filepath.Join(dir, "c.pem"), "/etc/k.pem"}); c.TLS.Certificates[0] != want {
		t.Errorf("certificate: got %v, want %v", c.TLS.Certificates[0], want)
	}
}

// The sample that is installed, the manual that is printed and the defaults
// are one thing.
func TestSampleIsTheManual(t *testing.T) {
	var manual bytes.Buffer
	if err := WriteManual(&manual); err != nil {
		t.Fatal(err)
	}
	const sample = "../../systemd/meerkat.toml"
	got, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, manual.Bytes()) {
		t.Errorf("%s differs from what it should be; type: meerkat config doc > systemd/meerkat.toml", sample)
	}
	for _, l := range strings.Split(manual.String(), "\n") {
		if len(l) > 80 && !strings.Contains(l, " = ") {
			t.Errorf("line is longer than 80 letters: %s", l)
		}
	}
}

// Every option of the manual, its # taken away, is a valid file again that
// means the defaults.
func TestManualWithoutCommentsIsTheDefault(t *testing.T) {
	var manual, file bytes.Buffer
	if err := WriteManual(&manual); err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(manual.String(), "\n") {
		if !strings.HasPrefix(l, "# ") {
			file.WriteString(strings.TrimPrefix(l, "#") + "\n")
		}
	}
	c, err := parse("manual", file.Bytes())
	if err != nil {
		t.Fatalf("%v in\n%s", err, file.String())
	}
	want := Default()
	want.TLS.Certificates, want.Admin.Accounts = []Certificate{}, []string{}
	want.Reports.Forward = []string{}
	want.Contact = Contact{[]string{}, []string{}, []string{}, []string{}, []string{}, []string{}, []string{}}
	want.External.Services, want.Archive.Domains = []ExternalService{}, []DomainArchive{}
	want.HTTP.Listen, want.HTTP.TLSListen, want.HTTP.Proxies, want.HTTP.PublicIPs = []string{}, []string{}, []string{}, []string{}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestRestartTellsWhatAReloadCannotChange(t *testing.T) {
	before, after := Default(), Default()
	after.Log.Level = "debug"
	after.Limits.RosterItems = 3
	if got := after.Restart(before); got != nil {
		t.Errorf("only live options changed: got %v", got)
	}
	after.C2S.Listen = []string{":6222"}
	after.Loops.Count = 3
	if got, want := after.Restart(before), []string{"c2s.listen", "loops.count"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Whatever the file holds, the operator gets a configuration that is in order,
// or lines that begin with the file's name.
func FuzzParse(f *testing.F) {
	var manual bytes.Buffer
	if err := WriteManual(&manual); err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.ReplaceAll(manual.Bytes(), []byte("\n#"), []byte("\n")))
	f.Add([]byte("domains = ['a']\n[tls]\ncertificates = [{cert = 'a', key = 'b'}]\n[[c2s]]\n"))
	f.Add([]byte("limits.stanza = '1MiB'\nlimits = 3\n'' = 1\n\"\".a.b = {x.y = 1}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse("m.toml", text)
		if err == nil {
			if errs := c.Check(); len(errs) > 0 {
				t.Errorf("accepted, but %v", errs)
			}
			return
		}
		var ce *Error
		if !errors.As(err, &ce) || len(ce.Lines) == 0 || !strings.HasPrefix(err.Error(), "m.toml: ") {
			t.Errorf("got %q, want lines with the name of the file", err)
		}
	})
}

func TestArchiveOfDomains(t *testing.T) {
	for text, want := range map[string]string{
		`[{domain = "localhost", retention = "30d"}]`:                     "",
		`[{domain = "localhost", retention = "0s"}]`:                      "",
		`[{domain = "example.org", retention = "30d"}]`:                   "not among domains",
		`[{domain = "localhost", retention = "1s"}]`:                      "at least 1h",
		`[{domain = "localhost"}, {domain = "LOCALHOST"}]`:                "twice",
		`[{domain = "localhost", retention = "30d", forever = "please"}]`: "forever",
	} {
		_, err := parse("test", []byte("archive.domains = "+text))
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v, want an error with %q", text, err, want)
		}
	}
}
