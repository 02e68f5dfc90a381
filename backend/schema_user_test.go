package backend

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCredentialsInTheWrongPlaceAreNotInErrors(t *testing.T) {
	schema := Schema{{Name: "endpoint", Check: func(string) error { return errors.New("wrong") }}}
	for value, shown := range map[string]string{
		"http://key:hunter2@host:9000":   `"http://***@host:9000": wrong`,
		"https://key:hun/t@er2@host/dir": `"https://***@host/dir": wrong`,
		"key:hunter2@host":               `"***@host": wrong`,
		"/srv/a@b":                       `"/srv/a@b": wrong`,
	} {
		require.ErrorContains(t, schema.Validate(map[string]string{"endpoint": value}), shown)
	}
}
