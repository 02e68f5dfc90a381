package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/backend/memory"
	"github.com/objrepl/replication/backend/minio"
	"github.com/objrepl/replication/backend/s3"
)

// addedDrivers are those that the library does not have of its own.
func addedDrivers() []backend.Driver {
	return []backend.Driver{
		s3.Driver,
		minio.Driver,
		gcs.Driver,
		azure.Driver,
	}
}

// drivers are all drivers by name, for their schemas: help, validation and
// redaction come from there.
func drivers() map[string]backend.Driver {
	byName := map[string]backend.Driver{}
	for _, d := range append(addedDrivers(), local.Driver, memory.New()) {
		byName[d.Name()] = d
	}
	return byName
}

func driverNames() string {
	return strings.Join(slices.Sorted(maps.Keys(drivers())), ", ")
}

// literalSecrets returns the secret settings of a driver whose values stand
// there as they are, by name. A driver that is not known, such as a backend of
// the configuration, has none here.
func literalSecrets(driver string, raw map[string]string) []string {
	d, ok := drivers()[driver]
	if !ok {
		return nil
	}
	schema := d.Schema()
	shown := schema.Redact(raw)
	var names []string
	for _, s := range schema {
		if value := raw[s.Name]; s.Secret && value != shown[s.Name] && value != backend.Redacted {
			names = append(names, s.Name)
		}
	}
	return names
}

// warnOfSecrets says that other users can read a secret in the list of
// processes, and shells keep it in their history.
func (a *app) warnOfSecrets(driver string, raw map[string]string) {
	for _, name := range literalSecrets(driver, raw) {
		a.console.Warnf("the value of %s stands on the command line, where other programs can read it; give it as %s=env:NAME or %s=file:PATH", name, name, name)
	}
}
