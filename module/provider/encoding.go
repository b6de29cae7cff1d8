package provider

import (
	"encoding/base64"
	"encoding/hex"
)

// encodings are how providers write bytes as text. That for URLs has no padding.
var encodings = []string{"hex", "base64", "base64url"}

// appendEncoded appends bytes in an encoding.
func appendEncoded(to []byte, encoding string, bytes []byte) []byte {
	switch encoding {
	case "hex":
		return hex.AppendEncode(to, bytes)
	case "base64":
		return base64.StdEncoding.AppendEncode(to, bytes)
	}
	return base64.RawURLEncoding.AppendEncode(to, bytes)
}
