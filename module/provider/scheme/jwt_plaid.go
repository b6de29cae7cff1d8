package scheme

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
)

// plaidKeys returns what asks Plaid's API for the key of an ID.
func plaidKeys(c *Credentials) (*keys.Source, error) {
	clientID, clientSecret, api, err := c.client("Plaid", "https://production.plaid.com")
	if err != nil {
		return nil, err
	}
	return &keys.Source{
		Place:  api.String() + " as " + clientID,
		Secret: clientSecret,
		ByName: true,
		Fetch: func(ctx context.Context, client *http.Client, id string) ([]byte, error) {
			return plaidKey(ctx, client, api, map[string]string{"client_id": clientID, "secret": clientSecret, "key_id": id})
		},
		Read: func(_ string, text []byte) ([]keys.PublicKey, error) { return keys.ParseJWK(text) },
	}, nil
}

func plaidKey(ctx context.Context, client *http.Client, api *url.URL, question map[string]string) ([]byte, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	content, err := keys.Post(ctx, client, api.JoinPath("/webhook_verification_key/get").String(), "application/json", body, nil)
	if err != nil || content == nil {
		return nil, err
	}
	var answer struct {
		Key json.RawMessage `json:"key"`
	}
	var life struct {
		Expired *int64 `json:"expired_at"`
	}
	if json.Unmarshal(content, &answer) != nil || json.Unmarshal(answer.Key, &life) != nil {
		return nil, errors.New("the API of Plaid answered with something that is no key")
	}
	if life.Expired != nil {
		return nil, nil // Plaid does not use it any more
	}
	return answer.Key, nil
}
