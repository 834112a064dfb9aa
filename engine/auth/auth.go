// Package auth lets people in: SASL mechanisms (RFC 4422), and the places where
// what proves a password lives. It knows nothing of streams and XML: bytes go
// into an Exchange and come out, whatever carries them.
//
// Rules of the package:
//
//   - No password is kept, only what SCRAM derives from it.
//   - A name nobody has and a wrong password get the same condition, the same
//     text and the same work (Decoy).
//   - A refusal never says more than its condition; the cause is for the log.
package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"meerkat/engine/jid"
)

// Account is what a Backend knows of one account.
type Account struct {
	JID         jid.JID // bare, as the backend has it: what the stream is bound to
	Credentials Credentials
}

// ErrNoAccount is what a Backend answers for a name that nobody has.
var ErrNoAccount = errors.New("auth: no such account")

// Backend is a place where credentials live. Accounts is the one in our store.
type Backend interface {
	// Lookup returns the account of a bare JID, ErrNoAccount, or an error that
	// makes the login fail for now. It may wait, and is called from many goroutines.
	Lookup(account jid.JID) (Account, error)
}

// Options say which mechanisms there are and what they work with.
type Options struct {
	Names      []string // mechanisms, in any order; all if empty
	RequireTLS bool     // nothing is offered, and nothing starts, in clear
	Backend    Backend
	Secret     []byte // of the decoys: see LoadSecret
	Iterations int    // of the decoys: those of new accounts; 0: DefaultIterations
}

// Mechanisms is what a server offers. It is immutable and shared by all streams.
type Mechanisms struct {
	backend    Backend
	decoy      decoy
	requireTLS bool
	offers     [kinds]offer
}

// Binding is what a connection gives SASL to hold on to (RFC 5056).
type Binding struct {
	TLS      bool
	Exporter []byte // tls-exporter (RFC 9266), TLS 1.3 only; nil: none
	EndPoint []byte // tls-server-end-point (RFC 5929); nil: none
	// Unique is tls-unique (RFC 5929). It is not advertised, being undefined for
	// TLS 1.3 and weaker before, but accepted: clients that know nothing else
	// would not get in at all, since they must not say that they know none.
	Unique []byte
}

// Channel binding types, as XEP-0440 advertises them.
const (
	exporterType = "tls-exporter"
	endPointType = "tls-server-end-point"
	uniqueType   = "tls-unique"
)

// data returns the binding data of a type, nil if the connection has none.
func (b *Binding) data(kind string) []byte {
	switch kind {
	case exporterType:
		return b.Exporter
	case endPointType:
		return b.EndPoint
	case uniqueType:
		return b.Unique
	}
	return nil
}

// mechanism is a way to log in.
type mechanism struct {
	name string
	hash Hash
	plus bool // with channel binding
	text bool // the password itself: PLAIN
}

// mechanisms are all we have, strongest first.
var mechanisms = [...]mechanism{
	{name: "SCRAM-SHA-512-PLUS", hash: SHA512, plus: true},
	{name: "SCRAM-SHA-256-PLUS", hash: SHA256, plus: true},
	{name: "SCRAM-SHA-1-PLUS", hash: SHA1, plus: true},
	{name: "SCRAM-SHA-512", hash: SHA512},
	{name: "SCRAM-SHA-256", hash: SHA256},
	{name: "SCRAM-SHA-1", hash: SHA1},
	{name: "PLAIN", text: true},
}

// New checks opt. An error names the option that is wrong.
func New(opt Options) (*Mechanisms, error) {
	if opt.Backend == nil || len(opt.Secret) < secretSize {
		return nil, errors.New("auth: a backend and a secret are needed")
	}
	if opt.Iterations == 0 {
		opt.Iterations = DefaultIterations
	}
	if err := checkIterations(opt.Iterations); err != nil {
		return nil, err
	}
	enabled, err := choose(opt.Names)
	if err != nil {
		return nil, err
	}
	m := &Mechanisms{backend: opt.Backend, decoy: decoy{opt.Secret, opt.Iterations}, requireTLS: opt.RequireTLS}
	for kind := range m.offers {
		if kind&kindTLS != 0 || !opt.RequireTLS {
			m.offers[kind] = newOffer(enabled, kind)
		}
	}
	return m, nil
}

