package presets

import (
	"net/http"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsGit keep code, and build it.
var presetsGit = []Preset{
	{
		Name: "github", Title: "GitHub", Category: "git",
		Source:     "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
		Confidence: "code",
		Notes: "GitHub does not retry by itself: you redeliver by hand or through its API. " +
			"Choose the content type JSON: a form has the JSON in its field payload.",
		Definition: Definition{
			Proofs: append(
				[]Proof{{HMAC: &HMAC{From: "{header.X-Hub-Signature-256}", Value: []string{"sha256={signature}"}}}},
				// Old GitHub Enterprise Servers send SHA-1 only. As an HMAC it is not
				// broken: who has not got the secret cannot make one.
				hubProofs("sha512", "sha256", "sha1")...,
			),
			Need:         NeedFirst,
			Event:        `header("X-GitHub-Event")`,
			ID:           `header("X-GitHub-Delivery")`,
			Copies:       Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "GitHub documents X-GitHub-Delivery as unique to the delivery, which a redelivery repeats, but does not sign it."},
			MaxBody:      25 << 20,
			NeverRetries: true,
			Ranges:       &Ranges{URL: "https://api.github.com/meta", Format: "json", Path: "hooks"},
		},
	},
	{
		Name: "gitlab", Title: "GitLab", Category: "git",
		Source:     "https://docs.gitlab.com/user/project/integrations/webhooks/",
		Confidence: "code",
		Notes: "Configure the secret token, the signing token (whsec_…), or both. Where GitLab signs, only the signature counts. " +
			"The secret token alone covers nothing of the content. GitLab disables a webhook that keeps failing. " +
			"A system hook is named by its body, such as push or project_create.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: standardHMAC("Webhook-"), SecretPrefix: "whsec_", Identity: signedID("Webhook-")},
				{Token: &Token{From: "{header.X-Gitlab-Token}"}},
			},
			Need:   NeedFirst,
			Event:  `header("X-Gitlab-Event") in ["", "System Hook"] ? body.object_kind ?? body.event_name : header("X-Gitlab-Event")`,
			ID:     eitherHeader(`nil`, "Idempotency-Key", "Webhook-Id", "X-Gitlab-Event-UUID"),
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "GitLab repeats Webhook-Id and Idempotency-Key, which are the same value, with each try, and signs Webhook-Id only where the webhook has a signing token."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "bitbucket", Title: "Bitbucket Cloud", Category: "git",
		Source:     "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
		Confidence: "docs",
		Notes:      "Bitbucket signs only if the webhook has a secret. It retries twice after a 5xx or a timeout.",
		Definition: Definition{
			Proofs: hubProofs("sha256"),
			Event:  `header("X-Event-Key")`,
			ID:     `header("X-Request-UUID")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Bitbucket names the webhook in X-Request-UUID, which it does not sign."},
			Ranges: atlassianRanges("bitbucket"),
		},
	},
	{
		Name: "bitbucket_server", Title: "Bitbucket Data Center", Category: "git",
		Source:     "https://github.com/go-playground/webhooks",
		Confidence: "secondary",
		Notes:      "Bitbucket does not sign the ping of its test button.",
		Definition: Definition{
			Proofs: hubProofs("sha256"),
			Event:  `body.eventKey ?? header("X-Event-Key")`,
			ID:     `header("X-Request-Id")`,
			Copies: Copies{By: ByIDAndBody, Why: "Bitbucket names the request in X-Request-Id, which it does not sign."},
			Handshakes: []Handshake{{
				Kind: "probe", Method: http.MethodPost, // and not signed
				When: []Condition{is("{header.X-Event-Key}", "diagnostics:ping")},
			}},
		},
	},
	{
		Name: "gitea", Title: "Gitea and Forgejo", Category: "git",
		Source:     "https://github.com/go-playground/webhooks",
		Confidence: "secondary",
		Notes: "Forgejo sends the same headers. A webhook has several signatures; the preset checks X-Gitea-Signature. " +
			"Without a secret it is empty, and the gateway refuses the webhook.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Gitea-Signature}"}}},
			Event:  `header("X-Gitea-Event")`,
			ID:     `header("X-Gitea-Delivery")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Gitea names the delivery in X-Gitea-Delivery, which it does not sign."},
			Masked: []string{"Authorization"},
		},
	},
	{
		Name: "gogs", Title: "Gogs", Category: "git",
		Source:     "https://github.com/go-playground/webhooks",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Gogs-Signature}"}}},
			Event:  `header("X-Gogs-Event")`,
			ID:     `header("X-Gogs-Delivery")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Gogs names the delivery in X-Gogs-Delivery, which it does not sign."},
		},
	},
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
		Name: "npm", Title: "npm hooks", Category: "git",
		Source:     recipes,
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Npm-Signature}", Value: []string{"sha256={signature}"}}}},
			Event:  `body.event`,
			Copies: Copies{By: ByNothing, Why: noID("npm")},
		},
	},
	{
		Name: "travis", Title: "Travis CI", Category: "ci",
		Source:     "https://github.com/travis-ci/webhook-signature-verifier",
		Confidence: "code",
		Notes: "The key stands at https://api.travis-ci.com/config, under config.notifications.webhook.public_key. " +
			"Your app gets the form as it came; its field payload is JSON.",
		Definition: Definition{
			Proofs: []Proof{{RSA: &RSA{Hash: "sha1", Signature: Signature{
				From: "{header.Signature}", Signed: "{form.payload}",
			}}}},
			Forms:  true,
			Event:  `fromJSON(body.payload).state ?? fromJSON(body.payload).status_message`,
			ID:     `string(int(fromJSON(body.payload).id))`,
			Copies: Copies{By: ByIDAndBody, Why: "Travis signs the ID of the build, which several webhooks may share, so the body decides as well."},
		},
		Options: provider.Required(provider.KeyOptions("public_key")),
	},
}

// hubProofs are the signatures that WebSub knows: their header says with which
// hash they are made.
func hubProofs(hashes ...string) (proofs []Proof) {
	for _, hash := range hashes {
		proofs = append(proofs, Proof{HMAC: &HMAC{From: "{header.X-Hub-Signature}", Hash: hash, Value: []string{"{hash}={signature}"}}})
	}
	return proofs
}

// atlassianRanges are the addresses from which a product of Atlassian calls.
func atlassianRanges(product string) *Ranges {
	return &Ranges{
		URL:    "https://ip-ranges.atlassian.com/",
		Format: "json",
		Path:   `items.#(product.#(=="` + product + `"))#|#(direction.#(=="egress"))#.cidr`,
	}
}
