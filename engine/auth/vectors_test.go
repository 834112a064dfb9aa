package auth

import (
	"encoding/base64"
	"strings"
	"testing"
)

// vector is a conversation from a specification, user "user", password "pencil".
type vector struct {
	spec                              string
	hash                              Hash
	header, binding                   string
	first, serverFirst, final, server string
}

var vectors = []vector{{
	"RFC 5802 §5", SHA1, "n,,", "",
	"n=user,r=fyko+d2lbbFgONRv9qkxdawL",
	"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
	"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
}, {
	"RFC 7677 §3", SHA256, "n,,", "",
	"n=user,r=rOprNGfwEbeRWgbNEkqO",
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
}, {
	"XEP-0474 §5.3", SHA1, "p=tls-exporter,,", "THIS IS FAKE CB DATA",
	"n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6",
	"r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=",
	"c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4=",
	"v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=",
}}

// exchange puts a server where it was after the server-first-message.
func (v *vector) exchange(t *testing.T, s *server) *Exchange {
	t.Helper()
	attrs := strings.Split(v.serverFirst, ",")
	salt, err := base64.StdEncoding.DecodeString(attrs[1][2:])
	if err != nil {
		t.Fatal(err)
	}
	keys, err := v.hash.keys("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	x := &Exchange{m: s.Mechanisms, mechanism: mechanism{name: "test", hash: v.hash}, host: host, asked: true}
	x.next = x.clientFinal
	x.scram = scram{
		claim: claim{account: Account{JID: address("user")}, known: true},
		keys:  keys,
		bound: []byte(v.header + v.binding),
		nonce: []byte(attrs[0][2:]),
		auth:  []byte(v.first + "," + v.serverFirst + ","),
	}
	return x
}

func TestVectors(t *testing.T) {
	s := newServer(t)
	for _, v := range vectors {
		x := v.exchange(t, s)
		out, done, err := x.Step([]byte(v.final))
		if string(out) != v.server || !done || err != nil || x.User() != address("user") {
			t.Errorf("%s: %q, done %v, error %v, user %q; want %q", v.spec, out, done, err, x.User(), v.server)
		}
	}
}

func TestDowngradeDigestOfXEP0474(t *testing.T) {
	list := offerList([]string{"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"}, []string{"tls-server-end-point", "tls-exporter"})
	if want := "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point"; list != want {
		t.Errorf("list %q, want %q", list, want)
	}
	if got, want := SHA1.digest(list), "G6k/rBLDqgOhRRaCuuatSDFkJ08="; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	if got := offerList([]string{"PLAIN"}, nil); got != "PLAIN" {
		t.Errorf("list without types %q", got)
	}
}
