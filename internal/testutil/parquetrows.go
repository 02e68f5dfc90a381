package testutil

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"testing"
)

// A ParquetFile is what Apache Arrow's implementation finds in a Parquet file.
type ParquetFile struct {
	Metadata map[string]string
	Columns  []ParquetColumn
	Rows     int64
}

// A ParquetColumn is a column of a Parquet file: its types are named as Arrow
// names them.
type ParquetColumn struct{ Name, Physical, Logical string }

// ParquetRows reads a Parquet file with the program parquetrows, which shares no
// Parquet code with the library. row is called for each row in the file's order,
// with a JSON object of its columns in which byte arrays are in base64. Where
// the program cannot be built the test is skipped, and fails with CI=true.
func ParquetRows(tb testing.TB, name string, row func(json.RawMessage)) ParquetFile {
	tb.Helper()
	program, err := serverBinary(ProgramParquetRows)
	if err != nil {
		giveUp(tb, &unavailableError{err})
	}
	cmd := exec.CommandContext(tb.Context(), program, name)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("read %s: %v\n%s", name, err, &stderr)
	}
	lines := json.NewDecoder(bytes.NewReader(out))
	var found ParquetFile
	if err := lines.Decode(&found); err != nil {
		tb.Fatal(fmt.Errorf("read %s: %w", name, err))
	}
	for {
		var line json.RawMessage
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			tb.Fatal(fmt.Errorf("read %s: %w", name, err))
		}
		row(line)
	}
}
