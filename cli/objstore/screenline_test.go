package main

import (
	"strings"
	"testing"
)

func TestScreenLineRedrawsInOneWriteAndErasesTheRest(t *testing.T) {
	var l screenLine
	for _, step := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 80, ""},
		{"one", 80, "\rone\x1b[K"},
		{"one", 80, ""},
		{"two", 80, "\rtwo\x1b[K"},
		{strings.Repeat("x", 100), 80, "\r" + strings.Repeat("x", 79) + "\x1b[K"},
		// 79 columns fill two rows of 40: the cursor is in the second.
		{"three", 40, "\r\x1b[1Athree\x1b[J"},
		{"four", 80, "\rfour\x1b[K"},
		{"", 80, "\r\x1b[J"},
		{"", 40, ""},
	} {
		if got := l.replace(step.text, step.width); got != step.want {
			t.Errorf("replace(%q, %d) = %q, want %q", step.text, step.width, got, step.want)
		}
	}
}
