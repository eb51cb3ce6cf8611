package federation

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// holds reports whether something that a server's people wrote may have to wait,
// or waits already.
func holds(d peers.Decision) bool { return d.HoldsAny() || d.Holding }

// ruling is what becomes of a post that may have to wait.
type ruling struct {
	waits   bool
	dropped bool // somebody here would not have it
	why     string
	kind    community.HeldKind
}

// judge says whether a post of another server has to wait until somebody here
// has looked at it. here is the post as it is known, or nil.
func (b *book) judge(d peers.Decision, author community.Account, o as2.Object, p community.RemotePost, here *community.Post, toOurs bool) (ruling, error) {
	state, err := b.heldState(p.URI)
	if err != nil {
		return ruling{}, err
	}
	v := ruling{kind: community.HeldPost, why: community.HeldAbout}
	if toOurs {
		v.kind = community.HeldReply
	}
	switch {
	case state.Waiting(): // and so its newest version does, whatever the policy says by now
		v.waits, v.kind = true, state.Kind
		return v, nil
	case state.Dropped():
		v.dropped = true
		return v, nil
	case here == nil && state.Passed(), !d.HoldsAny():
		return v, nil
	}
	who, err := b.heldAuthor(author.ID)
	if err != nil || who.Passes {
		return v, err
	}
	held, why := false, d.Hold
	switch d.Hold {
	case peers.HoldAll:
		held = true
	case peers.HoldFirst:
		held = here == nil && !who.Wrote
	case peers.HoldLinks:
		held = len(linksOf(b.tx.Site, o, p)) > 0
	}
	if !held && d.HoldsMedia() && hasMedia(p) {
		held, why = true, peers.HoldMedia
	}
	if !held {
		return v, nil
	}
	if here != nil {
		if edits, err := community.Edits(b.tx, *here, p); err != nil || !edits {
			return v, err
		}
		v.kind = community.HeldEdit
	}
	v.waits, v.why = true, string(why)
	return v, nil
}

// heldState returns what is on record about a post that may be held.
func (b *book) heldState(uri string) (community.HeldState, error) {
	if s, ok := b.states[uri]; ok {
		return s, nil
	}
	found, err := community.HeldStates(b.tx, []string{uri})
	if err == nil {
		b.states[uri] = found[uri]
	}
	return found[uri], err
}

func (b *book) heldAuthor(id int64) (community.HeldAuthor, error) {
	if a, ok := b.authors[id]; ok {
		return a, nil
	}
	found, err := community.HeldAuthors(b.tx, []int64{id})
	if err == nil {
		b.authors[id] = found[id]
	}
	return found[id], err
}

// primeHeld asks at once for what is on record about the posts of a round that
// may have to wait. Of peers of whom nothing is held it asks nothing.
func (b *book) primeHeld(rows []*arrived) error {
	var uris []string
	var authors []int64
	for _, row := range rows {
		if row.decided || row.reading == nil || row.held != 0 || !holds(row.policy) {
			continue
		}
		if uri := row.reading.post.URI; !slices.Contains(uris, uri) {
			uris = append(uris, uri)
		}
		if a := b.accounts[row.ActorURI]; a != nil && !slices.Contains(authors, a.ID) {
			authors = append(authors, a.ID)
		}
	}
	if len(uris) == 0 {
		return nil
	}
	states, err := community.HeldStates(b.tx, uris)
	if err != nil {
		return err
	}
	for _, uri := range uris {
		b.states[uri] = states[uri]
	}
	known, err := community.HeldAuthors(b.tx, authors)
	if err != nil {
		return err
	}
	for _, id := range authors {
		b.authors[id] = known[id]
	}
	return nil
}

