package presets

import "testing"

// TestTables holds that a category stands in one table, so that its name tells where
// a preset is. Who bills has a table beside who takes payments.
func TestTables(t *testing.T) {
	table := make(map[string]*Preset)
	for _, presets := range tables {
		for i := range presets {
			p := &presets[i]
			if &presets[0] == &presetsBilling[0] && p.Category == "payments" {
				continue
			}
			if first := table[p.Category]; first == nil {
				table[p.Category] = &presets[0]
			} else if first != &presets[0] {
				t.Errorf("%s does not stand in the table that begins with %s, as others of category %s", p.Name, first.Name, p.Category)
			}
		}
	}
}
