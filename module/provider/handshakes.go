package provider

import "net/http"

// presetHandshakes are the handshakes of the presets that have any, by name. A
// test message that is signed like any other and wants no other answer is a
// webhook, and is not here.
var presetHandshakes = map[string][]Handshake{
	"adobe_sign": {{
		Kind: "echo", Challenge: Place{"header", "X-AdobeSign-ClientId"},
		Expect: []Condition{is(Place{"header", "X-AdobeSign-ClientId"}, "{option.client_ids}")},
		Refuse: http.StatusBadRequest,
		Header: map[string]string{"X-AdobeSign-ClientId": "{challenge}"},
		JSON:   `{"xAdobeSignClientId":"{challenge}"}`,
	}},
	"asana": {{
		Kind: "enroll", Method: http.MethodPost, Challenge: Place{"header", "X-Hook-Secret"}, Pattern: deliveredSecret,
		Header: map[string]string{"X-Hook-Secret": "{challenge}"},
	}},
	"aws_sns": {{
		Kind: "confirm", Signed: "always", Challenge: Place{"body", "SubscribeURL"},
		When:    []Condition{is(Place{"header", "X-Amz-Sns-Message-Type"}, "SubscriptionConfirmation")},
		Expect:  []Condition{is(Place{"body", "Type"}, "SubscriptionConfirmation"), is(Place{"body", "TopicArn"}, "{option.topic}")},
		Pattern: `https://sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?/[\x21-\x7e]{1,1000}`,
	}},
	"azure_event_grid": {
		{
			Kind: "echo", Challenge: Place{"body", "0.data.validationCode"}, Pattern: `[A-Za-z0-9_.-]{1,256}`,
			When: []Condition{is(Place{"header", "Aeg-Event-Type"}, "SubscriptionValidation")},
			JSON: `{"validationResponse":"{challenge}"}`,
		},
		cloudEvents,
	},
	"bitbucket_server": {{
		Kind: "probe", Method: http.MethodPost, // and not signed
		When: []Condition{is(Place{"header", "X-Event-Key"}, "diagnostics:ping")},
	}},
	"braintree": {{
		Kind: "hmac", Challenge: Place{"query", "bt_challenge"}, Pattern: `[a-f0-9]{20,32}`,
		Digest: &HandshakeDigest{Hash: "sha1", Key: "sha1", Field: "bt_payload"},
		Text:   "{option.public_key}|{digest}",
	}},
	"cloudevents": {cloudEvents},
	"discord": {
		{
			Kind: "probe", Signed: "always", When: []Condition{is(Place{"body", "type"}, "1")},
			JSON: `{"type":1}`,
		},
		{
			Kind: "probe", Signed: "always", When: []Condition{is(Place{"body", "type"}, "0")},
			Status: http.StatusNoContent,
		},
	},
	"dropbox": {{Kind: "echo", Challenge: Place{"query", "challenge"}}},
	"ebay": {{
		Kind: "hash", Challenge: Place{"query", "challenge_code"}, Pattern: `[A-Za-z0-9_-]{1,256}`,
		Digest: &HandshakeDigest{Of: "{challenge}{option.verify_token}{option.endpoint}"},
		JSON:   `{"challengeResponse":"{digest}"}`,
	}},
	"intercom": {{Kind: "probe", Method: http.MethodHead}},
	"lark": {{
		Kind: "echo", Challenge: Place{"body", "challenge"}, Pattern: `[A-Za-z0-9_-]{1,256}`,
		Encrypted: "encrypt",
		When:      []Condition{is(Place{"body", "type"}, "url_verification")},
		Expect:    []Condition{optional(Place{"body", "token"}, "{option.verify_token}")},
		JSON:      `{"challenge":"{challenge}"}`,
	}},
	"line": {{
		Kind: "probe", Signed: "always", When: []Condition{is(Place{"body", "events"}, "[]")},
	}},
	"mailchimp": {{Kind: "probe", Method: http.MethodGet}},
	"mandrill": {
		{Kind: "probe", Method: http.MethodHead},
		{
			Kind: "probe", // signed with a key that is no secret
			When: []Condition{is(Place{"form", "mandrill_events"}, "[]")},
		},
	},
	"meta": {{
		Kind: "echo", Challenge: Place{"query", "hub.challenge"}, Pattern: `[A-Za-z0-9_.-]{1,256}`,
		When:   []Condition{is(Place{"query", "hub.mode"}, "subscribe")},
		Expect: []Condition{is(Place{"query", "hub.verify_token"}, "{option.verify_token}")},
	}},
	"microsoft_graph": {{Kind: "echo", Method: http.MethodPost, Challenge: Place{"query", "validationToken"}}},
	"monday": {{
		Kind: "echo", Challenge: Place{"body", "challenge"}, Pattern: `[A-Za-z0-9_-]{1,256}`,
		JSON: `{"challenge":"{challenge}"}`,
	}},
	"notion": {{Kind: "enroll", Challenge: Place{"body", "verification_token"}, Pattern: deliveredSecret}},
	"nylas":  {{Kind: "echo", Challenge: Place{"query", "challenge"}, Pattern: `[A-Za-z0-9_.-]{1,256}`}},
	"okta": {{
		Kind: "echo", Challenge: Place{"header", "X-Okta-Verification-Challenge"},
		JSON: `{"verification":"{challenge}"}`,
	}},
	"slack": {{
		Kind: "echo", Signed: "present", Challenge: Place{"body", "challenge"}, Pattern: `[A-Za-z0-9_.-]{1,256}`,
		When: []Condition{is(Place{"body", "type"}, "url_verification")},
	}},
	"smartsheet": {
		smartsheet(Place{"header", "Smartsheet-Hook-Challenge"}),
		smartsheet(Place{"body", "challenge"}),
	},
	"trello": {{Kind: "probe", Method: http.MethodHead}},
	"twitch": {{
		Kind: "echo", Signed: "always", Challenge: Place{"body", "challenge"},
		When: []Condition{is(Place{"header", "Twitch-Eventsub-Message-Type"}, "webhook_callback_verification")},
	}},
	"twitter": {{
		Kind: "hmac", Challenge: Place{"query", "crc_token"}, Pattern: signable,
		Digest: &HandshakeDigest{Encoding: "base64"},
		JSON:   `{"response_token":"sha256={digest}"}`,
	}},
	"websub": {
		{
			Kind: "echo", Challenge: Place{"query", "hub.challenge"},
			When: []Condition{is(Place{"query", "hub.mode"}, "subscribe")},
			Expect: []Condition{
				is(Place{"query", "hub.topic"}, "{option.topic}"),
				is(Place{"query", "hub.lease_seconds"}),
			},
			Refuse: http.StatusNotFound,
		},
		{Kind: "probe", When: []Condition{is(Place{"query", "hub.mode"}, "denied")}},
	},
	"woocommerce": {{
		Kind: "probe", // and not signed
		When: []Condition{is(Place{"form", "webhook_id"})},
	}},
	"xero": {{
		Kind: "probe", Signed: "always", Bare: true, When: []Condition{is(Place{"body", "events"}, "[]")},
	}},
	"zoom": {{
		Kind: "hmac", Signed: "always", Challenge: Place{"body", "payload.plainToken"}, Pattern: `[A-Za-z0-9_-]{1,256}`,
		When: []Condition{is(Place{"body", "event"}, "endpoint.url_validation")},
		JSON: `{"plainToken":"{challenge}","encryptedToken":"{digest}"}`,
	}},
}

