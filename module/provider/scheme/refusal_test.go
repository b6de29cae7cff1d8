package scheme

import (
	"errors"
	"testing"
	"time"
)

// TestMistimed holds that the refusal of a time says how far away it is, and is one of
// the refusals all the same.
func TestMistimed(t *testing.T) {
	now := time.Unix(1_760_000_000, 0)
	for text, test := range map[string]struct {
		err  error
		want Refusal
	}{
		"timestamp too old: signed 21m40s before the request came":        {checkAge(now.Add(-1300*time.Second), now, time.Minute), TooOld},
		"timestamp in the future: signed 1h0m0s after the request came":   {checkAge(now.Add(time.Hour), now, time.Minute), TooNew},
		"timestamp too old: expired 1m0s before the request came":         {(&JWT{}).checkTimes(claims{"exp": []byte("1759999940")}, now), TooOld},
		"timestamp in the future: valid from 1m0s after the request came": {(&JWT{}).checkTimes(claims{"nbf": []byte("1760000060")}, now), TooNew},
	} {
		var refusal Refusal
		if test.err.Error() != text || !errors.Is(test.err, test.want) || !errors.As(test.err, &refusal) || refusal != test.want {
			t.Errorf("got %v, want %s", test.err, text)
		}
	}
}
