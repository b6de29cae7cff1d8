package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// notRun are the commands of the pages that the test does not run, with the reason.
var notRun = map[string]string{
	"go run ./bench":                        "a benchmark, of minutes",
	"go run ./bench -profile /tmp/profiles": "a benchmark, of minutes",
	"go run ./bench/faults":                 "all faults at full size, of minutes; the tests have them small",
	"go run ./bench/scale":                  "a million webhooks, of minutes",
	"go test ./module/operate -run 'TestProvidersPage|TestHandshakesPage|TestSecurityPage|TestCommandsPage' -update": "writes pages",
	"go test ./...": "this test is among them",
	"go test ./module/provider/... -run 'TestVectors/podium|TestSamples|TestPresets'": "tests that are run as such",
}

// steps are what has to happen before some commands: what their pages say in words.
var steps = map[string]func(*walk){
	"curl 'https://hooks.example.com/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock'": (*walk).runHandshakes,
	"caddy webhook enroll asana --for 0":   (*walk).deliverSecret,
	"cat request.txt":                      (*walk).writeRequest,
	"caddy webhook send insigner --tamper": func(w *walk) { w.runGateway("run", "--config", "Caddyfile", "--adapter", "caddyfile") },
	"./caddy respond --listen localhost:9003 --access-log thanks > app.log 2>&1 &": func(w *walk) {
		w.waitForMetric(`caddy_webhook_gateway_queue_deliveries{route="app",source="insertsign",state="dead"} 1000`)
	},
	"caddy webhook verify --config Caddyfile --source podium --at 1620771660 podium.txt": func(w *walk) {
		w.writeBlocks("Caddyfile", "podium.txt")
	},
	"caddy webhook rules --config batches.caddyfile --source line batch.txt": func(w *walk) {
		w.writeBlocks("batches.caddyfile", "batch.txt")
	},
	"caddy webhook verify --config acme.caddyfile --source acme --at 1764345601 acme.txt": func(w *walk) {
		w.env = append(w.env, "ACME_SECRET=acme-demo-secret")
		w.writeBlocks("acme.caddyfile", "acme.txt")
	},
	"caddy webhook verify --config acme.caddyfile --source acme handshake.txt": func(w *walk) {
		w.writeBlocks("acme.caddyfile", "handshake.txt")
	},
	"caddy webhook rules --config shop.caddyfile --source shop order.txt": func(w *walk) {
		w.writeBlocks("shop.caddyfile", "order.txt")
	},
}

// TestDocuments runs the commands of README and docs in the order in which they stand
// there, and holds what they print against what the page says.
func TestDocuments(t *testing.T) {
	for _, program := range []string{"bash", "curl", "openssl", "awk"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the pages use %s, which is not here", program)
		}
	}
	seen := make(map[string]bool)
	for _, page := range pages(t) {
		commands := commandsOf(readFile(t, page))
		for _, c := range commands {
			seen[c.text] = true
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			w := newWalk(t, page)
			for _, c := range commands {
				if notRun[c.text] == "" && !isXcaddy(c.text) { // TestXcaddy runs those
					w.do(c)
				}
			}
		})
	}
	for _, command := range slices.Concat(slices.Collect(maps.Keys(notRun)), slices.Collect(maps.Keys(steps))) {
		if !seen[command] {
			t.Errorf("no page has the command %s", command)
		}
	}
}

// told is a command of a page, and what it prints there.
type told struct {
	text    string
	printed []string
}

// programs are what the commands of a page begin with that print nothing there.
var programs = regexp.MustCompile(`^(go|xcaddy|caddy|\./caddy|curl|\w+=)( |$)`)

