package enginetest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// What stands for "any more" once an expectation is XML.
const (
	anyKids  = "enginetest-any"
	anyAttrs = "enginetest-any"
)

var (
	restKids  = regexp.MustCompile(`<\.\.\.>`)
	restAttrs = regexp.MustCompile(`\s\.\.\.(\s|/?>)`)
	variable  = regexp.MustCompile(`\{([a-z][a-z0-9_]*)?\}`)
)

// patterns reads what a step expects.
func patterns(body string) (list []node, err error) {
	text := restKids.ReplaceAllString(body, "<"+anyKids+"/>")
	text = restAttrs.ReplaceAllString(text, " "+anyAttrs+"=''$1")
	for strings.TrimSpace(text) != "" {
		n, size, err := next(text)
		if err != nil {
			return nil, fmt.Errorf("what is expected is no XML: %w: %s", err, text)
		}
		list = append(list, n)
		text = text[size:]
	}
	return list, nil
}

// vars are the names that a transcript has given to texts.
type vars map[string]string

// match reports whether got is what want says. Names get their texts only if
// it is.
func (v vars) match(want, got node) bool {
	trial := maps.Clone(v)
	if !trial.node(want, got) {
		return false
	}
	maps.Copy(v, trial)
	return true
}

func (v vars) node(want, got node) bool {
	if want.name == "" {
		return got.name == "" && v.text(strings.TrimSpace(want.text), strings.TrimSpace(got.text))
	}
	return want.name == got.name && v.attributes(want.attrs, got.attrs) && v.children(want.kids, got.kids)
}

func (v vars) attributes(want, got map[string]string) bool {
	_, more := want[anyAttrs]
	for name, w := range want {
		if name == anyAttrs {
			continue
		}
		if g, ok := got[name]; !ok || !v.text(w, g) {
			return false
		}
	}
	return more || len(want) == len(got)
}

// archiveID is what the archive adds to messages (XEP-0359). Where none is expected
// it is left out, unless the transcript says that ids matter.
const (
	archiveID = "{urn:xmpp:sid:0}stanza-id"
	idsMatter = "ids-matter" // in vars, where no transcript can put it
)

func isArchiveID(n node) bool { return n.name == archiveID }

func (v vars) children(want, got []node) bool {
	if v[idsMatter] == "" && !slices.ContainsFunc(want, isArchiveID) {
		got = slices.DeleteFunc(slices.Clone(got), isArchiveID)
	}
	for i, w := range want {
		if strings.HasSuffix(w.name, anyKids) {
			return true
		}
		if i >= len(got) || !v.node(w, got[i]) {
			return false
		}
	}
	return len(want) == len(got)
}

// text matches a text with variables in it.
func (v vars) text(want, got string) bool {
	if !strings.Contains(want, "{") {
		return want == got
	}
	expr, names := v.expression(want)
	m := expr.FindStringSubmatch(got)
	if m == nil {
		return false
	}
	for i, name := range names {
		if old, ok := v[name]; ok && old != m[i+1] {
			return false
		}
		if name != "" {
			v[name] = m[i+1]
		}
	}
	return true
}

// expression makes a regular expression of a text with variables: known ones
// are what they stand for, the others are groups, whose names it returns.
func (v vars) expression(want string) (*regexp.Regexp, []string) {
	var names []string
	expr, at := `(?s)\A`, 0
	for _, m := range variable.FindAllStringIndex(want, -1) {
		expr += regexp.QuoteMeta(want[at:m[0]])
		at = m[1]
		name := want[m[0]+1 : m[1]-1]
		if known, ok := v[name]; ok && name != "" {
			expr += regexp.QuoteMeta(known)
			continue
		}
		expr += `(.*)`
		names = append(names, name)
	}
	return regexp.MustCompile(expr + regexp.QuoteMeta(want[at:]) + `\z`), names
}

// fill puts the texts in place of their names.
func (v vars) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		if known, ok := v[strings.Trim(name, "{}")]; ok {
			return known
		}
		return name
	})
}
