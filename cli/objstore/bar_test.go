package main

import (
	"strings"
	"testing"
	"time"

	"github.com/objrepl/replication"
)

var views = map[string]view{
	"listing": {Progress: replication.Progress{Listed: 12345, Unchanged: 12000}, left: -1},
	"growing": {Progress: replication.Progress{Listed: 5000, Planned: 4000, PlannedBytes: 9 << 30, Done: 1200, DoneBytes: 3 << 30, Failed: 2}, rate: 12 << 20, left: -1},
	"steady":  {Progress: replication.Progress{Listed: 1234567, ListingDone: true, Planned: 1234567, PlannedBytes: 9 << 40, Done: 1000000, DoneBytes: 3 << 40, Unchanged: 1000, Deleted: 17, Failed: 2}, rate: 123 << 20, left: 2*time.Hour + 7*time.Minute, policy: "a-policy-of-a-rather-long-name/ü"},
	"done":    {Progress: replication.Progress{Listed: 3, ListingDone: true, Planned: 3, PlannedBytes: 30, Done: 3, DoneBytes: 30}, rate: 30, left: 0},
	"halfway": {Progress: replication.Progress{Listed: 20, ListingDone: true, Planned: 10, PlannedBytes: 100 << 10, Done: 5, DoneBytes: 50 << 10}, rate: 10 << 10, left: 5 * time.Second},
	"nothing": {Progress: replication.Progress{Listed: 3, ListingDone: true}, left: -1},
}

func TestLineFitsEveryWidth(t *testing.T) {
	for name, v := range views {
		for width := -1; width <= 250; width++ {
			line := v.line(width)
			if len(line) > max(width, 0) {
				t.Errorf("%s at %d columns is %d long: %q", name, width, len(line), line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%s at %d columns is not plain ASCII: %q", name, width, line)
			}
		}
	}
}

func TestLine(t *testing.T) {
	for _, test := range []struct {
		view  string
		width int
		want  string
	}{
		{"listing", 79, "listing, 12,345 objects, 12,000 unchanged"},
		{"listing", 30, "listing, 12,345 objects"},
		{"listing", 10, "listing, 1"},
		{"growing", 79, "1,200/4,000+ objects, 3.0 GiB of 9.0 GiB+, 12 MiB/s, 2 failed"},
		{"growing", 60, "1,200/4,000+ objects, 12 MiB/s, 2 failed"},
		{"growing", 30, "1,200/4,000+ objects, 2 failed"},
		{"growing", 29, "1,200/4,000+ objects"},
		{"steady", 79, "a-policy-of-a-rath..:  33% [======>               ] 1,000,000/1,234,567 objects"},
		{"halfway", 79, " 50% [=========>           ] 5/10 objects, 50 KiB of 100 KiB, 10 KiB/s, 5s left"},
		{"halfway", 60, " 50% [=========>           ] 5/10 objects, 10 KiB/s, 5s left"},
		{"halfway", 20, " 50% 5/10 objects"},
		{"halfway", 15, "5/10 objects"},
		{"done", 79, "100% [=============================] 3/3 objects, 30 B of 30 B, 30 B/s, 0s left"},
		{"nothing", 79, "3 objects listed"},
	} {
		if got := views[test.view].line(test.width); got != test.want {
			t.Errorf("%s at %d columns\n got %q\nwant %q", test.view, test.width, got, test.want)
		}
	}
}

func TestPercentIsFullOnlyAtTheEnd(t *testing.T) {
	v := view{Progress: replication.Progress{Planned: 1 << 20, PlannedBytes: 1 << 50, Done: 1<<20 - 1, DoneBytes: 1 << 50}}
	if p := v.percent(); p != 99 {
		t.Errorf("with one object left it is %d%%", p)
	}
	v.Done++
	if p := v.percent(); p != 100 {
		t.Errorf("with none left it is %d%%", p)
	}
}

func TestCountdown(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Millisecond: "1s", 59 * time.Second: "59s", 185 * time.Second: "3m05s",
		2*time.Hour + 7*time.Minute: "2h07m", 1000 * time.Hour: "1000h00m",
	} {
		if got := countdown(d); got != want {
			t.Errorf("countdown(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestPaceFollowsTheLastSeconds(t *testing.T) {
	start := time.Unix(1000, 0)
	c := &passCounters{started: start}
	var p pace
	g := replication.Progress{ListingDone: true, Planned: 1, PlannedBytes: 100_000_000}
	var rate float64
	var left time.Duration
	for s := 1; s <= 20; s++ {
		g.DoneBytes += 1_000_000
		rate, left = p.update(c, start.Add(time.Duration(s)*time.Second), g)
	}
	if rate != 1_000_000 {
		t.Errorf("rate is %v", rate)
	}
	if left < 79*time.Second || left > 81*time.Second {
		t.Errorf("time left is %v", left)
	}
	for s := 21; s <= 30; s++ {
		rate, left = p.update(c, start.Add(time.Duration(s)*time.Second), g)
	}
	if rate != 0 || left >= 0 {
		t.Errorf("of a pass that hangs, rate is %v and time left %v", rate, left)
	}
	g.ListingDone = false
	g.DoneBytes += 1000
	if _, left = p.update(c, start.Add(31*time.Second), g); left >= 0 {
		t.Errorf("while the total grows, time left is %v", left)
	}
}
