package operate

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// tamper changes one byte of a signed request, so that it proves nothing any
// more, and says where: in the body if the proof covers that, else in the proof.
func tamper(p provider.Provider, r *provider.Request, now time.Time) (where string, err error) {
	refused := func() bool { return p.Verify(r, now) != nil }
	isJSON := json.Valid(r.Body)
	if changeOne(r.Body, func() bool { return (!isJSON || json.Valid(r.Body)) && refused() }) {
		return "the body", nil
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if changeOneIn(&r.Header[name][0], refused) {
			return "the header " + name, nil
		}
	}
	if changeOneIn(&r.RawQuery, func() bool { return withQuery(r, refused) }) {
		return "the query", nil
	}
	if changeOneIn(&r.Path, refused) {
		return "the path", nil
	}
	return "", errors.New("nothing in the sample proves who sent it, so there is nothing to tamper with")
}

// withQuery reports whether something holds when the URL that is called has the
// request's query, too.
func withQuery(r *provider.Request, holds func() bool) bool {
	before, called := r.Public, *r.Public
	called.RawQuery = r.RawQuery
	r.Public = &called
	if holds() {
		return true
	}
	r.Public = before
	return false
}

// changeOneIn changes one letter or digit of a text, so that something holds.
func changeOneIn(text *string, holds func() bool) bool {
	changed := []byte(*text)
	return changeOne(changed, func() bool {
		before := *text
		if *text = string(changed); holds() {
			return true
		}
		*text = before
		return false
	})
}

// changeOne changes the last letter or digit of a text whose change makes
// something hold.
func changeOne(text []byte, holds func() bool) bool {
	for i, b := range slices.Backward(text) {
		if text[i] = another(b); text[i] == b || isEscape(text, i) {
			text[i] = b
			continue
		}
		if holds() {
			return true
		}
		text[i] = b
	}
	return false
}

// another returns another letter for a letter, another digit for a digit, and
// anything else as it is.
func another(b byte) byte {
	switch {
	case b == 'z' || b == 'Z' || b == '9':
		return b - 1
	case b >= 'a' && b < 'z' || b >= 'A' && b < 'Z' || b >= '0' && b < '9':
		return b + 1
	}
	return b
}

// isEscape reports whether a digit belongs to an escape such as %2F.
func isEscape(text []byte, i int) bool { return slices.Contains(text[max(0, i-2):i], '%') }
