package presets

var presetsCommunication = []Preset{
	{
		Name: "slack", Title: "Slack", Category: "chat",
		Source:     "https://github.com/slackapi/python-slack-sdk",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Slack-Signature}",
				Value:     []string{"v0={signature}"},
				Signed:    []string{"v0:{timestamp}:{body}"},
				Timestamp: &Timestamp{From: "{header.X-Slack-Request-Timestamp}"},
			}}},
			// A click in a message and the like is JSON in a field of a form.
			Event:   `body.event?.type ?? body.type ?? body.command ?? fromJSON(body.payload ?? "{}").type`,
			ID:      `body.event_id ?? body.trigger_id ?? fromJSON(body.payload ?? "{}").trigger_id`,
			Copies:  Copies{By: ByID, Why: "Slack documents event_id, in the signed body, as unique across all workspaces; each command and each interaction has a trigger_id."},
			Forms:   true, // commands and interactions
			Horizon: 6 * minute,
			Handshakes: []Handshake{{
				Kind: "echo", Signed: "present", Challenge: "{json.challenge}", Pattern: `[A-Za-z0-9_.-]{1,256}`,
				When: []Condition{is("{json.type}", "url_verification")},
			}},
		},
		Tolerance: fiveMinutes,
	},
	{
		Name: "telegram", Title: "Telegram Bot API", Category: "chat",
		Source:     "https://core.telegram.org/bots/api#setwebhook",
		Confidence: "secondary",
		Definition: Definition{
			Proofs: []Proof{{Token: &Token{From: "{header.X-Telegram-Bot-Api-Secret-Token}"}}},
			Event:  `filter(keys(body), # != "update_id")[0]`,
			ID:     `string(body.update_id)`,
			Copies: Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Telegram numbers the updates of each bot, so two bots on one source may use the same number, and the fixed token covers nothing."},
			Ranges: &Ranges{List: []string{"149.154.160.0/20", "91.108.4.0/22"}},
		},
	},
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
		Name: "discourse", Title: "Discourse", Category: "community",
		Source:     "https://github.com/discourse/discourse",
		Confidence: "code",
		Notes:      "The secret has at least 12 characters; without one Discourse does not sign. It retries four times, where that is switched on.",
		Definition: Definition{
			Proofs:  []Proof{{HMAC: &HMAC{From: "{header.X-Discourse-Event-Signature}", Value: []string{"sha256={signature}"}}}},
			Event:   `header("X-Discourse-Event")`,
			ID:      `header("X-Discourse-Event-Id")`,
			Copies:  Copies{By: ByIDAndBody, WithoutID: ByNothing, Why: "Discourse numbers what it sends in X-Discourse-Event-Id, which it does not sign."},
			Horizon: 156 * minute, // after 1, 5, 25 and 125 minutes
		},
	},
	{
		Name: "zoom", Title: "Zoom", Category: "meetings",
		Source:     "https://github.com/zoom/webhook-sample",
		Confidence: "code",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From:      "{header.X-Zm-Signature}",
				Value:     []string{"v0={signature}"},
				Signed:    []string{"v0:{timestamp}:{body}"},
				Timestamp: &Timestamp{From: "{header.X-Zm-Request-Timestamp}"},
			}}},
			Event:   `body.event`,
			Copies:  Copies{By: ByBody, Why: "Zoom sends no ID; event_ts, to the millisecond, with the meeting and its state, makes each body unique."},
			Horizon: 125 * minute,
			Handshakes: []Handshake{{
				Kind: "hmac", Signed: "always", Challenge: "{json.payload.plainToken}", Pattern: `[A-Za-z0-9_-]{1,256}`,
				When: []Condition{is("{json.event}", "endpoint.url_validation")},
				JSON: `{"plainToken":"{challenge}","encryptedToken":"{digest}"}`,
			}},
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
		Name: "mailgun", Title: "Mailgun", Category: "email",
		Source:     "https://github.com/mailgun/mailgun-go",
		Confidence: "code",
		Notes:      "Mailgun signs only a time and a random token, neither the event nor the message.",
		Definition: Definition{
			Proofs: []Proof{
				{HMAC: &HMAC{
					From:      "{json.signature.signature}",
					Signed:    []string{"{timestamp}{json.signature.token}"},
					Timestamp: &Timestamp{From: "{json.signature.timestamp}"},
				}},
				{HMAC: &HMAC{
					From:      "{form.signature}",
					Signed:    []string{"{timestamp}{form.token}"},
					Timestamp: &Timestamp{From: "{form.timestamp}"},
				}},
			},
			Need:    NeedFirst,
			MaxBody: 10 << 20, // mail that a route posts, with what is attached, is signed in the same way
			Event:   `body["event-data"]?.event ?? body.event`,
			ID:      `body["event-data"]?.id`, // Message-Id is the mail's
			Copies:  Copies{By: ByIDAndBody, Volatile: []string{"{json.signature.token}", "{json.signature.timestamp}", "{json.signature.signature}"}, Why: "Mailgun gives each event an ID but signs only a time and a token; the object signature, which a try may renew, is not compared."},
			Horizon: 8 * hour,
		},
	},
	{
		Name: "meta", Title: "Meta", Category: "social",
		Source:     "https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
		Confidence: "secondary",
		Notes:      "One webhook may carry several entries, each with several changes: rules see all of them. The secret is the app secret. Facebook, Instagram, Messenger and WhatsApp all send in this way.",
		Definition: Definition{
			Proofs: []Proof{{HMAC: &HMAC{
				From: "{header.X-Hub-Signature-256}", Value: []string{"sha256={signature}"},
				Signed: []string{"{body}", "{body|ascii}"}, // Meta signs the text with escapes
			}}},
			Event: `body.object`,
			// An entry has changes, or messages of Messenger.
			Each:   &Each{List: `body.entry`, Event: `body.changes != nil ? (` + ofAll(`body.changes`, `body.field`) + `) : body.messaging != nil ? "messaging" : nil`},
			Copies: Copies{By: ByBody, Why: "Meta sends no ID; time, and the IDs of messages and changes, make each body unique."},
			Handshakes: []Handshake{{
				Kind: "echo", Challenge: "{query.hub.challenge}", Pattern: `[A-Za-z0-9_.-]{1,256}`,
				When:   []Condition{is("{query.hub.mode}", "subscribe")},
				Expect: []Condition{is("{query.hub.verify_token}", "{option.verify_token}")},
			}},
		},
		Options: []Option{verifyToken},
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
