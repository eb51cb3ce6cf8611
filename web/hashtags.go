package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

const hashtagsPath = "/settings/hashtags"

func (p *Pages) hashtagRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get("/tags/{tag}", p.open(p.tag))
	get(hashtagsPath, p.members(p.hashtags))
	post(hashtagsPath+"/{deed:follow|unfollow|feature|unfeature}", p.members(p.tieTag))
}

func tagPath(tag string) string { return "/tags/" + url.PathEscape(tag) }

// tag is the page of a hashtag, where it can be followed.
func (p *Pages) tag(h *here, w http.ResponseWriter, r *http.Request) error {
	l, tag := h.l, mux.Vars(r)["tag"]
	view := feedPage{
		Head: PageHead{Title: "#" + tag, Lead: l.T("tag.lead")},
		Feed: Feed{Empty: EmptyState{Icon: "hash", Title: l.T("tag.empty_title", "Tag", tag), Words: l.T("tag.empty")}},
	}
	if !h.signedIn() {
		h.frame.Robots = "noindex"
	} else if key, err := community.TagKey(tag); err == nil {
		if err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
			ties, err := community.TiesToTags(tx, h.me.ID, []string{key})
			view.Head.Actions, view.Head.Menu = tagActions(l, tag, ties[key])
			return err
		}); err != nil {
			return err
		}
	}
	return p.lead(h, w, r, "", "", view, func(tx *store.Tx, v community.Viewer, page store.Page) ([]community.Post, error) {
		return community.TagTimeline(tx, v, tag, page)
	})
}

func tagActions(l *Locale, tag string, ties community.TagTies) (beside, menu []Action) {
	do := func(deed, words, icon string) Action {
		return Action{Words: words, Icon: icon, URL: hashtagsPath + "/" + deed, Post: true, Fields: map[string]string{"tag": tag}}
	}
	follow, feature := do("follow", l.T("tag.follow"), "plus"), do("feature", l.T("tag.feature"), "pin")
	follow.Main = true
	if ties.Following {
		follow = do("unfollow", l.T("tag.following"), "check")
		follow.Pressed = true
	}
	if ties.Featuring {
		feature = do("unfeature", l.T("tag.unfeature"), "pin")
		feature.Pressed = true
	}
	return []Action{follow}, []Action{feature}
}

// hashtags is the part of the settings with the hashtags that somebody follows
// and those on their page.
func (p *Pages) hashtags(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.hashtagsPage(h, w, r, "", "", nil)
}

// hashtagsPage shows both lists; failed is the deed whose form is shown again
// with what is wrong with it.
func (p *Pages) hashtagsPage(h *here, w http.ResponseWriter, r *http.Request, failed, typed string, problem *fault.Error) error {
	l, page := h.l, pageOf(r)
	var followed []community.FollowedTag
	var featured []community.Featured
	var suggested []string
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if followed, err = community.FollowedTags(tx, h.me.ID, page); err != nil {
			return err
		}
		if featured, err = community.FeaturedBy(tx, h.me.ID); err != nil {
			return err
		}
		suggested, err = community.SuggestedTags(tx, h.me.ID)
		return err
	})
	if err != nil {
		return err
	}
	do := func(deed, tag, words string) []Action {
		return []Action{{Words: words, Icon: "x", URL: hashtagsPath + "/" + deed, Post: true, Fields: map[string]string{"tag": tag}}}
	}
	form := func(deed, label, hint, submit string, options []Option) *formPage {
		f := formPage{Action: hashtagsPath + "/" + deed, Submit: submit, Parts: []formPart{{Fields: []FormField{
			{Name: deed, Label: label, Hint: hint, Max: 100, Code: true, Required: true, Options: options}}}}}
		if deed == failed {
			f.Parts[0].Fields[0].Value = typed
			for i := range problem.Fields {
				problem.Fields[i].Name = deed
			}
			if len(problem.Fields) == 0 {
				problem.Fields = []fault.Field{{Name: deed, Key: problem.Key, Message: problem.Error(), Args: problem.Args}}
			}
			f.blame(l, problem)
			f.Errors.Kept = ""
		}
		return &f
	}
	follows := entriesPart{ID: "followed", Title: l.T("hashtags.followed"), Hint: l.T("hashtags.followed_hint"), None: l.T("hashtags.followed_none"),
		Form: form("follow", l.T("hashtags.follow"), l.T("hashtags.example"), l.T("tag.follow"), nil)}
	for _, t := range followed {
		follows.Entries = append(follows.Entries, entry{Title: "#" + t.Tag, URL: tagPath(t.Tag), Code: true, Actions: do("unfollow", t.Tag, l.T("hashtags.unfollow"))})
	}
	if n := len(followed); n > 0 {
		follows.Pager = pager(r, page, n, followed[0].ID, followed[n-1].ID)
	}
	var options []Option
	for _, name := range suggested {
		options = append(options, Option{Value: name})
	}
	hint := l.T("hashtags.example")
	if len(suggested) > 0 {
		hint = l.T("hashtags.suggested", "Tags", "#"+strings.Join(suggested[:min(len(suggested), 5)], ", #"))
	}
	shows := entriesPart{ID: "featured", Title: l.T("hashtags.featured"), Hint: l.T("hashtags.featured_hint"), None: l.T("hashtags.featured_none"),
		Form: form("feature", l.T("hashtags.feature"), hint, l.T("tag.feature"), options)}
	for _, f := range featured {
		e := entry{Title: "#" + f.Name, URL: tagPath(f.Tag), Code: true, Facts: []Fact{{Name: l.T("hashtags.written"), Value: l.T("hashtags.posts", "Count", f.Posts)}},
			Actions: do("unfeature", f.Tag, l.T("tag.unfeature"))}
		if f.LastAt != nil {
			e.Facts = append(e.Facts, Fact{Name: l.T("hashtags.latest"), Value: l.Date(*f.LastAt)})
		}
		shows.Entries = append(shows.Entries, e)
	}
	status := http.StatusOK
	if problem != nil {
		status = http.StatusUnprocessableEntity
	}
	view := entriesPage{Head: PageHead{Title: l.T("nav.settings")}, Tabs: settingsTabs(h, hashtagsPath), Parts: []entriesPart{follows, shows}}
	return p.render(h, w, status, "entries", view.Head.Title, view)
}

// tieTag does one of the things that tie the reader to a hashtag or untie them:
// for a button, which names it, or for the form of the deed.
func (p *Pages) tieTag(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	deed, tag := mux.Vars(r)["deed"], r.PostFormValue("tag")
	typed := tag == ""
	if typed {
		tag = r.PostFormValue(deed)
	}
	tag = strings.TrimLeft(strings.TrimSpace(tag), "#")
	done := ""
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		switch deed {
		case "follow":
			done = "flash.tag_followed"
			_, err = community.FollowTag(tx, h.me, tag)
		case "unfollow":
			done = "flash.tag_unfollowed"
			_, err = community.UnfollowTag(tx, h.me, tag)
		case "feature":
			done = "flash.tag_featured"
			_, err = community.FeatureTag(tx, h.me, tag)
		case "unfeature":
			done, err = "flash.tag_unfeatured", community.UnfeatureTag(tx, h.me, tag)
		}
		return err
	})
	if f := fault.Of(err); err != nil && typed && (f.Kind == fault.Invalid || f.Kind == fault.NotFound) {
		return p.hashtagsPage(h, w, r, deed, tag, f)
	} else if err != nil {
		return err
	}
	p.flash(w, done, "Tag", tag)
	return p.back(w, r, hashtagsPath)
}
