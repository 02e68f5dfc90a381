package replication

import (
	"context"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
)

// splitRows is how many ledger rows make it worth while to list in parallel.
const splitRows = 50_000

// split returns the keys that divide a pass into shards: those that divide the
// ledger, which cost nothing, or for a first pass some that probes find. A
// store in which a listing cannot start at a key is read in one go.
func (p *pass) split(ctx context.Context) ([]string, error) {
	if p.shards < 2 || !p.source.props.StartAfter || !p.destination.props.StartAfter {
		return nil, nil
	}
	if n := p.ledger.Rows(); n > 0 {
		return p.ledger.Splits(int(min(int64(p.shards), n/splitRows+1))), nil
	}
	splits, err := (&prober{endpoint: p.source, again: p.again}).splits(ctx, p.shards)
	return splits, p.source.wrap(err)
}

// A prober finds keys that divide a listing into parts of about the same size,
// with one LIST request a question, at most about 30 in all. It asks what the
// keys share, where the last one lies, and then assumes that they spread evenly
// over the characters that it has seen.
type prober struct {
	endpoint *endpoint
	again    retrier
}

// top is greater than any character that a key goes on with.
const top = string(utf8.MaxRune)

func (p *prober) splits(ctx context.Context, n int) ([]string, error) {
	page, err := p.page(ctx, "")
	if err != nil || len(page) == 0 {
		return nil, err
	}
	first, last := page[0], page[len(page)-1]
	if more, err := p.after(ctx, last); err != nil || !more {
		return nil, err
	}
	shared, err := p.shared(ctx, first, last)
	if err != nil {
		return nil, err
	}
	digits := alphabet(page, len(shared))
	if len(digits) < 2 {
		return nil, nil
	}
	bound, err := p.lastBound(ctx, shared, digits)
	if err != nil {
		return nil, err
	}
	return interpolate(shared, digits, first, bound, n), nil
}

// page returns the relative keys of the first page after a key.
func (p *prober) page(ctx context.Context, after string) (keys []string, err error) {
	err = p.again.call(ctx, func() error {
		keys, err = p.ask(ctx, after)
		return err
	})
	return keys, err
}

func (p *prober) ask(ctx context.Context, after string) ([]string, error) {
	opts := backend.ListOptions{Prefix: p.endpoint.prefix}
	if after != "" {
		opts.After = p.endpoint.key(after)
	}
	for page, err := range p.endpoint.List(ctx, opts) {
		if err != nil {
			return nil, err
		}
		keys := make([]string, len(page))
		for i, o := range page {
			keys[i] = o.Key[len(p.endpoint.prefix):]
		}
		return keys, nil
	}
	return nil, nil
}

// after reports whether there is any key after the given one.
func (p *prober) after(ctx context.Context, key string) (bool, error) {
	page, err := p.page(ctx, key)
	return len(page) > 0, err
}

// shared returns the longest beginning that all keys have in common, between
// nothing and what the first and a later key share.
func (p *prober) shared(ctx context.Context, first, later string) (string, error) {
	common := 0
	for common < len(first) && common < len(later) && first[common] == later[common] {
		common++
	}
	var failure error
	// The shorter the beginning, the fewer keys lie beyond it.
	n := sort.Search(common+1, func(i int) bool {
		beginning := validPrefix(first[:common-i])
		if failure != nil || beginning == "" {
			return true
		}
		beyond, err := p.after(ctx, beginning+top)
		failure = err
		return !beyond
	})
	return validPrefix(first[:max(0, common-n)]), failure
}

// validPrefix cuts a rune off that is not whole.
func validPrefix(s string) string {
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// alphabet returns the ASCII characters with which the keys go on, sorted.
func alphabet(keys []string, from int) []byte {
	var seen [utf8.RuneSelf]bool
	for _, k := range keys {
		for i := from; i < len(k) && i < from+8; i++ {
			if k[i] < utf8.RuneSelf && k[i] >= ' ' {
				seen[k[i]] = true
			}
		}
	}
	var out []byte
	for c, ok := range seen {
		if ok {
			out = append(out, byte(c))
		}
	}
	return out
}

// lastBound returns a key near the last one: shared and two characters more.
func (p *prober) lastBound(ctx context.Context, shared string, digits []byte) (string, error) {
	bound := shared
	for range 2 {
		var failure error
		i := sort.Search(len(digits), func(i int) bool {
			if failure != nil {
				return true
			}
			beyond, err := p.after(ctx, bound+string(digits[i])+top)
			failure = err
			return !beyond
		})
		if failure != nil {
			return "", failure
		}
		bound += string(digits[min(i, len(digits)-1)])
	}
	return bound, nil
}

// depth is how many characters take part in the interpolation.
const depth = 5

// interpolate returns n-1 keys that divide the range from first to bound
// evenly, as numbers whose digits are the characters seen.
func interpolate(shared string, digits []byte, first, bound string, n int) []string {
	base := len(digits)
	value := func(key string, rest int) (v int) {
		for i := range depth {
			d := rest
			if at := len(shared) + i; at < len(key) {
				d, _ = slices.BinarySearch(digits, key[at])
			}
			v = v*base + min(d, base-1)
		}
		return v
	}
	low, high := value(first, 0), value(bound, base-1)
	var out []string
	for i := 1; i < n; i++ {
		v := low + (high-low)*i/n
		text := make([]byte, depth)
		for j := depth - 1; j >= 0; j-- {
			text[j] = digits[v%base]
			v /= base
		}
		key := shared + strings.TrimRight(string(text), string(digits[0]))
		if key > first && (len(out) == 0 || key > out[len(out)-1]) {
			out = append(out, key)
		}
	}
	return out
}
