package presets

import (
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// presetsCommunication send messages and place calls.
var presetsCommunication = []Preset{
	{
		Name: "podium", Title: "Podium", Category: "communications",
		Source:     "https://docs.podium.com/docs/verifying-webhook-signatures",
		Confidence: "docs",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.Podium-Signature}",
				Signed:    []string{"{timestamp}.{body}"},
				Timestamp: &Timestamp{From: "{header.Podium-Timestamp}", Unit: "unix_ms"},
			}}},
			Event:   `body.metadata.event_type`,
			Copies:  Copies{By: ByBody, Why: "Podium documents no ID of the event; the object's ID and its time make each body unique."},
			Horizon: 8 * hour,
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "twilio", Title: "Twilio", Category: "communications",
		Source:     "https://github.com/twilio/twilio-go",
		Confidence: "code",
		Notes:      "Twilio signs the URL that you configured there: behind a proxy, set external_url.",
		Definition: Definition{
			Proofs: []Proof{
				{
					HMAC: twilioHMAC("{form|sort|unique|concat}"),
					When: []Condition{is("{header.Content-Type|type}", "application/x-www-form-urlencoded")},
				},
				{HMAC: twilioHMAC(""), When: []Condition{is("{body}", "")}},
				{HMAC: twilioHMAC(""), When: []Condition{is("{query.bodySHA256|lower}", "{body|sha256|hex}")}},
			},
			Need:    NeedFirst,
			Event:   parameter("EventType", "SmsStatus", "MessageStatus", "CallStatus"),
			ID:      eitherHeader(parameter("MessageSid", "CallSid"), "I-Twilio-Idempotency-Token"),
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Twilio documents I-Twilio-Idempotency-Token for detecting duplicates, but does not sign it; MessageSid and CallSid name the object."},
			Methods: []string{"POST", "GET"},
			Answer:  &Answer{Body: "<Response/>", ContentType: "text/xml"}, // TwiML: do nothing
		},
	},
	{
		Name: "telnyx", Title: "Telnyx", Category: "communications",
		Source:     "https://github.com/team-telnyx/telnyx-node",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{Ed25519: &Ed25519{Signature: Signature{
				From:      "{header.Telnyx-Signature-Ed25519}",
				Signed:    "{timestamp}|{body}",
				Timestamp: &Timestamp{From: "{header.Telnyx-Timestamp}"},
			}}}},
			Event:  `body.data.event_type`,
			ID:     `body.data.id`,
			Copies: Copies{By: ByID, Volatile: []string{"{json.meta.attempt}", "{json.meta.delivered_to}"}, Why: "Telnyx documents data.id, in the signed body, as unique to the event and meant for detecting duplicates, and changes meta with each try."},
		},
		Tolerance: fiveMinutes,
		Options:   provider.Required(provider.KeyOptions("public_key")),
	},
	{
		Name: "vonage", Title: "Vonage", Category: "communications",
		Source:     "https://github.com/Vonage/vonage-node-sdk",
		Confidence: "docs",
		Notes:      "By GET, the token covers nothing of the parameters: have Vonage call by POST where you can.",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.Authorization}", Algorithms: []string{"HS256"}, Issuer: "Vonage",
				BodyHash: "payload_hash", HashOptional: true,
			}}},
			Event:   parameter("status", "message_type"),
			Copies:  Copies{By: ByBody, Why: "Vonage sends no ID in the body; timestamp, with message or call and state, makes each body unique."},
			Methods: []string{"POST", "GET"},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "messagebird", Title: "Bird (MessageBird)", Category: "communications",
		Source:     "https://github.com/messagebird/go-rest-api",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{JWT: &JWT{
				From: "{header.MessageBird-Signature-JWT}", Algorithms: []string{"HS256", "HS384", "HS512"}, Issuer: "MessageBird",
				BodyHash: "payload_hash", HashOptional: true, URLHash: "url_hash",
			}}},
			Event:   parameter("type", "status"),
			ID:      statusID,
			Copies:  Copies{By: ByIDAndBody, Why: "Bird sends no ID of the event; message, state and time of a status report make one, and each body unique."},
			Methods: []string{"GET", "POST"},
		},
		Tolerance: time.Second,
	},
	{
		Name: "pusher", Title: "Pusher Channels", Category: "realtime",
		Source:     "https://github.com/pusher/pusher-http-go",
		Confidence: "code",
		Notes:      "The secret is the one of the app key. One webhook may carry several events; the event type is the one that they all have, else batch.",
		Definition: Definition{
			Proofs: []Proof{{
				HMAC: &HMAC{From: "{header.X-Pusher-Signature}"},
				When: []Condition{is("{header.X-Pusher-Key}", "{option.app_key}")},
			}},
			Event:   ofAll(`body.events`, `body.name`),
			Each:    &Each{List: `body.events`, Event: `body.name`},
			Copies:  Copies{By: ByBody, Why: "Pusher sends no ID; time_ms makes each body unique."},
			Horizon: 5 * minute,
		},
		Options: []Option{{Name: "app_key", Help: "The app key, which webhooks name.", Required: true}},
	},
	{
		Name: "ably", Title: "Ably", Category: "realtime",
		Source:     "https://ably.com/docs/platform/integrations/webhooks",
		Confidence: "docs",
		Notes: "Choose batched requests and a key to sign with: Ably signs no others. The secret is the part of that key behind the colon. " +
			"The event type is the one that all events in the batch have, else batch; a batch in MessagePack has none.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-Ably-Signature}", Encoding: "base64"}}},
			Event:   ofAll(`body.items`, `body.source`),
			Each:    &Each{List: `body.items`, Event: `body.source`},
			Copies:  Copies{By: ByBody, Why: "Ably sends no ID of the batch; serial and timestamp of its events make each body unique. A batch that Ably cuts anew when it retries is another event."},
			Horizon: 5 * minute,
		},
	},
	{
		Name: "getstream", Title: "Stream (GetStream)", Category: "communications",
		Source:     "https://github.com/GetStream/stream-chat-js",
		Confidence: "code",
		Notes: "The secret is the API secret of the app. Stream signs the uncompressed body, also where it compresses webhooks; your app gets the bytes as they came. " +
			"It waits six seconds for the answer.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{From: "{header.X-Signature}", Signed: []string{"{body|gunzip}"}}}},
			Event:  `body.type`,
			ID:     `header("X-Webhook-Id")`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Stream names the webhook in X-Webhook-Id, which it does not sign."},
		},
	},
	{
		Name: "knock", Title: "Knock", Category: "communications",
		Source:     "https://github.com/webhook-co/webhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Knock-Signature}",
				Value:     []string{"t={timestamp},s={signature}"},
				Encoding:  "base64",
				Signed:    []string{"{timestamp}.{body}"},
				Timestamp: &Timestamp{Unit: "unix_ms"},
			}}},
			Event:  `body.type`,
			Copies: Copies{By: ByNothing, Why: "No ID of the event is known, and nobody says that the bodies of two events always differ."},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "plivo", Title: "Plivo", Category: "communications",
		Source:     "https://github.com/plivo/plivo-go",
		Confidence: "code",
		Notes:      "Plivo signs the URL that it calls: behind a proxy, set external_url. The secret is the auth token. Signatures V2 (which cover no parameter) and V1 count only with the line legacy.",
		Definition: Definition{
			Proofs: []Proof{
				plivoQuery("X-Plivo-Signature-V3", is("{method}", "GET")),
				plivoQuery("X-Plivo-Signature-V3", is("{body}", "")),
				plivoForm("X-Plivo-Signature-V3"),
				plivoQuery("X-Plivo-Signature-Ma-V3", is("{method}", "GET")),
				plivoQuery("X-Plivo-Signature-Ma-V3", is("{body}", "")),
				plivoForm("X-Plivo-Signature-Ma-V3"),
				{
					HMAC: &HMAC{
						From: "{header.X-Plivo-Signature-V2}", Encoding: "base64",
						Signed: []string{"{url|no_query}{header.X-Plivo-Signature-V2-Nonce}", "{url|no_query|no_slash}{header.X-Plivo-Signature-V2-Nonce}"},
					},
					Legacy:   true, // covers no parameter
					Identity: Identity{ID: plivoID(`header("X-Plivo-Signature-V2-Nonce")`)},
				},
				{
					HMAC: &HMAC{
						From: "{header.X-Plivo-Signature}", Hash: "sha1", Encoding: "base64",
						Signed: []string{"{url}{body|sort|concat}"},
					},
					Legacy:   true, // is the same each time
					Identity: Identity{ID: plivoID(`nil`)},
				},
			},
			Need:    NeedFirst,
			Forms:   true,
			Event:   parameter("Event", "CallStatus", "Status"),
			ID:      plivoID(`header("X-Plivo-Signature-V3-Nonce")`),
			Copies:  Copies{By: ByIDAndBody, Why: "Plivo sends no ID of the event: the ID of a message together with its state stands in, and the signed nonce of a call's request."},
			Methods: []string{"POST", "GET"},
		},
	},
	{
		Name: "messagebird_legacy", Title: "MessageBird (legacy signature)", Category: "communications",
		Source:     "https://github.com/messagebird/go-rest-api",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From: "{header.MessageBird-Signature}", Encoding: "base64",
				Signed:    []string{"{timestamp}\n{query|sort}\n{body|sha256}"},
				Timestamp: &Timestamp{From: "{header.MessageBird-Request-Timestamp}"},
			}}},
			Event:   parameter("type", "status"),
			ID:      statusID,
			Copies:  Copies{By: ByIDAndBody, Why: "MessageBird sends no ID of the event; message, state and time of a status report make one, and each body unique."},
			Methods: []string{"GET", "POST"},
		},
		Tolerance: 2500 * time.Millisecond,
	},
	{
		Name: "sinch", Title: "Sinch Conversation", Category: "communications",
		Source:     "https://github.com/sinch/sinch-sdk-node",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From: "{header.X-Sinch-Webhook-Signature}", Encoding: "base64",
				Signed:    []string{"{body}.{header.X-Sinch-Webhook-Signature-Nonce}.{timestamp}"},
				Timestamp: &Timestamp{From: "{header.X-Sinch-Webhook-Signature-Timestamp}"},
			}}},
			Event:  `filter(keys(body), !(# in ["app_id", "project_id", "accepted_time", "event_time", "message_metadata", "correlation_id"]))[0]`,
			Copies: Copies{By: ByBody, Why: "Sinch sends no ID of the event; accepted_time, with message and state, makes each body unique."},
		},
	},
	{
		Name: "sinch_voice", Title: "Sinch Voice and Verification", Category: "communications",
		Source:     "https://github.com/sinch/sinch-sdk-node",
		Confidence: "code",
		Notes:      "Sinch signs path and Content-Type: a proxy in front must change neither, or set external_url.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				// The second form is that of version 2.0 of the Voice API.
				From: "{header.Authorization}", Value: []string{
					"Application {option.app_key}:{signature}", "application {option.app_key}:{signature}", "service {option.app_key}:{signature}",
				},
				Key: "{secret|unbase64}", Encoding: "base64",
				Signed: []string{"{method}\n{body|md5|base64}\n{header.Content-Type}\nx-timestamp:{header.X-Timestamp}\n{path}"},
			}}},
			Event:  `body.event ?? header("Ce-Type")`,
			Copies: Copies{By: ByBody, Why: "Sinch sends no ID of the event; call, event and timestamp make each body unique."},
			Masked: []string{"Authorization"},
		},
		Options: []Option{
			{Name: "app_key", Required: true, Help: "The key of the application, or the ID of the service (Voice 2.0), which stands before the signature."},
		},
	},
}

