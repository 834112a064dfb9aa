package depot

import (
	"mime"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the bytes of a file's name that are kept.
const maxName = 200

// SafeName reduces what a client calls a file to one component of a path, of
// letters that can be seen. It is never empty.
func SafeName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.Is(unicode.Cf, r) || !unicode.IsPrint(r) {
			return -1 // also what turns the direction of writing
		}
		return r
	}, name)
	name = strings.TrimSpace(shorten(name))
	if strings.Trim(name, ". ") == "" {
		return "file"
	}
	return name
}

// shorten cuts the middle of a long name out, so that its extension stays.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	ext := path.Ext(name)
	if len(ext) > 20 {
		ext = ""
	}
	stem := name[:maxName-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return stem + ext
}

// maxType is the bytes of a media type that are kept.
const maxType = 128

// SafeType returns a media type as it may stand in a header of HTTP; ok is false
// if it is none.
func SafeType(text string) (kind string, ok bool) {
	base, params, err := mime.ParseMediaType(text)
	if err != nil || strings.Count(base, "/") != 1 {
		return "", false
	}
	kind = mime.FormatMediaType(base, params)
	return kind, kind != "" && len(kind) <= maxType
}

// BaseType is a media type without parameters, in lower case.
func BaseType(kind string) string {
	base, _, _ := strings.Cut(kind, ";")
	return strings.ToLower(strings.TrimSpace(base))
}
