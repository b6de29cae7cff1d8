package module_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

const home = "github.com/caddy-webhook-gateway/caddy-webhook-gateway/"

// TestConfigurationIsDocumented holds that every field of a configuration has
// a comment: Caddy's documentation of a module is made of them.
func TestConfigurationIsDocumented(t *testing.T) {
	documented := make(map[string]bool)
	for _, dir := range []string{"module", "module/provider", "module/provider/scheme", "module/provider/scheme/keys", "module/provider/template", "module/queue/disk"} {
		findComments(t, dir, documented)
	}
	modules := append(caddy.GetModules("webhook_gateway.providers"), caddy.GetModules("webhook_gateway.queues")...)
	for _, id := range []string{"webhook_gateway", "http.handlers.webhook_gateway"} {
		info, err := caddy.GetModule(id)
		if err != nil {
			t.Fatal(err)
		}
		modules = append(modules, info)
	}
	seen := make(map[reflect.Type]bool)
	for _, info := range modules {
		checkFields(t, reflect.TypeOf(info.New()), documented, seen)
	}
	if len(seen) < 10 {
		t.Errorf("only %d types were found", len(seen))
	}
}

// findComments notes the fields that have a comment, as package.Type.Field.
func findComments(t *testing.T, dir string, documented map[string]bool) {
	sources, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources in %s: %v", dir, err)
	}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if structure, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range structure.Fields.List {
					for _, name := range field.Names {
						documented[home+dir+"."+spec.Name.Name+"."+name.Name] = field.Doc.Text() != ""
					}
				}
			}
			return false
		})
	}
}

// checkFields looks at the fields of a type of this project and of all types
// that they lead to.
func checkFields(t *testing.T, of reflect.Type, documented map[string]bool, seen map[reflect.Type]bool) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || !strings.HasPrefix(of.PkgPath(), home) || seen[of] {
		return
	}
	seen[of] = true
	for i := range of.NumField() {
		field := of.Field(i)
		_, configured := field.Tag.Lookup("json")
		if !configured && !field.Anonymous {
			continue
		}
		if name := of.PkgPath() + "." + of.Name() + "." + field.Name; configured && !documented[name] {
			t.Errorf("%s has no comment", name)
		}
		checkFields(t, field.Type, documented, seen)
	}
}
