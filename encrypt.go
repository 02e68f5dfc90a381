package replication

import (
	"fmt"
	"strings"
)

// encryptionAvailable refuses a policy that enables a layer: copying in the
// clear what was meant to be encrypted could not be taken back.
func encryptionAvailable(p Policy) error {
	var on []string
	for _, layer := range []struct {
		name string
		EncryptionLayer
	}{
		{"backend", p.Encryption.Backend},
		{"source", p.Encryption.Source},
		{"destination", p.Encryption.Destination},
	} {
		if layer.Enabled {
			on = append(on, "encryption."+layer.name)
		}
	}
	if len(on) == 0 {
		return nil
	}
	return fmt.Errorf("policy %q: %w in this version: disable %s, or wait for a version that has it; nothing was copied",
		p.ID, ErrEncryptionUnavailable, strings.Join(on, ", "))
}
