package module

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/durable"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// provisionEnrollment loads the secrets that the provider delivered.
func (h *Handler) provisionEnrollment() error {
	enroller, ok := h.provider.(provider.Enroller)
	if !ok || !enroller.Enrolls() {
		return nil
	}
	path := h.deliveredPath()
	shared, _, err := enrollments.LoadOrNew(path, func() (caddy.Destructor, error) {
		return &enrollment{path: path, users: make(map[provider.Enroller]struct{})}, nil
	})
	if err != nil {
		return err
	}
	h.enrollment = shared.(*enrollment)
	if h.tenants == nil { // else secretsOf asks for those of a tenant
		h.enroller = enroller
	}
	return h.enrollment.attach(h.enroller)
}

func (h *Handler) cleanupEnrollment() error {
	if h.enrollment == nil {
		return nil
	}
	h.enrollment.detach(h.enroller)
	_, err := enrollments.Delete(h.enrollment.path)
	return err
}

// enroll keeps a secret that a handshake delivered.
func (h *Handler) enroll(hook *webhook, secret string) error {
	if h.enrollment == nil {
		return refusedEnrollment
	}
	sender := clientIP(hook.Request)
	isNew, err := h.enrollment.accept(deliveredSecret{secret, hook.received.UTC(), sender, hook.tenant})
	if isNew {
		h.app.secrets.forget()
		h.logger.Info("a secret was delivered and is in use, and the enrollment is closed; to drop the secret: caddy webhook enroll "+
			h.Source+" --forget <fingerprint>", zap.String("source", h.Source), zap.String("tenant", hook.tenant), zap.String("fingerprint", fingerprint(secret)),
			zap.String("client_ip", sender))
	}
	return err
}

// deliveredPath returns the path of the file with the secrets that handshakes delivered.
func (h *Handler) deliveredPath() string {
	return filepath.Join(h.app.dir(), "secrets", h.Source+".json")
}

// Enrolls reports whether the provider of the source delivers its secret by a
// handshake.
func (h *Handler) Enrolls() bool { return h.enrollment != nil }

// OpenEnrollment has the source accept one secret by handshake until a time, from a tenant
// if the source has tenants. It returns the secrets that there are, and their file. The
// source must be one that enrolls.
func (h *Handler) OpenEnrollment(tenant string, until time.Time) (secrets []DeliveredSecret, file string) {
	return h.enrollment.open(tenant, until), h.enrollment.path
}

// Enrollment returns until when the source accepts a secret by handshake, the
// secrets that there are, and their file. The source must be one that enrolls.
func (h *Handler) Enrollment() (until time.Time, secrets []DeliveredSecret, file string) {
	h.enrollment.mu.Lock()
	defer h.enrollment.mu.Unlock()
	return h.enrollment.until, h.enrollment.delivered(), h.enrollment.path
}

// ForgetSecret removes the delivered secret with a fingerprint, and reports whether
// there was one. The source must be one that enrolls.
func (h *Handler) ForgetSecret(fingerprint string) (found bool, err error) {
	defer h.app.secrets.forget()
	return h.enrollment.forget(fingerprint)
}

// DeliveredSecret tells a delivered secret from others, without telling the secret.
type DeliveredSecret struct {
	Fingerprint string    `json:"fingerprint"` // the first digits of its SHA-256
	Tenant      string    `json:"tenant,omitempty"`
	From        string    `json:"from,omitempty"` // the client's address
	Since       time.Time `json:"since"`
}

// fingerprint returns a few digits of a secret's hash.
func fingerprint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:6])
}

// enrollment keeps the secrets that handshakes delivered to one source, in a
// file of its own. The configurations that have the source share it.
type enrollment struct {
	path string

	mu      sync.Mutex
	until   time.Time // while secrets are accepted
	tenant  string    // whose secrets are
	secrets []deliveredSecret
	users   map[provider.Enroller]struct{}

	tenants atomic.Pointer[map[string][]string] // secrets by tenant
}

// deliveredSecret is a secret as it lies on disk.
type deliveredSecret struct {
	Secret string    `json:"secret"`
	Since  time.Time `json:"since"`
	From   string    `json:"from,omitempty"` // the client's address
	Tenant string    `json:"tenant,omitempty"`
}

// maxDelivered is how many secrets a source, or a tenant, takes by handshake. Each costs time
// with every webhook.
const maxDelivered = 100

var (
	refusedEnrollment = &refusal{status: 401, outcome: "unverified",
		detail: "it delivers a secret, and no enrollment is open; see: caddy webhook enroll"}
	refusedFull = &refusal{status: 401, outcome: "unverified",
		detail: "it delivers a secret, and there are too many already; remove some with: caddy webhook enroll <source> --forget <fingerprint>"}
)

