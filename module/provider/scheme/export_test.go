package scheme

import (
	"context"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// What the tests outside of the package see.
const FetchBurst = fetchBurst
const KeyLife = keyLife
const MaxCertificateURL = maxCertificateURL
const MaxComponents = maxComponents
const MaxHeaders = maxHeaders
const MaxKeyBytes = maxKeyBytes
const MaxKeySet = maxKeySet
const MaxKeys = maxKeys
const MaxStructured = maxStructured
const MaxTimestamps = maxTimestamps
const MaxToken = maxToken
const MaxVerified = maxVerified
const MinRefresh = minRefresh
const PaypalAlgorithm = paypalAlgorithm
const PaypalCertURL = paypalCertURL
const PaypalID = paypalID
const PaypalSignature = paypalSignature
const PaypalTime = paypalTime

type Algorithm = algorithm
type Certificates = certificates
type Claims = claims
type JWS = jws
type PublicKey = publicKey

var CheckChain = checkChain
var CheckStrength = checkStrength
var CheckTime = checkTime
var EBayAlgorithm = ebayAlgorithm
var ErrManyKeys = errManyKeys
var HashText = hashText
var IsPayPal = isPayPal
var JWTAlgorithms = jwtAlgorithms
var NewKeyCache = newKeyCache
var ParseJWS = parseJWS
var ParsePublicKeys = parsePublicKeys
var RSASHA1 = rsaSHA1
var RSASHA256 = rsaSHA256
var SNSSigned = snsSigned
var SignatureBase = signatureBase
var SignatureHashes = signatureHashes
var SumOf = sumOf

// Cache is the cache of the keys that are fetched.
func (j *JWT) Cache() *keyCache { return j.keys.fetched }

// SetClock replaces the clock.
func (c *keyCache) SetClock(clock func() time.Time) { c.clock = clock }

// Held is how many names have keys.
func (c *keyCache) Held() int { return c.copies.Len() }

// MarkAbsent notes that there is no key of a name.
func (c *keyCache) MarkAbsent(name string) { c.absent.Add(name, c.clock()) }

// Knows reports how many keys a name has, and whether that is known.
func (c *keyCache) Knows(name string) (int, bool) {
	keys, known := c.find(name)
	return len(keys), known
}

// Get gets the keys of a name.
func (c *keyCache) Get(ctx context.Context, name string) error { return c.fetch(ctx, name) }

// Base is what the signature of a request is made over.
func (m *MessageSignature) Base(r *template.Request) (string, error) {
	proof, err := m.find(r)
	if err != nil {
		return "", err
	}
	base, _, err := signatureBase(r, nil, &proof.input)
	return base, err
}
