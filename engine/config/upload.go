package config

import (
	"fmt"
	"mime"
	"strings"
)

// Upload is the section "upload": files that users send each other (XEP-0363).
type Upload struct {
	Name        string   `toml:"name" default:"upload" doc:"What stands before each of domains, with a dot between, as the address of the service that clients ask where to put a file. \"\" is no uploads. There are none either unless http.tls_listen or http.listen is set. Files that are there already stay until they are too old."`
	MaxSize     Size     `toml:"max_size" default:"100MiB" min:"1KiB" max:"1PiB" reload:"live" doc:"Largest file. Whoever wants to send a larger one hears file-too-large."`
	PerUser     Size     `toml:"per_user" default:"1GiB" min:"1KiB" max:"1PiB" zero:"no limit" reload:"live" doc:"Bytes of files that one account may have here. Who has no room left hears resource-constraint, and when the oldest file goes."`
	PerDay      Size     `toml:"per_day" default:"500MiB" min:"1KiB" max:"1PiB" zero:"no limit" reload:"live" doc:"Bytes that one account may upload in a day of UTC."`
	FilesPerDay int      `toml:"files_per_day" default:"1000" min:"1" max:"10000000" zero:"no limit" reload:"live" doc:"Files that one account may upload in a day of UTC."`
	Retention   Duration `toml:"retention" default:"90d" min:"1m" max:"36500d" zero:"for ever" reload:"live" doc:"How long a file is kept. An older one cannot be fetched, and goes from the disk some minutes later."`
	SlotTime    Duration `toml:"slot_time" default:"5m" min:"1s" max:"24h" reload:"live" doc:"How long a client has to begin the upload after it was told where to."`
	Inline      []string `toml:"inline" default:"image/*, audio/*, video/*" reload:"live" doc:"Types of files that a browser may show in place, as \"image/png\" or \"image/*\". All others it saves; SVG and everything else that is XML it saves in any case."`
}

// Uploads reports whether there is a service for uploads.
func (c *Config) Uploads() bool {
	return c.Upload.Name != "" && len(c.HTTP.Listen)+len(c.HTTP.TLSListen) > 0
}

// Check reports what the tags cannot say.
func (u *Upload) Check(domains []string, rooms string) error {
	if strings.ContainsAny(u.Name, "@/ \t\r\n\"'<>&") {
		return fmt.Errorf("upload.name is %q, which cannot begin a domain", u.Name)
	}
	if u.Name != "" && strings.EqualFold(u.Name, rooms) {
		return fmt.Errorf("upload.name and rooms.name are both %q", u.Name)
	}
	for _, d := range domains {
		for _, other := range domains {
			if u.Name != "" && strings.EqualFold(u.Name+"."+d, other) {
				return fmt.Errorf("upload.name makes %q the domain of uploads, which is among domains", other)
			}
		}
	}
	for _, t := range u.Inline {
		if _, params, err := mime.ParseMediaType(t); err != nil || len(params) > 0 || strings.Count(t, "/") != 1 {
			return fmt.Errorf("upload.inline has %q: want a type, as \"image/png\" or \"image/*\"", t)
		}
	}
	return nil
}

// Shows reports whether a browser may show a file of that type, in lower case
// without parameters, in place.
func (u *Upload) Shows(mediaType string) bool {
	if strings.HasSuffix(mediaType, "+xml") || strings.HasSuffix(mediaType, "/xml") || strings.HasPrefix(mediaType, "image/svg") {
		return false
	}
	for _, t := range u.Inline {
		kind, any := strings.CutSuffix(t, "*")
		if any && strings.HasPrefix(mediaType, strings.ToLower(kind)) || strings.EqualFold(t, mediaType) {
			return true
		}
	}
	return false
}
