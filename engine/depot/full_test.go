package depot

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/store"
)

// childEnv names the directory in which a test's child process fills a disk.
const childEnv = "DEPOT_TEST_CHILD"

func TestMain(m *testing.M) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	err := syscall.Mount("depot-test", dir, "tmpfs", 0, "size=8m")
	if err == nil {
		err = fillDisk(dir)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("good")
}

// TestFullDisk fills a small file system of its own, in a child with its own
// mounts, where nothing is kept free.
func TestFullDisk(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+t.TempDir())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	if cmd.Process == nil && errors.Is(err, syscall.EPERM) {
		t.Skipf("no user namespaces here: %v", err)
	}
	if err != nil || string(out) != "good\n" {
		t.Errorf("child: %v\n%s", err, out)
	}
}

func fillDisk(dir string) error {
	st, err := store.Open(store.Options{Dir: filepath.Join(dir, "data"), Logger: quiet, MapSize: 64 << 20})
	if err != nil {
		return err
	}
	defer st.Close()
	d := New(Options{Store: st, Logger: quiet})
	cfg := config.Default()
	cfg.Limits.DiskFree = 0
	d.SetLimits(cfg)
	if err := d.Prepare(); err != nil {
		return err
	}
	const size = 1 << 20
	p, err := promised(d, size)
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := fill(ballast, 64<<20); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the disk is not full: %v", err)
	}
	if _, err := promised(d, size); !Full(err) {
		return fmt.Errorf("a place on a full disk: %v", err)
	}
	if _, err := d.Begin(p); !Full(err) {
		return fmt.Errorf("begun on a full disk: %v", err)
	}
	if err := os.Truncate(ballast, 1<<20); err != nil {
		return err
	}
	u, err := d.Begin(p)
	if err != nil {
		return err
	}
	defer u.Close()
	if err := fill(ballast, 64<<20); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the disk is not full again: %v", err)
	}
	if _, err := u.Write(make([]byte, size)); err != nil { // its room is taken already
		return fmt.Errorf("what was begun in time: %w", err)
	}
	if err := u.Commit(""); !Full(err) { // the row does not fit, or else it is fine
		return err
	}
	u.Close()
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if u, err = d.Begin(p); err != nil {
		return err
	}
	defer u.Close()
	if _, err := u.Write(make([]byte, size)); err != nil {
		return err
	}
	return u.Commit("")
}

func promised(d *Depot, size int64) (p Place, err error) {
	id := NewID(time.Now())
	q := Request{Owner: "romeo@test", Name: "a", Size: size}
	if err := d.store.UpdateWait(func(tx *store.Tx) error { return d.Reserve(tx, id, q, time.Now()) }); err != nil {
		return p, err
	}
	return d.Place(id, d.Sign(id))
}

// fill makes a file of up to n bytes.
func fill(path string, n int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 4096); n > 0; n -= len(block) {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return nil
}