// commandsOf finds the commands of a page: what stands behind a $ in a block, with
// what they print below, and blocks of commands alone.
func commandsOf(page string) (commands []told) {
	for _, block := range blocksOf(page) {
		marked := slices.ContainsFunc(block, func(line string) bool { return strings.HasPrefix(line, "$ ") })
		if !marked && !programs.MatchString(block[0]) {
			continue
		}
		open := false
		for _, line := range block {
			command, isCommand := strings.CutPrefix(line, "$ ")
			last := len(commands) - 1
			switch {
			case open:
				commands[last].text += "\n" + strings.TrimSpace(line)
			case isCommand || !marked:
				commands, last = append(commands, told{text: command}), last+1
			default:
				commands[last].printed = append(commands[last].printed, line)
				continue
			}
			text := commands[last].text
			open = strings.HasSuffix(text, `\`) || strings.Count(text, "'")%2 == 1
		}
	}
	return commands
}

// blocksOf returns the indented blocks of a page, and the fenced ones that are no
// program or configuration.
func blocksOf(page string) (blocks [][]string) {
	var block []string
	end := func() {
		for len(block) > 0 && block[len(block)-1] == "" {
			block = block[:len(block)-1]
		}
		if len(block) > 0 {
			blocks = append(blocks, block)
		}
		block = nil
	}
	fence := ""
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		language, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && fence == "":
			end()
			fence = "`" + language
		case isFence:
			if fence != "`" && fence != "`console" {
				block = nil
			}
			end()
			fence = ""
		case fence != "":
			block = append(block, line)
		case strings.HasPrefix(line, "    "):
			block = append(block, line[4:])
		case line == "" && block != nil:
			block = append(block, "")
		default:
			end()
		}
	}
	end()
	return blocks
}

// walk does what a page says, in a copy of what the page needs of the repository.
type walk struct {
	t          *testing.T
	page       string
	dir        string
	env        []string
	ports      *strings.Replacer // in place of those of the page
	port       map[string]string
	ids        map[string]string // event and delivery IDs of the page, and those that are there now
	said       []string          // commands that set variables
	gateway    *exec.Cmd
	background []*exec.Cmd
}

func newWalk(t *testing.T, page string) *walk {
	w := &walk{t: t, page: page, dir: t.TempDir(), ids: make(map[string]string), port: make(map[string]string)}
	var pairs []string
	for _, port := range []string{"8080", "8443", "9001", "9002", "9003", "2019"} {
		_, free, _ := net.SplitHostPort(freeAddress(t))
		w.port[port] = free
		pairs = append(pairs, ":"+port, ":"+free)
	}
	pairs = append(pairs, "/var/lib/caddy/.local/share", w.dir+"/data")
	w.ports = strings.NewReplacer(pairs...)
	for _, file := range append(must(t, filepath.Glob, "../examples/*.caddyfile"), "../Caddyfile") {
		w.write(strings.TrimPrefix(file, "../"), w.ports.Replace(readFile(t, file)), 0o600)
	}
	for _, file := range savedFile.FindAllStringSubmatch(readFile(t, page), -1) {
		w.write(file[1], w.ports.Replace(file[2]), 0o600)
	}
	caddy := fmt.Sprintf("#!/bin/sh\nexec env %s=1 '%s' \"$@\"\n", asCaddy, os.Args[0])
	w.write("bin/caddy", caddy, 0o700)
	w.write("bin/go", "#!/bin/sh\ncase \"$1 $2\" in\n'run ./cmd/caddy') shift 2; exec caddy \"$@\";;\n"+
		"'build ./cmd/caddy') exec cp '"+w.dir+"/bin/caddy' caddy;;\n"+
		"'run my-app/main.go') "+realGo(t)+" build -o app my-app/main.go && exec ./app;;\nesac\nexit 64\n", 0o700)
	w.write(".curlrc", "connect-to = \"hooks.example.com:443:127.0.0.1:"+w.port["8443"]+"\"\ninsecure\nsilent\n", 0o600)
	w.env = append(os.Environ(), "PATH="+w.dir+"/bin:"+os.Getenv("PATH"), "HOME="+w.dir, "CURL_HOME="+w.dir,
		"XDG_DATA_HOME="+w.dir+"/data", "XDG_CONFIG_HOME="+w.dir+"/data", "CADDY_ADMIN=127.0.0.1:"+w.port["2019"], "GORACE=atexit_sleep_ms=0", "TZ=UTC")
	t.Cleanup(func() {
		for _, cmd := range append(w.background, w.gateway) {
			end(cmd)
		}
	})
	return w
}

// savedFile matches a file that a page tells its reader to save, with its name. The
// sentence may go over lines.
var savedFile = regexp.MustCompile("(?m)\\bSave\\s[^`]*`([\\w./-]+)`:\n\n```\\w+\n((?s:.*?))^```$")

// realGo returns the go command that runs the tests, with its own cache: the walk has
// another home.
func realGo(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := exec.Command(path, "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return "GOCACHE='" + strings.TrimSpace(string(cache)) + "' '" + path + "'"
}

func must(t *testing.T, glob func(string) ([]string, error), pattern string) []string {
	t.Helper()
	found, err := glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// end ends a process that the walk has started.
func end(cmd *exec.Cmd) {
	if cmd != nil {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
}

func (w *walk) write(name, content string, mode os.FileMode) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		w.t.Fatal(err)
	}
}

var (
	runsGateway = regexp.MustCompile(`^(?:go run \./cmd/caddy|(?:\./)?caddy) (run(?: .*)?)$`)
	setsText    = regexp.MustCompile(`^(export )?\w+=`)
	onlyAsks    = regexp.MustCompile(`webhook (events|show|dead)|/metrics|^grep |^curl '|^curl -s 'localhost:2019/webhook_gateway/\w+|dry_run=true'`)
)

// do runs a command of the page. One that only asks is asked again until what it says
// is what the page says: deliveries take their time.
func (w *walk) do(c told) {
	w.t.Helper()
	if step := steps[c.text]; step != nil {
		step(w)
	}
	if run := runsGateway.FindStringSubmatch(c.text); run != nil {
		w.runGateway(strings.Fields(run[1])...)
		return
	}
	if command, ok := strings.CutSuffix(c.text, " &"); ok {
		w.inBackground(command)
		return
	}
	if setsText.MatchString(c.text) {
		w.said = append(w.said, c.text)
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		out, status := w.run(c.text)
		if len(c.printed) > 1 {
			out = indented(out)
		}
		if c.printed == nil && status != 0 {
			w.t.Fatalf("%s: %s\nexit %d: %s", w.page, c.text, status, out)
		}
		if setsText.MatchString(c.text) || w.matches(c.printed, out) {
			return
		}
		early := strings.Contains(out, "tls: internal error") // there is no certificate yet
		if !onlyAsks.MatchString(c.text) && !early || time.Since(began) > patience {
			w.t.Fatalf("%s: %s\nprinted\n%s\nwhere the page has\n%s", w.page, c.text, out, strings.Join(c.printed, "\n"))
		}
	}
}

// indented returns JSON as pages show it, in lines. Other text stays as it is.
func indented(out string) string {
	var lines bytes.Buffer
	if json.Indent(&lines, []byte(out), "", "  ") != nil {
		return out
	}
	return lines.String()
}

// run runs a command, after those that have set variables, and returns what it prints
// and its exit status.
func (w *walk) run(text string) (printed string, status int) {
	w.t.Helper()
	for ofPage, now := range w.ids {
		text = strings.ReplaceAll(text, ofPage, now)
	}
	said := w.said
	if len(said) > 0 && said[len(said)-1] == text {
		said = said[:len(said)-1]
	}
	cmd := exec.Command("bash", "-c", w.ports.Replace(strings.Join(append(slices.Clone(said), text), "\n")))
	cmd.Dir, cmd.Env = w.dir, w.env
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return logLine.ReplaceAllString(string(out), ""), cmd.ProcessState.ExitCode()
}

// logLine matches what Caddy logs while it reads a configuration.
var logLine = regexp.MustCompile(`(?m)^\{"level":.*\n`)

// runGateway runs a gateway in place of the one that runs, and waits until it serves.
func (w *walk) runGateway(args ...string) {
	w.t.Helper()
	end(w.gateway)
	w.gateway = w.start("bash", "-c", strings.Join(append(slices.Clone(w.said), "exec caddy "+strings.Join(args, " ")), "\n"))
	eventually(w.t, "the gateway of the page serves", func() bool {
		resp, err := http.Get("http://127.0.0.1:" + w.port["2019"] + "/config/")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		config, err := io.ReadAll(resp.Body)
		return err == nil && strings.TrimSpace(string(config)) != "null" // before it serves
	})
	// The first certificate may take a moment longer.
	for began := time.Now(); !greets(w.port["8443"]) && time.Since(began) < 2*time.Second; {
		time.Sleep(10 * time.Millisecond)
	}
}

// greets reports whether a TLS handshake with a site of the pages succeeds.
func greets(port string) bool {
	for _, name := range []string{"localhost", "hooks.example.com"} {
		conn, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err == nil {
			conn.Close()
			return true
		}
	}
	return false
}

func listens(port string) bool {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (w *walk) start(program string, args ...string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(filepath.Join(w.dir, "bin", program), args...)
	if program == "bash" {
		cmd = exec.Command("bash", args...)
	}
	cmd.Dir, cmd.Env = w.dir, w.env
	log := new(buffer)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("%v:\n%s", args, log.tail(3000))
		}
	})
	return cmd
}

