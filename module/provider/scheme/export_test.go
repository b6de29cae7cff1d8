package scheme

import (
	"context"
	"crypto/x509"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// What the tests outside of the package see.
const AgainBurst = againBurst
const AgainPause = againPause
const FetchBurst = fetchBurst
const FetchPause = fetchPause
const MaxAddresses = maxAddresses
const StrangersBurst = strangersBurst
const StrangersPause = strangersPause
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
var ErrPause = errPause
var IsSNS = isSNS
var SNSNames = snsNames
var HashText = hashText
var IsPayPal = isPayPal
var JWTAlgorithms = jwtAlgorithms
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

// Kept waits until the keys lie on disk that were to be written.
func (c *keyCache) Kept() { c.writes.Wait() }

// Cache is the cache of the certificates that are fetched.
func (s *SNS) Cache() *keyCache { return s.certificates.fetched }

// ForgetCaches is what the end of the process does: what is not on disk is gone.
func ForgetCaches() {
	for _, c := range keyCaches.Values() {
		c.writes.Wait()
	}
	keyCaches.Purge()
}

// TrustForTests replaces the transport of what requests name, which goes to public
// addresses only, and the system's roots. It returns what undoes that.
func TrustForTests(transport http.RoundTripper, roots *x509.CertPool) (undo func()) {
	client, trusted := publicClient, trustedRoots
	own := *publicClient
	own.Transport = transport
	publicClient, trustedRoots = &own, roots
	return func() { publicClient, trustedRoots = client, trusted }
}

// ownPublicClient is the client that is in use outside of tests.
var ownPublicClient = publicClient

// AskPublic asks a URL as if a request had named it.
func AskPublic(address string) error {
	resp, err := ownPublicClient.Get(address)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

// RingOf returns a keyring of keys by name that a function fetches.
func RingOf(fetch func(name string) (key []byte)) *keyring {
	cache := newKeyCache(&keySource{
		byName: true,
		fetch:  func(_ context.Context, _ *http.Client, name string) ([]byte, error) { return fetch(name), nil },
		read:   readKeys,
	}, "")
	return &keyring{fetched: cache, byName: true}
}

// Cache is the cache of the keys that are fetched.
func (k *keyring) Cache() *keyCache { return k.fetched }

// SetClock replaces the clock.
func (c *keyCache) SetClock(clock func() time.Time) { c.clock = clock }

// Held is how many names have keys.
func (c *keyCache) Held() int { return c.proven.Len() + c.others.Len() }

// Addresses is how many addresses have a share.
func (k *keyring) Addresses() int { return k.shares.addresses.Len() }

// AllowAll takes the bound off the calls of all addresses together.
func (k *keyring) AllowAll() { k.shares.all.SetLimit(rate.Inf) }

// Prove notes that a key of a name has verified a request.
func (c *keyCache) Prove(name string) { c.prove(name) }

// GetFor gets the keys of a name for a client.
func (k *keyring) GetFor(ctx context.Context, name, client string) error {
	return k.fetch(ctx, name, client)
}

// MarkAbsent notes that there is no key of a name.
func (c *keyCache) MarkAbsent(name string) { c.absent.Add(name, c.clock()) }

// Knows reports how many keys a name has, and whether that is known.
func (c *keyCache) Knows(name string) (int, bool) {
	keys, asked := c.find(name)
	return len(keys), !asked.IsZero()
}

// Get gets the keys of a name.
func (c *keyCache) Get(ctx context.Context, name string) error {
	return c.fetch(ctx, name, func(time.Time) bool { return true })
}

// Base is what the signature of a request is made over.
func (m *MessageSignature) Base(r *template.Request) (string, error) {
	proof, err := m.find(r)
	if err != nil {
		return "", err
	}
	base, _, err := signatureBase(r, nil, &proof.input)
	return base, err
}
