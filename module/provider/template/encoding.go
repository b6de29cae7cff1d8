package template

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Encodings are how providers write bytes as text. Base64url has no padding.
var Encodings = []string{"hex", "base64", "base64url"}

// Unpadded returns base64 without its padding.
func Unpadded(text string) string {
	if len(text)%4 != 0 {
		return text
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
}

// AppendEncoded appends bytes, written in an encoding.
func AppendEncoded(to []byte, encoding string, bytes []byte) []byte {
	switch encoding {
	case "hex":
		return hex.AppendEncode(to, bytes)
	case "base64":
		return base64.StdEncoding.AppendEncode(to, bytes)
	}
	return base64.RawURLEncoding.AppendEncode(to, bytes)
}

// DecodeLeniently decodes a text, with or without padding. It returns nil if the
// text cannot be decoded.
func DecodeLeniently(encoding, text string) (decoded []byte) {
	var err error
	text = strings.TrimRight(text, "=")
	switch encoding {
	case "hex":
		decoded, err = hex.DecodeString(text)
	case "base64":
		decoded, err = base64.RawStdEncoding.DecodeString(text)
	default:
		decoded, err = base64.RawURLEncoding.DecodeString(text)
	}
	if err != nil {
		return nil
	}
	return decoded
}
