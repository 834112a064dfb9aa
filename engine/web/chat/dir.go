package chat

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"
)

// epoch stands for no time of last change.
var epoch time.Time

// Dir returns a page of the operator's own, the files of a directory. Links do
// not lead out of it, names that begin with a dot are not there, and nobody gets
// a list of what is.
func Dir(dir string) (http.Handler, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("http.chat_dir: %w", err)
	}
	if _, err := root.Stat("index.html"); err != nil {
		return nil, fmt.Errorf("http.chat_dir: %w", errors.Join(err, root.Close()))
	}
	files := http.FileServerFS(shown{root.FS()})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !reads(w, r) {
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	}), nil
}

// shown are the files that anybody may see.
type shown struct{ fs.FS }

func (s shown) Open(name string) (fs.File, error) {
	hidden := &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	if name != "." && (strings.HasPrefix(name, ".") || strings.Contains(name, "/.")) {
		return nil, hidden
	}
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		_, err = fs.Stat(s.FS, strings.TrimPrefix(name+"/index.html", "./"))
	}
	if err != nil {
		return nil, errors.Join(hidden, f.Close())
	}
	return f, nil
}
