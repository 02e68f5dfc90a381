package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/minio"
	"github.com/objrepl/replication/internal/testutil"
)

func TestStatShowsClassAndObjectTags(t *testing.T) {
	srv := testutil.SharedMinIO(t)
	proxy := testutil.CountingProxy(t, srv.Endpoint)
	settings := backend.Settings{"bucket": srv.NewBucket(t), "endpoint": srv.Endpoint, "accessKey": srv.AccessKey, "secretKey": srv.SecretKey}
	b, err := minio.Driver.Open(t.Context(), settings)
	require.NoError(t, err)
	defer b.Close()
	for key, class := range map[string]string{"tagged": "REDUCED_REDUNDANCY", "plain": ""} {
		opts := backend.PutOptions{Class: class}
		if class != "" {
			opts.ObjectTags = map[string]string{"team": "red", "cost": "1 2"}
		}
		_, err = b.Put(t.Context(), key, backend.Bytes([]byte("x")), opts)
		require.NoError(t, err)
	}
	run := func(args ...string) string {
		t.Helper()
		proxy.Reset()
		args = append(args, "--backend=minio", "--setting=endpoint="+proxy.URL, "--setting=bucket="+settings["bucket"],
			"--setting=accessKey=env:ACCESS", "--setting=secretKey=env:SECRET")
		stdout, stderr, code := objstore(t, []string{"ACCESS=" + srv.AccessKey, "SECRET=" + srv.SecretKey}, args...)
		require.Zero(t, code, stderr)
		return stdout
	}

	text := run("stat", "tagged")
	require.Regexp(t, `(?m)^storage class: +REDUCED_REDUNDANCY$`, text)
	require.Regexp(t, `(?m)^object tags: +2 \(--tags shows them\)$`, text)
	require.Equal(t, 1, len(proxy.Requests()), "one request")
	text = run("stat", "--tags", "tagged")
	require.Regexp(t, `(?m)^object tag cost: +1 2\nobject tag team: +red$`, text)
	require.Equal(t, 2, len(proxy.Requests()), "one request more")
	var document map[string]any
	require.NoError(t, json.Unmarshal([]byte(run("stat", "--tags", "tagged", "-o", "json")), &document))
	require.Equal(t, "REDUCED_REDUNDANCY", document["storage_class"])
	require.EqualValues(t, 2, document["object_tag_count"])
	require.Equal(t, map[string]any{"team": "red", "cost": "1 2"}, document["object_tags"])

	text = run("stat", "plain", "--tags")
	require.Regexp(t, `(?m)^storage class: +STANDARD$`, text)
	require.NotContains(t, text, "object tag")

	require.Regexp(t, `(?m)^ +SIZE  MODIFIED {19}CLASS {16}KEY\n +1 B  20\S+ +STANDARD {13}plain\n +1 B  20\S+ +REDUCED_REDUNDANCY {3}tagged$`, run("list"))
	require.Contains(t, run("list", "-o", "json"), `"storage_class":"STANDARD"`)
}
