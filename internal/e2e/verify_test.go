package e2e

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/internal/testutil"
)

// A plan of a pass to a real server, the pass, and what the server counted.
func TestAPlanForetellsTheRequestsOfAPass(t *testing.T) {
	for _, driver := range []string{"s3", "minio"} {
		t.Run(driver, func(t *testing.T) {
			server := testutil.SharedMinIO(t)
			name := server.NewBucket(t)
			proxy := testutil.CountingProxy(t, server.Endpoint)
			settings := bucket(server, name)
			settings["endpoint"] = proxy.URL
			source := files(t, 1500)
			r := replicator(t)
			policy := upload(driver, source, settings)
			policy.MaxDelete = "off"
			planned := func() replication.Plan {
				t.Helper()
				proxy.Reset()
				plan, err := r.PlanOf(t.Context(), policy)
				require.NoError(t, err)
				require.EqualValues(t, plan.Requests.Most.Destination.List, proxy.Counts()["ListObjects"])
				require.Len(t, proxy.Counts(), 1, "nothing but listings: %v", proxy.Counts())
				return plan
			}
			hold := func(plan replication.Plan) {
				t.Helper()
				proxy.Reset()
				_, err := r.Sync(t.Context(), policy)
				require.NoError(t, err)
				made := proxy.Counts()
				want := plan.Requests.Most.Destination
				require.EqualValues(t, want.List, made["ListObjects"], "%v", made)
				require.EqualValues(t, want.Put, made["PutObject"], "%v", made)
				require.EqualValues(t, want.Head, made["HeadObject"], "%v", made)
				require.LessOrEqual(t, int64(made["DeleteObject"]+made["DeleteObjects"]), want.Delete, "%v", made)
			}
			plan := planned()
			require.Equal(t, []replication.PlanCount{{
				Action: replication.ActionCopy, Reason: replication.ReasonNew, Objects: 1500, Bytes: plan.Reasons[0].Bytes,
			}}, plan.Reasons)
			require.Nil(t, plan.DestinationCost, "a server of one's own has no known price")
			hold(plan)

			require.NoError(t, os.WriteFile(filepath.Join(source, "0003.txt"), []byte("another text"), 0o644))
			require.NoError(t, os.Remove(filepath.Join(source, "0005.txt")))
			plan = planned()
			copies, _ := plan.Total(replication.ActionCopy)
			deletes, _ := plan.Total(replication.ActionDelete)
			require.EqualValues(t, 1, copies)
			require.EqualValues(t, 1, deletes)
			hold(plan)
		})
	}
}

func TestWhatTravelledIsFoundEqualAndWhatWasTamperedWithIsFound(t *testing.T) {
	for _, driver := range []string{"s3", "minio"} {
		t.Run(driver, func(t *testing.T) {
			server := testutil.SharedMinIO(t)
			source, back := realTree(t), filepath.Join(t.TempDir(), "back")
			r := replicator(t)
			name := server.NewBucket(t)
			store := bucket(server, name)
			there := replication.Policy{
				ID: "there", SourceBackend: "local", SourceSettings: directory(source),
				DestinationBackend: driver, DestinationSettings: store,
			}
			home := replication.Policy{
				ID: "back", SourceBackend: driver, SourceSettings: store,
				DestinationBackend: "local", DestinationSettings: directory(back),
			}
			for _, p := range []replication.Policy{there, home} {
				_, err := r.VerifyOf(t.Context(), p)
				if p.ID == "there" {
					require.ErrorIs(t, err, replication.ErrDifferent)
				}
				_, err = r.Sync(t.Context(), p)
				require.NoError(t, err)
				for _, opts := range [][]replication.VerifyOption{nil, {replication.ReadAll()}} {
					v, err := r.VerifyOf(t.Context(), p, opts...)
					require.NoError(t, err, "%+v", v.Findings)
					require.Positive(t, v.Equal)
				}
			}

			// Another content of the same size in the bucket.
			client := server.Client(t)
			object, err := os.ReadFile(filepath.Join(source, "big.txt"))
			require.NoError(t, err)
			object[len(object)-2] ^= 1
			_, err = client.PutObject(t.Context(), name, "big.txt", bytes.NewReader(object), int64(len(object)), minio.PutObjectOptions{})
			require.NoError(t, err)
			v, err := r.VerifyOf(t.Context(), there)
			require.True(t, errors.Is(err, replication.ErrDifferent))
			require.Len(t, v.Findings, 1)
			require.Equal(t, replication.FindingContent, v.Findings[0].Kind)
			require.Equal(t, "big.txt", v.Findings[0].Key)

			// And in the directory, under the time that it had.
			path := filepath.Join(back, "big.txt")
			info, err := os.Stat(path)
			require.NoError(t, err)
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte("X"), 100)
			require.NoError(t, errors.Join(err, f.Close()))
			require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
			_, err = client.CopyObject(t.Context(),
				minio.CopyDestOptions{Bucket: name, Object: "unrelated"}, minio.CopySrcOptions{Bucket: name, Object: "big.txt"})
			require.NoError(t, err)
			v, err = r.VerifyOf(t.Context(), home, replication.ReadAll())
			require.ErrorIs(t, err, replication.ErrDifferent)
			require.EqualValues(t, 1, v.Count(replication.FindingContent))
			require.EqualValues(t, 1, v.Count(replication.FindingMissing))
			require.EqualValues(t, 2, v.Total())
		})
	}
}