// inBackground runs a command that goes on: the app.
func (w *walk) inBackground(command string) {
	w.t.Helper()
	w.background = append(w.background, w.start("bash", "-c", "exec "+w.ports.Replace(command)))
	eventually(w.t, "the app listens", func() bool { return listens(w.port["9003"]) })
}

// waitForMetric waits for a line of the metrics.
func (w *walk) waitForMetric(line string) {
	w.t.Helper()
	eventually(w.t, line, func() bool {
		metrics, _ := w.run("curl -s localhost:2019/metrics")
		return strings.Contains(metrics, line)
	})
}

// runHandshakes runs a gateway with the source of the page that answers a handshake,
// and one to which a secret is delivered.
func (w *walk) runHandshakes() {
	w.t.Helper()
	_, block, _ := strings.Cut(readFile(w.t, w.page), "```caddyfile\nprovider meta ")
	block, _, _ = strings.Cut(block, "```")
	w.write("handshakes.caddyfile", fmt.Sprintf(`{
	local_certs
	skip_install_trust
	auto_https disable_redirects
	default_bind 127.0.0.1
	https_port %s
}
hooks.example.com {
	webhook_gateway /meta {
		provider meta %s
		route app localhost:1
	}
	webhook_gateway /asana {
		provider asana
		route app localhost:1
	}
}
`, w.port["8443"], block), 0o600)
	w.env = append(w.env, "META_APP_SECRET=meta-demo-secret", "META_VERIFY_TOKEN=meatyhamhock")
	w.runGateway("run", "--config", "handshakes.caddyfile")
}

