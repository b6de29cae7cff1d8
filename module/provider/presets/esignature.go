package presets

import (
	"net/http"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// presetsESignature have documents signed.
var presetsESignature = []Preset{
	{
		Name: "iusign", Title: "IUSign", Category: "e-signature",
		Source:     "https://iusign.com/knowledge/55-webhook-setup",
		Confidence: "unspecified", // neither hash, encoding nor event field are stated
		Notes:      "Without options, the preset expects SHA-256 in hex, with or without sha256= before it. IUSign disables an endpoint that keeps failing.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Hash:     "{option.hash}",
				Encoding: "{option.encoding}",
				From:     "{header.X-IUSign-Signature}",
				Value:    []string{"{hash}={signature}", "{signature}"},
			}}},
			Event:   `body.event ?? body.type`,
			Copies:  Copies{By: ByBody, Why: "IUSign sends no ID; created_at makes each body unique."},
			Horizon: 24 * hour,
		},
		Options: []Option{
			{Name: "hash", Help: "The hash function, which IUSign's documentation leaves open.", Default: "sha256", Choices: scheme.HashNames()},
			{Name: "encoding", Help: "The encoding of the signature, which IUSign's documentation leaves open.", Default: "hex", Choices: template.Encodings},
		},
	},
	{
		Name: "ignisign", Title: "Ignisign", Category: "e-signature",
		Source:     "https://docs.ignisign.io",
		Confidence: "code",
		Notes:      "While the API does not answer, the gateway holds events, and delivers them once the API has confirmed them.",
		Definition: Definition{
			Proofs: []Proof{{Ignisign: &Ignisign{
				AppID: "{option.app_id}", AppEnv: "{option.app_env}", APIKeys: []string{"{option.api_key}"},
			}}},
			MaxBody:      1 << 20, // guessed: an event names what changed
			Event:        `body.topic + "." + body.action`,
			ID:           `body.verificationToken`,
			Copies:       Copies{By: ByID, Why: "Ignisign's token can be used once, so another body must never be checked with a token that was already seen."},
			NeverRetries: true,
		},
		Options: []Option{
			{Name: "app_id", Help: "The ID of the application.", Required: true},
			{Name: "app_env", Help: "The environment of the application.", Required: true},
			{Name: "api_key", Help: "The API keys; any may match. Configure keys of the older kind as secrets.", Required: true, OrSecret: true, Several: true},
			{Name: "api_url", Help: "The address of Ignisign's API.", Default: "https://api.ignisign.io", Key: true},
		},
	},
	{
		Name: "insertsign", Title: "InsertSign", Category: "e-signature",
		Source:     "https://insertsign.com/docs/integrations/webhooks",
		Confidence: "docs",
		Notes:      "InsertSign proves nothing and sends each event once: guard the source with a token line.",
		Definition: Definition{
			Event:        `body.type`,
			Copies:       Copies{By: ByBody, Why: "InsertSign sends each event once and without an ID; created_at makes each body unique."},
			NeverRetries: true,
		},
	},
	{
		Name: "fusesign", Title: "FuseSign", Category: "e-signature",
		Source:     "https://fuseworks.gitbook.io/fusesign/deep-dives/webhooks",
		Confidence: "docs",
		Notes:      "What FuseSign calls a signature is a fixed value, which covers nothing of the body.",
		Definition: Definition{
			Proofs:  []Proof{{Token: &Token{From: "{header.Fuse-Signature}"}}},
			Event:   `body.EventType`,
			ID:      `body.WebhookId`,
			Copies:  Copies{By: ByIDAndBody, Why: "FuseSign gives each webhook a WebhookId, but the fixed secret that proves it covers nothing of the body."},
			Horizon: 450 * minute,
		},
	},
	{
		Name: "insigner", Title: "inSigner", Category: "e-signature",
		Source:     "https://docs.insigner.co/webhooks/security/",
		Confidence: "docs",
		Notes:      "The timestamp is not signed, and it is the event's time: a tolerance would refuse late retries and not stop replays.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:  "{header.X-InSigner-Signature}",
				Value: []string{"sha256={signature}"},
				// Unsigned, and the time of the event: a check that is on by
				// default would refuse honest retries.
				Timestamp: &Timestamp{From: "{header.X-InSigner-Timestamp}"},
			}}},
			Event:  `body.event ?? header("X-InSigner-Event")`,
			ID:     `body.id`, // signed, unlike the header
			Copies: Copies{By: ByID, Why: "inSigner documents id, in the signed body, as the ID of the delivery, for removing duplicates."},
		},
	},
	{
		Name: "docusign", Title: "DocuSign Connect", Category: "e-signature",
		Source:     "https://github.com/docusign/code-examples-node",
		Confidence: "code",
		Notes:      "The secret is the text that the console shows. The body may be XML, which has no event type.",
		Definition: Definition{
			// One header for each key of the account.
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-DocuSign-Signature-{n}}", Encoding: "base64"}}},
			Event:  `body.event`,
			Copies: Copies{By: ByBody, Volatile: []string{"{json.retryCount}"}, Why: "DocuSign sends no ID; generatedDateTime makes each body unique, and retryCount, which grows with each try, is not compared."},
		},
	},
	{
		Name: "docuseal", Title: "DocuSeal", Category: "e-signature",
		Source:     "https://github.com/docusealco/docuseal",
		Confidence: "code",
		Notes:      "The secret is the whole text, including whsec_.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.X-Docuseal-Signature}",
				Value:  []string{"{timestamp}.{signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:  `body.event_type`,
			Copies: Copies{By: ByBody, Why: "DocuSeal sends no ID; timestamp, the time of the event, which retries repeat, makes each body unique."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "pandadoc", Title: "PandaDoc", Category: "e-signature",
		Source:     "https://developers.pandadoc.com/docs/webhook-verification",
		Confidence: "docs",
		Notes:      "One webhook may carry several events; the event type is the one that they all have, else batch. The URL carries the signature: keep it out of access logs.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{query.signature}"}}},
			Event:  ofAll(`body`, `body.event`),
			Each:   &Each{List: `body`, Event: `body.event`, ID: `header("X-PandaDoc-Webhook-Event-Id")`},
			ID:     `header("X-PandaDoc-Webhook-Event-Id")`,
			Copies: Copies{By: ByIDAndBody, Why: "PandaDoc documents X-PandaDoc-Webhook-Event-Id as an ID that every try repeats, but does not sign it."},
		},
	},
	{
		Name: "signhost", Title: "Signhost", Category: "e-signature",
		Source:     "https://github.com/Evidos/SignhostClientLibrary",
		Confidence: "code",
		Notes:      "The proof covers the transaction's ID and status, not the rest of the body.",
		Definition: Definition{
			Proofs: []Proof{
				{Digest: &Digest{HMAC: HMAC{Hash: "sha1", From: "{header.Checksum}", Signed: []string{"{json.Id}||{json.Status}|{secret}"}}}},
				{Digest: &Digest{HMAC: HMAC{Hash: "sha1", From: "{json.Checksum}", Signed: []string{"{json.Id}||{json.Status}|{secret}"}}}},
			},
			MaxBody: 1 << 20, // guessed: a transaction without its files
			Need:    NeedFirst,
			Event:   `string(body.Status)`,
			Copies:  Copies{By: ByBody, Why: "Signhost sends no ID; the body holds the whole transaction with all its activities and their times, so each change makes a different body."},
		},
	},
	{
		Name: "dropbox_sign", Title: "Dropbox Sign (HelloSign)", Category: "e-signature",
		Source:     "https://github.com/hellosign/dropbox-sign-node",
		Confidence: "code",
		Notes: "The secret is the API key of the account. Only the time and the type of an event are signed, not the document's data. " +
			"Dropbox Sign counts a callback as failed unless the answer is a certain text, which the preset sends.",
		Definition: Definition{
			Proofs: []Proof{ // the event is the field json of a form
				{
					HMAC: &HMAC{
						From:   "{json.event.event_hash}",
						Signed: []string{"{json.event.event_time}{json.event.event_type}"},
					},
					Identity: Identity{Event: `body.event.event_type`},
				},
				{
					HMAC: &HMAC{
						From:   "{form.json|json event.event_hash}",
						Signed: []string{"{form.json|json event.event_time}{form.json|json event.event_type}"},
					},
					Identity: Identity{Event: `fromJSON(body.json).event.event_type`},
				},
			},
			Need:    NeedFirst,
			MaxBody: 2 << 20, // guessed: a signature request without its files, in a form
			Event:   `body.event?.event_type ?? fromJSON(body.json ?? "{}").event?.event_type`,
			Copies:  Copies{By: ByBody, Why: "Dropbox Sign sends no ID; event_time, with the request and the signer that the event names, makes each body unique."},
			Answer:  &Answer{Body: "Hello API Event Received"},
			Horizon: 72 * hour,
		},
	},
	{
		Name: "adobe_sign", Title: "Adobe Acrobat Sign", Category: "e-signature",
		Source:     "https://helpx.adobe.com/sign/web/developers/webhooks/overview.html",
		Confidence: "docs",
		Notes:      "Adobe signs nothing: the client ID says which application a webhook is meant for, and is no secret. Each answer repeats it.",
		Definition: Definition{
			Proofs: []Proof{{Token: &Token{From: "{header.X-AdobeSign-ClientId}"}}},
			Event:  `body.event`,
			ID:     `body.webhookNotificationId`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Adobe names each notification by webhookNotificationId and documents it for detecting duplicates, but signs nothing."},
			Echo:   []string{"X-AdobeSign-ClientId"},
			Handshakes: []Handshake{{
				Kind: "echo", Challenge: "{header.X-AdobeSign-ClientId}",
				Expect: []Condition{is("{header.X-AdobeSign-ClientId}", "{option.client_ids}")},
				Refuse: http.StatusBadRequest,
				Header: map[string]string{"X-AdobeSign-ClientId": "{challenge}"},
				JSON:   `{"xAdobeSignClientId":"{challenge}"}`,
			}},
		},
		Options: []Option{
			{Name: "client_ids", Several: true, Secrets: true, Help: "The client IDs (application IDs) of the applications that created the webhooks; they are the secrets."},
		},
	},
	{
		Name: "signnow", Title: "airSlate SignNow", Category: "e-signature",
		Source:     "https://docs.signnow.com/webhooks/subscriptions",
		Confidence: "unspecified",
		Notes: "The documentation states neither the header nor the hash nor the encoding of the signature: look at a webhook and set the options accordingly. " +
			"The preset assumes that the body is signed.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{Hash: "{option.hash}", From: "{header.{option.header}}", Encoding: "{option.encoding}"}}},
			Event:  `body.meta.event`,
			Copies: Copies{By: ByBody, Why: "SignNow sends no ID; meta.timestamp, with the event and the document, makes each body unique."},
		},
		Options: []Option{
			{Name: "header", Help: "The header that carries the signature.", Required: true},
			{Name: "hash", Help: "The hash function of the signature.", Required: true, Choices: scheme.HashNames()},
			{Name: "encoding", Help: "The encoding of the signature.", Required: true, Choices: template.Encodings},
		},
	},
	{
		Name: "zoho_sign", Title: "Zoho Sign", Category: "e-signature",
		Source:     "https://www.zoho.com/sign/api/",
		Confidence: "secondary",
		Notes:      "Zoho Sign signs only webhooks that have a secret key.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-ZS-WEBHOOK-SIGNATURE}", Encoding: "base64"}}},
			Event:  `body.notifications.operation_type`,
			Copies: Copies{By: ByBody, Why: "Zoho Sign sends no ID; performed_at, to the millisecond, makes each body unique."},
		},
	},
	{
		Name: "yousign", Title: "Yousign", Category: "e-signature",
		Source:     "https://developers.yousign.com/docs/security",
		Confidence: "docs",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-Yousign-Signature-256}", Value: []string{"sha256={signature}"}}}},
			Event:   `body.event_name`,
			ID:      `body.event_id`,
			Copies:  Copies{By: ByIDAndBody, Why: "Yousign gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
			Horizon: 96*hour + 38*minute,
		},
	},
	{
		Name: "signwell", Title: "SignWell", Category: "e-signature",
		Source:     "https://developers.signwell.com/reference/event-hash-verification",
		Confidence: "docs",
		Notes:      "The secret is the ID of the webhook, which others may know. Only the type and the time of an event are signed, not the document's data.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{json.event.hash}",
				Signed: []string{"{json.event.type}@{json.event.time}"},
			}}},
			MaxBody: 1 << 20, // guessed: a document without its file
			Event:   `body.event.type`,
			Copies:  Copies{By: ByBody, Why: "SignWell sends no ID; event.time, with the document, makes each body unique."},
		},
	},
	{
		Name: "boldsign", Title: "BoldSign", Category: "e-signature",
		Source:     "https://developers.boldsign.com/webhooks/verify-webhook-events",
		Confidence: "code",
		Notes:      "While you roll a secret, the old one signs as well.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:   "{header.X-BoldSign-Signature}",
				Value:  []string{"t={timestamp}, s0={signature}", "t={timestamp}, s1={signature}"},
				Signed: []string{"{timestamp}.{body}"},
			}}},
			Event:  `body.event?.eventType ?? header("X-BoldSign-Event")`,
			ID:     `body.event?.id`,
			Copies: Copies{By: ByIDAndBody, Why: "BoldSign gives each event an ID in the signed body, but does not document that retries repeat it."},
			Ranges: &Ranges{List: []string{"35.243.182.124", "34.141.138.53", "34.130.12.142", "34.40.190.114"}},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "signeasy", Title: "Signeasy", Category: "e-signature",
		Source:     "https://signeasy.com",
		Confidence: "unspecified",
		Notes:      "Signeasy does not document in public how it proves its webhooks: guard the source with a token line or with allow_ips.",
		Definition: Definition{
			Event:  `nil`,
			Copies: Copies{By: ByNothing, Why: "Signeasy's webhooks are not documented, so two events may have the same body."},
		},
	},
	{
		Name: "documenso", Title: "Documenso", Category: "e-signature",
		Source:     "https://github.com/documenso/documenso",
		Confidence: "code",
		Notes:      "A header carries the secret itself; it is empty if the webhook has no secret. The secret covers nothing of the body.",
		Definition: Definition{
			Proofs: []Proof{{Token: &Token{From: "{header.X-Documenso-Secret}"}}},
			Event:  `body.event`,
			ID:     `body.deliveryId`,
			Copies: Copies{By: ByID, Why: "Documenso keeps deliveryId across all tries and writes a new createdAt into the body for each, so only the ID tells copies."},
		},
	},
	{
		Name: "onespan", Title: "OneSpan Sign", Category: "e-signature",
		Source:     "https://community.onespan.com/documentation/onespan-sign/guides/feature-guides/developer/creating-callback-notification-listener",
		Confidence: "docs",
		Notes:      "The secret is the callback key. It stands behind the word Basic as it is, not as user and password, and covers nothing of the body.",
		Definition: Definition{
			Proofs: []Proof{{Token: &Token{From: "{header.Authorization}", Prefix: "Basic "}}},
			Event:  `body.name`,
			Copies: Copies{By: ByBody, Why: "OneSpan sends no ID; createdDate makes each body unique."},
		},
	},
	{
		Name: "xodo_sign", Title: "Xodo Sign (eversign)", Category: "e-signature",
		Source:     "https://eversign.com/api/documentation/webhooks",
		Confidence: "secondary",
		Notes:      "The secret is the API key. Only the time and the type of an event are signed, not the document's data.",
		Definition: Definition{
			MaxBody: 1 << 20, // guessed: an event names the document
			Proofs:  []Proof{{HMAC: &HMAC{From: "{json.event_hash}", Signed: []string{"{json.event_time}{json.event_type}"}}}},
			Event:   `body.event_type`,
			Copies:  Copies{By: ByBody, Why: "Xodo Sign sends no ID; event_time, with the document and the user, makes each body unique."},
		},
	},
	{
		Name: "signable", Title: "Signable", Category: "e-signature",
		Source:     "https://developers.signable.app/early-access/ea-signed-webhooks",
		Confidence: "docs",
		Notes:      "Signed webhooks are in early access. Signable shows the secret once, when you create the webhook. The header with the time is not signed.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Signature}",
				Encoding:  "base64",
				Timestamp: &Timestamp{From: "{header.X-Signable-Webhook}"},
			}}},
			Event:  `nil`, // its documents leave it open
			Copies: Copies{By: ByBody, Why: "Signable sends no ID; timestamp, with the action and the envelope, makes each body unique."},
		},
	},
	{
		Name: "clicksign", Title: "Clicksign", Category: "e-signature",
		Source:     "https://developers.clicksign.com",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.Content-Hmac}", Value: []string{"sha256={signature}"}}}},
			Event:  `body.event.name`,
			Copies: Copies{By: ByBody, Why: "Clicksign sends no ID; occurred_at, to the millisecond, makes each body unique."},
		},
	},
	{
		Name: "signsecure", Title: "SignSecure", Category: "e-signature",
		Source:     "https://docs-stg.signpad.signsecure.in/docs/api-reference/webhooks",
		Confidence: "unspecified", // the header and the form of the secret are stated, the signature is not
		Notes: "The public documentation states neither the hash nor the encoding nor the key of the signature: look at a webhook and set the options accordingly. " +
			"The preset assumes that the body is signed.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				Hash:     "{option.hash}",
				From:     "{header.X-SignSecure-Signature}",
				Value:    []string{"{hash}={signature}", "{signature}"},
				Encoding: "{option.encoding}",
				Key:      "{option.key}",
			}}},
			Event:  `body.event ?? header("X-SignSecure-Event")`,
			ID:     `body.id ?? header("X-SignSecure-Delivery")`,
			Copies: Copies{By: ByIDAndBody, Why: "SignSecure gives each webhook an ID, whose meaning it does not document."},
		},
		Options: []Option{
			{Name: "hash", Help: "The hash function of the signature.", Required: true, Choices: scheme.HashNames()},
			{Name: "encoding", Help: "The encoding of the signature.", Required: true, Choices: template.Encodings},
			{Name: "key", Help: "Whether the secret is the key as it is (raw), or the part after whsec_ is base64 (base64).", Required: true, Choices: []string{"raw", "base64"}},
		},
	},
}
