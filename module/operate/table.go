package operate

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// tableRows is the number of rows after which a table is printed. The columns of
// the next rows are measured anew.
const tableRows = 500

// table prints rows as they come.
type table struct {
	*tabwriter.Writer
	columns []string
	rows    int
}

func newTable(w io.Writer, columns ...string) *table {
	return &table{Writer: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), columns: columns}
}

// begin prints the names of the columns, before the first row or where there is
// none: an error comes without them.
func (t *table) begin() error {
	if t.columns == nil {
		return nil
	}
	_, err := fmt.Fprintln(t, strings.Join(t.columns, "\t"))
	t.columns = nil
	return err
}

// end prints what is left.
func (t *table) end() error {
	if err := t.begin(); err != nil {
		return err
	}
	return t.Flush()
}

// row adds a row.
func (t *table) row(cells ...string) error {
	if err := t.begin(); err != nil {
		return err
	}
	for i, cell := range cells {
		cells[i] = inLine(cell)
	}
	if _, err := fmt.Fprintln(t, strings.Join(cells, "\t")); err != nil {
		return err
	}
	if t.rows++; t.rows%tableRows == 0 {
		return t.Flush()
	}
	return nil
}

// eventTable is a table whose rows begin with what an event is. It has a column for the
// tenant where a source has tenants.
type eventTable struct {
	*table
	tenants bool
}

func (c *client) eventTable(w io.Writer, columns ...string) (*eventTable, error) {
	tenants, err := c.haveTenants()
	first := []string{"ID", "RECEIVED", "SOURCE"}
	if tenants {
		first = append(first, "TENANT")
	}
	return &eventTable{newTable(w, append(first, columns...)...), tenants}, err
}

func (t *eventTable) row(id string, received time.Time, source, tenant string, cells ...string) error {
	first := []string{id, local(received), source}
	if t.tenants {
		first = append(first, tenant)
	}
	return t.table.row(append(first, cells...)...)
}

func local(at time.Time) string { return at.Local().Format(time.DateTime) }

// age tells how long ago something was, roughly.
func age(at time.Time) string {
	d := time.Since(at)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Minute:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return d.Truncate(time.Second).String()
}

// printable replaces characters that would steer the terminal: a sender may have
// chosen them. Lines and tabs stay, for bodies; what stands in a line goes through
// inLine.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// inLine makes a text printable within a line, or a cell of a table.
func inLine(s string) string { return strings.NewReplacer("\n", " ", "\t", " ").Replace(printable(s)) }
