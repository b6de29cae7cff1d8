package provider

var presetsGeneric = []Preset{
	{
		Name: "standardwebhooks", Title: "Standard Webhooks", Category: "standard",
		Source:     "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
		Confidence: "code",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: standardHMAC("Webhook-")}},
			Event:   `body.type`,
			ID:      `header("Webhook-Id")`,
			Horizon: 72 * hour,
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "hook0", Title: "Hook0", Category: "standard",
		Source:     "https://github.com/hook0/hook0",
		Confidence: "code",
		Definition: Definition{
			Proofs: hook0Proofs(),
			Need:   needFirst,
			Event:  `header("X-Event-Type")`,
			ID:     `header("X-Event-Id")`,
		},
		Tolerance: fiveMinutes,
	},
}

// standardHMAC is the signature of Standard Webhooks, whose headers begin with
// a prefix.
func standardHMAC(prefix string) *HMAC {
	return &HMAC{
		Header:    prefix + "Signature",
		Value:     []string{"v1,{signature}"},
		Encoding:  "base64",
		Signed:    []string{"{header." + prefix + "Id}.{timestamp}.{body}"},
		Key:       "base64",
		Timestamp: &Timestamp{Header: prefix + "Timestamp"},
	}
}

// hook0Proofs are the versions of Hook0's signature: v1, which covers headers as
// well, and v0.
func hook0Proofs() []Proof {
	return []Proof{
		{HMAC: &HMAC{
			Header: "X-Hook0-Signature",
			Value:  []string{"t={timestamp},h={value.h},v1={signature}"},
			Signed: []string{"{timestamp}.{value.h}.{value.h|headers .}.{body}"},
		}},
		{HMAC: &HMAC{
			Header: "X-Hook0-Signature",
			Value:  []string{"t={timestamp},v0={signature}"},
			Signed: []string{"{timestamp}.{body}"},
		}},
	}
}
