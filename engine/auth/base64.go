package auth

import "encoding/base64"

var strict = base64.StdEncoding.Strict()

var errEncoding = Failure{Condition: IncorrectEncoding, Text: "this is not canonical base64"}

// DecodeBase64 appends to dst what in, the text of a SASL element, stands for.
// No text at all gives nil, which an Exchange takes for "nothing was said", and
// "=" something empty that is not nil (RFC 6120 §6.4.2). White space, missing
// padding and stray bits behind the end are all incorrect-encoding (RFC 6120
// §6.5.5, RFC 4648 §3).
func DecodeBase64(dst, in []byte) ([]byte, error) {
	switch {
	case len(in) == 0:
		return nil, nil
	case string(in) == "=":
		if dst == nil {
			dst = []byte{}
		}
		return dst, nil
	}
	for _, c := range in { // the decoder would skip line ends
		if c == '\r' || c == '\n' {
			return nil, counted(errEncoding)
		}
	}
	out, err := strict.AppendDecode(dst, in)
	if err != nil {
		return nil, counted(errEncoding)
	}
	return out, nil
}