// deliveredSecret is what a secret looks like that a handshake delivers.
const deliveredSecret = `[\x21-\x7e]{16,256}`

// cloudEvents is the handshake of the CloudEvents webhook specification.
var cloudEvents = Handshake{
	Kind: "echo", Method: http.MethodOptions, Challenge: Place{"header", "WebHook-Request-Origin"}, Pattern: `[A-Za-z0-9.:_-]{1,255}|\*`,
	Header: map[string]string{
		"WebHook-Allowed-Origin": "{challenge}",
		"WebHook-Allowed-Rate":   "{header.WebHook-Request-Rate}",
		"Allow":                  "POST",
	},
}

func smartsheet(challenge Place) Handshake {
	return Handshake{
		Kind: "echo", Method: http.MethodPost, Challenge: challenge, Pattern: `[A-Za-z0-9_-]{1,256}`,
		Header: map[string]string{"Smartsheet-Hook-Response": "{challenge}"},
		JSON:   `{"smartsheetHookResponse":"{challenge}"}`,
	}
}

func is(place Place, values ...string) Condition { return Condition{Place: place, Values: values} }

// optional is a condition on an option that need not be configured.
func optional(place Place, value string) Condition {
	return Condition{Place: place, Values: []string{value}, Optional: true}
}

// withHandshakes gives presets their handshakes.
func withHandshakes(presets []Preset) []Preset {
	for i := range presets {
		presets[i].Handshakes = presetHandshakes[presets[i].Name]
	}
	return presets
}
