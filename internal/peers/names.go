package peers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Name is a name under which a peer is met. One that nobody has confirmed is
// proposed, and has no effect.
type Name struct {
	Host        string `gorm:"primaryKey"`
	PeerID      int64  `gorm:"primaryKey"`
	Role        Role
	SeenAt      time.Time
	ConfirmedAt *time.Time
	DeclinedAt  *time.Time // turned down: it is not proposed again
}

// TableName names the table.
func (Name) TableName() string { return "peer_hosts" }

// mostProposed is how many names wait for a person at one peer: what a server
// says of itself must not fill a page.
const mostProposed = 20

// RolesToAdd lists the roles that a person can give a name, in the order of pages.
func RolesToAdd() []Role { return []Role{RoleActor, RoleHandle, RoleMedia, RoleFormer} }

// NamesOf returns the names of a peer: its own, the confirmed ones, and those
// that are proposed.
func NamesOf(tx *store.Tx, peer int64) ([]Name, error) {
	var names []Name
	err := tx.Where("peer_id = ? AND declined_at IS NULL", peer).
		Order("CASE WHEN role = 'main' THEN 0 ELSE 1 END, CASE WHEN confirmed_at IS NULL THEN 0 ELSE 1 END, host").Limit(500).Find(&names).Error
	return names, err
}

// ProposedAt counts the names that wait for a person, for each of the peers.
func ProposedAt(tx *store.Tx, peers []int64) (map[int64]int, error) {
	var rows []struct {
		PeerID int64
		N      int
	}
	err := tx.Raw("SELECT peer_id, COUNT(*) AS n FROM peer_hosts WHERE peer_id IN ? AND confirmed_at IS NULL AND declined_at IS NULL GROUP BY peer_id", peers).Scan(&rows).Error
	counts := make(map[int64]int, len(rows))
	for _, r := range rows {
		counts[r.PeerID] = r.N
	}
	return counts, err
}

// AddName writes down that a peer is met under a name, as a person knows it.
func AddName(tx *store.Tx, by int64, host, name string, role Role) error {
	return decideName(tx, by, host, name, role, "peer.name_add")
}

// ConfirmName gives a proposed name its effect.
func ConfirmName(tx *store.Tx, by int64, host, name string) error {
	return decideName(tx, by, host, name, RoleNone, "peer.name_confirm")
}

func decideName(tx *store.Tx, by int64, host, name string, role Role, action string) error {
	p, name, had, err := nameOf(tx, host, name)
	if err != nil {
		return err
	}
	switch {
	case action == "peer.name_confirm" && had.Host == "":
		return fault.Keyed(fault.NotFound, "peers.no_name", "This name is not among the names of this server.", map[string]any{"Host": name})
	case action == "peer.name_confirm" && had.ConfirmedAt != nil:
		return nil
	case action == "peer.name_confirm":
		role = had.Role
	case !slices.Contains(RolesToAdd(), role):
		return fault.Invalidf("role", "Choose what the name is for: actor, handle, media or former.").WithKey("peers.role_invalid", nil)
	case had.Role == RoleMain:
		return fault.Invalidf("name", "This is the server's own name.").WithKey("peers.name_main", map[string]any{"Host": name})
	}
	if why, err := nameTaken(tx, p, name, role); err != nil {
		return err
	} else if why != nil {
		return why
	}
	before := ""
	if had.ConfirmedAt != nil {
		before = string(had.Role) + " " + name
	}
	if err := confirm(tx, p.ID, name, role); err != nil {
		return err
	}
	if err := Seen(tx, name); err != nil {
		return err
	}
	tx.AnnounceKey(Changed, name)
	return Record(tx, Line{ActorID: actor(by), Action: action, Subject: p.Host, Before: before, After: string(role) + " " + name})
}

// RemoveName takes a name from a peer: what is exchanged under it ends, and it
// is not proposed again.
func RemoveName(tx *store.Tx, by int64, host, name string) error {
	p, name, had, err := nameOf(tx, host, name)
	switch {
	case err != nil:
		return err
	case had.Host == "" || had.DeclinedAt != nil:
		return fault.Keyed(fault.NotFound, "peers.no_name", "This name is not among the names of this server.", map[string]any{"Host": name})
	case had.Role == RoleMain:
		return fault.Invalidf("name", "This is the server's own name.").WithKey("peers.name_main", map[string]any{"Host": name})
	}
	if err := tx.Exec("UPDATE peer_hosts SET confirmed_at = NULL, declined_at = ? WHERE host = ? AND peer_id = ?", tx.Now, name, p.ID).Error; err != nil {
		return err
	}
	tx.AnnounceKey(Changed, name)
	action := "peer.name_remove"
	if had.ConfirmedAt == nil {
		action = "peer.name_decline"
	}
	return Record(tx, Line{ActorID: actor(by), Action: action, Subject: p.Host, Before: string(had.Role) + " " + name})
}

