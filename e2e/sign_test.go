package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
)

// hmacHex is what a provider computes, made apart from the gateway's own code.
func hmacHex(secret string, content []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(content)
	return hex.EncodeToString(mac.Sum(nil))
}

const insignerSecret = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"

// insigner returns an inSigner webhook with a delivery ID.
func insigner(id string) (http.Header, []byte) {
	body := fmt.Appendf(nil, `{"id":%q,"event":"document.completed","data":{"title":"Vertrag – ünïcode"}}`, id)
	return http.Header{
		"Content-Type":          {"application/json"},
		"X-Insigner-Signature":  {"sha256=" + hmacHex(insignerSecret, body)},
		"X-Insigner-Timestamp":  {"1760000000"},
		"X-Insigner-Event":      {"document.completed"},
		"X-Insigner-Deliveryid": {id},
	}, body
}

// insignerSite is a site with an inSigner source at /hook that delivers to an
// upstream; more lines go into its block.
func insignerSite(upstream, more string) string {
	return fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		provider insigner %s
		route app %s
		%s
	}
}
`, insignerSecret, upstream, more)
}
