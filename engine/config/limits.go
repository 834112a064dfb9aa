package config

// Limits is the section "limits": what one client may take from the others.
// Every hit is counted in a metric.
type Limits struct {
	// One element.
	PreAuthStanza   Size `toml:"pre_auth_stanza" default:"8KiB" min:"1KiB" max:"16MiB" doc:"Largest element, and largest stream header, from a client that has not logged in. A larger one closes the stream with policy-violation."`
	Stanza          Size `toml:"stanza" default:"256KiB" min:"10000B" max:"16MiB" doc:"Largest stanza from a client. A larger one closes the stream with policy-violation. RFC 6120 §13.12 forbids less than 10000 bytes."`
	PreAuthDepth    int  `toml:"pre_auth_depth" default:"16" min:"4" max:"1024" doc:"Deepest nesting of elements before login."`
	Depth           int  `toml:"depth" default:"64" min:"8" max:"1024" doc:"Deepest nesting of elements in a stanza."`
	Attributes      int  `toml:"attributes" default:"256" min:"16" max:"65536" doc:"Most attributes and namespace declarations of one element."`
	PreAuthElements int  `toml:"pre_auth_elements" default:"32" min:"8" max:"100000" doc:"Most elements inside one element before login."`
	Elements        int  `toml:"elements" default:"10000" min:"100" max:"10000000" doc:"Most elements inside one stanza."`

	// Before login.
	AuthTimeout             Duration `toml:"auth_timeout" default:"60s" min:"100ms" max:"24h" doc:"Time from accept to a bound session, TLS included, whatever trickles in."`
	LoginFailuresPerStream  int      `toml:"login_failures_per_stream" default:"5" min:"1" max:"1000000" zero:"no limit" doc:"Failed logins before a stream is closed. RFC 6120 §6.4.5 wants at least 2 retries."`
	LoginFailuresPerAddress int      `toml:"login_failures_per_address" default:"20" min:"1" max:"1000000" zero:"no limit" reload:"live" doc:"Failed logins before an address (a /64 of IPv6) is shut out for login_block. Raise it where many users share an address."`
	LoginBlock              Duration `toml:"login_block" default:"10m" min:"100ms" max:"720h" reload:"live" doc:"How long an address is shut out, and how long its failures count."`
	ConnectionsPerAddress   int      `toml:"connections_per_address" default:"100" min:"1" max:"10000000" zero:"no limit" doc:"Connections of one address (a /64 of IPv6) that have not logged in yet. More are closed at once."`
	Unauthenticated         int      `toml:"unauthenticated" default:"10000" min:"10" max:"10000000" zero:"no limit" doc:"Connections that have not logged in yet, of all addresses. For more, those who have been at it longest are closed, if that is two seconds or more, and else the new ones."`
	RegistrationsPerAddress int      `toml:"registrations_per_address" default:"1" min:"1" max:"1000000" zero:"no limit" reload:"live" doc:"Accounts that one address (a /64 of IPv6) may make in registration_interval."`
	RegistrationInterval    Duration `toml:"registration_interval" default:"10m" min:"100ms" max:"720h" reload:"live" doc:"See registrations_per_address."`
	ScramIterations         int      `toml:"scram_iterations" default:"10000" min:"4096" max:"1000000" doc:"Rounds of the key derivation for passwords set from now on. More make a stolen database harder to guess from, and logins slower on the phones of your users."`

	// A session.
	SessionsPerUser int  `toml:"sessions_per_user" default:"20" min:"1" max:"1000000" zero:"no limit" reload:"live" doc:"Sessions one account may have at a time."`
	BytesPerSecond  Size `toml:"bytes_per_second" default:"100kB" min:"1kB" max:"10GB" zero:"no limit" doc:"Bytes a second that are read from one session. Above it reading pauses; nothing is dropped."`
	Burst           Size `toml:"burst" default:"1MB" min:"1kB" max:"10GB" doc:"Bytes a session may send at full speed before bytes_per_second counts."`
	BytesPerTurn    Size `toml:"bytes_per_turn" default:"64KiB" min:"1KiB" max:"16MiB" doc:"Bytes of one connection that a loop handles before it turns to the next."`
	StanzasPerTurn  int  `toml:"stanzas_per_turn" default:"64" min:"1" max:"1000000" doc:"Stanzas of one connection that a loop handles before it turns to the next."`

	Strangers int `toml:"strangers" default:"100" min:"1" max:"1000000" zero:"no limit" reload:"live" doc:"Others who are not in its roster that one account may write to, or ask for their presence, in an hour. The accounts of admin.accounts have no limit."`

	// Slow readers.
	OutputSoft  Size     `toml:"output_soft" default:"1MiB" min:"4KiB" max:"1GiB" doc:"Bytes waiting for a client above which nothing more is read from that same client."`
	OutputHard  Size     `toml:"output_hard" default:"4MiB" min:"16KiB" max:"1GiB" doc:"Bytes waiting for a client above which it is closed. Its messages go to the offline store."`
	OutputStall Duration `toml:"output_stall" default:"60s" min:"1s" max:"24h" doc:"Time a client may take none of the bytes waiting for it before it is closed."`

	// Sessions whose client says that nobody looks (XEP-0352).
	InactiveBytes Size `toml:"inactive_bytes" default:"64KiB" min:"1KiB" max:"16MiB" zero:"nothing" reload:"live" doc:"Bytes of presence, chat states and events held back for a client that says that nobody looks at it. With more all of it goes out."`

	// Sessions whose client has lost its connection (XEP-0198).
	ResumeTime    Duration `toml:"resume_time" default:"5m" min:"1s" max:"24h" reload:"live" doc:"Time a session waits for its client to come back and resume it. Longer bridges longer tunnels; shorter lets contacts see sooner that somebody is gone, and costs less memory."`
	ResumeStanzas int      `toml:"resume_stanzas" default:"1000" min:"10" max:"1000000" doc:"Stanzas kept for a session until its client has acknowledged them. With more the session ends, and its messages go to the offline store; a client that is connected is given output_stall to catch up."`
	ResumeBytes   Size     `toml:"resume_bytes" default:"4MiB" min:"16KiB" max:"1GiB" doc:"Bytes of stanzas kept for a session until its client has acknowledged them."`

	// All sessions together.
	Memory int `toml:"memory" default:"92" min:"50" max:"99" zero:"no limit" reload:"live" doc:"Percent of the memory of the machine, or of its cgroup, that may be in use. Above it new streams end with resource-constraint, and those who are online stay; an alarm comes before. How many sessions that is, says meerkat plan."`

	// What is kept.
	OfflineMessages int      `toml:"offline_messages" default:"500" min:"1" max:"1000000000" zero:"no limit" reload:"live" doc:"Messages kept for an account that is away. The sender of one more hears resource-constraint."`
	OfflineBytes    Size     `toml:"offline_bytes" default:"10MiB" min:"1KiB" max:"1TiB" zero:"no limit" reload:"live" doc:"Bytes of messages kept for an account that is away."`
	Blocklist       int      `toml:"blocklist" default:"1000" min:"1" max:"100000" zero:"no limit" reload:"live" doc:"Addresses that one account may block, and rules in one of its privacy lists."`
	PrivateBytes    Size     `toml:"private_bytes" default:"1MB" min:"1kB" max:"1GB" zero:"no limit" reload:"live" doc:"Bytes of private XML that the clients of one account may keep (XEP-0049)."`
	VCardBytes      Size     `toml:"vcard_bytes" default:"256kB" min:"1kB" max:"16MB" zero:"no limit" reload:"live" doc:"Bytes of one card, picture included (XEP-0054)."`
	AvatarBytes     Size     `toml:"avatar_bytes" default:"180kB" min:"1kB" max:"12MB" zero:"no limit" reload:"live" doc:"Bytes of a picture of a user, not encoded (XEP-0084, XEP-0153). In a card or a node it takes a third more: see vcard_bytes and pep_item_bytes."`
	RosterItems     int      `toml:"roster_items" default:"2000" min:"1" max:"10000000" zero:"no limit" reload:"live" doc:"Contacts in one roster."`
	Capabilities    int      `toml:"capabilities" default:"5000" min:"10" max:"1000000" reload:"live" doc:"Sets of capabilities of clients that are remembered (XEP-0115), each for all clients alike. A client whose set is not known is asked once it is available."`
	PEPNodes        int      `toml:"pep_nodes" default:"500" min:"1" max:"100000" zero:"no limit" reload:"live" doc:"Nodes for personal events that one account may have (XEP-0163)."`
	PEPItems        int      `toml:"pep_items" default:"256" min:"1" max:"100000" reload:"live" doc:"Items that one of these nodes may keep, and what max_items = max means. The oldest make room for new ones."`
	PEPItemBytes    Size     `toml:"pep_item_bytes" default:"256kB" min:"1kB" max:"16MB" zero:"no limit" reload:"live" doc:"Bytes of one item. Who publishes a larger one hears payload-too-big."`
	PEPBytes        Size     `toml:"pep_bytes" default:"20MB" min:"10kB" max:"100GB" zero:"no limit" reload:"live" doc:"Bytes of all items of one account together."`
	Commands        int      `toml:"commands" default:"10" min:"1" max:"10000" zero:"no limit" reload:"live" doc:"Ad-hoc commands that one account may have begun and not ended."`
	CommandTime     Duration `toml:"command_time" default:"10m" min:"1s" max:"24h" reload:"live" doc:"Time for one step of an ad-hoc command. Who comes later begins anew."`
	DiskFree        Size     `toml:"disk_free" default:"512MiB" min:"16MiB" max:"1PiB" zero:"no alarm" reload:"live" doc:"Free space on the disk of the data directory below which an alarm is raised."`
}
