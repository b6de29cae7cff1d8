package rules

import (
	"reflect"
	"unicode/utf8"
)

// size is how much there is in a value: itself and all that it holds.
type size struct {
	steps  int // that the measuring takes
	values int
	text   int // bytes of strings and keys
	levels int // of nesting above each value, summed up
}

// sizeOf measures a value, as far as the budget reaches. What nests too deep is
// refused.
func (b *budget) sizeOf(value any) size {
	var s size
	b.measure(&s, value, 0)
	b.spend(s.steps, 0)
	return s
}

// mapSteps are what it takes to begin to go over a map.
const mapSteps = 10

func (b *budget) measure(s *size, value any, depth int) {
	s.steps++
	s.values++
	s.levels += depth
	if s.steps > b.steps || depth > maxNesting {
		b.refuse()
	}
	switch x := value.(type) {
	case nil, bool, int, float64:
	case string:
		s.text += len(x)
	case []any:
		for _, element := range x {
			b.measure(s, element, depth+1)
		}
	case map[string]any:
		s.steps += mapSteps
		for key, element := range x {
			s.steps += mapSteps / 2
			s.text += len(key)
			b.measure(s, element, depth+1)
		}
	default:
		b.reflected(s, reflect.ValueOf(value), depth)
	}
}

// reflected measures what only expressions make, such as the groups of groupBy.
func (b *budget) reflected(s *size, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			b.measure(s, v.Index(i).Interface(), depth+1)
		}
	case reflect.Map:
		s.steps += mapSteps + mapSteps*v.Len()
		for entries := v.MapRange(); entries.Next(); {
			b.measure(s, entries.Key().Interface(), depth+1)
			b.measure(s, entries.Value().Interface(), depth+1)
		}
	}
}

// length is the number of elements of a list or map, or of bytes of a string.
func length(value any) int {
	switch x := value.(type) {
	case string:
		return len(x)
	case []any:
		return len(x)
	case map[string]any:
		return len(x)
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map, reflect.String:
		return v.Len()
	}
	return 0
}

// textLength is the length of a string, 0 of anything else.
func textLength(value any) int {
	s, _ := value.(string)
	return len(s)
}

func isText(value any) bool {
	_, ok := value.(string)
	return ok
}

// textOf is the length of all strings directly in a list.
func textOf(list any) (n int) {
	switch x := list.(type) {
	case []any:
		for _, element := range x {
			n += textLength(element)
		}
	case []string:
		for _, s := range x {
			n += len(s)
		}
	}
	return n
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
