package replication

import (
	"errors"

	"github.com/objrepl/replication/backend"
)

// An Action is what a pass would do about an object.
type Action string

// The actions of a plan.
const (
	// ActionCopy: written at the destination.
	ActionCopy Action = "copy"
	// ActionLook: looked at first; what follows depends on what is found.
	ActionLook Action = "look"
	// ActionDelete: deleted at the destination.
	ActionDelete Action = "delete"
	// ActionTrash: moved to the trash at the destination.
	ActionTrash Action = "trash"
	// ActionKeep: left at the destination although it is gone at the source.
	ActionKeep Action = "keep"
	// ActionForget: taken out of the ledger, and nothing else.
	ActionForget Action = "forget"
	// ActionSkip: never replicated.
	ActionSkip Action = "skip"
	// ActionFail: counted as failed.
	ActionFail Action = "fail"
)

// A Reason is why. Each goes with one action, where the stores stay as they are.
type Reason string

// The reasons of a plan, in the order in which a Plan has them.
const (
	// ReasonNew: copied, since the destination has no such object.
	ReasonNew Reason = "new"
	// ReasonChanged: copied, since the source has another version.
	ReasonChanged Reason = "changed"
	// ReasonLost: copied again, since the copy is gone at the destination.
	ReasonLost Reason = "lost_at_destination"
	// ReasonUnproven: copied, since the source's status changed and no digest
	// is known that could tell whether the content did.
	ReasonUnproven Reason = "stamp_changed_without_digest"
	// ReasonStamp: looked at, since the source's status changed; read and
	// copied only if the content or the metadata did.
	ReasonStamp Reason = "stamp_changed"
	// ReasonUnknown: looked at, since the ledger does not know the object that
	// the destination has.
	ReasonUnknown Reason = "unknown_at_destination"
	// ReasonDrift: looked at, since the destination has another version than
	// the one that was written.
	ReasonDrift Reason = "drift"
	// ReasonBlocked: fails, since something at the destination is no object.
	ReasonBlocked Reason = "blocked_at_destination"
	// ReasonName: fails, since the destination can hold no object of this name.
	ReasonName Reason = "invalid_key_at_destination"
	// ReasonInTrash: fails, since its key at the destination is in the trash.
	ReasonInTrash Reason = "key_in_trash"
	// ReasonGone: deleted, since the source has it no more.
	ReasonGone Reason = "gone_at_source"
	// ReasonGoneTrash: moved to the trash, since the source has it no more.
	ReasonGoneTrash Reason = "gone_at_source_to_trash"
	// ReasonGoneDrift: looked at, since the source has it no more and the
	// destination another version; deleted only if it is the policy's own.
	ReasonGoneDrift Reason = "gone_at_source_and_drift"
	// ReasonUnclaimed: looked at, since the source has it no more and the ledger
	// may lack objects that the policy wrote; deleted only if its marker says so.
	ReasonUnclaimed Reason = "gone_at_source_and_unclaimed"
	// ReasonKept: kept, since the policy propagates no deletions or the object
	// stood there before it was adopted.
	ReasonKept Reason = "gone_at_source_but_kept"
	// ReasonGoneBoth: forgotten, since both sides have it no more.
	ReasonGoneBoth Reason = "gone_at_both"
	// ReasonSpecial: skipped, since it is a special file.
	ReasonSpecial Reason = "special_file"
	// ReasonUnreadable: fails, since the source cannot offer it. A directory
	// that cannot be read is one such object, whatever is in it.
	ReasonUnreadable Reason = "unreadable_at_source"
)

var reasons = []Reason{
	ReasonNew, ReasonChanged, ReasonLost, ReasonUnproven, ReasonStamp, ReasonUnknown, ReasonDrift, ReasonBlocked, ReasonName, ReasonInTrash,
	ReasonGone, ReasonGoneTrash, ReasonGoneDrift, ReasonUnclaimed, ReasonKept, ReasonGoneBoth, ReasonSpecial, ReasonUnreadable,
}

// explain says what the workers of a pass would make of a decision, as far as
// they do not ask a store first.
func (p *pass) explain(dec decision) PlanItem {
	item := PlanItem{Key: p.source.key(dec.key), Bytes: dec.source.Size}
	if !dec.hasSource {
		item.Bytes = dec.destination.Size
	}
	item.Action, item.Reason = p.actionFor(dec)
	return item
}

func (p *pass) actionFor(dec decision) (Action, Reason) {
	switch dec.verdict {
	case verdictCopy:
		switch {
		case p.refuseTrash(dec.key) != nil:
			return ActionFail, ReasonInTrash
		case p.destination.refuse(dec.key) != nil:
			return ActionFail, ReasonName
		case dec.hasDestination:
			return ActionCopy, ReasonChanged
		case dec.known:
			return ActionCopy, ReasonLost
		}
		return ActionCopy, ReasonNew
	case verdictRehash:
		if len(dec.entry.Digest) == 0 {
			return ActionCopy, ReasonUnproven
		}
		return ActionLook, ReasonStamp
	case verdictUnknown:
		switch {
		case dec.destination.Problem != nil:
			return ActionFail, ReasonBlocked
		case dec.known:
			return ActionLook, ReasonDrift
		}
		return ActionLook, ReasonUnknown
	case verdictDelete:
		switch {
		case p.keeps(dec):
			return ActionKeep, ReasonKept
		case string(dec.destination.Tag) != dec.entry.DestinationTag:
			return ActionLook, ReasonGoneDrift
		case p.policy.TrashPrefix != "":
			return ActionTrash, ReasonGoneTrash
		}
		return ActionDelete, ReasonGone
	case verdictClaim:
		return ActionLook, ReasonUnclaimed
	case verdictForget:
		return ActionForget, ReasonGoneBoth
	}
	if errors.Is(dec.source.Problem, backend.ErrNotRegular) {
		return ActionSkip, ReasonSpecial
	}
	return ActionFail, ReasonUnreadable
}
