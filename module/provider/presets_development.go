package provider

var presetsDevelopment = []Preset{
	{
		Name: "github", Title: "GitHub", Category: "git",
		Source:     "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{Header: "X-Hub-Signature-256", Value: []string{"sha256={signature}"}}},
				// Old GitHub Enterprise Servers send SHA-1 only. As an HMAC it is not
				// broken: who has not got the secret cannot make one.
				{HMAC: &HMAC{Header: "X-Hub-Signature", Hash: "sha512", Value: []string{"{hash}={signature}"}}},
				{HMAC: &HMAC{Header: "X-Hub-Signature", Hash: "sha256", Value: []string{"{hash}={signature}"}}},
				{HMAC: &HMAC{Header: "X-Hub-Signature", Hash: "sha1", Value: []string{"{hash}={signature}"}}},
			},
			Need:         needFirst,
			Event:        `header("X-GitHub-Event")`,
			ID:           `header("X-GitHub-Delivery")`,
			NeverRetries: true,
			Ranges:       &Ranges{URL: "https://api.github.com/meta", Format: "json", Path: "hooks"},
		},
	},
	{
		Name: "gitlab", Title: "GitLab", Category: "git",
		Source:     "https://docs.gitlab.com/user/project/integrations/webhooks/",
		Confidence: "code",
		Notes:      "Give the secret token, the signing token (whsec_…), or both. Where GitLab signs, only the signature counts.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: standardHMAC("Webhook-"), SecretPrefix: "whsec_"},
				{Token: &Token{In: "header", Name: "X-Gitlab-Token"}},
			},
			Need:  needFirst,
			Event: eitherHeader(`body.object_kind`, "X-Gitlab-Event"),
			ID:    eitherHeader(`nil`, "Idempotency-Key", "Webhook-Id", "X-Gitlab-Event-UUID"),
		},
		Tolerance: fiveMinutes,
	},
}
