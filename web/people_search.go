package web

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// searchPage shows what was found.
type searchPage struct {
	Head   PageHead
	Search *FormField
	Tag    *Link
	Post   *PostCard
	People []PersonCard
	Empty  *EmptyState
	Pager  Pager
}

func searchField(l *Locale, typed string) *FormField {
	return &FormField{Name: "q", Kind: "search", Label: l.T("search.label"), Hint: l.T("search.hint"), Value: typed, Max: 500, Code: true}
}

// search finds people by name, and whoever or whatever has the handle or
// address that was typed, also on servers that this one is connected with.
func (p *Pages) search(h *here, w http.ResponseWriter, r *http.Request) error {
	l, typed := h.l, strings.TrimSpace(r.URL.Query().Get("q"))
	view := searchPage{Head: PageHead{Title: l.T("nav.search")}, Search: searchField(l, typed)}
	view.Search.Autofocus = typed == ""
	h.frame.Here = People
	var err error
	switch {
	case typed == "":
	case strings.HasPrefix(typed, "https://") || strings.HasPrefix(typed, "http://"):
		err = p.searchAddress(h, r, typed, &view)
	case strings.HasPrefix(typed, "#"):
		view.Tag = tagLink(typed)
	default:
		err = p.searchPeople(h, r, typed, &view)
	}
	if err != nil {
		f := fault.Of(err)
		if f.Kind == fault.Internal {
			return err
		}
		e := p.notFound(h, typed, f)
		view.Empty = &e
	}
	if view.Empty == nil && typed != "" && view.Post == nil && view.Tag == nil && len(view.People) == 0 {
		view.Empty = &EmptyState{Icon: "search", Title: l.T("search.nothing_title"), Words: l.T("search.nothing")}
	}
	if r.URL.Query().Get("q") != "" && view.Post != nil && len(view.People) == 0 {
		return seeOther(w, r, view.Post.URL)
	}
	return p.render(h, w, http.StatusOK, "search", view.Head.Title, view)
}

func tagLink(typed string) *Link {
	tag := strings.TrimLeft(typed, "#")
	if tags := text.FindTags("#" + tag); len(tags) == 1 {
		return &Link{Words: "#" + tag, URL: "/tags/" + url.PathEscape(text.TagKey(tags[0]))}
	}
	return nil
}

// searchAddress looks for the post or the person that has an address.
func (p *Pages) searchAddress(h *here, r *http.Request, address string, view *searchPage) error {
	post, err := p.Lookup.ResolvePost(r.Context(), address)
	if err == nil {
		return p.DB.Read(r.Context(), func(tx *store.Tx) error {
			seen, err := community.VisiblePost(tx, post.ID, h.viewer)
			if err != nil {
				return err
			}
			v, err := community.LoadOne(tx, h.viewer, seen)
			card := p.card(h, v)
			view.Post = &card
			return err
		})
	}
	if peers.Refused(err) || fault.Is(err, fault.Internal) {
		return err
	}
	account, accountErr := p.Lookup.Resolve(r.Context(), address)
	if accountErr != nil {
		return err
	}
	return p.foundPerson(h, r, account, view)
}

// searchPeople looks for a whole handle first, and for names that begin as typed.
func (p *Pages) searchPeople(h *here, r *http.Request, typed string, view *searchPage) error {
	if handle, err := iri.ParseHandle(typed, iri.IsDev(p.site.Host)); err == nil && handle.Host != "" && handle.Host != p.site.Host {
		account, err := p.Lookup.Resolve(r.Context(), handle.String())
		if err != nil {
			return err
		}
		return p.foundPerson(h, r, account, view)
	} else if err == nil && handle.Host == p.site.Host {
		typed = handle.Name
	}
	if strings.IndexFunc(typed, func(c rune) bool { return c == ' ' || c == '@' }) < 0 {
		view.Tag = tagLink(typed)
	}
	page := pageOf(r)
	return p.DB.Read(r.Context(), func(tx *store.Tx) error {
		found, err := community.Directory(tx, h.me.ID, community.Anywhere, typed, page)
		if err != nil {
			return err
		}
		if n := len(found); n > 0 {
			view.Pager = pager(r, page, n, found[0].ID, found[n-1].ID)
		}
		view.People, err = p.personCards(tx, h, found)
		return err
	})
}

func (p *Pages) foundPerson(h *here, r *http.Request, a community.Account, view *searchPage) error {
	return p.DB.Read(r.Context(), func(tx *store.Tx) error {
		if err := admitted(tx, a); err != nil {
			return err
		}
		if a.Gone() {
			return fault.Keyed(fault.Gone, "profile.gone", "This account is not there any more.", nil)
		}
		cards, err := p.personCards(tx, h, []community.Account{a})
		view.People = cards
		return err
	})
}

// notFound says why something elsewhere was not found, and what to do.
func (p *Pages) notFound(h *here, typed string, f *fault.Error) EmptyState {
	l := h.l
	if peers.Refused(f) {
		host, _ := f.Args["Host"].(string)
		e := EmptyState{Icon: "ban", Title: l.T("search.refused_title", "Host", host), Words: l.T("search.refused", "Host", host)}
		if h.user.Role.MayManagePeers() {
			e.Action = &Action{Words: l.T("search.connect", "Host", host), Icon: "plus", URL: "/admin/peers/new?host=" + queryEscape(host)}
		} else {
			e.Action = &Action{Words: l.T("nav.about"), Icon: "info", URL: "/about#connections"}
		}
		return e
	}
	e := EmptyState{Icon: "search", Title: l.T("search.nothing_title"), Words: l.Fault(f)}
	if f.Kind == fault.Unavailable {
		e.Title = l.T("search.no_answer_title")
	}
	return e
}

// escaped makes plain words into markup.
func escaped(words string) template.HTML { return template.HTML(template.HTMLEscapeString(words)) }
