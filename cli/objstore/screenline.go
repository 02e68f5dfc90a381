package main

import "fmt"

// A screenLine is one line at the bottom of a terminal that is drawn over and
// over. It returns what to write in place of writing it, and is not safe for
// concurrent use. Its text has one column per byte.
//
// Every redraw is one write that begins at the left border and ends with an
// erasure of what is left of the old line: nothing is blank in between, so
// nothing flickers. The sequences are those of ECMA-48.
type screenLine struct {
	text  string
	width int // of the terminal, when text was drawn
}

const eraseToEnd = "\x1b[K" // of the line
const eraseBelow = "\x1b[J" // to the end of the screen
const cursorUp = "\x1b[%dA" // by so many rows
const leftBorder = "\r"

// replace draws text, cut to a terminal of width columns. The last column
// stays free: writing to it would wrap the cursor on some terminals.
func (l *screenLine) replace(text string, width int) string {
	if len(text) > width-1 {
		text = text[:max(width-1, 0)]
	}
	if text == l.text && (width == l.width || text == "") {
		return ""
	}
	begin, end := l.home(width), eraseToEnd
	if begin != leftBorder || text == "" {
		end = eraseBelow
	}
	l.text, l.width = text, width
	return begin + text + end
}

// erase takes the line off the screen and leaves the cursor at its beginning.
func (l *screenLine) erase(width int) string {
	if l.text == "" {
		return ""
	}
	return l.replace("", width)
}

// home moves to where the line begins. Terminals reflow their lines when they
// get narrower, so the line may have come to fill several rows, with the
// cursor in the last.
func (l *screenLine) home(width int) string {
	if l.text == "" || width <= 0 || width >= l.width {
		return leftBorder
	}
	if rows := (len(l.text) - 1) / width; rows > 0 {
		return leftBorder + fmt.Sprintf(cursorUp, rows)
	}
	return leftBorder
}
