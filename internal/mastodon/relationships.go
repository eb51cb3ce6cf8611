package mastodon

import (
	"net/http"
	"strings"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// relationshipRoutes mounts what somebody keeps of others: notes, whom they
// show, servers they shut out, and whom they might want to follow.
func (a *API) relationshipRoutes(r *routes) {
	get := func(path string, h http.HandlerFunc) {
		r.HandleFunc("/api/v1"+path, h).Methods(http.MethodGet, http.MethodHead)
	}
	post := func(path string, h http.HandlerFunc) { r.HandleFunc("/api/v1"+path, h).Methods(http.MethodPost) }
	get("/accounts/familiar_followers", a.members("read:follows", a.familiar))
	post("/accounts/{id:[0-9]+}/note", a.members("write:accounts", a.toward(note)))
	for _, path := range []string{"endorse", "pin"} { // pin is the older name
		post("/accounts/{id:[0-9]+}/"+path, a.members("write:accounts", a.toward(deedOnly(community.Endorse))))
		post("/accounts/{id:[0-9]+}/un"+path, a.members("write:accounts", a.toward(deedOnly(community.Unendorse))))
	}
	get("/accounts/{id:[0-9]+}/endorsements", a.open("read:accounts", a.endorsedBy))
	get("/endorsements", a.members("read:accounts", a.mine(community.Endorsed)))
	get("/accounts/{id:[0-9]+}/identity_proofs", a.members("", empty))
	get("/suggestions", a.members("read:accounts", a.suggestedAccounts))
	r.HandleFunc("/api/v2/suggestions", a.members("read:accounts", a.suggestions)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/api/v1/suggestions/{id:[0-9]+}", a.members("write:accounts", a.refuseSuggestion)).Methods(http.MethodDelete)
	get("/directory", a.open("", a.directory))
	get("/domain_blocks", a.members("read:blocks", a.hostBlocks))
	get("/domain_blocks/preview", a.members("write:blocks", a.hostBlockPreview))
	post("/domain_blocks", a.members("write:blocks", a.hostDeed(community.ShutOut)))
	r.HandleFunc("/api/v1/domain_blocks", a.members("write:blocks", a.hostDeed(community.LetIn))).Methods(http.MethodDelete)
}

// someAccounts answers GET /api/v1/accounts?id[]=: those of the accounts that
// the caller is told of, in the order in which they were asked for.
func (a *API) someAccounts(c *call) (any, error) {
	ids := unique(c.ids("id"))
	ids = ids[:min(len(ids), 80)]
	out := []Account{}
	err := a.read(c, func(tx *store.Tx) error {
		shown, err := a.accounts(tx, c, ids)
		if err != nil {
			return err
		}
		met, err := community.Met(tx, c.viewer, ids)
		if err != nil {
			return err
		}
		for _, acc := range shown {
			if met[acc.ID] {
				out = append(out, acc)
			}
		}
		return nil
	})
	return out, err
}

// MutedAccount is an account that the caller has muted.
type MutedAccount struct {
	Account
	MuteExpiresAt *stamp `json:"mute_expires_at"`
}

// mutes answers GET /api/v1/mutes.
func (a *API) mutes(c *call) (any, error) {
	page := c.page(40, 80)
	out := []MutedAccount{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.MutedBy(tx, c.me.ID, page)
		if err != nil {
			return err
		}
		ids := make([]int64, len(list))
		for i, l := range list {
			ids[i] = l.ID
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].Cursor, list[n-1].Cursor)
		}
		ties, err := community.Relationship(tx, c.me.ID, ids)
		if err != nil {
			return err
		}
		until := map[int64]*stamp{}
		for _, tie := range ties {
			until[tie.AccountID] = stampOrNull(tie.MuteEnds)
		}
		shown, err := a.accounts(tx, c, ids)
		for _, acc := range shown {
			out = append(out, MutedAccount{acc, until[acc.ID]})
		}
		return err
	})
	return out, err
}

func note(tx *store.Tx, c *call, target community.Account) error {
	return community.NoteAccount(tx, c.me, target, c.Get("comment"))
}

// FamiliarFollowers is Mastodon's FamiliarFollowers entity.
type FamiliarFollowers struct {
	ID       int64     `json:"id,string"`
	Accounts []Account `json:"accounts"`
}

// familiar answers GET /api/v1/accounts/familiar_followers: nobody for each,
// since whom somebody here follows is theirs alone to know.
func (a *API) familiar(c *call) (any, error) {
	ids := unique(c.ids("id"))
	out := []FamiliarFollowers{}
	err := a.read(c, func(tx *store.Tx) error {
		known, err := community.AccountsByID(tx, ids)
		for _, id := range ids {
			if _, ok := known[id]; ok {
				out = append(out, FamiliarFollowers{ID: id, Accounts: []Account{}})
			}
		}
		return err
	})
	return out, err
}

