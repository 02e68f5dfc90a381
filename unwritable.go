package replication

import (
	"errors"
	"fmt"

	"github.com/objrepl/replication/backend"
)

// unwritable says why no further object can be written, after a failure that each
// of them would meet, since it is the settings' and not the object's; nil if there
// is no such reason. A class that was chosen by that of one object fails that alone.
func (p *pass) unwritable(d decision, out outcome) error {
	setting := ""
	switch {
	case errors.Is(out.err, backend.ErrNotEncrypted):
		return fmt.Errorf("the pass was stopped, since the destination would keep everything so: %w", out.err)
	case !errors.Is(out.err, backend.ErrInvalidClass):
		return nil
	case len(p.policy.StorageClass) == 0, d.verdict == verdictDelete && !out.deleted: // on its way to the trash
		setting = "the destination's settings"
	default:
		chosen := ""
		for _, class := range p.policy.StorageClass {
			if chosen != "" && class != chosen {
				return nil
			}
			chosen = class
		}
		setting = fmt.Sprintf("storage_class (%q)", chosen)
	}
	return fmt.Errorf("the pass was stopped, since every object would have the class that %s ask for: %w", setting, out.err)
}
