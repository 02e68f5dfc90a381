//go:build linux

package pairs

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// A matrixTable is what the pairs came to: sources in rows, destinations in columns.
type matrixTable struct {
	mu    sync.Mutex
	cells [5][5]string // guarded by mu
}

func (m *matrixTable) add(i, j int, cell string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cells[i][j] = cell
}

func (p *matrixPair) summary(took time.Duration) string {
	requests := "no requests"
	if len(p.requests) > 0 {
		requests = strings.ReplaceAll(strings.Join(p.requests, " + "), ", 0 more", "")
	}
	return fmt.Sprintf("%d MiB, %d fail, %s, %.0f s", p.bytes/mib, p.failed, requests, took.Seconds())
}

// String is the table in Markdown.
func (m *matrixTable) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	b.WriteString("\n| from \\ to |")
	for _, s := range matrixStores {
		b.WriteString(" " + s.driver.Name() + " |")
	}
	b.WriteString("\n|---|---|---|---|---|---|\n")
	for i, s := range matrixStores {
		b.WriteString("| " + s.driver.Name() + " | " + strings.Join(m.cells[i][:], " | ") + " |\n")
	}
	return b.String()
}
