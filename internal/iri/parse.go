package iri

import (
	"net/url"
	"strconv"
	"strings"
)

// Kind says what a local IRI names.
type Kind int

// What a local IRI can name.
const (
	None Kind = iota
	Actor
	Inbox
	Outbox
	Followers
	FollowersSynchronization
	Following
	Featured
	FeaturedTags
	Key
	Instance
	InstanceKey
	InstanceInbox
	InstanceOutbox
	SharedInbox
	Network
	Post
	PostReplies
	PostLikes
	PostShares
	Context
	Activity
	Follow
	Profile
	Page
	Tag
	Media
	QuoteApproval
	QuoteRequest
)

// Ref is what a local IRI names: a thing with an ID, or one with a name.
type Ref struct {
	Kind Kind
	ID   int64  // actors and what hangs on them, posts, conversations, activities, follows, pages, quotes
	Name string // Profile, Tag and Media
}

// numbered are the addresses that carry an ID, by what stands before and
// after it.
var numbered = map[[2]string]Kind{
	{"u", ""}:                           Actor,
	{"u", "/inbox"}:                     Inbox,
	{"u", "/outbox"}:                    Outbox,
	{"u", "/followers"}:                 Followers,
	{"u", "/followers_synchronization"}: FollowersSynchronization,
	{"u", "/following"}:                 Following,
	{"u", "/featured"}:                  Featured,
	{"u", "/tags"}:                      FeaturedTags,
	{"u", "#main-key"}:                  Key,
	{"o", ""}:                           Post,
	{"o", "/replies"}:                   PostReplies,
	{"o", "/likes"}:                     PostLikes,
	{"o", "/shares"}:                    PostShares,
	{"c", ""}:                           Context,
	{"a", ""}:                           Activity,
	{"f", ""}:                           Follow,
	{"posts", ""}:                       Page,
	{"q", ""}:                           QuoteApproval,
	{"o", "#quote-request"}:             QuoteRequest,
}

// single are the addresses that stand alone.
var single = map[string]Kind{
	"/actor":          Instance,
	"/actor#main-key": InstanceKey,
	"/actor/inbox":    InstanceInbox,
	"/actor/outbox":   InstanceOutbox,
	"/inbox":          SharedInbox,
	"/network":        Network,
}

// Parse is the inverse of the methods above. It is strict, since two spellings
// of one address would be two things to a peer: scheme and host must be ours
// letter for letter, an ID must be written as we write it, and neither a query
// nor a stray slash is overlooked.
func (s Site) Parse(iri string) (Ref, bool) {
	path, ok := s.path(iri)
	if !ok || path == "" || path[0] != '/' {
		return Ref{}, false
	}
	if k, ok := single[path]; ok {
		return Ref{Kind: k}, true
	}
	if name, ok := strings.CutPrefix(path, "/@"); ok {
		return named(Profile, name, false)
	}
	head, rest, ok := strings.Cut(path[1:], "/")
	if !ok {
		return Ref{}, false
	}
	switch head {
	case "tags":
		return named(Tag, rest, false)
	case "media":
		return named(Media, rest, true)
	}
	digits, tail := rest, ""
	if i := strings.IndexAny(rest, "/#?"); i >= 0 {
		digits, tail = rest[:i], rest[i:]
	}
	k, ok := numbered[[2]string{head, tail}]
	if !ok {
		return Ref{}, false
	}
	id, ok := ParseID(digits)
	return Ref{Kind: k, ID: id}, ok
}

func named(k Kind, escaped string, slashes bool) (Ref, bool) {
	name, err := url.PathUnescape(escaped)
	if err != nil || name == "" {
		return Ref{}, false
	}
	again := url.PathEscape(name)
	if slashes {
		again = escapePath(name)
	}
	if again != escaped {
		return Ref{}, false
	}
	return Ref{Kind: k, Name: name}, true
}

// ParseID reads an ID as it stands in our addresses: a positive number in
// decimal digits without sign, space or leading zero.
func ParseID(digits string) (int64, bool) {
	if digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	for i := 1; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil
}
