package config

import (
	"fmt"
	"strings"
)

// suggest says what an unknown key was probably meant to be: the nearest option
// by spelling, with one that has the same name in another section first. It is
// empty when nothing comes near.
func suggest(key []string) string {
	section, name := strings.Join(key[:len(key)-1], "."), key[len(key)-1]
	best, least := option{}, 1+len(name)/3
	for _, o := range options(new(Config)) {
		d := distance(name, o.name)
		if o.section != section {
			d += distance(section, o.section)
			if o.name == name {
				d = min(d, 1) // the right name in the wrong place
			}
		}
		if d <= least {
			best, least = o, d-1
		}
	}
	switch {
	case best.name != "" && best.section == "" && section != "":
		return fmt.Sprintf(": did you mean %q at the top of the file, before any section?", best.name)
	case best.name != "" && best.section != section:
		return fmt.Sprintf(": did you mean %q in section [%s]?", best.name, best.section)
	case best.name != "":
		return fmt.Sprintf(": did you mean %q?", best.name)
	default:
		return suggestSection(key)
	}
}

// suggestSection helps with a whole section that is unknown.
func suggestSection(key []string) string {
	name, best := key[0], ""
	for _, o := range options(new(Config)) {
		switch d := distance(name, o.section); {
		case d == 0:
			return ""
		case o.section != "" && d <= 1+len(name)/3:
			best = fmt.Sprintf(": did you mean section [%s]?", o.section)
		}
	}
	return best
}

// distance is the number of letters to insert, delete or change to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of a's first i letters to each head of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
