package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Error is what is wrong with a file, a line for each mistake.
type Error struct {
	Path  string
	Lines []string // without the path; "line 12: ..." where a line is known
}

func (e *Error) Error() string {
	var b strings.Builder
	for i, l := range e.Lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Path + ": " + l)
	}
	return b.String()
}

// Default is the configuration of an empty file.
func Default() *Config {
	c := new(Config)
	for _, o := range options(c) {
		set(o.value, o.tag.Get("default"))
	}
	return c
}

// Load reads and checks the file at path. Paths in it are relative to its own
// directory. The error is an *Error that tells all mistakes at once.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &Error{path, []string{err.Error()}}
	}
	c, err := parse(path, text)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil { // the working directory is gone, so nothing relative is to be found
		return nil, &Error{path, []string{err.Error()}}
	}
	c.resolve(dir)
	return c, nil
}

// parse reads text; path is for its errors only.
func parse(path string, text []byte) (*Config, error) {
	c := Default()
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(c)
	lines := describe(err)
	if len(lines) == 0 {
		for _, err := range c.Check() {
			lines = append(lines, err.Error())
		}
	}
	if len(lines) > 0 {
		return nil, &Error{path, lines}
	}
	return c, nil
}

// describe turns what the TOML library says into lines for the operator.
func describe(err error) (lines []string) {
	var unknown *toml.StrictMissingError
	var bad *toml.DecodeError
	switch {
	case err == nil:
	case errors.As(err, &unknown):
		for _, e := range unknown.Errors {
			line, _ := e.Position()
			lines = append(lines, fmt.Sprintf("line %d: unknown key %q%s", line, strings.Join(e.Key(), "."), suggest(e.Key())))
		}
	case errors.As(err, &bad):
		line, column := bad.Position()
		what := strings.TrimPrefix(bad.Error(), "toml: ")
		if key := strings.Join(bad.Key(), "."); key != "" {
			what = key + ": " + what
		}
		lines = append(lines, fmt.Sprintf("line %d, column %d: %s", line, column, what))
	default:
		lines = append(lines, err.Error())
	}
	return lines
}

// resolve makes paths relative to dir, the directory of the file.
func (c *Config) resolve(dir string) {
	abs := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	abs(&c.Data)
	abs(&c.HTTP.ChatDir)
	for i := range c.TLS.Certificates {
		abs(&c.TLS.Certificates[i].Cert)
		abs(&c.TLS.Certificates[i].Key)
	}
}

// Restart lists the keys that differ between old and c and that a reload does
// not bring into effect.
func (c *Config) Restart(old *Config) (keys []string) {
	before := options(old)
	for i, o := range options(c) {
		if !o.live() && !reflect.DeepEqual(o.value.Interface(), before[i].value.Interface()) {
			keys = append(keys, o.key())
		}
	}
	return keys
}
