package engine

import (
	"context"

	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/depot"
	"meerkat/engine/jid"
	"meerkat/store"
)

// makeDepot makes the keeper of uploaded files, with its directories if it is to
// get any, or has had.
func (s *Server) makeDepot() error {
	secret, err := auth.LoadSecret(s.opt.Store)
	if err != nil {
		return err
	}
	s.depot = depot.New(depot.Options{Store: s.opt.Store, Secret: secret, Logger: s.opt.Logger})
	s.depot.SetLimits(s.config)
	if s.config.Uploads() || s.depot.Used() {
		return s.depot.Prepare()
	}
	return nil
}

// sweep throws away old files until Shutdown.
func (s *Server) sweep() {
	ctx, cancel := context.WithCancel(context.Background())
	s.sweeping = cancel
	go s.depot.Run(ctx)
}

// Uploads is what an operator does to uploaded files, on a running server or on
// a store that nobody serves.
type Uploads struct {
	depot *depot.Depot
}

// OpenUploads returns the files beside a store that nobody serves.
func OpenUploads(st *store.Store, cfg *config.Config) *Uploads {
	d := depot.New(depot.Options{Store: st})
	d.SetLimits(cfg)
	return &Uploads{d}
}

// Uploads returns the files of a running server.
func (s *Server) Uploads() *Uploads { return &Uploads{s.depot} }

// ListUploads returns up to n accounts with files that begin with prefix, in
// order, those after after only.
func (u *Uploads) ListUploads(prefix, after string, n int) ([]depot.Owner, error) {
	return u.depot.List(prefix, after, n)
}

// RemoveUploads removes the files of an account, which may be gone, and returns
// what they were.
func (u *Uploads) RemoveUploads(address string) (depot.Owner, error) {
	j, err := jid.Parse(address)
	if err != nil {
		return depot.Owner{}, err
	}
	return u.depot.RemoveAll(j.BareString())
}
