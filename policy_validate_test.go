package replication

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestValidPoliciesPass(t *testing.T) {
	require.NoError(t, smallPolicy("a").validate(testResolve, testNames))
	require.NoError(t, fullPolicy().validate(testResolve, testNames))
	for _, id := range []string{"a", "dr/photos", "with space", "日本", strings.Repeat("x", 256), "ALL"} {
		require.NoError(t, smallPolicy(id).validate(testResolve, testNames), id)
	}
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	err := Policy{
		ID:                  "all",
		SourceBackend:       "s4",
		DestinationBackend:  "s3",
		DestinationSettings: map[string]string{"buckets": "x", "region": "mars", "secret_key": "abc"},
		SourcePrefix:        "a/../b/",
		DestinationPrefix:   "/x",
		Include:             []string{"[", ""},
		Exclude:             []string{"{a"},
		CheckInterval:       time.Millisecond,
		Mode:                5,
		Encryption:          Encryption{Source: EncryptionLayer{Enabled: true}, Destination: EncryptionLayer{DefaultKey: "\x00" + canary}},
		Deletes:             -1,
		MaxDelete:           "lots",
		Foreign:             2,
		Drift:               3,
		Bandwidth:           -1,
		Concurrency:         1025,
	}.validate(testResolve, testNames)
	requireFaults(t, err,
		`id: "all" is reserved`,
		`source_backend: unknown backend "s4"; did you mean "s3"? known are archive, local, s3`,
		`source_prefix: "a/../b/" has a segment ".."`,
		`destination_settings: unknown setting "buckets"; allowed are bucket, region, secret_key`,
		`destination_settings: setting "region" is "mars"; allowed are`,
		`destination_settings: setting "secret_key" is malformed`,
		`destination_settings: missing setting "bucket" (the bucket)`,
		`destination_prefix: begins with a slash, which stands for no prefix only on its own; write "x"`,
		`include: "[" is not a glob`, `include: a glob is empty`, `exclude: "{a" is not a glob`,
		`check_interval: 1ms is less than a second`,
		`replication_mode: unknown replication mode 5`,
		`encryption.source: is enabled without a default_key`,
		`encryption.destination: the default_key is longer than 256 bytes or not printable`,
		`deletes: unknown delete mode -1`,
		`max_delete: must be a share such as "10%"`,
		`foreign: unknown conflict mode 2`, `drift: unknown conflict mode 3`,
		`bandwidth: -1 is negative`, `concurrency: 1025 is not within 0 to 1024`,
	)
	require.True(t, strings.HasPrefix(err.Error(), `policy "all": `), err)
	require.NotContains(t, err.Error(), "\n")
	require.ErrorIs(t, err, errBrake, "causes stay reachable")
}

func TestIDsThatCannotBeShownAreRefused(t *testing.T) {
	for id, text := range map[string]string{
		"":                       "id: is empty",
		" a":                     "begins or ends with a space",
		"a ":                     "begins or ends with a space",
		"a\nb":                   "not printable",
		"a\u200bb":               "not printable",
		"a\xff":                  "not UTF-8",
		strings.Repeat("x", 257): "257 bytes are more than 256",
	} {
		requireFaults(t, smallPolicy(id).validate(testResolve, testNames), text)
	}
}

func TestSettingsOfTheNamedBackendCount(t *testing.T) {
	p := smallPolicy("a") // "archive" brings the bucket
	p.DestinationSettings = nil
	require.NoError(t, p.validate(testResolve, testNames))
	p.DestinationSettings = map[string]string{"bucket": ""}
	requireFaults(t, p.validate(testResolve, testNames), `destination_settings: missing setting "bucket"`)

	base := map[string]string{"bucket": "cold"}
	resolve := func(string) (backend.Schema, map[string]string, bool) { return testSchema, base, true }
	require.NoError(t, smallPolicy("a").validate(resolve, nil))
	require.Equal(t, map[string]string{"bucket": "cold"}, base, "the base is not written to")
}

func TestUnknownBackends(t *testing.T) {
	none := func(string) (backend.Schema, map[string]string, bool) { return nil, nil, false }
	requireFaults(t, Policy{ID: "a"}.validate(none, nil), "source_backend: is empty; none is known; ")
	requireFaults(t, smallPolicy("a").validate(none, []string{"gcs", "azure"}), `destination_backend: unknown backend "archive"; known are gcs, azure`)
}

func TestPrefixes(t *testing.T) {
	for _, prefix := range []string{"", "/", "a", "a/", "a/.hid", ".", "a/..", "a//b", "日本/", "..a/"} {
		p := smallPolicy("a")
		p.SourcePrefix = prefix
		require.NoError(t, p.validate(testResolve, testNames), prefix)
	}
	for _, prefix := range []string{"../", "./a", "a/./b", "a\x00", "a\n", "\xff", strings.Repeat("x", 1025)} {
		p := smallPolicy("a")
		p.DestinationPrefix = prefix
		requireFaults(t, p.validate(testResolve, testNames), "destination_prefix: ")
	}
}

func TestSettingsThatAreNotTextAreRefused(t *testing.T) {
	p := smallPolicy("a")
	p.SourceSettings["bucket"] = canary + "\xff"
	requireFaults(t, p.validate(testResolve, testNames), `source_settings: setting "bucket" is not UTF-8`)
}
