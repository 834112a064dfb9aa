package config

import (
	"fmt"
	"strings"
)

// Rooms is the section "rooms": multi-user chat (XEP-0045).
type Rooms struct {
	Name        string `toml:"name" default:"conference" doc:"What stands before each of domains, with a dot between, as the domain of its rooms. \"\" is no rooms. Rooms of another name stay in the store."`
	Create      string `toml:"create" default:"anybody" values:"anybody admins" reload:"live" doc:"Who may make rooms: every account of domains, or those of admin.accounts."`
	PerUser     int    `toml:"per_user" default:"100" min:"1" max:"1000000" zero:"no limit" reload:"live" doc:"Rooms that one account may own. Who wants one more hears resource-constraint."`
	Occupants   int    `toml:"occupants" default:"1000" min:"2" max:"20000" reload:"live" doc:"Occupants of one room. An owner may choose less; owners and admins of a room get in in any case."`
	Affiliated  int    `toml:"affiliated" default:"5000" min:"10" max:"1000000" reload:"live" doc:"Owners, admins, members and banned users of one room together."`
	History     int    `toml:"history" default:"20" min:"1" max:"1000" zero:"none" reload:"live" doc:"Messages that a room remembers for who enters. An owner may choose less. They are in memory while anybody is in the room; of a room with an archive they come from there when somebody enters again."`
	Archive     bool   `toml:"archive" default:"true" reload:"live" doc:"New rooms keep what is said in an archive, as long as they are persistent and archive.enabled is true; an owner may choose otherwise. What is said there goes to the others once it is on disk."`
	HistorySize Size   `toml:"history_size" default:"256KiB" min:"1KiB" max:"100MiB" reload:"live" doc:"Bytes of those messages, of one room."`
	Subject     Size   `toml:"subject" default:"4KiB" min:"100B" max:"64KiB" reload:"live" doc:"Largest subject of a room. A larger one is answered with not-acceptable."`
	Presence    Size   `toml:"presence" default:"16KiB" min:"1KiB" max:"1MiB" reload:"live" doc:"Largest presence of an occupant. A room remembers it and shows it to everybody who enters. A larger one is answered with policy-violation."`

	UserMessages int `toml:"user_messages" default:"10" min:"1" max:"10000" zero:"no limit" reload:"live" doc:"Messages a second that one user may have told to everybody in one room, in the long run; ten seconds' worth at once. One more is answered with resource-constraint. Bridges that speak for many need more."`
	UserChanges  int `toml:"user_changes" default:"10" min:"1" max:"10000" zero:"no limit" reload:"live" doc:"How often a second one user may enter one room, or change nick or presence in it; ten seconds' worth at once."`
	Messages     int `toml:"messages" default:"100" min:"1" max:"100000" zero:"no limit" reload:"live" doc:"Messages a second to one room, of all its occupants together; ten seconds' worth at once."`
	Changes      int `toml:"changes" default:"500" min:"1" max:"100000" zero:"no limit" reload:"live" doc:"Changes a second in one room, of all its occupants together; ten seconds' worth at once. Entering a large room is one for each of many users, after a restart for all of them within seconds."`
}

// Check reports what the tags cannot say.
func (r *Rooms) Check(domains []string) error {
	if strings.ContainsAny(r.Name, "@/ \t\r\n\"'<>&") {
		return fmt.Errorf("rooms.name is %q, which cannot begin a domain", r.Name)
	}
	for _, d := range domains {
		for _, other := range domains {
			if r.Name != "" && strings.EqualFold(r.Name+"."+d, other) {
				return fmt.Errorf("rooms.name makes %q the domain of rooms, which is among domains", other)
			}
		}
	}
	return nil
}
