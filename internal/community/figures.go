package community

import (
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Figures are what the administrator's overview counts.
type Figures struct {
	People  int // who may sign in
	Posts   int // written here
	Schools int // servers connected with
	Blocked int // servers refused
	Pending int // people who asked for an account
	Waiting int // messages that have not gone out
}

// FiguresOf counts what the administrator's overview shows.
func FiguresOf(tx *store.Tx) (Figures, error) {
	var f Figures
	for _, c := range []struct {
		into *int
		sql  string
	}{
		{&f.People, "SELECT COUNT(*) FROM users WHERE state = 'active'"},
		{&f.Posts, "SELECT COALESCE(SUM(account_counts.posts), 0) FROM users JOIN account_counts ON account_counts.account_id = users.account_id"},
		{&f.Blocked, "SELECT COUNT(*) FROM peers WHERE standing = 'blocked'"},
		{&f.Waiting, "SELECT COUNT(*) FROM deliveries WHERE state = 'waiting'"},
	} {
		if err := tx.Raw(c.sql).Scan(c.into).Error; err != nil {
			return f, err
		}
	}
	var err error
	if f.Schools, err = peers.CountAllowed(tx); err != nil {
		return f, err
	}
	f.Pending, err = CountPending(tx)
	return f, err
}

// DeliveryDay is what became of deliveries on one day.
type DeliveryDay struct {
	From      time.Time
	Delivered int
	Refused   int
	Expired   int
}

// DeliveryDays counts the deliveries that came to an end on each of the last
// days, the earliest first, as days are where the reader is.
func DeliveryDays(tx *store.Tx, days int, zone *time.Location) ([]DeliveryDay, error) {
	y, m, d := tx.Now.In(zone).Date()
	out := make([]DeliveryDay, days)
	for i := range out {
		from := time.Date(y, m, d-days+1+i, 0, 0, 0, 0, zone)
		out[i].From = from
		var rows []struct {
			State string
			N     int
		}
		err := tx.Raw("SELECT state, COUNT(*) AS n FROM deliveries WHERE done_at >= ? AND done_at < ? GROUP BY state",
			from.UTC(), from.AddDate(0, 0, 1).UTC()).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			switch r.State {
			case "delivered":
				out[i].Delivered = r.N
			case "refused":
				out[i].Refused = r.N
			case "expired":
				out[i].Expired = r.N
			}
		}
	}
	return out, nil
}

// Ties are what binds this server to another, counted before somebody decides
// about it.
type Ties struct {
	Accounts  int // accounts there that are known here
	Posts     int // what they wrote, as far as it is here
	Following int // people here who follow somebody there
	Followed  int // people here whom somebody there follows
	Waiting   int // messages for it that have not gone out
}

// TiesWith counts what binds this server to a host, under all the names of the
// peer that it is, and to what lies below its name if below is set, as a block does.
func TiesWith(tx *store.Tx, host string, below bool) (Ties, error) {
	var t Ties
	p, err := peers.Get(tx, host)
	if fault.Is(err, fault.NotFound) {
		p, err = peers.Peer{Host: host}, nil
	}
	if err != nil {
		return t, err
	}
	r := reach{names: []string{host}}
	if p.ID != 0 {
		if r, err = reachOf(tx, p); err != nil {
			return t, err
		}
	}
	if below {
		r.below, r.block = "%."+p.Host, true
	}
	of, args := r.on("a.host")
	for _, c := range []struct {
		into *int
		sql  string
	}{
		{&t.Accounts, "SELECT COUNT(*) FROM accounts a WHERE a.deleted_at IS NULL AND "},
		{&t.Posts, "SELECT COUNT(*) FROM posts JOIN accounts a ON a.id = posts.author_id WHERE posts.deleted_at IS NULL AND posts.boost_of_id IS NULL AND "},
		{&t.Following, "SELECT COUNT(DISTINCT f.follower_id) FROM follows f JOIN accounts a ON a.id = f.target_id WHERE f.state = 'accepted' AND f.follower_local AND "},
		{&t.Followed, "SELECT COUNT(DISTINCT f.target_id) FROM follows f JOIN accounts a ON a.id = f.follower_id WHERE f.state = 'accepted' AND "},
		{&t.Waiting, "SELECT COUNT(*) FROM deliveries a WHERE a.state = 'waiting' AND "},
	} {
		if err := tx.Raw(c.sql+of, args...).Scan(c.into).Error; err != nil {
			return t, err
		}
	}
	return t, nil
}

// FollowedWithoutEntry returns how many servers people here follow somebody at
// although nobody decided about them: closing an open server ends those ties.
func FollowedWithoutEntry(tx *store.Tx) (int, error) {
	var n int
	err := tx.Raw(`SELECT COUNT(DISTINCT a.host) FROM follows f JOIN accounts a ON a.id = f.target_id
		WHERE f.follower_local AND f.state = 'accepted' AND a.host <> ''
		AND NOT EXISTS (SELECT 1 FROM peers WHERE peers.host = a.host)`).Scan(&n).Error
	return n, err
}

