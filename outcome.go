package replication

import "github.com/objrepl/replication/internal/ledger"

// An outcomeKind says how the work on one key ended.
type outcomeKind int

const (
	outcomeNone      outcomeKind = iota // nothing to count: gone, dropped, forgotten
	outcomeSynced                       // written
	outcomeAdopted                      // there already, equal
	outcomeUnchanged                    // a second look found the same content
	outcomeDeleted
	outcomeSpecial // a file that is no object
	outcomeFailed
)

// An outcome is what became of one decision. The ledger is changed only by
// what the destination has acknowledged.
type outcome struct {
	kind   outcomeKind
	entry  *ledger.Entry // to be set, unless nil
	forget bool          // the entry is to be removed
	// deleted: the object was deleted at the destination, whatever came after.
	deleted bool
	trashed string // the key that it was moved to before
	size    int64
	inStore int64 // bytes of it that the store copied itself
	err     error

	finding *Finding // of a verification, which has nothing else
}

func failed(err error) outcome { return outcome{kind: outcomeFailed, err: err} }
