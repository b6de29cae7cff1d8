package presets

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// presetsGeneric are standards, and services that deliver for others.
var presetsGeneric = []Preset{
	{
		Name: "standardwebhooks", Title: "Standard Webhooks", Category: "standard",
		Source:     "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
		Confidence: "code",
		Notes:      "A secret verifies signatures v1, a public key v1a; either is enough. Where both are configured and a request has both signatures, v1a counts.",
		Definition: Definition{
			Proofs:  []Proof{standardEd25519("Webhook-"), {HMAC: standardHMAC("Webhook-")}},
			Need:    NeedFirst,
			Event:   `body.type`,
			ID:      `header("Webhook-Id")`,
			Copies:  Copies{By: ByID, WithoutID: ByNothing, Why: "Standard Webhooks signs Webhook-Id and defines it as unique to the message and the same for all tries."},
			Horizon: 72 * hour,
		},
		Tolerance: fiveMinutes,
		Options:   provider.KeyOptions("public_key"),
	},
	{
		Name: "svix", Title: "Svix", Category: "standard",
		Source:     "https://github.com/svix/svix-webhooks",
		Confidence: "code",
		Notes: "The headers may begin with svix- or, if the sender hides that it uses Svix, with webhook-. " +
			"A secret verifies signatures v1, a public key v1a. " +
			"Svix lists its addresses, by region, at https://docs.svix.com/receiving/source-ips.",
		Definition: Definition{
			Proofs: []Proof{
				standardEd25519("Svix-"), standardEd25519("Webhook-"),
				{HMAC: standardHMAC("Svix-"), Identity: signedID("Svix-")},
				{HMAC: standardHMAC("Webhook-"), Identity: signedID("Webhook-")},
			},
			Need:    NeedFirst,
			Event:   `body.type`,
			ID:      eitherHeader(`nil`, "Svix-Id", "Webhook-Id"),
			Copies:  Copies{By: ByID, WithoutID: ByNothing, Why: "Svix signs the ID of the message and documents it as the same for all tries."},
			Horizon: svixHorizon,
		},
		Tolerance: fiveMinutes,
		Options:   provider.KeyOptions("public_key"),
	},
	{
		Name: "cloudevents", Title: "CloudEvents", Category: "standard",
		Source:     "https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md",
		Confidence: "code",
		Notes: "The secret is the access token, in the header Authorization or in the query; it covers nothing of the content. " +
			"Without a secret, guard the source in another way. The event type of a batch is the one that all events have, else batch.",
		Definition: Definition{
			Proofs: []Proof{
				{Token: &Token{From: "{header.Authorization}", Prefix: "Bearer "}},
				{Token: &Token{From: "{query.access_token}"}},
			},
			Need:  NeedFirst,
			Event: eitherHeader(onlyOne(`body.type`, ofAll(`body`, `body.type`)), "Ce-Type"),
			Each:  &Each{List: `body`, Event: `body.type`, ID: `body.source + " " + body.id`, Copies: Copies{WithoutID: ByNothing}},
			// A source counts by itself.
			ID:         `header("Ce-Id") != "" ? header("Ce-Source") + " " + header("Ce-Id") : type(body) == "array" ? nil : body.source + " " + body.id`,
			Copies:     Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "CloudEvents define source and id together as unique to the event, but the access token covers neither."},
			Handshakes: []Handshake{cloudEvents},
		},
		Optional: true,
	},
	{
		Name: "websub", Title: "WebSub", Category: "standard",
		Source:     "https://www.w3.org/TR/websub/",
		Confidence: "code",
		Notes: "The secret is that of the subscription. Without one, a hub need not sign: guard the source in another way. " +
			"The gateway answers 200 to a wrong signature and discards the content, as the specification asks.",
		Definition: Definition{
			Proofs: hubProofs("sha512", "sha384", "sha256", "sha1"),
			Need:   NeedFirst,
			Event:  `header("Content-Type")`,
			Copies: Copies{By: ByNothing, Why: "A WebSub hub sends the topic's content without an ID, and the content may come back to what it was."},
			Answer: &Answer{Refused: http.StatusOK},
			Handshakes: []Handshake{
				{
					Kind: "echo", Challenge: "{query.hub.challenge}",
					When: []Condition{is("{query.hub.mode}", "subscribe")},
					Expect: []Condition{
						is("{query.hub.topic}", "{option.topic}"),
						is("{query.hub.lease_seconds}"),
					},
					Refuse: http.StatusNotFound,
				},
				{Kind: "probe", When: []Condition{is("{query.hub.mode}", "denied")}},
			},
		},
		Optional: true,
		Options: []Option{
			{Name: "topic", Several: true, Help: "The topics that this endpoint was subscribed to; other subscriptions are not confirmed."},
		},
	},
	{
		Name: "convoy", Title: "Convoy", Category: "standard",
		Source:     "https://github.com/frain-dev/convoy",
		Confidence: "code",
		Notes:      "Simple signatures have no time. Advanced ones do, and the gateway checks it.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{
					Hash: "{option.hash}", Encoding: "{option.encoding}", From: "{header.{option.header}}",
					Value:  []string{"t={timestamp},v1={signature}"},
					Signed: []string{"{timestamp},{body}"},
				}},
				{HMAC: &HMAC{Hash: "{option.hash}", Encoding: "{option.encoding}", From: "{header.{option.header}}"}},
			},
			Need:   NeedAny,
			Event:  `body.event_type`,
			ID:     `header("X-Convoy-Event-Id")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Convoy names the event in X-Convoy-Event-Id, which it does not sign."},
		},
		Options: []Option{
			{Name: "hash", Help: "The hash function of the project's signatures.", Default: "sha256", Choices: []string{"sha256", "sha512"}},
			{Name: "encoding", Help: "The encoding of the project's signatures.", Default: "hex", Choices: []string{"hex", "base64"}},
			{Name: "header", Help: "The header of the project's signatures.", Default: "X-Convoy-Signature"},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "hook0", Title: "Hook0", Category: "standard",
		Source:     "https://github.com/hook0/hook0",
		Confidence: "code",
		Notes: "The sender chooses which headers it signs: the ID is signed where it is among them. " +
			"Signatures v0, which cover no header, count only with the line legacy.",
		Definition: Definition{
			Proofs: hook0Proofs(),
			Need:   NeedFirst,
			Event:  `header("X-Event-Type")`,
			ID:     `header("X-Event-Id")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Hook0 names each event in X-Event-Id, which is signed only where the sender lists it in the signature's h."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "rfc9421", Title: "HTTP Message Signatures", Category: "standard",
		Source:     "https://www.rfc-editor.org/rfc/rfc9421",
		Confidence: "docs",
		Notes:      "With the algorithm hmac-sha256, the secret is a key in base64.",
		// Who signs by the RFC alone chooses what to cover; components pins it. Where neither
		// that nor a label is given, the body must be covered.
		Definition: Definition{
			Proofs: []Proof{{MessageSignature: &MessageSignature{
				Algorithm: "{option.algorithm}", Label: "{option.label}", Components: []string{"{option.components}"},
				AnyComponents: true,
			}}},
			Event:  `body.type`,
			Copies: Copies{By: ByNothing, Why: "A sender that signs HTTP messages need not send an ID, and two of its events may have the same body."},
		},
		Tolerance: fiveMinutes,
		Options: append(provider.KeyOptions("public_key", "keys_url"),
			Option{
				Name: "algorithm", Required: true, Choices: slices.Sorted(maps.Keys(scheme.MessageAlgorithms)),
				Help: "The signature algorithm, by its name in RFC 9421.",
			},
			Option{Name: "label", Help: "The label of the signature to verify, if a request may have several."},
			Option{
				Name: "components", Several: true,
				Help: "What a signature must cover. Default: @method and content-digest; with a label, whatever the signature of that label covers is enough, even nothing.",
			},
		),
	},
}

