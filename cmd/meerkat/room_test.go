package main

import (
	"fmt"
	"strings"
	"testing"
)

// An operator sees rooms, puts somebody in charge, and ends one; who is in it
// hears of it. One that is not there, or a server that does not run, is said so.
func TestRoomsOfARunningServer(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	if _, errs, code := meerkat(t, dir, "secret\n", "account", "add", "romeo@localhost", "-password-stdin", "-config", "meerkat.toml"); code != 0 {
		t.Fatal(errs)
	}
	if _, errs, code := meerkat(t, dir, "", "room", "list", "-config", "meerkat.toml"); code != 1 || !strings.Contains(errs, "no server is running") {
		t.Errorf("room list without a server: status %d, %q", code, errs)
	}
	r := start(t, dir)
	s, raw, err := login(r.addrs[0], "romeo@localhost/x", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := s.Conn()
	fmt.Fprint(c, "<presence to='hall@conference.localhost/romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>"+
		"<iq type='set' id='c' to='hall@conference.localhost'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"+
		"<field var='muc#roomconfig_roomname'><value>Great hall</value></field><field var='muc#roomconfig_persistentroom'><value>1</value></field></x></query></iq>")
	until(t, c, `id=['"]c['"]`)
	for _, row := range []struct {
		args string
		code int
		want string
	}{
		{"list", 0, "hall@conference.localhost                    1  persistent  Great hall\n"},
		{"list x", 0, ""},
		{"list hall@", 0, "hall@conference.localhost                    1  persistent  Great hall\n"},
		{"affiliation hall@conference.localhost juliet@localhost outcast", 0, "juliet@localhost has the affiliation outcast in hall@conference.localhost\n"},
		{"affiliation hall@conference.localhost romeo@localhost none", 1, "a room needs an owner"},
		{"affiliation hall@conference.localhost juliet@localhost king", 1, `"king" is none of owner`},
		{"affiliation hall@conference.localhost juliet@localhost", 2, "try: meerkat room"},
		{"show hall@conference.localhost", 0, "room         hall@conference.localhost\nname         Great hall\noccupants    1\nkind         persistent, listed\nowner        romeo@localhost\noutcast      juliet@localhost\n"},
		{"show attic@conference.localhost", 1, "attic@conference.localhost: there is no such room"},
		{"show hall@example.org", 1, "hall@example.org: there is no such room"},
		{"destroy -venue attic@conference.localhost -reason noise hall@conference.localhost", 0, "hall@conference.localhost destroyed\n"},
		{"destroy hall@conference.localhost", 1, "hall@conference.localhost: there is no such room"},
		{"list", 0, ""},
		{"", 2, "try: meerkat room"},
		{"list a b", 2, "try: meerkat room"},
	} {
		args := strings.Fields(row.args)
		if len(args) > 0 {
			args = append([]string{args[0], "-config", "meerkat.toml"}, args[1:]...)
		}
		out, errs, code := meerkat(t, dir, "", append([]string{"room"}, args...)...)
		if said := out + strings.TrimPrefix(errs, "meerkat: "); code != row.code || !strings.HasPrefix(said, row.want) || row.want == "" && said != "" {
			t.Errorf("room %s: status %d, %q, %q, want %d, %q", row.args, code, out, errs, row.code, row.want)
		}
	}
	until(t, c, `<destroy jid='attic@conference.localhost'><reason>noise</reason></destroy>`)
}
