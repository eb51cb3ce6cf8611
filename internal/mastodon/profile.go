package mastodon

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) profileRoutes(r *routes) {
	change := func(path string, h http.HandlerFunc) {
		r.HandleFunc("/api/v1"+path, h).Methods(http.MethodPatch, http.MethodPut) // some clients write with PUT
	}
	change("/accounts/update_credentials", a.members("write:accounts", a.updateCredentials))
	change("/profile", a.members("write:accounts", a.updateProfile))
	r.HandleFunc("/api/v1/profile", a.members("profile", a.ownProfile)).Methods(http.MethodGet, http.MethodHead)
	for _, which := range []string{"avatar", "header"} {
		r.HandleFunc("/api/v1/profile/"+which, a.members("write:accounts", a.dropPicture(which))).Methods(http.MethodDelete)
	}
}

// changeProfile takes over what the call says of the caller. What it does not
// name stays as it is; an empty text clears.
func (a *API) changeProfile(c *call, then func(tx *store.Tx, me community.Account) error) error {
	pictures := map[string]string{}
	for name, limits := range map[string]media.Limits{"avatar": media.Portraits(), "header": media.Pictures()} {
		if c.r.MultipartForm == nil || len(c.r.MultipartForm.File[name]) == 0 {
			continue
		}
		stored, err := a.picture(c, name, limits)
		if err != nil {
			return err
		}
		pictures[name] = stored.Name
	}
	return a.deed(c, func(tx *store.Tx) error {
		me, err := community.AccountByID(tx, c.me.ID)
		if err != nil {
			return err
		}
		p := community.ProfileOf(me)
		for name, into := range map[string]*string{"display_name": &p.DisplayName, "note": &p.Bio, "avatar_description": &p.AvatarAlt, "header_description": &p.HeaderAlt} {
			if c.Has(name) {
				*into = c.Get(name)
			}
		}
		for name, into := range map[string]*bool{"locked": &p.Locked, "discoverable": &p.Discoverable, "indexable": &p.Indexable, "bot": &p.Bot} {
			*into = c.flag(name, *into)
		}
		if name := pictures["avatar"]; name != "" {
			p.Avatar = name
		}
		if name := pictures["header"]; name != "" {
			p.Header = name
		}
		if fields, ok := c.fields(); ok {
			p.Fields = fields
		}
		if _, named := c.Values["attribution_domains[]"]; named || c.Has("attribution_domains") {
			p.AttributionDomains = slices.DeleteFunc(c.list("attribution_domains"), func(s string) bool { return s == "" })
		}
		if me, err = community.UpdateProfile(tx, me, p); err != nil {
			return err
		}
		if err := a.keepPosting(tx, c); err != nil {
			return err
		}
		return then(tx, me)
	})
}

// updateCredentials answers PATCH /api/v1/accounts/update_credentials.
func (a *API) updateCredentials(c *call) (any, error) {
	var out Account
	err := a.changeProfile(c, func(tx *store.Tx, me community.Account) (err error) {
		out, err = a.ownAccount(tx, c, me)
		return err
	})
	return out, err
}

// Profile is Mastodon's Profile entity: what the caller says of themselves, as
// it was typed. What a profile shows is not for its owner to choose here.
type Profile struct {
	ID                 int64    `json:"id,string"`
	DisplayName        string   `json:"display_name"`
	Note               string   `json:"note"`
	Fields             []Field  `json:"fields"`
	Avatar             *string  `json:"avatar"`
	AvatarStatic       *string  `json:"avatar_static"`
	AvatarDescription  string   `json:"avatar_description"`
	Header             *string  `json:"header"`
	HeaderStatic       *string  `json:"header_static"`
	HeaderDescription  string   `json:"header_description"`
	Locked             bool     `json:"locked"`
	Bot                bool     `json:"bot"`
	HideCollections    bool     `json:"hide_collections"`
	Discoverable       bool     `json:"discoverable"`
	Indexable          bool     `json:"indexable"`
	ShowMedia          bool     `json:"show_media"`
	ShowMediaReplies   bool     `json:"show_media_replies"`
	ShowFeatured       bool     `json:"show_featured"`
	AttributionDomains []string `json:"attribution_domains"`
}

func (s shape) profileOf(me community.Account) Profile {
	p := community.ProfileOf(me)
	out := Profile{ID: me.ID, DisplayName: p.DisplayName, Note: p.Bio, Fields: []Field{}, AvatarDescription: p.AvatarAlt, HeaderDescription: p.HeaderAlt,
		Locked: p.Locked, Bot: p.Bot, HideCollections: true, Discoverable: p.Discoverable, Indexable: p.Indexable,
		ShowMedia: true, ShowMediaReplies: true, ShowFeatured: true, AttributionDomains: append([]string{}, p.AttributionDomains...)}
	for _, f := range p.Fields {
		out.Fields = append(out.Fields, Field{Name: f.Name, Value: f.Value})
	}
	if me.Avatar != "" {
		out.Avatar = text(s.picture(me, me.Avatar, "avatar"))
		out.AvatarStatic = out.Avatar
	}
	if me.Header != "" {
		out.Header = text(s.picture(me, me.Header, "header"))
		out.HeaderStatic = out.Header
	}
	return out
}

// ownProfile answers GET /api/v1/profile.
func (a *API) ownProfile(c *call) (any, error) { return a.shape(c).profileOf(c.me), nil }

// updateProfile answers PATCH and PUT /api/v1/profile.
func (a *API) updateProfile(c *call) (any, error) {
	var out Profile
	err := a.changeProfile(c, func(_ *store.Tx, me community.Account) error {
		out = a.shape(c).profileOf(me)
		return nil
	})
	return out, err
}

// dropPicture answers DELETE /api/v1/profile/avatar and /header.
func (a *API) dropPicture(which string) endpoint {
	return func(c *call) (any, error) {
		var out Account
		err := a.deed(c, func(tx *store.Tx) error {
			me, err := community.AccountByID(tx, c.me.ID)
			if err != nil {
				return err
			}
			p := community.ProfileOf(me)
			if which == "avatar" {
				p.Avatar = ""
			} else {
				p.Header = ""
			}
			if me, err = community.UpdateProfile(tx, me, p); err != nil {
				return err
			}
			out, err = a.ownAccount(tx, c, me)
			return err
		})
		return out, err
	}
}

// fields reads the lines of a profile, numbered by most clients and in
// parallel lists by some.
func (c *call) fields() ([]community.Field, bool) {
	names, values := c.Values["fields_attributes[][name]"], c.Values["fields_attributes[][value]"]
	var out []community.Field
	if len(names) > 0 && len(names) == len(values) {
		for i := range names {
			out = append(out, community.Field{Name: names[i], Value: values[i]})
		}
		return out, true
	}
	any := false
	for i := range 2 * community.MaxFields {
		at := "fields_attributes[" + strconv.Itoa(i) + "]"
		if c.Has(at + "[name]") {
			any = true
			out = append(out, community.Field{Name: c.Get(at + "[name]"), Value: c.Get(at + "[value]")})
		}
	}
	return out, any
}
