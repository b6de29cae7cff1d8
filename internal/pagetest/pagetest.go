// Package pagetest holds pages of docs against what the code says.
package pagetest

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Says requires that a page of docs has these texts, wherever its lines break.
func Says(t *testing.T, page string, wanted ...string) {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	content, err := os.ReadFile(filepath.Join(filepath.Dir(file), "../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(content)), " ")
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("docs/%s does not say: %s", page, want)
		}
	}
}

// Rows returns the cells of the rows of a text's tables, without their headings.
func Rows(text string) (rows [][]string) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "| ") || i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|---") {
			continue
		}
		line = strings.ReplaceAll(strings.Trim(line, "| "), `\|`, "\x00")
		cells := strings.Split(line, " | ")
		for j := range cells {
			cells[j] = strings.ReplaceAll(strings.TrimSpace(cells[j]), "\x00", "|")
		}
		rows = append(rows, cells)
	}
	return rows
}

var codeSpan = regexp.MustCompile("`([^`]*)`")

// Codes returns what stands between back ticks in a cell.
func Codes(cell string) (texts []string) {
	for _, match := range codeSpan.FindAllStringSubmatch(cell, -1) {
		texts = append(texts, match[1])
	}
	return texts
}

// InWords returns a small number as pages write it.
func InWords(n int) string {
	return []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}[n]
}

// Thousands returns a number with commas.
func Thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	rest := strconv.Itoa(n % 1000)
	return Thousands(n/1000) + "," + strings.Repeat("0", 3-len(rest)) + rest
}
