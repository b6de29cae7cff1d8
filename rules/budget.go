package rules

import "errors"

// ErrBudget says that expressions wanted more work than one event may cost. Errors
// of Match and Text wrap it.
var ErrBudget = errors.New("the budget of work for the rules of one event is used up")

// What the expressions on one View may cost together. Steps and bytes are counted,
// not measured: the same event costs the same on every machine. A step takes five
// nanoseconds at most, or a little more, so that all together take a tenth of a
// second.
const (
	maxSteps = 20_000_000
	maxMade  = 64 << 20 // bytes of strings, lists and maps that expressions make

	// What each expression may cost after one was refused, so that small ones still
	// hold.
	reservedSteps = 10_000
	reservedMade  = 64 << 10

	// How deep values may nest that expressions compare, print or flatten: Go
	// cannot survive a full stack.
	maxNesting = 10_000
)

// budget is what may still be spent.
type budget struct {
	steps, made int
	refused     bool
	arg         [1]any // of the builtin that is being called
}

func newBudget() budget { return budget{steps: maxSteps, made: maxMade} }

// begin begins with the next expression.
func (b *budget) begin() {
	if b.refused {
		b.steps, b.made = reservedSteps, reservedMade
	}
}

// spend takes from the budget before the work is done. It panics with ErrBudget
// where too little is left, in the middle of a run.
func (b *budget) spend(steps, made int) {
	if steps > b.steps || made > b.made {
		b.refuse()
	}
	b.steps -= steps
	b.made -= made
}

func (b *budget) refuse() {
	b.refused = true
	panic(ErrBudget)
}
