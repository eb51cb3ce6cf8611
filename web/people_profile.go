package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// profilePage is a person's page: who they are, and what of theirs the reader may see.
type profilePage struct {
	Profile ProfileHead
	Note    string     // instead of posts: why there are none to see
	Pinned  []PostCard // what they show first
	Tabs    *Tabs
	Feed    Feed
}

// profile shows people of this server to everyone, with what the reader may
// see of theirs, and people of other servers to members only.
func (p *Pages) profile(h *here, w http.ResponseWriter, r *http.Request) error {
	handle, err := iri.ParseHandle(mux.Vars(r)["handle"], iri.IsDev(p.site.Host))
	if err != nil {
		return fault.Keyed(fault.NotFound, "account.none", "There is no such account.", nil)
	}
	if handle.Host == p.site.Host {
		return seeOther(w, r, "/@"+handle.Name)
	}
	if handle.Host != "" && !h.signedIn() {
		return seeOther(w, r, "/sign-in?to="+queryEscape(r.URL.RequestURI()))
	}
	page, show, tagged := pageOf(r), r.URL.Query().Get("show"), r.URL.Query().Get("tag")
	if _, err := community.TagKey(tagged); err != nil {
		tagged = ""
	}
	var a community.Account
	var tie community.Relation
	var counts community.AccountCounts
	var now community.Account // where the person has moved to
	var schools map[string]string
	var featured []community.FeaturedTag
	var posts []community.Post
	var views, pinned []community.View
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if a, err = community.AccountByHandle(tx, handle.Name, handle.Host); err != nil {
			return err
		}
		if a.Gone() {
			return fault.Keyed(fault.Gone, "profile.gone", "This account is not there any more.", nil)
		}
		if err := admitted(tx, a); err != nil {
			return err
		}
		if now, _, err = community.MovedAccount(tx, a); err != nil {
			return err
		}
		ties, err := community.Relationship(tx, h.me.ID, []int64{a.ID})
		if err != nil {
			return err
		}
		tie = ties[0]
		figures, err := community.CountsOf(tx, []int64{a.ID})
		if err != nil {
			return err
		}
		counts = figures[a.ID]
		if schools, err = community.SchoolNames(tx, map[int64]community.Account{a.ID: a}); err != nil {
			return err
		}
		only := community.ProfileFilter{WithoutReplies: true}
		switch show {
		case "replies":
			only.WithoutReplies = false
		case "practice":
			only = community.ProfileFilter{Kind: community.Practice}
		default:
			show = ""
		}
		if tagged != "" {
			show, only = "", community.ProfileFilter{Tag: tagged}
		}
		if featured, err = community.FeaturedTagsOf(tx, a.ID); err != nil {
			return err
		}
		if posts, err = community.ProfileTimeline(tx, h.viewer, a.ID, only, page); err != nil {
			return err
		}
		if show == "" && tagged == "" && page.MaxID == 0 && page.MinID == 0 {
			first, err := community.PinsOf(tx, h.viewer, a.ID)
			if err != nil {
				return err
			}
			if pinned, err = community.Load(tx, h.viewer, first); err != nil {
				return err
			}
		}
		if views, err = community.Load(tx, h.viewer, posts); err != nil {
			return err
		}
		return h.lookQuiet(tx, views, a.Host)
	})
	if fault.Is(err, fault.NotFound) && handle.Host != "" {
		return seeOther(w, r, "/search?q="+queryEscape(handle.String()))
	}
	if err != nil {
		return err
	}
	l, at := h.l, personPath(a)
	if a.Local() && a.Username != mux.Vars(r)["handle"] { // one address for a page
		return seeOther(w, r, at)
	}
	h.place = community.FilterAccount
	view := profilePage{Profile: p.profileHead(h, a, schools[a.Host], tie, counts), Feed: Feed{Posts: p.cards(h, views)}, Pinned: p.pinned(h, pinned)}
	if _, quiet := h.quiet[a.Host]; quiet {
		view.Profile.Actions = slices.DeleteFunc(view.Profile.Actions, func(do Action) bool { return strings.HasSuffix(do.URL, "/follow") })
		h.quiet = map[string]community.Quiet{a.Host: h.quiet[a.Host]}
		h.quietBanner()
	}
	if h.signedIn() && !a.Local() {
		p.Lookup.FreshenAccount(r.Context(), a)
	}
	if now.ID != 0 && !now.Gone() {
		view.Profile.Note = l.T("profile.moved", "To", now.Handle(p.site.Host))
		to := Action{Words: l.T("profile.moved_see"), Icon: "arrow-right", URL: now.Page(p.site), Main: true}
		if h.signedIn() {
			to.URL = personPath(now)
		}
		view.Profile.Actions = append([]Action{to}, view.Profile.Actions...)
	}
	if n := len(posts); n > 0 {
		view.Feed.Pager = pager(r, page, n, posts[0].ID, posts[n-1].ID)
	}
	view.Tabs = &Tabs{Label: l.T("profile.tabs"), Items: []Tab{
		{Words: l.T("profile.posts"), URL: at, Current: show == "" && tagged == "", Count: -1},
		{Words: l.T("nav.practice"), URL: at + "?show=practice", Current: show == "practice", Count: -1},
		{Words: l.T("profile.replies"), URL: at + "?show=replies", Current: show == "replies", Count: -1},
	}}
	if tagged != "" {
		view.Tabs.Items = append(view.Tabs.Items, Tab{Words: "#" + strings.TrimLeft(tagged, "#"), URL: at + "?tag=" + queryEscape(tagged), Current: true, Count: -1})
	}
	for _, t := range featured {
		view.Profile.Tags = append(view.Profile.Tags, Link{Words: "#" + t.Name, URL: at + "?tag=" + queryEscape(t.Tag)})
	}
	view.Feed.Empty = p.profileEmpty(h, a, tie)
	if a.ID == h.me.ID {
		h.frame.Here = Myself
	} else {
		h.frame.Here = People
	}
	if !a.Local() || !a.Indexable {
		h.frame.Robots = "noindex"
	}
	if a.Local() {
		h.frame.Links = append(h.frame.Links, HeadLink{Rel: "alternate", Type: "application/activity+json", Href: a.IRI(p.site)})
	}
	return p.render(h, w, http.StatusOK, "profile", view.Profile.Person.Name, view)
}