// Propose writes down a name under which a peer seems to be met, for a person to
// confirm. What is known, was turned down or cannot be is left as it is.
func Propose(tx *store.Tx, peer int64, name string, role Role) error {
	return noteName(tx, peer, name, role, false)
}

// noteName is Propose, which with proven set gives the name its effect at once,
// unless a person has turned it down.
func noteName(tx *store.Tx, peer int64, name string, role Role, proven bool) error {
	var p Peer
	if err := tx.Where("id = ?", peer).Take(&p).Error; err != nil {
		return err
	}
	_, name, had, err := nameOf(tx, p.Host, name)
	if fault.Is(err, fault.Invalid) || err == nil && had.Role == RoleMain {
		return nil
	} else if err != nil {
		return err
	}
	if had.Host != "" {
		if had.DeclinedAt != nil || had.ConfirmedAt != nil || !proven || had.Role != role {
			return nil
		}
	} else {
		var n int
		if err := tx.Raw("SELECT COUNT(*) FROM peer_hosts WHERE peer_id = ? AND confirmed_at IS NULL", peer).Scan(&n).Error; err != nil || n >= mostProposed && !proven {
			return err
		}
	}
	if why, err := nameTaken(tx, p, name, role); err != nil || why != nil {
		return err
	}
	if !proven {
		return tx.Create(&Name{Host: name, PeerID: peer, Role: role, SeenAt: tx.Now}).Error
	}
	if err := confirm(tx, peer, name, role); err != nil {
		return err
	}
	if err := Seen(tx, name); err != nil {
		return err
	}
	tx.AnnounceKey(Changed, name)
	return Record(tx, Line{Action: "peer.name_confirm", Subject: p.Host, After: string(role) + " " + name})
}

// nameOf reads a peer, and what is on record for it about a name.
func nameOf(tx *store.Tx, host, name string) (p Peer, normal string, had Name, err error) {
	if normal, err = Normalise(tx, name); err != nil {
		var f *fault.Error
		if errors.As(err, &f) && len(f.Fields) == 1 {
			f.Fields[0].Name = "name"
		}
		return p, name, had, err
	}
	if p, err = Get(tx, host); err != nil {
		return p, normal, had, err
	}
	err = tx.Where("host = ? AND peer_id = ?", normal, p.ID).Take(&had).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = nil
	}
	return p, normal, had, err
}

// nameTaken says why a name cannot be one of a peer: somebody has decided about
// it already. Pictures of several peers may come from one host.
func nameTaken(tx *store.Tx, p Peer, name string, role Role) (*fault.Error, error) {
	if strings.HasSuffix(tx.Site.Host, "."+name) && role.Talks() {
		return fault.Invalidf("name", "This name is above this server's own.").WithKey("peers.name_own", map[string]any{"Host": name}), nil
	}
	var others []struct {
		Host     string
		Standing Standing
		Role     Role
		Subtree  bool
	}
	err := tx.Raw(`SELECT p.host, p.standing, h.role, p.subtree FROM peer_hosts h JOIN peers p ON p.id = h.peer_id
		WHERE h.host IN ? AND h.confirmed_at IS NOT NULL AND p.id <> ?`, withParents(name), p.ID).Scan(&others).Error
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		own := o.Host == name
		switch {
		case o.Standing == Blocked && o.Role == RoleMain:
			return fault.Invalidf("name", "%s is blocked.", o.Host).WithKey("peers.name_blocked", map[string]any{"Host": o.Host}), nil
		case own && o.Role == RoleMain:
			return fault.Invalidf("name", "%s has an entry of its own.", name).WithKey("peers.name_taken", map[string]any{"Host": name, "Other": o.Host}), nil
		}
	}
	if !role.Talks() {
		return nil, nil
	}
	var by []string
	err = tx.Raw(`SELECT p.host FROM peer_hosts h JOIN peers p ON p.id = h.peer_id
		WHERE h.host = ? AND h.confirmed_at IS NOT NULL AND p.id <> ? AND h.role IN ('actor', 'handle') LIMIT 1`, name, p.ID).Scan(&by).Error
	if err != nil || len(by) == 0 {
		return nil, err
	}
	return fault.Invalidf("name", "%s is a name of %s already.", name, by[0]).WithKey("peers.name_taken", map[string]any{"Host": name, "Other": by[0]}), nil
}

// KnownBelow lists servers that are known below a name, up to limit, and how
// many there are: what an entry for the whole subtree would cover.
func KnownBelow(tx *store.Tx, host string, limit int) (names []string, all int, err error) {
	under := "%." + host
	if err = tx.Raw("SELECT COUNT(*) FROM hosts WHERE host LIKE ?", under).Scan(&all).Error; err != nil || all == 0 {
		return nil, all, err
	}
	err = tx.Raw("SELECT host FROM hosts WHERE host LIKE ? ORDER BY host LIMIT ?", under, limit).Scan(&names).Error
	return names, all, err
}

// String is the name with what it is for.
func (n Name) String() string { return fmt.Sprintf("%s (%s)", n.Host, n.Role) }
