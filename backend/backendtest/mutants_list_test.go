package backendtest_test

import (
	"context"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/objrepl/replication/backend"
)

// listMutants are broken in listings.
var listMutants = []mutation{
	{"keys in the order of directories", "list-order", func(m *mutant) {
		m.sorted(func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) })
	}},
	{"keys in the order of UTF-16", "list-order", func(m *mutant) {
		m.sorted(func(a, b string) int { return slices.Compare(utf16Of(a), utf16Of(b)) })
	}},
	{"each page is reversed", "list-order", func(m *mutant) {
		m.pages(func(page []backend.Object) []backend.Object { slices.Reverse(page); return page })
	}},
	{"a prefix is a directory", "list-prefix", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			if !strings.HasSuffix(o.Prefix, "/") {
				o.Prefix += "/"
			}
			return m.Backend.List(ctx, o)
		}
	}},
	{"a prefix is made valid UTF-8", "list-prefix-in-rune", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			o.Prefix = strings.ToValidUTF8(o.Prefix, "\ufffd")
			return m.Backend.List(ctx, o)
		}
	}},
	{"After is inclusive", "list-after", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			if o.After != "" {
				o.After = o.After[:len(o.After)-1] + string(o.After[len(o.After)-1]-1) + "\xff\xff"
			}
			return m.Backend.List(ctx, o)
		}
	}},
	{"After skips to a directory's end", "list-after", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			if strings.HasSuffix(o.After, "/b!") {
				o.After = strings.TrimSuffix(o.After, "/b!") + "/\xff"
			}
			return m.Backend.List(ctx, o)
		}
	}},
	{"Until is exclusive", "list-until", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			inner := m.Backend.List(ctx, o)
			return func(yield func([]backend.Object, error) bool) {
				for page, err := range inner {
					page = slices.DeleteFunc(page, func(obj backend.Object) bool { return obj.Key == o.Until })
					if !yield(page, err) {
						return
					}
				}
			}
		}
	}},
	{"Until ignored beside After", "list-range", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			if o.After != "" {
				o.Until = ""
			}
			return m.Backend.List(ctx, o)
		}
	}},
	{"an empty listing is an error", "list-empty", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			return func(yield func([]backend.Object, error) bool) {
				n := 0
				for page, err := range m.Backend.List(ctx, o) {
					if n += len(page); !yield(page, err) {
						return
					}
				}
				if n == 0 && strings.Contains(o.Prefix, "list-empty") {
					yield(nil, failure("list", "", fs.ErrNotExist))
				}
			}
		}
	}},
	{"a listing goes on after break", "list-break", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			return func(yield func([]backend.Object, error) bool) {
				for page, err := range m.Backend.List(ctx, o) {
					yield(page, err)
				}
			}
		}
	}},
	{"one page for all", "list-page-owned", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			return func(yield func([]backend.Object, error) bool) {
				var shared []backend.Object
				for page, err := range m.Backend.List(ctx, o) {
					if shared = append(shared[:0], page...); !yield(shared, err) {
						return
					}
				}
			}
		}
	}},
	{"the first key after a page border is lost", "list-many", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			return func(yield func([]backend.Object, error) bool) {
				seen := 0
				for page, err := range m.Backend.List(ctx, o) {
					if seen >= 1000 && seen < 1010 && len(page) > 0 {
						page = page[1:]
					}
					if seen += 7; !yield(page, err) {
						return
					}
				}
			}
		}
	}},
	{"a long listing ends early without an error", "list-many", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			return func(yield func([]backend.Object, error) bool) {
				seen := 0
				for page, err := range m.Backend.List(ctx, o) {
					if seen += len(page); !yield(page, err) || seen >= 1000 {
						return
					}
				}
			}
		}
	}},
	{"pages by position, not by key", "list-while-writing", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			return func(yield func([]backend.Object, error) bool) {
				for at := 0; ; at += 7 {
					var all []backend.Object
					for page, err := range m.Backend.List(ctx, o) {
						if err != nil {
							yield(nil, err)
							return
						}
						all = append(all, page...)
					}
					if at >= len(all) || !yield(all[at:min(at+7, len(all))], nil) {
						return
					}
				}
			}
		}
	}},
}
