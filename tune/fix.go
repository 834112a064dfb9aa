package tune

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The files that Fix writes. They are ours as long as they begin with mark.
const (
	sysctlFile = "/etc/sysctl.d/60-meerkat.conf"
	unitFile   = "/etc/systemd/system/meerkat.service.d/60-sessions.conf"

	mark = "# Written by meerkat check -fix"
)

// ErrForeign says that a file that Fix would write is somebody else's.
var ErrForeign = errors.New("was not written by meerkat check -fix, so it stays as it is; move it away first")

// Fix makes of the machine what l needs, now and after the next boot: a file of
// kernel settings, each of which it also sets, and limits of the service. What
// is better already stays. Only root can do this.
//
// done is what was done, a line each, also when an error follows.
func (b Box) Fix(l Load, ports []int) (done []string, err error) {
	lines := []string{fmt.Sprintf("%s for %d sessions.", mark, l.Sessions)}
	var lacking []Setting
	for _, s := range b.settings(l.Sessions, ports) {
		is, err := b.sysctl(s.Name)
		if err != nil {
			continue // this kernel has none
		}
		want := is
		if !s.ok(is) {
			s.Want = s.join(is)
			want = s.Want
			lacking = append(lacking, s)
		}
		lines = append(lines, "", "# "+s.Why, s.Name+" = "+want)
	}
	if err := b.write(sysctlFile, lines); err != nil {
		return nil, err
	}
	done = append(done, "wrote "+sysctlFile)
	unit := []string{lines[0], "[Service]", fmt.Sprintf("LimitNOFILE=%d", l.Needs().Files)}
	if err := b.write(unitFile, unit); err != nil {
		return done, err
	}
	done = append(done, "wrote "+unitFile+"; to use it: systemctl daemon-reload && systemctl restart meerkat")
	for _, s := range lacking {
		if e := b.set(s); e != nil {
			err = errors.Join(err, e)
			continue
		}
		done = append(done, "set "+s.Name+" = "+s.Want)
	}
	return done, err
}

// join keeps what a list of ports has already.
func (s Setting) join(is string) string {
	if is == "" || s.Name != reservedPorts {
		return s.Want
	}
	return is + "," + s.Want
}

func (b Box) set(s Setting) error {
	path := filepath.Join("/", b.Root, sysctlPath(s.Name))
	if err := os.WriteFile(path, []byte(s.Want+"\n"), 0o644); err != nil {
		return fmt.Errorf("tune: set %s now: %w; it holds after the next boot", s.Name, err)
	}
	return nil
}

// write puts a file of ours in its place, all of it or nothing.
func (b Box) write(path string, lines []string) error {
	path = filepath.Join("/", b.Root, path)
	old, err := os.ReadFile(path)
	switch {
	case err == nil && !strings.HasPrefix(string(old), mark):
		return fmt.Errorf("tune: %s %w", path, ErrForeign)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("tune: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("tune: %w", err)
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return fmt.Errorf("tune: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("tune: %w", err)
	}
	return nil
}
