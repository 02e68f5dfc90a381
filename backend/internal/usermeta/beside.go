package usermeta

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// CheckNone refuses object tags and a storage class for a store that has
// neither.
func CheckNone(tags map[string]string, class string) error {
	switch {
	case len(tags) > 0:
		return fmt.Errorf("object tags, such as %.80q: %w", slices.Min(slices.Collect(maps.Keys(tags))), errors.ErrUnsupported)
	case class != "":
		return fmt.Errorf("storage class %.80q: %w", class, errors.ErrUnsupported)
	}
	return nil
}

// maxTags, maxTagName and maxTagValue are those of S3 and Azure alike, in
// characters
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html,
// https://learn.microsoft.com/en-us/azure/storage/blobs/storage-manage-find-blobs).
const (
	maxTags     = 10
	maxTagName  = 128
	maxTagValue = 256
)

// CheckTags refuses object tags that neither S3 nor Azure takes, or that have
// characters for which allowed is false.
func CheckTags(tags map[string]string, allowed func(rune) bool) error {
	if len(tags) > maxTags {
		return Refuse("%d object tags, more than %d", len(tags), maxTags)
	}
	other := func(r rune) bool { return !allowed(r) }
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		value := tags[name]
		switch {
		case name == "" || utf8.RuneCountInString(name) > maxTagName || utf8.RuneCountInString(value) > maxTagValue:
			return Refuse("the object tag %.80q has no name, or a name or value of more than %d or %d characters", name, maxTagName, maxTagValue)
		case !utf8.ValidString(name+value) || strings.ContainsFunc(name+value, other):
			return Refuse("the object tag %.80q has characters that the store does not take there", name)
		}
	}
	return nil
}
