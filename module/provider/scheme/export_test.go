package scheme

import (
	"crypto/x509"
	"net/http"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/internal/trust"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// What the tests outside of the package see.
const AgainBurst = keys.AgainBurst
const AgainPause = keys.AgainPause
const FetchBurst = keys.FetchBurst
const FetchPause = keys.FetchPause
const StrangersBurst = keys.StrangersBurst
const StrangersPause = keys.StrangersPause
const KeyLife = keys.KeyLife
const MaxCertificateURL = keys.MaxCertificateURL
const MaxComponents = maxComponents
const MaxHeaders = maxHeaders
const MaxKeyBytes = keys.MaxKeyBytes
const MaxKeySet = keys.MaxKeySet
const MaxKeys = keys.MaxKeys
const MaxStructured = maxStructured
const MaxTimestamps = maxTimestamps
const MaxToken = maxToken
const MaxVerified = maxVerified
const MinRefresh = keys.MinRefresh
const PaypalAlgorithm = paypalAlgorithm
const PaypalCertURL = paypalCertURL
const PaypalID = paypalID
const PaypalSignature = paypalSignature
const PaypalTime = paypalTime

type Algorithm = keys.Algorithm
type Certificates = keys.Certificates
type Claims = claims
type JWS = jws

var CheckTime = checkTime
var EBayAlgorithm = ebayAlgorithm
var ErrManyKeys = keys.ErrManyKeys
var ErrPause = keys.ErrPause
var IsSNS = isSNS
var SNSNames = snsNames
var HashText = hashText
var IsPayPal = isPayPal
var JWTAlgorithms = jwtAlgorithms
var ParseJWS = parseJWS
var RSASHA1 = keys.RSASHA1
var RSASHA256 = keys.RSASHA256
var SNSSigned = snsSigned
var SignatureBase = signatureBase
var SignatureHashes = signatureHashes
var SumOf = sumOf

// Cache is the cache of the keys that are fetched.
func (j *JWT) Cache() *keys.Cache { return j.keys.Fetched }

// Cache is the cache of the certificates that are fetched.
func (s *SNS) Cache() *keys.Cache { return s.certificates.Fetched }

// ForgetCaches is what the end of the process does: what is not on disk is gone.
func ForgetCaches() { keys.Forget() }

// TrustForTests replaces the transport of what requests name, which goes to public
// addresses only, and the system's roots. It returns what undoes that.
func TrustForTests(transport http.RoundTripper, roots *x509.CertPool) (undo func()) {
	client, trusted := trust.Client, trust.Roots
	own := *trust.Client
	own.Transport = transport
	trust.Client, trust.Roots = &own, roots
	return func() { trust.Client, trust.Roots = client, trusted }
}

// ownPublicClient is the client that is in use outside of tests.
var ownPublicClient = trust.Client

// AskPublic asks a URL as if a request had named it.
func AskPublic(address string) error {
	resp, err := ownPublicClient.Get(address)
	if err == nil {
		resp.Body.Close()
	}
	return err
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
