package sdks

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	paddle "github.com/PaddleHQ/paddle-go-sdk/v4"
	"github.com/PagerDuty/go-pagerduty/webhookv3"
	"github.com/bwmarrin/discordgo"
	"github.com/go-playground/webhooks/v6/bitbucket-server"
	"github.com/go-playground/webhooks/v6/gitea"
	"github.com/go-playground/webhooks/v6/gitlab"
	"github.com/go-playground/webhooks/v6/gogs"
	"github.com/google/go-github/v74/github"
	"github.com/line/line-bot-sdk-go/v8/linebot/webhook"
	"github.com/openai/openai-go/v3/option"
	openai "github.com/openai/openai-go/v3/webhooks"
	razorpay "github.com/razorpay/razorpay-go/utils"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	"github.com/slack-go/slack"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripe "github.com/stripe/stripe-go/v82/webhook"
	svix "github.com/svix/svix-webhooks/go"
	twilio "github.com/twilio/twilio-go/client"
)

var errRefused = errors.New("refused")

// ok makes an error of false.
func ok(good bool, err error) error {
	if err == nil && !good {
		return errRefused
	}
	return err
}

// request returns a message as a handler gets it.
func request(ctx context.Context, m *message) *http.Request {
	r, err := http.NewRequestWithContext(ctx, m.Method, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		panic(err) // the URL is the test's own
	}
	r.Header = m.header()
	return r
}

// playground verifies with a package of go-playground/webhooks, whose hooks are of
// one form.
func playground[Event any](hook interface {
	Parse(*http.Request, ...Event) (any, error)
}, newErr error, events ...Event) func(context.Context, *message) error {
	return func(ctx context.Context, m *message) error {
		if newErr != nil {
			return newErr
		}
		_, err := hook.Parse(request(ctx, m), events...)
		return err
	}
}

