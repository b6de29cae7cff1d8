package scheme

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
)

// SigningKey is a private key of the operator's own, which signs samples in the place of
// a key that only the provider has.
type SigningKey struct {
	signer crypto.Signer
	chain  []*x509.Certificate // that came with it, its own first
}

var errNotPrivateKey = errors.New("not a private key in PEM; use what openssl genpkey writes, for x5c with its certificates behind it")

// ParseSigningKey reads a private key in PEM, with the certificates that stand beside it.
// Its errors quote nothing of the key.
func ParseSigningKey(text []byte) (*SigningKey, error) {
	key := new(SigningKey)
	for rest := bytes.TrimSpace(text); len(rest) > 0; {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		rest = after
		if block.Type == "CERTIFICATE" {
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, errors.New("a certificate beside the private key cannot be read")
			}
			key.chain = append(key.chain, certificate)
			continue
		}
		signer, err := parsePrivate(block)
		switch {
		case err != nil:
			return nil, err
		case signer != nil && key.signer != nil:
			return nil, errors.New("there are several private keys; give one")
		case signer != nil:
			key.signer = signer
		}
	}
	if key.signer == nil {
		return nil, errNotPrivateKey
	}
	if err := keys.CheckStrength(key.signer.Public()); err != nil {
		return nil, err
	}
	if len(key.chain) > 0 && !sameKey(key.chain[0].PublicKey, key.signer.Public()) {
		return nil, errors.New("the first certificate is not that of the private key")
	}
	return key, nil
}

// parsePrivate reads a private key; nil for the parameters of a curve.
func parsePrivate(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch {
	case block.Type == "EC PARAMETERS":
		return nil, nil
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, errors.New("the private key is encrypted; write it without a passphrase: openssl pkey -in <file> -out <new file>")
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, errors.New("the private key is one of OpenSSH; make one with openssl genpkey")
	case block.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, errNotPrivateKey
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errNotPrivateKey
	}
	return signer, nil
}

// PublicText returns the public half, as public_key takes it.
func (k *SigningKey) PublicText() string {
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(der)
}

// Among returns an error unless the public half is among the keys that are configured.
// Where none are, they are fetched, or come with the request, and nothing is known yet.
func (k *SigningKey) Among(configured *Keys) error {
	parsed, err := configured.ParsedKeys()
	if err != nil || len(parsed) == 0 {
		return err
	}
	for i := range parsed {
		if sameKey(parsed[i].PublicKey, k.signer.Public()) || len(k.chain) > 0 && parsed[i].Certificate != nil {
			return nil
		}
	}
	return errors.New("the public half of the private key is none of the keys that are configured; openssl pkey -in <file> -pubout writes it, and the source takes it as public_key, or in a certificate")
}

func sameKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// encodedChain returns the certificates as x5c has them.
func (k *SigningKey) encodedChain() (list []string) {
	for _, c := range k.chain {
		list = append(list, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return list
}

// sign signs what Digest gives, with an algorithm.
func (k *SigningKey) sign(a *keys.Algorithm, digest []byte) ([]byte, error) {
	if !a.Fits(k.signer.Public()) {
		return nil, fmt.Errorf("the provider does not sign with %s, but with %s", kindOf(k.signer.Public()), words(a))
	}
	switch private := k.signer.(type) {
	case *ecdsa.PrivateKey:
		if a.Raw {
			return signRaw(private, digest)
		}
	case *rsa.PrivateKey:
		if a.PSS {
			return private.Sign(rand.Reader, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.Hash})
		}
	}
	return k.signer.Sign(rand.Reader, digest, a.Hash)
}

// signRaw makes an ECDSA signature that is r and s side by side.
func signRaw(key *ecdsa.PrivateKey, digest []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		return nil, err
	}
	size := (key.Params().N.BitLen() + 7) / 8
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	s.FillBytes(signature[size:])
	return signature, nil
}

func kindOf(key crypto.PublicKey) string {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return "an Ed25519 key"
	case *ecdsa.PublicKey:
		return fmt.Sprintf("an ECDSA key of %d bits", key.Params().BitSize)
	case *rsa.PublicKey:
		return "an RSA key"
	}
	return "such a key"
}

// words names the kind of key of an algorithm.
func words(a *keys.Algorithm) string {
	switch {
	case a.Kind == "ecdsa" && a.Curve > 0:
		return fmt.Sprintf("one of ECDSA with %d bits", a.Curve)
	case a.Kind == "ecdsa":
		return "one of ECDSA"
	case a.Kind == "rsa":
		return "one of RSA"
	}
	return "one of Ed25519"
}
