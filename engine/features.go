package engine

import (
	"slices"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/caps"
	"meerkat/engine/config"
	"meerkat/engine/depot"
	"meerkat/engine/feature"
	"meerkat/engine/feature/avatar"
	"meerkat/engine/feature/blocking"
	"meerkat/engine/feature/bookmarks"
	advertised "meerkat/engine/feature/caps"
	"meerkat/engine/feature/carbons"
	"meerkat/engine/feature/commands"
	"meerkat/engine/feature/contact"
	"meerkat/engine/feature/csi"
	"meerkat/engine/feature/disco"
	"meerkat/engine/feature/entitytime"
	"meerkat/engine/feature/extdisco"
	"meerkat/engine/feature/invite"
	"meerkat/engine/feature/last"
	"meerkat/engine/feature/limits"
	"meerkat/engine/feature/mam"
	"meerkat/engine/feature/muc"
	"meerkat/engine/feature/offline"
	"meerkat/engine/feature/pep"
	"meerkat/engine/feature/ping"
	"meerkat/engine/feature/presence"
	"meerkat/engine/feature/private"
	"meerkat/engine/feature/pubsub"
	"meerkat/engine/feature/push"
	"meerkat/engine/feature/register"
	"meerkat/engine/feature/report"
	"meerkat/engine/feature/rosters"
	"meerkat/engine/feature/serviceadmin"
	"meerkat/engine/feature/session"
	"meerkat/engine/feature/sm"
	"meerkat/engine/feature/strangers"
	"meerkat/engine/feature/upload"
	"meerkat/engine/feature/vcard"
	"meerkat/engine/feature/version"
	"meerkat/store"
)

// features are all there are. The order of stages is in order.go.
type features struct {
	admin    feature.Feature // serviceadmin's declaration
	avatar   *avatar.Feature
	blocking *blocking.Feature
	carbons  *carbons.Feature
	mam      *mam.Feature
	offline  *offline.Feature
	operator *muc.Operator
	presence feature.Feature
	push     *push.Feature
	strange  *strangers.Feature
	last     feature.Feature
	caps     *advertised.Feature
	pep      *pep.Feature
	sm       *sm.Feature
	kept     feature.Feature // offline's declaration

	list    []feature.Feature
	preAuth []feature.PreAuth
}

func newFeatures(cfg *config.Config, st *store.Store, loops int, release string, started time.Time, quit func(restart bool), files *depot.Depot) *features {
	var flags account.Flags
	clients := caps.NewClients(&flags) // the first slot: nearly every session fills it
	f := &features{presence: presence.New(loops), last: last.New(&flags, started, loops)}
	f.kept, f.offline = offline.New(&flags, loops)
	copies, copier := carbons.New(&flags)
	f.carbons = copier
	history, keeper := mam.New(&flags, &cfg.Archive, st.Archive(), loops, started)
	f.mam = keeper
	reg, preReg := register.New(&cfg.Limits)
	f.list = []feature.Feature{
		rosters.New(),
		f.presence,
		f.kept,
		copies,
		history,
		session.New(),
		ping.New(),
		version.New(release),
		entitytime.New(),
		f.last,
		reg,
	}
	push, pusher := push.New(&flags, csi.Inactive, loops)
	f.push = pusher
	f.strange = strangers.New(&flags, cfg.Domains, loops)
	reporting, reports := report.New(loops)
	block, blocks := blocking.New(&flags, reports.Read)
	f.blocking = blocks
	f.offline.Unwanted = blocks.Unwanted
	nodes := pep.NewHost(loops)
	nodes.Hides = blocks.HidesEvents
	picture, pictures := avatar.New(&flags, nodes, f.broadcast, loops)
	f.avatar = pictures
	marks, rooms := bookmarks.New(nodes)
	f.list = append(f.list, picture, marks)
	f.list = slices.Insert(f.list, 0, block) // what a session refuses holds before its presence comes back
	f.list = append(f.list, push, reporting, csi.New(pusher.Missed), private.New(private.Elsewhere{Key: bookmarks.Key, Get: rooms.Get, Set: rooms.Set}), vcard.New(pictures), limits.New(), extdisco.New())
	chat, operator := muc.New(cfg.Domains, &cfg.Rooms, loops)
	f.operator = operator
	f.list = append(f.list, chat)
	f.list = append(f.list, upload.New(cfg, files))
	admin, adminCommands := serviceadmin.New(&flags, serviceadmin.Options{Loops: loops, LastSeen: last.Seen, Quit: quit})
	invited, inviteCommands := invite.New()
	f.admin = admin
	f.list = append(f.list, admin, invited, commands.New(loops, slices.Concat(adminCommands, inviteCommands)...))
	f.list = append(f.list, contact.New(&cfg.Contact))
	personal, events := pep.New(nodes, clients)
	known, asking := advertised.New(clients, loops, events.Recall)
	f.pep, f.caps = events, asking
	f.list = append(f.list, personal, known, pubsub.New(cfg.Domains, &cfg.PubSub, loops))
	managed, keep := sm.New(loops, f.list)
	f.sm = keep
	keep.Missed, keep.Left = pusher.Missed, pusher.Left
	f.list = append(f.list, managed)
	f.list = append(f.list, disco.New(f.list))
	f.preAuth = preReg
	return f
}

// resume is how sessions are resumed.
func (f *features) resume() *feature.Resumer {
	for i := range f.list {
		if r := f.list[i].Resume; r != nil {
			return r
		}
	}
	return nil
}

// inline is what can be had along with a resource.
func (f *features) inline() (list []feature.Inline) {
	for i := range f.list {
		if in := f.list[i].Inline; in != nil {
			list = append(list, *in)
		}
	}
	return list
}

// stream is what the features add to the stream features.
func (f *features) stream() []feature.StreamFeature {
	var s []feature.StreamFeature
	for i := range f.list {
		s = append(s, f.list[i].Stream...)
	}
	return s
}
