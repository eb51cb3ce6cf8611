package auth

import (
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/fault"
)

// Scopes are what an app may do in somebody's name, as Mastodon's clients
// name it.
//
// RFC 6749, section 3.3.
type Scopes []string

// parts are what read and write consist of.
var parts = map[string][]string{
	"read": {"accounts", "blocks", "bookmarks", "favourites", "filters", "follows", "lists", "mutes", "notifications", "search", "statuses"},
	"write": {"accounts", "blocks", "bookmarks", "conversations", "favourites", "filters", "follows", "lists", "media", "mutes",
		"notifications", "reports", "statuses"},
	"admin:read":  {"accounts", "reports", "domain_allows", "domain_blocks", "ip_blocks", "email_domain_blocks", "canonical_email_blocks"},
	"admin:write": {"accounts", "reports", "domain_allows", "domain_blocks", "ip_blocks", "email_domain_blocks", "canonical_email_blocks"},
}

// followParts is what the old scope follow stands for.
var followParts = []string{"read:blocks", "read:follows", "read:mutes", "write:blocks", "write:follows", "write:mutes"}

// ParseScopes reads a list of scopes, separated by spaces (or + where a client
// encoded it twice). An empty list is read, as Mastodon has it.
func ParseScopes(list string) (Scopes, error) {
	var s Scopes
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == '+' }) {
		if !knownScope(name) {
			return nil, fault.Keyed(fault.Invalid, "oauth.invalid_scope", "This server does not know the scope "+name+".", map[string]any{"Scope": name})
		}
		if !slices.Contains(s, name) {
			s = append(s, name)
		}
	}
	if len(s) == 0 {
		s = Scopes{"read"}
	}
	return s, nil
}

func knownScope(name string) bool {
	switch name {
	case "read", "write", "follow", "push", "profile":
		return true
	}
	whole, part := splitScope(name)
	if part == "" { // "admin" by itself is none
		return Admin(name) && parts[name] != nil
	}
	return slices.Contains(parts[whole], part)
}

// splitScope cuts a scope into the whole and the part of it that it names:
// "read:statuses" is of read, "admin:read:accounts" of admin:read. The part of
// a whole scope is "".
func splitScope(name string) (whole, part string) {
	start := 0
	if strings.HasPrefix(name, "admin:") {
		start = len("admin:")
	}
	whole, part, _ = strings.Cut(name[start:], ":")
	return name[:start] + whole, part
}

// Admin reports whether the scope lets an app moderate or administrate, which
// only somebody who may do so themselves can give it.
func Admin(scope string) bool { return strings.HasPrefix(scope, "admin:") }

// String returns the scopes as they are sent and stored.
func (s Scopes) String() string { return strings.Join(s, " ") }

// Allow reports whether the scopes cover what is needed: one scope, whole or
// part ("write", "read:statuses").
func (s Scopes) Allow(need string) bool {
	whole, _ := splitScope(need)
	switch {
	case slices.Contains(s, need), slices.Contains(s, whole):
		return true
	case slices.Contains(followParts, need):
		return slices.Contains(s, "follow")
	case need == "follow":
		return s.allowAll(followParts)
	case need == "profile":
		return s.Allow("read:accounts")
	}
	return false
}

func (s Scopes) allowAll(needs []string) bool {
	for _, n := range needs {
		if !s.Allow(n) {
			return false
		}
	}
	return true
}

// Within reports whether everything s covers is covered by the other scopes
// too: a token may have less than its app asked for at first, never more.
func (s Scopes) Within(other Scopes) bool { return other.allowAll(s) }

// AllScopes lists every scope that a token may be given.
func AllScopes() []string {
	all := []string{"profile", "read", "write", "follow", "push"}
	for _, whole := range []string{"read", "write", "admin:read", "admin:write"} {
		if Admin(whole) {
			all = append(all, whole)
		}
		for _, part := range parts[whole] {
			all = append(all, whole+":"+part)
		}
	}
	return all
}
