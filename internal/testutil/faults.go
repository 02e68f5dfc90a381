package testutil

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// A Fault is one way in which a store or the network to it goes wrong.
type Fault string

const (
	// FaultSlowDown answers 503 SlowDown and does nothing; half of the answers
	// carry a Retry-After of 0 or 1 seconds.
	FaultSlowDown Fault = "slow down"
	// FaultCut ends a connection in the middle of a body: of the request where
	// it has one, which then never reaches the server whole, else of the answer.
	FaultCut Fault = "cut"
	// FaultLost lets the server do what is asked and loses its answer.
	FaultLost Fault = "lost answer"
	// FaultReset breaks the connection before the server hears of the request.
	FaultReset Fault = "reset"
	// FaultSlow lets the answer trickle, for some milliseconds in all. Nothing
	// fails.
	FaultSlow Fault = "slow"
)

// Faults make requests that pass a [Proxy] go wrong, each kind with its own
// share of them. What happens to a request depends on the seed, on what it asks
// for, and on how many times the same was asked before, so that a seed gives
// the same faults however concurrent requests interleave.
//
//	faults := testutil.NewFaults(1)
//	proxy.Intercept(faults.Intercept)
type Faults struct {
	seed   uint64
	shares []share

	mu    sync.Mutex
	asked map[uint64]uint64 // guarded by mu; requests so far, by what they ask for
	made  map[Fault]int     // guarded by mu
}

type share struct {
	fault Fault
	part  float64
}

// NewFaults returns faults that hit 17 % of all requests, and slow down
// another 5 %.
func NewFaults(seed uint64) *Faults {
	return &Faults{
		seed: seed,
		shares: []share{
			{FaultSlowDown, 0.05}, {FaultCut, 0.05}, {FaultLost, 0.05}, {FaultReset, 0.02}, {FaultSlow, 0.05},
		},
		asked: make(map[uint64]uint64),
		made:  make(map[Fault]int),
	}
}

// Made returns how many faults of each kind there were.
func (f *Faults) Made() map[Fault]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.made)
}

// draw decides about a request; none is "". The generator it returns goes on to
// decide the details.
func (f *Faults) draw(r *http.Request) (Fault, *rand.Rand) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s", r.Method, r.RequestURI)
	what := h.Sum64()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[what]++
	source := rand.New(rand.NewPCG(f.seed^what, f.asked[what]))
	point := source.Float64()
	for _, s := range f.shares {
		if point < s.part {
			f.made[s.fault]++
			return s.fault, source
		}
		point -= s.part
	}
	return "", source
}

// Intercept is an [Interceptor].
func (f *Faults) Intercept(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
	fault, source := f.draw(r)
	switch fault {
	case FaultSlowDown:
		slowDown(w, source)
	case FaultReset:
		panic(http.ErrAbortHandler)
	case FaultLost:
		next.ServeHTTP(&lostAnswer{header: make(http.Header)}, r)
		panic(http.ErrAbortHandler)
	case FaultCut:
		part := source.Float64()
		if r.ContentLength > 0 {
			r.Body = &cutBody{r.Body, int64(part * float64(r.ContentLength))}
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(&cutAnswer{ResponseWriter: w, part: part}, r)
		panic(http.ErrAbortHandler) // an answer without a body is cut as well
	case FaultSlow:
		next.ServeHTTP(&slowAnswer{w, source.IntN(slowWrites) + 1}, r)
	default:
		next.ServeHTTP(w, r)
	}
}

// slowDown is how S3 sheds load
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
func slowDown(w http.ResponseWriter, source *rand.Rand) {
	if n := source.IntN(4); n < 2 {
		w.Header().Set("Retry-After", fmt.Sprint(n))
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusServiceUnavailable)
	// After a HEAD this writes nothing.
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+
		`<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`)
}

// lostAnswer takes an answer and shows it to nobody.
type lostAnswer struct{ header http.Header }

func (w *lostAnswer) Header() http.Header         { return w.header }
func (w *lostAnswer) WriteHeader(int)             {}
func (w *lostAnswer) Write(p []byte) (int, error) { return len(p), nil }

// cutBody breaks off after left bytes, so that the request behind it does.
type cutBody struct {
	io.ReadCloser
	left int64
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// cutAnswer lets the headers and a part of the first write through.
type cutAnswer struct {
	http.ResponseWriter
	part float64
}

func (w *cutAnswer) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:int(w.part*float64(len(p)))])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	return n, errors.Join(errCut, err)
}

var errCut = errors.New("cut on purpose")

const (
	slowWrites = 8
	slowPause  = 2 * time.Millisecond
)

// slowAnswer waits before the first writes, which go out in pieces.
type slowAnswer struct {
	http.ResponseWriter
	pauses int
}

func (w *slowAnswer) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		piece := p
		if w.pauses > 0 {
			w.pauses--
			piece = p[:max(1, len(p)/2)]
			time.Sleep(slowPause)
		}
		n, err := w.ResponseWriter.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
		if w.pauses > 0 {
			_ = http.NewResponseController(w.ResponseWriter).Flush()
		}
		p = p[n:]
	}
	return written, nil
}
