package pubsub

import (
	"slices"
	"strconv"
	"strings"

	"meerkat/engine/form"
)

// Access says who may read a node (XEP-0060 §4.5).
type Access uint8

// The access models.
const (
	Open Access = iota
	Presence
	Roster
	Authorize
	Whitelist
)

// PublishModel says who may publish (XEP-0060 §16.4.3, pubsub#publish_model).
type PublishModel uint8

// The publish models.
const (
	Publishers PublishModel = iota
	Subscribers
	Anybody
)

// SendLast says when the last item is sent unasked.
type SendLast uint8

// Never, to new subscribers, and to who has just become available as well.
const (
	Never SendLast = iota
	OnSub
	OnSubAndPresence
)

// The words for them in forms.
var (
	accessNames  = []string{"open", "presence", "roster", "authorize", "whitelist"}
	publishNames = []string{"publishers", "subscribers", "open"}
	lastNames    = []string{"never", "on_sub", "on_sub_and_presence"}
	typeNames    = []string{"headline", "normal"}
)

// Max as Config.MaxItems is as many as the limit of the day allows.
const Max = -1

// Config is how a node is set up (XEP-0060 §8.2).
type Config struct {
	Title, Description, Language string
	Type                         string // namespace of the payload
	Groups                       []string
	MaxItems                     int // or Max
	MaxPayload                   int // bytes; 0: the limit of the day
	Access                       Access
	Publish                      PublishModel
	Last                         SendLast
	Normal                       bool // events are messages of type normal, not headline

	Persist, Deliver, Payloads                           bool
	NotifyConfig, NotifyDelete, NotifyRetract, NotifySub bool
}

// PersonalConfig is that of a node of an account that nobody has set up
// (XEP-0163 §5); ServiceConfig that of one of a service.
var (
	PersonalConfig = Config{
		MaxItems: 1, Access: Presence, Last: OnSubAndPresence,
		Persist: true, Deliver: true, Payloads: true, NotifyDelete: true, NotifyRetract: true,
	}
	ServiceConfig = Config{
		MaxItems: 10, Access: Open, Last: OnSub,
		Persist: true, Deliver: true, Payloads: true, NotifyDelete: true, NotifyRetract: true,
	}
)

// equal reports whether two nodes are set up alike.
func (c *Config) equal(o *Config) bool {
	for _, opt := range options {
		if !slices.Equal(opt.get(c), opt.get(o)) {
			return false
		}
	}
	return true
}

// option is a field of the form (XEP-0060 §16.4.4).
type option struct {
	form.Def
	get  func(c *Config) []string
	set  func(c *Config, f form.Field) bool // false: no such value
	copy func(to, from *Config)
}

const prefix = "pubsub#"

// options are all fields that a node can be set up with, in the order of the
// form.
var options = []option{
	text("title", "Name", func(c *Config) *string { return &c.Title }),
	text("description", "Description", func(c *Config) *string { return &c.Description }),
	language,
	text("type", "Namespace of the payload", func(c *Config) *string { return &c.Type }),
	list("access_model", "Who may read", accessNames, func(c *Config) *uint8 { return (*uint8)(&c.Access) }),
	{form.Def{Var: prefix + "roster_groups_allowed", Type: form.ListMulti, Label: "Roster groups that may read", Open: true},
		func(c *Config) []string { return c.Groups }, setGroups, func(to, from *Config) { to.Groups = from.Groups }},
	list("publish_model", "Who may publish", publishNames, func(c *Config) *uint8 { return (*uint8)(&c.Publish) }),
	boolean("persist_items", "Items are kept", func(c *Config) *bool { return &c.Persist }),
	{form.Def{Var: prefix + "max_items", Type: form.TextSingle, Label: "Most items that are kept, or max"}, getMax, setMax,
		func(to, from *Config) { to.MaxItems = from.MaxItems }},
	{form.Def{Var: prefix + "max_payload_size", Type: form.TextSingle, Label: "Largest payload in bytes; 0 is the limit of the server"},
		func(c *Config) []string { return []string{strconv.Itoa(c.MaxPayload)} }, setMaxPayload,
		func(to, from *Config) { to.MaxPayload = from.MaxPayload }},
	list("send_last_published_item", "When the last item is sent", lastNames, func(c *Config) *uint8 { return (*uint8)(&c.Last) }),
	boolean("deliver_notifications", "Events are sent", func(c *Config) *bool { return &c.Deliver }),
	boolean("deliver_payloads", "Events have the payload", func(c *Config) *bool { return &c.Payloads }),
	boolean("notify_config", "Subscribers hear of changes of this form", func(c *Config) *bool { return &c.NotifyConfig }),
	boolean("notify_delete", "Subscribers hear of the end of the node", func(c *Config) *bool { return &c.NotifyDelete }),
	boolean("notify_retract", "Subscribers hear of items that are removed", func(c *Config) *bool { return &c.NotifyRetract }),
	boolean("notify_sub", "Owners hear of subscribers", func(c *Config) *bool { return &c.NotifySub }),
	{form.Def{Var: prefix + "notification_type", Type: form.ListSingle, Label: "Type of the messages with events", Options: choices(typeNames)},
		func(c *Config) []string { return []string{typeNames[index(c.Normal)]} }, setType,
		func(to, from *Config) { to.Normal = from.Normal }},
	{form.Def{Var: prefix + "node_type", Type: form.ListSingle, Label: "Kind of the node", Options: choices([]string{leaf})},
		func(*Config) []string { return []string{leaf} }, isLeaf, func(to, from *Config) {}},
}

