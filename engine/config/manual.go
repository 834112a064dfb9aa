package config

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// manualHead opens what WriteManual writes.
const manualHead = `# Configuration of Meerkat, all of it, with every default behind a #.
# meerkat.toml may hold only what differs; without a file the defaults hold.
#
# Sizes have a unit (B, kB, KiB, MB, MiB, ...), time spans too (ms, s, m, h, d).
# Paths are relative to the directory of this file. "Live" options change with
# "systemctl reload meerkat" (SIGHUP), the others with a restart.
`

// WriteManual prints all options with what the tags say about them, as a TOML
// file that changes nothing: every option is there, commented out.
func WriteManual(w io.Writer) error {
	b := bytes.NewBufferString(manualHead)
	section := ""
	for _, o := range options(Default()) {
		if o.section != section {
			section = o.section
			fmt.Fprintf(b, "\n[%s]\n", section)
		}
		b.WriteString("\n" + wrap(o.manual(), 78) + "#" + o.name + " = " + literal(o.value) + "\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// manual is the prose of an option: what it is, its range, when it changes.
func (o option) manual() string {
	text := o.tag.Get("doc")
	if low := o.tag.Get("min"); low != "" {
		text += fmt.Sprintf(" From %s to %s", low, o.tag.Get("max"))
		if zero := o.tag.Get("zero"); zero != "" {
			text += fmt.Sprintf("; 0 is %s", zero)
		}
		text += "."
	}
	if values := strings.Fields(o.tag.Get("values")); len(values) > 0 && o.value.Kind() == reflect.String {
		text += " One of " + strings.Join(values, ", ") + "."
	}
	if o.live() {
		text += " Live."
	}
	return text
}

// literal is v as TOML writes it.
func literal(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return strconv.Quote(x)
	case fmt.Stringer:
		return strconv.Quote(x.String())
	case []string:
		quoted := make([]string, len(x))
		for i, s := range x {
			quoted[i] = strconv.Quote(s)
		}
		return list(quoted)
	case []Certificate, []ExternalService, []DomainArchive:
		return list(nil)
	default:
		return fmt.Sprint(x)
	}
}

// list is a TOML array, on lines of their own if it is long.
func list(items []string) string {
	if line := "[" + strings.Join(items, ", ") + "]"; len(line) < 60 {
		return line
	}
	return "[\n#\t" + strings.Join(items, ",\n#\t") + ",\n#]"
}

// wrap breaks text into comment lines of at most width letters.
func wrap(text string, width int) string {
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}
