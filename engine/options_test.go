package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"meerkat/engine/config"
)

// An option that nothing reads is a promise nobody keeps: each is read outside
// its own package.
func TestEveryOptionIsRead(t *testing.T) {
	read := map[string]bool{}
	for _, dir := range []string{".", "../cmd", "../tune"} {
		if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "config/") {
				return err
			}
			return selectors(path, read)
		}); err != nil {
			t.Fatal(err)
		}
	}
	names := optionNames(reflect.TypeFor[config.Config]())
	if len(names) < 50 {
		t.Fatalf("only %d options were found", len(names))
	}
	for _, name := range names {
		if !read[name] {
			t.Errorf("nothing reads the option %s", name)
		}
	}
}

// selectors adds what stands behind a dot in a file to read.
func selectors(path string, read map[string]bool) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			read[s.Sel.Name] = true
		}
		return true
	})
	return nil
}

// optionNames returns the fields of t and of the structs in it that have a name
// in the configuration.
func optionNames(t reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Tag.Get("toml") == "" {
			continue
		}
		names = append(names, f.Name)
		if f.Type.Kind() == reflect.Struct {
			names = append(names, optionNames(f.Type)...)
		}
	}
	return slices.Compact(names)
}
