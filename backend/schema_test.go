package backend_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

var schema = backend.Schema{
	{Name: "bucket", Required: true, Help: "the bucket's name"},
	{Name: "secret_key", Secret: true, Help: "at least 4 bytes", Check: func(v string) error {
		if len(v) < 4 {
			return errors.New("shorter than 4 bytes")
		}
		return nil
	}},
	{Name: "style", Default: "path", Values: []string{"path", "virtual"}},
	{Name: "region", Check: func(v string) error {
		if strings.Contains(v, " ") {
			return errors.New("has a space")
		}
		return nil
	}},
}

func TestValidateReportsEverythingAtOnce(t *testing.T) {
	err := schema.Validate(map[string]string{
		"buckets": "a", "style": "flat", "region": "eu west", "secret_key": "abc",
	})
	for _, fault := range []string{
		`unknown setting "buckets"; allowed are bucket, secret_key, style, region`,
		`missing setting "bucket" (the bucket's name)`,
		`setting "style" is "flat"; allowed are path, virtual`,
		`setting "region" is "eu west": has a space`,
		`setting "secret_key" is malformed, expected: at least 4 bytes`,
	} {
		assert.ErrorContains(t, err, fault)
	}
}

func TestValidateAcceptsReferencesUnseen(t *testing.T) {
	assert.NoError(t, schema.Validate(map[string]string{
		"bucket": "env:NO_SUCH_VARIABLE", "style": "file:/no/such/file", "secret_key": "env:X",
	}))
	assert.NoError(t, schema.Validate(map[string]string{"bucket": "b", "style": ""}), "an empty value is none")
	assert.ErrorContains(t, schema.Validate(map[string]string{"bucket": ""}), "missing")
	assert.ErrorContains(t, schema.Validate(map[string]string{"bucket": "b", "style": "env:"}), `"env:"`, "a reference to nothing is a value")
}

func TestResolveFollowsReferences(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("top secret\r\n\n"), 0o600))
	t.Setenv("TEST_BUCKET", "from-env")
	t.Setenv("TEST_EMPTY", "")
	got, err := schema.Resolve(map[string]string{
		"bucket": "env:TEST_BUCKET", "secret_key": "file:" + file, "style": "env:TEST_EMPTY",
	})
	require.NoError(t, err)
	assert.Equal(t, backend.Settings{"bucket": "from-env", "secret_key": "top secret", "style": "path"}, got)
}

func TestResolveLeavesOutWhatHasNoValue(t *testing.T) {
	got, err := schema.Resolve(map[string]string{"bucket": "b", "region": ""})
	require.NoError(t, err)
	assert.Equal(t, backend.Settings{"bucket": "b", "style": "path"}, got)
	got, err = schema.Resolve(map[string]string{"region": "x"})
	assert.Error(t, err)
	assert.Nil(t, got)
}

func TestResolveNamesTheReferenceThatFails(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	require.NoError(t, os.WriteFile(big, make([]byte, 64<<10+1), 0o600))
	t.Setenv("TEST_EMPTY", "")
	t.Setenv("TEST_STYLE", "flat")
	for value, want := range map[string]string{
		"env:NO_SUCH_VARIABLE_HERE": "not set",
		"env:TEST_EMPTY":            "is empty",
		"file:" + dir:               "not a regular file",
		"file:" + big:               "at most 65536 bytes",
		"file:" + dir + "/none":     "no such file",
	} {
		_, err := schema.Resolve(map[string]string{"bucket": value})
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, fmt.Sprintf(`setting "bucket", from %s`, value))
	}
	_, err := schema.Resolve(map[string]string{"bucket": "b", "style": "env:TEST_STYLE"})
	assert.ErrorContains(t, err, "allowed are path, virtual", "what a reference yields is checked too")
}

func TestSecretsAreNotInErrors(t *testing.T) {
	t.Setenv("TEST_SECRET", "hu2")
	for _, value := range []string{"hu2", "env:TEST_SECRET"} {
		_, err := schema.Resolve(map[string]string{"bucket": "b", "secret_key": value})
		require.ErrorContains(t, err, "secret_key")
		assert.NotContains(t, err.Error(), "hu2")
	}
	closed := backend.Schema{{Name: "token", Secret: true, Values: []string{"a", "b"}}}
	err := closed.Validate(map[string]string{"token": "hunter2"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestRedactHidesSecretsAndWhatItDoesNotKnow(t *testing.T) {
	raw := map[string]string{
		"bucket": "b", "secret_key": "hunter2", "unknown": "who knows", "style": "",
	}
	assert.Equal(t, map[string]string{
		"bucket": "b", "secret_key": backend.Redacted, "unknown": backend.Redacted, "style": "",
	}, schema.Redact(raw))
	assert.Equal(t, "hunter2", raw["secret_key"], "what was given stays as it is")
	assert.Equal(t, map[string]string{"secret_key": "env:KEY"}, schema.Redact(map[string]string{"secret_key": "env:KEY"}))
	assert.Equal(t, map[string]string{"secret_key": ""}, schema.Redact(map[string]string{"secret_key": ""}), "no secret is shown as none")
	assert.Nil(t, schema.Redact(nil))
}
