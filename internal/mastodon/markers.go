package mastodon

import (
	"net/http"
	"strconv"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) markerRoutes(r *routes) {
	r.HandleFunc("/api/v1/markers", a.members("read:statuses", a.markers)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/api/v1/markers", a.members("write:statuses", a.mark)).Methods(http.MethodPost)
}

// Marker says how far a list was read.
type Marker struct {
	LastReadID int64 `json:"last_read_id,string"`
	Version    int64 `json:"version"`
	UpdatedAt  stamp `json:"updated_at"`
}

// markersOf is what is marked of the lists that were asked for.
func markersOf(tx *store.Tx, c *call, timelines []string) (map[string]Marker, error) {
	known, err := community.MarkersOf(tx, c.me.ID)
	out := map[string]Marker{}
	for _, name := range timelines {
		if m, ok := known[name]; ok {
			out[name] = Marker{LastReadID: m.LastReadID, Version: m.Version, UpdatedAt: stampOf(m.UpdatedAt)}
		}
	}
	return out, err
}

// markers answers GET /api/v1/markers.
func (a *API) markers(c *call) (any, error) {
	var out map[string]Marker
	err := a.read(c, func(tx *store.Tx) (err error) {
		out, err = markersOf(tx, c, c.list("timeline"))
		return err
	})
	return out, err
}

// mark answers POST /api/v1/markers with the marks that were set. Notifications
// are marked as on the pages, where what was read stays read.
func (a *API) mark(c *call) (any, error) {
	var out map[string]Marker
	err := a.deed(c, func(tx *store.Tx) error {
		var set []string
		for name, mark := range map[string]func(tx *store.Tx, me, upTo int64) error{
			community.MarkHome: community.MarkHomeRead, community.MarkNotifications: community.MarkRead,
		} {
			said := c.Get(name + "[last_read_id]")
			if said == "" {
				continue
			}
			upTo, err := strconv.ParseInt(said, 10, 64)
			if err != nil || upTo < 0 {
				return fault.New(fault.Invalid, "last_read_id is no number of a post or notification.")
			}
			if err := mark(tx, c.me.ID, upTo); err != nil {
				return err
			}
			set = append(set, name)
		}
		var err error
		out, err = markersOf(tx, c, set)
		return err
	})
	if fault.Is(err, fault.Conflict) {
		return nil, fault.New(fault.Conflict, "Conflict during update, please try again")
	}
	return out, err
}
