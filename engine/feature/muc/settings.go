package muc

import (
	"slices"
	"strconv"

	"meerkat/engine/config"
	"meerkat/engine/form"
)

// configType is the FORM_TYPE of a room's configuration.
const configType = mucSpace + "#roomconfig"

// roleSet is a set of roles, one bit each.
type roleSet uint8

func (s roleSet) has(r role) bool { return s&(1<<r) != 0 }

const everyRole = roleSet(1<<visitor | 1<<participant | 1<<moderator)

// Values of allowpm.
const (
	pmAnyone       = "anyone"
	pmParticipants = "participants"
	pmModerators   = "moderators"
	pmNone         = "none"
)

// settings are a room's configuration (XEP-0045 §10.1.3, §15.5.3), as it is
// stored, in JSON.
type settings struct {
	Name        string  `json:"name,omitempty"`
	Description string  `json:"description,omitempty"`
	Lang        string  `json:"lang,omitempty"`
	Secret      string  `json:"secret,omitempty"`
	PM          string  `json:"pm"`
	MaxUsers    int     `json:"max_users,omitempty"` // 0: as many as the server allows
	History     int     `json:"history"`             // most messages to who enters
	Broadcast   roleSet `json:"broadcast"`           // whose presence all get
	MemberList  roleSet `json:"member_list"`         // which members see the lists
	Subject     bool    `json:"subject"`             // participants change it
	Invites     bool    `json:"invites"`             // occupants that are no admins invite
	Public      bool    `json:"public"`
	Persistent  bool    `json:"persistent"`
	Moderated   bool    `json:"moderated"`
	MembersOnly bool    `json:"members_only"`
	Protected   bool    `json:"protected"`          // by Secret
	Whois       bool    `json:"whois"`              // anyone sees addresses
	Archive     bool    `json:"archive"`            // what is said is kept, while the room is Persistent
	Logged      bool    `json:"logged,omitempty"`   // somebody keeps what is said, in public
	Register    string  `json:"register,omitempty"` // who may, see register.go; "" is registerAuto
	PubSub      string  `json:"pubsub,omitempty"`   // URI of a node that belongs to the room

	Avatar []string `json:"avatar,omitempty"` // hashes of the room's pictures; not in the form
}

// initial is what a room begins with.
func initial(cfg *config.Rooms) settings {
	return settings{
		PM: pmAnyone, History: cfg.History, Broadcast: everyRole, MemberList: everyRole,
		Invites: true, Public: true, Archive: cfg.Archive,
	}
}

// field is a field of the form: what it is, how it is read and written.
type field struct {
	form.Def
	get func(s *settings) []string
	set func(s *settings, f form.Field) bool
}

func textField(name, label, kind string, at func(*settings) *string) field {
	return field{form.Def{Var: name, Type: kind, Label: label},
		func(s *settings) []string {
			if *at(s) == "" {
				return nil
			}
			return []string{*at(s)}
		},
		func(s *settings, f form.Field) bool {
			v, _ := f.Value()
			if len(v) > 4<<10 {
				return false
			}
			*at(s) = v
			return true
		}}
}

func boolField(name, label string, at func(*settings) *bool) field {
	return field{form.Def{Var: name, Type: form.Boolean, Label: label},
		func(s *settings) []string { return []string{form.Bool(*at(s))} },
		func(s *settings, f form.Field) bool {
			v, ok := f.Bool()
			*at(s) = v
			return ok
		}}
}

// numberField is a count; empty or "none" is 0.
func numberField(name, label string, at func(*settings) *int) field {
	return field{form.Def{Var: name, Type: form.TextSingle, Label: label},
		func(s *settings) []string {
			if *at(s) == 0 {
				return nil
			}
			return []string{strconv.Itoa(*at(s))}
		},
		func(s *settings, f form.Field) bool {
			v, _ := f.Value()
			if v == "" || v == "none" {
				*at(s) = 0
				return true
			}
			n, err := strconv.ParseUint(v, 10, 31)
			*at(s) = int(n)
			return err == nil
		}}
}

// limitField is a numberField of the type that the registry of forms has for it
// (XEP-0045 §15.5.3), to which some libraries hold a server: a list, but open.
func limitField(name, label string, at func(*settings) *int) field {
	f := numberField(name, label, at)
	f.Type, f.Open = form.ListSingle, true
	for _, v := range []string{"10", "20", "50", "100", "200", "500", "1000", "none"} {
		f.Options = append(f.Options, form.Option{Label: v, Value: v})
	}
	get := f.get
	f.get = func(s *settings) []string {
		if *at(s) == 0 {
			return []string{"none"}
		}
		return get(s)
	}
	return f
}

// write writes the field as it is in s, which is among the options in any case.
func (f *field) write(w *form.Writer, s *settings) {
	d, values := f.Def, f.get(s)
	if d.Open && !slices.ContainsFunc(d.Options, func(o form.Option) bool { return o.Value == values[0] }) {
		d.Options = append(slices.Clip(d.Options), form.Option{Label: values[0], Value: values[0]})
	}
	w.Field(d, values...)
}

