package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/store"
)

// tokens has what remains of the tokens of XEP-0484: of a bare JID, by client
// and slot, a record. A token is made of a record and the server's secret, so
// that no record is one.
var tokens = store.NewMap("fast")

var (
	tokenLogins = metric.NewCounter("meerkat_auth_token_logins_total",
		"Logins by token (XEP-0484).")
	tokenFailures = metric.NewCounter("meerkat_auth_token_failures_total",
		"Logins by token that were refused.")
	tokensEvicted = metric.NewCounter("meerkat_auth_tokens_evicted_total",
		"Tokens that made room for another one: an account may have 100.")
	tokensIssued = metric.NewCounter("meerkat_auth_tokens_issued_total",
		"Tokens given to clients.")
)

// Slots of a client (XEP-0484 §5.1): the token it uses, and the one it was given
// and has not used yet.
const (
	current = "c"
	fresh   = "n"
)

// tokenMechanisms are the ways to log in by token: draft-schmaus-kitten-sasl-ht.
var tokenMechanisms = [...]struct {
	name string
	data func(b *Binding) []byte // that the login is bound to
	any  bool                    // to nothing
}{
	{name: "HT-SHA-256-EXPR", data: func(b *Binding) []byte { return b.Exporter }},
	{name: "HT-SHA-256-ENDP", data: func(b *Binding) []byte { return b.EndPoint }},
	{name: "HT-SHA-256-NONE", data: func(*Binding) []byte { return nil }, any: true},
}

// Tokens gives clients that have logged in a token to log in with the next time
// (XEP-0484), and takes it.
type Tokens struct {
	accounts *Accounts
	secret   []byte
	life     time.Duration
}

// NewTokens returns the tokens of accounts. life is how long one is good for; one
// that has lived half of it is replaced when it is used.
func NewTokens(accounts *Accounts, secret []byte, life time.Duration) *Tokens {
	return &Tokens{accounts, secret, life}
}

// Offer returns the mechanisms for a connection.
func (t *Tokens) Offer(b Binding) (names []string) {
	for i := range tokenMechanisms {
		if m := &tokenMechanisms[i]; m.any || m.data(&b) != nil {
			names = append(names, m.name)
		}
	}
	return names
}

// TokenLogin is a login by token that went well.
type TokenLogin struct {
	User   jid.JID
	Answer []byte // data for the client
	slot   string
	record record
}

// record is what is stored of a token.
type record struct {
	mechanism byte
	expiry    int64 // Unix s
	nonce     []byte
}

const tokenNonce = 16

func (r *record) append(b []byte) []byte {
	b = append(b, r.mechanism)
	b = binary.BigEndian.AppendUint64(b, uint64(r.expiry))
	return append(b, r.nonce...)
}

func readRecord(v []byte) (r record, ok bool) {
	if len(v) != 9+tokenNonce || int(v[0]) >= len(tokenMechanisms) {
		return r, false
	}
	return record{v[0], int64(binary.BigEndian.Uint64(v[1:])), bytes.Clone(v[9:])}, true
}

