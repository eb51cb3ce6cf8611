package app

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddr returns the address a request came from. What X-Forwarded-For
// says counts only as far as trusted proxies said it: from the right, the
// first address that is no proxy of ours is the client.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap().WithZone("")
	if !within(addr, trusted) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			return addr // whoever wrote this is the last one we can name
		}
		addr = hop
		if !within(addr, trusted) {
			break
		}
	}
	return addr
}

// address is clientAddr as a text, for what is kept of whoever asks.
func (s *Server) address(r *http.Request) string {
	return clientAddr(r, s.cfg.TrustedProxies).String()
}

// network is whose a request is as a text: its address, of IPv6 the network.
func (s *Server) network(r *http.Request) string {
	return networkOf(clientAddr(r, s.cfg.TrustedProxies)).String()
}

// networkOf returns the address, or of IPv6 the network that one customer has.
//
// RFC 6177
func networkOf(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	network, _ := a.Prefix(64) // 64 fits an IPv6 address
	return network.Addr()
}

// parseHop reads one element of X-Forwarded-For: an address, perhaps with a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
