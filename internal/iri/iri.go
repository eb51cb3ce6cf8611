// Package iri is the one place that knows the shape of our addresses: local
// IDs become IRIs here, and IRIs become local IDs again. It also says what
// host an IRI belongs to, and which names another server may have.
package iri

import (
	"net/url"
	"strconv"
	"strings"
)

// Site is the name under which one server's addresses are made. Host may carry
// a port, for servers that are tried out on localhost.
type Site struct {
	Host   string
	Scheme string // "https", or "http" on localhost
}

// NewSite returns the site of a host: https, unless the host is localhost (or
// below it), where plain http may be asked for.
func NewSite(host string, plain bool) Site {
	if plain && IsLocalhost(host) {
		return Site{Host: host, Scheme: "http"}
	}
	return Site{Host: host, Scheme: "https"}
}

// Base returns the site's address without a trailing slash.
func (s Site) Base() string { return s.Scheme + "://" + s.Host }

// URL returns the absolute address of a rooted path of this site.
func (s Site) URL(path string) string { return s.Base() + path }

func (s Site) id(prefix string, id int64, suffix string) string {
	var b strings.Builder
	b.Grow(len(s.Scheme) + len(s.Host) + len(prefix) + len(suffix) + 24)
	b.WriteString(s.Scheme)
	b.WriteString("://")
	b.WriteString(s.Host)
	b.WriteString(prefix)
	b.WriteString(strconv.FormatInt(id, 10))
	b.WriteString(suffix)
	return b.String()
}

// Actor returns the IRI of a local account or group.
func (s Site) Actor(id int64) string { return s.id("/u/", id, "") }

// Inbox returns the IRI of an actor's own inbox.
func (s Site) Inbox(id int64) string { return s.id("/u/", id, "/inbox") }

// Outbox returns the IRI of an actor's outbox.
func (s Site) Outbox(id int64) string { return s.id("/u/", id, "/outbox") }

// Followers returns the IRI of an actor's followers collection.
func (s Site) Followers(id int64) string { return s.id("/u/", id, "/followers") }

// FollowersSynchronization returns the IRI of an actor's followers as one
// server is told them: its own people.
//
// FEP-8fcf.
func (s Site) FollowersSynchronization(id int64) string {
	return s.id("/u/", id, "/followers_synchronization")
}

// Following returns the IRI of an actor's following collection.
func (s Site) Following(id int64) string { return s.id("/u/", id, "/following") }

// Featured returns the IRI of an actor's collection of pinned posts.
func (s Site) Featured(id int64) string { return s.id("/u/", id, "/featured") }

// FeaturedTags returns the IRI of an actor's collection of hashtags.
func (s Site) FeaturedTags(id int64) string { return s.id("/u/", id, "/tags") }

// KeyID returns the IRI of an actor's public key.
func (s Site) KeyID(id int64) string { return s.id("/u/", id, "#main-key") }

// ProofKeyID returns the IRI of an actor's other public key, of the kind
// Ed25519.
func (s Site) ProofKeyID(id int64) string { return s.id("/u/", id, "#ed25519-key") }

// Instance returns the IRI of the actor that speaks for the whole server.
func (s Site) Instance() string { return s.URL("/actor") }

// InstanceKeyID returns the IRI of the server actor's public key.
func (s Site) InstanceKeyID() string { return s.URL("/actor#main-key") }

// InstanceProofKeyID returns the IRI of the server actor's other public key.
func (s Site) InstanceProofKeyID() string { return s.URL("/actor#ed25519-key") }

// InstanceInbox returns the IRI of the server actor's own inbox.
func (s Site) InstanceInbox() string { return s.URL("/actor/inbox") }

// InstanceOutbox returns the IRI of the server actor's outbox.
func (s Site) InstanceOutbox() string { return s.URL("/actor/outbox") }

// SharedInbox returns the IRI of the inbox that all local actors share.
//
// W3C ActivityPub, section 7.1.3.
func (s Site) SharedInbox() string { return s.URL("/inbox") }

// Network returns the IRI of the audience "this network of schools".
func (s Site) Network() string { return s.URL("/network") }

// Post returns the IRI of a local post.
func (s Site) Post(id int64) string { return s.id("/o/", id, "") }

// PostReplies returns the IRI of a post's replies collection.
func (s Site) PostReplies(id int64) string { return s.id("/o/", id, "/replies") }

// PostLikes returns the IRI of a post's likes collection.
func (s Site) PostLikes(id int64) string { return s.id("/o/", id, "/likes") }

// PostShares returns the IRI of a post's shares collection.
func (s Site) PostShares(id int64) string { return s.id("/o/", id, "/shares") }

// Context returns the IRI of a conversation that began here.
//
// FEP-7888.
func (s Site) Context(id int64) string { return s.id("/c/", id, "") }

// QuoteApproval returns the IRI of the leave to quote a post of this site.
//
// FEP-044f.
func (s Site) QuoteApproval(id int64) string { return s.id("/q/", id, "") }

// QuoteRequest returns the IRI of the request for a local post to quote another.
func (s Site) QuoteRequest(post int64) string { return s.id("/o/", post, "#quote-request") }

// Activity returns the IRI of an activity that happened here.
func (s Site) Activity(id int64) string { return s.id("/a/", id, "") }

// Follow returns the IRI of a follow that was asked for here.
func (s Site) Follow(id int64) string { return s.id("/f/", id, "") }

// Profile returns the address of an account's page.
func (s Site) Profile(username string) string { return s.URL("/@" + url.PathEscape(username)) }

// Page returns the address of a post's page, for people.
func (s Site) Page(id int64) string { return s.id("/posts/", id, "") }

// Tag returns the address of a hashtag's page.
func (s Site) Tag(tag string) string { return s.URL("/tags/" + url.PathEscape(tag)) }

// Media returns the address of an uploaded file.
func (s Site) Media(name string) string { return s.URL("/media/" + escapePath(name)) }

func escapePath(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// Local reports whether the IRI is one of this site's: same scheme, same host.
func (s Site) Local(iri string) bool {
	rest, ok := s.path(iri)
	return ok && (rest == "" || rest[0] == '/' || rest[0] == '?' || rest[0] == '#')
}

// path cuts this site's scheme and host off an IRI.
func (s Site) path(iri string) (string, bool) {
	rest, ok := strings.CutPrefix(iri, s.Scheme)
	if !ok {
		return "", false
	}
	rest, ok = strings.CutPrefix(rest, "://")
	if !ok {
		return "", false
	}
	return strings.CutPrefix(rest, s.Host)
}
