package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func (p *Pages) mediaRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	get("/media/remote/{id:[0-9]+}", p.open(p.remotePicture))
	get("/media/avatar/{id:[0-9]+}", p.open(p.remoteFace("avatar")))
	get("/media/header/{id:[0-9]+}", p.open(p.remoteFace("header")))
	get("/media/emoji/post/{id:[0-9]+}/{name:"+emojiName+"}", p.open(p.postEmoji))
	get("/media/emoji/reaction/{id:[0-9]+}/{by:[0-9]+}/{name:"+emojiName+"}", p.open(p.reactionEmoji))
	get("/media/emoji/account/{id:[0-9]+}/{name:"+emojiName+"}", p.open(p.accountEmoji))
	get("/media/{name}", p.open(p.picture))
}

func noPicture() error {
	return fault.Keyed(fault.NotFound, "media.not_found", "There is no such picture, or it is not for you.", nil)
}

// picture serves a file of this server: a public post's and people's portraits
// to everyone, any other to those who may see its post, connected servers among
// them, and one that is in no post yet to whom it belongs.
//
// FEDERATION.md, "Pictures".
func (p *Pages) picture(h *here, w http.ResponseWriter, r *http.Request) error {
	viewer := h.viewer
	if !h.signedIn() && p.Peer != nil {
		viewer = p.Peer(r)
	}
	name := mux.Vars(r)["name"]
	public := false
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		if face, err := community.IsFace(tx, name); err != nil || face {
			public = face
			return err
		}
		a, err := media.ByName(tx, name)
		if err != nil {
			return err
		}
		if a.PostID == nil {
			if h.me.ID == 0 || a.AccountID != h.me.ID {
				return noPicture()
			}
			return nil
		}
		post, err := community.VisiblePost(tx, *a.PostID, viewer)
		public = err == nil && post.Audience == community.Public
		return err
	})
	if err != nil {
		return hidden(err)
	}
	f, err := p.Library.Open(name)
	if err != nil {
		return err
	}
	media.Serve(w, r, f, public)
	return nil
}

// hidden makes a post that is not for the reader look like no picture at all.
func hidden(err error) error {
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
		return noPicture()
	}
	return err
}

// remotePicture serves our copy of another server's picture to members: that
// server does not learn who reads here.
func (p *Pages) remotePicture(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var a media.Attachment
	var of string
	var policy peers.Decision
	public := false
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if a, err = media.ByID(tx, id); err != nil {
			return err
		}
		if a.PostID == nil || a.Local() {
			return noPicture()
		}
		post, err := community.VisiblePost(tx, *a.PostID, h.viewer)
		if err != nil {
			return err
		}
		public, of = post.Audience == community.Public, post.AuthorHost
		policy, err = peers.DecideOne(tx, of)
		return err
	})
	if err != nil {
		return hidden(err)
	}
	if !h.signedIn() && !public {
		return noPicture()
	}
	if policy.Media == peers.MediaStrip {
		return noPicture()
	}
	size, get := media.Whole, p.Remote(of)
	if r.URL.Query().Get("size") == "small" {
		size = media.Preview
		if policy.Media == peers.MediaClick { // nobody has asked for it by showing the page
			get = notAsked
			if f, err := p.Library.FetchRemote(r.Context(), a.RemoteURL, media.Whole, get); err == nil { // somebody has
				media.Serve(w, r, f, public)
				return nil
			}
		}
	}
	f, err := p.Library.FetchRemote(r.Context(), a.RemoteURL, size, get)
	if errors.Is(err, media.ErrNotAsked) && policy.Media == peers.MediaClick {
		p.unasked(h, w, of)
		return nil
	}
	if err != nil {
		return err
	}
	media.Serve(w, r, f, public)
	return nil
}

// notAsked is a Getter that asks nobody.
func notAsked(context.Context, string) ([]byte, string, error) { return nil, "", media.ErrNotAsked }

