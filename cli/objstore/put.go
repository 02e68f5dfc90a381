package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/objrepl/replication/backend"
)

func (a *app) putCommand() *cobra.Command {
	var (
		store       storeFlags
		contentType string
		user        settingsFlag
	)
	cmd := &cobra.Command{
		Use:   "put KEY [FILE]",
		Short: "Write an object from a file or standard input",
		Long: `Write an object from a file, or from standard input where FILE is - or left out.

Standard input goes through a temporary file first, since stores want to know
the size and a failed request is sent again.`,
		Example: `  objstore put --backend=local --setting=path=/srv/data notes/a.txt a.txt
  date | objstore put --backend=s3 --setting=bucket=b stamp`,
		Args: args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "-"
			if len(args) == 2 {
				name = args[1]
			} else if term.IsTerminal(int(a.stdin.Fd())) {
				return usagef("name a FILE, or - to type the object in", "standard input is a terminal")
			}
			file, remove, err := a.input(name)
			if err != nil {
				return err
			}
			defer remove()
			body, info, err := fileBody(file)
			if err != nil {
				return err
			}
			meta := backend.Metadata{ContentType: contentType, User: maps.Clone(user)}
			if meta.ContentType == "" {
				meta.ContentType = guessType(args[0], name)
			}
			if name != "-" {
				meta.ModTime = info.ModTime()
			}
			return a.withStore(cmd, &store, func(ctx context.Context, b backend.Backend) error {
				o, err := b.Put(ctx, args[0], body, backend.PutOptions{Metadata: meta})
				if err != nil {
					return err
				}
				return a.print(document(o), func(t *table) { t.line("put %s (%s)", o.Key, humanBytes(o.Size)) })
			})
		},
	}
	store.add(cmd)
	cmd.Flags().StringVar(&contentType, "content-type", "", "media `TYPE` (default by the extension of KEY or FILE)")
	cmd.Flags().Var(&user, "metadata", "user metadata, names in lower case; repeatable")
	return cmd
}

// input returns a regular file with what is to be put, and a function that
// closes it and removes it if it is temporary.
func (a *app) input(name string) (*os.File, func(), error) {
	source := a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		info, err := f.Stat()
		switch {
		case err != nil:
			f.Close()
			return nil, nil, err
		case info.Mode().IsRegular():
			return f, func() { f.Close() }, nil
		case info.IsDir():
			f.Close()
			return nil, nil, usagef("'objstore sync' copies directories", "%s is a directory", name)
		}
		defer f.Close()
		source = f
	}
	spool, err := os.CreateTemp("", "objstore-put-*")
	if err != nil {
		return nil, nil, err
	}
	remove := func() {
		spool.Close()
		os.Remove(spool.Name())
	}
	if _, err := io.Copy(spool, source); err != nil {
		remove()
		return nil, nil, fmt.Errorf("read standard input: %w", err)
	}
	return spool, remove, nil
}

// fileBody is a body over a regular file. It reads at offsets, so that several
// readers do not disturb each other.
func fileBody(f *os.File) (backend.Body, os.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return backend.Body{}, nil, err
	}
	size := info.Size()
	return backend.Body{
		Size: size,
		File: f,
		Open: func(offset int64) (io.ReadCloser, error) {
			if offset < 0 || offset > size {
				return nil, errors.New("offset is outside of the file")
			}
			return io.NopCloser(io.NewSectionReader(f, offset, size-offset)), nil
		},
	}, info, nil
}

// guessType looks an extension up in the tables of package mime; empty where
// neither name has a known one.
func guessType(key, file string) string {
	if t := mime.TypeByExtension(path.Ext(key)); t != "" {
		return t
	}
	return mime.TypeByExtension(filepath.Ext(file))
}
