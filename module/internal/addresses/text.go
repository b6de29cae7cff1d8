package addresses

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// OfProvider stands for the addresses that the provider publishes.
const OfProvider = "published"

// Split resolves placeholders and splits texts that hold several addresses or
// networks, as a variable of the environment may.
func Split(texts []string) (ranges []string, err error) {
	repl := caddy.NewReplacer()
	for _, text := range texts {
		resolved, err := repl.ReplaceOrErr(text, true, true)
		several := strings.FieldsFunc(resolved, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
		if err != nil || len(several) == 0 {
			return nil, fmt.Errorf("%q has no value", text)
		}
		ranges = append(ranges, several...)
	}
	return ranges, nil
}

// Parse reads addresses and networks. known are those that the provider is
// known to publish.
func Parse(ranges, known []string) (prefixes []netip.Prefix, err error) {
	for _, text := range ranges {
		var several []netip.Prefix
		switch text {
		case "private_ranges":
			several, err = Parse(caddyhttp.PrivateRangesCIDR(), nil)
		case OfProvider:
			several, err = Parse(known, nil)
		default:
			several = make([]netip.Prefix, 1)
			if several[0], err = caddyhttp.CIDRExpressionToPrefix(text); err != nil {
				err = fmt.Errorf("%q is neither an address, nor a network such as 192.0.2.0/24, nor private_ranges, nor published", text)
			}
		}
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, several...)
	}
	return prefixes, nil
}
