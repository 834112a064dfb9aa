package feature

import (
	"errors"

	"meerkat/engine/stanza"
	"meerkat/store"
)

// Condition says how a client learns of err (rules of RFC 6120 §8.3.3): what a
// quota or the disk refused is resource-constraint and may be tried again.
func Condition(err error) stanza.Condition {
	var c stanza.Condition
	switch {
	case err == nil:
		return stanza.OK
	case errors.As(err, &c):
		return c
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrDiskFull),
		errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrTooLarge):
		return stanza.ResourceConstraint
	}
	return stanza.InternalServerError
}
