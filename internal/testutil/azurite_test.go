package testutil

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAzuriteServesItsOwnAccountAlone(t *testing.T) {
	s := Azurite(t)
	name := s.NewContainer(t)
	assert.NoError(t, s.azure(t.Context(), http.MethodGet, "/"+name, "restype", "container"))
	other := &Server{Endpoint: s.Endpoint, AccessKey: "other", SecretKey: s.SecretKey}
	assert.Error(t, other.azure(t.Context(), http.MethodGet, "", "comp", "list"), "so that another's Azurite on the port is not taken for this one")

	s.Stop(t)
	assert.Error(t, s.azure(t.Context(), http.MethodGet, "", "comp", "list"))
	s.Start(t)
	require.NoError(t, s.azure(t.Context(), http.MethodGet, "", "comp", "list"))
	assert.Error(t, s.azure(t.Context(), http.MethodGet, "/"+name, "restype", "container"), "it holds everything in memory")
}

func TestANodeServerIsUnavailableWithoutNode(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := installNpm(t.Context(), t.TempDir(), t.TempDir(), ServerAzurite, azuriteScript)
	assert.ErrorContains(t, err, "Node.js")
}
