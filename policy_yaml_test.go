package replication

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPolicyFileExample(t *testing.T) {
	file, err := readPolicyFile("testdata/policies.yaml")
	require.NoError(t, err)
	require.Equal(t, map[string]namedBackend{"archive": {"s3", map[string]string{
		"bucket": "cold-archive", "region": "eu", "path_style": "true", "port": "9000", "secret_key": "env:ARCHIVE_SECRET_KEY"}}}, file.backends)
	require.Equal(t, []Policy{
		{
			ID:            "dr",
			SourceBackend: "local", SourceSettings: map[string]string{"path": "/srv/photos"},
			DestinationBackend: "archive", DestinationPrefix: "photos/",
			CheckInterval: 5 * time.Minute, Enabled: true, Exclude: []string{"**/*.tmp", ".cache/**"},
			StorageClass: map[string]string{"*": "STANDARD_IA"},
			MaxDelete:    "10%", Bandwidth: 50 << 20, Concurrency: 16,
		},
		{
			ID:            "documents",
			SourceBackend: "local", SourceSettings: map[string]string{"path": "/srv/documents"},
			DestinationBackend: "archive", DestinationPrefix: "documents/",
			CheckInterval: 5 * time.Minute, Exclude: []string{"**/*.tmp", ".cache/**"},
			Mode: Opaque, Encryption: Encryption{Destination: EncryptionLayer{Enabled: true, DefaultKey: "kek-1"}},
			Deletes: KeepDeleted, Foreign: Overwrite, MaxDelete: "500", StorageClass: map[string]string{"*": "GLACIER_IR"}, Bandwidth: 50 << 20, Concurrency: 16,
		},
	}, file.policies)
	require.Equal(t, "testdata/policies.yaml:14", file.place("dr"))
}

func TestPolicyFileMayBeEmpty(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n", "---\n", "{}", "replication:\nbackends:\n", "replication: []\n"} {
		file, err := parsePolicyFile([]byte(text), "p.yaml")
		require.NoError(t, err, "%q", text)
		require.Empty(t, file.policies)
		require.Empty(t, file.backends)
	}
}

func TestScalarsInAPolicyFileStayAsWritten(t *testing.T) {
	file, err := parsePolicyFile([]byte(`replication: [{id: 007, enabled: TRUE, concurrency: 4, max_delete: off, source: {settings: {
		a: 0x10, b: 1e3, c: yes, d: 2024-01-02, e: ~, f: "", g: !!str 5, 8: eight}}}]`), "p.yaml")
	require.NoError(t, err)
	p := file.policies[0]
	require.Equal(t, "007", p.ID)
	require.Equal(t, "off", p.MaxDelete)
	require.True(t, p.Enabled)
	require.Equal(t, map[string]string{"a": "0x10", "b": "1e3", "c": "yes", "d": "2024-01-02", "e": "", "f": "", "g": "5", "8": "eight"}, p.SourceSettings)
}

func TestPolicyFileFaultsHaveLinePolicyAndField(t *testing.T) {
	for text, want := range map[string]string{
		"replication:\n- id: a\n  souce: {}":                                                     `p.yaml:3: policy "a": unknown field "souce"; did you mean "source"?`,
		"replication:\n- id: a\n  source: {bucket: " + canary + "}":                              `p.yaml:3: policy "a": source: unknown field "bucket"; allowed are backend, prefix, settings`,
		"replication:\n- id: a\n  source:\n    settings: " + canary:                              `p.yaml:4: policy "a": source.settings: must be a mapping of names to values`,
		"replication:\n- id: a\n  source:\n    settings:\n      key: [" + canary + "]":           `p.yaml:5: policy "a": source.settings.key: must be a single value`,
		"replication:\n- id: a\n  source:\n    settings: {k: !!binary " + canary + "}":           `p.yaml:4: policy "a": source.settings.k: the tag "!!binary" is not understood`,
		"replication:\n- id: a\n  source:\n    settings: {k: !vault " + canary + "}":             `the tag "!vault" is not understood`,
		"replication:\n- id: a\n  source:\n    settings: {k: " + canary + ", k: x}":              `p.yaml:4: policy "a": source.settings: "k" is given twice`,
		"replication:\n- enabled: true":                                                          `p.yaml:2: policy 1 of the list: id: is missing`,
		"replication:\n- id: a\n- id: b\n- id: a":                                                `p.yaml:4: policy "a": id: a policy of this id stands in line 2 already`,
		"replication:\n- id: a\n  check_interval: 300":                                           `p.yaml:3: policy "a": check_interval: has no unit; write "30s" or "5m"`,
		"replication:\n- id: a\n  check_interval: -5m":                                           `check_interval: is negative`,
		"replication:\n- id: a\n  check_interval: soon":                                          `check_interval: "soon" is not a duration`,
		"replication:\n- id: a\n  enabled: yes":                                                  `p.yaml:3: policy "a": enabled: must be true or false`,
		"replication:\n- id: a\n  enabled: [true]":                                               `enabled: must be true or false`,
		"replication:\n- id: a\n  replication_mode: clear":                                       `replication_mode: unknown replication mode "clear"; allowed are transparent, opaque`,
		"replication:\n- id: a\n  include: '*.jpg'":                                              `p.yaml:3: policy "a": include: must be a list`,
		"replication:\n- id: a\n  include: ['*.jpg',\n    {}]":                                   `p.yaml:4: policy "a": include: must be a single value`,
		"replication:\n- id: a\n  bandwidth: 50MB":                                               `bandwidth: "50MB" is not a size`,
		"replication:\n- id: a\n  concurrency: -1":                                               `concurrency: is negative`,
		"replication:\n- id: a\n  concurrency: 1.5":                                              `concurrency: must be a whole number, not a fraction`,
		"replication:\n- id: a\n  concurrency: 99999999999":                                      `concurrency: is too large`,
		"replication:\n- id: a\n  encryption: {source: {key: k}}":                                `policy "a": encryption.source: unknown field "key"`,
		"replication: {id: a}":                                                                   `p.yaml:1: replication: must be a list`,
		"replication:\n- a":                                                                      `p.yaml:2: policy 1 of the list: must be a mapping`,
		"replications: []":                                                                       `p.yaml:1: unknown field "replications"; did you mean "replication"?`,
		"- id: a":                                                                                `p.yaml:1: must be a mapping`,
		"backends:\n  x: {settings: {k: " + canary + "}}":                                        `p.yaml:2: backend "x": driver: is missing`,
		"backends:\n  x: {driver: s3}\n  x: {driver: s3}":                                        `p.yaml:3: backends: "x" is given twice`,
		"backends:\n  '': {driver: s3}":                                                          `the name is empty`,
		"? [a]\n: b":                                                                             `a name must be plain text`,
		"replication: []\n---\nreplication: []":                                                  `p.yaml:2: invalid policy: a second document begins`,
		"replication: [":                                                                         `p.yaml: invalid policy: yaml:`,
		"a: &a [*a]":                                                                             `contains itself`,
		"replication: [*gone]":                                                                   `unknown anchor`,
		"replication:\n- id: a\n  bandwidth: x\n  source: 1\n- id: b\n  encryption: {sauce: {}}": `p.yaml:6: policy "b": encryption: unknown field "sauce"`,
	} {
		_, err := parsePolicyFile([]byte(text), "p.yaml")
		requireFaults(t, err, want)
	}
	_, err := parsePolicyFile([]byte("replication:\n- id: a\n  bandwidth: x\n  foreign: y\n- id: b\n  drift: z"), "p.yaml")
	require.Len(t, strings.Split(err.Error(), "\n"), 3, "every fault, each on its line: %v", err)
}

