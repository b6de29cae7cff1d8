package payload

import (
	"bytes"
	"fmt"
)

// IsLines reports whether a media type is that of JSON values in lines.
func IsLines(media string) bool {
	switch media {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl", "application/jsonlines", "application/x-jsonlines",
		"application/json-lines", "application/x-json-stream", "application/json-seq":
		return true
	}
	return false
}

// Lines makes one JSON list of JSON values in lines. Empty lines say nothing.
func Lines(text []byte) ([]byte, error) {
	list, n := make([]byte, 0, len(text)+2), 0
	list = append(list, '[')
	for line := range bytes.Lines(text) {
		n++
		if line = bytes.Trim(line, "\x1e \t\r\n"); len(line) == 0 {
			continue
		}
		if err := valid(line, MaxDepth-1); err != nil {
			return nil, fmt.Errorf("%w in line %d", err, n)
		}
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, line...)
	}
	return append(list, ']'), nil
}