// held has an activity wait whose post has to, and reports whether it did, with
// the outcome.
func (f *Federation) held(b *book, actor community.Account, row *arrived, p community.RemotePost) (outcome string, err error) {
	if row.held != 0 || !holds(row.policy) {
		return "", nil
	}
	here, err := b.post(p.URI)
	if err != nil {
		return "", err
	}
	v, err := b.judge(row.policy, actor, row.reading.object, p, here, f.toOurs(row.reading.object))
	switch {
	case err != nil:
		return "", err
	case v.dropped:
		row.err = reason{reasonDropped, ""}
		return "refused", nil
	case !v.waits:
		return "", nil
	}
	if v.why != community.HeldAbout && b.spent(row) {
		row.err = reason{reasonPerDay, ""}
		return "refused", nil
	}
	h := heldItem(f.site, row.policy, actor, v, row.reading.object, p)
	h.Type, h.ActivityID, h.Body = row.Type, row.activity.ID, row.Body
	delete(b.states, p.URI)
	if err := narrowHeld(b, here, p); err != nil {
		return "", err
	}
	return "held", community.KeepWaiting(b.tx, h)
}

// narrowHeld is community.NarrowHeld for a post that may not be here at all.
func narrowHeld(b *book, here *community.Post, p community.RemotePost) error {
	if here == nil {
		return nil
	}
	b.turn(p.URI)
	return community.NarrowHeld(b.tx, *here, p)
}

func heldItem(site iri.Site, d peers.Decision, author community.Account, v ruling, o as2.Object, p community.RemotePost) community.HeldItem {
	h := community.HeldItem{Peer: d.Peer, Host: author.Host, AccountID: author.ID, Kind: v.kind, ObjectURI: p.URI, Why: v.why, EditedAt: p.Edited,
		Said: community.HeldSaid{Title: p.Title, Teaser: p.Teaser, Warning: p.Warning, HTML: p.HTML, Language: p.Language, URL: p.URL, Audience: p.Audience, Answers: p.InReplyToURI,
			Links: linksOf(site, o, p), Published: p.Published}}
	if h.Peer == "" {
		h.Peer = author.Host
	}
	for _, m := range p.Media {
		h.Said.Pictures = append(h.Said.Pictures, community.HeldPicture{URL: m.RemoteURL, Alt: m.Alt})
	}
	if p.Poll != nil {
		for _, option := range p.Poll.Options {
			h.Said.Options = append(h.Said.Options, option.Title)
		}
	}
	if p.Extra != nil {
		h.Said.Files = p.Extra.Files
	}
	return h
}

// heldBoost has a boost wait with the post that it passes on.
func (f *Federation) heldBoost(b *book, actor community.Account, row *arrived, address string) (outcome string, err error) {
	state, err := b.heldState(address)
	if err != nil || !state.Waiting() {
		return "unknown_object", err
	}
	h := community.HeldItem{Peer: row.policy.Peer, Host: actor.Host, AccountID: actor.ID, Kind: community.HeldBoost, Type: row.Type, ActivityID: row.activity.ID,
		ObjectURI: address, Why: community.HeldAbout, Body: row.Body}
	if h.Peer == "" {
		h.Peer = actor.Host
	}
	return "held", community.KeepWaiting(b.tx, h)
}

// withdraw takes out what waits of somebody who takes it back. It asks only
// where something may wait.
func withdraw(b *book, actor community.Account, row *arrived, uri string) error {
	if row.policy.Admitted && !holds(row.policy) {
		return nil
	}
	delete(b.states, uri)
	return community.WithdrawHeld(b.tx, actor, uri)
}

// errHeld is that a post which was looked up has to wait.
func errHeld() error {
	return fault.Keyed(fault.NotFound, "federation.held", "A moderator here looks at this before it is shown.", nil)
}

// waiting reports whether a failure is errHeld.
func waiting(err error) bool { return err != nil && fault.Of(err).Key == "federation.held" }

