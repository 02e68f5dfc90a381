package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/objrepl/replication"
)

const (
	longestBar  = 30
	shortestBar = 8
)

// A view is what one redraw shows.
type view struct {
	replication.Progress
	policy string        // empty where it goes without saying
	rate   float64       // bytes a second
	left   time.Duration // negative while it is not known
}

// A part is a piece of the line. Where the terminal is too narrow, the parts
// with the highest rank are left out first.
type part struct {
	text string
	rank int
}

// line renders the view in at most width columns of plain ASCII. While the
// listing goes on, the total grows with it, which a plus says, and there is no
// bar: a pass lists no further ahead than it has to, so a share of what is known
// by then would stand near 100% all the time.
func (v view) line(width int) string {
	head := ""
	if v.policy != "" {
		head = ascii(v.policy, 20) + ": "
	}
	bar := v.ListingDone && v.Planned > 0
	// The percentage and the brackets around the bar take eight columns.
	const around = 8
	parts := v.parts()
	for rank := highestRank; rank >= 0; rank-- {
		text := join(parts, rank)
		room := width - len(head) - len(text)
		switch {
		case bar && room >= around+shortestBar:
			return head + v.bar(min(room-around, longestBar)) + " " + text
		case !bar && room >= 0:
			return head + text
		}
	}
	text := join(parts, 0)
	if full := fmt.Sprintf("%3d%% %s", v.percent(), text); bar && len(full) <= width {
		return full
	}
	return text[:max(min(len(text), width), 0)]
}

const highestRank = 5

func (v view) parts() []part {
	var parts []part
	add := func(rank int, format string, args ...any) {
		parts = append(parts, part{fmt.Sprintf(format, args...), rank})
	}
	more := ""
	if !v.ListingDone {
		more = "+"
	}
	switch {
	case v.Planned > 0:
		add(0, "%s/%s%s objects", humanCount(v.Done), humanCount(v.Planned), more)
		add(3, "%s of %s%s", humanBytes(v.DoneBytes), humanBytes(v.PlannedBytes), more)
	case v.ListingDone:
		add(0, "%s objects listed", humanCount(v.Listed))
	default:
		add(0, "listing, %s objects", humanCount(max(v.Listed, v.Unchanged)))
	}
	if v.rate >= 1 {
		add(2, "%s/s", humanBytes(int64(v.rate)))
	}
	if v.left >= 0 {
		add(1, "%s left", countdown(v.left))
	}
	if v.Unchanged > 0 {
		add(5, "%s unchanged", humanCount(v.Unchanged))
	}
	if v.Deleted > 0 {
		add(4, "%s deleted", humanCount(v.Deleted))
	}
	if v.Failed > 0 {
		add(1, "%s failed", humanCount(v.Failed))
	}
	return parts
}

func join(parts []part, rank int) string {
	var texts []string
	for _, p := range parts {
		if p.rank <= rank {
			texts = append(texts, p.text)
		}
	}
	return strings.Join(texts, ", ")
}

// bar has the library draw " 42% [====>   ]" with the given length inside the
// brackets. It draws into nothing: the console decides where the text goes.
func (v view) bar(length int) string {
	b := progressbar.NewOptions(100,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetWidth(length),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetTheme(progressbar.Theme{
			Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]",
		}),
	)
	// Neither fails: the writer does not, and the number is within the maximum.
	_ = b.Set(v.percent())
	_ = b.RenderBlank()
	// The library leaves room for a sign before the percentage.
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), "\r "), "  ")
}

// percent is 100 only when nothing is left.
func (v view) percent() int {
	done, total := work(v.Progress)
	if v.Done >= v.Planned || total <= 0 {
		return 100
	}
	return int(min(float64(done)/float64(total)*100, 99))
}

// countdown renders a duration in full seconds: 42s, 3m05s, 2h07m.
func countdown(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}

// ascii makes text one byte a column, at most so many.
func ascii(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > most {
		return s[:most-2] + ".."
	}
	return s
}
