package federation

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// namesOf are the names of a peer: its role, and whether it is only proposed.
func (n *server) namesOf(host string) (all []string) {
	n.read(func(tx *store.Tx) error {
		p, err := peers.Get(tx, host)
		if err != nil {
			return err
		}
		names, err := peers.NamesOf(tx, p.ID)
		for _, one := range names {
			s := one.String()
			if one.ConfirmedAt == nil {
				s += " proposed"
			}
			all = append(all, s)
		}
		return err
	})
	slices.Sort(all)
	return all
}

// A server can have one name in handles, another in addresses and a third for
// its pictures. Whoever is connected with is met under all of them that it
// proves, and the rest waits for a person, without being asked anything.
func TestMeetingFindsOtherNames(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak := r.start("oak.localhost")
		// A server of software that has its actor under its host's name.
		make := func(host, handles string) *server {
			s := r.still(host)
			s.tap = func(w http.ResponseWriter, q *http.Request) bool {
				switch {
				case q.URL.Path == "/.well-known/nodeinfo":
					fmt.Fprintf(w, `{"links":[{"rel":"http://nodeinfo.diaspora.software/ns/schema/2.0","href":%q},{"rel":%q,"href":%q}]}`, s.site.URL("/ni"), applicationRel, s.site.URL("/actor"))
				case q.URL.Path == "/ni":
					fmt.Fprint(w, `{"software":{"name":"oldtalk","version":"1"},"metadata":{}}`)
				case q.URL.Path == "/actor":
					w.Header().Set("Content-Type", activityJSON)
					fmt.Fprintf(w, `{"@context":"https://www.w3.org/ns/activitystreams","id":%q,"type":"Application","preferredUsername":%q,"inbox":%q,
						"icon":{"type":"Image","url":"http://pictures.localhost/icon.png"}}`, s.site.URL("/actor"), handles, s.site.URL("/actor/inbox"))
				case q.URL.Path == "/.well-known/webfinger":
					fmt.Fprintf(w, `{"subject":"acct:%s@%s","links":[{"rel":"self","type":%q,"href":%q}]}`, handles, handles, activityJSON, s.site.URL("/actor"))
				default:
					w.WriteHeader(http.StatusNotFound)
				}
				return true
			}
			return s
		}
		// points is a host of handles that names an actor elsewhere.
		points := func(host string, answer func(w http.ResponseWriter, q *http.Request)) (*server, *atomic.Int64) {
			s, asked := r.still(host), new(atomic.Int64)
			s.tap = func(w http.ResponseWriter, q *http.Request) bool {
				asked.Add(1)
				if q.URL.Path != "/.well-known/webfinger" {
					w.WriteHeader(http.StatusNotFound)
					return true
				}
				answer(w, q)
				return true
			}
			return s, asked
		}
		want := func(host string, want ...string) {
			t.Helper()
			r.settle()
			if got := oak.namesOf(host); !slices.Equal(got, want) {
				t.Errorf("%s has the names %q, want %q", host, got, want)
			}
		}

		// The written name is that of addresses; handles have the domain above it.
		elm := make("social.elm.localhost", "elm.localhost")
		points("elm.localhost", func(w http.ResponseWriter, q *http.Request) {
			fmt.Fprintf(w, `{"subject":"acct:elm.localhost@elm.localhost","links":[{"rel":"self","type":%q,"href":%q}]}`, activityJSON, elm.site.URL("/actor"))
		})
		oak.allow("social.elm.localhost")
		want("social.elm.localhost", "elm.localhost (handle)", "pictures.localhost (media)", "social.elm.localhost (main)")

		// The written name is one of handles alone, which leads to its server.
		ash := make("social.ash.localhost", "ash.localhost")
		points("ash.localhost", func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, ash.site.URL("/.well-known/webfinger?")+q.URL.RawQuery, http.StatusMovedPermanently)
		})
		oak.allow("ash.localhost")
		want("ash.localhost", "ash.localhost (main)", "social.ash.localhost (actor)")
		oak.read(func(tx *store.Tx) error {
			h, err := peers.HostByName(tx, "ash.localhost")
			if h.MetAt == nil || h.Software != "oldtalk" {
				t.Errorf("ash was met as %+v", h)
			}
			return err
		})

		// Another domain is proposed, whichever way it is named, and asked nothing.
		stranger, asked := points("stranger.localhost", func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(http.StatusNotFound) })
		points("fir.localhost", func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, stranger.site.URL("/.well-known/webfinger?")+q.URL.RawQuery, http.StatusFound)
		})
		points("yew.localhost", func(w http.ResponseWriter, q *http.Request) {
			fmt.Fprintf(w, `{"subject":"acct:yew.localhost@yew.localhost","links":[{"rel":"self","type":%q,"href":%q}]}`, activityJSON, stranger.site.URL("/actor"))
		})
		oak.allow("fir.localhost")
		oak.allow("yew.localhost")
		want("fir.localhost", "fir.localhost (main)", "stranger.localhost (actor) proposed")
		want("yew.localhost", "stranger.localhost (actor) proposed", "yew.localhost (main)")
		if n := asked.Load(); n != 0 {
			t.Errorf("a stranger was asked %d times", n)
		}

		// A name of the same domain that says otherwise is only proposed.
		points("big.localhost", func(w http.ResponseWriter, q *http.Request) {
			fmt.Fprintf(w, `{"subject":"acct:big.localhost@big.localhost","links":[{"rel":"self","type":%q,"href":"http://student.big.localhost/actor"}]}`, activityJSON)
		})
		points("student.big.localhost", func(w http.ResponseWriter, q *http.Request) {
			fmt.Fprintf(w, `{"subject":"acct:x@student.big.localhost","links":[{"rel":"self","type":%q,"href":"http://student.big.localhost/actor"}]}`, activityJSON)
		})
		oak.allow("big.localhost")
		want("big.localhost", "big.localhost (main)", "student.big.localhost (actor) proposed")
	})
}

// A person's answer makes a proposed name count.
func TestConfirmedNameIsTalkedTo(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.still("oak.localhost"), r.start("social-elm.localhost")
		bo := elm.person("bo")
		oak.allow("elm.localhost")
		elm.allow("oak.localhost")
		handle := "@bo@social-elm.localhost"
		if _, err := oak.Resolve(t.Context(), handle); !peers.Refused(err) {
			t.Errorf("a name that nobody confirmed: %v", err)
		}
		oak.write(func(tx *store.Tx) error {
			return peers.AddName(tx, 0, "elm.localhost", "social-elm.localhost", peers.RoleActor)
		})
		got, err := oak.Resolve(t.Context(), handle)
		if err != nil || !strings.EqualFold(got.Username, bo.Username) {
			t.Errorf("found %+v, %v", got, err)
		}
		oak.write(func(tx *store.Tx) error { return peers.RemoveName(tx, 0, "elm.localhost", "social-elm.localhost") })
		if _, err := oak.Resolve(t.Context(), handle); !peers.Refused(err) {
			t.Errorf("a name that was taken away: %v", err)
		}
	})
}