// pinned are the cards of what somebody shows first. The same posts stand among
// the others too, so that theirs need names of their own on the page.
func (p *Pages) pinned(h *here, views []community.View) []PostCard {
	cards := p.cards(h, views)
	for i := range cards {
		cards[i].ID = "pinned-" + cards[i].ID
	}
	return cards
}

func (p *Pages) profileHead(h *here, a community.Account, school string, tie community.Relation, counts community.AccountCounts) ProfileHead {
	l := h.l
	head := ProfileHead{Person: p.person(h, a, school), Bio: facesOf("account", a.ID, a.Emoji).prose(a.BioHTML), Note: tieNote(l, tie)}
	head.Person.Avatar.Alt = a.AvatarAlt
	if a.MovedTo != "" {
		head.Note = l.T("profile.moved", "To", strings.TrimPrefix(a.MovedTo, "https://"))
	}
	if a.Header != "" {
		src := "/media/header/" + digits(a.ID)
		if a.Local() {
			src = "/media/" + a.Header
		}
		head.Header = &Picture{Src: src, Alt: a.HeaderAlt, Width: 1500, Height: 500}
	}
	for _, f := range a.Fields {
		head.Facts = append(head.Facts, FactHTML{Name: head.Person.Faces.line(f.Name), Value: head.Person.Faces.prose(f.Value)})
	}
	if a.Local() {
		head.Facts = append(head.Facts, FactHTML{Name: escaped(l.T("profile.since")), Value: escaped(l.Date(a.CreatedAt))})
	}
	if a.ID == h.me.ID {
		head.Counts = []Tab{
			{Words: l.T("profile.followers", "Count", counts.Followers), URL: personPath(a) + "/followers", Count: int(counts.Followers)},
			{Words: l.T("profile.following"), URL: personPath(a) + "/following", Count: int(counts.Following)},
		}
	} else if a.Local() {
		head.Facts = append(head.Facts, FactHTML{Name: escaped(l.T("people.followers")), Value: escaped(l.Number(counts.Followers))})
	}
	head.Actions, head.Menu = p.tieActions(h, a, tie)
	return head
}

// profileEmpty says why there is nothing of somebody's to see.
func (p *Pages) profileEmpty(h *here, a community.Account, tie community.Relation) EmptyState {
	l, name := h.l, a.Name()
	e := EmptyState{Icon: "file-text", Title: l.T("profile.empty_title"), Words: l.T("profile.empty", "Name", name)}
	switch {
	case a.ID == h.me.ID:
		e.Words = l.T("profile.empty_mine")
		e.Action = &Action{Words: l.T("nav.write"), Icon: "pen-line", URL: "/write", Main: true}
	case tie.Blocking:
		e = EmptyState{Icon: "ban", Title: l.T("profile.blocking_title"), Words: l.T("profile.blocking", "Name", name)}
	case !h.signedIn():
		e.Words = l.T("profile.empty_guest", "Name", name)
		e.Action = &Action{Words: l.T("nav.sign_in"), Icon: "log-in", URL: "/sign-in?to=" + queryEscape(personPath(a))}
	case !a.Local() && tie.Following != community.FollowAccepted:
		e.Words = l.T("profile.empty_remote", "Name", name)
	}
	return e
}
