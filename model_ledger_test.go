package replication

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/internal/ledger"
)

// readLedger returns all entries of a policy. Reading is most of what a run
// costs, so that a ledger with the same bytes is not read again.
func (s *simulation) readLedger(state, id string) []ledger.Entry {
	var bytes strings.Builder
	files := s.ledgerFiles(state, id)
	for _, name := range sortedKeys(files) {
		bytes.WriteString(name)
		bytes.Write(files[name])
	}
	if len(files) == 0 {
		return nil
	}
	cached, ok := s.ledgers[bytes.String()]
	if !ok {
		cached = s.readEntries(s.ledgerPath(state, id))
		s.ledgers[bytes.String()] = cached
	}
	return cached
}

func (s *simulation) readEntries(dir string) (entries []ledger.Entry) {
	b, err := local.Driver.Open(context.Background(), backend.Settings{"path": dir})
	s.must(err)
	defer b.Close()
	l, err := ledger.Open(context.Background(), ledger.Options{Backend: b, Scratch: s.dir})
	s.must(err)
	cursor, err := l.Read(context.Background(), "", "")
	s.must(err)
	defer cursor.Close()
	for {
		e, err := cursor.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return entries
		}
		s.must(err)
		entries = append(entries, e)
	}
}

// ledgerPath is where the ledger of a policy stands.
func (s *simulation) ledgerPath(state, id string) string {
	return filepath.Join(s.dir, state, policyDir(id), ledgerDir)
}

// ledgerFiles reads the ledger as a crash would leave it.
func (s *simulation) ledgerFiles(state, id string) map[string][]byte {
	return readFiles(s.ledgerPath(state, id))
}

// readFiles reads the files of a directory, none if there is no such.
func readFiles(dir string) map[string][]byte {
	files := map[string][]byte{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			continue // what the backend keeps for itself
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			panic(err)
		}
		files[e.Name()] = data
	}
	return files
}

func (s *simulation) restoreLedger(state, id string, files map[string][]byte) {
	s.tracef("the ledger is that of the pass before")
	writeFiles(s.ledgerPath(state, id), files)
}

// writeFiles makes a directory hold these files alone.
func writeFiles(dir string, files map[string][]byte) {
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	for name, data := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	if err != nil {
		panic(err)
	}
}
