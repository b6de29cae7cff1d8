package disk

import (
	"fmt"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/pagetest"
)

// TestPages holds what pages say of the files against this package.
func TestPages(t *testing.T) {
	for page, wanted := range map[string][]string{
		"backup-and-upgrade.md": {
			fmt.Sprintf("a number for its format is stored in it, now %d |", format),
			fmt.Sprintf("up to %d MiB, for a moment", mostToCompact>>20),
			fmt.Sprintf("when at least %d MiB and half of the file are free", freeToCompact>>20),
			otherFormat("/var/lib/caddy/…/"+fileName, format+1).Error(),
			"queue file was damaged: what reads was copied into a new one", // which salvage logs
			"is in use by another process",
		},
		"architecture.md": bucketRows(),
		"performance.md": {
			"up to " + pagetest.Thousands(maxBatch) + " events are one frame",
			fmt.Sprintf("up to %d ms later", commitPatience.Milliseconds()),
		},
	} {
		pagetest.Says(t, page, wanted...)
	}
}

// bucketRows returns what the page has of sizes, and of each bucket.
func bucketRows() []string {
	rows := []string{
		fmt.Sprintf("Each file has %d MiB", journalSize>>20),
		fmt.Sprintf("pages of %d KiB", filePageSize>>10),
	}
	for _, bucket := range buckets {
		rows = append(rows, "`"+string(bucket)+"`")
	}
	return rows
}
