package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// query is a PromQL expression of an example, with what is made of its result.
type query struct {
	where, expr string
	shown       []string // labels that its texts name
}

// TestMonitoringExamples holds the alert rules and the dashboard against a running
// gateway: the metrics they ask for exist, with the labels and the values that
// they ask for.
func TestMonitoringExamples(t *testing.T) {
	t.Parallel()
	metrics := everyMetric(t)
	t.Run("alerts", func(t *testing.T) { checkQueries(t, metrics, alertQueries(t)) })
	t.Run("dashboard", func(t *testing.T) { checkQueries(t, metrics, dashboardQueries(t)) })
}

// everyMetric runs a gateway until it shows all its metrics, and returns the
// labels of each by its name.
func everyMetric(t *testing.T) map[string][]string {
	t.Helper()
	app := newApp(t, nil)
	down := unstartedApp(t, freeAddress(t), nil)
	sites := insignerSite(app.address, "route down "+down.address+quick+"\nroute gone "+down.address+quick)
	g := start(t, sites)
	g.mustSend("a", "b")
	g.waitForState("a", "app", "delivered")
	g.mustLoad(strings.Replace(sites, "route gone", "route other", 1))
	g.waitForState("a", "gone", "parked")
	header, _ := insigner("x")
	nameless := []byte(`{}`)
	header.Set("X-Insigner-Signature", "sha256="+hmacHex(insignerSecret, nameless))
	if status, answer := g.post("/hook", header, nameless); status != 200 {
		t.Fatalf("an event without ID is answered with %d %s", status, answer)
	}
	metrics := make(map[string][]string)
	for line := range strings.Lines(g.adminText("/metrics")) {
		name := selected.FindString(line)
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		for _, match := range label.FindAllStringSubmatch(line, -1) {
			if !slices.Contains(metrics[name], match[1]) {
				metrics[name] = append(metrics[name], match[1])
			}
		}
		if !slices.Contains(metrics[name], "instance") {
			metrics[name] = append(metrics[name], "instance") // which Prometheus adds
		}
	}
	return metrics
}

func alertQueries(t *testing.T) (queries []query) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For string
				Labels           struct{ Severity string }
				Annotations      struct{ Summary, Description string }
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(readFile(t, "../examples/prometheus/alerts.yml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			texts := rule.Annotations.Summary + rule.Annotations.Description
			if rule.Annotations.Summary == "" || rule.Annotations.Description == "" || !slices.Contains([]string{"warning", "critical"}, rule.Labels.Severity) {
				t.Errorf("%s lacks summary, description or severity", rule.Alert)
			}
			queries = append(queries, query{rule.Alert, rule.Expr, foundBy(alertLabel, texts)})
		}
	}
	return queries
}

func dashboardQueries(t *testing.T) (queries []query) {
	t.Helper()
	var dashboard struct {
		Templating struct {
			List []struct{ Type, Name, Query string }
		}
		Panels []struct {
			Type, Title, Description string
			Targets                  []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "../examples/grafana/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, v := range dashboard.Templating.List {
		if args := labelValues.FindStringSubmatch(v.Query); args != nil {
			queries = append(queries, query{"variable " + v.Name, "group by (" + args[2] + ") (" + args[1] + ")", []string{args[2]}})
		} else if v.Type == "query" {
			t.Errorf("variable %s asks %s", v.Name, v.Query)
		}
	}
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && (panel.Description == "" || len(panel.Targets) == 0) {
			t.Errorf("panel %s lacks description or targets", panel.Title)
		}
		for _, target := range panel.Targets {
			queries = append(queries, query{panel.Title, target.Expr, foundBy(legendLabel, target.LegendFormat)})
		}
	}
	return queries
}

var (
	selected    = regexp.MustCompile(`\b` + prefix + `\w+`)
	selector    = regexp.MustCompile(`\b(` + prefix + `\w+)(?:\{([^}]*)\})?`)
	matcher     = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	grouping    = regexp.MustCompile(`\bby\s*\(([^)]*)\)`)
	alertLabel  = regexp.MustCompile(`\$labels\.(\w+)`)
	legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
	labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
)

// foundBy returns what the group of a pattern finds in a text.
func foundBy(pattern *regexp.Regexp, text string) (found []string) {
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

func checkQueries(t *testing.T, metrics map[string][]string, queries []query) {
	if len(queries) < 10 {
		t.Errorf("there are only %d queries", len(queries))
	}
	for _, q := range queries {
		asked := selector.FindAllStringSubmatch(q.expr, -1)
		if len(asked) == 0 {
			t.Errorf("%s asks for no metric: %s", q.where, q.expr)
		}
		var by []string
		for _, list := range foundBy(grouping, q.expr) {
			by = append(by, strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })...)
		}
		for _, shown := range q.shown {
			if !slices.Contains(by, shown) {
				t.Errorf("%s shows the label %s, which its result has not: %s", q.where, shown, q.expr)
			}
		}
		for _, metric := range asked {
			labels, ok := metrics[metric[1]]
			if !ok {
				t.Errorf("%s asks for %s; there are %v", q.where, metric[1], slices.Sorted(maps.Keys(metrics)))
				continue
			}
			for _, name := range by {
				if !slices.Contains(labels, name) {
					t.Errorf("%s groups %s by %s; its labels are %v", q.where, metric[1], name, labels)
				}
			}
			for _, match := range matcher.FindAllStringSubmatch(metric[2], -1) {
				checkMatcher(t, q.where+" selects "+metric[0], labels, match[1], match[2])
			}
		}
	}
}

// checkMatcher holds what a label is compared with against the values that it may
// have.
func checkMatcher(t *testing.T, where string, labels []string, name, value string) {
	if !slices.Contains(labels, name) {
		t.Errorf("%s by %s; its labels are %v", where, name, labels)
	}
	for part := range strings.SplitSeq(value, "|") {
		if values := fewValues[name]; part != "$"+name && !slices.Contains(values, part) {
			t.Errorf("%s by %s; its values are %v", where, fmt.Sprintf("%s=%q", name, part), values)
		}
	}
}
