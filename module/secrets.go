package module

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/mask"
)

// Mask hides the secrets of all sources in a text: those of the configuration, and
// those that providers delivered.
func (a *App) Mask(text string) string { return a.secrets.mask().Text(text) }

// secretKeeper knows the secrets of all sources of a configuration.
type secretKeeper struct {
	made atomic.Pointer[mask.Mask] // nil: to be made anew

	mu      sync.Mutex
	sources []*Handler
}

// add adds a source.
func (k *secretKeeper) add(h *Handler) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sources = append(k.sources, h)
	k.made.Store(nil)
}

// forget says that a source has another secret.
func (k *secretKeeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.made.Store(nil)
}

// mask returns the mask of all secrets as they are now.
func (k *secretKeeper) mask() *mask.Mask {
	if known := k.made.Load(); known != nil {
		return known
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var secrets []string
	var tenants []*mask.Mask
	for _, source := range k.sources {
		secrets = append(secrets, source.knownSecrets()...)
		if source.tenants != nil {
			tenants = append(tenants, source.tenants.known.Load().mask)
		}
	}
	known := mask.New(secrets).And(tenants...)
	k.made.Store(known)
	return known
}

// knownSecrets returns the secrets of the source, but for those of its tenants.
func (h *Handler) knownSecrets() []string {
	secrets := slices.Clone(h.secrets)
	for _, route := range h.Routes {
		if route.Sign != nil {
			secrets = appendResolved(secrets, route.Sign.Secret)
		}
	}
	return append(secrets, h.enrollment.all()...)
}

// Mask hides the secrets of the source in a text.
func (h *Handler) Mask(text string) string { return mask.New(h.knownSecrets()).Text(text) }

// GivesAway reports whether a text has a secret of the source, or of one of its tenants,
// in it.
func (h *Handler) GivesAway(text, tenant string) bool {
	secrets := h.knownSecrets()
	if tenant != "" {
		secrets = append(secrets, h.secretsOf(tenant)...)
	}
	return mask.New(secrets).Shows(text)
}

// secretName is how the fields of a provider's configuration are named that hold
// secrets. The object named token holds them in its field secrets.
var secretName = regexp.MustCompile(`secret|password|api_key|_token$`)

// plainName is how fields are named that hold no secret even where a placeholder
// stands for their value.
var plainName = regexp.MustCompile(`^name$|url$|^public_keys?$|^certificates?$|_id$|_env$|^app_key$|^endpoint$|^header$|^region$|^secret_prefix$`)

// secretsIn returns the secrets in a provider's configuration: the values of fields
// that are named so, and those that placeholders stand for.
func secretsIn(config json.RawMessage) (secrets []string) {
	var tree any
	if json.Unmarshal(config, &tree) != nil {
		return nil // the configuration does not load either
	}
	collectSecrets(tree, "", func(text string) { secrets = appendResolved(secrets, text) })
	return secrets
}

func collectSecrets(node any, name string, found func(string)) {
	switch value := node.(type) {
	case string:
		if !plainName.MatchString(name) && (secretName.MatchString(name) || placeholder.MatchString(value)) {
			found(value)
		}
	case []any:
		for _, element := range value {
			collectSecrets(element, name, found)
		}
	case map[string]any:
		for field, element := range value {
			collectSecrets(element, field, found)
		}
	}
}

// placeholder matches the placeholders that secrets are read from.
var placeholder = regexp.MustCompile(`\{(env|file)\.[^{}]+\}`)

// appendResolved appends a secret with its placeholders resolved. A secret that
// does not load is left out.
func appendResolved(secrets []string, text string) []string {
	value, err := caddy.NewReplacer().ReplaceOrErr(text, true, false)
	if err != nil || strings.TrimSpace(value) == "" {
		return secrets
	}
	return append(secrets, value)
}
