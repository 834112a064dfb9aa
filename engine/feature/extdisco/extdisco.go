// Package extdisco says where STUN, TURN and other services are, with
// credentials for those that want them (XEP-0215 1.0.0).
package extdisco

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net"
	"strconv"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

const space = "urn:xmpp:extdisco:2"

var asked = metric.NewCounter("meerkat_extdisco_requests_total",
	"Requests for external services and their credentials.")

// New returns the feature. What it tells is an option that a reload can change.
func New() feature.Feature {
	return feature.Feature{
		Name:  "extdisco",
		Spec:  "XEP-0215",
		Disco: []string{space},
		IQ: []feature.IQ{
			feature.GetIQ(feature.Server|feature.Own, space, "services", list),
			feature.GetIQ(feature.Server|feature.Own, space, "credentials", credentials),
		},
	}
}

// list answers with all services, or those of one type (XEP-0215 §3.1, §3.2).
func list(c *feature.Ctx, q *stanza.Stanza) {
	asked.Add(c.Shard(), 1)
	kind := string(q.Payload().Attr("type"))
	c.Result(q, func(b *xml.Builder) {
		b.Start("services", space).OptAttr("type", kind)
		for i := range c.Config.External.Services {
			if s := &c.Config.External.Services[i]; kind == "" || s.Type == kind {
				appendService(c, b, s)
			}
		}
		b.End()
	})
}

// credentials answers for one host and type (XEP-0215 §3.3).
func credentials(c *feature.Ctx, q *stanza.Stanza) {
	asked.Add(c.Shard(), 1)
	e := q.Payload().First()
	host, kind, port := string(e.Attr("host")), string(e.Attr("type")), string(e.Attr("port"))
	if !e.Is("service", space) || e.Next().OK() || host == "" || kind == "" {
		c.Fail(q, stanza.BadRequest, "")
		return
	}
	var found []*config.ExternalService
	for i := range c.Config.External.Services {
		s := &c.Config.External.Services[i]
		h, p, _ := net.SplitHostPort(s.Address)
		if h == host && s.Type == kind && (port == "" || p == port) && (s.Secret != "" || s.Username != "") {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		c.Fail(q, stanza.ItemNotFound, "")
		return
	}
	c.Result(q, func(b *xml.Builder) {
		b.Start("credentials", space)
		for _, s := range found {
			appendService(c, b, s)
		}
		b.End()
	})
}

func appendService(c *feature.Ctx, b *xml.Builder, s *config.ExternalService) {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return // the configuration has been checked
	}
	b.Start("service", "").Attr("type", s.Type).Attr("host", host).Attr("port", port).OptAttr("transport", s.Transport)
	user, password, expires := login(c.Now(), c.Owner.Local(), s)
	if user != "" {
		b.Attr("restricted", "true").Attr("username", user).OptAttr("password", password)
	}
	if !expires.IsZero() {
		b.Attr("expires", expires.UTC().Format("2006-01-02T15:04:05Z"))
	}
	b.End()
}

// login makes credentials for the time that the option says, as TURN servers
// check them that share a secret with us: the name is when it ends, with the
// user behind it, the password its HMAC.
func login(now time.Time, user string, s *config.ExternalService) (name, password string, expires time.Time) {
	if s.Secret == "" {
		return s.Username, s.Password, expires
	}
	lifetime := time.Duration(s.Lifetime)
	if lifetime <= 0 {
		lifetime = 24 * time.Hour
	}
	expires = now.Add(lifetime)
	name = strconv.FormatInt(expires.Unix(), 10) + ":" + user
	mac := hmac.New(sha1.New, []byte(s.Secret))
	mac.Write([]byte(name))
	return name, base64.StdEncoding.EncodeToString(mac.Sum(nil)), expires
}
