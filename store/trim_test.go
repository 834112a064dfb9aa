package store

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"testing"
)

// rssFile returns the bytes of mapped files that this process has in memory.
func rssFile(t *testing.T) (n int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("RssFile:"))
	if _, err := fmt.Sscan(string(rest[:min(len(rest), 20)]), &n); err != nil {
		t.Fatalf("%v in %s", err, status)
	}
	return n << 10
}

func TestTrimGivesBackWhatReadingTook(t *testing.T) {
	s := openTest(t, t.TempDir())
	const size = 32 << 20
	for i := range 32 {
		must(t, s, put(i, size/32))
	}
	for range 2 {
		if err := readAll(s); err != nil {
			t.Fatal(err)
		}
		full := rssFile(t)
		if err := s.Trim(); err != nil {
			t.Fatal(err)
		}
		if freed := full - rssFile(t); freed < size*3/4 {
			t.Errorf("freed %d of %d bytes that had been read", freed, size)
		}
	}
}

func TestTrimDoesNotDisturbReaders(t *testing.T) {
	s := openTest(t, t.TempDir())
	for i := range 200 {
		must(t, s, put(i, 1000))
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for range 30 {
				if err := allThere(s, 200); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		if err := s.Trim(); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
}
