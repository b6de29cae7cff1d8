package payload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

const (
	// How many values of a text are noted, in 32 KB, and how many of those may
	// lie deeper than most paths lead.
	maxNodes     = 800
	maxDeepNodes = maxNodes / 2
	shallow      = 2
)

// What is wrong with a text that is to be JSON.
var (
	ErrInvalid = errors.New("not valid JSON")
	ErrTooDeep = errors.New("JSON that nests deeper than allowed")
)

// key is the name of a member, with its quotes: text[start:end].
type key struct {
	start, end int
	escaped    bool // there are escapes in the name
}

// node is a value of a text, and where the value stands.
type node struct {
	key   key  // of a member
	value int  // where the value begins
	next  int  // the node that follows the value and all that is in it
	more  bool // the value has members that are not noted
}

// scanner goes through a text once. It checks that the text is one JSON value, and
// notes the values that a path may lead to, so that nobody has to go through the
// text again: those of members, and the first element of each list.
//
// Its methods and functions take the position at which they begin and return the
// one behind what they have checked, or a negative one if that is not valid.
type scanner struct {
	data            []byte
	nodes           []node // in the order of the text; the first one is all of it
	depth, maxDepth int
}

// scan checks a text and returns its nodes, in the memory of the given ones.
func scan(text []byte, maxDepth int, memory []node) ([]node, error) {
	start := skipWhite(text, 0)
	s := scanner{data: text, maxDepth: maxDepth, nodes: append(memory[:0], node{value: start})}
	err := s.check(start, 0)
	if err == nil {
		s.nodes[0].next = len(s.nodes)
	}
	return s.nodes, err
}

// valid checks a text and notes nothing.
func valid(text []byte, maxDepth int) error {
	s := scanner{data: text, maxDepth: maxDepth}
	return s.check(skipWhite(text, 0), -1)
}

// check checks that the rest of the text is a value and nothing behind it.
func (s *scanner) check(start, at int) error {
	end := s.value(start, at)
	switch {
	case s.depth > s.maxDepth:
		return fmt.Errorf("%w: %d levels at most", ErrTooDeep, s.maxDepth)
	case end < 0 || skipWhite(s.data, end) < len(s.data):
		return ErrInvalid
	}
	return nil
}

// note notes a value below a parent, which is negative if it is not noted itself.
func (s *scanner) note(parent int, n node) int {
	switch {
	case parent < 0:
		return -1
	case len(s.nodes) >= maxNodes, len(s.nodes) >= maxDeepNodes && s.depth > shallow:
		s.nodes[parent].more = true
		return -1
	}
	s.nodes = append(s.nodes, n)
	return len(s.nodes) - 1
}

// value checks a value whose node is given.
func (s *scanner) value(i, at int) int {
	if i >= len(s.data) {
		return -1
	}
	switch c := s.data[i]; c {
	case '"':
		i, _ = checkString(s.data, i)
		return i
	case '{', '[':
		if s.depth++; s.depth > s.maxDepth {
			return -1
		}
		if c == '{' {
			i = s.object(i, at)
		} else {
			i = s.array(i, at)
		}
		if i >= 0 {
			s.depth--
		}
		if at >= 0 {
			s.nodes[at].next = len(s.nodes)
		}
		return i
	case 't':
		return checkLiteral(s.data, i, "true")
	case 'f':
		return checkLiteral(s.data, i, "false")
	case 'n':
		return checkLiteral(s.data, i, "null")
	}
	return checkNumber(s.data, i)
}

func (s *scanner) object(i, parent int) int {
	data := s.data
	if i = skipWhite(data, i+1); i < len(data) && data[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(data) || data[i] != '"' {
			return -1
		}
		start := i
		end, escaped := checkString(data, i)
		if end < 0 {
			return -1
		}
		if i = skipWhite(data, end); i >= len(data) || data[i] != ':' {
			return -1
		}
		i = skipWhite(data, i+1)
		child := s.note(parent, node{key{start, end, escaped}, i, len(s.nodes) + 1, false})
		if i < len(data) && data[i] == '"' {
			i, _ = checkString(data, i)
		} else {
			i = s.value(i, child)
		}
		if i < 0 {
			return -1
		}
		if i = skipWhite(data, i); i >= len(data) || data[i] != ',' {
			return closed(data, i, '}')
		}
		i = skipWhite(data, i+1)
	}
}

func (s *scanner) array(i, parent int) int {
	data := s.data
	if i = skipWhite(data, i+1); i < len(data) && data[i] == ']' {
		return i + 1
	}
	child := s.note(parent, node{value: i, next: len(s.nodes) + 1})
	for {
		if i = s.value(i, child); i < 0 {
			return -1
		}
		if i = skipWhite(data, i); i >= len(data) || data[i] != ',' {
			return closed(data, i, ']')
		}
		i, child = skipWhite(data, i+1), -1
	}
}

func closed(data []byte, i int, bracket byte) int {
	if i < len(data) && data[i] == bracket {
		return i + 1
	}
	return -1
}

func skipWhite(data []byte, i int) int {
	for i < len(data) && data[i] <= ' ' && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t') {
		i++
	}
	return i
}

func checkLiteral(data []byte, i int, text string) int {
	if end := i + len(text); end <= len(data) && string(data[i:end]) == text {
		return end
	}
	return -1
}

func checkNumber(data []byte, i int) int {
	if data[i] == '-' {
		i++
	}
	if i < len(data) && data[i] == '0' {
		i++
	} else if i = checkDigits(data, i); i < 0 {
		return -1
	}
	if i < len(data) && data[i] == '.' {
		if i = checkDigits(data, i+1); i < 0 {
			return -1
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		if i++; i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		return checkDigits(data, i)
	}
	return i
}

// checkDigits checks that there is at least one.
func checkDigits(data []byte, i int) int {
	start := i
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// checkString also tells whether there are escapes in the string.
func checkString(data []byte, i int) (end int, escaped bool) {
	for i++; ; {
		for i+8 <= len(data) {
			word := binary.LittleEndian.Uint64(data[i:])
			quote, backslash := word^'"'*ones, word^'\\'*ones
			// The lowest of these bits marks the first byte that is a quote, a
			// backslash or a control character. Those above it may be wrong.
			special := ((quote-ones)&^quote | (backslash-ones)&^backslash | (word-' '*ones)&^word) & highs
			if special != 0 {
				i += bits.TrailingZeros64(special) / 8
				break
			}
			i += 8
		}
		for i < len(data) && data[i] != '"' && data[i] != '\\' && data[i] >= ' ' {
			i++
		}
		switch {
		case i < len(data) && data[i] == '"':
			return i + 1, escaped
		case i < len(data) && data[i] == '\\':
			escaped = true
			if i = checkEscape(data, i); i < 0 {
				return -1, false
			}
		default:
			return -1, false
		}
	}
}

func checkEscape(data []byte, i int) int {
	if i+1 >= len(data) {
		return -1
	}
	switch data[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 > len(data) {
			return -1
		}
		for _, c := range data[i+2 : i+6] {
			if c-'0' > 9 && (c|0x20)-'a' > 5 {
				return -1
			}
		}
		return i + 6
	}
	return -1
}
