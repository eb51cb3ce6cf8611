package web

import (
	"maps"
	"slices"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// lookQuiet asks with which of the servers on a page nothing is exchanged now,
// because the connection is paused or has ended. more are servers besides those of the posts.
func (h *here) lookQuiet(tx *store.Tx, views []community.View, more ...string) error {
	var hosts []string
	add := func(host string) {
		if host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	for _, host := range more {
		add(host)
	}
	for _, v := range views {
		add(v.AuthorHost)
		if v.Boosted != nil {
			add(v.Boosted.AuthorHost)
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	var err error
	h.quiet, err = community.QuietAmong(tx, hosts)
	return err
}

// quietWords is the mark beside a server's name, or "".
func (h *here) quietWords(host string) string {
	q, ok := h.quiet[host]
	switch {
	case !ok:
		return ""
	case q.Standing == peers.Paused || q.Standing == peers.Expired:
		return h.l.T("quiet.paused")
	}
	return h.l.T("quiet.ended")
}

// quietBanner says above a page why some of what is on it can only be read.
func (h *here) quietBanner() {
	for _, host := range slices.Sorted(maps.Keys(h.quiet)) {
		key := "quiet.banner_ended"
		if s := h.quiet[host].Standing; s == peers.Paused || s == peers.Expired {
			key = "quiet.banner_paused"
		}
		h.frame.Flash = append(h.frame.Flash, Flash{Kind: "note", Words: h.l.T(key, "Host", host)})
	}
}