// choose returns the mechanisms of those names, strongest first.
func choose(names []string) (chosen []mechanism, err error) {
	for _, n := range names {
		if !slices.ContainsFunc(mechanisms[:], func(m mechanism) bool { return m.name == n }) {
			return nil, fmt.Errorf("auth: no SASL mechanism is called %q", n)
		}
	}
	for _, m := range mechanisms {
		if len(names) == 0 || slices.Contains(names, m.name) {
			chosen = append(chosen, m)
		}
	}
	return chosen, nil
}

// Offer returns the names to advertise to a connection, strongest first; empty
// where nobody may log in yet. The slice is shared: don't change it.
func (m *Mechanisms) Offer(b Binding) []string { return m.offers[b.kind()].names }

// BindingTypes returns the channel binding types to advertise (XEP-0440), empty
// where no -PLUS mechanism is offered. The slice is shared: don't change it.
func (m *Mechanisms) BindingTypes(b Binding) []string { return m.offers[b.kind()].types }

// Start begins a negotiation by mech, one of Offer, for an account of host, a
// prepared domain. err is a Failure: invalid-mechanism or encryption-required.
func (m *Mechanisms) Start(mech string, b Binding, host string) (*Exchange, error) {
	o := &m.offers[b.kind()]
	for _, c := range o.mechanisms {
		if c.name == mech {
			x := &Exchange{m: m, offer: o, mechanism: c, binding: b, host: host}
			x.next = x.first()
			return x, nil
		}
	}
	return nil, counted(m.refuse(mech, b))
}

// refuse says why mech cannot be had. RFC 6120 §6.5.4, §6.5.7.
func (m *Mechanisms) refuse(mech string, b Binding) error {
	secure := &m.offers[Binding{TLS: true}.kind()]
	if !b.TLS && (m.requireTLS || slices.Contains(secure.names, mech)) {
		return Failure{Condition: EncryptionRequired, Text: "start TLS first"}
	}
	return Failure{Condition: InvalidMechanism, Text: "this mechanism is not offered here"}
}

// An offer depends on the kind of a connection only: three bits.
const (
	kindTLS = 1 << iota
	kindExporter
	kindEndPoint
	kinds = 1 << iota
)

// kind tells connections apart that get different offers. Binding data counts
// only under TLS.
func (b Binding) kind() (k int) {
	if !b.TLS {
		return 0
	}
	k = kindTLS
	if b.Exporter != nil {
		k |= kindExporter
	}
	if b.EndPoint != nil {
		k |= kindEndPoint
	}
	return k
}

// offer is what connections of one kind are told.
type offer struct {
	mechanisms []mechanism
	names      []string
	types      []string       // of channel binding, strongest first
	digest     [hashes]string // XEP-0474 §5.1: of names and types, in base64
}

func newOffer(enabled []mechanism, kind int) (o offer) {
	for _, m := range enabled {
		if m.plus && kind&(kindExporter|kindEndPoint) == 0 || m.text && kind&kindTLS == 0 {
			continue
		}
		o.mechanisms = append(o.mechanisms, m)
		o.names = append(o.names, m.name)
	}
	if o.plus() && kind&kindExporter != 0 {
		o.types = append(o.types, exporterType)
	}
	if o.plus() && kind&kindEndPoint != 0 {
		o.types = append(o.types, endPointType)
	}
	list := offerList(o.names, o.types)
	for h := range Hash(hashes) {
		o.digest[h] = h.digest(list)
	}
	return o
}

// plus reports that channel binding is offered.
func (o *offer) plus() bool {
	return slices.ContainsFunc(o.mechanisms, func(m mechanism) bool { return m.plus })
}

// offerList is the string S of XEP-0474 §5.1, version 0.5.
func offerList(names, types []string) string {
	s := strings.Join(slices.Sorted(slices.Values(names)), "\x1e")
	if len(types) > 0 {
		s += "\x1f" + strings.Join(slices.Sorted(slices.Values(types)), "\x1e")
	}
	return s
}
