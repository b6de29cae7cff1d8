package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// verifier is what an app does with a webhook before it takes it. These are
// written from the providers' documents, apart from the gateway's own code.
type verifier func(header http.Header, body []byte, now time.Time) error

// vendorTolerance is how old a timestamp may be for the SDKs of Stripe and of
// Standard Webhooks.
const vendorTolerance = 300 * time.Second

var errSignature = errors.New("no signature matches")

// byGitHub is https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries:
// "sha256=" and the hex HMAC of the payload. GitHub signs no timestamp.
func byGitHub(secret string) verifier {
	return func(header http.Header, body []byte, _ time.Time) error {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
		if got, err := only(header, "X-Hub-Signature-256"); err != nil || !hmac.Equal([]byte(got), []byte(want)) {
			return errors.Join(errSignature, err)
		}
		return nil
	}
}

// byStripe is https://docs.stripe.com/webhooks, "Verify webhook signatures
// manually": split at commas, then at the first =, HMAC of "t.payload", any v1.
func byStripe(secret string) verifier {
	return func(header http.Header, body []byte, now time.Time) error {
		value, err := only(header, "Stripe-Signature")
		if err != nil {
			return err
		}
		timestamp, signatures := "", []string(nil)
		for _, element := range strings.Split(value, ",") {
			switch prefix, text, _ := strings.Cut(element, "="); prefix {
			case "t":
				timestamp = text
			case "v1":
				signatures = append(signatures, text)
			}
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(timestamp + "." + string(body)))
		return checkSigned(signatures, hex.EncodeToString(mac.Sum(nil)), timestamp, now)
	}
}

// byStandard is "Verifying signatures" of the specification of Standard Webhooks:
// HMAC of "id.timestamp.payload" with the key that follows whsec_, any v1.
func byStandard(secret string) verifier {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		panic(err)
	}
	return func(header http.Header, body []byte, now time.Time) error {
		id, err := only(header, "Webhook-Id")
		timestamp, err2 := only(header, "Webhook-Timestamp")
		list, err3 := only(header, "Webhook-Signature")
		if err := errors.Join(err, err2, err3); err != nil {
			return err
		}
		var signatures []string
		for _, versioned := range strings.Split(list, " ") {
			if version, signature, _ := strings.Cut(versioned, ","); version == "v1" {
				signatures = append(signatures, signature)
			}
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "." + string(body)))
		return checkSigned(signatures, base64.StdEncoding.EncodeToString(mac.Sum(nil)), timestamp, now)
	}
}

// only returns the value of a header that must come once.
func only(header http.Header, name string) (string, error) {
	if values := header.Values(name); len(values) == 1 && values[0] != "" {
		return values[0], nil
	}
	return "", errors.New("not exactly one " + name)
}

func checkSigned(signatures []string, want, timestamp string, now time.Time) error {
	matches := false
	for _, signature := range signatures {
		matches = matches || hmac.Equal([]byte(signature), []byte(want))
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	age := now.Sub(time.Unix(seconds, 0))
	switch {
	case !matches:
		return errSignature
	case err != nil:
		return err
	case age > vendorTolerance || age < -vendorTolerance:
		return errors.New("timestamp outside the tolerance zone")
	}
	return nil
}

// strictApp is an app that takes only what its verifier accepts. It notes what it
// says to each.
type strictApp struct {
	*app
	mu   sync.Mutex
	said []error
}

func newStrictApp(t *testing.T, verify verifier) *strictApp {
	a := new(strictApp)
	a.app = newApp(t, func(w http.ResponseWriter, _ *http.Request) {
		got := a.deliveries()
		last := got[len(got)-1] // these apps get one delivery at a time
		err := verify(last.header, last.body, time.Now())
		a.mu.Lock()
		a.said = append(a.said, err)
		a.mu.Unlock()
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	return a
}

// wantSaid waits for the first delivery and holds what the app said to it against
// want, "" standing for success.
func (a *strictApp) wantSaid(t *testing.T, what, want string) delivery {
	t.Helper()
	var err error
	eventually(t, what+" is delivered", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.said) == 0 {
			return false
		}
		err = a.said[0]
		return true
	})
	if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
		t.Errorf("%s: the app says %v, want %q", what, err, want)
	}
	return a.deliveries()[0]
}
