package presets

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// presetsKeys are the providers whose proof is verified with a public key, or is
// a token of claims.
var presetsKeys = []Preset{
	{
		Name: "discord", Title: "Discord", Category: "chat",
		Source:     "https://github.com/discord/discord-interactions-js",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{Ed25519: &Ed25519{Signature: Signature{
				From:      "{header.X-Signature-Ed25519}",
				Encoding:  "hex",
				Signed:    "{timestamp}{body}",
				Timestamp: &Timestamp{From: "{header.X-Signature-Timestamp}"},
			}}}},
			Event:  `body.event?.type ?? string(body.type)`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Discord gives interactions an ID in the signed body; webhook events have none, and their timestamp makes each body unique."},
			Handshakes: []Handshake{
				{
					// A webhook event has the type 1 as well, and the type of the event.
					Kind: "probe", Signed: "always", When: []Condition{is("{json.type}{json.event.type}", "1")},
					JSON: `{"type":1}`,
				},
				{
					Kind: "probe", Signed: "always", When: []Condition{is("{json.type}", "0")},
					Status: http.StatusNoContent,
				},
			},
		},
		Options: provider.Required(provider.KeyOptions("public_key")),
	},
	{
		Name: "telnyx", Title: "Telnyx", Category: "communications",
		Source:     "https://github.com/team-telnyx/telnyx-node",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{Ed25519: &Ed25519{Signature: Signature{
				From:      "{header.Telnyx-Signature-Ed25519}",
				Signed:    "{timestamp}|{body}",
				Timestamp: &Timestamp{From: "{header.Telnyx-Timestamp}"},
			}}}},
			Event:  `body.data.event_type`,
			ID:     `body.data.id`,
			Copies: Copies{By: ByID, Volatile: []string{"{json.meta.attempt}", "{json.meta.delivered_to}"}, Why: "Telnyx documents data.id, in the signed body, as unique to the event and meant for detecting duplicates, and changes meta with each try."},
		},
		Tolerance: fiveMinutes,
		Options:   provider.Required(provider.KeyOptions("public_key")),
	},
	{
		Name: "fal", Title: "fal.ai", Category: "ai",
		Source:     "https://github.com/Hookflo/tern",
		Confidence: "secondary",
		Notes:      "Set keys_url to the address at which fal's documentation has its keys: https://rest.alpha.fal.ai/.well-known/jwks.json, or the same at rest.fal.ai. Neither is confirmed.",
		Definition: Definition{
			Proofs: []Proof{{Ed25519: &Ed25519{Signature: Signature{
				From:     "{header.X-Fal-Webhook-Signature}",
				Encoding: "hex",
				Signed: "{header.X-Fal-Webhook-Request-Id}\n{header.X-Fal-Webhook-User-Id}\n" +
					"{timestamp}\n{body|sha256|hex}",
				Timestamp: &Timestamp{From: "{header.X-Fal-Webhook-Timestamp}"},
			}}}},
			Event:  `body.status`,
			ID:     `header("X-Fal-Webhook-Request-Id")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "fal signs X-Fal-Webhook-Request-Id, which names the request that a webhook is about; it is not confirmed that each has one webhook only."},
		},
		Tolerance: fiveMinutes,
		Options:   provider.KeyOptions("public_key", "keys_url"),
	},
	{
		Name: "sendgrid", Title: "Twilio SendGrid", Category: "email",
		Source:     "https://github.com/sendgrid/sendgrid-nodejs",
		Confidence: "code",
		Notes:      "One webhook may carry several events; the event type is the one that they all have, else batch.",
		Definition: Definition{
			Proofs: []Proof{{ECDSA: &ECDSA{Signature: Signature{
				From:      "{header.X-Twilio-Email-Event-Webhook-Signature}",
				Signed:    "{timestamp}{body}",
				Timestamp: &Timestamp{From: "{header.X-Twilio-Email-Event-Webhook-Timestamp}"},
			}}}},
			Event:  ofAll(`body`, `body.event`),
			Each:   &Each{List: `body`, Event: `body.event`, ID: `body.sg_event_id`},
			Copies: Copies{By: ByBody, Why: "SendGrid sends no ID of the batch; sg_event_id, unique for each event in it, makes each body unique."},
		},
		Options: provider.Required(provider.KeyOptions("public_key")),
	},
	{
		Name: "plaid", Title: "Plaid", Category: "banking",
		Source:     "https://plaid.com/docs/api/webhooks/webhook-verification/",
		Confidence: "docs",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.Plaid-Verification}", Algorithms: []string{"ES256"},
				BodyHash: "request_body_sha256",
				KeysFrom: "plaid",
			}}},
			Event:  `body.webhook_type + "." + body.webhook_code`,
			Copies: Copies{By: ByNothing, Why: "Plaid's webhooks name an item and what became of it without an ID or a time, so two of them may be the same bytes."},
		},
		Tolerance: fiveMinutes,
		Options:   provider.KeyOptions("public_key", "client_id", "client_secret", "api_url"),
	},
	{
		Name: "vonage", Title: "Vonage", Category: "communications",
		Source:     "https://github.com/Vonage/vonage-node-sdk",
		Confidence: "docs",
		Notes:      "By GET, the token covers nothing of the parameters: have Vonage call by POST where you can.",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.Authorization}", Algorithms: []string{"HS256"}, Issuer: "Vonage",
				BodyHash: "payload_hash", HashOptional: true,
			}}},
			Event:   parameter("status", "message_type"),
			Copies:  Copies{By: ByBody, Why: "Vonage sends no ID in the body; timestamp, with message or call and state, makes each body unique."},
			Methods: []string{"POST", "GET"},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "messagebird", Title: "Bird (MessageBird)", Category: "communications",
		Source:     "https://github.com/messagebird/go-rest-api",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.MessageBird-Signature-JWT}", Algorithms: []string{"HS256", "HS384", "HS512"}, Issuer: "MessageBird",
				BodyHash: "payload_hash", HashOptional: true, URLHash: "url_hash",
			}}},
			Event:   parameter("type", "status"),
			ID:      statusID,
			Copies:  Copies{By: ByIDAndBody, Why: "Bird sends no ID of the event; message, state and time of a status report make one, and each body unique."},
			Methods: []string{"GET", "POST"},
		},
		Tolerance: time.Second,
	},
	{
		Name: "fusionauth", Title: "FusionAuth", Category: "identity",
		Source:     "https://fusionauth.io/docs/extend/events-and-webhooks/signing",
		Confidence: "docs",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.X-FusionAuth-Signature-JWT}",
				Algorithms: []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
					"ES256", "ES384", "ES512", "EdDSA"},
				BodyHash: "request_body_sha256", HashEncoding: "base64",
			}}},
			Event:  `body.event.type`,
			ID:     `body.event.id`,
			Copies: Copies{By: ByID, Why: "FusionAuth documents event.id, in the signed body, as unique to the event and stable across tries."},
		},
		Options: provider.KeyOptions("public_key", "keys_url"),
	},
	{
		Name: "netlify", Title: "Netlify", Category: "hosting",
		Source:     "https://docs.netlify.com/site-deploys/notifications/",
		Confidence: "docs",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.X-Webhook-Signature}", Algorithms: []string{"HS256"}, Issuer: "netlify",
				BodyHash: "sha256",
			}}},
			Event:  eitherHeader(`body.state`, "X-Netlify-Event"),
			Copies: Copies{By: ByBody, Why: "Netlify sends no ID of the event; the deploy's ID, state and times make each body unique."},
		},
	},
	{
		Name: "aws_sns", Title: "Amazon SNS", Category: "cloud",
		Source:     "https://github.com/aws/aws-sdk-ruby",
		Confidence: "code",
		Notes:      "The gateway fetches the certificate from sns.<region>.amazonaws.com (or the host of another AWS partition), and its issuer from the URL that the certificate names (for Amazon http://crt.*.amazontrust.com). The chain must lead to a root that this machine trusts. The gateway fetches both, and the URL that confirms a subscription, from public addresses only. Where it cannot, as behind a VPC endpoint, configure the certificate with a certificate line and confirm with aws sns confirm-subscription.",
		Definition: Definition{
			MaxBody: 2 << 20, // documented: a message has 256 KiB, each byte of which JSON may write with six
			Proofs:  []Proof{{SNS: &SNS{Topics: []string{"{option.topic}"}}}},
			Event:   `body.Type`,
			ID:      `body.MessageId`, // signed, unlike the header
			Copies:  Copies{By: ByID, WithoutID: ByNothing, Why: "SNS signs MessageId and documents it as unique and the same for all tries."},
			Handshakes: []Handshake{{
				Kind: "confirm", Signed: "always", Challenge: "{json.SubscribeURL}",
				When:    []Condition{is("{header.X-Amz-Sns-Message-Type}", "SubscriptionConfirmation")},
				Expect:  []Condition{is("{json.Type}", "SubscriptionConfirmation"), is("{json.TopicArn}", "{option.topic}")},
				Pattern: `https://` + scheme.SNSHost + `/[\x21-\x7e]{1,1000}`,
			}},
		},
		Options: append(provider.KeyOptions("certificate"), Option{
			Name: "topic", Several: true,
			Help: "The ARNs of the topics whose messages are accepted, and whose subscriptions are confirmed. Required, unless the source says insecure_unverified: then messages of any topic are accepted, including other people's topics, and no subscription is confirmed.",
		}),
	},
	{
		Name: "paypal", Title: "PayPal", Category: "payments",
		Source:     "https://github.com/paypal/PayPal-Python-SDK",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{PayPal: &PayPal{WebhookID: "{option.webhook_id}"}}},
			Event:  `body.event_type`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "PayPal gives each event an ID, but its signature covers no more than a CRC-32 of the body."},
		},
		Options: append(provider.KeyOptions("certificate"), Option{
			Name: "webhook_id", Required: true,
			Help: "The ID that PayPal gave to the webhook.",
		}),
	},
	{
		Name: "ebay", Title: "eBay", Category: "commerce",
		Source:     "https://github.com/eBay/event-notification-nodejs-sdk",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{EBay: &EBay{}}},
			Event:  `body.metadata.topic`,
			ID:     `body.notification.notificationId`,
			Copies: Copies{By: ByID, Volatile: []string{"{json.notification.publishAttemptCount}", "{json.notification.publishDate}"}, Why: "eBay documents notificationId, in the signed body, as unique to the notification, and changes publishDate and publishAttemptCount with each try."},
			Handshakes: []Handshake{{
				Kind: "hash", Challenge: "{query.challenge_code}", Pattern: `[A-Za-z0-9_-]{1,256}`,
				Digest: &HandshakeDigest{Of: "{challenge}{option.verify_token}{option.endpoint}"},
				JSON:   `{"challengeResponse":"{digest}"}`,
			}},
		},
		Options: append(provider.KeyOptions("public_key", "client_id", "client_secret", "api_url"),
			verifyToken,
			Option{Name: "endpoint", Help: "The URL of this endpoint, as you told it to eBay. Default: external_url.", Endpoint: true},
		),
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
