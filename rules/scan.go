package rules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

const (
	// Checking and decoding recurse, and Go cannot survive a full stack.
	maxDepth = 1_000
	// How many values of a document are noted, in 32 KB.
	maxNodes = 800
)

var (
	errInvalid = errors.New("body is not valid JSON")
	errTooDeep = fmt.Errorf("body nests deeper than %d levels", maxDepth)
)

// scanner goes through a document once. It checks that it is one JSON value, and
// notes where the values stand that a path may lead to, so that nobody has to go
// through it again: those of members, and the first element of each list.
type scanner struct {
	data  []byte
	nodes []node // in the order of the document; the first one is all of it
	depth int
	err   error
}

// node is a value that has been noted.
type node struct {
	key, colon int  // the key before it, with its quotes, is data[key:colon]
	value      int  // where it begins
	next       int  // the node that follows it and what is in it
	plain      bool // the key stands for its own bytes
	more       bool // it has members or elements that are not noted
}

// scan checks data and returns its nodes, in the memory of the given ones.
func scan(data []byte, memory []node) ([]node, error) {
	s := scanner{data: data, nodes: memory[:0]}
	i := s.space(0)
	s.nodes = append(s.nodes, node{value: i})
	end := s.value(i, 0)
	if s.err == nil && s.space(end) != len(data) {
		s.err = errInvalid
	}
	s.nodes[0].next = len(s.nodes)
	return s.nodes, s.err
}

// note notes a value below a parent, which is negative if it is not noted itself.
func (s *scanner) note(parent int, n node) int {
	if parent < 0 {
		return -1
	}
	if len(s.nodes) == maxNodes {
		s.nodes[parent].more = true
		return -1
	}
	s.nodes = append(s.nodes, n)
	return len(s.nodes) - 1
}

func (s *scanner) end(node int) {
	if node >= 0 {
		s.nodes[node].next = len(s.nodes)
	}
}

// fail returns an end that no caller goes on from.
func (s *scanner) fail() int {
	if s.err == nil {
		s.err = errInvalid
	}
	return len(s.data)
}

// at is the byte at i, or one that can stand nowhere.
func (s *scanner) at(i int) byte {
	if i < len(s.data) {
		return s.data[i]
	}
	return 0
}

// value checks the value at i, whose node is given, and returns its end.
func (s *scanner) value(i, node int) int {
	switch c := s.at(i); c {
	case '"':
		end, _ := s.text(i)
		return end
	case '{', '[':
		if s.depth++; s.depth > maxDepth {
			s.err = errTooDeep
			return s.fail()
		}
		if c == '{' {
			i = s.object(i, node)
		} else {
			i = s.array(i, node)
		}
		s.depth--
		return i
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	}
	return s.number(i)
}

func (s *scanner) object(i, parent int) int {
	i = s.space(i + 1)
	if s.at(i) == '}' {
		return i + 1
	}
	for {
		if s.at(i) != '"' {
			return s.fail()
		}
		n := node{key: i}
		n.colon, n.plain = s.text(i)
		if i = s.space(n.colon); s.at(i) != ':' {
			return s.fail()
		}
		n.value = s.space(i + 1)
		child := s.note(parent, n)
		i = s.space(s.value(n.value, child))
		s.end(child)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return s.fail()
		}
	}
}

func (s *scanner) array(i, parent int) int {
	i = s.space(i + 1)
	if s.at(i) == ']' {
		return i + 1
	}
	child := s.note(parent, node{value: i})
	for {
		i = s.space(s.value(i, child))
		s.end(child)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail()
		}
		if child >= 0 {
			s.nodes[parent].more, child = true, -1
		}
	}
}

func (s *scanner) literal(i int, text string) int {
	if end := i + len(text); end <= len(s.data) && string(s.data[i:end]) == text {
		return end
	}
	return s.fail()
}

func (s *scanner) number(i int) int {
	if s.at(i) == '-' {
		i++
	}
	whole := i
	if i = s.digits(i); s.at(whole) == '0' && i > whole+1 {
		return s.fail()
	}
	if s.at(i) == '.' {
		i = s.digits(i + 1)
	}
	if c := s.at(i); c == 'e' || c == 'E' {
		if c := s.at(i + 1); c == '+' || c == '-' {
			i++
		}
		i = s.digits(i + 1)
	}
	return i
}

// digits returns the end of the digits at i. There must be one.
func (s *scanner) digits(i int) int {
	start := i
	for i < len(s.data) && s.data[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return s.fail()
	}
	return i
}

func (s *scanner) space(i int) int {
	for i < len(s.data) && s.data[i] <= ' ' {
		if c := s.data[i]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			break
		}
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// text checks the string at i and returns its end, and whether it is plain: it
// has neither escapes nor anything but ASCII.
func (s *scanner) text(i int) (end int, plain bool) {
	data, seen, escaped := s.data, uint64(0), false
	for i++; ; {
		for i+8 <= len(data) {
			word := binary.LittleEndian.Uint64(data[i:])
			quote, backslash := word^'"'*ones, word^'\\'*ones
			// The lowest of these bits marks the first byte that is a quote, a
			// backslash or a control character. Those above it may be wrong.
			special := ((quote-ones)&^quote | (backslash-ones)&^backslash | (word-' '*ones)&^word) & highs
			if special != 0 {
				n := bits.TrailingZeros64(special) &^ 7
				seen |= word & (1<<n - 1)
				i += n / 8
				break
			}
			seen |= word
			i += 8
		}
		for i < len(data) && data[i] != '"' && data[i] != '\\' && data[i] >= ' ' {
			seen |= uint64(data[i])
			i++
		}
		switch s.at(i) {
		case '"':
			return i + 1, !escaped && seen&highs == 0
		case '\\':
			i, escaped = s.escape(i), true
		default:
			return s.fail(), false
		}
	}
}

// escape checks the escape sequence at i and returns its end.
func (s *scanner) escape(i int) int {
	switch s.at(i + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for n := range 4 {
			if c := s.at(i + 2 + n); c-'0' > 9 && (c|0x20)-'a' > 5 {
				return s.fail()
			}
		}
		return i + 6
	}
	return s.fail()
}
