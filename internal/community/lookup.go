package community

import "github.com/chalkring/chalkring/internal/store"

// SchoolNames returns what the servers of some accounts are called, by host;
// this server's own name is under the empty host.
func SchoolNames(tx *store.Tx, accounts map[int64]Account) (map[string]string, error) {
	hosts := make([]string, 0, len(accounts))
	for _, a := range accounts {
		hosts = append(hosts, a.Host)
	}
	return hostNames(tx, hosts)
}

// hostNames returns what hosts are called: by our administrator, else by
// themselves, else by their host name.
func hostNames(tx *store.Tx, hosts []string) (map[string]string, error) {
	names := make(map[string]string, len(hosts))
	var ask []string
	for _, host := range hosts {
		if _, ok := names[host]; !ok {
			names[host] = host
			ask = append(ask, host)
		}
	}
	if len(ask) == 0 {
		return names, nil
	}
	var rows []struct{ Host, Name, Label string }
	err := tx.Raw(`SELECT hosts.host, hosts.name, COALESCE(peers.label, '') AS label FROM hosts LEFT JOIN peers ON peers.host = hosts.host
		WHERE hosts.host IN ? UNION ALL SELECT '', site.name, site.host FROM site WHERE site.id = 1`, ask).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		switch {
		case r.Host == "" && r.Name != "":
			names[""] = r.Name
		case r.Label != "":
			names[r.Host] = r.Label
		case r.Name != "":
			names[r.Host] = r.Name
		}
	}
	return names, nil
}

// PostsByID returns those of some posts that v may see.
func PostsByID(tx *store.Tx, v Viewer, ids []int64) (map[int64]Post, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := visiblePosts(tx, v, ids)
	if err != nil {
		return nil, err
	}
	posts := make(map[int64]Post, len(found))
	for _, p := range found {
		posts[p.ID] = p
	}
	return posts, nil
}

// InHome reports whether a post stands in somebody's home list.
func InHome(tx *store.Tx, account, post int64) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM home_entries WHERE account_id = ? AND post_id = ?", account, post).Scan(&n).Error
	return n > 0, err
}

// IsFace reports whether a stored file is the picture of an account of this
// server, which everyone may see.
func IsFace(tx *store.Tx, name string) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM accounts WHERE host = '' AND suspended_at IS NULL AND deleted_at IS NULL AND (avatar = ? OR header = ?)", name, name).Scan(&n).Error
	return n > 0 && name != "", err
}
