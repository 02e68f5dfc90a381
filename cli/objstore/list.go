package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication/backend"
)

func (a *app) listCommand() *cobra.Command {
	var (
		store storeFlags
		limit int64
	)
	cmd := &cobra.Command{
		Use:   "list [PREFIX]",
		Short: "List the objects whose keys begin with PREFIX",
		Args:  args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("", "--limit is negative")
			}
			opts := backend.ListOptions{}
			if len(args) == 1 {
				opts.Prefix = args[0]
			}
			return a.withStore(cmd, &store, func(ctx context.Context, b backend.Backend) error {
				out := newListing(a, b.Properties().CheckClass != nil)
				err := printPages(ctx, b, opts, limit, out)
				return out.end(err)
			})
		},
	}
	store.add(cmd)
	cmd.Flags().Int64Var(&limit, "limit", 0, "list at most `N` objects (default all)")
	return cmd
}

func printPages(ctx context.Context, b backend.Backend, opts backend.ListOptions, limit int64, out *listing) error {
	var n int64
	for page, err := range b.List(ctx, opts) {
		if err != nil {
			return err
		}
		for _, o := range page {
			if limit > 0 && n == limit {
				out.a.console.Printf("stopped at --limit %d; there are more\n", limit)
				return nil
			}
			if err := out.add(document(o)); err != nil {
				return err
			}
			n++
		}
		// A slow listing shows what it has.
		if err := out.w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// A listing writes objects as they come, since a store may hold more than
// memory does: one array in JSON and YAML, fixed columns for people.
type listing struct {
	a       *app
	w       *bufio.Writer
	classes bool // the store has them
	count   int64
}

func newListing(a *app, classes bool) *listing {
	return &listing{a: a, w: bufio.NewWriter(a.stdout), classes: classes}
}

// line writes the columns for people. The key comes last, so that its length
// disturbs nothing.
func (l *listing) line(size, modified, class, key string) error {
	width := len("2006-01-02T15:04:05-07:00")
	if l.a.columns > 0 {
		width = len(minuteForm)
	}
	if l.classes {
		modified = pad(modified, width+columnGap) + class
		width += columnGap + len("INTELLIGENT_TIERING")
	}
	_, err := fmt.Fprintf(l.w, "%10s  %s  %s\n", size, pad(modified, width), key)
	return err
}

func (l *listing) add(d objectDocument) error {
	first := l.count == 0
	l.count++
	switch l.a.output {
	case formatJSON:
		before := ",\n  "
		if first {
			before = "[\n  "
		}
		io.WriteString(l.w, before)
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(d); err != nil {
			return err
		}
		_, err := l.w.Write(bytes.TrimSpace(b.Bytes()))
		return err
	case formatYAML:
		text, err := l.a.encode([]objectDocument{d})
		if err != nil {
			return err
		}
		_, err = l.w.Write(text)
		return err
	}
	if first {
		if err := l.line("SIZE", "MODIFIED", "CLASS", "KEY"); err != nil {
			return err
		}
	}
	if d.Problem != "" {
		return l.line("-", "-", "-", oneLine(d.Key)+"  ("+oneLine(d.Problem)+")")
	}
	return l.line(humanBytes(d.Size), l.a.time(d.Modified), dashed(d.StorageClass), oneLine(d.Key))
}

// end closes the array, also that of a listing which failed half-way, whose
// error it returns.
func (l *listing) end(err error) error {
	switch {
	case l.a.output == formatJSON && l.count > 0:
		io.WriteString(l.w, "\n]\n")
	case l.a.output != formatTable && l.count == 0:
		io.WriteString(l.w, "[]\n")
	}
	if flushing := l.w.Flush(); err == nil {
		err = flushing
	}
	return err
}

// sizeField renders a size in units and, where that rounds it, in bytes.
func sizeField(n int64) string {
	if n < 1024 {
		return humanBytes(n)
	}
	return fmt.Sprintf("%s (%s bytes)", humanBytes(n), humanCount(n))
}

func showObject(t *table, d objectDocument) {
	t.field("key", d.Key)
	t.field("size", sizeField(d.Size))
	t.field("tag", d.Tag)
	t.field("modified", localTime(d.Modified))
	t.field("storage class", d.StorageClass)
	if d.ObjectTags == nil && d.ObjectTagCount > 0 {
		t.field("object tags", humanCount(int64(d.ObjectTagCount))+" (--tags shows them)")
	}
	for _, name := range slices.Sorted(maps.Keys(d.ObjectTags)) {
		t.field("object tag "+name, d.ObjectTags[name])
	}
	m := d.Metadata
	if m == nil {
		return
	}
	t.field("content type", m.ContentType)
	t.field("content encoding", m.ContentEncoding)
	t.field("content language", m.ContentLanguage)
	t.field("content disposition", m.ContentDisposition)
	t.field("cache control", m.CacheControl)
	t.field("mod time", localTime(m.ModTime))
	for _, name := range slices.Sorted(maps.Keys(m.User)) {
		t.field("metadata "+name, m.User[name])
	}
}
