package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"
)

// print writes one document to standard output: as JSON or YAML, or what
// table makes of it.
func (a *app) print(document any, render func(*table)) error {
	if a.output == formatTable {
		t := &table{w: tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)}
		render(t)
		return t.w.Flush()
	}
	text, err := a.encode(document)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}

// encode renders a document as indented JSON, or as YAML with the same fields
// in the same order.
func (a *app) encode(document any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document); err != nil {
		return nil, err
	}
	if a.output == formatJSON {
		return b.Bytes(), nil
	}
	// JSON is YAML in flow style, so the tree is read back and printed in block
	// style: what marshals itself to JSON need not know about YAML.
	var node yaml.Node
	if err := yaml.Unmarshal(b.Bytes(), &node); err != nil {
		return nil, err
	}
	blockStyle(&node)
	b.Reset()
	y := yaml.NewEncoder(&b)
	y.SetIndent(2)
	if err := y.Encode(&node); err != nil {
		return nil, err
	}
	return b.Bytes(), y.Close()
}

func blockStyle(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!str" {
		n.Style = 0
	}
	for _, child := range n.Content {
		blockStyle(child)
	}
}

// A table lays out text for people in columns. Its form may change.
type table struct{ w *tabwriter.Writer }

// row prints cells in columns of their own.
func (t *table) row(cells ...string) {
	for i := range cells {
		// A tab or a newline would break the columns.
		cells[i] = oneLine(cells[i])
		if cells[i] == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// field prints a name and its value, unless that is empty.
func (t *table) field(name, value string) {
	if value != "" {
		t.row(name+":", value)
	}
}

// line prints text that belongs to no column.
func (t *table) line(format string, args ...any) {
	io.WriteString(t.w, oneLine(fmt.Sprintf(format, args...))+"\n")
}

// localTime renders a moment for a person: empty where there is none.
func localTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.RFC3339)
}

// shorten keeps a cell from pushing the others off the screen. It cuts the
// middle out, since both ends of a path or an id tell more.
func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	head := (most - 1) / 2
	return string(r[:head]) + "…" + string(r[len(r)-(most-1-head):])
}