// token makes the token of a record.
func (t *Tokens) token(owner, agent string, r *record) string {
	h := hmac.New(sha256.New, t.secret)
	for _, part := range []string{"token", owner, agent, string(r.append(nil))} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// place is a client's place among the keys of its account.
func place(agent, slot string) string {
	h := sha256.Sum256([]byte(agent))
	return string(h[:16]) + slot
}

func proof(token, role string, binding []byte) []byte {
	h := hmac.New(sha256.New, []byte(token))
	h.Write([]byte(role))
	h.Write(binding)
	return h.Sum(nil)
}

// Login checks what a client says: its name, NUL, and the proof that it has a
// token. err is a Failure. It reads the store.
func (t *Tokens) Login(mechanism string, b Binding, host, agent string, in []byte, now time.Time) (*TokenLogin, error) {
	l, err := t.login(mechanism, b, host, agent, in, now)
	if err != nil {
		tokenFailures.Add(metric.OffLoop, 1)
		return nil, counted(err)
	}
	tokenLogins.Add(metric.OffLoop, 1)
	return l, nil
}

func (t *Tokens) login(mechanism string, b Binding, host, agent string, in []byte, now time.Time) (*TokenLogin, error) {
	m, ok := tokenMechanism(mechanism, &b)
	if !ok || !b.TLS {
		return nil, Failure{Condition: InvalidMechanism, Text: "this mechanism is not offered here"}
	}
	name, mac, ok := bytes.Cut(in, []byte{0})
	if !ok || len(name) == 0 || len(mac) != sha256.Size || agent == "" {
		return nil, malformed("a name, NUL, a proof, and the id of a user agent")
	}
	user, err := jid.New(string(name), host, "")
	if err != nil {
		return nil, errToken
	}
	account, err := t.accounts.Lookup(user)
	if err != nil {
		return nil, errToken
	}
	l, err := t.match(account.JID, agent, m, tokenMechanisms[m].data(&b), mac, now)
	if err == nil && account.Credentials.Disabled { // which is said to who has proved to be its owner
		return nil, Failure{Condition: AccountDisabled, Text: "this account is disabled"}
	}
	return l, err
}

// errToken is for a wrong token and an unknown name alike.
var errToken = denied("the token is wrong")

func tokenMechanism(name string, b *Binding) (byte, bool) {
	for i := range tokenMechanisms {
		if m := &tokenMechanisms[i]; m.name == name {
			return byte(i), m.any || m.data(b) != nil
		}
	}
	return 0, false
}

// match compares with the tokens of the client, the one not used yet first.
func (t *Tokens) match(user jid.JID, agent string, m byte, binding, mac []byte, now time.Time) (l *TokenLogin, err error) {
	err = errToken
	_ = t.accounts.store.View(func(tx *store.Tx) error {
		for _, slot := range []string{fresh, current} {
			r, ok := readRecord(tokens.Get(tx, user.String(), place(agent, slot)))
			if !ok {
				continue
			}
			token := t.token(user.String(), agent, &r)
			if !hmac.Equal(proof(token, "Initiator", binding), mac) || r.mechanism != m {
				continue
			}
			if r.expiry <= now.Unix() {
				err = Failure{Condition: CredentialsExpired, Text: "the token has expired"}
				continue
			}
			l, err = &TokenLogin{User: user, Answer: proof(token, "Responder", binding), slot: slot, record: r}, nil
			return nil
		}
		return nil
	})
	return l, err
}

// NextToken is what becomes of a client's tokens with a login.
type NextToken struct {
	Token  string // for the client; "" if it gets none
	Expiry time.Time
	Update func(tx *store.Tx) error // nil if nothing changes
}

// Next decides on the tokens of a client that has logged in: by, if by token.
// want is the mechanism it wants a token for, "" if none; forget says that the
// token it has used is to be forgotten.
func (t *Tokens) Next(user jid.JID, agent string, by *TokenLogin, want string, forget bool, b Binding, now time.Time) (n NextToken) {
	m, ok := tokenMechanism(want, &b)
	if want == "" || !ok {
		ok = false
		if by != nil && !forget && by.record.expiry-now.Unix() < int64(t.life/time.Second)/2 {
			m, ok = by.record.mechanism, true // due for rotation
		}
	}
	if agent == "" || by == nil && !ok {
		return n
	}
	owner := user.String()
	var put []byte
	if ok {
		r := record{m, now.Add(t.life).Unix(), make([]byte, tokenNonce)}
		rand.Read(r.nonce) // never fails
		n.Token, n.Expiry = t.token(owner, agent, &r), now.Add(t.life)
		put = r.append(nil)
		tokensIssued.Add(metric.OffLoop, 1)
	}
	used := by != nil && by.slot == fresh
	if put == nil && !used && !forget {
		return n
	}
	n.Update = func(tx *store.Tx) error { return turn(tx, owner, agent, by, used, forget, put) }
	return n
}

// turn changes the slots: a token that is used for the first time ends the one
// before it, a new one ends one that was never used. by may have been used for the
// first time by another login meanwhile; it may also be gone, and then it does not
// come back, and nothing comes of it.
func turn(tx *store.Tx, owner, agent string, by *TokenLogin, used, forget bool, put []byte) error {
	newest, oldest := place(agent, fresh), place(agent, current)
	if by != nil {
		v := by.record.append(nil)
		there := bytes.Equal(tokens.Get(tx, owner, newest), v)
		if !there && !bytes.Equal(tokens.Get(tx, owner, oldest), v) {
			return errRevoked
		}
		if used && there {
			if err := errors.Join(tokens.Put(tx, owner, oldest, v), tokens.Delete(tx, owner, newest)); err != nil {
				return err
			}
		}
	}
	if forget {
		if err := errors.Join(tokens.Delete(tx, owner, oldest), tokens.Delete(tx, owner, newest)); err != nil {
			return err
		}
	}
	if put == nil {
		return nil
	}
	if err := makeRoom(tx, owner, newest); err != nil {
		return err
	}
	return tokens.Put(tx, owner, newest, put)
}

var errRevoked = errors.New("auth: the token was revoked while it was used")

// maxTokens bounds the tokens of an account: clients that are not used any more leave
// theirs behind, and anybody who may log in can call himself a new client each time.
const maxTokens = 100

// makeRoom removes, where there are too many, the token that ends first, of others
// than key.
func makeRoom(tx *store.Tx, owner, key string) error {
	n, first, least := 0, "", int64(0)
	err := tokens.Each(tx, owner, func(k string, v []byte) error {
		if k == key {
			return nil
		}
		n++
		if r, _ := readRecord(v); first == "" || r.expiry < least {
			first, least = k, r.expiry
		}
		return nil
	})
	if err != nil || n < maxTokens {
		return err
	}
	tokensEvicted.Add(metric.OffLoop, 1)
	return tokens.Delete(tx, owner, first)
}

// Revoke ends all tokens of an account: none of its clients gets in by one.
func (*Accounts) Revoke(tx *store.Tx, account jid.JID) error {
	return tokens.DeleteAll(tx, account.BareString())
}
