package xml

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The generator of a deterministic stream that looks like the traffic of a busy
// server. The same seed and size give the same bytes everywhere.

// rng is splitmix64.
type rng struct{ s uint64 }

func (r *rng) u64() uint64 {
	r.s += 0x9e3779b97f4a7c15
	z := r.s
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
func (r *rng) n(n int) int        { return int(r.u64() % uint64(n)) }
func (r *rng) pct(p float64) bool { return float64(r.u64()>>11)/(1<<53)*100 < p }
func (r *rng) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.u64() >> 32)
	}
	return b
}

type mixer struct {
	rng
	b     []byte
	quote byte // attribute quote of the stanza in hand
	t     int  // time
}

// mix: kind, per mille of stanzas.
var mixKinds = []struct {
	name string
	w    int
	f    func(*mixer)
}{
	{"sm-r", 120, func(g *mixer) { g.open("r", "xmlns", "urn:xmpp:sm:3"); g.empty() }},
	{"sm-a", 120, func(g *mixer) { g.open("a", "xmlns", "urn:xmpp:sm:3", "h", strconv.Itoa(g.n(1<<20))); g.empty() }},
	{"presence", 165, (*mixer).presence},
	{"presence-muc", 60, (*mixer).presenceMUC},
	{"chat", 140, func(g *mixer) { g.chat(false) }},
	{"chat-carbon", 30, func(g *mixer) { g.carbon() }},
	{"chatstate", 50, (*mixer).chatstate},
	{"receipt", 50, (*mixer).receipt},
	{"marker", 40, (*mixer).marker},
	{"omemo", 45, func(g *mixer) { g.omemo() }},
	{"groupchat", 75, (*mixer).groupchat},
	{"mam-result", 40, (*mixer).mam},
	{"mam-fin", 3, (*mixer).mamFin},
	{"ping", 24, (*mixer).ping},
	{"iq-result-empty", 14, (*mixer).iqResult},
	{"disco-info", 6, (*mixer).disco},
	{"pep-event", 8, (*mixer).pep},
	{"roster-result", 2, (*mixer).roster},
	{"vcard-photo", 1, (*mixer).vcard},
	{"http-upload", 2, (*mixer).upload},
	{"iq-error", 3, (*mixer).iqError},
	{"jingle", 2, (*mixer).jingle},
}

var (
	users   = []string{"alice", "bob", "carol.jones", "dave_77", "erin", "frank", "grace-h", "heidi", "ivan", "judy", "mallory", "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter", "zoë", "јован", "romeo", "juliet", "mercutio", "benvolio"}
	domains = []string{"example.com", "example.org", "chat.example.net", "im.example.edu", "xmpp.example"}
	rooms   = []string{"lobby", "dev", "general", "ops", "random", "coven"}
	langs   = []string{"en", "de", "fr", "ru", "ja", "pt-BR"}
	words   = map[string][]string{
		"en": strings.Fields("the of and to in is you that it was for on are with as I his they be at one have this from or had by hot but some what there we can out other were all your when up use word how said an each she which do their time if will way about many then them would write like so these her long make thing see him two has look more day could go come did my sound no most number who over know water than call first people may down side been now find any new work part take get place made live where after back little only round man year came show every good me give our under name very through just form much great think say help low line before turn cause same mean differ move right boy old too does tell sentence set three want air well also play small end put home read hand port large spell add even land here must big high such follow act why ask men change went light kind off need house picture try us again animal point mother world near build self earth father"),
		"de": strings.Fields("der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum kann nur können möglich größer schön Straße grüße morgen übermorgen später"),
		"fr": strings.Fields("le de un être et à il avoir ne je son que se qui ce dans en du elle au pour pas cela vous par sur faire plus dire me on mon lui nous comme mais pouvoir avec tout y aller voir déjà très où même après là été français château garçon"),
		"ru": strings.Fields("и в не на я быть он с что а по это она этот к но они мы весь который из у то за свой её так говорить для ты год знать мой до или если время рука нет самый ни стать большой даже другой наш под где дело сам раз чтобы два там чем глаз жизнь первый день"),
		"ja": strings.Fields("これは テスト です 今日 の 天気 は いい ですね 明日 会議 が あります よろしく お願い します 了解 しました ありがとう ございます 東京 駅 で 待って います"),
		"zz": strings.Fields("👍 😀 🎉 ❤️ 🚀 🤔 👀 😂 ok lol 👨‍👩‍👧‍👦 yes no"),
	}
)

func (g *mixer) s(x string) { g.b = append(g.b, x...) }
func (g *mixer) esc(x string, attr bool) {
	for i := 0; i < len(x); i++ {
		switch c := x[i]; {
		case c == '&':
			g.s("&amp;")
		case c == '<':
			g.s("&lt;")
		case c == '>' && g.n(2) == 0:
			g.s("&gt;")
		case attr && c == g.quote:
			if c == '\'' {
				g.s("&apos;")
			} else {
				g.s("&quot;")
			}
		default:
			g.b = append(g.b, c)
		}
	}
}

