package local

import (
	"io/fs"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModesOfOtherProgramsAreRead(t *testing.T) {
	for text, want := range map[string]fs.FileMode{
		"0100640": 0o640, // ours
		"100640":  0o640, // rclone
		"33184":   0o640, // s3fs
		"33261":   0o755, // s3fs; in octal a type that there is not
		"640":     0o640,
		"0":       0,
		"104755":  0o755, // no setuid
		"0107777": 0o777,
	} {
		got, ok := parseMode(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "rw-r--r--", "-1", "040755", "16877", "0120777", "99999999999", "0x1a4", "8"} {
		_, ok := parseMode(text)
		require.False(t, ok, text)
	}
}

func TestEveryModeComesBack(t *testing.T) {
	for perm := range fs.FileMode(0o1000) {
		got, ok := parseMode(formatMode(perm))
		require.True(t, ok)
		require.Equal(t, perm, got)
		got, ok = parseMode(strconv.Itoa(int(regularFile | perm))) // as s3fs writes it
		require.True(t, ok)
		require.Equal(t, perm, got)
	}
}
