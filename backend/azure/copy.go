package azure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/objrepl/replication/backend"
)

const (
	// maxCopy is what one request copies
	// (https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob-from-url).
	maxCopy = 256 << 20
	// copyBlock is the size of the blocks of a larger object, where 50,000 of it
	// suffice.
	copyBlock = 256 << 20
	// signedFor is how long a signed source can be read.
	signedFor = time.Hour
)

// A copier copies from one container of an account to another, or to itself.
type copier struct{ from, to *Store }

// CopierFrom implements backend.CrossCopier. The service reads the source with the
// credentials of the source.
func (s *Store) CopierFrom(source backend.Backend) backend.Copier {
	from, ok := backend.As[*Store](source)
	if !ok || from.service() != s.service() {
		return nil
	}
	return copier{from, s}
}

// service is the Location of a container without its name.
func (s *Store) service() string {
	return s.properties.Location[:strings.LastIndexByte(s.properties.Location, '/')]
}

// Copy implements backend.Copier.
func (s *Store) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	return copier{s, s}.Copy(ctx, from, to, opts)
}

// Copy implements backend.Copier: one request, which answers when it is done,
// or for objects above 256 MiB a HEAD, one for each block, and one that commits
// them.
func (c copier) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	const op = "copy"
	s := c.to
	fail := func(key string, err error) (backend.Object, error) { return backend.Object{}, refuse(op, key, err) }
	for _, key := range []string{from, to} {
		if err := checkKey(key); err != nil {
			return fail(key, err)
		}
	}
	switch {
	case from == to && c.from.properties.Location == s.properties.Location:
		return fail(to, fmt.Errorf("onto itself: %w", fs.ErrInvalid))
	case opts.FromStamp != "":
		return fail(from, fmt.Errorf("%w: objects have no stamps here", backend.ErrPrecondition))
	}
	conditions, err := conditionsOf(opts.If)
	if err != nil {
		return fail(to, err)
	}
	source, token, err := c.from.source(ctx, c.from.blob(from))
	if err != nil {
		return backend.Object{}, failed(ctx, op, from, err)
	}
	res, err := s.blob(to).CopyFromURL(ctx, source, &blob.CopyFromURLOptions{
		SourceModifiedAccessConditions: sourceConditions(opts.FromMatch), CopySourceAuthorization: token,
		BlobAccessConditions: conditions, Tier: s.tier, CPKScopeInfo: s.scope,
	})
	if err == nil {
		o := backend.Object{Key: to, Tag: tagOf(res.ETag)}
		if o.Tag == "" {
			return fail(to, errIncomplete)
		}
		return o, nil
	}
	refusal := unmet(opts.If, failed(ctx, op, to, err))
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		return backend.Object{}, refusal
	}
	switch answer.StatusCode {
	case http.StatusPreconditionFailed, http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusForbidden:
		return backend.Object{}, refusal
	}
	if answer.StatusCode >= 500 || errors.Is(refusal, fs.ErrExist) || errors.Is(refusal, backend.ErrStoreNotFound) {
		return backend.Object{}, refusal
	}
	// What the service says of an object that is too large, it does not
	// document; and a 404 does not say which of both objects is absent.
	o, err := c.from.stat(ctx, op, from)
	switch {
	case err != nil:
		return backend.Object{}, err
	case opts.FromMatch != "" && o.Tag != opts.FromMatch:
		return fail(from, backend.ErrPrecondition)
	case o.Size <= maxCopy:
		return backend.Object{}, refusal
	case o.Size > maxObject:
		return fail(from, fmt.Errorf("%w: %d bytes", backend.ErrTooLarge, o.Size))
	}
	return c.copyBlocks(ctx, o, to, opts.If, conditions)
}

// copyBlocks copies a version in blocks, each on condition that it is still
// that version.
func (c copier) copyBlocks(ctx context.Context, from backend.Object, to string, cond backend.Condition, conditions *blob.AccessConditions) (backend.Object, error) {
	const op = "copy"
	s := c.to
	by, err := s.beside(*from.Metadata, nil, "")
	if err != nil {
		return backend.Object{}, refuse(op, to, err)
	}
	size := backend.PartLimits{Count: maxBlocks}.Size(from.Size, copyBlock)
	id := newBlockID()
	var ids []string
	for offset := int64(0); offset < from.Size; offset += size {
		id.number++
		ids = append(ids, id.String())
		source, token, err := c.from.source(ctx, c.from.blob(from.Key)) // anew, as no signature holds for hours
		if err != nil {
			return backend.Object{}, failed(ctx, op, from.Key, err)
		}
		_, err = s.blob(to).StageBlockFromURL(ctx, id.String(), source, &blockblob.StageBlockFromURLOptions{
			Range:                          blob.HTTPRange{Offset: offset, Count: min(size, from.Size-offset)},
			SourceModifiedAccessConditions: sourceConditions(from.Tag), CopySourceAuthorization: token,
			CPKScopeInfo: s.scope,
		})
		if err != nil {
			return backend.Object{}, failed(ctx, op, from.Key, err)
		}
	}
	tag, err := s.commit(ctx, op, to, ids, by, cond, conditions)
	return backend.Object{Key: to, Size: from.Size, Tag: tag}, err
}

func sourceConditions(tag backend.Tag) *blob.SourceModifiedAccessConditions {
	if tag == "" {
		return nil
	}
	return &blob.SourceModifiedAccessConditions{SourceIfMatch: etagOf(tag)}
}

// signedSource signs a permission to read one object. It begins a while ago,
// for clocks differ.
func signedSource(_ context.Context, b *blockblob.Client) (string, *string, error) {
	now := time.Now()
	begin := now.Add(-15 * time.Minute)
	url, err := b.GetSASURL(sas.BlobPermissions{Read: true}, now.Add(signedFor), &blob.GetSASURLOptions{StartTime: &begin})
	return url, nil, err
}

// plainSource is the URL with the signature that the client has.
func plainSource(_ context.Context, b *blockblob.Client) (string, *string, error) {
	return b.URL(), nil, nil
}

func (i identity) source(ctx context.Context, b *blockblob.Client) (string, *string, error) {
	token, err := i.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://storage.azure.com/.default"}})
	if err != nil {
		return "", nil, err
	}
	bearer := "Bearer " + token.Token
	return b.URL(), &bearer, nil
}
