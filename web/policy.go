package web

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

const (
	policyPath = "/settings/notifications"
	apartPath  = "/notifications/requests"
)

func (p *Pages) policyRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get(policyPath, p.members(p.policyForm))
	post(policyPath, p.members(p.savePolicy))
	get(apartPath, p.members(p.setApart))
	post(apartPath+"/{id:[0-9]+}/accept", p.members(p.decideApart(community.AcceptNotifications, "flash.apart_accepted")))
	post(apartPath+"/{id:[0-9]+}/dismiss", p.members(p.decideApart(community.DismissNotifications, "flash.apart_dismissed")))
}

// policyForm asks what somebody wants to hear from whom.
func (p *Pages) policyForm(h *here, w http.ResponseWriter, r *http.Request) error {
	var policy community.NotificationPolicy
	var people, notifications int
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if policy, err = community.PolicyOf(tx, h.me.ID); err != nil {
			return err
		}
		people, notifications, err = community.CountNotificationRequests(tx, h.me.ID)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := formPage{Head: PageHead{Title: l.T("nav.settings")}, Tabs: settingsTabs(h, policyPath), Intro: []string{l.T("policy.lead")}, Action: policyPath, Submit: l.T("form.save"),
		Parts: []formPart{{Title: l.T("policy.title"), Hint: l.T("policy.hint"), Fields: []FormField{
			policyField(l, "for_not_following", l.T("policy.not_following"), "", policy.ForNotFollowing),
			policyField(l, "for_not_followers", l.T("policy.not_followers"), l.T("policy.not_followers_hint"), policy.ForNotFollowers),
			policyField(l, "for_new_accounts", l.T("policy.new_accounts"), l.T("policy.new_accounts_hint"), policy.ForNewAccounts),
			policyField(l, "for_private_mentions", l.T("policy.private_mentions"), l.T("policy.private_mentions_hint"), policy.ForPrivateMentions),
			policyField(l, "for_limited_accounts", l.T("policy.limited_accounts"), l.T("policy.limited_accounts_hint"), policy.ForLimitedAccounts),
		}}}}
	if people > 0 {
		view.Head.Actions = []Action{{Words: l.T("apart.waiting", "Count", people), Icon: "users", URL: apartPath}}
		view.Intro = append(view.Intro, l.T("apart.notifications", "Count", notifications))
	}
	return p.answerWith(h, w, view, nil)
}

func policyField(l *Locale, name, label, hint string, chosen community.PolicyChoice) FormField {
	f := FormField{Name: name, Kind: "select", Label: label, Hint: hint}
	for _, o := range []Option{{Value: string(community.PolicyAccept), Words: l.T("policy.accept")},
		{Value: string(community.PolicyFilter), Words: l.T("policy.filter")}, {Value: string(community.PolicyDrop), Words: l.T("policy.drop")}} {
		o.Selected = o.Value == string(chosen)
		f.Options = append(f.Options, o)
	}
	return f
}

func (p *Pages) savePolicy(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	choice := func(name string) community.PolicyChoice { return community.PolicyChoice(r.PostFormValue(name)) }
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		return community.SetPolicy(tx, community.NotificationPolicy{AccountID: h.me.ID, ForNotFollowing: choice("for_not_following"), ForNotFollowers: choice("for_not_followers"),
			ForNewAccounts: choice("for_new_accounts"), ForPrivateMentions: choice("for_private_mentions"), ForLimitedAccounts: choice("for_limited_accounts")})
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.settings_saved")
	return seeOther(w, r, policyPath)
}

// setApart lists whose notifications the reader's policy keeps apart.
func (p *Pages) setApart(h *here, w http.ResponseWriter, r *http.Request) error {
	l, page := h.l, pageOf(r)
	view := peoplePage{Head: PageHead{Title: l.T("apart.title"), Lead: l.T("apart.lead"), Back: &Link{Words: l.T("nav.notifications"), URL: "/notifications"},
		Actions: []Action{{Words: l.T("apart.policy"), Icon: "settings", URL: policyPath}}},
		Empty: EmptyState{Icon: "bell", Title: l.T("apart.empty_title"), Words: l.T("apart.empty")}}
	var list []community.NotificationRequest
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if list, err = community.NotificationRequests(tx, h.me.ID, page); err != nil {
			return err
		}
		var people, posts []int64
		for _, one := range list {
			if people = append(people, one.FromID); one.PostID != nil {
				posts = append(posts, *one.PostID)
			}
		}
		known, err := community.AccountsByID(tx, people)
		if err != nil {
			return err
		}
		said, err := community.PostsByID(tx, h.viewer, posts)
		if err != nil {
			return err
		}
		accounts := make([]community.Account, len(people))
		for i, id := range people {
			accounts[i] = known[id]
		}
		if view.People, err = p.personCards(tx, h, accounts); err != nil {
			return err
		}
		for i, one := range list {
			at := apartPath + "/" + digits(one.ID)
			card := &view.People[i]
			card.Bio, card.Note = "", l.T("apart.count", "Count", one.Count)
			if one.PostID != nil {
				if post, ok := said[*one.PostID]; ok {
					card.Said = &Link{Words: text.Excerpt(post.HTML, 160), URL: postPath(post.ID)}
				}
			}
			card.Actions = []Action{{Words: l.T("apart.accept"), Icon: "check", URL: at + "/accept", Post: true, Main: true},
				{Words: l.T("apart.dismiss"), Icon: "x", URL: at + "/dismiss", Post: true}}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n := len(list); n > 0 {
		view.Pager = pager(r, page, n, list[0].ID, list[n-1].ID)
	}
	h.frame.Here = Notifications
	return p.render(h, w, http.StatusOK, "people", view.Head.Title, view)
}

// decideApart lets somebody be heard, or throws away what they said.
func (p *Pages) decideApart(deed func(*store.Tx, int64, []int64) error, done string) handler {
	return func(h *here, w http.ResponseWriter, r *http.Request) error {
		id, err := idOf(r)
		if err != nil {
			return err
		}
		err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
			if _, err := community.NotificationRequestByID(tx, h.me.ID, id); err != nil {
				return err
			}
			return deed(tx, h.me.ID, []int64{id})
		})
		if err != nil {
			return err
		}
		p.flash(w, done)
		return seeOther(w, r, apartPath)
	}
}
