package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Marker says how far somebody has read a list, whichever client they read it
// with. Version counts how often that changed.
type Marker struct {
	Timeline   string // MarkHome or MarkNotifications
	LastReadID int64
	Version    int64
	UpdatedAt  time.Time
}

// The lists that are marked.
const (
	MarkHome          = "home"
	MarkNotifications = "notifications"
)

// MarkersOf returns how far me has read each list that was ever marked. Of
// notifications it is what the pages say too: see ReadUpTo.
func MarkersOf(tx *store.Tx, me int64) (map[string]Marker, error) {
	var rows []Marker
	err := tx.Raw("SELECT timeline, last_read_id, version, updated_at FROM markers WHERE account_id = ?", me).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	found := make(map[string]Marker, len(rows))
	for _, m := range rows {
		found[m.Timeline] = m
	}
	read, err := ReadUpTo(tx, me)
	if err != nil || read == 0 {
		return found, err
	}
	m, ok := found[MarkNotifications]
	if !ok { // read before marks were counted
		m = Marker{Timeline: MarkNotifications, UpdatedAt: store.ShortIDTime(read)}
	}
	m.LastReadID = read
	found[MarkNotifications] = m
	return found, nil
}

// MarkHomeRead says how far me has read home: whatever the client says, which
// may go back to read something again.
func MarkHomeRead(tx *store.Tx, me, upTo int64) error { return setMarker(tx, me, MarkHome, upTo) }

func setMarker(tx *store.Tx, me int64, timeline string, upTo int64) error {
	return tx.Exec(`INSERT INTO markers (account_id, timeline, last_read_id, version, updated_at) VALUES (?, ?, ?, 1, ?)
		ON CONFLICT (account_id, timeline) DO UPDATE SET last_read_id = excluded.last_read_id, version = markers.version + 1, updated_at = excluded.updated_at`,
		me, timeline, upTo, tx.Now).Error
}
