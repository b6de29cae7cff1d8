package rules

import (
	"math"
	"strconv"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

// asNumber makes a floating-point number of an integer beyond 64 bits, for operators,
// and leaves all else as it is. The number is beyond all integers of 64 bits, too.
func asNumber(value any) any {
	n, ok := value.(payload.Integer)
	if !ok {
		return value
	}
	f, _ := strconv.ParseFloat(string(n), 64) // infinite where it is too large
	if f == math.MinInt64 || f == -math.MinInt64 {
		f = math.Nextafter(f, math.Copysign(math.Inf(1), f))
	}
	return f
}
