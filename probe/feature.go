package probe

import (
	"fmt"
	"path"

	"github.com/dustin/go-humanize"

	"github.com/objrepl/replication/backend"
)

// A feature is what several checks are about.
type feature struct {
	name   string
	checks []string // patterns of path.Match; the first feature that has one counts
	// declared says what the driver declares, and within which limits.
	declared func(backend.Properties) (yes bool, detail string)
	// varies: it is a condition that servers treat differently.
	varies  bool
	meaning string // if it is broken
}

func always(backend.Properties) (bool, string) { return true, "" }

func condition(get func(backend.Properties) bool) func(backend.Properties) (bool, string) {
	return func(p backend.Properties) (bool, string) { return get(p), "" }
}

func upTo(limit int64) string {
	if limit <= 0 {
		return ""
	}
	return "up to " + humanize.IBytes(uint64(limit))
}

const unlisted = "what a listing leaves out is absent to a pass: not copied, or taken for deleted"

// features are in the order of the table.
var features = []feature{
	{"put if-absent", []string{"put-if-absent", "race-create"}, condition(func(p backend.Properties) bool { return p.Put.IfAbsent }), true,
		"what somebody else creates at the same time can be overwritten"},
	{"put if-match", []string{"put-if-*", "race-replace", "race-counter"}, condition(func(p backend.Properties) bool { return p.Put.IfMatch }), true,
		"what somebody else writes at the same time can be overwritten"},
	{"delete if-match", []string{"delete-if-*", "race-delete"}, condition(func(p backend.Properties) bool { return p.Delete.IfMatch }), true,
		"what somebody else writes at the same time can be deleted"},
	{"bulk delete", []string{"delete-many", "delete-many-full", "delete-many-partly", "delete-many-odd", "delete-many-cancelled"}, func(p backend.Properties) (bool, string) {
		return p.MaxBulkDelete > 1, counted(p.MaxBulkDelete, "at once")
	}, false, "deletions can be counted that were not made, or hit other objects"},
	{"bulk delete if-match", []string{"delete-many-if-match"}, condition(func(p backend.Properties) bool { return p.BulkDelete.IfMatch }), true,
		"deletions go out one by one, or what changes just before is lost"},
	{"upload in parts", []string{"parts", "parts-resume", "parts-twice", "parts-length", "parts-missing", "parts-abort", "parts-unknown"}, func(p backend.Properties) (bool, string) {
		return true, upTo(p.Parts.Max)
	}, false, "large objects can arrive damaged, or their parts stay behind"},
	{"complete if-absent", []string{"parts-if-absent"}, condition(func(p backend.Properties) bool { return p.Complete.IfAbsent }), true,
		"of a large object, what somebody else creates at the same time can be overwritten, or end its upload"},
	{"complete if-match", []string{"parts-if-match", "parts-race"}, condition(func(p backend.Properties) bool { return p.Complete.IfMatch }), true,
		"of a large object, what somebody else writes at the same time can be overwritten, or end its upload"},
	{"uploads are listed", []string{"uploads*"}, always, false, "uploads that a crash left can stay, without parts"},
	{"copy in the store", []string{"copy", "copy-from-match", "copy-across*"}, func(p backend.Properties) (bool, string) { return true, upTo(p.MaxCopy) }, false,
		"what is copied by the store or moved to the trash can be damaged"},
	{"copy if-absent", []string{"copy-if-absent"}, condition(func(p backend.Properties) bool { return p.Copy.IfAbsent }), true,
		"what somebody else creates after the listing is overwritten, where the store itself copies; two replicators that move one key to one trash in the same second keep one of both"},
	{"copy if-match", []string{"copy-if-match"}, condition(func(p backend.Properties) bool { return p.Copy.IfMatch }), true, ""},
	{"listing order", []string{"list-order", "list-many"}, condition(func(p backend.Properties) bool { return p.Ordered }), false, unlisted},
	{"listing from a key", []string{"list-after", "list-until", "list-range"}, condition(func(p backend.Properties) bool { return p.StartAfter }), false, unlisted},
	{"complete listings", []string{"list-*"}, always, false, unlisted},
	{"read, list after write", []string{"put-visible", "reopen"}, always, false, "a pass can see an old state, and act on it"},
	{"object content", []string{"put-get", "put-empty", "put-large", "put-too-large", "put-overwritten", "absent", "delete", "delete-absent", "range*", "open-*", "concurrent"}, func(p backend.Properties) (bool, string) {
		return true, upTo(p.MaxPut)
	}, false, "objects can arrive damaged, or mixed from two versions"},
	{"versions have tags", []string{"tag-*", "stamp"}, always, false, "a change can go unnoticed"},
	{"checksum and length", []string{"body-*", "checksum"}, always, false, "an object can be written in part"},
	{"metadata", []string{"metadata*", "object-tags", "object-tags-parts"}, func(p backend.Properties) (bool, string) { return true, upTo(int64(p.MaxMetadata)) }, false,
		"metadata can be lost, or refused where it should fit"},
	{"object tags", []string{"object-tags-replaced"}, always, false, "object tags can be lost"},
	{"storage classes", []string{"class*"}, condition(func(p backend.Properties) bool { return p.CheckClass != nil }), false,
		"an object can end up in another class than was asked for, and cost more"},
	{"odd names", []string{"key-*", "empty-key"}, always, false, "objects of such names can be lost, or never be seen"},
	{"cancellation", []string{"cancelled-*"}, always, false, "an interrupted pass can leave half-written objects"},
	{"plain errors", []string{"properties", "errors", "close", "sweep", "store-*"}, always, false, "an outage can be taken for an absence"},
}

func counted(n int, what string) string {
	if n <= 1 {
		return ""
	}
	return fmt.Sprintf("%s %s", humanize.Comma(int64(n)), what)
}

// featureOf returns the place of the feature that a check is about, or -1.
func featureOf(check string) int {
	for i, f := range features {
		for _, pattern := range f.checks {
			if ok, _ := path.Match(pattern, check); ok { // the patterns are good
				return i
			}
		}
	}
	return -1
}

// alsoAbout are the checks of one condition that take another one as well.
var alsoAbout = map[string]string{"put-if-large": "put if-absent", "parts-race": "complete if-absent"}

// heavy are the checks of a full probe: those that write by the hundred, race, or
// wait.
var heavy = []string{
	"race-create", "race-replace", "race-delete", "race-counter", "parts-race", "put-overwritten", "open-overwritten",
	"concurrent", "delete-many-full", "list-many", "list-while-writing", "cancelled-put-large",
	"cancelled-open", "cancelled-put-unknown-size", "cancelled-put-deadline", "body-large-short", "body-large-long",
}

// apart are the checks that no probe makes, since they take a store that is not
// there.
var apart = []string{"store-missing", "store-unreachable"}
