package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mellium.im/xmpp"
	"mellium.im/xmpp/stanza"
)

// Rule 24: a server whose disk is full refuses what it would have to write, with
// a condition, goes on reading and letting in, and writes again once there is
// room. The disk is a small one in a mount namespace of the server's own.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	try := exec.Command("true")
	try.Dir = dir
	if onSmallDisk(try); errors.Is(try.Run(), syscall.EPERM) {
		t.Skip("no user namespaces here")
	}
	r := start(t, dir, onSmallDisk)
	disk := fmt.Sprintf("/proc/%d/root%s", r.cmd.Process.Pid, filepath.Join(dir, "data"))
	for _, name := range []string{"romeo", "juliet"} {
		if _, errs, code := meerkat(t, "/", "secret", "account", "add", name+"@localhost", "-password-stdin", "-data", disk); code != 0 {
			t.Fatalf("account add: status %d, %s", code, errs)
		}
	}
	romeo := serving(t, r.addrs[0], "romeo@localhost")
	name := strings.Repeat("x", 1000)
	set := func(i int) string {
		return query(t, romeo, stanza.SetIQ, fmt.Sprintf("<query xmlns='jabber:iq:roster'><item jid='c%d@localhost' name='%s'/></query>", i, name))
	}
	if got := set(0); got != "result" {
		t.Fatalf("with room: got %s, want a result", got)
	}
	fill(t, filepath.Join(disk, "ballast"))
	refused := 1 // until then the file has free pages
	for ; refused < 1000 && set(refused) == "result"; refused++ {
	}
	if got := set(refused); got != "wait resource-constraint" {
		t.Errorf("with a full disk: got %q after %d contacts, want wait resource-constraint", got, refused)
	}
	juliet := serving(t, r.addrs[0], "juliet@localhost")
	for _, s := range []*xmpp.Session{romeo, juliet} {
		if got := query(t, s, stanza.GetIQ, "<query xmlns='jabber:iq:roster'/>"); got != "result" {
			t.Errorf("reading: got %s, want a result", got)
		}
	}
	if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
		t.Fatal(err)
	}
	if got := set(refused); got != "result" {
		t.Errorf("with room again: got %s, want a result", got)
	}
	r.stop()
}

// onSmallDisk gives a server a data directory of 24 MB.
func onSmallDisk(cmd *exec.Cmd) {
	args := append([]string{"-c", `mount -t tmpfs -o size=24m tmpfs data && exec "$0" "$@"`}, cmd.Args...)
	shell := exec.Command("sh", args...)
	cmd.Path, cmd.Args = shell.Path, shell.Args
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
}

// serving logs in and handles what comes, as a client does.
func serving(t *testing.T, addr, account string) *xmpp.Session {
	t.Helper()
	s, conn, err := login(addr, account, "secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() { _ = s.Serve(nil) }()
	return s
}

// query sends an IQ and returns "result", or the type and condition of the error.
func query(t *testing.T, s *xmpp.Session, kind stanza.IQType, payload string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := s.SendIQElement(ctx, xml.NewDecoder(strings.NewReader(payload)), stanza.IQ{Type: kind})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	var iq struct {
		Type  string       `xml:"type,attr"`
		Error stanza.Error `xml:"error"`
	}
	if err := xml.NewTokenDecoder(answer).Decode(&iq); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if iq.Type != "error" {
		return iq.Type
	}
	return string(iq.Error.Type) + " " + string(iq.Error.Condition)
}

// fill writes a file until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin := time.Now()
	for block := make([]byte, 4096); err == nil && time.Since(begin) < patience; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
}
