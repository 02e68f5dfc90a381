package backendtest

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/objrepl/replication/backend"
)

// What stands beside an object and is no metadata of it: object tags and the
// storage class.
var besideChecks = []Check{
	{"object-tags", "object tags are kept exactly, or refused", checkObjectTags},
	{"object-tags-replaced", "overwriting replaces all object tags", checkObjectTagsReplaced},
	{"object-tags-parts", "an upload in parts keeps object tags, or is refused", checkObjectTagsInParts},
	{"class", "an object has the class it is put with, or is refused", checkClass},
	{"class-parts", "so does one that is uploaded in parts", checkClassInParts},
}

var someTags = map[string]string{"team": "blue", "a.b/c:d": "x=y + z", "empty": ""}

// wantTags checks the object tags of an object, and that Open counts them.
func (e *env) wantTags(ctx context.Context, key string, want map[string]string) error {
	tagger, _ := backend.As[backend.ObjectTagger](e.inner)
	got, err := tagger.ObjectTags(ctx, key)
	if err != nil {
		return ruleObjectTags.broken("object tags of %q: got error %w", key, err)
	}
	if len(got)+len(want) > 0 && !maps.Equal(got, want) {
		return ruleObjectTags.broken("got object tags %q, want %q", got, want)
	}
	o, _, err := e.mustRead(ctx, key, backend.OpenOptions{})
	if err != nil {
		return err
	}
	if o.ObjectTags != 0 && o.ObjectTags != len(want) {
		return ruleObjectTags.broken("open: got %d object tags, want %d, or 0 where that is not known", o.ObjectTags, len(want))
	}
	return nil
}

// tagging reports whether the store keeps object tags; one that does not has
// to refuse err, that of a write with some.
func (e *env) tagging(what string, err error) (bool, error) {
	_, tags := backend.As[backend.ObjectTagger](e.inner)
	switch {
	case !tags && !errors.Is(err, errors.ErrUnsupported):
		return false, ruleObjectTags.broken("%s with object tags in a store that has none: got error %w, want errors.ErrUnsupported", what, orNil(err))
	case tags && refusedMetadata(err):
		e.note("refused: %v", err)
		return false, nil
	case tags && err != nil:
		return false, ruleObjectTags.broken("%s with object tags: got error %w", what, err)
	}
	return tags, nil
}

// orNil is an error that can be wrapped.
func orNil(err error) error {
	if err == nil {
		return errors.New("nil")
	}
	return err
}

func checkObjectTags(ctx context.Context, e *env) error {
	key := e.key("object")
	_, err := e.Put(ctx, key, backend.Bytes(e.bytes(10)), backend.PutOptions{ObjectTags: maps.Clone(someTags)})
	if kept, err := e.tagging("put", err); err != nil || !kept {
		return errors.Join(err, e.wantAbsent(ctx, ruleWhole, key))
	}
	return e.wantTags(ctx, key, someTags)
}

func checkObjectTagsReplaced(ctx context.Context, e *env) error {
	if _, tags := backend.As[backend.ObjectTagger](e.inner); !tags {
		return e.skip("the store keeps no object tags")
	}
	key, data := e.key("object"), e.bytes(10)
	for _, tags := range []map[string]string{{"old": "1", "both": "1"}, {"both": "2"}, nil} {
		if _, err := e.putWith(ctx, key, data, backend.PutOptions{ObjectTags: tags}); err != nil {
			return err
		}
		if err := e.wantTags(ctx, key, tags); err != nil {
			return err
		}
	}
	return nil
}

func checkObjectTagsInParts(ctx context.Context, e *env) error {
	key := e.key("object")
	err := e.putInParts(ctx, key, backend.PartsOptions{ObjectTags: someTags})
	if errors.Is(err, errNoParts) {
		return e.skip("the store takes no parts")
	}
	if kept, err := e.tagging("upload in parts", err); err != nil || !kept {
		return errors.Join(err, e.wantAbsent(ctx, ruleWhole, key))
	}
	return e.wantTags(ctx, key, someTags)
}

var errNoParts = errors.New("no parts")

// putInParts writes a small object as one part.
func (e *env) putInParts(ctx context.Context, key string, opts backend.PartsOptions) error {
	uploader, ok := backend.As[backend.PartUploader](e.inner)
	if !ok {
		return errNoParts
	}
	opts.PartSize = e.Properties().Parts.Size(1<<20, 1<<20)
	e.mu.Lock()
	e.written[key] = true
	e.mu.Unlock()
	upload, err := uploader.UploadParts(ctx, key, opts)
	if err != nil {
		return err
	}
	part, err := upload.Put(ctx, 1, backend.Bytes(e.bytes(10)))
	if err == nil {
		_, err = upload.Complete(ctx, []backend.Part{part}, backend.Condition{})
	}
	if err != nil {
		return errors.Join(err, upload.Abort(ctx))
	}
	return nil
}

// someClass is one that the store surely has: that of an object without one.
func (e *env) someClass(ctx context.Context) (string, error) {
	key := e.key("plain")
	if _, err := e.putWith(ctx, key, e.bytes(10), backend.PutOptions{}); err != nil {
		return "", err
	}
	class, err := e.classOf(ctx, key)
	if err != nil || class == "" {
		return "", err
	}
	if err := e.Properties().CheckClass(class); err != nil {
		return "", ruleClass.broken("CheckClass of %q, which an object has: got error %w", class, err)
	}
	return class, nil
}

// classOf returns the class that List and Stat give, of which one may be silent.
func (e *env) classOf(ctx context.Context, key string) (string, error) {
	stat, err := e.stat(ctx, key)
	if err != nil {
		return "", err
	}
	listed, err := e.list(ctx, backend.ListOptions{Prefix: key, Until: key})
	if err != nil || len(listed) != 1 {
		return "", errors.Join(err, fmt.Errorf("%d objects under %q", len(listed), key))
	}
	if a, b := stat.Class, listed[0].Class; a != "" && b != "" && a != b {
		return "", ruleClass.broken("got class %q from stat and %q from list", a, b)
	}
	if stat.Class == "" {
		return listed[0].Class, nil
	}
	return stat.Class, nil
}

func checkClass(ctx context.Context, e *env) error {
	return e.checkClass(ctx, func(key, class string) error {
		_, err := e.Put(ctx, key, backend.Bytes(e.bytes(10)), backend.PutOptions{Class: class})
		return err
	})
}

func checkClassInParts(ctx context.Context, e *env) error {
	return e.checkClass(ctx, func(key, class string) error {
		return e.putInParts(ctx, key, backend.PartsOptions{Class: class})
	})
}

func (e *env) checkClass(ctx context.Context, put func(key, class string) error) error {
	class, key, known := "SOME_CLASS", e.key("object"), e.Properties().CheckClass != nil
	if known {
		var err error
		if class, err = e.someClass(ctx); err != nil {
			return err
		}
		if class == "" {
			return e.skip("the server says no class of its objects")
		}
	}
	err := put(key, class)
	switch {
	case errors.Is(err, errNoParts):
		return e.skip("the store takes no parts")
	case !known && !refusedMetadata(err):
		return ruleClass.broken("a class in a store that has none: got error %w, want errors.ErrUnsupported or ErrInvalidMetadata", orNil(err))
	case !known:
		return e.wantAbsent(ctx, ruleWhole, key)
	case err != nil:
		return ruleClass.broken("class %q, which an object has: got error %w", class, err)
	}
	got, err := e.classOf(ctx, key)
	if err == nil && got != class {
		err = ruleClass.broken("got class %q, want %q", got, class)
	}
	return err
}
