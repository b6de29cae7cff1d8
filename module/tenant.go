package module

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/mask"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// tenants are the tenants of a source. All handlers of the source share them.
type tenants struct {
	provider provider.Tenanted
	value    *rules.Value // finds the tenant
	inBody   bool         // in the body, among other things
	fixed    map[string][]string
	file     *tenantFile // nil if all secrets are in the configuration
	known    atomic.Pointer[roll]
}

// roll is who the tenants are, with their secrets.
type roll struct {
	secrets map[string][]string
	mask    *mask.Mask
	problem string // why the file is not in use as it is; "" if it is
	short   int    // tenants with a secret that could be guessed
}

// tenantRule says what tenantName matches.
const tenantRule = "use 1 to 64 letters, digits, dots, dashes and underscores"

var tenantName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// maxTenantSecrets is how many secrets a tenant has. Each costs time with every webhook.
const maxTenantSecrets = 16

// What the log says of requests of nobody's.
const (
	noTenant      = "whose webhook it is cannot be told"
	unknownTenant = "unknown tenant"
)

var errUnknownTenant = errors.New(unknownTenant)

// checkTenants refuses settings of tenants that make no sense. The provider need not be
// provisioned.
func (h *Handler) checkTenants(p provider.Provider) error {
	given := ""
	switch {
	case h.TenantSecrets != nil:
		given = "secrets"
	case h.SecretsFrom != "":
		given = "secrets_from"
	}
	if h.Tenant == "" {
		if given != "" {
			return fmt.Errorf("%s gives secrets of tenants, so the source needs a line that finds the tenant: tenant <expression>", given)
		}
		return nil
	}
	tenanted, ok := p.(provider.Tenanted)
	if !ok {
		return errors.New("tenant is not possible here: the provider is a module that knows no tenants")
	}
	if why := tenanted.RefusesTenants(); why != "" {
		return fmt.Errorf("tenant is not possible here: %s", why)
	}
	if enroller, ok := p.(provider.Enroller); given == "" && !(ok && enroller.Enrolls()) {
		return errors.New("tenant needs the secrets of the tenants; add lines: secrets <tenant> <secret>..., or a line: secrets_from <file|directory>")
	}
	for _, name := range slices.Sorted(maps.Keys(h.TenantSecrets)) {
		if err := checkTenant(name, h.TenantSecrets[name]); err != nil {
			return err
		}
	}
	return nil
}

// checkTenant refuses a wrong name, and a wrong number of secrets.
func checkTenant(name string, secrets []string) error {
	switch {
	case !tenantName.MatchString(name):
		return fmt.Errorf("%q is not a name of a tenant; %s", name, tenantRule)
	case len(secrets) == 0:
		return fmt.Errorf("tenant %s has no secret", name)
	case len(secrets) > maxTenantSecrets:
		return fmt.Errorf("tenant %s has more than %d secrets", name, maxTenantSecrets)
	}
	return nil
}

// provisionTenants reads the secrets of the tenants. A second handler of the source takes
// over what the first one has read.
func (h *Handler) provisionTenants() error {
	if h.Tenant == "" {
		return nil
	}
	if first := h.app.Source(h.Source); first != nil && first.tenants != nil {
		h.tenants = first.tenants
		return nil
	}
	return h.readTenants()
}

// newTenants returns tenants of whom nobody is known yet.
func (h *Handler) newTenants() (*tenants, error) {
	value, err := rules.CompileTenant(h.Tenant)
	if err != nil {
		return nil, fmt.Errorf("tenant: %v", err)
	}
	t := &tenants{provider: h.provider.(provider.Tenanted), value: value, inBody: value.ReadsBody(), fixed: make(map[string][]string)}
	t.call()
	return t, nil
}

