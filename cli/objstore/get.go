package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication/backend"
)

func (a *app) getCommand() *cobra.Command {
	var store storeFlags
	cmd := &cobra.Command{
		Use:   "get KEY [FILE]",
		Short: "Read an object to standard output or a file",
		Long: `Read an object to standard output, or to FILE, which is replaced at once when
all bytes have arrived and otherwise stays as it was. The format flag has no say
in it.`,
		Args: args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd, &store, func(ctx context.Context, b backend.Backend) error {
				o, r, err := b.Open(ctx, args[0], backend.OpenOptions{})
				if err != nil {
					return err
				}
				defer r.Close()
				if len(args) == 1 || args[1] == "-" {
					_, err = io.Copy(a.stdout, r)
					return err
				}
				if err := saveFile(args[1], r); err != nil {
					return err
				}
				if a.console.terminal {
					a.console.Printf("wrote %s to %s\n", humanBytes(o.Size), oneLine(args[1]))
				}
				return nil
			})
		},
	}
	store.add(cmd)
	return cmd
}

func (a *app) statCommand() *cobra.Command {
	var (
		store storeFlags
		tags  bool
	)
	cmd := &cobra.Command{
		Use:   "stat KEY",
		Short: "Show what a store knows of an object",
		Long: `Show what a store knows of an object, in one request. Its object tags, such as
S3's and Azure's, take another one, made with --tags.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd, &store, func(ctx context.Context, b backend.Backend) error {
				o, err := b.Stat(ctx, args[0])
				if err != nil {
					return err
				}
				d := document(o)
				if tags {
					if d.ObjectTags, err = objectTags(ctx, b, store.backend, args[0]); err != nil {
						return err
					}
					d.ObjectTagCount = len(d.ObjectTags)
				}
				return a.print(d, func(t *table) { showObject(t, d) })
			})
		},
	}
	store.add(cmd)
	cmd.Flags().BoolVar(&tags, "tags", false, "show the object tags too, at one request more")
	return cmd
}

// objectTags asks for the object tags of an object.
func objectTags(ctx context.Context, b backend.Backend, name, key string) (map[string]string, error) {
	tagger, ok := backend.As[backend.ObjectTagger](b)
	if !ok {
		return nil, usagef("leave --tags out", "backend %s has no object tags", name)
	}
	return tagger.ObjectTags(ctx, key)
}

func (a *app) deleteCommand() *cobra.Command {
	var store storeFlags
	cmd := &cobra.Command{
		Use:   "delete KEY",
		Short: "Delete an object; that one is absent already is no failure",
		Args:  args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd, &store, func(ctx context.Context, b backend.Backend) error {
				if err := b.Delete(ctx, args[0], backend.DeleteOptions{}); err != nil {
					return err
				}
				answer := struct {
					Key    string `json:"key"`
					Action string `json:"action"`
				}{args[0], "deleted"}
				return a.print(answer, func(t *table) { t.line("deleted %s", args[0]) })
			})
		},
	}
	store.add(cmd)
	return cmd
}
