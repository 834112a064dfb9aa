package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childEnv names what a test's child process is to do, in the form task:dir.
const childEnv = "STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	task, dir, ok := strings.Cut(os.Getenv(childEnv), ":")
	switch {
	case !ok:
		os.Exit(m.Run())
	case task == "load":
		loadChild(dir)
	case task == "archive":
		archiveChild(dir)
	case task == "queue":
		queueChild(dir)
	case task == "hold":
		holdChild(dir)
	case task == "full":
		fullChild(dir)
	}
}

// child returns the command that runs this test binary as a child.
func child(task, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+task+":"+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

const (
	killOwners = 7
	killLoad   = 300 // updates in flight
)

var killLog = NewLog("kill", LogLimit{})

// loadChild appends numbers, each owner's in order, and prints "owner number"
// when one is acknowledged, until it is killed.
func loadChild(dir string) {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	next := lastNumbers(s)
	tokens := make(chan struct{}, killLoad)
	for i := 0; ; i++ {
		tokens <- struct{}{}
		o := i % killOwners
		next[o]++
		n := next[o]
		s.Update(func(tx *Tx) error {
			text := strconv.Itoa(n)
			_, err := killLog.Append(tx, owner(o), []byte(text+strings.Repeat(" ", n%3000)))
			return errors.Join(err, testDoc.Put(tx, owner(o), []byte(text)))
		}, func(err error) {
			if err == nil {
				fmt.Printf("%d %d\n", o, n) // one write, no buffer
			}
			<-tokens
		})
	}
}

// lastNumbers returns the last number of each owner.
func lastNumbers(s *Store) (last [killOwners]int) {
	_ = s.View(func(tx *Tx) error {
		for o := range last {
			last[o], _ = strconv.Atoi(string(testDoc.Get(tx, owner(o))))
		}
		return nil
	})
	return last
}

// TestKilledProcessKeepsWhatItAcknowledged kills a process under load: nothing
// that it acknowledged is missing, nothing is there twice, the order is kept.
func TestKilledProcessKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	for round := range 6 {
		acked := killUnderLoad(t, "load", dir, killLoad+round*137)
		if err := Check(dir); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		s := openTest(t, dir)
		checkNumbers(t, s, acked)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killUnderLoad runs a child, kills it when it has acknowledged that many, and
// returns the last number acknowledged to each owner.
func killUnderLoad(t *testing.T, task, dir string, after int) (acked [killOwners]int) {
	cmd := child(task, dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	words := 0
	for lines := bufio.NewScanner(out); lines.Scan(); words++ {
		var o, n int
		if k, _ := fmt.Sscanf(lines.Text(), "%d %d", &o, &n); k != 2 {
			continue // cut off by the kill
		}
		if acked[o] != 0 && n != acked[o]+1 {
			t.Errorf("owner %d: acknowledged %d after %d", o, n, acked[o])
		}
		acked[o] = n
		if words == after {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // killed
	if words < after {
		t.Errorf("the child acknowledged %d updates and ended, want to kill it after %d", words, after)
	}
	return acked
}

func checkNumbers(t *testing.T, s *Store, acked [killOwners]int) {
	t.Helper()
	last := lastNumbers(s)
	for o := range acked {
		n := 0
		err := s.View(func(tx *Tx) error {
			return killLog.Each(tx, owner(o), 0, func(_ uint64, v []byte) error {
				n++
				if got := string(bytes.TrimRight(v, " ")); got != strconv.Itoa(n) {
					return fmt.Errorf("entry %d is %s", n, got)
				}
				return nil
			})
		})
		if err != nil || n < acked[o] || n != last[o] {
			t.Errorf("owner %d: %v, %d entries, doc %d, acknowledged up to %d", o, err, n, last[o], acked[o])
		}
	}
}

// holdChild opens the store, says so, and waits to be told to go.
func holdChild(dir string) {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("open")
	_, _ = os.Stdin.Read(make([]byte, 1))
	_ = s.Close()
}

func TestLockedStoreNamesTheProcess(t *testing.T) {
	dir := t.TempDir()
	cmd := child("hold", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if word, err := bufio.NewReader(out).ReadString('\n'); word != "open\n" {
		t.Fatalf("child said %q, %v", word, err)
	}
	_, err = Open(Options{Dir: dir, LockTimeout: 50 * time.Millisecond})
	want := fmt.Sprintf("store: open %s: locked by process %d", dir, cmd.Process.Pid)
	if !errors.Is(err, ErrLocked) || err.Error() != want {
		t.Errorf("Open: %v, want %s", err, want)
	}
	// While we wait for the lock the other goes, and we get it.
	time.AfterFunc(50*time.Millisecond, func() { in.Close() })
	s, err := Open(Options{Dir: dir, LockTimeout: 20 * time.Second})
	if err != nil {
		t.Fatalf("after the other has closed: %v", err)
	}
	if err := errors.Join(s.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
}