// readTenants reads the secrets of the tenants.
func (h *Handler) readTenants() error {
	t, err := h.newTenants()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(h.TenantSecrets)) {
		if t.fixed[name], err = t.provider.TenantSecrets(h.TenantSecrets[name], false); err != nil {
			return fmt.Errorf("tenant %s: %w", name, err)
		}
	}
	if h.SecretsFrom != "" {
		path, err := caddy.NewReplacer().ReplaceOrErr(h.SecretsFrom, true, true)
		if err != nil {
			return fmt.Errorf("secrets_from: %v", err)
		}
		t.file = newTenantFile(path, t.check)
		if err := t.file.load(); err != nil {
			return fmt.Errorf("secrets_from: %w", err)
		}
	}
	h.tenants = t
	t.call()
	return nil
}

// check returns the secrets of a tenant of a file as they are used.
func (t *tenants) check(name string, written []string) ([]string, error) {
	if err := checkTenant(name, written); err != nil {
		return nil, err
	}
	if t.fixed[name] != nil {
		return nil, fmt.Errorf("tenant %s has secrets in the configuration, too", name)
	}
	secrets, err := t.provider.TenantSecrets(written, true)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", name, err)
	}
	return secrets, nil
}

// call calls the roll anew, after a file was read.
func (t *tenants) call() {
	r := &roll{secrets: maps.Clone(t.fixed)}
	if t.file != nil {
		r.problem = t.file.problem()
		t.file.addTo(r.secrets)
	}
	var all []string
	for _, secrets := range r.secrets {
		all = append(all, secrets...)
		if slices.ContainsFunc(secrets, func(secret string) bool { return len(secret) < shortSecret }) {
			r.short++
		}
	}
	r.mask = mask.New(all)
	t.known.Store(r)
}

// secretsOf returns the secrets of a tenant; none if there is no such tenant.
func (h *Handler) secretsOf(tenant string) []string {
	secrets := h.tenants.known.Load().secrets[tenant]
	if delivered := h.enrollment.of(tenant); len(delivered) > 0 {
		return slices.Concat(secrets, delivered)
	}
	return secrets
}

// findTenant finds out whose webhook it is, and takes the provider with the secrets of
// that tenant. An unknown tenant costs the same.
func (h *Handler) findTenant(hook *webhook) {
	if h.tenants == nil {
		return
	}
	name, err := h.nameTenant(hook)
	var secrets []string
	if err == nil {
		if secrets = h.secretsOf(name); len(secrets) == 0 {
			err = errUnknownTenant
		}
	}
	tenant, unfit := h.tenants.provider.For(secrets)
	if unfit != nil { // delivered secrets may be; others were checked when they were read
		err = unfit
		tenant, _ = h.tenants.provider.For(nil)
	}
	hook.provider, hook.tenant, hook.stranger = tenant, name, err
}

// nameTenant returns the name of the tenant that a request names, or that is given.
func (h *Handler) nameTenant(hook *webhook) (string, error) {
	if hook.given != "" {
		return hook.given, nil
	}
	h.fillInput(hook)
	hook.input.Unproven = true
	view := rules.NewView(&hook.input)
	defer view.Free()
	name, err := h.tenants.value.Text(view)
	switch {
	case err != nil:
		return "", err
	case name == "":
		return "", errNothing
	case !tenantName.MatchString(name):
		return "", errors.New("the expression yields no name of a tenant; a name has " + tenantRule[len("use "):])
	}
	return name, nil
}

// known returns the outcome of a proof, which is worth nothing if nobody knows the
// tenant.
func (hook *webhook) known(err error) error {
	if hook.stranger == nil {
		return err
	}
	detail := noTenant + ": " + hook.stranger.Error()
	if hook.stranger == errUnknownTenant {
		detail = unknownTenant + ": " + hook.tenant
	}
	return &refusal{http.StatusUnauthorized, "unverified", detail}
}

// screen refuses a request that cannot be genuine whatever its body is. Where the body
// tells the tenant, no secret can be compared yet.
func (h *Handler) screen(hook *webhook) error {
	err := hook.provider.Screen(&hook.proof, hook.received)
	switch {
	case err == nil, h.tenants == nil:
		return err
	case h.tenants.inBody && errors.Is(err, provider.Wrong):
		return nil
	case !h.tenants.inBody:
		return hook.known(err)
	}
	return err
}

