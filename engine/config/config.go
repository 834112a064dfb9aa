// Package config reads what the operator wants: one TOML file into one struct
// whose tags are the manual. It knows nothing of what the options do.
//
// A field is an option when it has a toml tag. The other tags are:
//
//	default  its value when the file does not say, in the manual's spelling
//	min,max  the ends of its range, inclusive
//	zero     what 0 means, where 0 is allowed outside the range
//	values   all there is to choose from, separated by spaces
//	reload   "live" if a reload brings it into effect, else it needs a restart
//	doc      what it is and when to change it, as `meerkat config doc` prints it
package config

// Config is the whole file. It is read-only once loaded; a reload makes a new
// one.
type Config struct {
	Domains  []string `toml:"domains" default:"localhost" doc:"The domains served: what stands behind the @ of an account's address. Accounts of a domain that leaves this list stay in the store and cannot log in."`
	Data     string   `toml:"data" default:"/var/lib/meerkat" doc:"The directory of the database, the admin socket and the certificate made at the first start. It needs a local disk: the database is mapped into memory. The flag -data wins over it."`
	TLS      TLS      `toml:"tls"`
	C2S      C2S      `toml:"c2s"`
	HTTP     HTTP     `toml:"http"`
	SASL     SASL     `toml:"sasl"`
	Register Register `toml:"register"`
	Admin    Admin    `toml:"admin"`
	Contact  Contact  `toml:"contact"`
	External External `toml:"external"`
	Archive  Archive  `toml:"archive"`
	Rooms    Rooms    `toml:"rooms"`
	PubSub   PubSub   `toml:"pubsub"`
	Upload   Upload   `toml:"upload"`
	Push     Push     `toml:"push"`
	Invites  Invites  `toml:"invites"`
	Reports  Reports  `toml:"reports"`
	Limits   Limits   `toml:"limits"`
	Loops    Loops    `toml:"loops"`
	Metrics  Metrics  `toml:"metrics"`
	Log      Log      `toml:"log"`
}

// TLS is the section "tls", which all listeners share.
type TLS struct {
	Certificates []Certificate `toml:"certificates" default:"" reload:"live" doc:"Certificate chains with their keys, PEM files, as {cert = \"chain.pem\", key = \"key.pem\"}. A client gets the first whose names cover the domain it asked for, else the first. Without any, a self-signed one is made in the data directory, which clients ask their user to trust."`
	MinVersion   string        `toml:"min_version" default:"1.2" values:"1.2 1.3" reload:"live" doc:"Oldest version of TLS. 1.3 shuts out clients from before about 2019."`
}

// Certificate names the files of one certificate.
type Certificate struct {
	Cert string `toml:"cert"` // PEM, the leaf first
	Key  string `toml:"key"`  // PEM
}

// C2S is the section "c2s": connections of clients (RFC 6120).
type C2S struct {
	Listen         []string `toml:"listen" default:":5222" doc:"Addresses, host:port, for TCP with STARTTLS. Without a host: every address of this box."`
	DirectTLS      []string `toml:"direct_tls" default:":5223" doc:"Addresses, host:port, for TLS from the first byte (XEP-0368)."`
	ResumeLocation string   `toml:"resume_location" default:"" reload:"live" doc:"Where clients are to come back to when they have lost their connection, as \"xmpp.example.org:5223\" (XEP-0198). Without it they look for the server anew. For boxes that share a name."`
	RequireTLS     bool     `toml:"require_tls" default:"true" doc:"Nobody logs in without TLS. false only for load tests, or behind something that ends TLS on this box."`
}

// SASL is the section "sasl": how clients log in.
type SASL struct {
	Mechanisms []string `toml:"mechanisms" default:"SCRAM-SHA-512-PLUS, SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1, PLAIN" values:"SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN" doc:"The ways to log in that are offered. The -PLUS ones only on a connection with channel binding, PLAIN only under TLS. Leave out the -PLUS ones where something in front of this server ends TLS."`
	TokenLife  Duration `toml:"token_life" default:"14d" min:"1h" max:"366d" doc:"How long a client gets in by the token it was given at its last login (XEP-0484), without the password. It gets a new one in time if it comes at least twice in that span."`
}

// Register is the section "register": accounts made by clients (XEP-0077).
type Register struct {
	Enabled bool `toml:"enabled" default:"false" reload:"live" doc:"Strangers may make accounts. Whoever has one may change its password or remove it either way."`
}

// Admin is the section "admin".
type Admin struct {
	Accounts []string `toml:"accounts" default:"" reload:"live" doc:"Addresses of the accounts that may administer the server, as \"admin@example.org\"."`
}

// Loops is the section "loops": the threads that do the work.
type Loops struct {
	Count   int `toml:"count" default:"0" min:"1" max:"256" zero:"one for each CPU" doc:"Event loops. Each account lives on one. Less than the CPUs leaves room for other programs."`
	Workers int `toml:"workers" default:"0" min:"1" max:"1024" zero:"one for each CPU" doc:"Goroutines for what must not stall a loop: key derivation, the disk, DNS."`
}

// Metrics is the section "metrics".
type Metrics struct {
	Listen string `toml:"listen" default:"127.0.0.1:5290" doc:"Address, host:port, of the HTTP listener for Prometheus at /metrics; \"\" is none. It has no password: keep it on loopback or a network of your own. If the port is taken, the server warns and runs without."`
}

// Log is the section "log". Logs go to standard error.
type Log struct {
	Level  string `toml:"level" default:"info" values:"debug info warn error" reload:"live" doc:"Least level that is logged. What a client can cause is on debug only."`
	Format string `toml:"format" default:"text" values:"text json" doc:"Form of the lines: text for people, json for a log collector."`
}
