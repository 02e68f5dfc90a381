package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/objrepl/replication/internal/testutil"
)

// binary is the objstore that the tests run: the real one, not the test binary.
var binary string

func TestMain(m *testing.M) { testutil.Main(built{m}, testutil.ServerMinIO) }

// built builds the binary before the tests run.
type built struct{ m *testing.M }

func (b built) Run() int {
	dir, err := os.MkdirTemp("", "objstore-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "objstore")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build objstore: %v\n%s", err, out)
		return 1
	}
	return b.m.Run()
}

// params are those of every script: objstore is on the path, its state in the
// script's own directory.
func params(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("OBJSTORE_STATE_DIR", filepath.Join(env.WorkDir, "state"))
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"jsonkeys": jsonKeys,
			"jsonget":  jsonGet,
			"filler":   filler,
			"age":      age,
			"tamper":   tamper,
			"byid":     byID,
			"sameid":   sameID,
		},
	}
}

func TestScripts(t *testing.T) { testscript.Run(t, params(filepath.Join("testdata", "script"))) }

func TestScriptsAgainstMinIO(t *testing.T) {
	srv := testutil.SharedMinIO(t)
	p := params(filepath.Join("testdata", "minio"))
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("ENDPOINT", srv.Endpoint)
		env.Setenv("ACCESS", srv.AccessKey)
		env.Setenv("SECRET", srv.SecretKey)
		env.Setenv("BUCKET", srv.NewBucket(t))
		env.Setenv("BUCKET2", srv.NewBucket(t))
		return setup(env)
	}
	testscript.Run(t, p)
}

// exits runs a program and checks its exit code: exits CODE PROGRAM ARGS...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// jsonKeys checks that a file is one JSON object with exactly these keys:
// jsonkeys FILE KEY...
func jsonKeys(ts *testscript.TestScript, neg bool, args []string) {
	object := map[string]any{}
	readJSON(ts, args[0], &object)
	var keys []string
	for k := range object {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	want := slices.Sorted(slices.Values(args[1:]))
	if slices.Equal(keys, want) == neg {
		ts.Fatalf("keys are %v, want %v", keys, want)
	}
}

// jsonGet checks one value of a JSON document: jsonget FILE PATH JSON, where
// PATH has dots between keys and indexes.
func jsonGet(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: jsonget FILE PATH JSON")
	}
	var got, want any
	readJSON(ts, args[0], &got)
	ts.Check(json.Unmarshal([]byte(args[2]), &want))
	for step := range strings.SplitSeq(args[1], ".") {
		switch v := got.(type) {
		case map[string]any:
			got = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			ts.Check(err)
			if i >= len(v) {
				ts.Fatalf("%s: only %d elements", args[1], len(v))
			}
			got = v[i]
		default:
			ts.Fatalf("%s: nothing at %s", args[1], step)
		}
	}
	if reflect.DeepEqual(got, want) == neg {
		ts.Fatalf("%s is %v, want %v", args[1], got, want)
	}
}

func readJSON(ts *testscript.TestScript, file string, into any) {
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(file)))
	ts.Check(dec.Decode(into))
	if dec.More() {
		ts.Fatalf("%s holds more than one document", file)
	}
}

// filler makes files: filler DIR COUNT BYTES.
func filler(ts *testscript.TestScript, neg bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	size, err := strconv.Atoi(args[2])
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	for i := range count {
		name := filepath.Join(dir, fmt.Sprintf("file-%04d", i))
		ts.Check(os.WriteFile(name, []byte(strings.Repeat("x", size)), 0o644))
	}
}

// age sets the modification times of all files below a directory back, out of
// the granularity within which a pass looks at a file again: age DIR.
func age(ts *testscript.TestScript, neg bool, args []string) {
	past := time.Now().Add(-time.Hour)
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(path, past, past)
	}))
}

// tamper turns the bits of a file's first byte over and puts its time back:
// tamper FILE.
func tamper(ts *testscript.TestScript, neg bool, args []string) {
	name := ts.MkAbs(args[0])
	info, err := os.Stat(name)
	ts.Check(err)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	ts.Check(err)
	var first [1]byte
	_, err = f.ReadAt(first[:], 0)
	ts.Check(err)
	first[0] = ^first[0]
	_, err = f.WriteAt(first[:], 0)
	ts.Check(errors.Join(err, f.Close()))
	ts.Check(os.Chtimes(name, info.ModTime(), info.ModTime()))
}