func TestPolicyFileSizeIsBounded(t *testing.T) {
	_, err := parsePolicyFile([]byte(strings.Repeat("#", maxPolicyFile+1)), "p.yaml")
	requireFaults(t, err, "p.yaml: invalid policy: the file is larger than 4194304 bytes")

	path := filepath.Join(t.TempDir(), "big.yaml")
	require.NoError(t, os.WriteFile(path, make([]byte, maxPolicyFile+1), 0o600))
	_, err = readPolicyFile(path)
	requireFaults(t, err, "big.yaml", "larger than")
}

func TestAliasesCannotExplode(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	quadratic := "replication:\n- &p\n  id: a\n  include: [" + strings.Repeat("x,", 20_000) + "x]\n" + strings.Repeat("- *p\n", 20_000)
	for _, text := range []string{bomb.String(), quadratic} {
		start := time.Now()
		_, err := parsePolicyFile([]byte(text), "p.yaml")
		requireFaults(t, err, "when its aliases are followed")
		require.Less(t, time.Since(start), 5*time.Second)
	}
}

func TestMissingPolicyFileIsNamed(t *testing.T) {
	_, err := readPolicyFile("testdata/absent.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "testdata/absent.yaml")
}

func TestMarshalPolicyYAML(t *testing.T) {
	p := fullPolicy()
	p.CheckInterval = 2 * time.Hour
	got, err := MarshalPolicyYAML(p, smallPolicy("small"))
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/marshalled.yaml")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))

	got, err = MarshalPolicyYAML()
	require.NoError(t, err)
	require.Equal(t, "replication: []\n", string(got))
	_, err = MarshalPolicyYAML(Policy{Mode: 9})
	require.ErrorContains(t, err, "unknown replication mode 9")
}

func TestShortDurationsParseBack(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"5m": 5 * time.Minute, "2h": 2 * time.Hour, "1h30m": 90 * time.Minute, "1h0m1s": time.Hour + time.Second,
		"30s": 30 * time.Second, "1.5s": 1500 * time.Millisecond, "10m10s": 610 * time.Second,
	} {
		require.Equal(t, want, shortDuration(d))
		back, err := time.ParseDuration(want)
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
}

func TestPolicyYAMLRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policies := rapid.SliceOfNDistinct(policyGenerator(), 0, 3, func(p Policy) string { return p.ID }).Draw(t, "policies")
		data, err := MarshalPolicyYAML(policies...)
		require.NoError(t, err)
		file, err := parsePolicyFile(data, "p.yaml")
		require.NoError(t, err, "%s", data)
		require.Len(t, file.policies, len(policies))
		for i, p := range policies {
			require.True(t, p.equal(file.policies[i]), "%#q\n%s", p.ID, data)
		}
	})
}

func FuzzPolicyYAML(f *testing.F) {
	for _, name := range []string{"policies.yaml", "marshalled.yaml"} {
		data, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(data)
	}
	for _, seed := range []string{"a: &a [*a]", "<<: {<<: [1]}", "replication:\n- <<: [{id: a}, {id: b}]\n", "---\n---\n", "? \n", "\xff\xfe"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parsePolicyFile(data, "p.yaml")
		if err != nil {
			require.ErrorIs(t, err, ErrInvalidPolicy)
			return
		}
		out, err := MarshalPolicyYAML(file.policies...)
		require.NoError(t, err)
		again, err := parsePolicyFile(out, "p.yaml")
		require.NoError(t, err, "%s", out)
		require.Len(t, again.policies, len(file.policies))
		for i, p := range file.policies {
			require.True(t, p.equal(again.policies[i]), "%s", out)
		}
	})
}
