package clients

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// httpsPort is a port that stays the same when the server is started again, and
// that it can name in URLs.
func httpsPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// newUploads starts a server that takes uploads over HTTPS.
func newUploads(t *testing.T, more string) *server {
	t.Helper()
	return newServer(t, fmt.Sprintf("http.listen = [\"127.0.0.1:0\"]\nhttp.tls_listen = [\"127.0.0.1:%s\"]\n%s", httpsPort(t), more))
}

// slot is a place for a file: its URLs.
type slot struct {
	Put struct {
		URL string `xml:"url,attr"`
	} `xml:"put"`
	Get struct {
		URL string `xml:"url,attr"`
	} `xml:"get"`
}

// place asks for one (XEP-0363 §4).
func (c *raw) place(t *testing.T, name, kind string, size int) slot {
	t.Helper()
	if err := c.send("<iq type='get' id='slot' to='upload.%s'><request xmlns='urn:xmpp:http:upload:0' filename='%s' size='%d' content-type='%s'/></iq>", domain, name, size, kind); err != nil {
		t.Fatal(err)
	}
	for {
		tok, err := c.in.Token()
		if err != nil {
			t.Fatalf("%s waits for a place: %v", c.jid, err)
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		var iq struct {
			Type string `xml:"type,attr"`
			Slot slot   `xml:"slot"`
		}
		if err := c.in.DecodeElement(&iq, &start); err != nil || iq.Slot.Put.URL == "" || iq.Slot.Get.URL == "" {
			t.Fatalf("no place: %+v, %v", iq, err)
		}
		return iq.Slot
	}
}

// browser is a client of HTTP that trusts this server only.
func (s *server) browser() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: s.tls, DisableKeepAlives: true,
		DialContext: (&net.Dialer{Timeout: patience, FallbackDelay: -1}).DialContext}}
}

func (s *server) ask(method, url, kind string, body io.Reader, size int) (int, []byte, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.ContentLength = int64(size)
		req.Header.Set("Content-Type", kind)
	}
	resp, err := s.browser().Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	r.Read(b)
	return b
}

