package azure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// maxBatch bounds a batch, in bytes, as the service does, and its answer
// (https://learn.microsoft.com/en-us/rest/api/storageservices/blob-batch).
const maxBatch = 4 << 20

// errBatchTooLarge: no credentials of a usual length make a batch so large.
var errBatchTooLarge = fmt.Errorf("the deletions have more than %d bytes together: %w", maxBatch, errors.ErrUnsupported)

// A batchAnswer is the answer to a batch. It is an error so that the SDK hands it
// over unread; see batchReader.
type batchAnswer struct {
	// each is the answers to the operations by their place in the batch, as far as
	// they name it: the service leaves that out of some refusals.
	each map[int]*http.Response
	// whole is the refusal of all of them, which comes as the one answer.
	whole *http.Response
}

func (*batchAnswer) Error() string { return "the answer to a batch" }

// submit sends a batch once. The SDK has an identity asked for the tokens of the
// operations without ctx, which takes tokenTimeout at the most.
func (s *Store) submit(ctx context.Context, b *container.BatchBuilder) (*batchAnswer, error) {
	_, err := s.container.SubmitBatch(ctx, b, nil)
	a := &batchAnswer{}
	if err == nil || errors.As(err, &a) {
		return a, nil
	}
	return nil, err
}

// A batchReader reads the answers to batches, in place of the SDK: azblob 1.8
// panics where one does not name its place, or a wrong one, and takes two answers to
// one operation for those of two.
type batchReader struct{}

// Do implements policy.Policy.
func (batchReader) Do(req *policy.Request) (*http.Response, error) {
	if r := req.Raw(); r.Method != http.MethodPost || r.URL.Query().Get("comp") != "batch" {
		return req.Next()
	}
	if req.Raw().ContentLength > maxBatch {
		return nil, errBatchTooLarge
	}
	res, err := req.Next()
	if err != nil || res.StatusCode != http.StatusAccepted {
		return res, err
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxBatch))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	a, err := readBatch(res.Header.Get("Content-Type"), data)
	if err != nil {
		return nil, fmt.Errorf("the answer to the batch: %w", err)
	}
	return nil, a
}

func readBatch(contentType string, data []byte) (*batchAnswer, error) {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, err
	}
	// Package multipart takes an answer that is cut in the headers of a part for whole.
	if end := "--" + parameters["boundary"] + "--"; !bytes.HasSuffix(bytes.TrimSpace(data), []byte(end)) {
		return nil, io.ErrUnexpectedEOF
	}
	a := &batchAnswer{each: map[int]*http.Response{}}
	parts := multipart.NewReader(bytes.NewReader(data), parameters["boundary"])
	var nameless *http.Response
	n := 0
	for ; ; n++ {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		res, err := readPart(part)
		if err != nil {
			return nil, err
		}
		place := part.Header.Get("Content-Id")
		if place == "" {
			nameless = res
			continue
		}
		i, err := strconv.Atoi(strings.TrimSpace(place))
		if err != nil || a.each[i] != nil {
			return nil, fmt.Errorf("an answer to %q, which there is not or twice", place)
		}
		a.each[i] = res
	}
	if n == 1 && nameless != nil && nameless.StatusCode/100 != 2 {
		a.whole = nameless
	}
	return a, nil
}

// readPart reads the answer to one operation. The service ends the headers of one
// without a body with those of its part.
func readPart(part io.Reader) (*http.Response, error) {
	text := io.MultiReader(part, strings.NewReader("\r\n\r\n"))
	res, err := http.ReadResponse(bufio.NewReader(text), nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, err
}