// twilioHMAC signs the URL, with what follows it. Twilio's own libraries try it
// as it is, without port, and with the standard port, and the query also as Node.js
// escapes it.
func twilioHMAC(more string) *HMAC {
	return &HMAC{
		Hash:     "sha1",
		From:     "{header.X-Twilio-Signature}",
		Encoding: "base64",
		Signed: []string{
			"{url}" + more, "{url|no_port}" + more, "{url|port}" + more,
			"{url|no_port|requery}" + more, "{url|port|requery}" + more,
		},
	}
}

// statusID is the ID of MessageBird's reports on the state of a message; nil for its other
// webhooks.
const statusID = `let m = type(body) != "map" ? query : type(body.message) == "map" ? body.message : body; ` +
	`let at = m["statusDatetime"] ?? m["updatedDatetime"] ?? ""; ` +
	`at != "" ? m["id"] + "." + m["status"] + "." + at : nil`

// plivoID is the ID of a message, or else what tells a request about a call.
func plivoID(request string) string {
	return parameter("MessageUUID") + ` ?? (` + request + `)`
}

// plivoQuery signs the URL with the parameters of its query, for requests that have no
// others. The header for the master account is made with its auth token.
func plivoQuery(header string, when Condition) Proof {
	return Proof{HMAC: plivoHMAC(header, "{query|sort|decoded|wrap ?}"), When: []Condition{when}}
}

// plivoForm signs the parameters of a form as well.
func plivoForm(header string) Proof {
	return Proof{HMAC: plivoHMAC(header, "?{query|sort|decoded|then .}{body|sort|concat}"), When: []Condition{is("{method}", "POST")}}
}

// plivoHMAC signs the URL, which may have been given to Plivo without the slash that
// every request has, and parameters.
func plivoHMAC(header, params string) *HMAC {
	params += ".{header.X-Plivo-Signature-V3-Nonce}"
	return &HMAC{
		From: "{header." + header + "}", Encoding: "base64",
		Signed: []string{"{url|no_query}" + params, "{url|no_query|no_slash}" + params},
	}
}
