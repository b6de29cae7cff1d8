package provider

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// encodings are how providers write bytes as text. That for URLs has no padding.
var encodings = []string{"hex", "base64", "base64url"}

// unpadded returns base64 without the padding that its length asks for.
func unpadded(text string) string {
	if len(text)%4 != 0 {
		return text
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
}

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
