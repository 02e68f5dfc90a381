package main

import (
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/require"
)

func gridAt(columns int, rows ...[]string) string {
	var b strings.Builder
	t := &table{w: tabwriter.NewWriter(&b, 0, 0, columnGap, ' ', 0), columns: columns}
	t.grid([]column{{name: "ID"}, {"WHERE", true}, {name: "ON"}, {name: "FAILED"}, {"LAST ERROR", true}}, rows)
	if err := t.flush(); err != nil {
		panic(err)
	}
	return b.String()
}

func TestGridFitsTheTerminal(t *testing.T) {
	rows := func() [][]string {
		return [][]string{
			{"grüße", "local:///srv/data", "yes", "0", ""},
			{"backup-2", "s3://a-bucket/with/a/prefix/", "no", "0", "the disk is on fire, and nobody has noticed"},
		}
	}
	oneLine := `ID        WHERE                         ON   FAILED  LAST ERROR
grüße     local:///srv/data             yes  0       -
backup-2  s3://a-bucket/with/a/prefix/  no   0       the disk is on fire, and nobody has noticed
`
	require.Equal(t, oneLine, gridAt(0, rows()...), "no terminal: every line says all")
	require.Equal(t, oneLine, gridAt(96, rows()...))
	require.Equal(t, `ID        ON
grüße     yes
    where       local:///srv/data
backup-2  no
    where       s3://a-bucket/with/a/prefix/
    last error  the disk is on fire,
                and nobody has
                noticed
`, gridAt(36, rows()...), "no column of zeros, long cells below")
	require.Equal(t, `ID
  ON   FAILED
a-policy-of-a-long-name
  yes  3
    where  s3://a-bucket-of-a-name-that-is-too-long/
b
  no   0
`, gridAt(30, []string{"a-policy-of-a-long-name", "s3://a-bucket-of-a-name-that-is-too-long/", "yes", "3", ""}, []string{"b", "", "no", "0", ""}),
		"names stay whole, and what cannot be broken too")
}

func TestGridCellsCannotBreakTheLine(t *testing.T) {
	require.Equal(t, 2, strings.Count(gridAt(0, []string{"a\nb", "c\td", "\x1b[2J", "", ""}), "\n"))
	require.NotContains(t, gridAt(0, []string{"a", "", "\x1b[2J", "", ""}), "\x1b")
}

func TestSpacesInAKeyStay(t *testing.T) {
	var b strings.Builder
	wrap(&b, "key:  ", "      ", "a  b   c d", 12)
	require.Equal(t, "key:  a  b  \n      c d\n", b.String())
}
