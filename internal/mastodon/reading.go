package mastodon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// identify finds out who calls. A request that only reads is begun with what is
// remembered of its token; that is proved in the transaction that it reads in,
// before anything is made of what was read. Then no round to the database is
// spent on the token alone.
func (a *API) identify(c *call, token string, again bool) (err error) {
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	if reads && !again {
		c.access, c.proof = a.Auth.Remembered(token)
	}
	if c.proof == nil {
		if c.access, err = a.Auth.Bearer(c.r.Context(), token); err != nil {
			return err
		}
	}
	if c.me = c.access.Person.Account; c.me.ID != 0 {
		c.viewer = community.Viewer{ID: c.me.ID, Local: true}
		if c.proof != nil {
			c.viewer.Bonds = c.access.Person.User.Bonds | community.BondsRead
		}
	}
	return nil
}

// read runs a question for a call.
func (a *API) read(c *call, fn func(tx *store.Tx) error) error {
	question, check := c.due()
	return a.DB.ReadAfter(c.r.Context(), question, check, fn)
}

// due is what is asked ahead, to prove what is only remembered of the caller.
func (c *call) due() ([]store.Question, func(tx *store.Tx) error) {
	proof := c.proof
	if c.proof = nil; proof == nil {
		c.viewer.Bonds = 0 // may have got more since
		return nil, nil
	}
	return []store.Question{proof.Question}, proof.Check
}

// readPage is read for pages that are read again and again. fn may be run twice.
// Where all that it reads is as it was the last time, so is the answer: then it
// is kept, and errKept returned. An endpoint that reads a page may make its
// answer of nothing but what was read, the caller and the address; what else it
// does stands in call.besides.
func (a *API) readPage(c *call, fn func(tx *store.Tx) error) error {
	as := ""
	if (c.proof != nil || !c.signedIn()) && len(c.r.URL.RawQuery) <= longestKept {
		p, ok := c.w.(packs)
		as = fmt.Sprint(c.r.Method, " ", c.r.URL.RequestURI(), " ", c.access.Token.ID, " ", c.me.ID, " ", ok && p.TakesGzip())
	}
	question, check := c.due()
	reading, err := a.DB.ReadPage(c.r.Context(), as, question, check, fn)
	if err != nil {
		return err
	}
	c.reading = reading
	if kept, ok := reading.Kept().(*keptAnswer); ok {
		c.kept = kept
		return errKept
	}
	return nil
}

// longestKept is the longest query of an address whose answer is kept.
const longestKept = 500

// errKept says that an answer is kept.
var errKept = errors.New("the answer is kept")

// keptAnswer is an answer as it was written, packed for those who take that.
type keptAnswer struct {
	body    []byte
	packed  bool
	link    []string // the header, where lists go on
	besides []func(ctx context.Context)
}

// keeping is an answer that is worth keeping.
type keeping struct {
	any
	reading store.Reading
	besides []func(ctx context.Context)
}

// keep makes an answer's bytes one that is kept. b is used for the next answer.
func (k keeping) keep(w http.ResponseWriter, b []byte) *keptAnswer {
	kept := &keptAnswer{link: w.Header()["Link"], besides: k.besides}
	if p, ok := w.(packs); ok && len(b) >= minPacked && p.TakesGzip() {
		var packed bytes.Buffer
		z, _ := packers.Get().(*gzip.Writer)
		if z == nil {
			z, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
		}
		z.Reset(&packed)
		_, _ = z.Write(b) // a Buffer takes every write
		_ = z.Close()
		z.Reset(nil)
		packers.Put(z)
		kept.body, kept.packed = bytes.Clone(packed.Bytes()), true
	} else {
		kept.body = bytes.Clone(b)
	}
	k.reading.Keep(kept, 300+len(kept.body))
	return kept
}

var packers sync.Pool // of *gzip.Writer

// answer answers with it.
func (k *keptAnswer) answer(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = sayJSON, sayPrivate
	if k.link != nil {
		h["Link"] = k.link
	}
	if k.packed {
		h["Content-Encoding"] = sayGzip
	}
	h["Content-Length"] = []string{strconv.Itoa(len(k.body))}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(k.body) // a client that left is no failure of ours
}

// prove proves what was only remembered of the caller, unless that is done.
func (a *API) prove(c *call) error {
	if c.proof == nil {
		return nil
	}
	return a.read(c, func(*store.Tx) error { return nil })
}

// deed runs a deed for a call.
func (a *API) deed(c *call, fn func(tx *store.Tx) error) error {
	if err := a.prove(c); err != nil {
		return err
	}
	return a.DB.Write(c.r.Context(), fn)
}
