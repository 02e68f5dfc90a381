package replication

import (
	"errors"
	"fmt"
	"strings"
)

// checkTrashPrefix checks TrashPrefix as far as the policy alone tells.
func (p Policy) checkTrashPrefix() error {
	trash := p.TrashPrefix
	if trash == "" {
		return nil
	}
	if err := checkPrefix(trash); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(trash, "/"), strings.Contains(trash, "//"):
		return fmt.Errorf("%.80q has a segment without a name, which not every store keeps as it is; write .trash/ for example", trash)
	case strings.TrimSpace(trash) == "":
		return errors.New("has nothing but spaces; write .trash/ for example")
	case strings.HasPrefix(p.destinationPrefix(), trash):
		return fmt.Errorf("%.80q covers the destination prefix %.80q, so that every copy would be trash; choose a place beside or below it",
			trash, p.destinationPrefix())
	}
	return nil
}

// checkTrash refuses a trash that the stores cannot have as the policy says:
// under keys that the destination does not take, or within the source.
func (p Policy) checkTrash(source, destination *endpoint) error {
	if p.TrashPrefix == "" {
		return nil
	}
	if check := destination.props.CheckKey; check != nil {
		if err := check(p.TrashPrefix + trashTime + "/x"); err != nil {
			return fmt.Errorf("%w: trash_prefix %q begins no key of %s: %w", ErrInvalidPolicy, p.TrashPrefix, destination.props.Location, err)
		}
	}
	if overlap(source.place(), p.trashPlace(destination)) {
		return fmt.Errorf("%w: trash_prefix %q leads into the source %s, which would replicate it; choose a place outside of that",
			ErrInvalidPolicy, p.TrashPrefix, source.place())
	}
	return nil
}

// trashPlace is where the trash lies, empty where that is not known or there is
// none.
func (p Policy) trashPlace(destination *endpoint) string {
	if p.TrashPrefix == "" {
		return ""
	}
	return placeWithin(destination.props.Location, p.TrashPrefix)
}
