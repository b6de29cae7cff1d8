package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// vector is a request of a provider with what must come of it.
type vector struct {
	ID, Provider string
	Secret       any // a string, or a list for rotation
	Method       string
	Headers      map[string]string
	Body         string
	Now          int64
	Tolerance    int `json:"tolerance_s"`
	Expected     string
	Reason       string

	Hash, Encoding string
	AppID          string `json:"app_id"`
	AppEnv         string `json:"app_env"`
	APIRequest     struct {
		JSON map[string]any
	} `json:"api_request"`
	APIReply *struct {
		Status int
		JSON   json.RawMessage
	} `json:"api_reply"`
}

// TestVectors runs the requests in testdata/vectors.json, whose field source
// says where each comes from.
func TestVectors(t *testing.T) {
	content, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(content, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			err := v.verify(t)
			if valid := err == nil; valid != (v.Expected == "valid") {
				t.Errorf("got %v, want %s: %s", err, v.Expected, v.Reason)
			}
		})
	}
}

func (v *vector) verify(t *testing.T) error {
	var headers []string
	for name, value := range v.Headers {
		headers = append(headers, name+": "+value)
	}
	r := hook(v.Body, headers...)
	r.Method = v.Method
	at := now
	if v.Now != 0 {
		at = time.Unix(v.Now, 0)
	}
	p := mustParse(t, v.config(t))
	if err := p.Verify(r, at); err != nil {
		return err
	}
	if checker, ok := p.(Checker); ok {
		if verdict := checker.Check(context.Background(), r); verdict.Outcome != Genuine {
			return errors.New(verdict.Reason)
		}
	}
	return nil
}

// config writes the receiver of a vector as a provider block.
func (v *vector) config(t *testing.T) string {
	var b strings.Builder
	b.WriteString(v.Provider)
	switch secret := v.Secret.(type) {
	case string:
		fmt.Fprintf(&b, " `%s`", secret)
	case []any:
		for _, s := range secret {
			fmt.Fprintf(&b, " `%s`", s)
		}
	}
	b.WriteString(" {\n")
	option := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s `%s`\n", name, value)
		}
	}
	option("hash", v.Hash)
	option("encoding", v.Encoding)
	option("app_id", v.AppID)
	option("app_env", v.AppEnv)
	if v.Tolerance > 0 {
		option("tolerance", fmt.Sprintf("%ds", v.Tolerance))
	}
	if v.APIReply != nil {
		option("api_key", "key")
		option("api_url", v.standIn(t))
	}
	return b.String() + "}"
}

// standIn answers in place of the provider's API, once it was asked rightly.
func (v *vector) standIn(t *testing.T) string {
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
