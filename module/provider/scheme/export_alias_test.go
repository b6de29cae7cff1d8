package scheme

// What the tests of other packages of this directory see.
const FetchBurst = fetchBurst
const MaxAddresses = maxAddresses
const StrangersBurst = strangersBurst
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
type Jws = jws
type PublicKey = publicKey

var CheckChain = checkChain
var CheckStrength = checkStrength
var CheckTime = checkTime
var EbayAlgorithm = ebayAlgorithm
var ErrManyKeys = errManyKeys
var IsSNS = isSNS
var SNSNames = snsNames
var HashText = hashText
var IsPayPal = isPayPal
var JWTAlgorithms = jwtAlgorithms
var ParseJWS = parseJWS
var ParsePublicKeys = parsePublicKeys
var RsaSHA1 = rsaSHA1
var RsaSHA256 = rsaSHA256
var SNSSigned = snsSigned
var SignatureBase = signatureBase
var SignatureHashes = signatureHashes
var SumOf = sumOf