func rolesField(name, label string, at func(*settings) *roleSet) field {
	options := []form.Option{{Label: "Moderator", Value: "moderator"}, {Label: "Participant", Value: "participant"}, {Label: "Visitor", Value: "visitor"}}
	return field{form.Def{Var: name, Type: form.ListMulti, Label: label, Options: options},
		func(s *settings) (values []string) {
			for r := moderator; r > noRole; r-- {
				if at(s).has(r) {
					values = append(values, r.String())
				}
			}
			return values
		},
		func(s *settings, f form.Field) bool {
			*at(s) = 0
			for v := range f.Values() {
				r, ok := parseRole(v)
				if !ok || r == noRole {
					return false
				}
				*at(s) |= 1 << r
			}
			return true
		}}
}

// choiceField is one of values, which are named as they are.
func choiceField(name, label string, values []string, get func(*settings) string, set func(*settings, string)) field {
	d := form.Def{Var: name, Type: form.ListSingle, Label: label}
	for _, v := range values {
		d.Options = append(d.Options, form.Option{Label: v, Value: v})
	}
	return field{d, func(s *settings) []string { return []string{get(s)} },
		func(s *settings, f form.Field) bool {
			v, _ := f.Value()
			set(s, v)
			return slices.Contains(values, v)
		}}
}

// Fields that several places name.
const (
	adminsVar = "muc#roomconfig_roomadmins"
	ownersVar = "muc#roomconfig_roomowners"
)

// fields is the form, in order. Admins and owners come on top of it.
var fields = []field{
	textField("muc#roomconfig_roomname", "Name of the room", form.TextSingle, func(s *settings) *string { return &s.Name }),
	textField("muc#roomconfig_roomdesc", "What it is for", form.TextSingle, func(s *settings) *string { return &s.Description }),
	textField("muc#roomconfig_lang", "Language of the discussions", form.TextSingle, func(s *settings) *string { return &s.Lang }),
	boolField("muc#roomconfig_persistentroom", "The room stays when everybody has left", func(s *settings) *bool { return &s.Persistent }),
	boolField("muc#roomconfig_publicroom", "The room is listed", func(s *settings) *bool { return &s.Public }),
	boolField("muc#roomconfig_membersonly", "Only members may enter", func(s *settings) *bool { return &s.MembersOnly }),
	boolField("muc#roomconfig_moderatedroom", "Only who has been given voice may speak", func(s *settings) *bool { return &s.Moderated }),
	boolField("muc#roomconfig_passwordprotectedroom", "A password is required", func(s *settings) *bool { return &s.Protected }),
	textField("muc#roomconfig_roomsecret", "Password", form.Password, func(s *settings) *string { return &s.Secret }),
	choiceField("muc#roomconfig_whois", "Who sees the addresses of occupants", []string{"moderators", "anyone"},
		func(s *settings) string {
			if s.Whois {
				return "anyone"
			}
			return "moderators"
		}, func(s *settings, v string) { s.Whois = v == "anyone" }),
	boolField("muc#roomconfig_changesubject", "Participants may change the subject", func(s *settings) *bool { return &s.Subject }),
	boolField("muc#roomconfig_allowinvites", "Occupants may invite others", func(s *settings) *bool { return &s.Invites }),
	choiceField("muc#roomconfig_allowpm", "Who may send private messages", []string{pmAnyone, pmParticipants, pmModerators, pmNone},
		func(s *settings) string { return s.PM }, func(s *settings, v string) { s.PM = v }),
	limitField("muc#roomconfig_maxusers", "Most occupants; none is as many as the server allows", func(s *settings) *int { return &s.MaxUsers }),
	rolesField("muc#roomconfig_presencebroadcast", "Roles whose presence everybody sees", func(s *settings) *roleSet { return &s.Broadcast }),
	rolesField("muc#roomconfig_getmemberlist", "Members of these roles see the lists of members", func(s *settings) *roleSet { return &s.MemberList }),
	choiceField("muc#roomconfig_registration", "Who may register: as suits the room, everybody at once, who is approved, or nobody",
		[]string{registerAuto, registerOpen, registerAsk, registerClosed},
		func(s *settings) string {
			if s.Register == "" {
				return registerAuto
			}
			return s.Register
		}, func(s *settings, v string) { s.Register = v }),
	boolField("muc#roomconfig_enablearchiving", "What is said is kept in the room's archive, if the room stays", func(s *settings) *bool { return &s.Archive }),
	boolField("muc#roomconfig_enablelogging", "Occupants are told that what they say is made public", func(s *settings) *bool { return &s.Logged }),
	textField("muc#roomconfig_pubsub", "URI of a publish-subscribe node that belongs to the room", form.TextSingle, func(s *settings) *string { return &s.PubSub }),
	numberField("muc#maxhistoryfetch", "Most messages shown to who enters", func(s *settings) *int { return &s.History }),
}

// read changes s as a form says. It reports false if a value is none.
func (s *settings) read(f form.Form) bool {
	for name, v := range f.Fields() {
		i := slices.IndexFunc(fields, func(d field) bool { return d.Var == name })
		if i >= 0 && !fields[i].set(s, v) {
			return false
		}
	}
	return !s.Protected || s.Secret != "" // XEP-0045 §10.1.3
}

// notices are the status codes of what a change means for privacy (§10.2.1).
func (s *settings) notices(was *settings) []int {
	codes := []int{104}
	switch {
	case s.Logged && !was.Logged:
		codes = append(codes, 170)
	case !s.Logged && was.Logged:
		codes = append(codes, 171)
	}
	switch {
	case s.Whois && !was.Whois:
		codes = append(codes, 172)
	case !s.Whois && was.Whois:
		codes = append(codes, 173)
	}
	return codes
}