// enrollments holds one enrollment for each file.
var enrollments = caddy.NewUsagePool()

// Destruct implements caddy.Destructor.
func (e *enrollment) Destruct() error { return nil }

// attach reads the secrets from the file, from which an operator may have removed
// some, and gives them to a provider. The provider also gets the secrets that come
// later.
func (e *enrollment) attach(p provider.Enroller) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.read(); err != nil {
		return err
	}
	e.sort()
	if p == nil {
		return nil
	}
	e.users[p] = struct{}{}
	return p.Enroll(e.of(""))
}

func (e *enrollment) detach(p provider.Enroller) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.users, p)
}

// open accepts one secret of a tenant until some time, and returns those that there are.
func (e *enrollment) open(tenant string, until time.Time) []DeliveredSecret {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.until, e.tenant = until, tenant
	return e.delivered()
}

func (e *enrollment) delivered() []DeliveredSecret {
	list := make([]DeliveredSecret, len(e.secrets))
	for i, s := range e.secrets {
		list[i] = DeliveredSecret{fingerprint(s.Secret), s.Tenant, s.From, s.Since}
	}
	return list
}

// accept keeps a secret, closes the enrollment, and reports whether the secret is new.
// A known secret is accepted at any time, since the provider may repeat its handshake.
func (e *enrollment) accept(s deliveredSecret) (isNew bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := e.of(s.Tenant)
	switch {
	case has(known, s.Secret):
		return false, nil
	case !s.Since.Before(e.until) || s.Tenant != e.tenant:
		return false, refusedEnrollment
	case len(known) >= maxDelivered:
		return false, refusedFull
	}
	if err := e.keep(append(slices.Clone(e.secrets), s)); err != nil {
		return false, err
	}
	e.until = time.Time{} // a second one would be a stranger's
	return true, e.use()
}

// forget removes the secret with a fingerprint.
func (e *enrollment) forget(print string) (found bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(e.secrets), func(s deliveredSecret) bool { return fingerprint(s.Secret) == print })
	if len(left) == len(e.secrets) {
		return false, nil
	}
	if err := e.keep(left); err != nil {
		return true, err
	}
	return true, e.use()
}

// keep writes secrets to the file, in place of those that are there.
func (e *enrollment) keep(secrets []deliveredSecret) error {
	if err := writeSecrets(e.path, secrets); err != nil {
		return fmt.Errorf("keeping delivered secrets: %w", err)
	}
	e.secrets = secrets
	return nil
}

// use gives the secrets to the providers.
func (e *enrollment) use() error {
	e.sort()
	for p := range e.users {
		if err := p.Enroll(e.of("")); err != nil {
			return fmt.Errorf("using delivered secrets: %w", err)
		}
	}
	return nil
}

// sort sorts the secrets by tenant.
func (e *enrollment) sort() {
	tenants := make(map[string][]string)
	for _, s := range e.secrets {
		tenants[s.Tenant] = append(tenants[s.Tenant], s.Secret)
	}
	e.tenants.Store(&tenants)
}

// of returns the secrets of a tenant, or those that are no tenant's.
func (e *enrollment) of(tenant string) []string {
	if e == nil {
		return nil
	}
	return (*e.tenants.Load())[tenant]
}

// count returns how many secrets there are.
func (e *enrollment) count() int {
	if e == nil {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.secrets)
}

// all returns the secrets.
func (e *enrollment) all() []string {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.texts()
}

func has(secrets []string, secret string) bool {
	same := 0
	for _, s := range secrets {
		same |= subtle.ConstantTimeCompare([]byte(s), []byte(secret))
	}
	return same == 1
}

func (e *enrollment) texts() []string {
	var texts []string
	for _, s := range e.secrets {
		texts = append(texts, s.Secret)
	}
	return texts
}

func (e *enrollment) read() error {
	content, err := os.ReadFile(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		e.secrets = nil
		return nil
	}
	var secrets []deliveredSecret
	if err == nil && json.Unmarshal(content, &secrets) != nil {
		err = fmt.Errorf("%s is damaged", e.path) // the decoder's own error may quote it
	}
	if err != nil {
		return fmt.Errorf("reading delivered secrets: %w", err)
	}
	e.secrets = slices.DeleteFunc(secrets, func(s deliveredSecret) bool { return s.Secret == "" })
	return nil
}

func writeSecrets(path string, secrets []deliveredSecret) error {
	content, err := json.MarshalIndent(secrets, "", "\t")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(content, '\n'))
}
