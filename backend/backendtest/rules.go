package backendtest

import (
	"errors"
	"fmt"
)

// A rule is the sentence of the contract that a failure breaks, with the place
// where it stands.
type rule string

const (
	ruleProperties   rule = "Backend.Properties: it does no I/O and its answer does not change while the backend is open"
	ruleDeclared     rule = "Properties: what is declared has to make sense together"
	ruleStatMetadata rule = "Backend.Stat: it returns what the store knows of an object, its metadata included"
	ruleAbsent       rule = "Backend.Stat: an absent object is an error that wraps fs.ErrNotExist"
	ruleOpenObject   rule = "Backend.Open: the Object returned describes the very version that the reader yields"
	ruleOpenSize     rule = "Backend.Open: its Size is that of the whole object, also for a range"
	ruleOneVersion   rule = "Backend.Open: all bytes of one reader belong to one version"
	ruleOpenContext  rule = "Backend.Open: ctx bounds the reading too"
	ruleRange        rule = "OpenOptions: Offset is the first byte to read, Length how many at most, 0 to the end; at or beyond the end the reader is empty"
	ruleOpenMatch    rule = "OpenOptions.IfMatch: any other version fails with ErrPrecondition; every driver honours it"
	rulePut          rule = "Backend.Put: the Object returned holds at least Key, Size and Tag"
	ruleWhole        rule = "Backend.Put: it writes all of an object or nothing; a failed or cancelled Put leaves what was there before"
	ruleLength       rule = "Backend.Put: a body that is shorter or longer than its Size fails with ErrChecksum and writes nothing"
	ruleUnknownSize  rule = "Body.Size: a driver whose store needs it refuses -1 with errors.ErrUnsupported"
	ruleBody         rule = "Body.Open: it returns the bytes from offset on, every time the same"
	ruleBodyFile     rule = "Body.File: it holds exactly the body's bytes, and its position is not to be used"
	ruleMaxPut       rule = "Properties.MaxPut: the largest object that one Put takes; a larger one is ErrTooLarge"
	ruleDelete       rule = "Backend.Delete: it removes an object, and deleting an absent one succeeds"
	ruleDeleteMatch  rule = "Backend.Delete: a conditional deletion of an absent object is ErrPrecondition or fs.ErrNotExist"
	ruleTag          rule = "package backend: the same version has the same tag in every answer that carries one: List, Stat, Open and Put"
	ruleTagMoves     rule = "Tag: it names one version of an object"
	ruleStamp        rule = "Object.Stamp: two answers with equal Tag and Stamp describe the same bytes and metadata"
	ruleCondition    rule = "Condition: one that does not hold fails the write with ErrPrecondition (for Absent, fs.ErrExist does as well) and changes nothing"
	ruleUndeclared   rule = "Condition: one that the driver does not declare fails with errors.ErrUnsupported"
	ruleAtomic       rule = "Conditions: of any number of racing writers whose condition holds at first, one succeeds"
	ruleOrder        rule = "Backend.List: within and across pages keys strictly increase in byte order where Properties.Ordered says so"
	ruleListRange    rule = "ListOptions: a listing has the keys k with Prefix a prefix of k and After < k <= Until"
	ruleListComplete rule = "Backend.List: an error is the only sign that the listing is not complete"
	ruleListPage     rule = "Backend.List: the caller owns a page it was given"
	ruleListError    rule = "Backend.List: an error ends the sequence"
	ruleProblem      rule = "Object.Problem: it is set only for an entry that cannot be offered as an object"
	ruleKey          rule = "Properties.CheckKey: nil where a key can be one in this store; then it comes back as it was written, or is refused with ErrInvalidKey"
	ruleKeyRefused   rule = "Properties.CheckKey: a key that it refuses is refused by Put with ErrInvalidKey"
	ruleMetadata     rule = "Metadata: it is stored beside an object's bytes, or refused with ErrInvalidMetadata or errors.ErrUnsupported, never dropped"
	ruleMetadataName rule = "Metadata.User: names are lower case"
	ruleObjectTags   rule = "PutOptions.ObjectTags: an ObjectTagger keeps all of them or refuses the Put; another store refuses them with errors.ErrUnsupported"
	ruleClass        rule = "PutOptions.Class: the storage class the object is to have; a store without it refuses it"
	ruleModTime      rule = "Metadata.ModTime: drivers translate ModTimeKey, so it never appears in User"
	ruleMaxMetadata  rule = "Properties.MaxMetadata: it bounds the user metadata of an object; more is ErrInvalidMetadata"
	ruleConcurrent   rule = "Backend: its methods may be called from many goroutines at once"
	ruleCancel       rule = "Backend: its methods end soon after their context does, and leave nothing visible behind when they are cancelled"
	ruleNotAbsent    rule = "package backend: a store that cannot be reached, refuses access or is itself missing never says fs.ErrNotExist"
	ruleStoreMissing rule = "ErrStoreNotFound: the bucket, container or directory itself is missing"
	ruleUnavailable  rule = "ErrUnavailable: the store cannot be reached or cannot answer for now"
	ruleError        rule = "package backend: every error is inside an *Error that says which operation failed on which key"
	ruleClose        rule = "Backend.Close: it releases connections and handles; use after it fails or is harmless"
	ruleSweep        rule = "Sweeper: it removes leftovers last written before the given moment, and nothing that was ever visible"
	ruleParts        rule = "PartUploader: it writes an object in parts, over the lives of several backends; nothing shows before Complete"
	rulePartPut      rule = "PartUpload.Put: it puts the part of this number; a body of another length than its Size fails with ErrChecksum"
	rulePartList     rule = "PartUpload.Parts: it returns what the store has, by number, as Put returned it"
	rulePartGone     rule = "PartUpload: where the store no longer knows the upload, its methods fail with fs.ErrNotExist"
	ruleComplete     rule = "PartUpload.Complete: it makes the parts one object, in the order of their numbers; one that the store does not have so fails with ErrChecksum and changes nothing"
	ruleDeleteMany   rule = "BulkDeleter.DeleteMany: one error for each deletion, nil where the object is gone; one's failure does not keep the others from being deleted"
	ruleCopy         rule = "Copier.Copy: the object with its metadata is under the other key as well; what becomes of one later does not show in the other"
	ruleCopyFrom     rule = "Copier.Copy: any other version than FromMatch fails with ErrPrecondition, an absent one with fs.ErrNotExist, and changes nothing"
	ruleAcross       rule = "CrossCopier.CopierFrom: it copies objects of another store of the service, the version that is named and no other"
	ruleAcrossPart   rule = "PartCopier.CopyPart: it fills a part with a range of the version that is named; another version, or none, is ErrPrecondition"
	ruleChecksum     rule = "Object.Checksum: objects of one service with equal sizes and Checksums have the same bytes; Stat and List agree on it"
	ruleAbort        rule = "PartUpload.Abort: it removes the upload and all its parts; one that is not there any more is aborted already"
	ruleUploads      rule = "UploadLister.ListUploads: it returns the uploads of exactly this key, those without parts too, each with its id and, if the store says so, when it was begun"
)

// broken says what was seen and expected, and which rule that breaks.
func (r rule) broken(format string, args ...any) error {
	return fmt.Errorf(format+" [contract: %s]", append(args, string(r))...)
}

// wantError checks that what failed did, with an error of one of the classes.
func (r rule) wantError(what string, err error, classes ...error) error {
	if err == nil {
		return r.broken("%s: got success, want error %s", what, anyOf(classes))
	}
	for _, class := range classes {
		if errors.Is(err, class) {
			return nil
		}
	}
	if len(classes) == 0 {
		return nil
	}
	return r.broken("%s: got error %q, want one that wraps %s", what, err, anyOf(classes))
}

// wantOK checks that what should succeed did.
func (r rule) wantOK(what string, err error) error {
	if err != nil {
		return r.broken("%s: got error %w, want success", what, err)
	}
	return nil
}

func anyOf(classes []error) string {
	if len(classes) == 0 {
		return "of any kind"
	}
	s := ""
	for i, class := range classes {
		if i > 0 {
			s += " or "
		}
		s += fmt.Sprintf("%q", class)
	}
	return s
}
