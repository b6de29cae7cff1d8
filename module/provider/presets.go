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
	{
		Name: "adobe_sign", Title: "Adobe Acrobat Sign",
		Source:     "https://helpx.adobe.com/sign/web/developers/webhooks/overview.html",
		Confidence: "docs",
		Token:      &Token{In: "header", Name: "X-AdobeSign-ClientId"}, // which is no secret
		Echo:       []string{"X-Adobesign-Clientid"},
		Options:    []string{clientIDs},
		Event:      `body.event`,
		ID:         `body.webhookNotificationId`,
	},
	{
		Name: "asana", Title: "Asana",
		Source:     "https://developers.asana.com/docs/webhooks-guide",
		Confidence: "secondary",
		HMAC:       &HMAC{Header: "X-Hook-Signature"}, // with the secret of its handshake
		Event:      `body.events[0].resource.resource_type + "." + body.events[0].action`,
	},
	{
		Name: "meta", Title: "Meta",
		Source:     "https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
		Confidence: "secondary",
		HMAC:       &HMAC{Header: "X-Hub-Signature-256", Value: []string{"sha256={signature}"}},
		Event:      `body.object`,
	},
	{
		Name: "zoom", Title: "Zoom",
		Source:     "https://developers.zoom.us/docs/api/webhooks/",
		Confidence: "code",
		HMAC: &HMAC{
			Header:    "X-Zm-Signature",
			Value:     []string{"v0={signature}"},
			Signed:    "v0:{timestamp}:{body}",
			Timestamp: &Timestamp{Header: "X-Zm-Request-Timestamp"},
		},
		Tolerance: 5 * time.Minute,
		Event:     `body.event`,
	},
}
