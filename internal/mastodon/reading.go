package mastodon

import (
	"context"
	"net/http"

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
func (a *API) read(c *call, fn func(tx *store.Tx) error) error { return c.reads(a.DB.ReadAfter, fn) }

// readPage is read for pages that are read again and again. fn may be run twice.
func (a *API) readPage(c *call, fn func(tx *store.Tx) error) error {
	return c.reads(a.DB.ReadPage, fn)
}

func (c *call) reads(read func(context.Context, []store.Question, func(*store.Tx) error, func(*store.Tx) error) error, fn func(tx *store.Tx) error) error {
	if c.proof == nil {
		c.viewer.Bonds = 0 // may have got more since
		return read(c.r.Context(), nil, nil, fn)
	}
	proof := c.proof
	c.proof = nil
	return read(c.r.Context(), []store.Question{proof.Question}, proof.Check, fn)
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
