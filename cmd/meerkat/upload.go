package main

import (
	"bufio"
	"fmt"
	"strings"

	"meerkat/engine"
	"meerkat/engine/admin"
	"meerkat/engine/config"
	"meerkat/store"
)

const uploadUsage = "try: meerkat upload list [PREFIX], or meerkat upload remove JID"

// uploads shows and removes what accounts have uploaded.
func uploads(t terminal, args []string) error {
	var s settings
	rest, err := parse(s.flags("upload", t), args)
	if err != nil {
		return err
	}
	if len(rest) == 0 || len(rest) > 2 || rest[0] != "list" && (rest[0] != "remove" || len(rest) != 2) {
		return usageError(uploadUsage)
	}
	cfg, path, err := s.load()
	if err != nil {
		return err
	}
	if err := mustExist(cfg.Data); err != nil {
		return err
	}
	if rest[0] == "list" {
		return withUploads(cfg, func(u admin.Uploads) error { return listUploads(t, u, strings.Join(rest[1:], "")) })
	}
	bare, err := accountName(rest[1], cfg, path)
	if err != nil {
		return err
	}
	return withUploads(cfg, func(u admin.Uploads) error {
		was, err := u.RemoveUploads(bare)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "%s: %d files of %s removed\n", bare, was.Files, inUnits(was.Bytes))
		return err
	})
}

// withUploads runs fn on the files of the running server, or on those beside the
// store if there is none.
func withUploads(cfg *config.Config, fn func(admin.Uploads) error) error {
	return withServer(cfg, func(c *admin.Client) error { return fn(c) },
		func(s *store.Store) error { return fn(engine.OpenUploads(s, cfg)) })
}

// listUploads prints the accounts that have files, one a line, and their sum.
func listUploads(t terminal, u admin.Uploads, prefix string) error {
	w := bufio.NewWriter(t.out)
	var accounts, files, bytes int64
	for after := ""; ; {
		page, err := u.ListUploads(prefix, after, 1000)
		if err != nil {
			return err
		}
		for _, o := range page {
			fmt.Fprintf(w, "%8d files %11s  %s\n", o.Files, inUnits(o.Bytes), o.JID)
			accounts, files, bytes, after = accounts+1, files+o.Files, bytes+o.Bytes, o.JID
		}
		if len(page) == 0 {
			fmt.Fprintf(w, "%8d files %11s  of %d accounts\n", files, inUnits(bytes), accounts)
			return w.Flush()
		}
	}
}

// inUnits is a number of bytes for people.
func inUnits(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
