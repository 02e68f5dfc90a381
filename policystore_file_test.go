package replication

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPoliciesFileFormat(t *testing.T) {
	want, err := os.ReadFile("testdata/policies.golden.json")
	require.NoError(t, err)
	dir := t.TempDir()
	addPolicies(t, newTestStore(t, dir), fullPolicy(), smallPolicy("small"))
	got, err := os.ReadFile(filepath.Join(dir, policiesName))
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))

	file, err := decodePolicies(want)
	require.NoError(t, err)
	require.Equal(t, fullPolicy(), file.policies[0].Policy)
	require.Equal(t, smallPolicy("small"), file.policies[1].Policy)
}

func TestUnknownFieldsAreKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, policiesName)
	require.NoError(t, os.WriteFile(path, []byte(`{
		"later": {"big": 12345678901234567890, "html": "<&>"}, "version": 1,
		"policies": [
			{"id": "a", "source_backend": "s3", "zone": [1, 2.50], "encryption": {"source": {"enabled": true, "kms": "x"}, "wrap": {"n": null}}},
			{"id": "b", "colour": "red"}
		]}`), 0o600))
	s := newTestStore(t, dir)
	changed, err := s.get("a")
	require.NoError(t, err)
	changed.Encryption = Encryption{} // what is unknown within stays nevertheless
	changed.Deletes = KeepDeleted
	_, err = s.update(t.Context(), changed, nil)
	require.NoError(t, err)
	addPolicies(t, s, smallPolicy("c"))
	require.NoError(t, s.remove(t.Context(), "c"))

	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var got struct {
		Later    json.RawMessage
		Policies []map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(data, &got))
	require.Contains(t, string(got.Later), "12345678901234567890")
	require.Contains(t, string(got.Later), `"<&>"`)
	require.JSONEq(t, "[1, 2.5]", string(got.Policies[0]["zone"]))
	require.JSONEq(t, `{"source": {"kms": "x"}, "wrap": {"n": null}}`, string(got.Policies[0]["encryption"]))
	require.Equal(t, `"keep"`, string(got.Policies[0]["deletes"]))
	require.Equal(t, `"red"`, string(got.Policies[1]["colour"]))
	require.Equal(t, []Policy{changed, {ID: "b", Enabled: true}}, newTestStore(t, dir).list())
}

func TestRemovingAPolicyRemovesItsUnknownFields(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, policiesName)
	require.NoError(t, os.WriteFile(path, []byte(`{"version":1,"policies":[{"id":"a","zone":1}]}`), 0o600))
	s := newTestStore(t, dir)
	require.NoError(t, s.remove(t.Context(), "a"))
	addPolicies(t, s, smallPolicy("a"))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(data), "zone")
}

func TestDamagedFileIsNamedAndLeftAlone(t *testing.T) {
	for text, want := range map[string]string{
		"": ":1:1: damaged policies file, left as it is: unexpected end of JSON input",
		"{\n  \"version\": 1,\n  \"policies\": [}\n": ":3:16: damaged policies file, left as it is: invalid character '}'",
		"{\n\"version\": 1,\n\"polici":               ":3:7: ",
		"\x00\x00\x00":                               ":1:1: ",
		"null":                                       ":1:1: damaged policies file, left as it is: must be an object, not null",
		"[]":                                         "must be an object, not a list",
		"{}":                                         `"version" or "policies" is missing`,
		`{"policies":[]}`:                            `"version" or "policies" is missing`,
		`{"version":1}`:                              `"version" or "policies" is missing`,
		"{\"version\":1,\n \"policies\":{}}":         ":2:13: damaged policies file, left as it is: policies: must be a list, not an object",
		`{"version":0,"policies":[]}`:                "version: there is no 0",
		`{"version":"1","policies":[]}`:              ":1:12: damaged policies file, left as it is: version: must be a whole number, not a string",
		`{"version":1,"policies":[],"policies":[]}`:                                                 `the field "policies" is given twice`,
		"{\"version\":1,\"policies\":[\n {\"id\":\"a\"},\n {\"id\":\"a\"}]}":                        `:3:2: damaged policies file, left as it is: a second policy has the id "a"`,
		"{\"version\":1,\"policies\":[\n {\"id\":\"\"}]}":                                           ":2:2: damaged policies file, left as it is: a policy has no id",
		"{\"version\":1,\"policies\":[\n {\"id\":\"a\"},\n  {\"id\":\"b\",\"check_interval\":-1}]}": `:3:3: damaged policies file, left as it is: policy "b": check_interval: is negative`,
		`{"version":1,"policies":[null]}`:                                                           "must be an object, not null",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, policiesName)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := openTestStore(t, dir)
		require.ErrorContains(t, err, path, "%q", text)
		require.ErrorContains(t, err, want, "%q", text)
		require.NotContains(t, err.Error(), "\n")
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(data))
	}
}

func TestDamageAfterOpeningStopsChanges(t *testing.T) {
	s := newTestStore(t, t.TempDir())
	addPolicies(t, s, smallPolicy("a"))
	require.NoError(t, os.WriteFile(s.path(), []byte("{"), 0o600))
	_, err := s.add(t.Context(), smallPolicy("b"))
	require.ErrorContains(t, err, "damaged")
	require.ErrorContains(t, s.load(), "damaged")
	require.Len(t, s.list(), 1, "readers go on with what they had")
	data, err := os.ReadFile(s.path())
	require.NoError(t, err)
	require.Equal(t, "{", string(data))
}

func TestLaterFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	text := `{"version": 2, "policies": {"other": "form"}}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, policiesName), []byte(text), 0o600))
	_, err := openTestStore(t, dir)
	require.ErrorContains(t, err, policiesName+": written by a later version of this library (format 2, this one knows 1); upgrade")
	require.NotContains(t, err.Error(), "damaged")
}

func TestPoliciesFileRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var file policiesFile
		for _, p := range rapid.SliceOfNDistinct(policyGenerator(), 0, 4, func(p Policy) string { return p.ID }).Draw(t, "policies") {
			file.policies = append(file.policies, storedPolicy{Policy: p.normalise()})
		}
		data, err := file.encode()
		require.NoError(t, err)
		again, err := decodePolicies(data)
		require.NoError(t, err)
		require.Len(t, again.policies, len(file.policies))
		for i, p := range file.policies {
			require.Equal(t, p.Policy, again.policies[i].Policy)
		}
	})
}

func FuzzPoliciesFile(f *testing.F) {
	golden, err := os.ReadFile("testdata/policies.golden.json")
	require.NoError(f, err)
	f.Add(golden)
	f.Add([]byte(`{"version":1,"policies":[{"id":"a","x":{"x":1},"encryption":{"source":{"y":1}}}],"z":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := decodePolicies(data)
		if err != nil {
			return
		}
		once, err := file.encode()
		require.NoError(t, err)
		again, err := decodePolicies(once)
		require.NoError(t, err, "%s", once)
		twice, err := again.encode()
		require.NoError(t, err)
		require.True(t, bytes.Equal(once, twice), "%s\n%s", once, twice)
	})
}
