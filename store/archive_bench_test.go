package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"
)

// BenchmarkArchiveAppend appends rows of 300 bytes for a random one of 100,000
// owners, 20 rows an update, 16 updates in flight.
func BenchmarkArchiveAppend(b *testing.B) {
	s := openTest(b, b.TempDir())
	a := s.Archive()
	clock := a.Clock()
	v := message(300)
	names := make([]string, 100_000)
	for i := range names {
		names[i] = owner(i)
	}
	free := make(chan *Rows, 16)
	for range cap(free) {
		free <- new(Rows)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; {
		rows := <-free
		rows.Reset(1 << 20)
		for ; rows.Len() < 20; i++ {
			if err := rows.Add(names[rand.IntN(len(names))], clock.Next(time.Now()), 0, v); err != nil {
				b.Fatal(err)
			}
		}
		s.Update(func(tx *Tx) error { return a.Append(tx, "", rows) }, func(err error) {
			if err != nil {
				b.Error(err)
			}
			free <- rows
		})
	}
	for range cap(free) {
		<-free
	}
	b.StopTimer()
	st := s.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(b.N)/float64(st.Commits), "rows/commit")
	a.jobs.wait()
}

// message is text as messages are: it compresses a little.
func message(n int) []byte {
	var b bytes.Buffer
	b.WriteString("<message type='chat' from='romeo@example.org/phone.x3a' to='juliet@example.org' id='" + fmt.Sprint(rand.Uint64()) + "'><body>")
	for b.Len() < n-20 {
		fmt.Fprint(&b, rand.IntN(1000), " words ")
	}
	b.WriteString("</body></message>")
	return b.Bytes()
}

// bigArchive is a store of 1,000,000 rows of one user among 9,000,000 of 10,000
// others. It takes half a minute and 4 GB to make, so it stays for the next
// benchmark.
var bigArchive = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "archive"); err != nil {
		return "", err
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return "", err
	}
	a := s.Archive()
	clock := a.Clock()
	v := message(300)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10_000 {
		var rows Rows
		for k := range 1000 {
			name := owner(rand.IntN(10_000) + 1)
			if k%10 == 0 {
				name = owner(0)
			}
			now = now.Add(time.Second)
			if err := rows.Add(name, clock.Next(now), Tag(owner(rand.IntN(100))), v); err != nil {
				return "", err
			}
		}
		if err := s.UpdateWait(func(tx *Tx) error { return a.Append(tx, "", &rows) }); err != nil {
			return "", fmt.Errorf("batch %d: %w", i, err)
		}
	}
	a.jobs.wait()
	return dir, s.Close()
})

// BenchmarkArchiveOpen opens a store of 10,000,000 rows.
func BenchmarkArchiveOpen(b *testing.B) {
	dir, err := bigArchive()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkArchivePage reads 50 rows of a user who has 1,000,000, from anywhere
// among them; "tagged" only those of one contact in a hundred.
func BenchmarkArchivePage(b *testing.B) {
	dir, err := bigArchive()
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	page := func(fn func(r *Reader) error) error {
		return s.View(func(tx *Tx) error {
			r, err := s.Archive().Read(tx, owner(0))
			if err != nil || r.Len() != 1_000_000 {
				return errors.Join(err, fmt.Errorf("%d rows", r.Len()))
			}
			return fn(r)
		})
	}
	b.Run("any", func(b *testing.B) {
		for b.Loop() {
			err := page(func(r *Reader) (err error) {
				from := rand.IntN(r.Len() - 50)
				for i := from; i < from+50 && err == nil; i++ {
					_, err = r.Value(i)
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, tag := range map[string]uint32{"tagged": Tag(owner(50)), "tagged-none": Tag("nobody")} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				err := page(func(r *Reader) (err error) {
					n := 0
					r.Tagged(tag, rand.IntN(1000), r.Len(), func(i int) bool {
						_, err = r.Value(i)
						n++
						return n < 50 && err == nil
					})
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
