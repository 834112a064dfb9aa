package tls

import "strconv"

// Alert is an AlertDescription of RFC 8446 §6.
type Alert uint8

// The alerts this package sends or gives a meaning to.
const (
	CloseNotify       Alert = 0
	UnexpectedMessage Alert = 10
	BadRecordMAC      Alert = 20
	RecordOverflow    Alert = 22
	IllegalParameter  Alert = 47
	DecodeError       Alert = 50
	ProtocolVersion   Alert = 70
	InternalError     Alert = 80
	UserCanceled      Alert = 90
	NoRenegotiation   Alert = 100
)

var alertNames = map[Alert]string{
	CloseNotify:       "close_notify",
	UnexpectedMessage: "unexpected_message",
	BadRecordMAC:      "bad_record_mac",
	21:                "decryption_failed",
	RecordOverflow:    "record_overflow",
	30:                "decompression_failure",
	40:                "handshake_failure",
	41:                "no_certificate",
	42:                "bad_certificate",
	43:                "unsupported_certificate",
	44:                "certificate_revoked",
	45:                "certificate_expired",
	46:                "certificate_unknown",
	IllegalParameter:  "illegal_parameter",
	48:                "unknown_ca",
	49:                "access_denied",
	DecodeError:       "decode_error",
	51:                "decrypt_error",
	60:                "export_restriction",
	ProtocolVersion:   "protocol_version",
	71:                "insufficient_security",
	InternalError:     "internal_error",
	86:                "inappropriate_fallback",
	UserCanceled:      "user_canceled",
	NoRenegotiation:   "no_renegotiation",
	109:               "missing_extension",
	110:               "unsupported_extension",
	111:               "certificate_unobtainable",
	112:               "unrecognized_name",
	113:               "bad_certificate_status_response",
	114:               "bad_certificate_hash_value",
	115:               "unknown_psk_identity",
	116:               "certificate_required",
	120:               "no_application_protocol",
}

// String is the name the RFC uses, for a log line or a metric's label.
func (a Alert) String() string {
	if s, ok := alertNames[a]; ok {
		return s
	}
	return "alert_" + strconv.Itoa(int(a))
}

// level is 1 (warning) for the alerts that are not errors, 2 (fatal) for all
// others. TLS 1.3 receivers ignore it (RFC 8446 §6).
func (a Alert) level() byte {
	switch a {
	case CloseNotify, UserCanceled, NoRenegotiation:
		return 1
	}
	return 2
}

// Error ends a session by an alert, sent by us or received from the client.
type Error struct {
	Alert  Alert
	Remote bool   // the client sent it
	Reason string // what it did wrong; empty if Remote
}

func (e *Error) Error() string {
	if e.Remote {
		return "tls: client sent alert " + e.Alert.String()
	}
	return "tls: " + e.Reason + " (alert " + e.Alert.String() + ")"
}

// fail is the error for a client that broke a rule.
func fail(a Alert, reason string) *Error { return &Error{Alert: a, Reason: reason} }
