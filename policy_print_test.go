package replication

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoPrintedFormOfAPolicyHoldsASettingsValue(t *testing.T) {
	p := fullPolicy()
	p.SourceSettings["bucket"] = canary
	p.DestinationSettings["endpoint"] = canary
	p.Encryption.Source.DefaultKey = canary
	forms := map[string]any{
		"value":   p,
		"pointer": &p,
		"slice":   []Policy{p},
		"slice of pointers, each behind an interface": []any{&p},
		"map":    map[string]Policy{"a": p},
		"array":  [1]Policy{p},
		"struct": struct{ P Policy }{p},
		"nested": &struct{ Q struct{ P []Policy } }{struct{ P []Policy }{[]Policy{p}}},
	}
	for name, form := range forms {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T %[1]v", "%10.3v", "%!"} {
			require.NotContains(t, fmt.Sprintf(verb, form), canary, "%s as %s", verb, name)
		}
		require.NotContains(t, fmt.Sprint(form), canary)
		var text, jsonText bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("policy", "policy", form)
		require.NotContains(t, text.String(), canary, name)
		if name == "value" || name == "pointer" {
			slog.New(slog.NewJSONHandler(&jsonText, nil)).Info("policy", "policy", form)
			require.NotContains(t, jsonText.String(), canary, name)
			require.Contains(t, jsonText.String(), `"settings":"bucket secret_key"`)
		}
	}
	require.NotContains(t, errors.Join(fmt.Errorf("bad: %+v", p)).Error(), canary)
	require.NotContains(t, p.GoString()+p.String(), canary)
}

func TestPrintedPolicySaysWhatItDoes(t *testing.T) {
	require.Equal(t, `policy "dr/photos": s3[bucket secret_key] "2024/" -> archive[region secret_key] "copies/2024/", opaque, every 1m30.001s, `+
		`encrypted [backend destination], include ["**/*.jpg" "*.{png,gif}"], exclude ["tmp/**"], `+
		`deletes keep, foreign overwrite, drift overwrite, max delete "10%", trash ".trash/", object tags, storage class map["*":"Cool" "STANDARD":"Hot"], bandwidth 50M, concurrency 16`, fmt.Sprint(fullPolicy()))
	require.Equal(t, `policy "": [] "" -> [] "", transparent, disabled, deletes propagate, foreign report, drift report`, fmt.Sprintf("%#v", Policy{}))
	require.Equal(t, "<nil>", fmt.Sprint((*Policy)(nil)))
}
