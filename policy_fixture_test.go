package replication

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
)

// canary stands for a secret that must not show up anywhere.
const canary = "s3cr3t-canary"

// fullPolicy has every field set to something else than its zero value.
func fullPolicy() Policy {
	return Policy{
		ID:                  "dr/photos",
		SourceBackend:       "s3",
		SourceSettings:      map[string]string{"bucket": "photos", "secret_key": canary},
		DestinationBackend:  "archive",
		DestinationSettings: map[string]string{"region": "eu-<1>", "secret_key": "env:ARCHIVE_KEY"},
		SourcePrefix:        "2024/",
		DestinationPrefix:   "copies/2024/",
		Include:             []string{"**/*.jpg", "*.{png,gif}"},
		Exclude:             []string{"tmp/**"},
		CheckInterval:       90*time.Second + time.Millisecond,
		Enabled:             true,
		Mode:                Opaque,
		Encryption: Encryption{
			Backend:     EncryptionLayer{Enabled: true, Provider: "builtin", DefaultKey: "rest"},
			Source:      EncryptionLayer{DefaultKey: "old"},
			Destination: EncryptionLayer{Enabled: true, DefaultKey: "kek-1"},
		},
		Deletes:      KeepDeleted,
		MaxDelete:    "10%",
		TrashPrefix:  ".trash/",
		Foreign:      Overwrite,
		Drift:        Overwrite,
		ObjectTags:   true,
		StorageClass: map[string]string{"STANDARD": "Hot", "*": "Cool"},
		Bandwidth:    50 << 20,
		Concurrency:  16,
	}
}

// smallPolicy is valid with the backends that testResolve knows.
func smallPolicy(id string) Policy {
	return Policy{
		ID:                  id,
		SourceBackend:       "s3",
		SourceSettings:      map[string]string{"bucket": "photos", "secret_key": canary},
		DestinationBackend:  "archive",
		DestinationSettings: map[string]string{"region": "eu"},
		Enabled:             true,
	}
}

var (
	testSchema = backend.Schema{
		{Name: "bucket", Required: true, Help: "the bucket"},
		{Name: "region", Values: []string{"eu", "us", "eu-<1>"}},
		{Name: "secret_key", Secret: true, Check: func(v string) error {
			if len(v) < 4 {
				return errShortSecret
			}
			return nil
		}},
	}
	testNames      = []string{"archive", "local", "s3"}
	errShortSecret = errors.New("is too short")
)

func testResolve(name string) (backend.Schema, map[string]string, bool) {
	switch name {
	case "s3":
		return testSchema, nil, true
	case "archive":
		return testSchema, map[string]string{"bucket": "cold", "region": "us"}, true
	case "local":
		return backend.Schema{{Name: "path", Required: true, Help: "the directory"}}, nil, true
	}
	return nil, nil, false
}

func testSecret(_, setting string) bool { return setting == "secret_key" }

// policyGenerator draws policies of every form, valid or not, that have an id.
func policyGenerator() *rapid.Generator[Policy] {
	settings := rapid.MapOfN(rapid.String(), rapid.String(), 0, 4)
	globs := rapid.SliceOfN(rapid.String(), 0, 3)
	layer := rapid.Custom(func(t *rapid.T) EncryptionLayer {
		return EncryptionLayer{rapid.Bool().Draw(t, "on"), rapid.String().Draw(t, "provider"), rapid.String().Draw(t, "key")}
	})
	return rapid.Custom(func(t *rapid.T) Policy {
		return Policy{
			ID:                  rapid.StringN(1, 20, -1).Draw(t, "id"),
			SourceBackend:       rapid.String().Draw(t, "source"),
			SourceSettings:      settings.Draw(t, "source settings"),
			DestinationBackend:  rapid.String().Draw(t, "destination"),
			DestinationSettings: settings.Draw(t, "destination settings"),
			SourcePrefix:        rapid.String().Draw(t, "prefix"),
			DestinationPrefix:   rapid.String().Draw(t, "destination prefix"),
			Include:             globs.Draw(t, "include"),
			Exclude:             globs.Draw(t, "exclude"),
			CheckInterval:       time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "interval")),
			Enabled:             rapid.Bool().Draw(t, "enabled"),
			Mode:                Mode(rapid.IntRange(0, 1).Draw(t, "mode")),
			Encryption:          Encryption{layer.Draw(t, "backend"), layer.Draw(t, "source"), layer.Draw(t, "destination")},
			Deletes:             DeleteMode(rapid.IntRange(0, 1).Draw(t, "deletes")),
			MaxDelete:           rapid.String().Draw(t, "max delete"),
			TrashPrefix:         rapid.String().Draw(t, "trash prefix"),
			Foreign:             ConflictMode(rapid.IntRange(0, 1).Draw(t, "foreign")),
			Drift:               ConflictMode(rapid.IntRange(0, 1).Draw(t, "drift")),
			ObjectTags:          rapid.Bool().Draw(t, "object tags"),
			StorageClass:        settings.Draw(t, "storage class"),
			Bandwidth:           rapid.Int64Range(0, math.MaxInt64).Draw(t, "bandwidth"),
			Concurrency:         rapid.IntRange(0, math.MaxInt32).Draw(t, "concurrency"),
		}
	})
}

// requireFaults asserts that err is one invalid policy with each of the texts.
func requireFaults(t *testing.T, err error, texts ...string) {
	t.Helper()
	require.ErrorIs(t, err, ErrInvalidPolicy)
	for _, text := range texts {
		require.ErrorContains(t, err, text)
	}
	require.NotContains(t, err.Error(), canary)
}
