package local

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzRecord: whatever an attribute or a sidecar holds, reading it ends, and
// what is understood is written back as it was.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"v":1,"type":"text/plain","user":{"a":"b"}}`))
	f.Add([]byte(`{"v":1,"user":{"a":"\ud800"}}`))
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`{"key":"k","tag":"t","meta":{"v":1}}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := decodeSidecar(b, "x"); err == nil {
			require.Equal(t, recordFormat, c.Record.Version)
		}
		r, err := decodeRecord(b, "x")
		if err != nil {
			return
		}
		again, err := r.encode()
		require.NoError(t, err)
		back, err := decodeRecord(again, "x")
		require.NoError(t, err)
		if len(r.User) == 0 {
			r.User = nil
		}
		require.Equal(t, r, back)
	})
}

// The stored forms are read for years: they change only with their version.
func TestStoredFormsStayAsTheyAre(t *testing.T) {
	raw, err := record{
		Version: recordFormat, Type: "text/html", Encoding: "gzip", Language: "de", Disposition: "inline",
		Cache: "no-store", User: map[string]string{"b": "<2>", "a": "1"},
	}.encode()
	require.NoError(t, err)
	require.Equal(t, `{"v":1,"type":"text/html","encoding":"gzip","language":"de","disposition":"inline",`+
		`"cache":"no-store","user":{"a":"1","b":"<2>"}}`, string(raw))
	require.Equal(t, ".objrepl/meta/91/1ac59676cf15b879005f06dd54c056ff350b1e828f6631a7ac782d45e1ee7b-T.json", sidecarPath("d/k", "T"))
	require.Equal(t, "gjdgxs.3-zz-10", string(version{mtime: moment{1e9, 3}, ino: 36*36 - 1, size: 36}.tag()))
	require.True(t, json.Valid(raw) && !bytes.Contains(raw, []byte("\n")))
}