// Lane is how the exchange with one server stands, in one direction.
type Lane struct {
	Queue        string // "deliveries" to the server, or "incoming" from it
	Host         string
	Name         string // what the server is called
	Waiting      int
	Failures     int
	FailingSince *time.Time
	NextAt       time.Time
	ParkedAt     *time.Time // put off to once a day, until the server shows life
	Error        string     // message catalogue key of what went wrong last
}

// mostLanes bounds the administrator's list.
const mostLanes = 500

// Lanes returns the exchanges in which something waits, those in trouble first.
func Lanes(tx *store.Tx) ([]Lane, error) {
	var list []Lane
	err := tx.Raw(`SELECT l.queue, l.host, COALESCE(NULLIF(peers.label, ''), hosts.name, '') AS name,
			CASE l.queue WHEN 'deliveries' THEN (SELECT COUNT(*) FROM deliveries d WHERE d.host = l.host AND d.state = 'waiting')
				ELSE (SELECT COUNT(*) FROM incoming i WHERE i.host = l.host AND i.state = 'waiting') END AS waiting,
			l.failures, l.failing_since, l.next_at, l.parked_at, l.error
		FROM lanes l LEFT JOIN peers ON peers.host = l.host LEFT JOIN hosts ON hosts.host = l.host
		WHERE l.waiting OR l.failing_since IS NOT NULL
		ORDER BY CASE WHEN l.failing_since IS NULL THEN 1 ELSE 0 END, l.failing_since, l.host, l.queue LIMIT ?`, mostLanes).Scan(&list).Error
	return list, err
}

// Wake lets a lane go on now instead of at its next try. by is who decided.
func Wake(tx *store.Tx, by int64, queue, host string) error {
	res := tx.Exec("UPDATE lanes SET next_at = ?, parked_at = NULL WHERE queue = ? AND host = ? AND waiting", tx.Now, queue, host)
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected == 0 {
		return fault.Keyed(fault.NotFound, "lane.none", "Nothing waits there any more.", nil)
	}
	tx.AnnounceKey(store.Topic(queue), host) // news of a queue is called as the queue
	return record(tx, by, "lane.wake", host, "", queue, "")
}

// PeopleMatching returns a page of those who sign in here and whose name, user
// name or e-mail address holds what was typed, the newest first. No state
// means all.
func PeopleMatching(tx *store.Tx, typed string, state UserState, page store.Page) ([]Person, error) {
	typed = strings.ToLower(strings.TrimSpace(typed))
	if typed == "" {
		return ListPeople(tx, state, page)
	}
	if name, host, ok := strings.Cut(strings.TrimPrefix(typed, "@"), "@"); ok && host == tx.Site.Host {
		typed = name
	}
	like := likeOf(typed)
	q := tx.Model(&User{}).Where(`account_id IN (SELECT a.id FROM accounts a JOIN users u ON u.account_id = a.id
		WHERE a.username LIKE ? ESCAPE '\' OR LOWER(a.display_name) LIKE ? ESCAPE '\' OR u.email LIKE ? ESCAPE '\')`, like, like, like)
	if state != "" {
		q = q.Where("state = ?", state)
	}
	return peopleOn(tx, q, page)
}

// likeOf is the pattern for LIKE that finds what was typed anywhere.
func likeOf(typed string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.TrimPrefix(typed, "@")) + "%"
}

// AccountsElsewhere returns a page of accounts of other servers whose handle
// or name holds what was typed; with nothing typed, those that are suspended.
func AccountsElsewhere(tx *store.Tx, typed string, page store.Page) ([]Account, error) {
	q := tx.Model(&Account{}).Where("host <> '' AND deleted_at IS NULL")
	if typed = strings.ToLower(strings.TrimSpace(typed)); typed == "" {
		q = q.Where("suspended_at IS NOT NULL")
	} else {
		like := likeOf(typed)
		q = q.Where(`(LOWER(username || '@' || host) LIKE ? ESCAPE '\' OR LOWER(display_name) LIKE ? ESCAPE '\')`, like, like)
	}
	return store.Find[Account](q, page)
}

// LastChanges returns the latest line of the log about each of the subjects
// that has one.
func LastChanges(tx *store.Tx, subjects []string) (map[string]peers.Line, error) {
	var lines []peers.Line
	err := tx.Where("id IN (?)", tx.Session(&gorm.Session{NewDB: true}).Model(&peers.Line{}).Select("MAX(id)").
		Where("subject IN ?", subjects).Group("subject")).Find(&lines).Error
	found := make(map[string]peers.Line, len(lines))
	for _, l := range lines {
		found[l.Subject] = l
	}
	return found, err
}
