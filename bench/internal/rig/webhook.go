package rig

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// Secret is what webhooks are signed with.
const Secret = "bench-secret"

// BodySize is how many bytes the body of a webhook has, unless a load says otherwise.
const BodySize = 2 << 10

// Path is where webhooks are posted to, unless a load says otherwise.
const Path = "/webhooks/insigner"

const noID = "evt_0000000000000000"

// webhook is one that is written once and then changed in place: ID and
// signature have a fixed length.
type webhook struct {
	body      []byte
	id        []byte // a part of the body
	signature []byte // with its prefix
	digits    []byte // a part of the signature
	mac       hash.Hash
	sum       []byte
}

// newWebhook returns a webhook whose body lies in the given memory.
func newWebhook(body []byte, prefix string) *webhook {
	at := bytes.Index(body, []byte(noID))
	w := &webhook{body: body, id: body[at : at+len(noID)], mac: hmac.New(sha256.New, []byte(Secret))}
	w.signature = append([]byte(prefix), make([]byte, 2*sha256.Size)...)
	w.digits = w.signature[len(prefix):]
	return w
}

// sign makes it a webhook of its own.
func (w *webhook) sign(id uint64) {
	digits := w.id[len("evt_"):]
	for i := range digits {
		digits[i] = "0123456789abcdef"[id>>(60-4*i)&15]
	}
	w.mac.Reset()
	w.mac.Write(w.body)
	w.sum = w.mac.Sum(w.sum[:0])
	hex.Encode(w.digits, w.sum)
}

// payload returns a body of a size: a document with nine signers, or as many as
// there is room for, and a comment that fills up the rest.
func payload(size int) string {
	const head = `{"id":"` + noID + `","event":"document.completed","api_version":"2026-05-28",` +
		`"created_at":"2026-05-28T12:00:00Z","data":{"document":{"id":"doc_abc123","title":"NDA for Acme",` +
		`"status":"completed","completedAt":"2026-05-28T12:00:00Z"},"signers":[`
	const middle, tail = `],"comment":"`, `"}}`
	left := size - len(head+middle+tail)
	var signers []string
	for i := range 9 {
		signer := fmt.Sprintf(`{"id":"sgn_%06d","name":"Jane Smith","email":"jane.smith.%d@example.com",`+
			`"status":"completed","completedAt":"2026-05-28T12:00:0%dZ","role":"signer","order":%d}`, 4711+i, i, i, i)
		if left < len(signer)+1 {
			break
		}
		signers = append(signers, signer)
		left -= len(signer) + 1
	}
	list := strings.Join(signers, ",")
	return head + list + middle + strings.Repeat("x", size-len(head+list+middle+tail)) + tail
}
