package replication

import (
	"fmt"
	"maps"
	"slices"

	"github.com/objrepl/replication/backend"
)

// fillSecrets replaces each secret of p that is "***" by the stored policy's.
// One that has none there is an error: storing the asterisks would lose the
// secret only when a pass needs it. A stored secret is used for the same
// backend only, never handed to another.
func fillSecrets(p *Policy, stored Policy, isSecret func(backendName, setting string) bool) error {
	var f faults
	fill := func(field, name, storedName string, settings, old map[string]string) map[string]string {
		settings = maps.Clone(settings)
		for _, setting := range slices.Sorted(maps.Keys(settings)) {
			if settings[setting] != backend.Redacted || !isSecret(name, setting) {
				continue
			}
			if secret := old[setting]; secret != "" && name == storedName {
				settings[setting] = secret
				continue
			}
			f.add(field, fmt.Errorf("setting %q is %q, which stands for a stored secret, and none is stored; give the secret itself",
				setting, backend.Redacted))
		}
		return settings
	}
	p.SourceSettings = fill("source_settings", p.SourceBackend, stored.SourceBackend, p.SourceSettings, stored.SourceSettings)
	p.DestinationSettings = fill("destination_settings", p.DestinationBackend, stored.DestinationBackend,
		p.DestinationSettings, stored.DestinationSettings)
	return f.of(p.ID)
}
