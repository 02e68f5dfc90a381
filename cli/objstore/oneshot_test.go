package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func policyID(ts *testscript.TestScript, file string) string {
	var result struct {
		ID string `json:"policy_id"`
	}
	readJSON(ts, file, &result)
	if result.ID == "" {
		ts.Fatalf("%s has no policy_id", file)
	}
	return result.ID
}

// byID runs a program for the policy of a result: byid FILE PROGRAM ARGS...
func byID(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], append(args[2:], "--id="+policyID(ts, args[0]))...)
	if (err != nil) != neg {
		ts.Fatalf("failed is %v, want %v: %v", err != nil, neg, err)
	}
}

// sameID checks that two documents are of one policy: sameid FILE FILE.
func sameID(ts *testscript.TestScript, neg bool, args []string) {
	if one, other := policyID(ts, args[0]), policyID(ts, args[1]); (one == other) == neg {
		ts.Fatalf("of %s and %s", one, other)
	}
}

func TestIDsOfOneShotSyncsAreTold(t *testing.T) {
	for id, want := range map[string]bool{
		"sync-0123456789ab": true, "sync-0123456789aB": false, "sync-0123456789abc": false, "sync-": false, "my-sync-0123456789ab": false, "": false,
	} {
		if isOneShot(id) != want {
			t.Errorf("%q is of a one-shot sync: %v, want %v", id, !want, want)
		}
	}
}
