package azure

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend/internal/usermeta"
)

var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func TestNamesOfMetadataComeBack(t *testing.T) {
	for name, want := range map[string]string{
		"objrepl-marker": "objrepl_2dmarker",
		"mtime":          "mtime",
		"a_b":            "a_b",
		"a_2d":           "a_5f2d",
		"1st":            "_31st",
		"_1st":           "_1st",
		"x_ad":           "x_ad",
		"_5f":            "_5f",
		"a_5f2d":         "a_5f5f2d",
		"MixedCase":      "mixedcase",
	} {
		got, err := encodeName(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, strings.ToLower(name), decodeName(got))
	}
	for _, bad := range []string{"", "a b", "é", "a:b", "a\n"} {
		_, err := encodeName(bad)
		require.Error(t, err, bad)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching("[a-z0-9_!#$%&'*+.^`|~-]{1,12}|(_[25]?[0-9a-f]?-?){1,4}x").Draw(t, "name")
		encoded, err := encodeName(name)
		require.NoError(t, err)
		require.Regexp(t, identifier, encoded)
		require.Equal(t, name, decodeName(encoded))
	})
}

// Whatever another program wrote, copying it writes the same again.
func TestNamesOfOtherProgramsGoBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		foreign := rapid.StringMatching("[a-z_][a-z0-9_]{0,12}|(_[235]?[0-9a-f]?){1,4}").Draw(t, "foreign")
		again, err := encodeName(decodeName(foreign))
		require.NoError(t, err)
		require.Equal(t, foreign, again)
	})
}

func TestValuesOfMetadataComeBack(t *testing.T) {
	plain := regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		encoded, err := encodeValue(value)
		require.NoError(t, err)
		require.Regexp(t, plain, encoded)
		require.Equal(t, value, usermeta.Decode(encoded))
	})
	_, err := encodeValue("\xff")
	require.Error(t, err)
}

func TestKeysThatAzureMayChangeAreRefused(t *testing.T) {
	for _, key := range []string{"", "a.", "a./b", ".", "../b", `a\b`, "a\x01", "a\x7f", "a\u0085", "a\xff"} {
		require.Error(t, checkKey(key), "%q", key)
		require.NotContains(t, sendable(key), `\`)
	}
	for _, key := range []string{"a/", "/a", "a//b", ".a/b", "a b", "😀"} {
		require.NoError(t, checkKey(key), "%q", key)
		require.Equal(t, key, sendable(key))
	}
}