// admit decides about a post that was looked up as about one that was sent: a
// failure says why it does not land. What has to wait is put on the list, so
// the caller must let the transaction stand.
func (f *Federation) admit(b *book, o as2.Object, p community.RemotePost, here *community.Post) (refused, err error) {
	d, err := peers.DecideOne(b.tx, p.Author.Host)
	if err != nil {
		return nil, err
	}
	if !d.Admitted {
		return peers.NotAdmitted(p.Author.Host), nil
	}
	if class := f.classOfObject(o); !takes(d, class) {
		return notTaken(p.Author.Host, class), nil
	}
	if !holds(d) {
		return nil, nil
	}
	v, err := b.judge(d, p.Author, o, p, here, f.toOurs(o))
	switch {
	case err != nil:
		return nil, err
	case v.dropped:
		return fault.Wrap(fault.NotFound, reason{reasonDropped, ""}, "A moderator here decided not to show this.").WithKey("federation.dropped", nil), nil
	case !v.waits:
		return nil, nil
	}
	h := heldItem(f.site, d, p.Author, v, o, p)
	h.Type, h.ActivityID, h.Found = "Create", o.ID+"#held", true
	if v.kind == community.HeldEdit {
		h.Type = "Update"
	}
	if h.Body, err = json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": h.ActivityID, "type": h.Type,
		"actor": o.AttributedTo, "object": json.RawMessage(o.Raw)}); err != nil {
		return nil, err
	}
	delete(b.states, p.URI)
	if err := narrowHeld(b, here, p); err != nil {
		return nil, err
	}
	return errHeld(), community.KeepWaiting(b.tx, h)
}

// heldBack reports whether a post need not be looked up, since it waits here or
// nobody here will have it.
func (f *Federation) heldBack(ctx context.Context, address string) error {
	return f.db.Read(ctx, func(tx *store.Tx) error {
		states, err := community.HeldStates(tx, []string{address})
		if err != nil {
			return err
		}
		if s := states[address]; s.Waiting() && s.Kind != community.HeldEdit {
			return errHeld()
		}
		return nil
	})
}

// hasMedia reports whether a post has pictures, recordings or other files.
func hasMedia(p community.RemotePost) bool {
	return len(p.Media) > 0 || p.Extra != nil && len(p.Extra.Files) > 0
}

// mostLinks is how many links of a post are told to a moderator.
const mostLinks = 50

// linksOf lists the links in a post that lead elsewhere than to its own server's
// people and hashtags, and to here. A mention of somebody on a third server is
// one, since anything can be called a mention.
func linksOf(site iri.Site, o as2.Object, p community.RemotePost) []string {
	own := ""
	if u, err := url.Parse(o.ID); err == nil {
		own = u.Host
	}
	var links []string
	add := func(address string) {
		if len(links) < mostLinks && !site.Local(address) && len(address) <= maxAddress && !slices.Contains(links, address) {
			links = append(links, address)
		}
	}
	for _, part := range []string{p.Teaser, p.HTML} {
		if !strings.Contains(part, "<a ") && !strings.Contains(part, "://") {
			continue
		}
		z := html.NewTokenizer(strings.NewReader(part))
		href, words := "", ""
		inside := false
		for t := z.Next(); t != html.ErrorToken; t = z.Next() {
			switch t {
			case html.StartTagToken:
				if name, more := z.TagName(); string(name) == "a" {
					inside, href, words = true, "", ""
					for more {
						var key, value []byte
						if key, value, more = z.TagAttr(); string(key) == "href" {
							href = string(value)
						}
					}
				}
			case html.TextToken:
				said := string(z.Text())
				if inside {
					words += said
					continue
				}
				for _, word := range strings.Fields(html.UnescapeString(said)) {
					if at := strings.Index(word, "://"); at > 0 && strings.HasPrefix(word[max(0, at-5):], "http") {
						add(word)
					}
				}
			case html.EndTagToken:
				if name, _ := z.TagName(); string(name) == "a" && inside {
					inside = false
					u, err := url.Parse(href)
					names := strings.HasPrefix(strings.TrimSpace(words), "@") || strings.HasPrefix(strings.TrimSpace(words), "#")
					if href != "" && !(names && err == nil && u.Host == own) {
						add(href)
					}
				}
			}
		}
	}
	if p.Extra != nil && p.Extra.Link != "" {
		add(p.Extra.Link)
	}
	if p.Extra != nil && p.Extra.Event != nil && p.Extra.Event.Join != "" {
		add(p.Extra.Event.Join)
	}
	if p.QuoteURI != "" {
		if u, err := url.Parse(p.QuoteURI); err == nil && u.Host != own {
			add(p.QuoteURI)
		}
	}
	if words := text.Plain(p.Warning); strings.Contains(words, "://") {
		add(words)
	}
	return links
}
