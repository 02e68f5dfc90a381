package azure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

var _ backend.BulkDeleter = (*Store)(nil)

// maxBulkDelete is how many deletions one batch takes
// (https://learn.microsoft.com/en-us/rest/api/storageservices/blob-batch).
const maxBulkDelete = 256

// DeleteMany implements backend.BulkDeleter by one Blob Batch. Each deletion in
// it is what Delete sends, condition and all, and has an answer of its own. What
// became of one that the answer does not name is not known.
func (s *Store) DeleteMany(ctx context.Context, deletions []backend.Deletion) []error {
	const op = "delete"
	errs := make([]error, len(deletions))
	asked := make([]int, 0, len(deletions))
	for i, d := range deletions {
		if err := refuseAmongMany(d, len(deletions)); err != nil {
			errs[i] = refuse(op, d.Key, err)
			continue
		}
		asked = append(asked, i)
	}
	if len(asked) == 0 {
		return errs
	}
	answers, err := s.deleteBlobs(ctx, deletions, asked)
	if err == nil && answers.whole != nil {
		err = runtime.NewResponseError(answers.whole)
	}
	for place, i := range asked {
		d := deletions[i]
		switch {
		case err != nil:
			errs[i] = ofAll(failed(ctx, op, d.Key, err))
		case answers.each[place] == nil:
			errs[i] = refuse(op, d.Key, errors.New("the answer does not say whether the object is deleted"))
		default:
			errs[i] = deletionError(ctx, answers.each[place], d)
		}
	}
	return errs
}

// refuseAmongMany reports why a deletion is not sent.
func refuseAmongMany(d backend.Deletion, among int) error {
	switch {
	case among > maxBulkDelete:
		return fmt.Errorf("%d deletions at once, at most %d: %w", among, maxBulkDelete, errors.ErrUnsupported)
	case strings.ContainsAny(string(d.IfMatch), "\r\n"):
		// The SDK writes headers into the batch as they are.
		return fmt.Errorf("a tag of more than one line: %w", errors.ErrUnsupported)
	}
	return checkKey(d.Key)
}

// deleteBlobs sends the deletions that are asked for. Like Delete it names no
// version, and no snapshots.
func (s *Store) deleteBlobs(ctx context.Context, deletions []backend.Deletion, asked []int) (*batchAnswer, error) {
	b, err := s.container.NewBatchBuilder()
	if err != nil {
		return nil, err
	}
	for _, i := range asked {
		conditions, err := conditionsOf(backend.Condition{Match: deletions[i].IfMatch})
		if err != nil {
			return nil, err
		}
		options := blob.DeleteOptions{AccessConditions: conditions}
		if err := b.Delete(deletions[i].Key, &container.BatchDeleteOptions{DeleteOptions: options}); err != nil {
			return nil, err
		}
	}
	return s.submit(ctx, b)
}

// deletionError makes the answer to one deletion an error, or none where the
// object is gone, or was absent already and that is as well.
func deletionError(ctx context.Context, res *http.Response, d backend.Deletion) error {
	if res.StatusCode == http.StatusAccepted {
		return nil
	}
	err := failed(ctx, "delete", d.Key, runtime.NewResponseError(res))
	if errors.Is(err, fs.ErrNotExist) && d.IfMatch == "" {
		return nil
	}
	return err
}

// ofAll makes what was said of the whole batch say nothing of one object: that
// it is absent, or another version, is for its own answer to tell.
func ofAll(err error) error {
	var e *backend.Error
	if errors.As(err, &e) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, backend.ErrPrecondition)) {
		e.Err = errors.New("of all deletions at once: " + answer.Text(e.Err))
	}
	return err
}
