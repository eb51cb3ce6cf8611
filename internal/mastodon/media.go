package mastodon

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) mediaRoutes(r *routes) {
	for _, v := range []string{"/api/v2/media", "/api/v1/media"} {
		r.HandleFunc(v, a.members("write:media", a.upload)).Methods(http.MethodPost)
	}
	r.HandleFunc("/api/v1/media/{id:[0-9]+}", a.members("write:media", a.getUpload)).Methods(http.MethodGet)
	r.HandleFunc("/api/v1/media/{id:[0-9]+}", a.members("write:media", a.describe)).Methods(http.MethodPut)
	r.HandleFunc("/api/v1/media/{id:[0-9]+}", a.members("write:media", a.dropUpload)).Methods(http.MethodDelete)
}

// description is what the call says about a picture. The description may come
// after the upload, but before the post.
func (p params) description() (media.Description, error) {
	var d media.Description
	if p.Has("description") {
		alt := p.Get("description")
		d.Alt = &alt
	}
	if p.Has("decorative") { // ours; other servers' clients do not send it
		decorative := p.flag("decorative", false)
		d.Decorative = &decorative
	}
	if focus := p.Get("focus"); focus != "" {
		left, right, ok := strings.Cut(focus, ",")
		x, errX := strconv.ParseFloat(strings.TrimSpace(left), 64)
		y, errY := strconv.ParseFloat(strings.TrimSpace(right), 64)
		if !ok || errX != nil || errY != nil {
			return d, fault.Invalidf("focus", "The focus is two numbers between -1 and 1, such as 0.0,0.5.")
		}
		d.FocusX, d.FocusY = &x, &y
	}
	return d, nil
}

// upload answers POST /api/v2/media and /api/v1/media. It is done when it
// answers: pictures are made ready while the client waits.
func (a *API) upload(c *call) (any, error) {
	d, err := c.description()
	if err != nil {
		return nil, err
	}
	stored, err := a.picture(c, "file", media.Pictures())
	if err != nil {
		return nil, err
	}
	var m media.Attachment
	err = a.deed(c, func(tx *store.Tx) (err error) {
		m, err = media.Upload(tx, c.me.ID, stored, d)
		return err
	})
	return a.shape(c).attachment(m), err
}

// picture stores the file that came under the name.
func (a *API) picture(c *call, name string, limits media.Limits) (media.Stored, error) {
	if c.r.MultipartForm == nil || len(c.r.MultipartForm.File[name]) == 0 {
		return media.Stored{}, fault.Invalidf(name, "There is no picture in the request. Send it as multipart/form-data.")
	}
	f, err := c.r.MultipartForm.File[name][0].Open()
	if err != nil {
		return media.Stored{}, err
	}
	defer f.Close()
	limits.Bytes = min(limits.Bytes, a.MaxUpload)
	return a.Library.Store(c.r.Context(), f, limits)
}

// waiting returns the caller's picture in the path, which is in no post yet.
func (a *API) waiting(tx *store.Tx, c *call) (media.Attachment, error) {
	id, err := c.idOf("id")
	if err != nil {
		return media.Attachment{}, err
	}
	m, err := media.ByID(tx, id)
	if err != nil || m.AccountID != c.me.ID || m.PostID != nil || m.ScheduledID != nil {
		return media.Attachment{}, orNotFound(err)
	}
	return m, nil
}

// getUpload answers GET /api/v1/media/{id}.
func (a *API) getUpload(c *call) (any, error) {
	var m media.Attachment
	err := a.read(c, func(tx *store.Tx) (err error) {
		m, err = a.waiting(tx, c)
		return err
	})
	return a.shape(c).attachment(m), err
}

// describe answers PUT /api/v1/media/{id}.
func (a *API) describe(c *call) (any, error) {
	d, err := c.description()
	if err != nil {
		return nil, err
	}
	var m media.Attachment
	err = a.deed(c, func(tx *store.Tx) (err error) {
		if m, err = a.waiting(tx, c); err != nil {
			return err
		}
		m, err = media.Describe(tx, c.me.ID, m.ID, d)
		return err
	})
	return a.shape(c).attachment(m), err
}

// dropUpload answers DELETE /api/v1/media/{id}.
func (a *API) dropUpload(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	err = a.deed(c, func(tx *store.Tx) error {
		m, err := media.ByID(tx, id)
		switch {
		case err != nil || m.AccountID != c.me.ID:
			return orNotFound(err)
		case m.PostID != nil || m.ScheduledID != nil:
			return fault.Invalidf("id", "This picture is in a post. Edit or delete the post to take it out.")
		}
		return media.Drop(tx, c.me.ID, id)
	})
	return none, err
}
