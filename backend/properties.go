package backend

// Properties are what a store promises. The conformance suite tests each one
// that is declared, and the engine takes the weaker way where one is not.
type Properties struct {
	// Location names the physical place in one spelling, whatever driver and
	// settings led to it: "file:///srv/data", "s3://127.0.0.1:9000/bucket".
	// Two backends with the same Location hold the same objects. It holds no
	// secrets. Empty where there is nothing to compare.
	Location string

	// Ordered: List yields keys in byte order of the whole key. The engine
	// refuses a store that does not.
	Ordered bool
	// StartAfter: List with After costs nothing for the keys before it.
	StartAfter bool

	// The conditions that each operation honours or, where the store Varies,
	// that the driver can send.
	Put      Conditions
	Delete   Conditions
	Complete Conditions // of PartUpload.Complete

	// The conditions that a BulkDeleter honours, and how many deletions it takes
	// at once; 0 is none, as of a store that is no BulkDeleter.
	BulkDelete    Conditions
	MaxBulkDelete int
	// The conditions that a Copier honours on the target, and the largest
	// object that it copies, in bytes; 0 is no limit.
	Copy    Conditions
	MaxCopy int64
	// Varies: one driver, many servers, and not all of them honour the
	// conditions above: some ignore one without a word. The engine asks the
	// server at hand before it relies on one. Whoever else does so has to ask
	// as well, or know the server. It takes a Location, by which the answers
	// are kept.
	Varies bool

	// MaxPut is the largest object that one Put takes, in bytes; 0 is no limit.
	MaxPut int64
	// Parts bound the uploads of a PartUploader.
	Parts PartLimits
	// UnknownSize: Put takes a body whose Size is -1.
	UnknownSize bool

	// CheckKey reports, without I/O, why a key cannot be one in this store,
	// as an error that wraps ErrInvalidKey; nil where it can. A nil CheckKey
	// accepts every key but the empty one, which is no key in any store: no
	// listing could yield it, and in a request it names the store itself.
	CheckKey func(key string) error
	// MaxMetadata bounds the user metadata of an object, names and values
	// added up in bytes; 0 is no limit.
	MaxMetadata int

	// CheckClass reports, without I/O, why a storage class cannot be one in this
	// store. Nil in a store that has no classes.
	CheckClass func(class string) error

	// ListsSpecial: List reports entries with a Problem (special files,
	// unreadable directories). Only for stores that can hold such things.
	ListsSpecial bool
}

// Conditions say which conditions an operation honours atomically: of any
// number of racing writers whose condition holds at first, one succeeds.
type Conditions struct {
	// IfAbsent: Condition.Absent is honoured. It means nothing for Delete.
	IfAbsent bool
	// IfMatch: Condition.Match, or DeleteOptions.IfMatch, is honoured.
	IfMatch bool
	// Local: honoured among the writers that go through this library on this
	// machine, but not against a program that writes beside it.
	Local bool
}
