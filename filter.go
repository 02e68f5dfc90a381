package replication

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

const (
	maxGlobs      = 1000
	maxGlobLength = 1024
)

// compileFilter returns the function that says whether a key, without its
// SourcePrefix, is replicated; see Policy.Include. A wrong glob is an error.
func compileFilter(include, exclude []string) (func(key string) bool, error) {
	if err := errors.Join(checkGlobs(include), checkGlobs(exclude)); err != nil {
		return nil, err
	}
	if len(include) == 0 && len(exclude) == 0 {
		return func(string) bool { return true }, nil
	}
	in, out := compileGlobs(include), compileGlobs(exclude)
	return func(key string) bool {
		return (len(in) == 0 || in.match(key)) && !out.match(key)
	}, nil
}

// A glob is a pattern and the literal text that every match of it begins and
// ends with. Most keys fail there, for a hundredth of the cost of a match.
type glob struct{ pattern, prefix, suffix string }

type globs []glob

func compileGlobs(patterns []string) globs {
	out := make(globs, len(patterns))
	for i, pattern := range patterns {
		const special = `*?[]{}\`
		first, last := strings.IndexAny(pattern, special), strings.LastIndexAny(pattern, special)
		if first < 0 {
			first = len(pattern)
		}
		// A slash beside ** may match nothing: a/** matches a, **/b matches b.
		out[i] = glob{pattern, strings.TrimRight(pattern[:first], "/"), strings.TrimLeft(pattern[last+1:], "/")}
	}
	return out
}

func (g globs) match(key string) bool {
	for _, glob := range g {
		if strings.HasPrefix(key, glob.prefix) && strings.HasSuffix(key, glob.suffix) &&
			doublestar.MatchUnvalidated(glob.pattern, key) {
			return true
		}
	}
	return false
}

func checkGlobs(globs []string) error {
	if len(globs) > maxGlobs {
		return fmt.Errorf("%d globs are more than %d", len(globs), maxGlobs)
	}
	var faults []error
	for _, glob := range globs {
		switch {
		case glob == "":
			faults = append(faults, errors.New("a glob is empty"))
		case len(glob) > maxGlobLength:
			faults = append(faults, fmt.Errorf("the glob %.40q... is longer than %d bytes", glob, maxGlobLength))
		case !doublestar.ValidatePattern(glob):
			faults = append(faults, fmt.Errorf("%q is not a glob; escape a literal [, { or \\ with a backslash", glob))
		}
	}
	return errors.Join(faults...)
}
