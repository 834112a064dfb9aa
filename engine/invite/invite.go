// Package invite keeps invitations: to make an account (XEP-0445), to become
// somebody's contact (XEP-0379), or both (XEP-0401). What the invited are told is a
// token; the store has its hash only. A token is good for one time.
package invite

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"net/url"
	"strings"
	"time"

	"meerkat/engine/metric"
	"meerkat/store"
)

// Space is the namespace of what carries a token.
const Space = "urn:xmpp:pars:0"

// Names of owners that no account can have.
const (
	everybody = "/invites"
	operator  = "/operator"
)

var (
	docs    = store.NewMap("invites")    // of everybody: by hash of the token, an Invite
	mine    = store.NewMap("invites-by") // of who invites: by hash of the token, when it ends
	names   = store.NewDoc("invited")    // of a name that is reserved: the hash of its token, and when it ends
	created = metric.NewCounter("meerkat_invites_total", "Invitations made.")
	used    = metric.NewCounter("meerkat_invites_used_total", "Invitations used up.")
	full    = metric.NewCounter("meerkat_invites_limited_total", "Invitations refused because of invites.per_user.")
)

// Invite is what a token is good for.
type Invite struct {
	Host string // domain of the accounts it is about
	By   string // bare JID of who invites; "" is the operator
	User string // bare JID of the account to make; "" is any of Host
	// Register allows to make an account, Subscribe has the invited and By become
	// contacts of each other.
	Register, Subscribe bool
	// For is who has made an account by the token: it may still become a contact.
	For     string
	Expires time.Time
}

// ErrReserved says that somebody else is invited to make the account.
var ErrReserved = errors.New("invite: the name is reserved")

// Key is what the store has of a token: its hash.
type Key string

// KeyOf returns the key of a token.
func KeyOf(token string) Key {
	h := sha256.Sum256([]byte(token))
	return Key(h[:])
}

func (in *Invite) owner() string {
	if in.By == "" {
		return operator
	}
	return in.By
}

// New stores in and returns its token. by may have limit invitations that nobody has
// used (0: any number), else the error is store.ErrFull.
func New(tx *store.Tx, in Invite, limit int, now time.Time) (token string, err error) {
	if err := purge(tx, in.owner(), now); err != nil {
		return "", err
	}
	if limit > 0 && mine.Len(tx, in.owner()) >= limit {
		full.Add(metric.OffLoop, 1)
		return "", store.ErrFull
	}
	if in.User != "" && Reserved(tx, in.User, "", now) {
		return "", ErrReserved
	}
	var b [16]byte
	rand.Read(b[:]) // never fails
	token = strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
	key, end := string(KeyOf(token)), binary.BigEndian.AppendUint64(nil, uint64(in.Expires.Unix()))
	err = errors.Join(docs.Put(tx, everybody, key, in.encode()), mine.Put(tx, in.owner(), key, end))
	if in.User != "" {
		err = errors.Join(err, names.Put(tx, in.User, append(end, key...)))
	}
	created.Add(metric.OffLoop, 1)
	return token, err
}

// Find returns an invitation, if it is good at now; the zero time is for who has been
// found good before (XEP-0445 §4).
func Find(tx *store.Tx, key Key, now time.Time) (in Invite, ok bool) {
	in, ok = decode(docs.Get(tx, everybody, string(key)))
	if !ok || mine.Get(tx, in.owner(), string(key)) == nil { // of an account that is gone
		return Invite{}, false
	}
	return in, now.IsZero() || now.Before(in.Expires)
}

// Registered notes that user has made its account by an invitation.
func Registered(tx *store.Tx, key Key, user string) error {
	in, ok := Find(tx, key, time.Time{})
	if !ok || !in.Subscribe || in.By == "" {
		return Remove(tx, key)
	}
	in.Register, in.For = false, user
	return errors.Join(names.Delete(tx, user), docs.Put(tx, everybody, string(key), in.encode()))
}

// Waiting calls fn for every invitation that an account has been made by, but that
// has not made it a contact yet.
func Waiting(tx *store.Tx, fn func(key Key, in Invite)) {
	_ = docs.Each(tx, everybody, func(key string, v []byte) error {
		if in, ok := decode(v); ok && in.For != "" {
			fn(Key(key), in)
		}
		return nil
	})
}

// Remove ends an invitation: it has been used.
func Remove(tx *store.Tx, key Key) error {
	used.Add(metric.OffLoop, 1)
	return remove(tx, string(key))
}

func remove(tx *store.Tx, key string) error {
	in, ok := decode(docs.Get(tx, everybody, key))
	if !ok {
		return nil
	}
	err := errors.Join(docs.Delete(tx, everybody, key), mine.Delete(tx, in.owner(), key))
	if v := names.Get(tx, in.User); len(v) > 8 && string(v[8:]) == key {
		err = errors.Join(err, names.Delete(tx, in.User))
	}
	return err
}

// Reserved reports whether an account of that bare JID may only be made by another
// invitation.
func Reserved(tx *store.Tx, user string, key Key, now time.Time) bool {
	v := names.Get(tx, user)
	if len(v) <= 8 || now.Unix() >= int64(binary.BigEndian.Uint64(v)) {
		return false
	}
	return Key(v[8:]) != key
}

// purge removes the invitations of one who invites that have expired.
func purge(tx *store.Tx, owner string, now time.Time) (err error) {
	var gone []string
	_ = mine.Each(tx, owner, func(key string, v []byte) error {
		if len(v) != 8 || now.Unix() >= int64(binary.BigEndian.Uint64(v)) {
			gone = append(gone, key)
		}
		return nil
	})
	for _, key := range gone {
		err = errors.Join(err, remove(tx, key), mine.Delete(tx, owner, key))
	}
	return err
}

// grace is how long those who have made an account may still become contacts.
const grace = 30 * 24 * time.Hour

// Sweep removes what has expired, and what is of accounts that are gone.
func Sweep(tx *store.Tx, now time.Time) (err error) {
	var gone []string
	_ = docs.Each(tx, everybody, func(key string, v []byte) error {
		in, ok := decode(v)
		if in.For != "" { // it is not over yet, see Waiting
			in.Expires = in.Expires.Add(grace)
		}
		if !ok || !now.Before(in.Expires) || mine.Get(tx, in.owner(), key) == nil {
			gone = append(gone, key)
		}
		return nil
	})
	for _, key := range gone {
		err = errors.Join(err, remove(tx, key), docs.Delete(tx, everybody, key))
	}
	return err
}

// URI is what the invited open (XEP-0379 §3.2, XEP-0401 §6, XEP-0445 §2).
func (in *Invite) URI(token string) string {
	address, action := in.Host, "register"
	switch {
	case in.User != "":
		address = in.User
	case in.By != "" && in.Subscribe:
		address, action = in.By, "roster"
	}
	uri := "xmpp:" + strings.ReplaceAll(url.PathEscape(address), "%40", "@") + "?" + action + ";preauth=" + token
	if action == "roster" && in.Register {
		uri += ";ibr=y"
	}
	return uri
}

// Link is what an invitation looks like to people.
type Link struct {
	URI     string    `json:"uri"`
	Landing string    `json:"landing,omitempty"` // a page about it; "" if there is none
	Expires time.Time `json:"expires"`
}

// Link returns it; landing is the address of the page, up to where the invitation
// begins, or "".
func (in *Invite) Link(token, landing string) Link {
	l := Link{URI: in.URI(token), Expires: in.Expires}
	if landing != "" {
		l.Landing = landing + strings.TrimPrefix(l.URI, "xmpp:")
	}
	return l
}
