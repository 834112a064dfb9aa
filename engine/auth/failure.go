package auth

import "meerkat/engine/metric"

// Condition is a SASL error condition of RFC 6120 §6.5.
type Condition uint8

const (
	Aborted Condition = iota
	AccountDisabled
	CredentialsExpired
	EncryptionRequired
	IncorrectEncoding
	InvalidAuthzid
	InvalidMechanism
	MalformedRequest
	MechanismTooWeak
	NotAuthorized
	TemporaryAuthFailure
)

var conditionNames = [...]string{
	Aborted:              "aborted",
	AccountDisabled:      "account-disabled",
	CredentialsExpired:   "credentials-expired",
	EncryptionRequired:   "encryption-required",
	IncorrectEncoding:    "incorrect-encoding",
	InvalidAuthzid:       "invalid-authzid",
	InvalidMechanism:     "invalid-mechanism",
	MalformedRequest:     "malformed-request",
	MechanismTooWeak:     "mechanism-too-weak",
	NotAuthorized:        "not-authorized",
	TemporaryAuthFailure: "temporary-auth-failure",
}

// String returns the name of the condition's element.
func (c Condition) String() string { return conditionNames[c] }

// Failure ends a negotiation. Every error of Start, Step and DecodeBase64 is one.
type Failure struct {
	Condition Condition
	Text      string // for the client: safe to send
	Cause     error  // for the log, never for the client; mostly nil
}

func (f Failure) Error() string {
	s := "auth: " + f.Condition.String() + ": " + f.Text
	if f.Cause != nil {
		s += ": " + f.Cause.Error()
	}
	return s
}

func (f Failure) Unwrap() error { return f.Cause }

var (
	// errDenied is for a wrong password and an unknown name alike.
	errDenied = Failure{Condition: NotAuthorized, Text: "the name or the password is wrong"}

	errAuthzid = Failure{Condition: InvalidAuthzid, Text: "you may act only as yourself"}
	errOver    = malformed("the negotiation is over")
)

// malformed is for what breaks the syntax of a mechanism.
func malformed(text string) Failure { return Failure{Condition: MalformedRequest, Text: text} }

// denied is for what has the right syntax and must not pass.
func denied(text string) Failure { return Failure{Condition: NotAuthorized, Text: text} }

// temporary is for what the client is not to blame for.
func temporary(cause error) Failure {
	return Failure{Condition: TemporaryAuthFailure, Text: "try again later", Cause: cause}
}

var (
	successes = metric.NewCounterVec("meerkat_auth_successes_total",
		"SASL negotiations that let somebody in.", "mechanism", mechanismNames()...)
	failures = metric.NewCounterVec("meerkat_auth_failures_total",
		"SASL negotiations refused.", "condition", conditionNames[:]...)
)

func mechanismNames() (names []string) {
	for _, m := range mechanisms {
		names = append(names, m.name)
	}
	return names
}

// counted counts err, a Failure or nil, and returns it.
func counted(err error) error {
	if f, ok := err.(Failure); ok {
		failures.Add(metric.OffLoop, int(f.Condition), 1)
	}
	return err
}
