package replication

import (
	"encoding"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnumsKeepTheirNames(t *testing.T) {
	for _, c := range []struct {
		value interface {
			encoding.TextMarshaler
			String() string
		}
		into encoding.TextUnmarshaler
		name string
	}{
		{Transparent, new(Mode), "transparent"},
		{Opaque, new(Mode), "opaque"},
		{PropagateDeletes, new(DeleteMode), "propagate"},
		{KeepDeleted, new(DeleteMode), "keep"},
		{Report, new(ConflictMode), "report"},
		{Overwrite, new(ConflictMode), "overwrite"},
	} {
		require.Equal(t, c.name, c.value.String())
		text, err := c.value.MarshalText()
		require.NoError(t, err)
		require.Equal(t, c.name, string(text))
		require.NoError(t, c.into.UnmarshalText(text))
		again, err := c.into.(encoding.TextMarshaler).MarshalText()
		require.NoError(t, err)
		require.Equal(t, text, again)
	}
}

func TestUnknownEnumNamesTheAllowedOnes(t *testing.T) {
	mode := Opaque
	require.EqualError(t, mode.UnmarshalText([]byte("OPAQUE")), `unknown replication mode "OPAQUE"; allowed are transparent, opaque`)
	require.Equal(t, Opaque, mode)
	require.EqualError(t, new(DeleteMode).UnmarshalText(nil), `unknown delete mode ""; allowed are propagate, keep`)
	require.EqualError(t, new(ConflictMode).UnmarshalText([]byte("win")), `unknown conflict mode "win"; allowed are report, overwrite`)

	_, err := Mode(7).MarshalText()
	require.EqualError(t, err, "unknown replication mode 7; allowed are transparent, opaque")
	require.Equal(t, "Mode(7)", Mode(7).String())
	require.Equal(t, "DeleteMode(-1)", DeleteMode(-1).String())
}
