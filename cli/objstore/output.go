package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// print writes one document to standard output: as JSON or YAML, or what
// table makes of it.
func (a *app) print(document any, render func(*table)) error {
	if a.output == formatTable {
		t := &table{w: tabwriter.NewWriter(a.stdout, 0, 0, columnGap, ' ', 0), columns: a.columns}
		render(t)
		return t.flush()
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
type table struct {
	w       *tabwriter.Writer
	columns int // of the terminal, 0 where there is none
	fields  [][2]string
}

// row prints cells in columns of their own.
func (t *table) row(cells ...string) {
	t.endFields()
	for i := range cells {
		// A tab or a newline would break the columns.
		cells[i] = dashed(oneLine(cells[i]))
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// field prints a name and its value, unless that is empty.
func (t *table) field(name, value string) {
	if value != "" {
		t.fields = append(t.fields, [2]string{oneLine(name) + ":", oneLine(value)})
	}
}

// endFields prints the fields that have come together: a long value takes several
// lines on a terminal, and one elsewhere.
func (t *table) endFields() {
	width := 0
	for _, f := range t.fields {
		width = max(width, utf8.RuneCountInString(f[0])+columnGap)
	}
	for _, f := range t.fields {
		if first := pad(f[0], width); t.columns > 0 {
			wrap(t.w, first, strings.Repeat(" ", width), f[1], t.columns)
		} else {
			t.text(first + f[1])
		}
	}
	t.fields = nil
}

// line prints text that belongs to no column, as one line wherever it goes.
func (t *table) line(format string, args ...any) {
	t.endFields()
	t.text(oneLine(fmt.Sprintf(format, args...)))
}

// sentence prints text that takes several lines on a terminal.
func (t *table) sentence(format string, args ...any) {
	t.endFields()
	text := oneLine(fmt.Sprintf(format, args...))
	if t.columns == 0 {
		t.text(text)
		return
	}
	wrap(t.w, "", "  ", text, t.columns)
}

// text prints a line as it is.
func (t *table) text(line string) { io.WriteString(t.w, line+"\n") }

// flush prints what is still held back.
func (t *table) flush() error {
	t.endFields()
	return t.w.Flush()
}

const minuteForm = "2006-01-02 15:04"

// time renders a moment: to the minute on a terminal, in full elsewhere.
func (a *app) time(at time.Time) string {
	if at.IsZero() || a.columns == 0 {
		return localTime(at)
	}
	return at.Local().Format(minuteForm)
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
