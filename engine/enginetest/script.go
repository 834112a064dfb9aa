package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// step is one step of a transcript.
type step struct {
	where string // file:line
	words []string
	line  string // the whole first line
	body  string // the lines below, each without its indentation
}

// read parses a transcript.
func read(path string) ([]step, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(filepath.Base(path), string(text))
}

func parse(name, text string) (steps []step, err error) {
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		where := fmt.Sprintf("%s:%d", name, i+1)
		switch {
		case line == "" || line[0] == '#':
		case line[0] != '\t' && line[0] != ' ':
			steps = append(steps, step{where: where, words: strings.Fields(line), line: line})
		case len(steps) == 0:
			return nil, fmt.Errorf("%s: a line with indentation begins nothing", where)
		default:
			s := &steps[len(steps)-1]
			if s.body != "" {
				s.body += "\n"
			}
			s.body += strings.TrimLeft(line, " \t")
		}
	}
	return steps, nil
}

// after returns what stands behind the first n words of the line.
func (s *step) after(n int) string {
	rest := s.line
	for range n {
		_, rest, _ = strings.Cut(strings.TrimLeft(rest, " \t"), " ")
	}
	return strings.TrimLeft(rest, " \t")
}
