package presets

import (
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsMedia make and keep content.
var presetsMedia = []Preset{
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
		Name: "openai", Title: "OpenAI", Category: "ai",
		Source:     "https://github.com/openai/openai-go",
		Confidence: "code",
		Notes:      "A secret that does not begin with whsec_ is used as it is.",
		Definition: Definition{
			Proofs:  openAIProofs(),
			Need:    NeedAny,
			Event:   `body.type`,
			ID:      `header("Webhook-Id")`,
			Copies:  Copies{By: ByID, WithoutID: ByNothing, Why: "OpenAI signs Webhook-Id and documents it for detecting duplicates."},
			Horizon: 72 * hour,
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "replicate", Title: "Replicate", Category: "ai",
		Source:     "https://github.com/replicate/replicate-javascript",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.status`,
			ID:     `header("Webhook-Id")`,
			Copies: Copies{By: ByID, WithoutID: ByNothing, Why: "Replicate signs Webhook-Id, which Standard Webhooks defines as unique to the message and the same for all tries."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "elevenlabs", Title: "ElevenLabs", Category: "ai",
		Source:     "https://github.com/elevenlabs/elevenlabs-js",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.ElevenLabs-Signature}",
				Value:  []string{"t={timestamp},v0={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:  `body.type`,
			Copies: Copies{By: ByBody, Why: "ElevenLabs sends no ID of the event; event_timestamp and conversation_id make each body unique."},
		},
		Tolerance: 30 * time.Minute,
	},
	{
		Name: "contentful", Title: "Contentful", Category: "cms",
		Source:     "https://github.com/contentful/node-apps-toolkit",
		Confidence: "code",
		Notes:      "Contentful signs the path and query that it calls, and the headers that it lists: a proxy in front must change neither.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Contentful-Signature}",
				Signed:    []string{"{method}\n{path}{query|escape|escape|wrap ?}\n{header.X-Contentful-Signed-Headers|headers ; :}\n{body}"},
				Timestamp: &Timestamp{From: "{header.X-Contentful-Timestamp}", Unit: "unix_ms"},
			}}},
			Event:  `header("X-Contentful-Topic")`,
			ID:     `header("X-Contentful-Idempotency-Key")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Contentful documents X-Contentful-Idempotency-Key for detecting duplicates, but does not list it among the headers it signs."},
		},
		Tolerance: 30 * time.Second,
	},
	{
		Name: "sanity", Title: "Sanity", Category: "cms",
		Source:     "https://github.com/sanity-io/webhook-toolkit",
		Confidence: "code",
		Notes:      "The webhook's projection decides what the body holds: if it has no _type, find the event type with an event line.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Sanity-Webhook-Signature}",
				Value:     []string{"t={timestamp},v1={signature}"},
				Encoding:  "base64url",
				Signed:    []string{"{timestamp}.{body}"},
				Timestamp: &Timestamp{Unit: "unix_ms"},
			}}},
			Event:   `body._type`,
			ID:      `header("Idempotency-Key")`,
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Sanity documents Idempotency-Key as the same for all tries, but does not sign it, and the user defines the body."},
			Horizon: minute, // two tries, 30 seconds apart
		},
	},
	{
		Name: "hygraph", Title: "Hygraph", Category: "cms",
		Source:     "https://hygraph.com/docs/api-reference/basics/webhooks",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Gcms-Signature}",
				Value:     []string{"sign={signature}, env={value.env}, t={timestamp}"},
				Encoding:  "base64",
				Signed:    []string{`{{"Body":{body|quote},"EnvironmentName":{value.env|quote},"TimeStamp":{timestamp}}`},
				Timestamp: &Timestamp{Unit: "unix_ms"},
			}}},
			Event:  `body.operation`,
			Copies: Copies{By: ByNothing, Why: "Hygraph's body says what was done to which entry, without an ID or a time, so publishing twice makes the same bytes."},
		},
	},
	{
		Name: "webflow", Title: "Webflow", Category: "cms",
		Source:     "https://developers.webflow.com/data/docs/working-with-webhooks",
		Confidence: "unspecified",
		Notes:      "Webflow signs webhooks that were created through the API. Whether it signs those created in the dashboard is unclear: sources differ.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Webflow-Signature}",
				Signed:    []string{"{timestamp}:{body}"},
				Timestamp: &Timestamp{From: "{header.X-Webflow-Timestamp}", Unit: "unix_ms"},
			}}},
			Event:  `body.triggerType`,
			Copies: Copies{By: ByBody, Why: "Webflow sends no ID of the event; the object's ID and its time make each body unique."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "cloudinary", Title: "Cloudinary", Category: "media",
		Source:     "https://github.com/cloudinary/cloudinary_npm",
		Confidence: "code",
		Notes:      "The secret is the API secret. Which hash Cloudinary uses is a setting of the account: SHA-1, or sha256 as the option hash says.",
		Definition: Definition{
			Proofs: []Proof{{Digest: &Digest{HMAC: HMAC{
				Hash:      "{option.hash}",
				From:      "{header.X-Cld-Signature}",
				Signed:    []string{"{body}{timestamp}{secret}"},
				Timestamp: &Timestamp{From: "{header.X-Cld-Timestamp}"},
			}}}},
			Event:   `body.notification_type`,
			Copies:  Copies{By: ByNothing, Why: "No ID of the notification is known, and nobody says that the bodies of two always differ."},
			Horizon: 9 * minute,
		},
		Tolerance: 2 * time.Hour,
		Options: []Option{
			{Name: "hash", Help: "The hash function, a setting of the account.", Default: "sha1", Choices: []string{"sha1", "sha256"}},
		},
	},
	{
		Name: "mux", Title: "Mux", Category: "video",
		Source:     "https://github.com/muxinc/mux-node-sdk",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.Mux-Signature}",
				Value:  []string{"t={timestamp},v1={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:   `body.type`,
			ID:      `body.id`,
			Copies:  Copies{By: ByID, Volatile: []string{"{json.attempts}"}, Why: "Mux documents id, in the signed body, as unique to the event, and lists its attempts in the body."},
			Horizon: 24 * hour,
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "twitch", Title: "Twitch EventSub", Category: "streaming",
		Source:     "https://github.com/twitchdev/twitch-cli",
		Confidence: "code",
		Notes:      "A revoked subscription is an event too: its header Twitch-Eventsub-Message-Type is revocation.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Twitch-Eventsub-Message-Signature}",
				Value:     []string{"sha256={signature}"},
				Signed:    []string{"{header.Twitch-Eventsub-Message-Id}{timestamp}{body}"},
				Timestamp: &Timestamp{From: "{header.Twitch-Eventsub-Message-Timestamp}", Unit: "rfc3339"},
			}}},
			Event:  `body.subscription?.type ?? header("Twitch-Eventsub-Subscription-Type")`,
			ID:     `header("Twitch-Eventsub-Message-Id")`,
			Copies: Copies{By: ByID, WithoutID: ByNothing, Why: "Twitch signs Twitch-Eventsub-Message-Id and documents it for detecting duplicates."},
			Handshakes: []Handshake{{
				Kind: "echo", Signed: "always", Challenge: "{json.challenge}",
				When: []Condition{is("{header.Twitch-Eventsub-Message-Type}", "webhook_callback_verification")},
			}},
		},
		Tolerance: 10 * time.Minute,
	},
	{
		Name: "retell", Title: "Retell AI", Category: "ai",
		Source:     "https://github.com/RetellAI/retell-typescript-sdk",
		Confidence: "code",
		Notes:      "The secret is the API key that is marked for webhooks. Retell tries up to three times.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Retell-Signature}",
				Value:     []string{"v={timestamp},d={signature}"},
				Signed:    []string{"{body}{timestamp}"},
				Timestamp: &Timestamp{Unit: "unix_ms"},
			}}},
			Event:  `body.event`,
			Copies: Copies{By: ByNothing, Why: noID("Retell")},
			Ranges: &Ranges{List: []string{"100.20.5.228"}},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "transloadit", Title: "Transloadit", Category: "video",
		Source:     "https://github.com/transloadit/node-sdk",
		Confidence: "code",
		Notes: "The secret is the auth secret. Your app gets the form as it came; its field transloadit is JSON. " +
			"The older SHA-1 signature, which has no prefix, counts only with the line legacy.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{
					From: "{form.signature}", Hash: "sha384", Value: []string{"sha384:{signature}"},
					Signed: []string{"{form.transloadit}"},
				}},
				{HMAC: &HMAC{From: "{form.signature}", Hash: "sha1", Signed: []string{"{form.transloadit}"}}, Legacy: true},
			},
			Need:   NeedAny,
			Forms:  true,
			Event:  `fromJSON(body.transloadit).ok ?? fromJSON(body.transloadit).error`,
			ID:     `fromJSON(body.transloadit).assembly_id`,
			Copies: Copies{By: ByIDAndBody, Why: "Transloadit signs the ID of the assembly, which several webhooks may share, so the body decides as well."},
		},
	},
}

// openAIProofs are what OpenAI's libraries take a secret for: a key in base64
// where it begins with whsec_, and the key itself otherwise.
func openAIProofs() []Proof {
	strict, raw := standardHMAC("Webhook-"), standardHMAC("Webhook-")
	strict.Key, raw.Key = "{secret|cut whsec_|unbase64 strict|atleast 24}", "raw"
	return []Proof{{HMAC: strict, SecretPrefix: "whsec_"}, {HMAC: raw}}
}