// unasked is shown in the place of a picture of a server whose pictures are
// fetched when a person asks for one: the link that it stands in does.
func (p *Pages) unasked(h *here, w http.ResponseWriter, of string) {
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 160" width="480" height="160" role="img"><title>%[1]s</title><rect width="480" height="160" fill="#e9e4da"/>`+
		`<text x="240" y="74" text-anchor="middle" font-family="sans-serif" font-size="18" fill="#3a352c">%[1]s</text>`+
		`<text x="240" y="102" text-anchor="middle" font-family="sans-serif" font-size="15" fill="#5a5346">%[2]s</text></svg>`,
		template.HTMLEscapeString(h.l.T("media.unasked")), template.HTMLEscapeString(of))
}

// faceOf is an account whose pictures may be shown: not one of a blocked server,
// nor of one whose pictures are left out.
func faceOf(tx *store.Tx, id int64) (community.Account, error) {
	a, err := community.AccountByID(tx, id)
	if err != nil || a.Local() {
		return a, err
	}
	d, err := peers.DecideOne(tx, a.Host)
	if err == nil && (d.Standing == peers.Blocked || d.Media == peers.MediaStrip) {
		err = noPicture()
	}
	return a, err
}

// remoteFace serves our copy of the picture of somebody at another server.
func (p *Pages) remoteFace(which string) handler {
	return func(h *here, w http.ResponseWriter, r *http.Request) error {
		id, err := idOf(r)
		if err != nil {
			return err
		}
		var a community.Account
		err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
			a, err = faceOf(tx, id)
			return err
		})
		if err != nil {
			return hidden(err)
		}
		address, size := a.Avatar, media.Portrait
		if which == "header" {
			address, size = a.Header, media.Whole
		}
		if a.Local() || a.Gone() || address == "" {
			return noPicture()
		}
		f, err := p.Library.FetchRemote(r.Context(), address, size, p.Remote(a.Host))
		if err != nil {
			return err
		}
		media.Serve(w, r, f, false)
		return nil
	}
}

// emojiName is what stands between the colons.
const emojiName = "[A-Za-z0-9_+.@-]+"

// postEmoji serves our copy of a picture that a post of another server names as
// :name:, to those who may see the post.
func (p *Pages) postEmoji(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var post community.Post
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		post, err = community.VisiblePost(tx, id, h.viewer)
		return err
	})
	if err != nil {
		return hidden(err)
	}
	public := post.Audience == community.Public
	if post.Extra == nil || !h.signedIn() && !public {
		return noPicture()
	}
	return p.emoji(w, r, post.AuthorHost, post.Extra.Emoji, public)
}

// reactionEmoji is postEmoji for what somebody elsewhere reacted to a post with.
func (p *Pages) reactionEmoji(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	by, ok := iri.ParseID(mux.Vars(r)["by"])
	if !ok {
		return noPicture()
	}
	var post community.Post
	var given map[[2]int64]community.Given
	var who community.Account
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if post, err = community.VisiblePost(tx, id, h.viewer); err != nil {
			return err
		}
		if given, err = community.EmojiOf(tx, []int64{id}, []int64{by}); err != nil {
			return err
		}
		who, err = faceOf(tx, by)
		return err
	})
	if err != nil {
		return hidden(err)
	}
	public := post.Audience == community.Public
	e, ok := given[[2]int64{id, by}].Picture()
	if !ok || !h.signedIn() && !public {
		return noPicture()
	}
	return p.emoji(w, r, who.Host, []community.Emoji{e}, public)
}

// accountEmoji is postEmoji for the names and profiles of people elsewhere.
func (p *Pages) accountEmoji(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var a community.Account
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		a, err = faceOf(tx, id)
		return err
	})
	if err != nil {
		return hidden(err)
	}
	if a.Local() || a.Gone() {
		return noPicture()
	}
	return p.emoji(w, r, a.Host, a.Emoji, false)
}

func (p *Pages) emoji(w http.ResponseWriter, r *http.Request, of string, list []community.Emoji, public bool) error {
	e, ok := community.EmojiNamed(list, mux.Vars(r)["name"])
	if !ok {
		return noPicture()
	}
	f, err := p.Library.FetchRemote(r.Context(), e.URL, media.Sign, p.Remote(of))
	if err != nil {
		return err
	}
	media.Serve(w, r, f, public)
	return nil
}