// deliverSecret creates the webhook at the provider, which sends its secret.
func (w *walk) deliverSecret() {
	w.t.Helper()
	if out, status := w.run("curl -f -X POST -H 'X-Hook-Secret: b537207f20cbfa02357cf448134da559' https://hooks.example.com/asana"); status != 0 {
		w.t.Fatalf("delivering a secret: exit %d, %s", status, out)
	}
}

// writeRequest writes the file whose content the page shows.
func (w *walk) writeRequest() {
	for _, c := range commandsOf(readFile(w.t, w.page)) {
		if c.text == "cat request.txt" {
			w.write("request.txt", strings.Join(c.printed, "\n"), 0o600)
		}
	}
}

// writeBlocks writes files of the page: the last block that is a whole configuration,
// and the last request. The request ends without a line break.
func (w *walk) writeBlocks(config, request string) {
	page := readFile(w.t, w.page)
	for name, begin := range map[string]string{config: "```caddyfile\n{\n", request: "```http\n"} {
		at := strings.LastIndex(page, begin)
		if at < 0 {
			w.t.Fatalf("%s has no block for %s", w.page, name)
		}
		_, content, _ := strings.Cut(page[at:], "\n")
		content, _, _ = strings.Cut(content, "\n```")
		w.write(name, w.ports.Replace(content), 0o600)
	}
}

// varying matches what is different each time, in what a page says a command prints.
var varying = regexp.MustCompile(strings.Join([]string{
	`(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})`,
	`(?P<part>[0-9a-f]{8}-[0-9a-f]{2}…)`,
	`(?P<moment>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?|\d\d:\d\d:\d\d|\b1[67]\d{8}\b)`,
	`(?P<figure>\b\d+(?:\.\d+)? (?:ms|s)\b|\b\d+\.\d+/s)`,
	`(?P<age>\b\d+s\s\s+)`,
	`(?P<any>\s*…)`,
	`(?P<space>\s+)`,
}, "|"))

// matches reports whether a command printed what the page says. IDs of the page stand
// for the same IDs from then on.
func (w *walk) matches(printed []string, out string) bool {
	w.t.Helper()
	if printed == nil {
		return true
	}
	var ids []string
	var pattern strings.Builder
	for _, line := range printed {
		if line == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		pattern.WriteString(`\s*` + varyingPattern(w.ports.Replace(strings.TrimSpace(line)), w.ids, &ids) + `\s*\n`)
	}
	found := regexp.MustCompile(`^` + pattern.String() + `$`).FindStringSubmatch(strings.TrimRight(out, "\n") + "\n")
	if found == nil {
		return false
	}
	for i, id := range ids {
		w.ids[id] = found[i+1]
	}
	return true
}

// varyingPattern makes the pattern of a line. IDs that are not known yet become groups.
func varyingPattern(line string, known map[string]string, ids *[]string) string {
	var pattern strings.Builder
	at := 0
	for _, match := range varying.FindAllStringIndex(line, -1) {
		pattern.WriteString(regexp.QuoteMeta(line[at:match[0]]))
		text := line[match[0]:match[1]]
		at = match[1]
		names := varying.FindStringSubmatch(text)
		switch {
		case names != nil && names[1] == text:
			switch {
			case known[text] != "":
				pattern.WriteString(regexp.QuoteMeta(known[text]))
			case slices.Contains(*ids, text):
				pattern.WriteString(`[0-9a-f-]{36}`)
			default:
				*ids = append(*ids, text)
				pattern.WriteString(`([0-9a-f-]{36})`)
			}
		case strings.TrimSpace(text) == "":
			pattern.WriteString(`\s+`)
		case strings.HasSuffix(text, "…"):
			pattern.WriteString(`.*`)
		case strings.HasSuffix(text, "  "):
			pattern.WriteString(`[\dhm]*\d+s\s+`)
		default:
			pattern.WriteString(regexp.MustCompile(`[\d.]+`).ReplaceAllString(regexp.MustCompile(`Z$`).ReplaceAllString(text, ``), `[\d.]+`) + `(?:Z|[+-]\d\d:\d\d)?`)
		}
	}
	return pattern.String() + regexp.QuoteMeta(line[at:])
}