// svixHorizon is how long Svix goes on: eight attempts in all.
const svixHorizon = 28 * hour

// standardHMAC is the signature of Standard Webhooks, whose headers begin with
// a prefix.
func standardHMAC(prefix string) *HMAC {
	return &HMAC{
		From:      "{header." + prefix + "Signature}",
		Value:     []string{"v1,{signature}"},
		Encoding:  "base64",
		Signed:    []string{"{header." + prefix + "Id}.{timestamp}.{body}"},
		Key:       "base64",
		Timestamp: &Timestamp{From: "{header." + prefix + "Timestamp}"},
	}
}

// standardEd25519 is that with a public key.
func standardEd25519(prefix string) Proof {
	return Proof{Ed25519: &Ed25519{Signature: Signature{
		From:      "{header." + prefix + "Signature}",
		Value:     []string{"v1a,{signature}"},
		Signed:    "{header." + prefix + "Id}.{timestamp}.{body}",
		Timestamp: &Timestamp{From: "{header." + prefix + "Timestamp}"},
	}}, Identity: signedID(prefix)}
}

// signedID is the ID that such a signature covers.
func signedID(prefix string) Identity { return Identity{ID: fmt.Sprintf("header(%q)", prefix+"Id")} }

// hook0Proofs are the versions of Hook0's signature: v1, which covers headers as
// well, and v0, which may stand beside it.
func hook0Proofs() []Proof {
	return []Proof{
		{
			HMAC: &HMAC{
				From:   "{header.X-Hook0-Signature}",
				Value:  []string{"t={timestamp},h={value.h},v1={signature}"},
				Signed: []string{"{timestamp}.{value.h}.{value.h|headers .}.{body}"},
			},
			Identity: Identity{ID: hook0ID},
		},
		{
			HMAC: &HMAC{
				From:   "{header.X-Hook0-Signature}",
				Value:  []string{"t={timestamp},v0={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			},
			Legacy: true,
		},
	}
}

// hook0ID is the ID where the first h of the signature, which is the one that counts,
// lists its header.
const hook0ID = `"x-event-id" in split(lower(trim(find(split(header("X-Hook0-Signature"), ","), trim(#) matches "^h=."))[2:]), " ") ? header("X-Event-Id") : nil`
