package module

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"
)

// tableOf returns the cells of the table below a heading of a page.
func tableOf(t *testing.T, page, heading string) (rows [][]string) {
	t.Helper()
	_, section, _ := strings.Cut(page, "\n"+heading+"\n")
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch {
		case strings.HasPrefix(line, "#"):
			return rows
		case strings.HasPrefix(line, "| `"):
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

// column returns a column of a table, without the quotes of code.
func column(rows [][]string, i int) (cells []string) {
	for _, row := range rows {
		cells = append(cells, strings.ReplaceAll(row[i], "`", ""))
	}
	return cells
}

// described matches what a description of a metric prints.
var described = regexp.MustCompile(`^Desc\{fqName: "caddy_webhook_gateway_(\w+)", .*variableLabels: \{(.*)\}\}$`)

// TestMonitoringPage compares docs/monitoring.md with the metrics that are registered,
// the outcomes of requests, the alert rules, the events, and the messages of the log.
func TestMonitoringPage(t *testing.T) {
	content, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)

	var registered, told []string
	for _, c := range collectors() {
		kind := "gauge"
		switch c.(type) {
		case *prometheus.CounterVec:
			kind = "counter"
		case *prometheus.HistogramVec:
			kind = "histogram"
		}
		descs := make(chan *prometheus.Desc, 100)
		c.Describe(descs)
		close(descs)
		for d := range descs {
			parts := described.FindStringSubmatch(d.String())
			if parts == nil {
				t.Fatalf("%s is not read", d)
			}
			registered = append(registered, parts[1]+" "+kind+" "+parts[2])
		}
	}
	for _, row := range tableOf(t, page, "## Metrics") {
		labels := strings.NewReplacer("`", "", ", ", ",").Replace(row[2])
		told = append(told, strings.Trim(row[0], "`")+" "+row[1]+" "+labels)
	}
	slices.Sort(registered)
	slices.Sort(told)
	checkMetricNames(t, registered)
	if !slices.Equal(told, registered) {
		t.Errorf("registered are\n%s\nthe page has\n%s", strings.Join(registered, "\n"), strings.Join(told, "\n"))
	}

	if got := column(tableOf(t, page, "### Outcomes of requests"), 0); !slices.Equal(got, outcomes) {
		t.Errorf("the outcomes are %v; the page has %v", outcomes, got)
	}
	if got, want := column(tableOf(t, page, "## Caddy events"), 0), []string{alertDeadLetter, alertFailing, alertRecovered}; !slices.Equal(got, want) {
		t.Errorf("the events are %v; the page has %v", want, got)
	}

	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert  string
				Labels struct{ Severity string }
			}
		}
	}
	alerts, err := os.ReadFile("../examples/prometheus/alerts.yml")
	if err == nil {
		err = yaml.Unmarshal(alerts, &rules)
	}
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, rule := range rules.Groups[0].Rules {
		want = append(want, rule.Alert+" "+rule.Labels.Severity)
	}
	var got []string
	for _, row := range tableOf(t, page, "## Alerts") {
		got = append(got, strings.Trim(row[0], "`")+" "+row[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("the alerts are %q; the page has %q", want, got)
	}

	source := sources(t)
	for _, message := range column(tableOf(t, page, "## Logs"), 0) {
		begins := strings.TrimSuffix(strings.TrimSuffix(message, "…"), " by an operator")
		if !strings.Contains(source, `"`+begins) {
			t.Errorf("nothing logs %q", message)
		}
	}
}

// sources returns the code of the gateway, without tests.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		all.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// checkMetricNames looks for metrics that a page names, and that are not registered.
func checkMetricNames(t *testing.T, registered []string) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range metricName.FindAllStringSubmatch(string(content), -1) {
			name := match[1] + strings.TrimPrefix(match[2], "caddy_webhook_gateway_")
			for _, suffix := range []string{"_bucket", "_sum", "_count"} { // of a histogram
				name = strings.TrimSuffix(name, suffix)
			}
			const ofTheLog = "enough_entries"
			if name != ofTheLog && !slices.ContainsFunc(registered, func(known string) bool { return strings.HasPrefix(known, name+" ") }) {
				t.Errorf("%s names the metric %s, which is not registered", page, name)
			}
		}
	}
}

// metricName matches the full name of a metric, and a short one that stands in code by
// itself and ends as metrics do.
var metricName = regexp.MustCompile("\\bcaddy_webhook_gateway_([a-z]+(?:_[a-z]+)*)|`([a-z_]+_(?:total|seconds|bytes|entries))(?:\\{[^`]*)?`")
