package federation

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// peeringRequired names the problem of a server that is not connected.
const peeringRequired = "https://w3id.org/chalkring/ns/problems#peering-required"

// classNotTaken names the problem of an activity of a class that is not taken
// from its server, and tooMany that of one more than are taken in a while.
const (
	classNotTaken = "https://w3id.org/chalkring/ns/problems#not-taken"
	tooMany       = "https://w3id.org/chalkring/ns/problems#limit"
)

// approvalRequired says of what was taken that somebody looks at it first.
//
// FEP-c180.
const approvalRequired = "https://w3id.org/fep/c180#approval-required"

// problem is what a refused server is told.
//
// RFC 9457, section 3; the extension members contact and peering are ours.
type problem struct {
	Type    string `json:"type,omitempty"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail,omitempty"`
	Contact string `json:"contact,omitempty"` // how to reach whoever decides
	Peering string `json:"peering,omitempty"` // the page that explains
}

func (f *Federation) problem(w http.ResponseWriter, r *http.Request, p problem) {
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	body, err := json.Marshal(p)
	if err != nil { // strings and a number: cannot fail
		http.Error(w, p.Title, p.Status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the sender may have gone
}

// peeringRequired tells a server that it is not connected, why that may be, and
// whom its administrator can ask.
//
// FEDERATION.md, "Who is talked to".
func (f *Federation) peeringRequired(w http.ResponseWriter, r *http.Request) {
	var site community.Site
	if err := f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
		site, err = community.SiteOf(tx)
		return err
	}); err != nil {
		f.fail(w, r, err)
		return
	}
	f.problem(w, r, problem{
		Type:    peeringRequired,
		Title:   "Not connected",
		Status:  http.StatusForbidden,
		Detail:  "This server talks only to servers that its administrators have connected with. Your administrators can ask them.",
		Contact: site.Contact,
		Peering: f.site.URL("/peering"),
	})
}

// fail ends a request that failed: with what the sender may know of it.
func (f *Federation) fail(w http.ResponseWriter, r *http.Request, err error) {
	if peers.Refused(err) {
		f.peeringRequired(w, r)
		return
	}
	p := fault.Of(err)
	if p.Kind == fault.Internal && r.Context().Err() == nil {
		f.log.ErrorContext(r.Context(), "federation request failed", "method", r.Method, "err", err)
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(p.RetryAfter/time.Second)))
	}
	f.problem(w, r, problem{Status: p.Kind.Status(), Detail: p.Error()})
}
