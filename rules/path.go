package rules

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// indexes matches the indexes at the end of a name: items[0][1].
var indexes = regexp.MustCompile(`^([^\[\]]*)((?:\[[0-9]{1,9}\])*)$`)

// CompilePath compiles a path below the body. Dots part its names. A number, or a number
// in brackets, is the place of an element: items.0.sku, items[0].sku.
func CompilePath(path string) (*Value, error) {
	var expression strings.Builder
	expression.WriteString("body")
	for i, name := range strings.Split(path, ".") {
		parts := indexes.FindStringSubmatch(name)
		switch {
		case parts == nil || parts[1] == "" && (i > 0 || parts[2] == ""):
			return nil, errors.New("a path is names with dots between them, such as order.items.0.sku")
		case isIndex(parts[1]):
			fmt.Fprintf(&expression, "[%s]", parts[1])
		case parts[1] != "":
			fmt.Fprintf(&expression, "[%s]", strconv.Quote(parts[1]))
		}
		expression.WriteString(parts[2])
	}
	return CompileKey(expression.String())
}

func isIndex(name string) bool {
	_, err := strconv.ParseUint(name, 10, 31)
	return err == nil
}
