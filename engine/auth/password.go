package auth

import (
	"errors"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// MaxPassword is the most octets of a password, as it is typed.
const MaxPassword = 1023

// ErrPassword says that a string cannot be a password: it is empty, too long,
// not UTF-8, or has control characters.
var ErrPassword = errors.New("auth: a password has 1 to 1023 octets of text without control characters")

// preparePassword applies OpaqueString (RFC 8265 §4.2), the heir of SASLprep.
// A SCRAM client that still does SASLprep, which also folds compatibility
// characters (a wide "A", a ligature), arrives at other keys for passwords with
// such characters, and for those alone; for all of ASCII and for what keyboards
// compose the two agree.
func preparePassword(s string) (string, error) {
	if s == "" || len(s) > MaxPassword || !utf8.ValidString(s) {
		return "", ErrPassword
	}
	p, err := precis.OpaqueString.String(s)
	if err != nil || p == "" {
		return "", ErrPassword
	}
	return p, nil
}