// language is a list by the registry of forms, to which some libraries hold a
// server, but an open one.
var language = option{form.Def{Var: prefix + "language", Type: form.ListSingle, Label: "Language", Open: true,
	Options: choices(strings.Fields("ar cs da de el en es fa fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh"))},
	func(c *Config) []string {
		if c.Language == "" {
			return nil
		}
		return []string{c.Language}
	},
	func(c *Config, f form.Field) bool {
		c.Language, _ = f.Value()
		return len(c.Language) <= maxText
	}, func(to, from *Config) { to.Language = from.Language }}

// maxText is the longest title, description or group, in bytes; maxGroups how
// many groups a node may name.
const (
	maxText   = 512
	maxGroups = 20
)

func text(name, label string, at func(*Config) *string) option {
	return option{form.Def{Var: prefix + name, Type: form.TextSingle, Label: label},
		func(c *Config) []string { return []string{*at(c)} },
		func(c *Config, f form.Field) bool {
			v, _ := f.Value()
			*at(c) = v
			return len(v) <= maxText
		}, func(to, from *Config) { *at(to) = *at(from) }}
}

func boolean(name, label string, at func(*Config) *bool) option {
	return option{form.Def{Var: prefix + name, Type: form.Boolean, Label: label},
		func(c *Config) []string { return []string{form.Bool(*at(c))} },
		func(c *Config, f form.Field) (ok bool) {
			*at(c), ok = f.Bool()
			return ok
		}, func(to, from *Config) { *at(to) = *at(from) }}
}

func list(name, label string, names []string, at func(*Config) *uint8) option {
	return option{form.Def{Var: prefix + name, Type: form.ListSingle, Label: label, Options: choices(names)},
		func(c *Config) []string { return []string{names[*at(c)]} },
		func(c *Config, f form.Field) bool {
			v, _ := f.Value()
			i := slices.Index(names, v)
			if i >= 0 {
				*at(c) = uint8(i)
			}
			return i >= 0
		}, func(to, from *Config) { *at(to) = *at(from) }}
}

func choices(names []string) (o []form.Option) {
	for _, n := range names {
		o = append(o, form.Option{Value: n})
	}
	return o
}

func index(v bool) int {
	if v {
		return 1
	}
	return 0
}

// leaf is the only kind of nodes here: there are no collections (XEP-0248).
const leaf = "leaf"

func isLeaf(_ *Config, f form.Field) bool {
	v, _ := f.Value()
	return v == leaf
}

func setType(c *Config, f form.Field) bool {
	v, _ := f.Value()
	c.Normal = v == "normal"
	return slices.Contains(typeNames, v)
}

func setGroups(c *Config, f form.Field) bool {
	c.Groups = nil
	for v := range f.Values() {
		if len(v) > maxText || len(c.Groups) == maxGroups {
			return false
		}
		c.Groups = append(c.Groups, v)
	}
	return true
}

func getMax(c *Config) []string {
	if c.MaxItems == Max {
		return []string{"max"}
	}
	return []string{strconv.Itoa(c.MaxItems)}
}

func setMax(c *Config, f form.Field) bool {
	v, _ := f.Value()
	if v == "max" {
		c.MaxItems = Max
		return true
	}
	n, err := strconv.ParseUint(v, 10, 32)
	c.MaxItems = int(n)
	return err == nil && n > 0
}

func setMaxPayload(c *Config, f form.Field) bool {
	v, _ := f.Value()
	n, err := strconv.ParseUint(v, 10, 31)
	c.MaxPayload = int(n)
	return err == nil
}

// appendForm writes the form with all fields as they are. What is set is among
// the options also where a list is open.
func (c *Config) appendForm(w *form.Writer) {
	for i := range options {
		d, values := options[i].Def, options[i].get(c)
		for _, v := range values {
			if d.Open && !slices.ContainsFunc(d.Options, func(o form.Option) bool { return o.Value == v }) {
				d.Options = append(slices.Clip(d.Options), form.Option{Value: v})
			}
		}
		w.Field(d, values...)
	}
}
