package federation

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// jrd is what WebFinger answers.
//
// RFC 7033, section 4.4.
type jrd struct {
	Subject string    `json:"subject"`
	Aliases []string  `json:"aliases,omitempty"`
	Links   []jrdLink `json:"links"`
}

type jrdLink struct {
	Rel      string `json:"rel"`
	Type     string `json:"type,omitempty"`
	Href     string `json:"href,omitempty"`
	Template string `json:"template,omitempty"`
}

// getWebFinger answers who or what a handle or an address of ours is. Anyone
// may ask: it says no more than that there is such an actor.
//
// RFC 7033; FEP-d556 (the server itself, asked for by its address).
func (f *Federation) getWebFinger(w http.ResponseWriter, r *http.Request) {
	resource := r.URL.Query().Get("resource")
	if resource == "" {
		f.problem(w, r, problem{Status: http.StatusBadRequest, Detail: "Ask with ?resource=acct:name@" + f.site.Host})
		return
	}
	if f.namesInstance(resource) {
		f.writeJSON(w, "application/jrd+json", jrd{
			Subject: "acct:" + instanceName(f.site) + "@" + f.site.Host,
			Aliases: []string{f.site.Instance(), f.site.URL("/")},
			Links: []jrdLink{
				{Rel: "self", Type: activityJSON, Href: f.site.Instance()},
				{Rel: "https://www.w3.org/ns/activitystreams#Service", Type: activityJSON, Href: f.site.Instance()},
				{Rel: "http://webfinger.net/rel/profile-page", Type: "text/html", Href: f.site.URL("/about")},
			},
		})
		return
	}
	account, err := f.fingered(r, resource)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	actor, page := account.IRI(f.site), f.site.Profile(account.Username)
	f.writeJSON(w, "application/jrd+json", jrd{
		Subject: "acct:" + account.Username + "@" + f.site.Host,
		Aliases: []string{page, actor},
		Links: []jrdLink{
			{Rel: "self", Type: activityJSON, Href: actor},
			{Rel: "http://webfinger.net/rel/profile-page", Type: "text/html", Href: page},
			{Rel: "http://ostatus.org/schema/1.0/subscribe", Template: f.site.URL("/search?q={uri}")},
		},
	})
}

// namesInstance reports whether a resource is the server itself.
func (f *Federation) namesInstance(resource string) bool {
	switch resource {
	case f.site.Base(), f.site.Base() + "/", f.site.Instance():
		return true
	}
	return strings.EqualFold(resource, "acct:"+instanceName(f.site)+"@"+f.site.Host)
}

// fingered finds the local account that a resource names.
func (f *Federation) fingered(r *http.Request, resource string) (community.Account, error) {
	nobody := fault.New(fault.NotFound, "There is nobody of that name here.")
	name := ""
	var account community.Account
	if strings.Contains(resource, "://") {
		if ref, ok := f.site.Parse(resource); ok && ref.Kind == iri.Profile {
			name = ref.Name
		} else if !ok || ref.Kind != iri.Actor {
			return account, nobody
		}
	} else {
		user, host, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(resource, "acct:"), "@"), "@")
		if !ok || !strings.EqualFold(host, f.site.Host) || !iri.ValidName(user) {
			return account, nobody
		}
		name = user
	}
	err := f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
		if name == "" {
			account, err = community.AccountByURI(tx, resource)
		} else {
			account, err = community.AccountByHandle(tx, name, "")
		}
		if err != nil {
			return err
		}
		waits, err := community.Waits(tx, account)
		if err == nil && waits {
			err = nobody
		}
		return err
	})
	if err == nil && account.DeletedAt != nil {
		return account, fault.New(fault.Gone, "This account was deleted.")
	}
	if err == nil && account.Gone() || fault.Is(err, fault.NotFound) {
		return account, nobody
	}
	return account, err
}

// getHostMeta points old software to WebFinger.
//
// RFC 6415.
func (f *Federation) getHostMeta(w http.ResponseWriter, _ *http.Request) {
	var template strings.Builder
	_ = xml.EscapeText(&template, []byte(f.site.URL("/.well-known/webfinger?resource={uri}"))) // a Builder takes every write
	w.Header().Set("Content-Type", "application/xrd+xml; charset=utf-8")
	w.Header().Set("Access-Control-Allow-Origin", "*") // clients in browsers look here for where the API is
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>
<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0"><Link rel="lrdd" template="%s"/></XRD>
`, template.String())
}

// readWebFinger finds the actor in another server's answer.
//
// RFC 7033, section 4.4; W3C ActivityPub and WebFinger (SWICG report), section 2.1.
func readWebFinger(body []byte) (string, error) {
	var answer jrd
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("WebFinger: %w", err)
	}
	for _, link := range answer.Links {
		if link.Rel == "self" && isActivityJSON(link.Type) && webAddress(link.Href) != "" {
			return link.Href, nil
		}
	}
	return "", errors.New("WebFinger: no self link to an actor")
}

func escapeQuery(s string) string { return url.QueryEscape(s) }

// writeJSON answers with a value of our own, which always encodes.
func (f *Federation) writeJSON(w http.ResponseWriter, mediaType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		f.log.Error("answer not encoded", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Access-Control-Allow-Origin", "*") // RFC 7033, section 5
	_, _ = w.Write(body)
}
