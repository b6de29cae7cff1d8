package keys

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// Download gets a document. It is nil if the server says that there is none.
func Download(ctx context.Context, client *http.Client, address, authorization string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("preparing to fetch a key: %v", err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return do(client, req)
}

// Post sends a body and gets a document.
func Post(ctx context.Context, client *http.Client, address, contentType string, body []byte, prepare func(*http.Request)) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("preparing to fetch a key: %v", err)
	}
	req.Header.Set("Content-Type", contentType)
	if prepare != nil {
		prepare(req)
	}
	return do(client, req)
}

func do(client *http.Client, req *http.Request) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetching a key: %w", err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, MaxKeyBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("fetching a key from %s: %w", req.URL.Host, err)
	case len(content) > MaxKeyBytes:
		return nil, fmt.Errorf("fetching a key: the answer of %s is larger than %d bytes", req.URL.Host, MaxKeyBytes)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return content, nil
	case http.StatusNotFound, http.StatusGone:
		return nil, nil
	}
	return nil, fmt.Errorf("fetching a key: %s answered %d", req.URL.Host, resp.StatusCode)
}
