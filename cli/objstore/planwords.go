package main

import (
	"fmt"
	"strings"

	"github.com/objrepl/replication"
)

// meanings say in a sentence what the reasons of a plan are.
var meanings = map[replication.Reason]string{
	replication.ReasonNew:        "the destination has no such object",
	replication.ReasonChanged:    "the source has another version",
	replication.ReasonLost:       "the copy is gone at the destination",
	replication.ReasonUnproven:   "the file's status has changed, and nothing tells whether its content did",
	replication.ReasonStamp:      "the file's status has changed: read, and copied only if its content did",
	replication.ReasonUnknown:    "the destination has one that is not known: taken over if equal, else as --foreign says",
	replication.ReasonDrift:      "somebody else has changed the copy: taken over if equal, else as --drift says",
	replication.ReasonBlocked:    "at the destination something is in the way that is no object",
	replication.ReasonName:       "the destination can hold no object of this name",
	replication.ReasonInTrash:    "its key at the destination is in the trash",
	replication.ReasonGone:       "the source has it no more",
	replication.ReasonGoneTrash:  "the source has it no more; the copy is moved to the trash",
	replication.ReasonGoneDrift:  "the source has it no more, and the copy was changed: deleted only if it is ours",
	replication.ReasonUnclaimed:  "the source does not have it: deleted only if it is ours",
	replication.ReasonKept:       "the source has it no more, but --deletes is keep, or it was there before",
	replication.ReasonGoneBoth:   "neither side has it any more",
	replication.ReasonSpecial:    "a special file, such as a socket or a link",
	replication.ReasonUnreadable: "the source cannot be read",
}

// words are a reason as a person reads it.
func words(r replication.Reason) string { return strings.ReplaceAll(string(r), "_", " ") }

// outlook sums up what a pass would do.
func outlook(p replication.Plan) string {
	var parts []string
	for _, a := range []struct {
		action replication.Action
		text   string
	}{
		{replication.ActionCopy, "copy %s (%s)"},
		{replication.ActionDelete, "delete %s (%s)"},
		{replication.ActionTrash, "move %s (%s) to the trash"},
		{replication.ActionLook, "look at %s (%s) before it decides"},
		{replication.ActionFail, "fail at %s (%s)"},
	} {
		deletes := a.action == replication.ActionDelete || a.action == replication.ActionTrash
		if n, bytes := p.Total(a.action); n > 0 && !(deletes && p.HeldBack != nil) {
			parts = append(parts, fmt.Sprintf(a.text, objects(n), humanBytes(bytes)))
		}
	}
	if len(parts) == 0 {
		parts = []string{"do nothing"}
	}
	return fmt.Sprintf("a sync would %s; %s unchanged", strings.Join(parts, ", "), humanCount(p.Unchanged))
}
