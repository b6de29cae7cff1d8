package scheme

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

func (h *HMAC) readValue(d *caddyfile.Dispenser) error {
	if err := syntax.Strings(&h.Value)(d); err != nil {
		return err
	}
	for _, text := range h.Value {
		if _, err := template.ParseValue(text, h.Hash, "", new([]string)); err != nil {
			return syntax.At(d, err)
		}
	}
	return nil
}

func (h *HMAC) readKey(d *caddyfile.Dispenser) error {
	if err := syntax.String(&h.Key)(d); err != nil || slices.Contains([]string{"raw", "hex", "base64"}, h.Key) {
		return err
	}
	_, err := parseKey(h.Key)
	return syntax.At(d, err)
}

// Read implements Scheme. Syntax:
//
//	hmac [<hash>] {
//		header        <name>
//		from          <template>         # instead of header: {query.x}, {json.x} or {form.x}
//		value         <template>...
//		separators    <characters>
//		encoding      hex|base64|base64url
//		signed        <template>...
//		each          <path>
//		key           raw|hex|base64|<template>
//		timestamp     header|from <name> [unix|unix_ms|rfc3339]
//		timestamp     value [unix|unix_ms|rfc3339]
//	}
//
// A digest has the same block.
func (h *HMAC) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	if d.NextArg() {
		h.Hash = d.Val()
		if _, ok := Hashes[h.Hash]; !ok {
			return d.Errf("unknown hash %q: want sha256, sha1, sha384, sha512 or md5", h.Hash)
		}
	}
	return readBlock(d, options, syntax.Options{
		"header":     readHeader(&h.From),
		"from":       readFrom(&h.From),
		"value":      h.readValue,
		"separators": syntax.String(&h.Separators),
		"encoding":   syntax.OneOf(&h.Encoding, template.Encodings...),
		"signed":     templates(func(text string) { h.Signed = append(h.Signed, text) }, false),
		"each":       syntax.String(&h.Each),
		"key":        h.readKey,
		"timestamp":  func(d *caddyfile.Dispenser) error { return readTimestamp(d, &h.Timestamp) },
	})
}
