package iri

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// hosts maps names to A-labels the way browsers do and refuses what cannot be
// registered.
//
// RFC 5891, section 5; UTS #46.
var hosts = idna.New(idna.MapForLookup(), idna.StrictDomainName(true), idna.BidiRule(), idna.VerifyDNSLength(true), idna.RemoveLeadingDots(false))

// HostOf returns the host an http or https IRI belongs to, as peers are
// listed: lower-case, in A-labels, with a port only if the IRI names one that
// is not the scheme's own.
func HostOf(iri string) (string, error) {
	u, err := parse(iri)
	if err != nil {
		return "", err
	}
	return authority(u)
}

// SameOrigin reports whether two IRIs share scheme, host and port, so that one
// may speak for the other. Anything that is not a clean http(s) IRI shares an
// origin with nothing, not even with itself.
//
// FEP-fe34, origin-based security model.
func SameOrigin(a, b string) bool {
	ua, err := parse(a)
	if err != nil {
		return false
	}
	ub, err := parse(b)
	if err != nil || ua.Scheme != ub.Scheme {
		return false
	}
	ha, err := authority(ua)
	if err != nil {
		return false
	}
	hb, err := authority(ub)
	return err == nil && ha == hb
}

func parse(iri string) (*url.URL, error) {
	u, err := url.Parse(iri)
	switch {
	case err != nil, !utf8.ValidString(iri): // bytes that are no text have no place in a table
		return nil, fmt.Errorf("not an address: %q", clip(iri))
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("not a web address (https://…): %q", clip(iri))
	case u.Host == "" || u.Opaque != "":
		return nil, fmt.Errorf("address without a host: %q", clip(iri))
	case u.User != nil:
		return nil, fmt.Errorf("address with a user name in it: %q", clip(iri))
	}
	return u, nil
}

func authority(u *url.URL) (string, error) {
	name, port := u.Hostname(), u.Port()
	if strings.HasSuffix(u.Host, ":") {
		return "", fmt.Errorf("empty port in %q", clip(u.Host))
	}
	if strings.Contains(name, ":") { // an IPv6 literal keeps its brackets
		addr, err := netip.ParseAddr(name)
		if err != nil || addr.Zone() != "" {
			return "", fmt.Errorf("not a host name: %q", clip(u.Host))
		}
		name = "[" + addr.String() + "]"
	} else if _, err := netip.ParseAddr(name); err != nil {
		ascii, err := label(name)
		if err != nil {
			return "", fmt.Errorf("not a host name: %q", clip(u.Host))
		}
		name = ascii
	}
	if port == "" || port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		return name, nil
	}
	if !validPort(port) {
		return "", fmt.Errorf("not a port: %q", clip(u.Host))
	}
	return name + ":" + port, nil
}

// label returns a name in lower-case A-labels. A name that ends in a dot is
// refused, since it would be a second name of the same server, and one that
// ends in a number, since some programs read an IPv4 address in it.
func label(name string) (string, error) {
	ascii, err := hosts.ToASCII(strings.ToLower(name))
	switch {
	case err != nil:
		return "", err
	case ascii == "" || strings.HasSuffix(ascii, ".") || strings.ContainsAny(ascii, ":[]") || numeric(ascii):
		return "", errNoName
	}
	return ascii, nil
}

var errNoName = errors.New("not a host name")

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// NormaliseHost returns the one form in which another server's name is stored
// and compared, from what an administrator may type: a bare name, an address
// of a page there, capitals, umlauts, a trailing dot. It refuses IP addresses,
// ports and names of a single label, none of which a school's server has; with
// dev set, localhost and names below .localhost and .test pass, with a port.
func NormaliseHost(input string, dev bool) (string, error) {
	s := strings.TrimSpace(input)
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		if !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
			return "", fmt.Errorf("%q is not a web address. Enter a name such as school.example.", clip(input))
		}
		s = rest
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 { // @name@host: people paste handles
		s = s[i+1:]
	}
	if s == "" {
		return "", fmt.Errorf("Enter the name of a server, such as school.example.")
	}
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return "", fmt.Errorf("%q is an IP address. Servers are known by name, such as school.example.", clip(input))
	}
	name, port := s, ""
	if h, p, err := net.SplitHostPort(s); err == nil {
		name, port = h, p
	}
	name = strings.TrimSuffix(name, ".")
	if numeric(strings.ToLower(name)) {
		return "", fmt.Errorf("%q is an IP address. Servers are known by name, such as school.example.", clip(input))
	}
	ascii, err := label(name)
	if err != nil {
		return "", fmt.Errorf("%q is not a server's name. Enter a name such as school.example.", clip(input))
	}
	if dev && IsDev(ascii) {
		if port == "" {
			return ascii, nil
		}
		if !validPort(port) {
			return "", fmt.Errorf("%q has no valid port.", clip(input))
		}
		return ascii + ":" + port, nil
	}
	if port != "" {
		return "", fmt.Errorf("%q carries a port. Servers are known by name alone, such as school.example.", clip(input))
	}
	if !strings.Contains(ascii, ".") {
		return "", fmt.Errorf("%q has no dot in it. Enter the whole name, such as school.example.", clip(input))
	}
	return ascii, nil
}

// numeric reports whether a name's last label is a number, which the URL
// standard reads as an IPv4 address whatever the rest looks like.
//
// WHATWG URL, "ends in a number checker".
func numeric(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last == "" {
		return false
	}
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		_, err := strconv.ParseUint("0"+hex, 16, 64)
		return err == nil
	}
	return strings.Trim(last, "0123456789") == ""
}

// IsLocalhost reports whether a host, with or without a port, is this machine
// itself: localhost or a name below it.
//
// RFC 6761, section 6.3.
func IsLocalhost(host string) bool {
	name := stripPort(host)
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// IsDev reports whether a host, with or without a port, can only be a
// developer's or a demonstration's: below localhost or .test.
//
// RFC 6761, sections 6.2 and 6.3.
func IsDev(host string) bool {
	return IsLocalhost(host) || strings.HasSuffix(stripPort(host), ".test")
}

func stripPort(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// clip shortens what someone sent, for an error message.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
