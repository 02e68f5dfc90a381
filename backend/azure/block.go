package azure

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Limits of blocks
// (https://learn.microsoft.com/en-us/rest/api/storageservices/understanding-block-blobs--append-blobs--and-page-blobs).
// A part is up to five blocks, so that parts of the usual size have no more
// than bufferSize in memory, and that only objects of terabytes need more.
const (
	maxBlocks     = 50_000
	blocksOfAPart = 5
	maxParts      = maxBlocks / blocksOfAPart
	maxBlock      = 1 << 30 // the service takes 4,000 MiB, but each is in memory
	maxPart       = blocksOfAPart * maxBlock
	maxObject     = maxBlocks * 4000 << 20
)

// A blockID says whose a block is and what it is of. All are of one length,
// since Azure takes no others beside each other under a key.
type blockID struct {
	upload [16]byte // random
	number uint32   // of the part, or of the block of a Put; 0 for the notes below
	stamp  int64    // when it was put, in nanoseconds: of one part the last one counts
	index  uint8    // of the block in the part
	last   bool     // of the part's blocks
}

// Notes are blocks of one byte with the number 0. They are what an upload is
// known by before it has a part and after it was aborted.
const (
	noteBegun   = 0
	noteAborted = 1
)

const rawBlockID = 16 + 4 + 8 + 1 + 1

func newBlockID() blockID {
	id := blockID{stamp: time.Now().UnixNano()}
	_, _ = rand.Read(id.upload[:]) // never fails (crypto/rand)
	return id
}

// String is the id as it is sent.
func (id blockID) String() string {
	b := make([]byte, 0, rawBlockID)
	b = append(b, id.upload[:]...)
	b = binary.BigEndian.AppendUint32(b, id.number)
	b = binary.BigEndian.AppendUint64(b, uint64(id.stamp))
	b = append(b, id.index, 0)
	if id.last {
		b[rawBlockID-1] = 1
	}
	return base64.StdEncoding.EncodeToString(b)
}

// parseBlockID returns false for the id of another program.
func parseBlockID(text string) (id blockID, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != rawBlockID || b[rawBlockID-1] > 1 {
		return id, false
	}
	copy(id.upload[:], b)
	id.number = binary.BigEndian.Uint32(b[16:])
	id.stamp = int64(binary.BigEndian.Uint64(b[20:]))
	id.index, id.last = b[28], b[29] == 1
	return id, true
}