// Tenants reports whether the secrets of the source are those of tenants.
func (h *Handler) Tenants() bool { return h.tenants != nil }

// TenantState says how many tenants a source has, and why secrets_from is not in use as
// it is; "" if it is. The source must have tenants.
func (h *Handler) TenantState() (count int, problem string) {
	known := h.tenants.known.Load()
	return len(known.secrets), known.problem
}

// ProviderFor returns the provider with the secrets of a tenant. A source without tenants
// has the tenant "".
func (h *Handler) ProviderFor(tenant string) (provider.Provider, error) {
	switch {
	case h.tenants == nil && tenant == "":
		return h.provider, nil
	case h.tenants == nil:
		return nil, fmt.Errorf("source %s has no tenants", h.Source)
	case tenant == "":
		return nil, fmt.Errorf("source %s has tenants, and none is named", h.Source)
	}
	secrets := h.secretsOf(tenant)
	if len(secrets) == 0 {
		return nil, fmt.Errorf("source %s knows no tenant %s", h.Source, tenant)
	}
	return h.tenants.provider.For(secrets)
}

// MayEnroll returns an error if a secret cannot be delivered for a tenant.
func (h *Handler) MayEnroll(tenant string) error {
	switch {
	case h.tenants == nil && tenant != "":
		return fmt.Errorf("source %s has no tenants", h.Source)
	case h.tenants != nil && !tenantName.MatchString(tenant):
		return fmt.Errorf("source %s has tenants; name the one whose secret is delivered (--tenant): %s", h.Source, tenantRule)
	}
	return nil
}

// watchTenants reads the secrets of tenants again when they change, until the
// configuration ends.
func (a *App) watchTenants() {
	watched := slices.DeleteFunc(a.Sources(), func(h *Handler) bool { return h.tenants == nil || h.tenants.file == nil })
	if len(watched) == 0 {
		return
	}
	go watchEach(a.ctx.Done(), func() (changed bool) {
		for _, h := range watched {
			changed = h.refreshTenants() || changed
		}
		return changed
	})
}

// refreshTenants reads the secrets of the tenants again if they have changed.
func (h *Handler) refreshTenants() (changed bool) {
	t, before := h.tenants, h.tenants.known.Load()
	if !t.file.refresh() {
		return false
	}
	t.call()
	h.app.secrets.forget()
	now := t.known.Load()
	switch {
	case now.problem != "" && now.problem != before.problem:
		h.logger.Error("secrets_from is not in use as it is; the last good secrets stay in use",
			zap.String("source", h.Source), zap.String("problem", now.problem), zap.Int("tenants", len(now.secrets)))
	case now.problem == "":
		h.logger.Info("secrets of tenants read again", zap.String("source", h.Source), zap.Int("tenants", len(now.secrets)))
	}
	return true
}

// AddressTo has a request of a sample name a tenant, as far as its headers can, and returns
// an error if the request names another tenant, or none.
func (h *Handler) AddressTo(tenant string, r *provider.Request) error {
	if h.tenants == nil {
		return nil
	}
	names := func() string {
		view := rules.NewView(&rules.Input{
			Provider: h.providerName, Source: h.Source, Method: r.Method, Path: r.Path, RawQuery: r.RawQuery,
			Header: r.Header, Body: r.Body, Forms: h.profile.Forms, ReceivedAt: time.Now(), Unproven: true,
		})
		defer view.Free()
		name, _ := h.tenants.value.Text(view)
		return name
	}
	if names() == tenant {
		return nil
	}
	for _, name := range provider.HeadersIn(h.Tenant) {
		http.Header(r.Header).Set(name, tenant)
	}
	if found := names(); found != tenant {
		return fmt.Errorf("the request would name tenant %q, not %s: tenant is %s; name a URL of the tenant with --url", found, tenant, h.Tenant)
	}
	return nil
}
