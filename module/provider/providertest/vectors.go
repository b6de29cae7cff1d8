package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Vector is a request of a provider with what must come of it.
type Vector struct {
	ID, Provider, Type string
	Secret             any // a string, or a list for rotation
	Method, URL        string
	Headers            map[string]string
	Body               string
	Now                float64
	Tolerance          int `json:"tolerance_s"`
	Expected           string
	Reason             string
	ConfigError        bool      `json:"config_error"`
	NoKey              bool      `json:"no_key"`         // what it was signed with is not public
	Legacy             bool      `json:"asks_legacy"`    // it is proved in a way that counts only where that is asked for
	Base               string    `json:"signature_base"` // of RFC 9421
	Response           *struct { // to a handshake
		Status  int
		Headers map[string]string
		Body    string
	}
	Echo struct {
		VerifyToken string `json:"verify_token"`
	}
	APIRequest struct {
		JSON map[string]any
	} `json:"api_request"`
	APIReply *struct {
		Status int
		JSON   json.RawMessage
	} `json:"api_reply"`

	// The options of the provider.
	Options map[string]any
}

// VectorOptions are the fields of a vector that are options of the preset.
var VectorOptions = []string{"public_key", "certificate", "app_id", "app_env", "app_key", "webhook_id", "hash",
	"encoding", "client_ids", "endpoint", "algorithm", "label", "topic", "secret_secondary"}

// UnmarshalJSON keeps all fields as Options besides.
func (v *Vector) UnmarshalJSON(text []byte) error {
	type plain Vector
	if err := json.Unmarshal(text, (*plain)(v)); err != nil {
		return err
	}
	return json.Unmarshal(text, &v.Options)
}

// ReadVectors reads the vectors of presets/testdata/vectors.json.
func ReadVectors(t testing.TB) (vectors []*Vector) {
	content, err := os.ReadFile(filepath.Join(root(), "module/provider/presets/testdata/vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

// At is when the request of the vector is verified.
func (v *Vector) At() time.Time {
	if v.Now == 0 {
		return Now
	}
	seconds, fraction := math.Modf(v.Now)
	return time.Unix(int64(seconds), int64(fraction*1e9))
}

// Request makes the request of the vector.
func (v *Vector) Request(t testing.TB) *template.Request {
	var headers []string
	for name, value := range v.Headers {
		headers = append(headers, name+": "+value)
	}
	r := Hook(v.Body, headers...)
	r.Method = v.Method
	if v.URL != "" {
		public, err := url.Parse(v.URL)
		if err != nil {
			t.Fatal(err)
		}
		r.Public, r.Path, r.RawQuery = public, public.EscapedPath(), public.RawQuery
	}
	return r
}

// Verify verifies a request as the gateway does, with the call that checks its proof.
func (v *Vector) Verify(p provider.Provider, r *template.Request) error {
	if err := p.Verify(r, v.At()); err != nil {
		return err
	}
	if checker, ok := p.(provider.Checker); ok {
		if verdict := checker.Check(context.Background(), r); verdict.Outcome != scheme.Genuine {
			return errors.New(verdict.Reason)
		}
	}
	return nil
}

// Config writes the receiver of a vector as a provider block.
func (v *Vector) Config(t testing.TB) string {
	var b strings.Builder
	b.WriteString(v.Provider)
	for _, secret := range Texts(v.Secret) {
		fmt.Fprintf(&b, " `%s`", secret)
	}
	b.WriteString(" {\n")
	option := func(name string, values ...string) {
		if len(values) > 0 {
			fmt.Fprintf(&b, "%s `%s`\n", name, strings.Join(values, "` `"))
		}
	}
	for _, name := range VectorOptions {
		option(name, Texts(v.Options[name])...)
	}
	if v.Echo.VerifyToken != "" {
		option("verify_token", v.Echo.VerifyToken)
	}
	if v.Legacy {
		b.WriteString("legacy\n")
	}
	if v.Tolerance > 0 {
		option("tolerance", fmt.Sprintf("%ds", v.Tolerance))
	}
	if v.APIReply != nil {
		option("api_key", "key")
		option("api_url", v.StandIn(t))
	}
	return b.String() + "}"
}

// Texts returns the strings that a value is.
func Texts(value any) (list []string) {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		for _, v := range value {
			list = append(list, Texts(v)...)
		}
	}
	return list
}

// StandIn answers in place of the provider's API, once it was asked rightly.
func (v *Vector) StandIn(t testing.TB) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got map[string]any
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || !reflect.DeepEqual(got, v.APIRequest.JSON) {
			t.Errorf("the API was asked %v, want %v", got, v.APIRequest.JSON)
		}
		w.WriteHeader(v.APIReply.Status)
		_, _ = w.Write(v.APIReply.JSON)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// KeyedVectors returns the vectors of presets whose proofs are verified with a
// public key, or are tokens, as far as a secret or key is known.
func KeyedVectors(t testing.TB) (vectors []*Vector) {
	t.Helper()
	for _, v := range ReadVectors(t) {
		keyed := slices.Contains(keyedPresets, v.Provider)
		if keyed && v.Type == "webhook" && !v.NoKey && (v.Secret != nil || v.Options["public_key"] != nil || v.Options["certificate"] != nil) {
			vectors = append(vectors, v)
		}
	}
	return vectors
}

// keyedPresets are the presets whose proofs are verified with a public key, or are
// tokens of claims.
var keyedPresets = []string{"discord", "telnyx", "sendgrid", "fal", "plaid", "vonage", "messagebird", "fusionauth", "netlify",
	"aws_sns", "paypal", "ebay", "rfc9421", "travis", "wise", "wechat_pay",
	"truelayer", "apple_app_store", "keygen"}
