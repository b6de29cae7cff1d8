package presets

import "strings"

var presetsOperations = []Preset{
	{
		Name: "circleci", Title: "CircleCI", Category: "ci",
		Source:     "https://circleci.com/docs/guides/integration/outbound-webhooks/",
		Confidence: "docs",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Circleci-Signature}", Value: []string{"v1={signature}"}}}},
			Event:  `body.type ?? header("Circleci-Event-Type")`,
			ID:     `body.id`,
			Copies: Copies{By: ByID, Why: "CircleCI documents id, in the signed body, as unique to the event and meant for detecting duplicates."},
		},
	},
	{
		Name: "buildkite", Title: "Buildkite", Category: "ci",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Notes:      "Let Buildkite send the token as an encrypted signature. The preset does not take the token as plain text.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.X-Buildkite-Signature}",
				Value:  []string{"timestamp={timestamp},signature={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:  `body.event ?? header("X-Buildkite-Event")`,
			ID:     `header("X-Buildkite-Request")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Buildkite names the request in X-Buildkite-Request, which it does not sign."},
		},
		Tolerance: fiveMinutes,
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
