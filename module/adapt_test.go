package module_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
)

var update = flag.Bool("update", false, "rewrite the expected part of the golden files")

// quiet keeps what Caddy logs while it loads out of what the tests say.
var quiet = &caddy.Logging{Logs: map[string]*caddy.CustomLog{
	"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output": "discard"}`)}},
}}

const (
	endOfInput = "\n----------\n"
	endOfCase  = "\n==========\n"
)

// TestAdapt adapts each Caddyfile, compares the JSON, and loads that JSON as
// far as it goes without listening: Caddyfile and JSON must agree.
func TestAdapt(t *testing.T) {
	setEnvironment(t)
	eachFile(t, "testdata/adapt", func(t *testing.T, file string) {
		input, want := readGolden(t, file)
		got, warnings, err := adapt(input)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range warnings {
			t.Errorf("line %d: %s", w.Line, w.Message)
		}
		got = pretty(t, got)
		if *update {
			writeFile(t, file, input+endOfInput+string(got))
		} else if string(got) != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if err := validate(got); err != nil {
			t.Errorf("adapted, but does not load: %v", err)
		}
	})
}

// TestErrors loads Caddyfiles that must be refused. Those of one topic stand in
// one file, each with the error that it gives.
func TestErrors(t *testing.T) {
	setEnvironment(t)
	eachFile(t, "testdata/errors", func(t *testing.T, file string) {
		var cases []string
		for text := range strings.SplitSeq(readFile(t, file), endOfCase) {
			input, want, ok := strings.Cut(text, endOfInput)
			if !ok {
				t.Fatalf("a case without %q:\n%s", strings.TrimSpace(endOfInput), text)
			}
			want = strings.TrimSpace(want)
			got := load(t, input)
			if got == "" || !*update && got != want {
				t.Errorf("%s\n got %q\nwant %q", input, got, want)
			}
			cases = append(cases, input+endOfInput+got)
		}
		if *update {
			writeFile(t, file, strings.Join(cases, endOfCase)+"\n")
		}
	})
}

// TestStrictJSON changes configurations that load, so that they must not.
func TestStrictJSON(t *testing.T) {
	setEnvironment(t)
	const route = `{"name": "all", "forward": {"handler": "static_response", "status_code": 204}}`
	handler := func(more string) string {
		return `{"apps": {"http": {"servers": {"s": {"listen": [":8443"], "routes": [{"handle": [
			{"handler": "webhook_gateway"` + more + `}]}]}}}}}`
	}
	github := func(more string) string {
		return handler(`, "provider": {"name": "github", "secrets": ["s"]}` + more)
	}
	custom := func(content string) string {
		return handler(`, "provider": {"name": "custom", ` + content + `}`)
	}
	proof := func(content string) string { return custom(`"secrets": ["s"], "proofs": [` + content + `]`) }
	app := func(content string) string { return `{"apps": {"webhook_gateway": ` + content + `}}` }
	for name, test := range map[string]struct{ config, want string }{
		"loads":                   {github(`, "routes": [` + route + `]`), ""},
		"handler":                 {github(`, "colour": 1`), `unknown field "colour"`},
		"dedup":                   {github(`, "dedup": {"size": 1}`), `unknown field "size"`},
		"respond":                 {github(`, "respond": {"code": 1}`), `unknown field "code"`},
		"route":                   {github(`, "routes": [{"nam": "x"}]`), `unknown field "nam"`},
		"retry":                   {github(`, "routes": [{"retry": {"times": 3}}]`), `unknown field "times"`},
		"preset":                  {handler(`, "provider": {"name": "github", "secret": "s"}`), `unknown field "secret"`},
		"ignisign":                {handler(`, "provider": {"name": "ignisign", "api_key": "s"}`), `unknown field "api_key"`},
		"custom":                  {custom(`"jwt": {}`), `unknown field "jwt"`},
		"hmac":                    {proof(`{"hmac": {"algorithm": "sha256"}}`), `unknown field "algorithm"`},
		"timestamp":               {proof(`{"hmac": {"timestamp": {"in": "header"}}}`), `unknown field "in"`},
		"token":                   {custom(`"token": {"where": "path"}`), `unknown field "where"`},
		"app":                     {app(`{"keep": "1h"}`), `unknown field "keep"`},
		"queue":                   {app(`{"queue": {"backend": "disk", "dir": "x"}}`), `unknown field "dir"`},
		"backend":                 {app(`{"queue": {"backend": "tape"}}`), `webhook_gateway.queues.tape`},
		"sync":                    {app(`{"queue": {"backend": "disk", "sync": "often"}}`), `sync of the queue takes always or never, not "often"`},
		"negative size":           {app(`{"queue": {"backend": "disk", "max_size": -1}}`), `max_size of the queue must be greater than zero`},
		"negative retain":         {app(`{"retain": -1}`), `retain and retain_dead must be greater than zero`},
		"rate":                    {github(`, "routes": [{"name": "all", "rate": "5", "forward": {"handler": "static_response"}}]`), `route all: "5" is not a rate such as 10/s`},
		"order":                   {github(`, "routes": [{"name": "all", "order_by": {"by": "id"}, "forward": {"handler": "static_response"}}]`), `unknown field "by"`},
		"order without a key":     {github(`, "routes": [{"name": "all", "order_by": {"hold": true}, "forward": {"handler": "static_response"}}]`), `route all: order_by needs an expression`},
		"order by a wrong name":   {github(`, "routes": [{"name": "all", "order_by": {"key": "idd"}, "forward": {"handler": "static_response"}}]`), `order_by: unknown name idd`},
		"no provider":             {handler(``), `no provider; add a line`},
		"no provider's name":      {handler(`, "provider": {}`), `module name not specified`},
		"no secret":               {handler(`, "provider": {"name": "github"}`), `GitHub needs a secret`},
		"secret that is not used": {custom(`"none": true, "secrets": ["s"]`), `has a secret but no proof that uses it`},
		"hash":                    {proof(`{"hmac": {"from": "{header.X}", "hash": "crc32"}}`), `unknown hash "crc32"`},
		"key":                     {proof(`{"hmac": {"from": "{header.X}", "key": "pem"}}`), `unknown key encoding "pem"`},
		"encoding":                {proof(`{"hmac": {"from": "{header.X}", "encoding": "z85"}}`), `unknown encoding "z85"`},
		"unit":                    {proof(`{"hmac": {"from": "{header.X}", "timestamp": {"from": "{header.T}", "unit": "days"}}}`), `unknown timestamp unit "days"`},
		"two schemes":             {proof(`{"hmac": {"from": "{header.X}"}, "token": {"from": "{path|last}"}}`), `exactly one scheme`},
		"no scheme":               {proof(`{"when": []}`), `exactly one scheme`},
		"secrets of a token":      {proof(`{"token": {"from": "{path|last}", "secrets": ["s"]}}`), `stand beside it`},
		"need":                    {proof(`{"hmac": {"from": "{header.X}"}}], "need": "most", "masked": [`), `need is all, first or any, not "most"`},
		"answer 500":              {custom(`"none": true, "answer": {"status": 500}`), `status is from 200 to 299, not 500`},
		"ranges":                  {custom(`"none": true, "ranges": {"list": ["10.0.0.0/33"]}`), `"10.0.0.0/33" is neither`},
		"ranges' path":            {custom(`"none": true, "ranges": {"url": "https://example.com", "path": "x"}`), `only ranges in JSON have a path`},
		"no header":               {proof(`{"hmac": {}}`), `hmac needs the header`},
		"option of another":       {handler(`, "provider": {"name": "github", "secrets": ["s"], "options": {"hash": "md5"}}`), `has no option hash`},
		"token's place":           {custom(`"token": {"from": "{cookie.x}", "secrets": ["s"]}`), `unknown placeholder {cookie.x}`},
		"token without name":      {custom(`"token": {"from": "{header}", "secrets": ["s"]}`), `unknown placeholder {header}`},
		"token of no place":       {custom(`"token": {"secrets": ["s"]}`), `token needs what gives it`},
		"token path with name":    {custom(`"token": {"from": "{path|last x}", "secrets": ["s"]}`), `last takes 0 arguments`},
		"token without secret":    {custom(`"token": {"from": "{path|last}"}`), `token needs a secret`},
		"external_url":            {handler(`, "provider": {"name": "github", "secrets": ["s"], "external_url": "x"}`), `external_url: "x" is not a URL`},
		"allow_ips":               {github(`, "allow_ips": ["10.0.0.0/33"]`), `allow_ips: "10.0.0.0/33" is neither`},
		"negative max_body":       {github(`, "max_body": -1`), `max_body must be greater than zero`},
		"respond 500":             {github(`, "respond": {"status": 500}`), `respond takes a status from 200 to 299, not 500`},
		"answer_from":             {github(`, "answer_from": {"from": "all"}`), `unknown field "from"`},
		"answer_from nothing":     {github(`, "answer_from": {}, "routes": [` + route + `]`), `answer_from names the route "", which the source does not have; its routes: all`},
		"answer_from all":         {github(`, "answer_from": {"route": "all", "deadline": "1m"}, "routes": [` + route + `]`), ``},
		"answer_from, too late":   {github(`, "answer_from": {"route": "all", "deadline": "61s"}, "routes": [` + route + `]`), `must not be longer than 1m`},
		"answer_from, before":     {github(`, "answer_from": {"route": "all", "deadline": -1}, "routes": [` + route + `]`), `the deadline of answer_from must be greater than zero`},
		"dedup off with a window": {github(`, "dedup": {"off": true, "window": "1h"}`), `dedup off takes no window, entries or by`},
		"dedup off with by":       {github(`, "dedup": {"off": true, "by": "id"}`), `dedup off takes no window, entries or by`},
		"dedup by another word":   {github(`, "dedup": {"by": "body"}`), `dedup by takes id or id_and_body, not "body"`},
		"negative dedup":          {github(`, "dedup": {"window": -1}`), `greater than zero`},
		"event":                   {github(`, "event": "bod.type"`), `event: unknown name bod`},
		"id":                      {github(`, "id": "body."`), `id: `},
		"rule":                    {github(`, "routes": [{"name": "x", "rule": "1 + 1", "forward": {"handler": "vars"}}]`), `route x: expected bool`},
		"two destinations":        {github(`, "routes": [{"name": "x", "to": {"upstreams": ["a:1"]}, "forward": {"handler": "vars"}}]`), `route x has two destinations`},
		"to":                      {github(`, "routes": [{"name": "x", "to": {"upstreams": ["a:1"], "load_balancing": {}}}]`), `unknown field "load_balancing"`},
		"to without upstreams":    {github(`, "routes": [{"name": "x", "to": {}}]`), `route x: to: there are no upstreams`},
		"to a socket":             {github(`, "routes": [{"name": "x", "to": {"upstreams": ["unix//app.sock"]}}]`), `is not host:port`},
		"route without target":    {github(`, "routes": [{"name": "x"}]`), `route x has no destination`},
		"route without name":      {github(`, "routes": [{"forward": {"handler": "vars"}}]`), `"" is not a valid name of a route`},
		"route twice":             {github(`, "routes": [` + route + `, ` + route + `]`), `route all is defined twice`},
		"otherwise with a rule":   {github(`, "routes": [{"name": "otherwise", "rule": "true", "forward": {"handler": "vars"}}]`), `otherwise takes no expression`},
		"otherwise, never":        {github(`, "routes": [` + route + `, {"name": "otherwise", "forward": {"handler": "vars"}}]`), `otherwise would never get an event`},
		"status":                  {github(`, "routes": [{"name": "x", "retry_on": [6], "forward": {"handler": "vars"}}]`), `route x: 6 is not a status code`},
		"negative timeout":        {github(`, "routes": [{"name": "x", "timeout": -1, "forward": {"handler": "vars"}}]`), `must be greater than zero`},
		"sign":                    {github(`, "routes": [{"name": "x", "sign": {"secrets": ["s"]}}]`), `unknown field "secrets"`},
		"sign, no scheme":         {github(`, "routes": [{"name": "x", "sign": {}, "forward": {"handler": "vars"}}]`), `route x: sign takes provider or standard, not ""`},
		"sign standard":           {github(`, "routes": [{"name": "x", "sign": {"scheme": "standard"}, "forward": {"handler": "vars"}}]`), `route x: sign standard needs a secret`},
		"rewrite_body":            {github(`, "routes": [{"name": "x", "rewrite_body": {"to": "x"}, "forward": {"handler": "vars"}}]`), `unknown field "to"`},
		"rewrite_body, empty":     {github(`, "routes": [{"name": "x", "rewrite_body": {}, "forward": {"handler": "vars"}}]`), `route x: rewrite_body needs an expression`},
		"rewrite_body, a name":    {github(`, "routes": [{"name": "x", "rewrite_body": {"expression": "bod"}, "forward": {"handler": "vars"}}]`), `route x: rewrite_body: unknown name bod (column 1`},
		"placeholder":             {github(`, "routes": [{"name": "x", "forward": {"handler": "rewrite", "uri": "/{webhook.nosuch}"}}]`), `route x: {webhook.nosuch}: unknown placeholder`},
		"placeholder, an address": {github(`, "routes": [{"name": "x", "forward": {"handler": "reverse_proxy", "upstreams": [{"dial": "{webhook.id}:80"}]}}]`), `route x: {webhook.id}: a webhook cannot choose`},
		"placeholders, by hand":   {github(`, "routes": [{"name": "x", "forward": {"handler": "webhook_gateway_rewrite", "uri": "/{webhook.id}"}}]`), `the gateway puts this handler into the place of rewrite`},
		"placeholders":            {github(`, "routes": [{"name": "x", "forward": {"handler": "rewrite", "uri": "/{webhook.id}?e={webhook.event}"}}]`), ``},
		"sign what proves nothing": {handler(`, "provider": {"name": "insertsign"}, "insecure_unverified": true,
			"routes": [{"name": "x", "sign": {"scheme": "provider"}, "forward": {"handler": "vars"}}]`), `route x: sign provider is not possible`},
		"SNS without a topic":       {handler(`, "provider": {"name": "aws_sns"}`), `topic <arn>...; or accept webhooks from anybody with the line insecure_unverified`},
		"SNS with a topic of space": {handler(`, "provider": {"name": "aws_sns", "options": {"topic": "  "}}`), `topic 1 is empty`},
		"SNS with a topic":          {handler(`, "provider": {"name": "aws_sns", "options": {"topic": "arn:aws:sns:us-east-2:1:t"}}`), ``},
		"SNS of anybody":            {handler(`, "provider": {"name": "aws_sns"}, "insecure_unverified": true`), ``},
		"negative retry":            {github(`, "routes": [{"name": "x", "retry": {"for": -1}, "forward": {"handler": "vars"}}]`), `must be greater than zero`},
	} {
		t.Run(name, func(t *testing.T) {
			err := validate([]byte(test.config))
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// setEnvironment sets what the golden files take from the environment.
func setEnvironment(t *testing.T) {
	t.Setenv("STATE", t.TempDir())
	t.Setenv("SECRET", "s3cret")
	t.Setenv("OLD_SECRET", "older")
	t.Setenv("EMPTY", "")
	t.Setenv("LIST", "https://example.com/ips.txt")
	t.Setenv("NETWORKS", "2001:db8::/32 203.0.113.0/24,192.0.2.1")
}

func adapt(input string) ([]byte, []caddyconfig.Warning, error) {
	return caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input+"\n"), map[string]any{"filename": "Caddyfile"})
}

// load adapts and validates a Caddyfile, and returns the error there is. One of
// the Caddyfile itself must say where.
func load(t *testing.T, input string) string {
	config, _, err := adapt(input)
	if err == nil {
		err = validate(config)
	} else if !where.MatchString(err.Error()) {
		t.Errorf("%s\nwithout file and line: %v", input, err)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

var where = regexp.MustCompile(`, at Caddyfile:\d+$`)

// validate does what the command of that name does.
func validate(config []byte) error {
	parsed := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(config, parsed); err != nil {
		return err
	}
	parsed.Logging = quiet
	return caddy.Validate(parsed)
}

func eachFile(t *testing.T, dir string, test func(t *testing.T, file string)) {
	files, err := filepath.Glob(filepath.Join(dir, "*.caddyfiletest"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".caddyfiletest")
		t.Run(name, func(t *testing.T) { test(t, file) })
	}
}

func readGolden(t *testing.T, file string) (input, want string) {
	input, want, ok := strings.Cut(readFile(t, file), endOfInput)
	if !ok {
		t.Fatalf("%s has no line %s", file, strings.TrimSpace(endOfInput))
	}
	return input, want
}

func readFile(t *testing.T, file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(content), "\r\n", "\n")
}

func writeFile(t *testing.T, file, content string) {
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func pretty(t *testing.T, config []byte) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, config, "", "\t"); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}