// files are those in the server's directory of uploads, without what is on its
// way in.
func (s *server) files(t *testing.T, glob string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(s.dir, "data", "uploads", glob))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestUploadRefusals: what clients do wrong on the wire, with bodies that the
// server does not want.
func TestUploadRefusals(t *testing.T) {
	s := newUploads(t, "limits.disk_free = 0\nhttp.body_timeout = \"1s\"")
	s.add("romeo")
	c := login(t, s, "romeo")
	big := noise(5 << 20)
	p, q := c.place(t, "a.jpg", "image/jpeg", len(big)-1), c.place(t, "b.jpg", "image/jpeg", len(big))
	for _, row := range []struct {
		what, url, kind string
		want            int
	}{
		{"one byte more", p.Put.URL, "image/jpeg", 413},
		{"another type", q.Put.URL, "text/html", 415},
		{"no proof", p.Get.URL, "image/jpeg", 403},
	} {
		if status, text, err := s.ask("PUT", row.url, row.kind, bytes.NewReader(big), len(big)); err != nil || status != row.want {
			t.Errorf("%s: got %d %s, %v, want %d", row.what, status, text, err, row.want)
		}
	}
	target := p.Put.URL[strings.Index(p.Put.URL, "/upload/"):]
	path, query, _ := strings.Cut(target, "?")
	for _, row := range []struct{ what, request, want string }{
		{"no length", "PUT " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n", "411"},
		{"two ways to end", "PUT " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
		{"chunks", "PUT " + target + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", "411"},
		{"less than nothing", "PUT " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", "400"},
		{"nothing", "PUT " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "400"},
		{"up and away", "GET /upload/../../main.db HTTP/1.1\r\nHost: localhost\r\n\r\n", "307"},
		{"the same in disguise", "GET /upload/%2e%2e%2fmain.db/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
		{"two slashes", "GET /" + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n", "307"},
		{"what is not there", "GET " + path + "?" + query + " HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
		{"too early", "PUT " + target + fmt.Sprintf(" HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(big)), "413"},
		{"go on", "PUT " + target + fmt.Sprintf(" HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(big)-1), "100"},
		{"a body that never comes", "PUT " + target + fmt.Sprintf(" HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\nhe", len(big)-1), ""},
	} {
		if got := s.raw(t, row.request); got != row.want {
			t.Errorf("%s: got %q, want %q", row.what, got, row.want)
		}
	}
	for end := time.Now().Add(patience); len(s.files(t, "tmp/*")) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("left is %v", s.files(t, "tmp/*"))
		}
	}
	if status, text, err := s.ask("PUT", p.Put.URL, "image/jpeg", bytes.NewReader(big[1:]), len(big)-1); err != nil || status != 201 {
		t.Errorf("after all that: %d %s, %v", status, text, err)
	}
}

// raw sends bytes over HTTPS and returns the status of the answer, "" if the
// server just closes.
func (s *server) raw(t *testing.T, request string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", s.https, s.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.Fields(line)[1]
}

// TestUploadMemory has 100 clients upload 10 MB each at once, over HTTPS, and
// then fetch them: the server holds some hundred kB for each, not files. It
// answers others meanwhile.
func TestUploadMemory(t *testing.T) {
	const size = 10_000_000
	s := newUploads(t, "limits.disk_free = 0\nupload.per_user = 0\nupload.per_day = 0\nlimits.connections_per_address = 0")
	s.add("romeo")
	c := login(t, s, "romeo")
	var places []slot
	for range 100 {
		places = append(places, c.place(t, "a.bin", "image/png", size))
	}
	data := noise(size)
	together := c.atOnce(t, s, "uploads", places, func(p slot) {
		if status, text, err := s.ask("PUT", p.Put.URL, "image/png", bytes.NewReader(data), size); err != nil || status != 201 {
			t.Errorf("PUT: %d %s, %v", status, text, err)
		}
	})
	if together < len(places)*3/4 {
		t.Errorf("only %d uploads were at once", together)
	}
	c.atOnce(t, s, "downloads", places, func(p slot) {
		resp, err := s.browser().Get(p.Get.URL)
		if err != nil {
			t.Errorf("GET: %v", err)
			return
		}
		defer resp.Body.Close()
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != size {
			t.Errorf("GET: %d bytes, %v", n, err)
		}
	})
}

// atOnce does something with all places at once, and watches the server. It
// returns how many uploads it saw at a time.
func (c *raw) atOnce(t *testing.T, s *server, what string, places []slot, do func(p slot)) (together int) {
	t.Helper()
	const most = 80 << 20 // bytes of memory that may be added
	before, began := s.memory(t), time.Now()
	var all sync.WaitGroup
	for _, p := range places {
		all.Go(func() { do(p) })
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	peak, slowest := before, time.Duration(0)
	for over := false; !over; {
		select {
		case <-done:
			over = true
		case <-time.After(10 * time.Millisecond):
			peak = max(peak, s.memory(t))
			together = max(together, len(s.files(t, "tmp/*")))
			slowest = max(slowest, c.ping(t))
		}
	}
	t.Logf("%d %s in %v: memory went from %d to %d MiB, a ping took %v at most", len(places), what, time.Since(began).Round(time.Millisecond), before>>20, peak>>20, slowest)
	if peak-before > most {
		t.Errorf("%s took %d MiB, want at most %d", what, (peak-before)>>20, most>>20)
	}
	if slowest > 2*time.Second { // more and others notice
		t.Errorf("a ping took %v", slowest)
	}
	return together
}

// ping returns how long the server takes to answer.
func (c *raw) ping(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	if err := c.send("<iq type='get' id='ping' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", domain); err != nil {
		t.Fatal(err)
	}
	c.until(t, "a pong", func(e *element) bool { return e.ID == "ping" })
	return time.Since(began)
}

// memory is what the server's process has of its own: anonymous pages, as the
// kernel counts them.
func (s *server) memory(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// TestUploadsGo with their account, and by the operator's command; at once for
// whoever has the address, and from the disk.
func TestUploadsGo(t *testing.T) {
	s := newUploads(t, "")
	s.add("romeo", "juliet")
	data := noise(70_000)
	places := map[string]slot{}
	for _, name := range []string{"romeo", "juliet"} {
		places[name] = login(t, s, name).place(t, "a.jpg", "image/jpeg", len(data))
		if status, text, err := s.ask("PUT", places[name].Put.URL, "image/jpeg", bytes.NewReader(data), len(data)); err != nil || status != 201 {
			t.Fatalf("PUT: %d %s, %v", status, text, err)
		}
	}
	if got, want := s.command(t, "upload", "list"), "       1 files      68 KiB  juliet@localhost\n       1 files      68 KiB  romeo@localhost\n       2 files     136 KiB  of 2 accounts\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	want := func(name string, status int) {
		t.Helper()
		if got, _, err := s.ask("GET", places[name].Get.URL, "", nil, 0); err != nil || got != status {
			t.Errorf("GET of %s's file: %d, %v, want %d", name, got, err, status)
		}
	}
	s.command(t, "account", "remove", "romeo@"+domain)
	want("romeo", 404)
	want("juliet", 200)
	s.command(t, "upload", "remove", "juliet@"+domain)
	want("juliet", 404)
	for end := time.Now().Add(patience); len(s.files(t, "??/*")) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("left is %v", s.files(t, "??/*"))
		}
	}
	if status, text, err := s.ask("PUT", places["romeo"].Put.URL, "image/jpeg", bytes.NewReader(data), len(data)); err != nil || status != 410 {
		t.Errorf("PUT to a place that is gone: %d %s, %v", status, text, err)
	}
}

// command runs meerkat with that on its command line, and returns what it says.
func (s *server) command(t *testing.T, words ...string) string {
	t.Helper()
	args := append([]string{words[0], "-config", s.config()}, words[1:]...)
	out, err := exec.Command(binary.path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("meerkat %v: %v: %s", words, err, out)
	}
	return string(out)
}
