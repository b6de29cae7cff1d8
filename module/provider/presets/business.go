package presets

import (
	"time"
)

var presetsBusiness = []Preset{
	{
		Name: "box", Title: "Box", Category: "storage",
		Source:     "https://github.com/box/box-node-sdk",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: boxHMAC("Primary"), When: boxVersion},
				{HMAC: boxHMAC("Secondary"), When: boxVersion, Secrets: []string{"{option.secret_secondary}"}},
			},
			Need:    NeedAny,
			Event:   `body.trigger`,
			ID:      `body.id`, // Box-Delivery-Id changes with each try
			Copies:  Copies{By: ByID, Why: "Box documents id, in the signed body, as the same for all tries, while Box-Delivery-Id changes with each."},
			Horizon: 2 * hour,
		},
		Tolerance: 10 * time.Minute,
		Options: []Option{
			{Name: "secret_secondary", Help: "The secondary signature key, which has its own header."},
		},
	},
}

var boxVersion = []Condition{
	is("{header.Box-Signature-Algorithm}", "HmacSHA256"),
	is("{header.Box-Signature-Version}", "1"),
}

func boxHMAC(key string) *HMAC {
	return &HMAC{
		From:      "{header.Box-Signature-" + key + "}",
		Encoding:  "base64",
		Signed:    []string{"{body}{timestamp}"},
		Timestamp: &Timestamp{From: "{header.Box-Delivery-Timestamp}", Unit: "rfc3339"},
	}
}