// goSDKs are the modules of Go.
func goSDKs() []*sdk {
	list := []*sdk{{
		Name: "github.com/stripe/stripe-go", Provider: "stripe", Type: "body.type", ID: "body.id",
		sign: func(_ context.Context, secret string, m *message) error {
			m.set("Stripe-Signature", stripe.GenerateTestSignedPayload(&stripe.UnsignedPayload{Payload: m.Body, Secret: secret}).Header)
			return nil
		},
		verify: func(_ context.Context, secret string, m *message) error {
			_, err := stripe.ConstructEventWithOptions(m.Body, m.get("Stripe-Signature"), secret, stripe.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
			return err
		},
	}, {
		Name: "github.com/svix/svix-webhooks/go", Provider: "svix", Secret: "whsec", Type: "body.type", ID: "header.svix-id",
		sign: func(_ context.Context, secret string, m *message) error {
			wh, err := svix.NewWebhook(secret)
			if err != nil {
				return err
			}
			at := time.Now()
			signature, err := wh.Sign(m.get("Svix-Id"), at, m.Body)
			m.set("Svix-Timestamp", fmt.Sprint(at.Unix()))
			m.set("Svix-Signature", signature)
			return err
		},
		verify: func(_ context.Context, secret string, m *message) error {
			wh, err := svix.NewWebhook(secret)
			if err != nil {
				return err
			}
			return wh.Verify(m.Body, m.header())
		},
	}, {
		Name: "github.com/standard-webhooks/standard-webhooks/libraries", Provider: "standardwebhooks", Secret: "whsec", Type: "body.type", ID: "header.webhook-id",
		sign: func(_ context.Context, secret string, m *message) error {
			wh, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				return err
			}
			at := time.Now()
			signature, err := wh.Sign(m.get("Webhook-Id"), at, m.Body)
			m.set("Webhook-Timestamp", fmt.Sprint(at.Unix()))
			m.set("Webhook-Signature", signature)
			return err
		},
		verify: func(_ context.Context, secret string, m *message) error {
			wh, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				return err
			}
			return wh.Verify(m.Body, m.header())
		},
	}, {
		Name: "github.com/openai/openai-go", Provider: "openai", Secret: "whsec", Type: "body.type", ID: "header.webhook-id",
		verify: func(_ context.Context, secret string, m *message) error {
			client := openai.NewWebhookService(option.WithWebhookSecret(secret))
			_, err := client.Unwrap(m.Body, m.header())
			return err
		},
	}, {
		Name: "github.com/google/go-github", Provider: "github", Others: "Google", Type: "header.x-github-event", ID: "header.x-github-delivery",
		verify: func(ctx context.Context, secret string, m *message) error {
			payload, err := github.ValidatePayload(request(ctx, m), []byte(secret))
			if err != nil {
				return err
			}
			_, err = github.ParseWebHook(m.get("X-GitHub-Event"), payload)
			return err
		},
	}, {
		Name: "github.com/go-playground/webhooks/v6/gitlab", Provider: "gitlab", Others: "go-playground", Type: "header.x-gitlab-event", ID: "header.idempotency-key",
		Tamper: "header.x-gitlab-token", Note: "it knows GitLab's token alone, and the token is changed",
		verify: func(ctx context.Context, secret string, m *message) error {
			hook, err := gitlab.New(gitlab.Options.Secret(secret))
			return playground(hook, err, gitlab.PushEvents)(ctx, m)
		},
	}, {
		Name: "github.com/go-playground/webhooks/v6/gitea", Provider: "gitea", Others: "go-playground", Type: "header.x-gitea-event", ID: "header.x-gitea-delivery",
		verify: func(ctx context.Context, secret string, m *message) error {
			hook, err := gitea.New(gitea.Options.Secret(secret))
			return playground(hook, err, gitea.PushEvent)(ctx, m)
		},
	}, {
		Name: "github.com/go-playground/webhooks/v6/gogs", Provider: "gogs", Others: "go-playground", Type: "header.x-gogs-event", ID: "header.x-gogs-delivery",
		verify: func(ctx context.Context, secret string, m *message) error {
			hook, err := gogs.New(gogs.Options.Secret(secret))
			return playground(hook, err, gogs.PushEvent)(ctx, m)
		},
	}, {
		Name: "github.com/go-playground/webhooks/v6/bitbucket-server", Provider: "bitbucket_server", Others: "go-playground", Type: "header.x-event-key", ID: "header.x-request-id",
		verify: func(ctx context.Context, secret string, m *message) error {
			hook, err := bitbucketserver.New(bitbucketserver.Options.Secret(secret))
			return playground(hook, err, bitbucketserver.RepositoryReferenceChangedEvent)(ctx, m)
		},
	}, {
		Name: "github.com/slack-go/slack", Provider: "slack", Others: "slack-go", Type: "body.event.type", ID: "body.event_id",
		verify: func(_ context.Context, secret string, m *message) error {
			verifier, err := slack.NewSecretsVerifier(m.header(), secret)
			if err != nil {
				return err
			}
			if _, err := verifier.Write(m.Body); err != nil {
				return err
			}
			return verifier.Ensure()
		},
	}, {
		Name: "github.com/line/line-bot-sdk-go", Provider: "line", Type: "body.events.0.type", ID: "body.events.0.webhookEventId",
		verify: func(ctx context.Context, secret string, m *message) error {
			_, err := webhook.ParseRequest(secret, request(ctx, m))
			return err
		},
	}, {
		Name: "github.com/twilio/twilio-go", Provider: "twilio", Type: "form.MessageStatus", ID: "header.i-twilio-idempotency-token",
		verify: func(_ context.Context, secret string, m *message) error {
			form, err := url.ParseQuery(string(m.Body))
			if err != nil {
				return err
			}
			params := make(map[string]string, len(form))
			for name := range form {
				params[name] = form.Get(name)
			}
			validator := twilio.NewRequestValidator(secret)
			return ok(validator.Validate(m.URL, params, m.get("X-Twilio-Signature")), nil)
		},
	}, {
		Name: "github.com/PaddleHQ/paddle-go-sdk", Provider: "paddle", Type: "body.event_type", ID: "body.notification_id",
		verify: func(ctx context.Context, secret string, m *message) error {
			return ok(paddle.NewWebhookVerifier(secret).Verify(request(ctx, m)))
		},
	}, {
		Name: "github.com/PagerDuty/go-pagerduty", Provider: "pagerduty", Type: "body.event.event_type", ID: "body.event.id",
		verify: func(ctx context.Context, secret string, m *message) error {
			return webhookv3.VerifySignature(request(ctx, m), secret)
		},
	}, {
		Name: "github.com/razorpay/razorpay-go", Provider: "razorpay", Type: "body.event", ID: "header.x-razorpay-event-id",
		verify: func(_ context.Context, secret string, m *message) error {
			return ok(razorpay.VerifyWebhookSignature(string(m.Body), m.get("X-Razorpay-Signature"), secret), nil)
		},
	}}
	list = append(list, discordSDK(), sendgridSDK())
	for _, s := range list {
		s.language, s.Signs, s.Verifies = "Go", s.sign != nil, s.verify != nil
	}
	return list
}

func discordSDK() *sdk {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	return &sdk{
		Name: "github.com/bwmarrin/discordgo", Provider: "discord", Others: "bwmarrin", Secret: "none",
		PEM: privatePEM(private, err), Options: []string{"public_key " + hex.EncodeToString(public)}, Type: "body.event.type", ID: "body.id",
		verify: func(ctx context.Context, _ string, m *message) error {
			return ok(discordgo.VerifyInteraction(request(ctx, m), public), nil)
		},
	}
}

func sendgridSDK() *sdk {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	private := privatePEM(key, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err) // never
	}
	public := base64.StdEncoding.EncodeToString(der)
	return &sdk{
		Name: "github.com/sendgrid/sendgrid-go", Provider: "sendgrid", Secret: "none",
		PEM: private, Options: []string{"public_key " + public}, Type: "body.0.event",
		verify: func(_ context.Context, _ string, m *message) error {
			key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(public)
			if err != nil {
				return err
			}
			return ok(eventwebhook.VerifySignature(key, m.Body, m.get("X-Twilio-Email-Event-Webhook-Signature"), m.get("X-Twilio-Email-Event-Webhook-Timestamp")))
		},
	}
}

// privatePEM writes a key that was just made.
func privatePEM(key any, err error) string {
	if err != nil {
		panic(err) // never
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // never
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
