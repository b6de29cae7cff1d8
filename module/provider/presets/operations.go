package presets

import (
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// presetsOperations run and watch what others run on.
var presetsOperations = []Preset{
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
		Name: "pagerduty", Title: "PagerDuty", Category: "ops",
		Source:     "https://github.com/PagerDuty/go-pagerduty",
		Confidence: "code",
		Notes:      "The secret is used as it is, though it looks like base64. PagerDuty does not retry what was refused.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-PagerDuty-Signature}", Value: []string{"v1={signature}"}}}},
			Event:   `body.event.event_type`,
			ID:      `body.event.id`, // signed, unlike the header
			Copies:  Copies{By: ByID, Why: "PagerDuty documents event.id, in the signed body, as unique to the event and meant for detecting duplicates."},
			MaxBody: 2 << 20,
			Ranges:  &Ranges{URL: "https://developer.pagerduty.com/ip-safelists/webhooks-{option.region}-service-region"},
		},
		Options: []Option{
			{Name: "region", Help: "The service region of the account, which decides its addresses.", Default: "us", Choices: []string{"us", "eu"}},
		},
	},
	{
		Name: "incident_io", Title: "incident.io", Category: "ops",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.event_type`,
			ID:     `header("Webhook-Id")`,
			Copies: Copies{By: ByID, WithoutID: ByNothing, Why: "incident.io signs Webhook-Id, which Standard Webhooks defines as unique to the message and the same for all tries."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "doppler", Title: "Doppler", Category: "ops",
		Source:     "https://github.com/Hookflo/tern",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Doppler-Signature}", Value: []string{"sha256={signature}"}}}},
			Event:  `body.type`,
			Copies: Copies{By: ByNothing, Why: "Doppler sends no ID of the event, and nobody says that the bodies of two events always differ."},
		},
	},
	{
		Name: "sentry", Title: "Sentry", Category: "ops",
		Source:     "https://github.com/getsentry/integration-platform-example",
		Confidence: "code",
		Notes: "The secret is the client secret of the integration. The time in Sentry-Hook-Timestamp is not signed, " +
			"so the gateway checks it only if you set tolerance. Sentry waits one second for the answer.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: sentryHMAC("Sentry-Hook-Signature")},
				{HMAC: sentryHMAC("Sentry-App-Signature")}, // of old versions
			},
			Need:   NeedFirst,
			Event:  `header("Sentry-Hook-Resource")`,
			ID:     `header("Request-ID")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Sentry names the request in Request-ID, which it does not sign."},
		},
	},
	{
		Name: "grafana", Title: "Grafana alerting", Category: "ops",
		Source:     "https://github.com/grafana/alerting",
		Confidence: "secondary",
		Notes:      "Grafana 12 and later sign if the contact point has an HMAC secret. With a timestamp header they sign the time as well.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{
					From:      "{header.{option.header}}",
					Signed:    []string{"{timestamp}:{body}"},
					Timestamp: &Timestamp{From: "{header.{option.timestamp_header}}"},
				}},
				{HMAC: &HMAC{From: "{header.{option.header}}"}},
			},
			Need:    NeedAny,
			Event:   `body.status`,
			Copies:  Copies{By: ByNothing, Why: "Grafana repeats a firing alert with the same body, so two notifications may be the same bytes."},
			Methods: []string{"POST", "PUT"},
			Masked:  []string{"Authorization"},
		},
		Options: []Option{
			{Name: "header", Help: "The header of the contact point's signature.", Default: "X-Grafana-Alerting-Signature"},
			{Name: "timestamp_header", Help: "The timestamp header of the contact point.", Default: "X-Grafana-Alerting-Timestamp"},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "vercel", Title: "Vercel", Category: "hosting",
		Source:     "https://github.com/hookdeck/webhook-skills",
		Confidence: "secondary",
		Notes:      "The secret of an integration's webhooks is its client secret; a webhook of an account has its own secret.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{Hash: "sha1", From: "{header.X-Vercel-Signature}"}}},
			Event:   `body.type`,
			ID:      `body.id`,
			Copies:  Copies{By: ByID, Why: "Vercel documents id, in the signed body, as the ID of the delivery."},
			Horizon: 24 * hour,
		},
	},
	{
		Name: "heroku", Title: "Heroku", Category: "hosting",
		Source:     "https://devcenter.heroku.com/articles/app-webhooks",
		Confidence: "secondary",
		Notes:      "With the level sync, Heroku retries for 72 hours.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.Heroku-Webhook-Hmac-SHA256}", Encoding: "base64"}}},
			Event:   `body.webhook_metadata.event.include`,
			ID:      `body.webhook_metadata.delivery.id`,
			Copies:  Copies{By: ByID, Volatile: []string{"{json.webhook_metadata.attempt.id}"}, Why: "Heroku gives each delivery an ID in the signed body and changes the attempt's ID with each try."},
			Horizon: 72 * hour,
			Masked:  []string{"Authorization"},
		},
	},
	{
		Name: "azure_event_grid", Title: "Azure Event Grid", Category: "cloud",
		Source:     "https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema",
		Confidence: "secondary",
		Notes: "Event Grid does not sign. Put a secret into a parameter of the endpoint's URL or into a custom delivery property, " +
			"and guard the source with the line token query <name> <secret> or token header <name> <secret>. " +
			"The event type of a batch is the one that all events have, else batch.",
		Definition: Definition{
			Event:   eitherHeader(onlyOne(`body.type`, ofAll(`body`, `body.eventType ?? body.type`)), "Ce-Type"),
			Each:    &Each{List: `body`, Event: `body.eventType ?? body.type`, ID: `body.id`},
			ID:      eitherHeader(onlyOne(`body.id`, `len(body) == 1 ? body[0].id : nil`), "Ce-Id"), // batches may be cut anew
			Copies:  Copies{By: ByIDAndBody, Why: "Event Grid gives each event an ID, unique for its source, but signs nothing."},
			Horizon: 24 * hour,
			Handshakes: []Handshake{
				{
					Kind: "echo", Challenge: "{json.0.data.validationCode}", Pattern: `[A-Za-z0-9_.-]{1,256}`,
					When: []Condition{is("{header.Aeg-Event-Type}", "SubscriptionValidation")},
					JSON: `{"validationResponse":"{challenge}"}`,
				},
				cloudEvents,
			},
		},
	},
	{
		Name: "airtable", Title: "Airtable", Category: "database",
		Source:     "https://github.com/gtalarico/pyairtable",
		Confidence: "secondary",
		Notes:      "The secret is macSecretBase64. A webhook only says that something changed: your app fetches the changes from the API. A webhook expires after 7 days unless your app refreshes it.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:  "{header.X-Airtable-Content-MAC}",
				Value: []string{"hmac-sha256={signature}"},
				Key:   "base64",
			}}},
			Event:  `nil`, // there is one kind
			Copies: Copies{By: ByBody, Why: "Airtable sends no ID and no content; timestamp, to the millisecond, makes each body unique."},
		},
	},
	{
		Name: "tailscale", Title: "Tailscale", Category: "network",
		Source:     "https://github.com/tailscale/tailscale/blob/main/docs/webhooks/example.go",
		Confidence: "code",
		Notes:      "The body is a list of events; the event type is the one that they all have, else batch.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: timedHMAC("Tailscale-Webhook-Signature")}},
			Event:  ofAll(`body`, `body.type`),
			Each:   &Each{List: `body`, Event: `body.type`},
			Copies: Copies{By: ByBody, Why: "Tailscale sends no ID; the timestamps of the events make each body unique."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "launchdarkly", Title: "LaunchDarkly", Category: "ops",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-LD-Signature}"}}},
			Event:  `body.kind`,
			ID:     `body._id`,
			Copies: Copies{By: ByIDAndBody, Why: "LaunchDarkly gives each webhook an _id in the signed body; it is not confirmed that retries repeat it."},
		},
	},
	{
		Name: "mongodb_atlas", Title: "MongoDB Atlas", Category: "database",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-MMS-Signature}", Hash: "sha1", Encoding: "base64"}}},
			Event:  `body.eventTypeName`,
			ID:     `body.id`,
			Copies: Copies{By: ByIDAndBody, Why: "It is not confirmed that id, in the signed body, is the event's own and not the alert's, so the body decides as well."},
		},
	},
	{
		Name: "render", Title: "Render", Category: "hosting",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:  `body.type`,
			ID:     `header("Webhook-Id")`,
			Copies: signedMessageID("Render"),
		},
		Tolerance: fiveMinutes,
	},
}

func sentryHMAC(header string) *HMAC {
	return &HMAC{
		From: "{header." + header + "}",
		// Unsigned: a check that is on by default would refuse honest retries.
		Timestamp: &Timestamp{From: "{header.Sentry-Hook-Timestamp}"},
	}
}

// ofAll is an expression for the event type of a list: the one that all elements have, else
// batch. The expression for an element sees the element as body.
func ofAll(list, element string) string {
	return `let types = uniq(map(` + list + `, ` + strings.ReplaceAll(element, "body", "#") + `)); len(types) > 1 ? "batch" : types[0]`
}

// onlyOne is an expression for bodies that are one event, or an array of them.
func onlyOne(one, several string) string {
	return `type(body) == "array" ? (` + several + `) : (` + one + `)`
}
