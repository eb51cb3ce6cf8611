package mastodon

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) announcementRoutes(r *routes) {
	const one = "/api/v1/announcements/{id:[0-9]+}"
	r.HandleFunc("/api/v1/announcements", a.members("", a.announcements)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc(one+"/dismiss", a.members("write:accounts", a.dismissAnnouncement)).Methods(http.MethodPost)
	r.HandleFunc(one+"/reactions/{name}", a.members("write:favourites", a.reaction(community.ReactToAnnouncement))).Methods(http.MethodPut)
	r.HandleFunc(one+"/reactions/{name}", a.members("write:favourites", a.reaction(community.UnreactToAnnouncement))).Methods(http.MethodDelete)
}

// Announcement is Mastodon's Announcement entity.
type Announcement struct {
	ID          int64      `json:"id,string"`
	Content     string     `json:"content"`
	StartsAt    *stamp     `json:"starts_at"`
	EndsAt      *stamp     `json:"ends_at"`
	AllDay      bool       `json:"all_day"`
	PublishedAt stamp      `json:"published_at"`
	UpdatedAt   stamp      `json:"updated_at"`
	Read        bool       `json:"read"`
	Mentions    []struct{} `json:"mentions"`
	Statuses    []struct{} `json:"statuses"`
	Tags        []struct{} `json:"tags"`
	Emojis      []struct{} `json:"emojis"`
	Reactions   []Reaction `json:"reactions"`
}

// Reaction is Mastodon's Reaction entity.
type Reaction struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
	Me    bool   `json:"me"`
}

func announcement(v community.AnnouncementView) Announcement {
	none := []struct{}{}
	out := Announcement{ID: v.ID, Content: v.HTML, StartsAt: stampOrNull(v.StartsAt), EndsAt: stampOrNull(v.EndsAt), AllDay: v.AllDay,
		PublishedAt: stampOf(v.PublishedAt), UpdatedAt: stampOf(v.UpdatedAt), Read: v.Read, Mentions: none, Statuses: none, Tags: none, Emojis: none,
		Reactions: make([]Reaction, len(v.Reactions))}
	for i, r := range v.Reactions {
		out.Reactions[i] = Reaction{Name: r.Name, Count: r.Count, Me: r.Mine}
	}
	return out
}

// announcements answers GET /api/v1/announcements. Those that were put away are
// among them, marked as read.
func (a *API) announcements(c *call) (any, error) {
	out := []Announcement{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.CurrentAnnouncements(tx, c.me.ID)
		for _, v := range list {
			out = append(out, announcement(v))
		}
		return err
	})
	return out, err
}

// dismissAnnouncement answers POST /api/v1/announcements/{id}/dismiss.
func (a *API) dismissAnnouncement(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	return none, a.deed(c, func(tx *store.Tx) error { return absent(community.PutAway(tx, c.me.ID, id)) })
}

// reaction answers PUT and DELETE /api/v1/announcements/{id}/reactions/{name}.
func (a *API) reaction(deed func(tx *store.Tx, me, id int64, name string) error) endpoint {
	return func(c *call) (any, error) {
		id, err := c.idOf("id")
		if err != nil {
			return nil, err
		}
		return none, a.deed(c, func(tx *store.Tx) error {
			return absent(deed(tx, c.me.ID, id, storable(mux.Vars(c.r)["name"])))
		})
	}
}

// absent is a failure as it is told, with what is not there in the API's words.
func absent(err error) error {
	if err == nil {
		return nil
	}
	return orNotFound(err)
}
