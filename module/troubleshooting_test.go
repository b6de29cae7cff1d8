package module

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestTroubleshooting holds docs/troubleshooting.md against the code: the page has each
// outcome, status, refusal and log message, and no other.
func TestTroubleshooting(t *testing.T) {
	content, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	code := parseRooms(t)
	attempts := code.constants("module/queue", "Outcome")
	if len(attempts) < 4 {
		t.Errorf("only these outcomes of attempts were found: %q", attempts)
	}
	for _, test := range []struct {
		section string
		want    []string
	}{
		{"Every outcome of a request", outcomes},
		{"Every outcome of an attempt", attempts},
		{"Why a webhook is unverified", append(code.constants("module/provider/scheme/refusal", "Refusal"), unknownTenant+": …", noTenant+": …")},
		{"Every status of an answer", append(code.statuses(), "2xx", "431")}, // 431 is Caddy's own
		{"Every log line", code.messages(t)},
	} {
		has := firstCells(page, test.section)
		for _, want := range test.want {
			if !slices.Contains(has, want) {
				t.Errorf("%s: the page lacks %q", test.section, want)
			}
		}
		for _, text := range has {
			if !slices.Contains(test.want, text) {
				t.Errorf("%s: the code does not have %q", test.section, text)
			}
		}
	}
}

var firstCell = regexp.MustCompile("(?m)^\\| `([^`]+)`")

// firstCells returns what stands in backticks at the beginning of the rows of tables, in
// the section with a heading.
func firstCells(page, heading string) (cells []string) {
	_, section, _ := strings.Cut(page, "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, match := range firstCell.FindAllStringSubmatch(section, -1) {
		cells = append(cells, match[1])
	}
	return cells
}

// rooms are the packages of the gateway, by their directory.
type rooms map[string][]*ast.File

func parseRooms(t *testing.T) rooms {
	t.Helper()
	code := make(rooms)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "test/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		dir := filepath.Join("module", filepath.Dir(path))
		code[dir] = append(code[dir], file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// constants returns the values of the constants of a type.
func (code rooms) constants(dir, typeName string) (values []string) {
	for _, file := range code[dir] {
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && isNamed(spec.Type, typeName) {
				for _, value := range spec.Values {
					values = append(values, texts(value, nil)...)
				}
			}
			return true
		})
	}
	return values
}

// statuses returns the statuses of refusals.
func (code rooms) statuses() []string {
	found := make(map[string]bool)
	for _, file := range code["module"] {
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok || !isNamed(literal.Type, "refusal") || len(literal.Elts) == 0 {
				return true
			}
			value := literal.Elts[0]
			if field, ok := value.(*ast.KeyValueExpr); ok {
				value = field.Value
			}
			switch v := value.(type) {
			case *ast.BasicLit:
				found[v.Value] = true
			case *ast.SelectorExpr:
				if status := statusNamed(v.Sel.Name); status != "" {
					found[status] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// statusNamed returns the status whose constant in net/http has a name.
func statusNamed(name string) string {
	for status := 400; status < 600; status++ {
		if text := http.StatusText(status); text != "" && "Status"+strings.ReplaceAll(text, " ", "") == name {
			return strconv.Itoa(status)
		}
	}
	return ""
}

func isNamed(expr ast.Expr, name string) bool {
	ident, ok := expr.(*ast.Ident)
	return ok && ident.Name == name
}

// messages returns the messages that are logged. What is not known before stands as … in
// them.
func (code rooms) messages(t *testing.T) []string {
	found := make(map[string]bool)
	for dir, files := range code {
		for _, file := range files {
			for _, decl := range file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok || f.Body == nil {
					continue
				}
				ast.Inspect(f.Body, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok {
						return true
					}
					if message := logged(call); message != nil {
						for _, text := range texts(message, &scope{files, f}) {
							if strings.Trim(text, "… ") == "" {
								t.Errorf("%s: what %s logs is not known", dir, f.Name)
							}
							found[text] = true
						}
					}
					return true
				})
			}
		}
	}
	if len(found) < 40 {
		t.Errorf("only %d log messages were found", len(found))
	}
	return slices.Sorted(maps.Keys(found))
}

// logged returns the message that a call logs, nil if the call is none of a logger.
func logged(call *ast.CallExpr) ast.Expr {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	switch method.Sel.Name {
	case "Check":
		if len(call.Args) == 2 && isLogger(method.X) {
			return call.Args[1]
		}
	case "Debug", "Info", "Warn", "Error":
		if len(call.Args) > 0 && isLogger(method.X) {
			return call.Args[0]
		}
	}
	return nil
}

// isLogger goes by the name: logger, x.logger, logger(), and what follows caddy.Log().
func isLogger(expr ast.Expr) bool {
	switch x := expr.(type) {
	case *ast.Ident:
		return x.Name == "logger"
	case *ast.SelectorExpr:
		return x.Sel.Name == "logger" || x.Sel.Name == "Logger" || x.Sel.Name == "Named" || x.Sel.Name == "With"
	case *ast.CallExpr:
		return isLogger(x.Fun)
	}
	return false
}

// scope is where an expression stands.
type scope struct {
	files []*ast.File
	in    *ast.FuncDecl
}

// texts returns the texts that an expression may yield, with … for what is not known.
func texts(expr ast.Expr, at *scope) []string {
	switch x := expr.(type) {
	case *ast.BasicLit:
		if value := constant.MakeFromLiteral(x.Value, x.Kind, 0); value.Kind() == constant.String {
			return []string{constant.StringVal(value)}
		}
	case *ast.BinaryExpr:
		var joined []string
		for _, left := range texts(x.X, at) {
			for _, right := range texts(x.Y, at) {
				joined = append(joined, left+right)
			}
		}
		return joined
	case *ast.Ident:
		if found := at.assigned(x.Name); len(found) > 0 {
			return found
		}
	}
	return []string{"…"}
}

// assigned returns the texts that a variable of a function may have: those that are
// assigned, those that callers give, or those of the function whose result it is.
func (at *scope) assigned(name string) (found []string) {
	if at == nil {
		return nil
	}
	ast.Inspect(at.in.Body, func(n ast.Node) bool {
		assignment, ok := n.(*ast.AssignStmt)
		if !ok || len(assignment.Lhs) != len(assignment.Rhs) {
			return true
		}
		for i := range assignment.Lhs {
			if !isNamed(assignment.Lhs[i], name) {
				continue
			}
			if call, ok := assignment.Rhs[i].(*ast.CallExpr); ok {
				found = append(found, at.returned(call)...)
			} else {
				found = append(found, texts(assignment.Rhs[i], nil)...)
			}
		}
		return true
	})
	if len(found) == 0 && len(at.in.Type.Params.List) > 0 && isNamed(at.in.Type.Params.List[0].Names[0], name) {
		return at.given()
	}
	return found
}

// returned returns the texts that a function of the package returns.
func (at *scope) returned(call *ast.CallExpr) (found []string) {
	for _, file := range at.files {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !isNamed(call.Fun, f.Name.Name) {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if result, ok := n.(*ast.ReturnStmt); ok {
					found = append(found, texts(result.Results[0], nil)...)
				}
				return true
			})
		}
	}
	return slices.DeleteFunc(found, func(text string) bool { return text == "" })
}

// given returns the texts that callers give a function first.
func (at *scope) given() (found []string) {
	for _, file := range at.files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			if method, ok := call.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == at.in.Name.Name {
				found = append(found, texts(call.Args[0], nil)...)
			}
			return true
		})
	}
	return found
}
