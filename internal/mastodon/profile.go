package mastodon

import (
	"strconv"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// updateCredentials answers PATCH /api/v1/accounts/update_credentials. What the
// call does not name stays as it is.
func (a *API) updateCredentials(c *call) (any, error) {
	pictures := map[string]string{}
	for name, limits := range map[string]media.Limits{"avatar": media.Portraits(), "header": media.Pictures()} {
		if c.r.MultipartForm == nil || len(c.r.MultipartForm.File[name]) == 0 {
			continue
		}
		stored, err := a.picture(c, name, limits)
		if err != nil {
			return nil, err
		}
		pictures[name] = stored.Name
	}
	var out Account
	err := a.deed(c, func(tx *store.Tx) error {
		me, err := community.AccountByID(tx, c.me.ID)
		if err != nil {
			return err
		}
		p := community.ProfileOf(me)
		if c.Has("display_name") {
			p.DisplayName = c.Get("display_name")
		}
		if c.Has("note") {
			p.Bio = c.Get("note")
		}
		p.Locked, p.Discoverable, p.Indexable = c.flag("locked", p.Locked), c.flag("discoverable", p.Discoverable), c.flag("indexable", p.Indexable)
		if name := pictures["avatar"]; name != "" {
			p.Avatar = name
		}
		if name := pictures["header"]; name != "" {
			p.Header = name
		}
		if fields, ok := c.fields(); ok {
			p.Fields = fields
		}
		if me, err = community.UpdateProfile(tx, me, p); err != nil {
			return err
		}
		out, err = a.ownAccount(tx, c, me)
		return err
	})
	return out, err
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
