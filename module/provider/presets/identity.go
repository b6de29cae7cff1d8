package presets

import (
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsIdentity know who somebody is.
var presetsIdentity = []Preset{
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
		Name: "clerk", Title: "Clerk", Category: "identity",
		Source:     "https://github.com/hookdeck/webhook-skills",
		Confidence: "secondary",
		Notes:      "Clerk sends through Svix and has the addresses and retries of Svix.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: standardHMAC("Svix-")}},
			Event:   `body.type`,
			ID:      `header("Svix-Id")`,
			Copies:  Copies{By: ByID, WithoutID: ByNothing, Why: "Clerk sends through Svix, which signs Svix-Id and documents it as the same for all tries."},
			Horizon: svixHorizon,
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "workos", Title: "WorkOS", Category: "identity",
		Source:     "https://github.com/workos/workos-node",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.WorkOS-Signature}",
				Value:     []string{"t={timestamp}, v1={signature}"},
				Signed:    []string{"{timestamp}.{body}"},
				Timestamp: &Timestamp{Unit: "unix_ms"},
			}}},
			Event:   `body.event`,
			ID:      `body.id`,
			Copies:  Copies{By: ByID, Why: "WorkOS documents id, in the signed body, as unique to the event and meant for detecting duplicates."},
			Horizon: 72 * hour,
			Ranges: &Ranges{List: []string{
				"3.217.146.166", "23.21.184.92", "34.204.154.149", "44.213.245.178", "44.215.236.82",
				"50.16.203.9", "52.1.251.34", "52.21.49.187", "174.129.36.47",
			}},
		},
		Tolerance: 3 * time.Minute,
	},
	{
		Name: "okta", Title: "Okta event hooks", Category: "identity",
		Source:     "https://developer.okta.com/docs/concepts/event-hooks/",
		Confidence: "secondary",
		Notes: "The secret is the whole value of the authentication field, such as Bearer abc. It covers nothing of the content. " +
			"One webhook may carry several events; the event type is the one that they all have, else batch. Okta retries once.",
		Definition: Definition{
			Proofs: []Proof{{Token: &Token{From: "{header.{option.header}}"}}},
			Event:  ofAll(`body.data.events`, `body.eventType`),
			Each:   &Each{List: `body.data.events`, Event: `body.eventType`, ID: `body.uuid`},
			ID:     `body.eventId`,
			Copies: Copies{By: ByIDAndBody, Why: "Okta gives each request an eventId, but the fixed secret covers nothing of the body."},
			Handshakes: []Handshake{{
				Kind: "echo", Challenge: "{header.X-Okta-Verification-Challenge}",
				JSON: `{"verification":"{challenge}"}`,
			}},
		},
		Options: []Option{
			{Name: "header", Help: "The authentication field of the event hook.", Default: "Authorization"},
		},
	},
	{
		Name: "auth0", Title: "Auth0 log streams", Category: "identity",
		Source:     "https://auth0.com/docs/customize/log-streams/custom-log-streams",
		Confidence: "secondary",
		Notes: "The secret is the whole authorization token of the stream. It covers nothing of the content. " +
			"Choose the content format JSON Object: with JSON Array or JSON Lines the event type is the one that all logs have, else batch. " +
			"Auth0 lists its addresses in its documentation.",
		Definition: Definition{
			Proofs: []Proof{{Token: &Token{From: "{header.Authorization}"}}},
			Event:  onlyOne(`body.data.type`, ofAll(`body`, `body.data.type`)),
			Each:   &Each{List: `body`, Event: `body.data.type`, ID: `body.log_id`},
			ID:     onlyOne(`body.log_id`, `nil`), // another batch may begin with the same log
			Copies: Copies{By: ByIDAndBody, Why: "Auth0 gives each log entry an ID, but the fixed token covers nothing of the body."},
		},
	},
	{
		Name: "onfido", Title: "Onfido", Category: "identity",
		Source:     "https://github.com/onfido/onfido-node",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-SHA2-Signature}"}}},
			Event:  `body.payload.action`,
			// The object's own ID is the same in all events about it.
			ID: `body.payload.object?.completed_at_iso8601 != nil ? ` +
				`join([body.payload.action, body.payload.object.id, body.payload.object.completed_at_iso8601], ".") : nil`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Onfido sends no ID of the event; action, object and the time of its completion stand in, and a webhook without such a time is always an event."},
		},
	},
	{
		Name: "persona", Title: "Persona", Category: "identity",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:       "{header.Persona-Signature}",
				Value:      []string{"t={timestamp},v1={signature}"},
				Separators: ", ", // one pair for each secret, with a space between
				Signed:     []string{"{timestamp}.{body}"},
			}}},
			Event:  `body.data?.attributes?.name`,
			ID:     `body.data?.id`,
			Copies: Copies{By: ByIDAndBody, Why: "Persona gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "stytch", Title: "Stytch", Category: "identity",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "The headers are those of Svix.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Svix-")}},
			Event:  `body.action + "." + body.object_type`,
			ID:     `header("Svix-Id")`,
			Copies: signedMessageID("Stytch"),
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "supabase", Title: "Supabase Auth hooks", Category: "identity",
		Source:     recipes,
		Confidence: "secondary",
		Notes:      "The body of a hook is not known to name its event type: where it has a type, that is taken.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.type`,
			ID:     `header("Webhook-Id")`,
			Copies: signedMessageID("Supabase"),
		},
		Tolerance: fiveMinutes,
	},
}
