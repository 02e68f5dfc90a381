package replication

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPolicyJSONHasTheNamesOfTheWire(t *testing.T) {
	got, err := json.Marshal(fullPolicy())
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/policy.json")
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))

	got, err = json.Marshal(Policy{ID: "empty"})
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"empty","source_backend":"","source_settings":{},"source_prefix":"",
		"destination_backend":"","destination_settings":{},"destination_prefix":"","check_interval":0,"check_interval_seconds":0,
		"enabled":false,"replication_mode":"transparent","deletes":"propagate","foreign":"report","drift":"report"}`, string(got))
}

func TestPolicyJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policyGenerator().Draw(t, "policy")
		data, err := json.Marshal(p)
		require.NoError(t, err)
		var q Policy
		require.NoError(t, json.Unmarshal(data, &q), "%s", data)
		require.True(t, p.equal(q), "%s", data)
		strict, err := ParsePolicy(data)
		require.NoError(t, err)
		require.True(t, p.equal(strict))
	})
}

func TestPolicyRequestForms(t *testing.T) {
	for body, want := range map[string]Policy{
		`{"id":"a"}`: {ID: "a", Enabled: true},
		`{"id":"a","enabled":null,"include":null,"encryption":null}`:      {ID: "a", Enabled: true},
		`{"id":"a","enabled":false}`:                                      {ID: "a"},
		`{"check_interval":300000000000}`:                                 {CheckInterval: 5 * time.Minute, Enabled: true},
		`{"check_interval":3e11}`:                                         {CheckInterval: 5 * time.Minute, Enabled: true},
		`{"check_interval":"5m"}`:                                         {CheckInterval: 5 * time.Minute, Enabled: true},
		`{"check_interval_seconds":300}`:                                  {CheckInterval: 5 * time.Minute, Enabled: true},
		`{"check_interval":"5m","check_interval_seconds":300}`:            {CheckInterval: 5 * time.Minute, Enabled: true},
		`{"check_interval":1500000000,"check_interval_seconds":1}`:        {CheckInterval: 1500 * time.Millisecond, Enabled: true},
		`{"last_sync_time":"2024-01-02T03:04:05Z","later_field":{"a":1}}`: {Enabled: true},
		`{"last_sync_time":{}}`:                                           {Enabled: true},
		`{"bandwidth":"50M"}`:                                             {Bandwidth: 50 << 20, Enabled: true},
		`{"bandwidth":1000}`:                                              {Bandwidth: 1000, Enabled: true},
		`{"replication_mode":"opaque","deletes":""}`:                      {Mode: Opaque, Enabled: true},
		`{"encryption":{"source":{"enabled":true,"default_key":"k"},"backend":null}}`: {
			Encryption: Encryption{Source: EncryptionLayer{Enabled: true, DefaultKey: "k"}}, Enabled: true},
		"\n {\"ID\":\"names are exact\"}\n": {Enabled: true},
	} {
		p := fullPolicy() // nothing of it may stay
		require.NoError(t, p.UnmarshalJSON([]byte(body)), body)
		require.Equal(t, want, p, body)
	}
}

func TestPolicyRequestFaultsNameTheField(t *testing.T) {
	for body, text := range map[string]string{
		`{"id":"a","check_interval":"5m","check_interval_seconds":301}`: `policy "a": check_interval: 5m0s differs from check_interval_seconds, 301; give one of them`,
		`{"check_interval":0,"check_interval_seconds":300}`:             `check_interval: 0s differs from check_interval_seconds, 300`,
		`{"check_interval":-1}`:                                         `check_interval: is negative`,
		`{"check_interval":"-5m"}`:                                      `check_interval: is negative`,
		`{"check_interval":1.5}`:                                        `check_interval: must be a whole number, not a fraction`,
		`{"check_interval":9223372036854775808}`:                        `check_interval: is too large`,
		`{"check_interval":1e99999}`:                                    `check_interval: is too large`,
		`{"check_interval":-1e99999}`:                                   `check_interval: is negative`,
		`{"check_interval":"99999999h"}`:                                `check_interval: "99999999h" is not a duration`,
		`{"check_interval":"300"}`:                                      `check_interval: "300" is not a duration; write a number with a unit`,
		`{"check_interval":true}`:                                       `check_interval: must be a whole number, not a boolean`,
		`{"check_interval_seconds":9223372037}`:                         `check_interval_seconds: is longer than 292 years`,
		`{"check_interval_seconds":"5"}`:                                `check_interval_seconds: must be a whole number, not a string`,
		`{"bandwidth":-5}`:                                              `bandwidth: is negative`,
		`{"bandwidth":"50MB"}`:                                          `bandwidth: "50MB" is not a size`,
		`{"concurrency":4294967296}`:                                    `concurrency: is too large`,
		`{"enabled":"yes"}`:                                             `enabled: must be true or false, not a string`,
		`{"id":1}`:                                                      `id: must be a string, not a number`,
		`{"source_settings":{"port":9000}}`:                             `source_settings: setting "port" must be a string, not a number`,
		`{"source_settings":"` + canary + `"}`:                          `source_settings: must be an object, not a string`,
		`{"include":"*"}`:                                               `include: must be a list, not a string`,
		`{"exclude":["a",{}]}`:                                          `exclude: element 1 must be a string, not an object`,
		`{"replication_mode":"clear"}`:                                  `replication_mode: unknown replication mode "clear"`,
		`{"encryption":{"source":{"enabled":1}}}`:                       `encryption.source.enabled: must be true or false, not a number`,
		`{"encryption":[]}`:                                             `encryption: must be an object, not a list`,
		`{"id":"a","id":"b"}`:                                           `the field "id" is given twice`,
		`{"source_settings":{"k":"` + canary + `","k":"b"}}`:            `source_settings: the field "k" is given twice`,
		`[]`:            `must be an object, not a list`,
		`{"id":"a"} {}`: `more text follows`,
		`{"id":`:        `not JSON`,
		``:              `not JSON`,
	} {
		p := fullPolicy()
		requireFaults(t, p.UnmarshalJSON([]byte(body)), text)
		require.Equal(t, fullPolicy(), p, "a failure changes nothing: %s", body)
	}
	requireFaults(t, new(Policy).UnmarshalJSON([]byte(`{"id":"x","bandwidth":-1,"concurrency":"","deletes":"maybe"}`)),
		`policy "x": bandwidth: is negative; concurrency: must`, `; deletes: unknown`)
}

func TestStrictPolicyFindsTypos(t *testing.T) {
	for body, text := range map[string]string{
		`{"souce_prefix":"a"}`:                          `unknown field "souce_prefix"; did you mean "source_prefix"?`,
		`{"zzzzzzzz":"a"}`:                              `unknown field "zzzzzzzz"; allowed are bandwidth, check_interval`,
		`{"encryption":{"dest":{}}}`:                    `encryption: unknown field "dest"; allowed are backend, destination, source`,
		`{"encryption":{"source":{"default_keys":""}}}`: `encryption.source: unknown field "default_keys"; did you mean "default_key"?`,
	} {
		_, err := ParsePolicy([]byte(body))
		requireFaults(t, err, text)
		require.NoError(t, new(Policy).UnmarshalJSON([]byte(body)))
	}
}

func TestNullIsNoPolicy(t *testing.T) {
	p := fullPolicy()
	require.NoError(t, json.Unmarshal([]byte("null"), &p))
	require.Equal(t, fullPolicy(), p)
}

func TestUndefinedEnumCannotBeWritten(t *testing.T) {
	_, err := json.Marshal(Policy{ID: "a", Drift: 9})
	require.ErrorContains(t, err, "unknown conflict mode 9")
}

func FuzzPolicyJSON(f *testing.F) {
	full, err := json.Marshal(fullPolicy())
	require.NoError(f, err)
	f.Add(full)
	for _, seed := range []string{`{"id":"a","check_interval":"5m"}`, `{"check_interval_seconds":1e3}`, `[`, `{"a":` + strings.Repeat("[", 200)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Policy
		if err := p.UnmarshalJSON(data); err != nil {
			require.ErrorIs(t, err, ErrInvalidPolicy)
			return
		}
		out, err := json.Marshal(p)
		require.NoError(t, err)
		var q Policy
		require.NoError(t, json.Unmarshal(out, &q))
		require.True(t, p.equal(q))
	})
}
