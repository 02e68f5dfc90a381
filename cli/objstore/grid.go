package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A column of a grid.
type column struct {
	name string
	// below: where a row is too wide for the terminal, the cell goes below it,
	// behind the column's name.
	below bool
}

const (
	columnGap = 2
	// maxBelow bounds, in characters, what stands below a row.
	maxBelow = 400
)

// grid prints one record a row. To a file or a pipe that is one line each, with
// every cell whole, so that a line says all. A terminal that such lines do not
// fit gets shorter ones: without columns that have nothing to say, with long
// cells below, and if need be with the first cell on a line of its own.
func (t *table) grid(columns []column, rows [][]string) {
	t.endFields()
	head := make([]string, len(columns))
	every := make([]int, len(columns))
	for i, c := range columns {
		head[i], every[i] = c.name, i
	}
	for _, row := range rows {
		for i := range row {
			row[i] = dashed(oneLine(row[i]))
		}
	}
	lines := append([][]string{head}, rows...)
	widths := widthsOf(lines)
	if t.columns == 0 || span(widths, every) <= t.columns {
		for _, line := range lines {
			t.text(laidOut(line, widths, every))
		}
		return
	}
	var beside, below []int
	for i, c := range columns {
		said := slices.ContainsFunc(rows, func(row []string) bool { return !idle(row[i]) })
		switch {
		case c.below && said:
			below = append(below, i)
		case !c.below && said || i == 0:
			beside = append(beside, i)
		}
	}
	label := 0
	for _, i := range below {
		label = max(label, len(head[i])+columnGap)
	}
	apart := span(widths, beside) > t.columns
	for n, line := range lines {
		if apart {
			t.text(line[0])
			t.text("  " + laidOut(line, widths, beside[1:]))
		} else {
			t.text(laidOut(line, widths, beside))
		}
		for _, i := range below {
			if n > 0 && !idle(line[i]) {
				first := "    " + pad(strings.ToLower(head[i]), label)
				wrap(t.w, first, strings.Repeat(" ", len(first)), shorten(line[i], maxBelow), t.columns)
			}
		}
	}
}

// dashed keeps an empty cell from being taken for that of the next column.
func dashed(cell string) string {
	if cell == "" {
		return "-"
	}
	return cell
}

// idle cells say nothing.
func idle(cell string) bool { return cell == "-" || cell == "0" || cell == "0 B" }

func widthsOf(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// span is how many columns of a terminal these cells take.
func span(widths []int, which []int) int {
	total := (len(which) - 1) * columnGap
	for _, i := range which {
		total += widths[i]
	}
	return total
}

// pad fills a cell up to a width.
func pad(cell string, width int) string {
	return cell + strings.Repeat(" ", max(width-utf8.RuneCountInString(cell), 0))
}

// laidOut puts cells side by side; the last one keeps its own width.
func laidOut(cells []string, widths, which []int) string {
	var b strings.Builder
	for n, i := range which {
		if n == len(which)-1 {
			return b.String() + cells[i]
		}
		b.WriteString(pad(cells[i], widths[i]+columnGap))
	}
	return b.String()
}

// wrap prints text in lines of at most so many columns, the first behind first
// and the others behind rest. It breaks no word, so that a path can be copied.
func wrap(w io.Writer, first, rest, text string, columns int) {
	line, empty := first, true
	for word := range strings.SplitSeq(text, " ") {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			fmt.Fprintln(w, line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	fmt.Fprintln(w, line)
}
