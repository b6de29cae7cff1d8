package provider

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// readHandshake reads a handshake of the custom provider. Syntax:
//
//	handshake <kind> [header|query|form|body <name>|<template>] {
//		method    GET|HEAD|POST|PUT|OPTIONS
//		encrypted <field>|<template>
//		when      header|query|form|body <name> [<value>...]
//		when      <template> [<value>...]
//		pattern   <regular expression>
//		expect    header|query|form|body <name> [<value>...]
//		expect    <template> [<value>...]
//		refuse    <status>
//		bare
//		signed    always|present
//		hash      sha256|sha1|sha384|sha512|md5
//		encoding  hex|base64|base64url
//		key       raw|hex|base64|sha1
//		of        <template>
//		field     <name>
//		status    <status>
//		header    <name> <template>
//		text      <template>
//		json      <template>
//	}
func readHandshake(to *[]Handshake) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var h Handshake
		const usage = "handshake takes a kind (%s) and, except for probe, the place of its challenge: header, query, form or body, and a name"
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.Errf(usage, strings.Join(handshakeKinds, ", "))
		}
		h.Kind = args[0]
		if len(args) > 1 {
			of, rest, err := readOf(args[1:])
			if err == nil && (of == "" || len(rest) > 0) {
				return d.Errf(usage, strings.Join(handshakeKinds, ", "))
			}
			if h.Challenge = of; err != nil {
				return syntax.At(d, err)
			}
		}
		if err := syntax.Block(d, h.readers(), "when", "expect", "header"); err != nil {
			return err
		}
		*to = append(*to, h)
		whole := h
		whole.defaults()
		return syntax.At(d, whole.check())
	}
}

func (h *Handshake) readers() syntax.Options {
	options := syntax.Options{
		"method":    syntax.OneOf(&h.Method, "GET", "HEAD", "POST", "PUT", "OPTIONS"),
		"when":      readCondition(&h.When),
		"encrypted": readField(&h.Encrypted, "json"),
		"pattern":   syntax.String(&h.Pattern),
		"expect":    readCondition(&h.Expect),
		"refuse":    readHandshakeStatus(&h.Refuse),
		"bare":      syntax.Flag(&h.Bare),
		"signed":    syntax.OneOf(&h.Signed, signedChoices...),
		"status":    readHandshakeStatus(&h.Status),
		"header":    h.readHeader,
		"text":      readTemplate(&h.Text),
		"json":      readTemplate(&h.JSON),
	}
	if h.Kind == "hmac" || h.Kind == "hash" {
		h.Digest = new(HandshakeDigest)
		options["hash"] = syntax.OneOf(&h.Digest.Hash, scheme.HashNames()...)
		options["encoding"] = syntax.OneOf(&h.Digest.Encoding, template.Encodings...)
		options["key"] = syntax.OneOf(&h.Digest.Key, "raw", "hex", "base64", "sha1")
		options["of"] = readTemplate(&h.Digest.Of)
		options["field"] = readField(&h.Digest.From, "form")
	}
	return options
}

func (h *Handshake) readHeader(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.ArgErr()
	}
	if h.Header == nil {
		h.Header = make(map[string]string)
	}
	h.Header[args[0]] = template.Short(args[1])
	return nil
}

// readTemplate reads a template in the spelling that the user wrote.
func readTemplate(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		err := syntax.String(to)(d)
		*to = template.Short(*to)
		return err
	}
}

// readField reads a template, or the name of a field in a part of the request.
func readField(to *string, part string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if err := syntax.String(to)(d); err != nil {
			return err
		}
		if !strings.HasPrefix(*to, "{") {
			*to = template.Of(part, *to)
		}
		return nil
	}
}

// readHandshakeStatus reads a status; which ones are good is checked with the rest.
func readHandshakeStatus(to *int) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var text string
		if err := syntax.String(&text)(d); err != nil {
			return err
		}
		status, err := strconv.Atoi(text)
		if err != nil {
			return d.Errf("%q is not a status such as 200", text)
		}
		*to = status
		return nil
	}
}
