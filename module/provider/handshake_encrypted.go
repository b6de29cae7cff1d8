package provider

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// decrypted returns the request with its decrypted body. A request without an
// encrypted body is returned as it is.
func (h *Handshake) decrypted(r *template.Request) *template.Request {
	if h.Encrypted == "" || len(r.Body) > MaxHandshake {
		return r
	}
	if !h.encrypted.MayHold(r) {
		return r
	}
	e := template.NewOwnEnv(r)
	text := h.encrypted.Text(e)
	e.Free()
	if text == "" {
		return r
	}
	for _, block := range h.ciphers {
		if body := decryptCBC(block, text); bytes.HasPrefix(body, []byte("{")) {
			inner := *r
			inner.Body = body
			return &inner
		}
	}
	return r
}

// ciphersOf returns a cipher for each secret, whose key is the secret's hash.
func ciphersOf(secrets []string) ([]cipher.Block, error) {
	var blocks []cipher.Block
	for _, secret := range secrets {
		key := sha256.Sum256([]byte(secret))
		block, err := aes.NewCipher(key[:])
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, block)
	}
	return blocks, nil
}

// decryptCBC decrypts a text in base64, which begins with the initial vector and
// ends with padding. With a wrong key the result is noise, or nil.
func decryptCBC(block cipher.Block, text string) []byte {
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(sealed) < 2*aes.BlockSize || len(sealed)%aes.BlockSize != 0 {
		return nil
	}
	vector, body := sealed[:aes.BlockSize], sealed[aes.BlockSize:]
	cipher.NewCBCDecrypter(block, vector).CryptBlocks(body, body)
	padding := int(body[len(body)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil
	}
	return body[:len(body)-padding]
}
