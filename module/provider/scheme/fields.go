package scheme

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// stringFields returns the strings of a JSON object under their exact names. An
// object that has a name twice is refused: the app may take the value that was not
// signed.
func stringFields(body []byte) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, Malformed
	}
	fields, seen := make(map[string]string), make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		name, isName := token.(string)
		var value json.RawMessage
		if err != nil || !isName || seen[name] || d.Decode(&value) != nil {
			return nil, Malformed
		}
		seen[name] = true
		var text *string
		if json.Unmarshal(value, &text) == nil && text != nil {
			fields[name] = *text
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, Malformed
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, Malformed
	}
	return fields, nil
}
