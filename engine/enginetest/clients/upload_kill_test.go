package clients

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestKillKeepsUploads kills the server with kill -9 while files are uploaded.
// What was answered with 201 is there afterwards; of the others there is
// nothing to see, and the client may try again.
func TestKillKeepsUploads(t *testing.T) {
	s := newUploads(t, "limits.disk_free = 0")
	s.add("romeo")
	c := login(t, s, "romeo")
	type file struct {
		slot
		data []byte
	}
	var whole, half []*file
	for i := range 6 {
		f := &file{data: noise(100_000 + i)}
		f.slot = c.place(t, fmt.Sprintf("whole %d.jpg", i), "image/jpeg", len(f.data))
		if status, _, err := s.ask("PUT", f.Put.URL, "image/jpeg", bytes.NewReader(f.data), len(f.data)); err != nil || status != 201 {
			t.Fatalf("PUT: %d, %v", status, err)
		}
		whole = append(whole, f)
	}
	for i := range 6 {
		f := &file{data: noise(300_000 + i)}
		f.slot = c.place(t, fmt.Sprintf("half%d.jpg", i), "image/jpeg", len(f.data))
		half = append(half, f)
		in, out := io.Pipe()
		go s.ask("PUT", f.Put.URL, "image/jpeg", in, len(f.data))
		go out.Write(f.data[:200_000])
	}
	for end := time.Now().Add(patience); len(s.files(t, "tmp/*")) < len(half); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("only %d uploads are on their way", len(s.files(t, "tmp/*")))
		}
	}
	s.kill()
	if len(s.files(t, "tmp/*")) == 0 {
		t.Error("the server was not killed amid uploads")
	}
	s.start()
	if left := s.files(t, "tmp/*"); len(left) > 0 {
		t.Errorf("left of what was interrupted: %v", left)
	}
	for _, f := range whole {
		if status, got, err := s.ask("GET", f.Get.URL, "", nil, 0); err != nil || status != 200 || !bytes.Equal(got, f.data) {
			t.Errorf("GET of a whole file: %d, %d bytes, %v", status, len(got), err)
		}
	}
	for _, f := range half {
		if status, got, err := s.ask("GET", f.Get.URL, "", nil, 0); err != nil || status != 404 {
			t.Errorf("GET of half a file: %d, %d bytes, %v", status, len(got), err)
		}
		if status, text, err := s.ask("PUT", f.Put.URL, "image/jpeg", bytes.NewReader(f.data), len(f.data)); err != nil || status != 201 {
			t.Errorf("PUT again: %d, %s, %v", status, text, err)
		}
		if status, got, err := s.ask("GET", f.Get.URL, "", nil, 0); err != nil || status != 200 || !bytes.Equal(got, f.data) {
			t.Errorf("GET: %d, %d bytes, %v", status, len(got), err)
		}
		if status, _, err := s.ask("PUT", f.Put.URL, "image/jpeg", bytes.NewReader(f.data), len(f.data)); err != nil || status != 409 {
			t.Errorf("PUT a second time: %d, %v", status, err)
		}
	}
}

// TestKillsAmidUploads kills the server over and over while small files come as
// fast as they can. Each is whole or not there; what was answered with 201 is.
func TestKillsAmidUploads(t *testing.T) {
	s := newUploads(t, "limits.bytes_per_second = 0\nupload.files_per_day = 0")
	s.add("romeo")
	type file struct {
		slot
		data []byte
		done bool
	}
	var files []*file
	for range 3 {
		c := login(t, s, "romeo")
		var round []*file
		for i := range 300 {
			f := &file{data: noise(10_000 + len(files) + i)}
			f.slot = c.place(t, "a.bin", "image/png", len(f.data))
			round = append(round, f)
		}
		files = append(files, round...)
		var all sync.WaitGroup
		var n atomic.Int64
		for worker := range 4 {
			all.Go(func() {
				for i := worker; i < len(round); i += 4 {
					f := round[i]
					status, _, err := s.ask("PUT", f.Put.URL, "image/png", bytes.NewReader(f.data), len(f.data))
					if err != nil {
						return // killed
					}
					f.done = status == 201
					n.Add(1)
				}
			})
		}
		for end := time.Now().Add(patience); n.Load() < 100 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		s.kill()
		all.Wait()
		s.start()
	}
	done, whole := 0, 0
	for i, f := range files {
		status, got, err := s.ask("GET", f.Get.URL, "", nil, 0)
		switch {
		case err != nil:
			t.Fatal(err)
		case status == 200 && bytes.Equal(got, f.data):
			whole++
		case status != 404 || f.done:
			t.Errorf("file %d, stored: %v: GET %d, %d bytes of %d", i, f.done, status, len(got), len(f.data))
		}
		if f.done {
			done++
		}
	}
	t.Logf("%d places, %d files answered with 201, %d there", len(files), done, whole)
	if done < 300 || done == len(files) {
		t.Errorf("%d files of %d were stored: the kills were not amid them", done, len(files))
	}
}
