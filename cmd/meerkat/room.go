package main

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"

	"meerkat/engine/admin"
	"meerkat/engine/feature/muc"
)

const roomUsage = "try: meerkat room list [PREFIX], show ROOM, destroy [-reason TEXT] [-venue ROOM] ROOM, or affiliation ROOM JID owner|admin|member|none|outcast"

// rooms shows rooms, ends them, and says who is what in them. What is in memory of
// a room is the server's: it has to run.
func rooms(t terminal, args []string) error {
	var s settings
	f := s.flags("room", t)
	reason := f.String("reason", "", "destroy: what those in the room are told")
	venue := f.String("venue", "", "destroy: another room for them to go to")
	rest, err := parse(f, args)
	if err != nil {
		return err
	}
	wanted := map[string]int{"list": min(len(rest)-1, 1), "show": 1, "destroy": 1, "affiliation": 3}
	if n, ok := wanted[strings.Join(rest[:min(len(rest), 1)], "")]; !ok || n != len(rest)-1 {
		return usageError(roomUsage)
	}
	cfg, _, err := s.load()
	if err != nil {
		return err
	}
	client, err := admin.Dial(cfg.Data)
	if errors.Is(err, admin.ErrStopped) {
		return fmt.Errorf("%w; rooms can be seen while it runs: meerkat serve", err)
	}
	if err != nil {
		return err
	}
	defer client.Close()
	r := admin.RoomClient{Client: client}
	switch verb, rest := rest[0], rest[1:]; verb {
	case "list":
		return listRooms(t, r, strings.Join(rest, ""))
	case "show":
		return showRoom(t, r, rest[0])
	case "destroy":
		if err := r.Destroy(rest[0], *reason, *venue); err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "%s destroyed\n", rest[0])
	default:
		if err := r.Affiliate(rest[0], rest[1], rest[2]); err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "%s has the affiliation %s in %s\n", rest[1], rest[2], rest[0])
	}
	return err
}

// listRooms prints the rooms that begin with prefix, one a line: how many are in
// it, what it is, its name.
func listRooms(t terminal, r admin.Rooms, prefix string) error {
	w := bufio.NewWriter(t.out)
	for after := ""; ; {
		page, err := r.List(prefix, after, 1000)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return w.Flush()
		}
		for _, i := range page {
			fmt.Fprintf(w, "%-40s %5d  %-11s %s\n", i.JID, i.Occupants, kindOf(&i), i.Name)
		}
		after = page[len(page)-1].JID
	}
}

func kindOf(i *muc.Info) string {
	if i.Persistent {
		return "persistent"
	}
	return "temporary"
}

func showRoom(t terminal, r admin.Rooms, room string) error {
	i, err := r.Show(room)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(t.out)
	for _, row := range [][2]string{
		{"room", i.JID}, {"name", i.Name}, {"description", i.Description}, {"subject", i.Subject},
		{"occupants", fmt.Sprint(i.Occupants)}, {"kind", strings.Join(traits(&i), ", ")},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "%-12s %s\n", row[0], row[1])
		}
	}
	for _, a := range []string{"owner", "admin", "member", "outcast"} {
		var users []string
		for bare, is := range i.Affiliations {
			if is == a {
				users = append(users, bare)
			}
		}
		slices.Sort(users)
		for _, u := range users {
			fmt.Fprintf(w, "%-12s %s\n", a, u)
		}
	}
	return w.Flush()
}

// traits are what kind of room it is.
func traits(i *muc.Info) []string {
	list := []string{kindOf(i)}
	for _, x := range []struct {
		is   bool
		name string
	}{
		{i.Public, "listed"}, {!i.Public, "hidden"}, {i.MembersOnly, "members only"},
		{i.Moderated, "moderated"}, {i.Protected, "with a password"},
	} {
		if x.is {
			list = append(list, x.name)
		}
	}
	return list
}
