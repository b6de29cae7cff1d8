package presets

import (
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

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
}
