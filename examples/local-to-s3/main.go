// Command local-to-s3 replicates a directory to a bucket and reports every
// object as it is written.
//
//	export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...
//	go run ./examples/local-to-s3 -dir ./examples/data -bucket backup \
//		-endpoint http://127.0.0.1:9000 -region us-east-1
//
// The credentials stand in the policy as references to the environment, so that
// no file of the replicator ever holds them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend/s3"
)

func main() {
	log.SetFlags(0)
	var (
		dir      = flag.String("dir", "examples/data", "directory to replicate")
		bucket   = flag.String("bucket", "", "bucket to replicate to")
		endpoint = flag.String("endpoint", os.Getenv("S3_ENDPOINT"), "endpoint of an S3-compatible server; empty for AWS")
		region   = flag.String("region", "us-east-1", "region of the bucket")
		prefix   = flag.String("prefix", "backup/", "what keys begin with in the bucket")
		state    = flag.String("state", filepath.Join(os.TempDir(), "local-to-s3"), "directory that remembers what was copied")
	)
	flag.Parse()
	if *bucket == "" {
		log.Fatal("local-to-s3: -bucket is missing")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	settings := map[string]string{
		"bucket":    *bucket,
		"region":    *region,
		"accessKey": "env:AWS_ACCESS_KEY_ID",
		"secretKey": "env:AWS_SECRET_ACCESS_KEY",
	}
	if *endpoint != "" {
		settings["endpoint"] = *endpoint
	}
	err := run(ctx, *state, replication.Policy{
		ID:                  "local-to-s3",
		SourceBackend:       "local",
		SourceSettings:      map[string]string{"path": *dir},
		DestinationBackend:  "s3",
		DestinationSettings: settings,
		DestinationPrefix:   *prefix,
		Exclude:             []string{"**/*.tmp"},
	})
	if err != nil {
		log.Fatal("local-to-s3: ", err)
	}
}

func run(ctx context.Context, state string, p replication.Policy) error {
	r, err := replication.New(
		replication.WithStateDir(state),
		replication.WithDrivers(s3.Driver),
		replication.WithObserver(func(e replication.Event) {
			switch e.Type {
			case replication.EventSynced:
				fmt.Printf("wrote %s, %d bytes\n", e.Key, e.Size)
			case replication.EventFailed:
				fmt.Printf("failed %s: %v\n", e.Key, e.Err)
			}
		}),
	)
	if err != nil {
		return err
	}
	defer r.Close()

	res, err := r.Sync(ctx, p)
	if err != nil && !errors.Is(err, replication.ErrObjectsFailed) {
		return err
	}
	fmt.Printf("synced %d, unchanged %d, deleted %d, failed %d\n", res.Synced, res.Skipped, res.Deleted, res.Failed)
	return err
}
