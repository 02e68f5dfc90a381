// Parquetrows prints what a Parquet file holds, as JSON Lines, so that tests
// can hold what the library writes against an implementation of the format that
// the library does not use.
//
//	parquetrows FILE
//
// The first line is an object with the key-value "metadata", the "columns" in
// order, each with its name, physical and logical type, and "rows", their
// number. Each further line is a row: an object of columns, byte arrays in
// base64.
//
// It is a module of its own: neither the library nor the servers that the tests
// start shall get other versions of what they depend on for its sake.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: parquetrows FILE")
		os.Exit(2)
	}
	out := bufio.NewWriter(os.Stdout)
	err := dump(os.Args[1], json.NewEncoder(out))
	if err = errors.Join(err, out.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, "parquetrows:", err)
		os.Exit(1)
	}
}

type header struct {
	Metadata map[string]string `json:"metadata"`
	Columns  []column          `json:"columns"`
	Rows     int64             `json:"rows"`
}

type column struct {
	Name     string `json:"name"`
	Physical string `json:"physical"`
	Logical  string `json:"logical"`
}

func dump(name string, out *json.Encoder) (err error) {
	f, err := file.OpenParquetFile(name, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := header{Metadata: map[string]string{}, Rows: f.NumRows()}
	pairs := f.MetaData().KeyValueMetadata()
	for i, key := range pairs.Keys() {
		h.Metadata[key] = pairs.Values()[i]
	}
	schema := f.MetaData().Schema
	for i := range schema.NumColumns() {
		c := schema.Column(i)
		if c.MaxDefinitionLevel() > 0 || c.MaxRepetitionLevel() > 0 {
			return fmt.Errorf("column %s is optional or repeated, which this program does not read", c.Name())
		}
		h.Columns = append(h.Columns, column{c.Name(), c.PhysicalType().String(), c.LogicalType().String()})
	}
	if err := out.Encode(h); err != nil {
		return err
	}
	for i := range f.NumRowGroups() {
		if err := dumpGroup(f.RowGroup(i), h.Columns, out); err != nil {
			return fmt.Errorf("row group %d: %w", i, err)
		}
	}
	return nil
}

func dumpGroup(g *file.RowGroupReader, columns []column, out *json.Encoder) error {
	values := make([][]any, len(columns))
	for i, c := range columns {
		chunk, err := g.Column(i)
		if err == nil {
			values[i], err = readColumn(chunk, g.NumRows())
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	for n := range g.NumRows() {
		row := make(map[string]any, len(columns))
		for i, c := range columns {
			row[c.Name] = values[i][n]
		}
		if err := out.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

func readColumn(chunk file.ColumnChunkReader, rows int64) ([]any, error) {
	switch c := chunk.(type) {
	case *file.Int32ColumnChunkReader:
		return readAll(c.ReadBatch, rows, func(v int32) any { return v })
	case *file.Int64ColumnChunkReader:
		return readAll(c.ReadBatch, rows, func(v int64) any { return v })
	case *file.ByteArrayColumnChunkReader:
		// The reader may use its memory again: the bytes are copied.
		return readAll(c.ReadBatch, rows, func(v parquet.ByteArray) any { return append([]byte{}, v...) })
	}
	return nil, fmt.Errorf("physical type %s is not known to this program", chunk.Type())
}

func readAll[T any](read func(int64, []T, []int16, []int16) (int64, int, error), rows int64, value func(T) any) ([]any, error) {
	var out []any
	batch := make([]T, 1024)
	for int64(len(out)) < rows {
		_, n, err := read(int64(len(batch)), batch, nil, nil)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fmt.Errorf("%w after %d of %d values", io.ErrUnexpectedEOF, len(out), rows)
		}
		for _, v := range batch[:n] {
			out = append(out, value(v))
		}
	}
	return out, nil
}
