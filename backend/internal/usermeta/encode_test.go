package usermeta

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestValuesComeBackAndAreHeaders(t *testing.T) {
	header := regexp.MustCompile(`^([!-~]( ?[!-~])*)?$`)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		encoded := Encode(value)
		require.Regexp(t, header, encoded)
		require.Equal(t, value, Decode(encoded))
		for word := range strings.SplitSeq(encoded, " ") {
			require.True(t, !strings.HasPrefix(word, "=?") || len(word) <= 75, word)
		}
	})
	require.Empty(t, Decode(Empty))
	require.Equal(t, "plain text", Encode("plain text"))
}

func TestValuesOfOtherProgramsAreRead(t *testing.T) {
	for written, want := range map[string]string{
		"=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=": "ÄMÄZÕÑ S3",
		"\xc4":               "Ä",
		"=?UTF-9?B?w6k=?=":   "=?UTF-9?B?w6k=?=",
		"=?UTF-8?B?w6k=?= =": "é =",
	} {
		require.Equal(t, want, Decode(written), written)
	}
}
