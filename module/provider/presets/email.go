package presets

import (
	"net/http"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
	"github.com/caddyserver/caddy/v2"
)

// presetsEmail send mail.
var presetsEmail = []Preset{
	{
		Name: "mailgun", Title: "Mailgun", Category: "email",
		Source:     "https://github.com/mailgun/mailgun-go",
		Confidence: "code",
		Notes:      "Mailgun signs only a time and a random token, neither the event nor the message.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{
					From:      "{json.signature.signature}",
					Signed:    []string{"{timestamp}{json.signature.token}"},
					Timestamp: &Timestamp{From: "{json.signature.timestamp}"},
				}},
				{HMAC: &HMAC{
					From:      "{form.signature}",
					Signed:    []string{"{timestamp}{form.token}"},
					Timestamp: &Timestamp{From: "{form.timestamp}"},
				}},
			},
			Need:    NeedFirst,
			MaxBody: 10 << 20, // mail that a route posts, with what is attached, is signed in the same way
			Event:   `body["event-data"]?.event ?? body.event`,
			ID:      `body["event-data"]?.id`, // Message-Id is the mail's
			Copies:  Copies{By: ByIDAndBody, Volatile: []string{"{json.signature.token}", "{json.signature.timestamp}", "{json.signature.signature}"}, Why: "Mailgun gives each event an ID but signs only a time and a token; the object signature, which a try may renew, is not compared."},
			Horizon: 8 * hour,
		},
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
		Name: "resend", Title: "Resend", Category: "email",
		Source:     "https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests",
		Confidence: "secondary",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: standardHMAC("Svix-")}},
			Event:   `body.type`,
			ID:      `header("Svix-Id")`,
			Copies:  Copies{By: ByID, WithoutID: ByNothing, Why: "Resend sends through Svix, which signs Svix-Id and documents it as the same for all tries."},
			Horizon: svixHorizon,
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "mailchimp", Title: "Mailchimp Marketing", Category: "email",
		Source:     "https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/",
		Confidence: "unspecified",
		Notes:      "Mailchimp signs webhooks only if you switch it on. Its own documentation does not say how: the preset follows a third party. If your webhooks have no X-Mailchimp-Signature, use provider custom with a token line.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.X-Mailchimp-Signature}",
				Value:  []string{"t={timestamp},v1={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:      `body.type`,
			Forms:      true,
			Copies:     Copies{By: ByBody, Why: "Mailchimp sends no ID; fired_at, with the subscriber and the change, makes each body unique."},
			Handshakes: []Handshake{{Kind: "probe", Method: http.MethodGet}},
		},
	},
	{
		Name: "mandrill", Title: "Mailchimp Transactional (Mandrill)", Category: "email",
		Source:     "https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/",
		Confidence: "secondary",
		Notes:      "Mandrill signs the URL that is registered with it: behind a proxy, set external_url. A webhook is a batch; its event type is the one that all events have, else batch.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Hash: "sha1", From: "{header.X-Mandrill-Signature}", Encoding: "base64",
				Signed: []string{"{url}{form|sort|concat}"},
			}}},
			Event:  ofAll(`fromJSON(body.mandrill_events)`, `body.event`),
			Each:   &Each{List: `body.mandrill_events`, Event: `body.event`},
			Forms:  true,
			Copies: Copies{By: ByBody, Why: "Mandrill sends no ID of the batch; ts and the messages' IDs make each body unique."},
			Handshakes: []Handshake{
				{Kind: "probe", Method: http.MethodHead},
				{
					Kind: "probe", // signed with a key that is no secret
					When: []Condition{is("{form.mandrill_events}", "[]")},
				},
			},
		},
	},
	{
		Name: "postmark", Title: "Postmark", Category: "email",
		Source:     "https://postmarkapp.com/developer/webhooks/webhooks-overview",
		Confidence: "secondary",
		Notes: "The secret is user:password, as in the webhook's URL. Postmark signs nothing, and stops retrying after a 403. " +
			"All events of a message share its message ID, so a hash of the body detects copies.",
		Definition: Definition{
			Proofs:  []Proof{{Token: scheme.BasicAuth()}},
			Event:   `body.RecordType`,
			Copies:  Copies{By: ByBody, Why: "Postmark sends no ID of the event; DeliveredAt, BouncedAt or ReceivedAt, with the message's ID, makes each body unique."},
			Horizon: 630 * minute,
		},
	},
	{
		Name: "customerio", Title: "Customer.io", Category: "email",
		Source:     "https://docs.customer.io/journeys/webhooks/",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-CIO-Signature}",
				Signed:    []string{"v0:{timestamp}:{body}"},
				Timestamp: &Timestamp{From: "{header.X-CIO-Timestamp}"},
			}}},
			Event:  `body.object_type + "_" + body.metric`,
			ID:     `body.event_id`,
			Copies: Copies{By: ByID, Why: "Customer.io documents event_id, in the signed body, as unique to the event and meant for detecting duplicates."},
			Ranges: &Ranges{List: []string{ // of both regions
				"35.188.196.183", "104.198.177.219", "104.154.232.87", "130.211.229.195", "104.198.221.24", "104.197.27.15",
				"35.194.9.154", "104.154.144.51", "104.197.210.12", "35.225.6.73", "35.192.215.166", "34.170.204.100",
				"136.111.237.157", "34.10.127.179", "34.76.143.229", "34.78.91.47", "34.77.94.252", "35.187.188.242",
				"34.78.122.90", "35.195.137.235", "130.211.108.156", "104.199.50.18", "34.78.44.80", "35.205.31.154",
			}},
		},
	},
	{
		Name: "klaviyo", Title: "Klaviyo", Category: "email",
		Source:     "https://developers.klaviyo.com/en/docs/working_with_system_webhooks",
		Confidence: "secondary",
		Notes:      "A webhook is a batch; its event type is the one that all events have, else batch. The options are for webhooks that are signed in another way.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Klaviyo-Signature}",
				Encoding:  "{option.encoding}",
				Signed:    []string{"{option.signed}"},
				Timestamp: &Timestamp{From: "{header.Klaviyo-Timestamp}", Unit: "{option.unit}"},
			}}},
			Event:  `body.data != nil ? (` + ofAll(`body.data`, `body.topic`) + `) : body.topic`,
			Each:   &Each{List: `body.data`, Event: `body.topic`},
			Copies: Copies{By: ByBody, Why: "Klaviyo sends no ID of the webhook; the IDs of the events and meta.timestamp make each body unique."},
		},
		Options: []Option{
			{Name: "encoding", Default: "hex", Choices: template.Encodings, Help: "The encoding of the signature."},
			{Name: "signed", Default: "{body}{timestamp}", Help: "What is signed, as a template with {body} and {timestamp}."},
			{Name: "unit", Default: "rfc1123", Choices: template.Units, Help: "How the time in Klaviyo-Timestamp is written."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "nylas", Title: "Nylas", Category: "email",
		Source:     "https://github.com/nylas/nylas-nodejs",
		Confidence: "secondary",
		Notes:      "Nylas may compress bodies. The signature covers the compressed body, and your app gets it compressed.",
		Definition: Definition{
			Proofs:     []Proof{{HMAC: &HMAC{From: "{header.X-Nylas-Signature}"}}},
			Event:      `body.type`,
			ID:         `body.id`,
			Copies:     Copies{By: ByID, Why: "Nylas documents id, in the signed body, as unique to the notification and meant for detecting duplicates."},
			Handshakes: []Handshake{{Kind: "echo", Challenge: "{query.challenge}", Pattern: `[A-Za-z0-9_.-]{1,256}`}},
		},
	},
	{
		Name: "salesforce_mc", Title: "Salesforce Marketing Cloud ENS", Category: "email",
		Source:     "https://developer.salesforce.com/docs/atlas.en-us.noversion.mc-apis.meta/mc-apis/ens-notification-signing.htm",
		Confidence: "unspecified",
		Notes: "One webhook may carry several events; the event type is the one that they all have, else batch. It is not documented whether the signature key is text or base64: set key. Nor is it documented how the callback is verified: " +
			"that message becomes an event like any other, and your app gets the verification key.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Sfmc-Ens-Signature}", Encoding: "base64", Key: "{option.key}"}}},
			Event:  onlyOne(`body.eventCategoryType`, ofAll(`body`, `body.eventCategoryType`)),
			Each:   &Each{List: `body`, Event: `body.eventCategoryType`},
			Copies: Copies{By: ByBody, Why: "Marketing Cloud sends no ID of the batch; timestampUTC and compositeId of its events make each body unique."},
		},
		Options: []Option{
			{Name: "key", Required: true, Choices: []string{"raw", "base64"}, Help: "How the secret becomes the key."},
		},
	},
	{
		Name: "mailersend", Title: "MailerSend", Category: "email",
		Source:     "https://developers.mailersend.com/api/v1/webhooks.html#security",
		Confidence: "secondary",
		Notes:      "Webhooks for SMS and for inbound routes are signed in the same way.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.Signature}"}}},
			Event:   `body.type`,
			ID:      `body.data?.id`,
			Copies:  Copies{By: ByIDAndBody, Why: "MailerSend gives the data of each event an ID in the signed body; it is not confirmed that it is the event's own."},
			Horizon: caddy.Duration(110e9), // after 10 and after 100 seconds
		},
	},
	{
		Name: "mailomat", Title: "Mailomat", Category: "email",
		Source:     "https://api.mailomat.swiss/docs/#tag/webhook",
		Confidence: "secondary",
		Notes: "Mailomat signs the ID, the event type and a time, but not the body. " +
			"How far that time may be off is not documented: it is checked only with a tolerance line.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-MOM-Webhook-Signature}",
				Value:     []string{"sha256={signature}"},
				Signed:    []string{"{header.X-MOM-Webhook-Id}.{header.X-MOM-Webhook-Event}.{timestamp}"},
				Timestamp: &Timestamp{From: "{header.X-MOM-Webhook-Timestamp}"},
			}}},
			Event:  `header("X-MOM-Webhook-Event")`,
			ID:     `header("X-MOM-Webhook-Id")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Mailomat signs the ID of the webhook, but not the body; it is not confirmed that retries repeat the ID."},
		},
	},
}