// endorsedBy answers GET /api/v1/accounts/{id}/endorsements. Guests are told of
// people here only, as everywhere.
func (a *API) endorsedBy(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	page := c.page(40, 80)
	out := []Account{}
	err = a.read(c, func(tx *store.Tx) error {
		acc, err := community.AccountByID(tx, id)
		if err == nil {
			err = c.meets(tx, acc)
		}
		if err != nil || acc.Gone() {
			return orNotFound(err)
		}
		list, err := community.Endorsed(tx, id, page)
		if err != nil {
			return err
		}
		ids := make([]int64, 0, len(list))
		for _, l := range list {
			if l.Local() || c.signedIn() {
				ids = append(ids, l.ID)
			}
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].Cursor, list[n-1].Cursor)
		}
		out, err = a.accounts(tx, c, ids)
		return err
	})
	return out, err
}

// Suggestion is Mastodon's Suggestion entity.
type Suggestion struct {
	Source  string   `json:"source"` // the older form of Sources
	Sources []string `json:"sources"`
	Account Account  `json:"account"`
}

// suggestions answers GET /api/v2/suggestions.
func (a *API) suggestions(c *call) (any, error) {
	out := []Suggestion{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.Suggestions(tx, c.me.ID, c.page(40, 80).Limit)
		if err != nil {
			return err
		}
		ids, familiar := make([]int64, len(list)), map[int64]bool{}
		for i, s := range list {
			ids[i], familiar[s.AccountID] = s.AccountID, s.Familiar
		}
		shown, err := a.accounts(tx, c, ids)
		for _, acc := range shown {
			s := Suggestion{Source: "global", Sources: []string{"most_followed"}, Account: acc}
			if familiar[acc.ID] {
				s.Source, s.Sources = "past_interactions", []string{"friends_of_friends"}
			}
			out = append(out, s)
		}
		return err
	})
	return out, err
}

// suggestedAccounts answers GET /api/v1/suggestions.
func (a *API) suggestedAccounts(c *call) (any, error) {
	list, err := a.suggestions(c)
	if err != nil {
		return nil, err
	}
	out := []Account{}
	for _, s := range list.([]Suggestion) {
		out = append(out, s.Account)
	}
	return out, nil
}

// refuseSuggestion answers DELETE /api/v1/suggestions/{id}.
func (a *API) refuseSuggestion(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	return none, a.deed(c, func(tx *store.Tx) error {
		target, err := c.met(tx, id)
		if err != nil {
			return err
		}
		return community.RefuseSuggestion(tx, c.me, target)
	})
}

// directory answers GET /api/v1/directory: people to look through, for people
// who are signed in. A school shows its staff to nobody else.
func (a *API) directory(c *call) (any, error) {
	out := []Account{}
	if !c.signedIn() {
		return out, nil
	}
	from := community.Anywhere
	if c.flag("local", false) {
		from = community.Here
	}
	err := a.read(c, func(tx *store.Tx) error {
		ids, err := community.DirectoryFrom(tx, c.me.ID, from, c.Get("order") != "new", c.page(40, 80).Limit, c.offset())
		if err != nil {
			return err
		}
		out, err = a.accounts(tx, c, ids)
		return err
	})
	return out, err
}

// hostBlocks answers GET /api/v1/domain_blocks.
func (a *API) hostBlocks(c *call) (any, error) {
	page := c.page(100, 200)
	out := []string{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.HostBlocks(tx, c.me.ID, page)
		for _, b := range list {
			out = append(out, b.Host)
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].ID, list[n-1].ID)
		}
		return err
	})
	return out, err
}

// hostDeed answers a deed about the server that the call names.
func (a *API) hostDeed(deed func(tx *store.Tx, me community.Account, host string) error) endpoint {
	return func(c *call) (any, error) {
		return none, a.deed(c, func(tx *store.Tx) error { return deed(tx, c.me, c.Get("domain")) })
	}
}

// hostBlockPreview answers GET /api/v1/domain_blocks/preview.
func (a *API) hostBlockPreview(c *call) (any, error) {
	var ties community.HostBlockTies
	err := a.read(c, func(tx *store.Tx) (err error) {
		ties, err = community.HostBlockPreview(tx, c.me.ID, c.Get("domain"))
		return err
	})
	return map[string]int{"following_count": ties.Following, "followers_count": ties.Followers}, err
}

// signUp answers POST /api/v1/accounts: somebody asks for an account through an
// app, where the school takes such requests. The token opens nothing before
// they are let in.
func (a *API) signUp(c *call) (any, error) {
	switch {
	case c.access.Token.ID == 0:
		return nil, fault.New(fault.Unauthorized, "The access token is invalid")
	case c.signedIn():
		return nil, fault.New(fault.Forbidden, "You have an account already.")
	}
	if err := c.access.Need("write:accounts"); err != nil {
		return nil, err
	}
	if !c.flag("agreement", false) {
		return nil, fault.New(fault.Invalid, "Validation failed: Agreement must be accepted")
	}
	token, t, err := a.Auth.SignUp(c.r.Context(), c.access, auth.Newcomer{Username: c.Get("username"), Email: c.Get("email"), Password: c.Get("password"),
		Locale: strings.ReplaceAll(c.Get("locale"), "_", "-"), Text: c.Get("reason"), Address: a.Address(c.r), Device: c.r.UserAgent()})
	if err != nil {
		return nil, err
	}
	return map[string]any{"access_token": token, "token_type": "Bearer", "scope": t.Scopes, "created_at": t.CreatedAt.Unix()}, nil
}
