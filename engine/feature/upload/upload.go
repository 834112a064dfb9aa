// Package upload tells clients where to put a file that they want to send, and
// where others find it (XEP-0363 1.2.0). The files themselves pass by HTTP.
package upload

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/depot"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	space        = "urn:xmpp:http:upload:0"
	purposeSpace = "urn:xmpp:http:upload:purpose:0"
	infoSpace    = "http://jabber.org/protocol/disco#info"
	itemsSpace   = "http://jabber.org/protocol/disco#items"
	pingSpace    = "urn:xmpp:ping"
	serviceName  = "File upload"
)

// names is what the service can do. Purposes other than these are taken for
// that of a message.
var names = []string{infoSpace, itemsSpace, pingSpace, space, purposeSpace + "#ephemeral", purposeSpace + "#message"}

var (
	slots = metric.NewCounter("meerkat_upload_slots_total",
		"Places promised to clients that want to upload a file.")
	refused = metric.NewCounter("meerkat_upload_slots_refused_total",
		"Requests for a place that were answered with an error, whatever the reason.")
)

// service is that of all domains.
type service struct {
	depot *depot.Depot
	bases map[string]string // by the service's domain: what its URLs begin with
	local map[string]bool   // domains of accounts
}

// New returns the feature, with a service for each domain of accounts if there
// is HTTP for the files.
func New(cfg *config.Config, d *depot.Depot) feature.Feature {
	f := &service{depot: d, bases: make(map[string]string), local: make(map[string]bool)}
	declared := feature.Feature{Name: "upload", Spec: "XEP-0363", Removed: f.removed}
	if !cfg.Uploads() {
		return declared
	}
	for _, name := range cfg.Domains {
		own, err := jid.Domain(name)
		host, err2 := jid.Domain(cfg.Upload.Name + "." + name)
		if err != nil || err2 != nil {
			panic(fmt.Sprintf("upload: %s.%s is no domain", cfg.Upload.Name, name)) // config has checked it
		}
		f.local[own.String()] = true
		f.bases[host.String()] = cfg.HTTP.Base(own.String()) + "/upload/"
		declared.Services = append(declared.Services, feature.Service{
			Host: host.String(), Identity: feature.Identity{Category: "store", Type: "file", Name: serviceName}, Handle: f.handle,
		})
	}
	return declared
}

// goAtOnce is how many files of an account go from the disk right with it. Nobody
// gets at the others any more, and they go by and by.
const goAtOnce = 1000

// removed lets the files of a removed account go.
func (f *service) removed(c *feature.Ctx) func() {
	var ids []depot.ID
	c.View(func(tx *store.Tx) { ids = depot.IDs(tx, c.Owner.String(), goAtOnce) })
	if len(ids) == 0 {
		return nil
	}
	e := c.Env
	return func() {
		// What the queue does not take is swept up later.
		e.Loop.Work(func() { f.depot.Disown(ids) }, nil)
	}
}

// handle takes what is sent to any address of the service.
func (f *service) handle(c *feature.Ctx, s *stanza.Stanza) {
	pl := s.Payload()
	switch {
	case s.Kind == stanza.Presence || s.Kind == stanza.IQ && !s.Request():
	case s.Kind == stanza.Message || s.Type != stanza.Get || s.To.HasLocal() || s.To.IsFull():
		fail(c, s, stanza.ServiceUnavailable)
	case pl.Is("request", space):
		f.request(c, s)
	case pl.Is("query", infoSpace):
		info(c, s)
	case pl.Is("query", itemsSpace):
		c.Result(s, func(b *xml.Builder) { b.Start("query", itemsSpace).End() })
	case pl.Is("ping", pingSpace):
		c.Result(s, nil)
	default:
		fail(c, s, stanza.ServiceUnavailable)
	}
}

func fail(c *feature.Ctx, s *stanza.Stanza, cond stanza.Condition) {
	if s.Bounces() {
		c.Fail(s, cond, "")
	}
}

// info says what the service is, and how large a file may be (§3).
func info(c *feature.Ctx, s *stanza.Stanza) {
	if len(s.Payload().Attr("node")) > 0 {
		c.Fail(s, stanza.ItemNotFound, "")
		return
	}
	c.Result(s, func(b *xml.Builder) {
		b.Start("query", infoSpace)
		b.Start("identity", "").Attr("category", "store").Attr("type", "file").Attr("name", serviceName).End()
		for _, n := range names {
			b.Start("feature", "").Attr("var", n).End()
		}
		form.Start(b, form.Result, space).Value("max-file-size", strconv.FormatInt(int64(c.Config.Upload.MaxSize), 10)).End()
		b.End()
	})
}

// request promises a place (§4) to an account of ours.
func (f *service) request(c *feature.Ctx, s *stanza.Stanza) {
	if !s.From.HasLocal() || !f.local[s.From.Domain()] {
		refused.Add(c.Shard(), 1)
		c.Fail(s, stanza.Forbidden, "")
		return
	}
	q, ok := read(s, c.Now())
	if !ok {
		refused.Add(c.Shard(), 1)
		c.Fail(s, stanza.BadRequest, "")
		return
	}
	id, now, e, answer := depot.NewID(c.Now()), c.Now(), c.Env, c.Later(s)
	base := f.bases[s.To.Domain()]
	c.Update(func(tx *store.Tx) error { return f.depot.Reserve(tx, id, q, now) }, func(err error) {
		if err != nil {
			refused.Add(e.Shard(), 1)
			refuse(answer, err, int64(e.Config.Upload.MaxSize))
			return
		}
		slots.Add(e.Shard(), 1)
		get := base + id.String() + "/" + url.PathEscape(q.Name)
		answer.Result(func(b *xml.Builder) {
			b.Start("slot", space)
			b.Start("put", space).Attr("url", get+"?slot="+f.depot.Sign(id).String()).End()
			b.Start("get", space).Attr("url", get).End()
			b.End()
		})
	})
}

// read reads a request, and reports whether it is one.
func read(s *stanza.Stanza, now time.Time) (q depot.Request, ok bool) {
	e := s.Payload()
	size, err := strconv.ParseInt(string(e.Attr("size")), 10, 64)
	name := string(e.Attr("filename"))
	if err != nil || size <= 0 || name == "" {
		return q, false
	}
	q = depot.Request{Owner: strings.Clone(s.From.BareString()), Name: depot.SafeName(name), Size: size}
	if kind := e.Attr("content-type"); len(kind) > 0 {
		if q.Type, ok = depot.SafeType(string(kind)); !ok {
			return q, false
		}
	}
	if p := e.Child("ephemeral", purposeSpace); p.OK() {
		q.Until, err = time.Parse(time.RFC3339, string(p.Attr("expire-before")))
		return q, err == nil && q.Until.After(now)
	}
	return q, true
}

// refuse says why there is no place (§6).
func refuse(answer *feature.Request, err error, most int64) {
	var quota *depot.Quota
	switch {
	case errors.Is(err, depot.ErrTooLarge):
		text := strconv.FormatInt(most, 10)
		answer.FailWith(stanza.NotAcceptable, "a file may have "+text+" bytes", func(b *xml.Builder) {
			b.Start("file-too-large", space).Start("max-file-size", space).Text(text).End().End()
		})
	case errors.As(err, &quota):
		answer.FailWith(stanza.ResourceConstraint, quota.Text, func(b *xml.Builder) {
			if !quota.Retry.IsZero() {
				b.Start("retry", space).Attr("stamp", quota.Retry.UTC().Format("2006-01-02T15:04:05Z")).End()
			}
		})
	default:
		answer.Error(err)
	}
}
