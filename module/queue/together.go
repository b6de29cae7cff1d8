package queue

import (
	"bytes"
	"cmp"
	"context"
	"slices"
)

// Entered is what Enter says of one of several deliveries. Of deliveries that are the
// same, the first one gets the Flight, and the others are copies of an event that is not
// stored yet: they have neither a Flight nor an ID.
type Entered struct {
	Flight *Flight // nil: a copy
	ID     ID      // of the event that it is a copy of
}

// EnterAll asks about the deliveries that one request carries, as Enter does about one. It
// enters them in the order of their keys: two requests with the same deliveries in another
// order must not wait for each other. With an error it has released all flights.
func (e *Engine) EnterAll(ctx context.Context, source string, deliveries []Identity) (entered []Entered, err error) {
	order := make([]int, len(deliveries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return deliveries[a].compare(&deliveries[b]) })
	entered = make([]Entered, len(deliveries))
	for n, i := range order {
		if n > 0 && deliveries[i] != (Identity{}) && deliveries[i] == deliveries[order[n-1]] {
			continue
		}
		if entered[i].Flight, entered[i].ID, err = e.Enter(ctx, source, deliveries[i]); err != nil {
			ReleaseAll(entered)
			return nil, err
		}
	}
	return entered, nil
}

// ReleaseAll releases the flights that were not kept.
func ReleaseAll(entered []Entered) {
	for _, x := range entered {
		if x.Flight != nil {
			x.Flight.Release()
		}
	}
}

func (d *Identity) compare(other *Identity) int {
	return cmp.Or(bytes.Compare(d.Key[:], other.Key[:]), bytes.Compare(d.Body[:], other.Body[:]))
}
