package federation

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// One server can show three names: that of handles, that of addresses and that
// of pictures. Which of them it has besides the one that an administrator
// wrote down is read off its own documents, and recorded with its role.

// otherNames finds under which other names a server is met. Of another name
// nothing is asked, unless both belong to one registered domain, whose owner
// speaks for all of it: then the name is asked whether it says the same.
//
// RFC 7033 (WebFinger); https://publicsuffix.org.
func (f *Federation) otherNames(ctx context.Context, host string, actor as2.Actor) []peers.Found {
	var found []peers.Found
	note := func(n peers.Found) {
		if n.Host != "" && n.Host != host && !slices.ContainsFunc(found, func(had peers.Found) bool { return had.Host == n.Host }) {
			found = append(found, n)
		}
	}
	answer := f.fingerServer(ctx, host, host, ownResources(f.site.Scheme+"://"+host+"/", actor.PreferredUsername, host)...)
	switch self := hostIn(answer.self); {
	case answer.led != "" && self == "": // to another name, of which nothing was asked
		note(peers.Found{Host: answer.led, Role: peers.RoleActor})
	case self != "" && self != host: // its actors have another name
		proven := oneDomain(host, self) && answer.subject == host
		if proven && answer.led != self { // it said so itself: does the other name, too?
			back := f.fingerServer(ctx, self, host, answer.resource)
			proven = back.self == answer.self && back.subject == host
		}
		note(peers.Found{Host: self, Role: peers.RoleActor, Proven: proven})
	case self == host && answer.subject != "" && answer.subject != host: // its handles have
		proven := false
		if oneDomain(host, answer.subject) {
			back := f.fingerServer(ctx, answer.subject, host, answer.acct)
			proven = back.self == answer.self
		}
		note(peers.Found{Host: answer.subject, Role: peers.RoleHandle, Proven: proven})
	}
	for _, address := range f.picturesOf(ctx, host, actor) {
		note(peers.Found{Host: hostIn(address), Role: peers.RoleMedia})
	}
	return found
}

// meetBehind meets a server whose written name is one of handles alone, where
// its actors are: if that is proven, or a person has confirmed it.
func (f *Federation) meetBehind(ctx context.Context, host string, met peers.Meeting, failed error) (string, peers.Meeting, error) {
	var places []string
	err := f.db.Write(ctx, func(tx *store.Tx) error {
		if err := peers.FoundNames(tx, host, met.Names, false); err != nil {
			return err
		}
		p, err := peers.Get(tx, host)
		if err != nil {
			return err
		}
		names, err := peers.NamesOf(tx, p.ID)
		places = places[:0]
		for _, n := range names {
			if n.Role == peers.RoleActor && n.ConfirmedAt != nil {
				places = append(places, n.Host)
			}
		}
		return err
	})
	if err != nil || len(places) == 0 {
		return "", met, failed
	}
	there, _, err := f.ask(ctx, places[0])
	if err != nil {
		return "", met, failed
	}
	there.Names = met.Names
	return places[0], there, nil
}

// fingered is what a server's WebFinger says of the server itself.
type fingered struct {
	resource string // that was asked for
	acct     string // the subject, acct:name@host
	subject  string // its host
	self     string // the actor
	led      string // the other name that a redirect led to
}

// ownResources are the names by which a server's own actor is asked for: its
// address, and that of Mastodon's, which is called like the host.
//
// FEP-d556.
func ownResources(base, name, host string) []string {
	if name == "" {
		name = host
	}
	return []string{"acct:" + name + "@" + host, base}
}

// fingerServer asks a host for the first of the resources that it knows. of is
// the host that was written down, whose registered domain may be asked.
func (f *Federation) fingerServer(ctx context.Context, host, of string, resources ...string) fingered {
	var a fingered
	may := func(at string) error {
		err := f.admits(at)
		if err == nil {
			return nil
		}
		a.led = at
		if d, asked := f.policyOf(at); asked != nil || d.Standing != peers.Unknown || !oneDomain(at, of) {
			return err
		}
		return nil
	}
	for _, resource := range resources {
		a = fingered{resource: resource}
		res, err := f.getWhere(ctx, f.site.Scheme+"://"+host+"/.well-known/webfinger?resource="+escapeQuery(resource), "application/jrd+json, application/json", 64<<10, may)
		if err != nil {
			if a.led != "" || ctx.Err() != nil {
				return a
			}
			continue
		}
		if a.led = hostIn(res.URL); a.led == host {
			a.led = ""
		}
		if a.self, err = readWebFinger(res.Body); err != nil {
			continue
		}
		var answer jrd
		if json.Unmarshal(res.Body, &answer) == nil && strings.HasPrefix(answer.Subject, "acct:") {
			a.acct = answer.Subject
			if _, at, ok := strings.Cut(strings.TrimPrefix(answer.Subject, "acct:"), "@"); ok {
				a.subject, _ = iri.NormaliseHost(at, iri.IsDev(f.site.Host))
			}
		}
		return a
	}
	return a
}

// picturesOf are addresses of pictures that a server shows of itself, to learn
// from where it serves files: those of its actor, or else those that the API
// which most software has says.
func (f *Federation) picturesOf(ctx context.Context, host string, actor as2.Actor) []string {
	var all []string
	for _, picture := range []*as2.Attachment{actor.Icon, actor.Image} {
		if picture != nil && webAddress(picture.URL) != "" {
			all = append(all, picture.URL)
		}
	}
	if len(all) > 0 {
		return all
	}
	res, err := f.getAtMost(ctx, f.site.Scheme+"://"+host+"/api/v2/instance", "application/json", 256<<10)
	if err != nil {
		return nil
	}
	return readInstancePictures(res.Body)
}

// readInstancePictures reads the pictures off an answer of GET /api/v2/instance.
func readInstancePictures(body []byte) (all []string) {
	var instance struct {
		Thumbnail struct {
			URL string `json:"url"`
		} `json:"thumbnail"`
		Contact struct {
			Account struct {
				Avatar string `json:"avatar"`
			} `json:"account"`
		} `json:"contact"`
	}
	if json.Unmarshal(body, &instance) != nil {
		return nil
	}
	for _, address := range []string{instance.Thumbnail.URL, instance.Contact.Account.Avatar} {
		if webAddress(address) != "" {
			all = append(all, address)
		}
	}
	return all
}

// hostIn is the host of an address, or "".
func hostIn(address string) string {
	host, err := iri.HostOf(address)
	if err != nil {
		return ""
	}
	return host
}

// oneDomain reports whether two names belong to one registered domain, which is
// not one below which anybody may register.
func oneDomain(a, b string) bool {
	x, errA := publicsuffix.EffectiveTLDPlusOne(a)
	y, errB := publicsuffix.EffectiveTLDPlusOne(b)
	return errA == nil && errB == nil && x == y
}
