package presets

import (
	_ "embed"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsTokens are the providers that sign with a JWS.
var presetsTokens = []Preset{
	{
		Name: "truelayer", Title: "TrueLayer", Category: "banking",
		Source:     "https://github.com/TrueLayer/truelayer-signing",
		Confidence: "code",
		Notes: "Write keys_url https://webhooks.truelayer.com/.well-known/jwks, or the address of the sandbox's keys; the address in the signature (jku) does not count. " +
			"TrueLayer signs the path that it calls: behind a proxy, set external_url. " +
			"The time in X-TL-Webhook-Timestamp is signed where the signature lists it, and the gateway does not check how old it is.",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.Tl-Signature}", Algorithms: []string{"ES512"},
				Detached: "{method} {path}\n{value.tl_headers|header_lines}{body}",
			}}},
			Event:   `body.event_type`,
			ID:      `body.event_id`,
			Copies:  Copies{By: ByIDAndBody, Why: "TrueLayer gives each event an ID in the signed body; it is not confirmed that retries repeat it."},
			Horizon: 72 * hour,
		},
		Options: provider.KeyOptions("public_key", "keys_url"),
	},
	{
		Name: "apple_app_store", Title: "Apple App Store", Category: "commerce",
		Source:     "https://github.com/apple/app-store-server-library-node",
		Confidence: "code",
		Notes: "This preset is for version 2 of the server notifications. The certificates in the notification must lead to Apple Root CA - G3, which the preset has. " +
			"Apple signs the notifications of all apps alike: name yours with bundle_id. " +
			"What there is to route on is inside the signed text, in base64url.",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{json.signedPayload}", Algorithms: []string{"ES256"}, Issued: "signedDate",
				X5C: &X5C{
					Root: appleRoot,
					OIDs: []string{"1.2.840.113635.100.6.11.1", "1.2.840.113635.100.6.2.1"},
				},
				Claims: []Claim{{
					Of: []string{"data.bundleId", "summary.bundleId", "externalPurchaseToken.bundleId"},
					Is: []string{"{option.bundle_id}"},
				}},
			}}},
			MaxBody: 1 << 20, // guessed: a notification, with its certificates
			Event:   `let said = ` + appleSaid + `; (said.subtype ?? "") == "" ? said.notificationType : said.notificationType + "." + said.subtype`,
			ID:      appleSaid + `.notificationUUID`,
			Copies: Copies{
				By: ByID, WithoutID: ByNothing,
				Why: "Apple signs notificationUUID and documents it as what tells a notification that is sent again.",
			},
			Horizon: (1 + 12 + 24 + 48 + 72) * hour,
		},
		Options: append(provider.KeyOptions("certificate"), Option{
			Name: "bundle_id", Several: true,
			Help: "The bundle IDs of the apps whose notifications are accepted. Required, unless the source says insecure_unverified: then those of anybody's apps are.",
		}),
	},
}

// appleRoot is Apple Root CA - G3, of
// https://www.apple.com/certificateauthority/AppleRootCA-G3.cer, with the SHA-256
// 63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179.
//
//go:embed apple_root_g3.pem
var appleRoot string

// appleSaid is the expression of what a notification says: fromBase64 knows neither
// the letters of base64url nor an end without padding.
const appleSaid = `fromJSON(fromBase64(replace(replace(split(body.signedPayload, ".")[1], "-", "+"), "_", "/") + ["", "", "==", "="][len(split(body.signedPayload, ".")[1]) % 4]))`
