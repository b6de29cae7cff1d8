// Package keys has the keys of providers that sign with a private key: it reads them,
// fetches them and keeps them, and verifies signatures with them.
package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// PublicKey is a key that a provider's signatures are verified with.
type PublicKey struct {
	id string // in the provider's own words; "" where the key has none
	crypto.PublicKey

	// Certificate is what the key came in, nil if it came alone.
	Certificate *x509.Certificate
}

var errNotPublicKey = errors.New("not a public key; use PEM, a certificate, a JWK or JWK set, base64 DER, or the 32 bytes of an Ed25519 key in hex or base64")

// ParsePublicKeys reads one or more public keys in any of the forms in which
// providers publish them.
func ParsePublicKeys(text string) (keys []PublicKey, err error) {
	text = strings.TrimSpace(text)
	switch {
	case strings.Contains(text, "-----BEGIN "):
		keys, err = parsePEM(text)
	case strings.HasPrefix(text, "{"):
		keys, err = ParseJWK([]byte(text))
	default:
		keys, err = parseBareKey(text)
	}
	for i := range keys {
		if err := CheckStrength(keys[i].PublicKey); err != nil {
			return nil, err
		}
	}
	switch {
	case err == nil && len(keys) == 0:
		err = errNotPublicKey
	case len(keys) > MaxKeySet:
		err = fmt.Errorf("%d public keys are too many: each signature is tried with each", len(keys))
	}
	return keys, err
}

// MaxKeySet is how many keys one signature is tried with.
const MaxKeySet = 64

// ReadKeys reads keys that were fetched.
func ReadKeys(_ string, text []byte) ([]PublicKey, error) { return ParsePublicKeys(string(text)) }

// parsePEM reads blocks of PEM. Environment variables and some APIs lose the line
// breaks: they may be missing, spaces, or spelled \n.
func parsePEM(text string) (keys []PublicKey, err error) {
	text = strings.ReplaceAll(text, `\n`, "\n")
	for {
		_, rest, found := strings.Cut(text, "-----BEGIN ")
		if !found {
			return keys, nil
		}
		label, rest, _ := strings.Cut(rest, "-----")
		content, rest, ended := strings.Cut(rest, "-----END "+label+"-----")
		if !ended {
			return nil, fmt.Errorf("PEM block %q does not end", label)
		}
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(content), ""))
		if err != nil {
			return nil, fmt.Errorf("PEM block %q is not base64", label)
		}
		key, err := parseDER(label, der)
		if err != nil {
			return nil, err
		}
		keys, text = append(keys, key), rest
	}
}

func parseDER(label string, der []byte) (key PublicKey, err error) {
	switch label {
	case "PUBLIC KEY":
		key.PublicKey, err = x509.ParsePKIXPublicKey(der)
	case "RSA PUBLIC KEY":
		key.PublicKey, err = x509.ParsePKCS1PublicKey(der)
	case "CERTIFICATE":
		if key.Certificate, err = x509.ParseCertificate(der); err == nil {
			key.PublicKey = key.Certificate.PublicKey
		}
	default:
		return key, fmt.Errorf("PEM block %q is not a public key or certificate", label)
	}
	if err != nil {
		return key, fmt.Errorf("reading PEM block %q: %v", label, err)
	}
	return key, nil
}

// ParseJWK reads a JWK or a set of them. Keys of kinds that sign nothing here
// are left out of a set: a provider may publish others beside them.
func ParseJWK(text []byte) (keys []PublicKey, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errNotPublicKey
	}
	single := set.Keys == nil
	if single {
		set.Keys = []json.RawMessage{text}
	}
	for _, raw := range set.Keys {
		var jwk jose.JSONWebKey
		err := jwk.UnmarshalJSON(raw)
		if err == nil && (!jwk.IsPublic() || CheckStrength(jwk.Key) != nil || jwk.Use == "enc") {
			err = errNotPublicKey
		}
		if err == nil {
			keys = append(keys, PublicKey{id: jwk.KeyID, PublicKey: jwk.Key})
		} else if single {
			return nil, errNotPublicKey // the decoder's own error may quote a private key
		}
	}
	return keys, nil
}

// parseBareKey reads a key without any wrapping.
func parseBareKey(text string) ([]PublicKey, error) {
	text = strings.TrimPrefix(text, "whpk_")
	raw, err := hex.DecodeString(text)
	if err != nil {
		unpadded := strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
		if raw, err = base64.RawStdEncoding.DecodeString(unpadded); err != nil {
			raw, err = base64.RawURLEncoding.DecodeString(unpadded)
		}
	}
	switch {
	case err != nil:
		return nil, errNotPublicKey
	case len(raw) == ed25519.PublicKeySize:
		return []PublicKey{{PublicKey: ed25519.PublicKey(raw)}}, nil
	}
	for _, label := range []string{"PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"} {
		if key, err := parseDER(label, raw); err == nil {
			return []PublicKey{key}, nil
		}
	}
	return nil, errNotPublicKey
}

// minRSA is the smallest RSA key, in bits.
const minRSA = 2048

// CheckStrength refuses keys of other kinds, and keys that are too short.
func CheckStrength(key crypto.PublicKey) error {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if key.Curve.Params().BitSize >= 256 {
			return nil
		}
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSA {
			return nil
		}
	default:
		return fmt.Errorf("a key of the kind %T cannot verify signatures", key)
	}
	return errors.New("the key is too small; use at least 256 bits for ECDSA and 2048 for RSA")
}

// Algorithm is a way to sign with a private key.
type Algorithm struct {
	Kind  string      // ed25519, ecdsa or rsa
	Hash  crypto.Hash // 0: the message is signed as it is
	Curve int         // of ECDSA, in bits; 0 = any
	Raw   bool        // ECDSA: r and s side by side instead of ASN.1
	PSS   bool        // RSA: PSS instead of PKCS #1 v1.5
}

// Digest returns the digest of a message, which write writes, or the message itself
// where the algorithm signs it whole.
func (a *Algorithm) Digest(write func(to io.Writer)) []byte {
	if a.Hash == 0 {
		var message bytes.Buffer
		write(&message)
		return message.Bytes()
	}
	h := a.Hash.New()
	write(h)
	return h.Sum(nil)
}

// Fits reports whether a key is of the algorithm's kind.
func (a *Algorithm) Fits(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return a.Kind == "ed25519"
	case *ecdsa.PublicKey:
		return a.Kind == "ecdsa" && (a.Curve == 0 || a.Curve == key.Curve.Params().BitSize)
	case *rsa.PublicKey:
		return a.Kind == "rsa"
	}
	return false
}

// Verify reports whether a signature was made with the private half of a key.
func (a *Algorithm) Verify(key crypto.PublicKey, digest, signature []byte) bool {
	if !a.Fits(key) {
		return false
	}
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, digest, signature)
	case *ecdsa.PublicKey:
		if a.Raw {
			return verifyRaw(key, digest, signature)
		}
		return ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		if a.PSS {
			return rsa.VerifyPSS(key, a.Hash, digest, signature, nil) == nil
		}
		return rsa.VerifyPKCS1v15(key, a.Hash, digest, signature) == nil
	}
	return false
}

// verifyRaw verifies an ECDSA signature that is r and s side by side, each as
// long as the curve's order.
func verifyRaw(key *ecdsa.PublicKey, digest, signature []byte) bool {
	size := (key.Curve.Params().N.BitLen() + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(key, digest, r, s)
}