// open writes a start-tag without its end.
func (g *mixer) open(name string, attrs ...string) {
	g.s("<")
	g.s(name)
	for i := 0; i < len(attrs); i += 2 {
		if attrs[i+1] == "" && attrs[i] != "xmlns" {
			continue
		}
		g.s(" ")
		g.s(attrs[i])
		g.s("=")
		g.b = append(g.b, g.quote)
		g.esc(attrs[i+1], true)
		g.b = append(g.b, g.quote)
	}
}
func (g *mixer) empty() { g.s("/>") }
func (g *mixer) more()  { g.s(">") }
func (g *mixer) close(name string) {
	g.s("</")
	g.s(name)
	g.s(">")
}
func (g *mixer) el(name string, attrs ...string) { g.open(name, attrs...); g.empty() }
func (g *mixer) leaf(name, text string, attrs ...string) {
	g.open(name, attrs...)
	g.more()
	g.esc(text, false)
	g.close(name)
}

func (g *mixer) pick(l []string) string { return l[g.n(len(l))] }
func (g *mixer) user() string {
	return g.pick(users) + strconv.Itoa(g.n(5000)) + "@" + g.pick(domains)
}
func (g *mixer) full() string {
	switch g.n(4) {
	case 0:
		return g.user() + "/Conversations." + base64.RawURLEncoding.EncodeToString(g.bytes(3))
	case 1:
		return g.user() + "/gajim." + strings.ToUpper(hex.EncodeToString(g.bytes(4)))
	case 2:
		return g.user() + "/" + hex.EncodeToString(g.bytes(8))
	}
	return g.user() + "/phone"
}
func (g *mixer) uuid() string {
	h := hex.EncodeToString(g.bytes(16))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
func (g *mixer) id() string {
	switch g.n(4) {
	case 0:
		return g.uuid()
	case 1:
		return base64.RawURLEncoding.EncodeToString(g.bytes(9))
	case 2:
		return "purple" + hex.EncodeToString(g.bytes(4))
	}
	return strconv.Itoa(g.n(1 << 30))
}
func (g *mixer) b64(n int) string { return base64.StdEncoding.EncodeToString(g.bytes(n)) }
func (g *mixer) stamp() string {
	g.t += g.n(40)
	t := g.t
	return fmt.Sprintf("2026-%02d-%02dT%02d:%02d:%02d.%06dZ", 1+t/2592000%12, 1+t/86400%28, t/3600%24, t/60%60, t%60, g.n(1000000))
}
func (g *mixer) lang() string {
	switch k := g.n(100); {
	case k < 68:
		return "en"
	case k < 78:
		return "de"
	case k < 84:
		return "fr"
	case k < 90:
		return "ru"
	case k < 95:
		return "ja"
	}
	return "zz"
}
func (g *mixer) text() string {
	w := words[g.lang()]
	n := 1 + g.n(14)
	if g.pct(12) {
		n += g.n(90)
	}
	var b strings.Builder
	for i := 0; i < n; i++ {
		if i > 0 {
			b.WriteByte(' ')
			if g.pct(1) {
				b.WriteString("\n")
			}
		}
		b.WriteString(w[g.n(len(w))])
		if g.pct(6) {
			b.WriteByte(",.!?:;"[g.n(6)])
		}
	}
	if g.pct(4) {
		b.WriteString(" & don't <say> \"that\" > 3")
	}
	if g.pct(8) {
		b.WriteString(" https://www.example.com/p/" + g.b64(9)[:10] + "?a=1&b=2#x")
	}
	return b.String()
}
func (g *mixer) body(t string) {
	switch {
	case g.pct(0.3):
		g.s("<body><![CDATA[")
		g.s(strings.ReplaceAll(t, "]]>", ""))
		g.s("]]></body>")
	case g.pct(0.5):
		g.s("<body>")
		g.esc(t, false)
		g.s("&#x1F600;&#8364;</body>")
	default:
		g.leaf("body", t)
	}
}

// mixHeader is the header of the stream that the mix belongs to.
const mixHeader = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='example.com' version='1.0' xml:lang='en'>"

// makeMix returns at least size bytes of stanzas, and the offset behind each.
func makeMix(size int, seed uint64) (b []byte, ends []int) {
	g := &mixer{rng: rng{seed}}
	sum := 0
	for _, k := range mixKinds {
		sum += k.w
	}
	for len(b) < size {
		k, i := g.n(sum), 0
		for k >= mixKinds[i].w {
			k -= mixKinds[i].w
			i++
		}
		g.b, g.quote = g.b[:0], '\''
		if g.pct(45) {
			g.quote = '"'
		}
		mixKinds[i].f(g)
		if g.pct(1.5) {
			g.s(" ") // a keepalive
		}
		b = append(b, g.b...)
		ends = append(ends, len(b))
	}
	return b, ends
}
