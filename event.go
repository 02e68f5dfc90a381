package replication

// An EventType says what happened.
type EventType string

// The events of a pass, in the order a pass can have them.
const (
	// EventStarted: a pass began.
	EventStarted EventType = "started"
	// EventProgress: the Progress moved and nothing else is to be said.
	EventProgress EventType = "progress"
	// EventSynced: Key was written at the destination, Size bytes.
	EventSynced EventType = "synced"
	// EventAdopted: Key was found at the destination, already equal.
	EventAdopted EventType = "adopted"
	// EventDeleted: Key was deleted at the destination.
	EventDeleted EventType = "deleted"
	// EventFailed: Key could not be brought up to date because of Err.
	EventFailed EventType = "failed"
	// EventDiffers: a verification found that Key is not the same at both
	// sides; Size is that of the source's object.
	EventDiffers EventType = "differs"
	// EventFinished: the pass ended, with Err if it failed.
	EventFinished EventType = "finished"
)

// A Task says what an event belongs to.
type Task string

// What a replicator does with a policy.
const (
	TaskSync   Task = "sync"   // a pass
	TaskPlan   Task = "plan"   // see Replicator.Plan
	TaskVerify Task = "verify" // see Replicator.Verify
)

// An Event tells an observer (see WithObserver) what a pass does, or a plan or
// verification, which have events of progress and their findings alone.
type Event struct {
	Type     EventType
	Task     Task
	PolicyID string
	Key      string
	Size     int64
	Err      error
	Progress Progress
}

// Progress is where a pass stands. Its numbers only grow within one pass.
type Progress struct {
	// Listed counts source objects seen so far, and ListingDone that there
	// are no more.
	Listed      int64
	ListingDone bool
	// Planned counts the objects found to need copying so far, with
	// PlannedBytes; Done and DoneBytes those of them that ended, well or not,
	// and the bytes that moved so far.
	Planned      int64
	PlannedBytes int64
	Done         int64
	DoneBytes    int64
	// Unchanged, Deleted and Failed count objects.
	Unchanged int64
	Deleted   int64
	Failed    int64
}
