package iri

import (
	"fmt"
	"strings"
)

// Handle is how people name an account: a user name and a host. An empty host
// means this server.
type Handle struct {
	Name string
	Host string
}

// String returns @name@host, or @name for this server's own.
func (h Handle) String() string {
	if h.Host == "" {
		return "@" + h.Name
	}
	return "@" + h.Name + "@" + h.Host
}

// Acct returns name@host, or name for this server's own, as WebFinger and
// Mastodon's API write it.
//
// RFC 7565.
func (h Handle) Acct() string { return h.String()[1:] }

// ParseHandle reads @name@host, name@host, acct:name@host, @name or name. The
// host comes out as NormaliseHost leaves it. Letters of the name keep their
// case; compare names without regard to it.
func ParseHandle(input string, dev bool) (Handle, error) {
	s := strings.TrimSpace(input)
	if len(s) >= 5 && strings.EqualFold(s[:5], "acct:") {
		s = s[5:]
	}
	s = strings.TrimPrefix(s, "@")
	name, host, remote := strings.Cut(s, "@")
	if !ValidName(name) || remote && strings.ContainsAny(host, "@/ ") {
		return Handle{}, fmt.Errorf("%q is not a handle. Write it like @name@school.example.", clip(input))
	}
	if !remote {
		return Handle{Name: name}, nil
	}
	host, err := NormaliseHost(host, dev)
	if err != nil {
		return Handle{}, err
	}
	return Handle{Name: name, Host: host}, nil
}

// ValidName reports whether an account somewhere can have this user name:
// letters and digits of ASCII, with _ . and - inside, as other servers use
// them. What this server lets people choose is narrower.
func ValidName(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case (c == '.' || c == '-') && i > 0 && i < len(name)-1:
		default:
			return false
		}
	}
	return true
}
