package queue

import (
	"crypto/sha256"
	"encoding/binary"
)

// Identity tells a delivery from the others of its source. The zero Identity tells
// nothing: every request that has it is a new event.
type Identity struct {
	Key  DedupKey
	Body BodyDigest // zero where the key alone decides
}

// DedupKey is a hash of what identifies a delivery within its source. What is hashed has
// a domain, so that no ID has the key of what stands in for another ID.
type DedupKey [16]byte

// BodyDigest is a hash of a delivery's body. The zero BodyDigest is like any other.
type BodyDigest [16]byte

// The domains of what is hashed.
const (
	domainID      byte = 1 + iota // a delivery ID
	domainContent                 // the content of a request, which stands in for an ID
	domainBeside                  // the key of a delivery ID, and another body than the first one with that ID
)

// IDKey returns the key of a delivery ID.
func IDKey(id string) DedupKey { return hash(domainID, id) }

// ContentKey returns the key of a delivery that has no ID: of its content.
func ContentKey(source, path, query string, body BodyDigest) DedupKey {
	return hash(domainContent, source, path, query, string(body[:]))
}

// DigestBody returns the digest of a body.
func DigestBody(body []byte) BodyDigest {
	sum := sha256.Sum256(body)
	return BodyDigest(sum[:16])
}

// beside returns the key of a delivery whose ID stands for a delivery with another body
// already.
func (d Identity) beside() DedupKey {
	return hash(domainBeside, string(d.Key[:]), string(d.Body[:]))
}

// differs reports whether two bodies are known to differ.
func (b BodyDigest) differs(other BodyDigest) bool {
	return b != other && b != BodyDigest{} && other != BodyDigest{}
}

func hash(domain byte, parts ...string) DedupKey {
	var room [512]byte // most parts fit, and cost no allocation
	content := append(room[:0], domain)
	for _, part := range parts {
		content = binary.AppendUvarint(content, uint64(len(part)))
		content = append(content, part...)
	}
	sum := sha256.Sum256(content)
	return DedupKey(sum[:16])
}
