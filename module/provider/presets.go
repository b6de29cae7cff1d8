package provider

import "time"

// presets are the providers that need no code of their own.
var presets = []Preset{
	{
		Name: "iusign", Title: "IUSign",
		Source:     "https://iusign.com/knowledge/55-webhook-setup",
		Confidence: "unspecified", // neither hash, encoding nor event field are stated
		HMAC: &HMAC{
			Header: "X-IUSign-Signature",
			Value:  []string{"{hash}={signature}", "{signature}"},
		},
		Options: []string{"hash", "encoding"},
		Event:   `body.event ?? body.type`,
		Horizon: 24 * time.Hour,
	},
	{
		Name: "insertsign", Title: "InsertSign",
		Source:     "https://insertsign.com/docs/integrations/webhooks",
		Confidence: "docs",
		Event:      `body.type`,

		NeverRetries: true,
	},
	{
		Name: "fusesign", Title: "FuseSign",
		Source:     "https://fuseworks.gitbook.io/fusesign/deep-dives/webhooks",
		Confidence: "docs",
		Token:      &Token{In: "header", Name: "Fuse-Signature"},
		Event:      `body.EventType`,
		ID:         `body.WebhookId`,
		Horizon:    450 * time.Minute,
	},
	{
		Name: "insigner", Title: "inSigner",
		Source:     "https://docs.insigner.co/webhooks/security/",
		Confidence: "docs",
		HMAC: &HMAC{
			Header: "X-InSigner-Signature",
			Value:  []string{"sha256={signature}"},
			// Unsigned, and the time of the event: a check that is on by
			// default would refuse honest retries.
			Timestamp: &Timestamp{Header: "X-InSigner-Timestamp"},
		},
		Event: `body.event ?? header("X-InSigner-Event")`,
		ID:    `body.id`, // signed, unlike the header
	},
	{
		Name: "discord", Title: "Discord",
		Source:     "https://github.com/discord/discord-interactions-js",
		Confidence: "code",
		Ed25519: &Ed25519{Signature{
			Header:    "X-Signature-Ed25519",
			Encoding:  "hex",
			Signed:    "{timestamp}{body}",
			Timestamp: &Timestamp{Header: "X-Signature-Timestamp"},
		}},
		KeyOptions: []string{"public_key"},
		Event:      `body.event?.type ?? string(body.type)`,
		ID:         `body.id`,
	},
	{
		Name: "telnyx", Title: "Telnyx",
		Source:     "https://github.com/team-telnyx/telnyx-node",
		Confidence: "code",
		Ed25519: &Ed25519{Signature{
			Header:    "Telnyx-Signature-Ed25519",
			Signed:    "{timestamp}|{body}",
			Timestamp: &Timestamp{Header: "Telnyx-Timestamp"},
		}},
		Tolerance:  5 * time.Minute,
		KeyOptions: []string{"public_key"},
		Event:      `body.data.event_type`,
		ID:         `body.data.id`,
	},
	{
		Name: "sendgrid", Title: "Twilio SendGrid",
		Source:     "https://github.com/sendgrid/sendgrid-nodejs",
		Confidence: "code",
		ECDSA: &ECDSA{Signature: Signature{
			Header:    "X-Twilio-Email-Event-Webhook-Signature",
			Signed:    "{timestamp}{body}",
			Timestamp: &Timestamp{Header: "X-Twilio-Email-Event-Webhook-Timestamp"},
		}},
		KeyOptions: []string{"public_key"},
		Event:      `body[0].event`, // of a batch
	},
	{
		Name: "plaid", Title: "Plaid",
		Source:     "https://plaid.com/docs/api/webhooks/webhook-verification/",
		Confidence: "docs",
		JWT: &JWT{
			Header: "Plaid-Verification", Algorithms: []string{"ES256"},
			BodyHash: "request_body_sha256",
			KeysFrom: "plaid",
		},
		Tolerance:  5 * time.Minute,
		KeyOptions: []string{"public_key", "client_id", "client_secret", "api_url"},
		Event:      `body.webhook_type + "." + body.webhook_code`,
	},
	{
		Name: "vonage", Title: "Vonage",
		Source:     "https://github.com/Vonage/vonage-node-sdk",
		Confidence: "docs",
		JWT: &JWT{
			Header: "Authorization", Algorithms: []string{"HS256"}, Issuer: "Vonage",
			BodyHash: "payload_hash", HashOptional: true,
		},
		Tolerance: 5 * time.Minute,
		Event:     `body.status ?? body.message_type`,
	},
	{
		Name: "messagebird", Title: "Bird (MessageBird)",
		Source:     "https://github.com/messagebird/go-rest-api",
		Confidence: "code",
		JWT: &JWT{
			Header: "MessageBird-Signature-JWT", Algorithms: []string{"HS256", "HS384", "HS512"}, Issuer: "MessageBird",
			BodyHash: "payload_hash", HashOptional: true, URLHash: "url_hash",
		},
		Tolerance: time.Second,
		Event:     `body.type ?? body.status`,
	},
	{
		Name: "fusionauth", Title: "FusionAuth",
		Source:     "https://fusionauth.io/docs/extend/events-and-webhooks/signing",
		Confidence: "docs",
		JWT: &JWT{
			Header: "X-FusionAuth-Signature-JWT",
			Algorithms: []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
				"ES256", "ES384", "ES512", "EdDSA"},
			BodyHash: "request_body_sha256", HashEncoding: "base64",
		},
		KeyOptions: []string{"public_key", "keys_url"},
		Event:      `body.event.type`,
		ID:         `body.event.id`,
	},
	{
		Name: "netlify", Title: "Netlify",
		Source:     "https://docs.netlify.com/site-deploys/notifications/",
		Confidence: "docs",
		JWT: &JWT{
			Header: "X-Webhook-Signature", Algorithms: []string{"HS256"}, Issuer: "netlify",
			BodyHash: "sha256",
		},
		Event: `header("X-Netlify-Event") ?? body.state`,
	},
	{
		Name: "aws_sns", Title: "Amazon SNS",
		Source:     "https://github.com/aws/aws-sdk-ruby",
		Confidence: "code",
		SNS:        &SNS{},
		KeyOptions: []string{"certificate", "topic"},
		Event:      `body.Type`,
		ID:         `body.MessageId`, // signed, unlike the header
	},
	{
		Name: "paypal", Title: "PayPal",
		Source:     "https://github.com/paypal/PayPal-Python-SDK",
		Confidence: "code",
		PayPal:     &PayPal{},
		KeyOptions: []string{"webhook_id", "certificate"},
		Event:      `body.event_type`,
		ID:         `body.id`,
	},
	{
		Name: "ebay", Title: "eBay",
		Source:     "https://github.com/eBay/event-notification-nodejs-sdk",
		Confidence: "code",
		EBay:       &EBay{},
		KeyOptions: []string{"public_key", "client_id", "client_secret", "api_url"},
		Event:      `body.metadata.topic`,
		ID:         `body.notification.notificationId`,
	},
	{
		Name: "rfc9421", Title: "HTTP Message Signatures",
		Source:     "https://www.rfc-editor.org/rfc/rfc9421",
		Confidence: "docs",
		// Who signs by the RFC alone chooses what to cover; components pins it.
		MessageSignature: &MessageSignature{AnyComponents: true},
		KeyOptions:       []string{"public_key", "keys_url", "algorithm", "label", "components"},
		Tolerance:        5 * time.Minute,
		Event:            `body.type`,
	},
	{
		Name: "github", Title: "GitHub",
		Source:     "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
		Confidence: "code",
		HMAC: &HMAC{
			Header: "X-Hub-Signature-256",
			Value:  []string{"sha256={signature}"},
		},
		// Old GitHub Enterprise Servers send SHA-1 only. As an HMAC it is not
		// broken: who has not got the secret cannot make one.
		Legacy: []HMAC{
			{Header: "X-Hub-Signature", Hash: "sha512", Value: []string{"{hash}={signature}"}},
			{Header: "X-Hub-Signature", Hash: "sha256", Value: []string{"{hash}={signature}"}},
			{Header: "X-Hub-Signature", Hash: "sha1", Value: []string{"{hash}={signature}"}},
		},
		Event: `header("X-GitHub-Event")`,
		ID:    `header("X-GitHub-Delivery")`,

		NeverRetries: true,
	},
	{
		Name: "stripe", Title: "Stripe",
		Source:     "https://docs.stripe.com/webhooks",
		Confidence: "code",
		HMAC: &HMAC{
			Header: "Stripe-Signature",
			Value:  []string{"t={timestamp},v1={signature}"},
			Signed: "{timestamp}.{body}",
		},
		Tolerance: 5 * time.Minute,
		Event:     `body.type`,
		ID:        `body.id`,
		Horizon:   72 * time.Hour,
	},
	{
		Name: "standardwebhooks", Title: "Standard Webhooks",
		Source:     "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
		Confidence: "code",
		HMAC: &HMAC{
			Header:    "Webhook-Signature",
			Value:     []string{"v1,{signature}"},
			Encoding:  "base64",
			Signed:    "{header.Webhook-Id}.{timestamp}.{body}",
			Key:       "base64",
			Timestamp: &Timestamp{Header: "Webhook-Timestamp"},
		},
		Tolerance: 5 * time.Minute,
		Event:     `body.type`,
		ID:        `header("Webhook-Id")`,
		Horizon:   72 * time.Hour,
	},
}
