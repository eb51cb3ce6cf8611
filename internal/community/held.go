package community

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// What a policy holds is no post yet: it stands in a table of its own, which no
// list, count, search, stream or fetch knows of. What a moderator lets pass goes
// back into the queue of what arrives, and lands from there as anything else.

// HeldKind is what waits.
type HeldKind string

// The kinds.
const (
	HeldPost  HeldKind = "post"
	HeldReply HeldKind = "reply" // to somebody here, or naming them
	HeldEdit  HeldKind = "edit"  // of a post that is here, and stays as it is meanwhile
	HeldBoost HeldKind = "boost" // of a post that waits itself
)

// Why something is held besides what peers.Hold says: it is about what is held.
const HeldAbout = "about"

// What became of what was held.
const (
	HeldPassed    = "passed"
	HeldDropped   = "dropped"   // a person here will not have it
	HeldExpired   = "expired"   // nobody looked in time, or too much waited
	HeldWithdrawn = "withdrawn" // its author deleted it
)

const (
	// MaxHeld is how much of one peer waits at most; the oldest goes for what comes.
	MaxHeld = 500
	// KeepHeld is how long something waits, and how long its record stays after.
	KeepHeld = 30 * 24 * time.Hour
	keptHeld = 90 * 24 * time.Hour
	// mostDecided is how many are decided with one click.
	mostDecided = MaxHeld
)

// HeldItem is something that waits until somebody here has looked at it.
type HeldItem struct {
	ID         int64
	Peer       string // the peer's main name
	Host       string // the author's
	AccountID  int64
	Kind       HeldKind
	Type       string // of the activity: Create, Update, Announce
	ActivityID string
	ObjectURI  string `gorm:"column:object_uri"` // the post; of a boost, what it passes on
	Found      bool   // it was looked up from here, and body is no activity of theirs
	Why        string // a peers.Hold, or HeldAbout
	Body       []byte
	Said       HeldSaid `gorm:"serializer:json"`
	EditedAt   *time.Time
	ReceivedAt time.Time
	Decision   string // "" while it waits
	Reason     string
	DecidedBy  *int64 // nil: the command line, or nobody
	DecidedAt  *time.Time
}

// HeldSaid is what a moderator is shown of it.
type HeldSaid struct {
	Title     string         `json:"title,omitempty"`
	Teaser    string         `json:"teaser,omitempty"` // sanitised, as HTML is
	Warning   string         `json:"warning,omitempty"`
	HTML      string         `json:"html,omitempty"`
	Language  string         `json:"language,omitempty"`
	URL       string         `json:"url,omitempty"`
	Audience  Audience       `json:"audience,omitempty"`
	Answers   string         `json:"answers,omitempty"`
	Links     []string       `json:"links,omitempty"`
	Options   []string       `json:"options,omitempty"` // of a poll
	Pictures  []HeldPicture  `json:"pictures,omitempty"`
	Files     []ExternalFile `json:"files,omitempty"`
	Published time.Time      `json:"published,omitzero"`
}

// HeldPicture is a picture of it, which nobody has fetched.
type HeldPicture struct {
	URL string `json:"url"`
	Alt string `json:"alt,omitempty"`
}

// HeldState is what is on record about a post that is, or was, held.
type HeldState struct {
	ID       int64
	Kind     HeldKind
	Decision string
	EditedAt *time.Time
}

// Waiting reports whether the post, or a change of it, waits.
func (s HeldState) Waiting() bool { return s.ID != 0 && s.Decision == "" }

// Dropped reports whether a moderator would not have the post.
func (s HeldState) Dropped() bool { return s.Decision == HeldDropped && s.Kind != HeldEdit }

// Passed reports whether a moderator let the post pass.
func (s HeldState) Passed() bool { return s.Decision == HeldPassed && s.Kind != HeldEdit }

// HeldStates returns what is on record about posts, by their addresses: what
// waits, or else what was decided last.
func HeldStates(tx *store.Tx, uris []string) (map[string]HeldState, error) {
	found := make(map[string]HeldState, len(uris))
	for part := range slices.Chunk(uris, 400) {
		err := tx.Ask(store.Question{
			SQL: `SELECT object_uri, id, kind, decision, edited_at FROM held_items WHERE object_uri IN ? AND kind <> 'boost'
				ORDER BY CASE WHEN decision = '' THEN 1 ELSE 0 END, id`,
			Args: []any{part},
			Row: func(r *store.Row) {
				uri := r.Text()
				found[uri] = HeldState{ID: r.Int(), Kind: HeldKind(r.Text()), Decision: r.Text(), EditedAt: r.TimePtr()}
			},
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// HeldAuthor is what is known of somebody whose posts may be held.
type HeldAuthor struct {
	Passes bool // a moderator lets them pass from now on
	Wrote  bool // something of theirs is here
}

// HeldAuthors returns it by account.
func HeldAuthors(tx *store.Tx, accounts []int64) (map[int64]HeldAuthor, error) {
	found := make(map[int64]HeldAuthor, len(accounts))
	for part := range slices.Chunk(accounts, 400) {
		err := tx.Ask(store.Question{
			SQL: `SELECT id, EXISTS (SELECT 1 FROM held_authors WHERE held_authors.account_id = accounts.id),
					EXISTS (SELECT 1 FROM posts WHERE posts.author_id = accounts.id AND posts.boost_of_id IS NULL)
				FROM accounts WHERE id IN ?`,
			Args: []any{part},
			Row:  func(r *store.Row) { found[r.Int()] = HeldAuthor{Passes: r.Bool(), Wrote: r.Bool()} },
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// KeepWaiting puts something on the list of what waits. What waits already is
// replaced, unless this is older.
func KeepWaiting(tx *store.Tx, h HeldItem) error {
	h.ID, h.ReceivedAt, h.Decision = tx.NewID(), tx.Now, ""
	if h.Kind == HeldBoost {
		var known int64
		err := tx.Raw("SELECT COUNT(*) FROM held_items WHERE activity_id = ? AND kind = 'boost' AND decision = ''", h.ActivityID).Scan(&known).Error
		if err != nil || known > 0 {
			return err
		}
	} else {
		had, err := HeldStates(tx, []string{h.ObjectURI})
		if err != nil {
			return err
		}
		if was := had[h.ObjectURI]; was.Waiting() {
			if was.EditedAt != nil && (h.EditedAt == nil || h.EditedAt.Before(*was.EditedAt)) {
				return nil
			}
			h.ID, h.Kind = was.ID, was.Kind
			return tx.Model(&HeldItem{}).Where("id = ? AND decision = ''", was.ID).
				Select("type", "activity_id", "found", "body", "said", "edited_at").Updates(&h).Error
		}
	}
	if err := tx.Create(&h).Error; err != nil {
		return err
	}
	if err := tx.Exec("UPDATE peers SET holding = TRUE WHERE host = ? AND NOT holding", h.Peer).Error; err != nil {
		return err
	}
	return overflow(tx, h.Peer)
}

// overflow has the oldest go of what is too much for one peer.
func overflow(tx *store.Tx, peer string) error {
	var last []int64
	err := tx.Raw("SELECT id FROM held_items WHERE peer = ? AND decision = '' ORDER BY id DESC LIMIT 1 OFFSET ?", peer, MaxHeld).Scan(&last).Error
	if err != nil || len(last) == 0 {
		return err
	}
	return tx.Exec(decideHeld+" WHERE peer = ? AND decision = '' AND id <= ?", HeldExpired, "", nil, tx.Now, []byte{}, peer, last[0]).Error
}

// decideHeld leaves the record of what was held, and nothing of what it said.
const decideHeld = "UPDATE held_items SET decision = ?, reason = ?, decided_by = ?, decided_at = ?, body = ?, said = '{}'"

// stillHolding brings the mark of peers up to date of which something was decided.
func stillHolding(tx *store.Tx, names []string) error {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) == 0 {
		return nil
	}
	return tx.Exec(`UPDATE peers SET holding = FALSE WHERE host IN ? AND holding
		AND NOT EXISTS (SELECT 1 FROM held_items WHERE held_items.peer = peers.host AND held_items.decision = '')`, names).Error
}

// WithdrawHeld takes out what waits of an author: a post and its boosts by the
// post's address, or a boost by its own. Without an address it is all of it.
func WithdrawHeld(tx *store.Tx, by Account, uri string) error {
	where, args := "account_id = ? AND decision = ''", []any{by.ID}
	if uri != "" {
		where, args = where+" AND (object_uri = ? AND kind <> 'boost' OR activity_id = ? AND kind = 'boost')", append(args, uri, uri)
	}
	var rows []HeldItem
	if err := tx.Select("id", "peer", "object_uri", "kind").Where(where, args...).Find(&rows).Error; err != nil || len(rows) == 0 {
		return err
	}
	names := make([]string, 0, len(rows))
	for _, h := range rows {
		names = append(names, h.Peer)
		var err error
		if h.Kind == HeldBoost {
			err = tx.Exec(decideHeld+" WHERE id = ?", HeldWithdrawn, "", nil, tx.Now, []byte{}, h.ID).Error
		} else {
			err = tx.Exec(decideHeld+" WHERE decision = '' AND (id = ? OR object_uri = ? AND kind = 'boost')", HeldWithdrawn, "", nil, tx.Now, []byte{}, h.ID, h.ObjectURI).Error
		}
		if err != nil {
			return err
		}
	}
	return stillHolding(tx, names)
}

// WithdrawBoost takes out what waits of an author's boosts of a post.
func WithdrawBoost(tx *store.Tx, by Account, post string) error {
	return tx.Exec(decideHeld+" WHERE account_id = ? AND object_uri = ? AND kind = 'boost' AND decision = ''", HeldWithdrawn, "", nil, tx.Now, []byte{}, by.ID, post).Error
}

// HeldFilter narrows the list of what waits.
type HeldFilter struct {
	Peer    string // main name
	Account int64
	Decided bool // what was decided instead
}

// HeldView is a held item with whose it is.
type HeldView struct {
	HeldItem
	Author  Account
	Decider *Account
	Policy  peers.Decision // what holds for its server now
}

func (f HeldFilter) scope(q *gorm.DB) *gorm.DB {
	if f.Decided {
		q = q.Where("held_items.decision <> ''")
	} else {
		q = q.Where("held_items.decision = ''")
	}
	if f.Peer != "" {
		q = q.Where("held_items.peer = ?", f.Peer)
	}
	if f.Account != 0 {
		q = q.Where("held_items.account_id = ?", f.Account)
	}
	return q
}

// Held returns a page of what waits, the latest first. Of boosts only the post
// is listed.
func Held(tx *store.Tx, f HeldFilter, page store.Page) ([]HeldView, error) {
	rows, err := store.FindOn[HeldItem](tx.Model(&HeldItem{}).Omit("body").Scopes(f.scope).Where("held_items.kind <> 'boost'"), page, "held_items.id")
	if err != nil {
		return nil, err
	}
	return heldViews(tx, rows)
}

// HeldByID returns one that waits or was decided.
func HeldByID(tx *store.Tx, id int64) (HeldView, error) {
	var h HeldItem
	if err := tx.Where("id = ?", id).Limit(1).Find(&h).Error; err != nil {
		return HeldView{}, err
	}
	if h.ID == 0 {
		return HeldView{}, fault.Keyed(fault.NotFound, "held.gone", "This does not wait any more.", nil)
	}
	views, err := heldViews(tx, []HeldItem{h})
	if err != nil {
		return HeldView{}, err
	}
	return views[0], nil
}

func heldViews(tx *store.Tx, rows []HeldItem) ([]HeldView, error) {
	var people []int64
	var hosts []string
	for _, h := range rows {
		people, hosts = append(people, h.AccountID), append(hosts, h.Host)
		if h.DecidedBy != nil {
			people = append(people, *h.DecidedBy)
		}
	}
	known, err := AccountsByID(tx, people)
	if err != nil {
		return nil, err
	}
	decided, err := peers.Decide(tx, hosts)
	if err != nil {
		return nil, err
	}
	views := make([]HeldView, len(rows))
	for i, h := range rows {
		views[i] = HeldView{HeldItem: h, Author: known[h.AccountID], Policy: decided[h.Host]}
		if h.DecidedBy != nil {
			if a, ok := known[*h.DecidedBy]; ok {
				views[i].Decider = &a
			}
		}
	}
	return views, nil
}

// HeldCount is how much of a peer waits.
type HeldCount struct {
	Peer  string
	Count int
}

// HeldCounts returns it by peer, the most first.
func HeldCounts(tx *store.Tx) ([]HeldCount, error) {
	var list []HeldCount
	err := tx.Raw(`SELECT peer, COUNT(*) AS count FROM held_items WHERE decision = '' AND kind <> 'boost'
		GROUP BY peer ORDER BY COUNT(*) DESC, peer`).Scan(&list).Error
	return list, err
}

// CountHeld is how much waits in all.
func CountHeld(tx *store.Tx) (int, error) {
	var n int
	err := tx.Raw("SELECT COUNT(*) FROM held_items WHERE decision = '' AND kind <> 'boost'").Scan(&n).Error
	return n, err
}

// mayLookAtHeld refuses whoever may not decide; by is 0 for the command line.
func mayLookAtHeld(tx *store.Tx, by int64) error {
	if by == 0 {
		return nil
	}
	role, err := roleOf(tx, by)
	if err == nil && !role.MayModerate() {
		err = fault.Keyed(fault.Forbidden, "held.moderators", "Only moderators look at what is held.", nil)
	}
	return err
}

// PassHeld lets what waits land, as if it arrived now. What does not wait any
// more is left alone, so that pressing twice does nothing twice. It returns how
// many were let pass, and fails if none may: their server is not admitted.
func PassHeld(tx *store.Tx, by int64, ids []int64, reason string) (int, error) {
	return pass(tx, by, "id IN ?", []any{ids}, "held.pass", reason)
}

// PassHeldOf is PassHeld for all that waits of a peer.
func PassHeldOf(tx *store.Tx, by int64, peer, reason string) (int, error) {
	return pass(tx, by, "peer = ? AND kind <> 'boost'", []any{peer}, "held.pass_all", reason)
}

// PassAuthor has what somebody writes not held from now on, and lets pass what
// waits of theirs.
func PassAuthor(tx *store.Tx, by, account int64, reason string) (int, error) {
	if err := mayLookAtHeld(tx, by); err != nil {
		return 0, err
	}
	a, err := AccountByID(tx, account)
	if err != nil || a.Local() {
		return 0, err
	}
	res := tx.Exec("INSERT INTO held_authors (account_id, decided_by, decided_at) VALUES (?, ?, ?) ON CONFLICT (account_id) DO NOTHING", account, whoDecides(by), tx.Now)
	if res.Error != nil {
		return 0, res.Error
	}
	if res.RowsAffected > 0 {
		if err := record(tx, by, "held.author", a.Handle(tx.Site.Host), "", "passes", reason); err != nil {
			return 0, err
		}
	}
	return pass(tx, by, "account_id = ? AND kind <> 'boost'", []any{account}, "held.pass", reason)
}

// UnpassAuthor has what somebody writes held again, where the policy says so.
func UnpassAuthor(tx *store.Tx, by, account int64, reason string) error {
	if err := mayLookAtHeld(tx, by); err != nil {
		return err
	}
	a, err := AccountByID(tx, account)
	if err != nil {
		return err
	}
	res := tx.Exec("DELETE FROM held_authors WHERE account_id = ?", account)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	return record(tx, by, "held.author", a.Handle(tx.Site.Host), "passes", "", reason)
}

func whoDecides(by int64) *int64 {
	if by == 0 {
		return nil
	}
	return &by
}

// pass finds what waits and lets it land by way of the queue of what arrives:
// a row there is worked once, whatever stops the process.
func pass(tx *store.Tx, by int64, where string, args []any, action, reason string) (int, error) {
	if err := mayLookAtHeld(tx, by); err != nil {
		return 0, err
	}
	var rows []HeldItem
	if err := tx.Where("decision = ''").Where(where, args...).Order("id").Limit(mostDecided).Find(&rows).Error; err != nil || len(rows) == 0 {
		return 0, err
	}
	var about []string
	for _, h := range rows {
		if h.Kind != HeldBoost {
			about = append(about, h.ObjectURI)
		}
	}
	var boosts []HeldItem
	if len(about) > 0 {
		err := tx.Where("decision = '' AND kind = 'boost' AND object_uri IN ?", about).Order("id").Limit(mostDecided).Find(&boosts).Error
		if err != nil {
			return 0, err
		}
	}
	rows = append(rows, boosts...)
	hosts := make([]string, len(rows))
	for i, h := range rows {
		hosts[i] = h.Host
	}
	decided, err := peers.Decide(tx, hosts)
	if err != nil {
		return 0, err
	}
	passed := 0
	var refused error
	byPeer := map[string]int{}
	var names []string
	for _, h := range rows {
		if !decided[h.Host].Admitted {
			refused = peers.NotAdmitted(h.Host)
			continue
		}
		res := tx.Exec("UPDATE held_items SET decision = ?, reason = ?, decided_by = ?, decided_at = ? WHERE id = ? AND decision = ''",
			HeldPassed, reason, whoDecides(by), tx.Now, h.ID)
		if res.Error != nil {
			return 0, res.Error
		}
		if res.RowsAffected == 0 { // somebody else was quicker
			continue
		}
		if err := arriveAgain(tx, h); err != nil {
			return 0, err
		}
		names = append(names, h.Peer)
		if h.Kind != HeldBoost {
			passed++
			byPeer[h.Peer]++
		}
	}
	if passed == 0 && refused != nil {
		return 0, refused
	}
	for _, peer := range slices.Sorted(maps.Keys(byPeer)) {
		line := peers.Line{ActorID: whoDecides(by), Action: action, Subject: peer, After: strconv.Itoa(byPeer[peer]), Reason: reason}
		if err := peers.Record(tx, line); err != nil {
			return 0, err
		}
	}
	return passed, stillHolding(tx, names)
}

// incomingStored is the news of the queue of what arrives, which belongs to the
// federation door.
const incomingStored store.Topic = "incoming"

// arriveAgain puts what was let pass where what arrives is worked.
func arriveAgain(tx *store.Tx, h HeldItem) error {
	var actor string
	if err := tx.Raw("SELECT COALESCE(uri, '') FROM accounts WHERE id = ?", h.AccountID).Scan(&actor).Error; err != nil {
		return err
	}
	held := h.ID
	if h.Found {
		held = -held // what is old by then is news for nobody: see RemotePost
	}
	err := tx.Exec(`INSERT INTO incoming (id, host, activity_id, actor_uri, type, body, received_at, unproven, digest, held) VALUES (?, ?, ?, ?, ?, ?, ?, FALSE, '', ?)
		ON CONFLICT (activity_id, digest) DO UPDATE SET id = excluded.id, type = excluded.type, body = excluded.body, received_at = excluded.received_at,
			state = 'waiting', attempts = 0, error = '', held = excluded.held`,
		tx.NewID(), h.Host, "held "+strconv.FormatInt(h.ID, 10), actor, h.Type, h.Body, tx.Now, held).Error
	if err != nil {
		return err
	}
	err = tx.Exec(`INSERT INTO lanes (queue, host, waiting, next_at, node_until) VALUES ('incoming', ?, TRUE, ?, ?)
		ON CONFLICT (queue, host) DO UPDATE SET waiting = TRUE WHERE NOT lanes.waiting`, h.Host, tx.Now, time.Unix(0, 0).UTC()).Error
	tx.AnnounceKey(incomingStored, h.Host)
	return err
}

// HeldLanded takes the words out of the records of what has landed.
func HeldLanded(tx *store.Tx, ids []int64) error {
	return tx.Exec("UPDATE held_items SET body = ?, said = '{}' WHERE id IN ? AND decision = ?", []byte{}, ids, HeldPassed).Error
}

// HeldReturns has something wait again that was let pass and could not land: its
// server was taken off in that moment.
func HeldReturns(tx *store.Tx, id int64) error {
	err := tx.Exec(`UPDATE held_items SET decision = '', reason = '', decided_by = NULL, decided_at = NULL WHERE id = ? AND decision = ?
		AND NOT EXISTS (SELECT 1 FROM held_items other WHERE other.decision = '' AND CASE WHEN held_items.kind = 'boost' THEN other.kind = 'boost' AND other.activity_id = held_items.activity_id
			ELSE other.kind <> 'boost' AND other.object_uri = held_items.object_uri END)`, id, HeldPassed).Error
	if err != nil {
		return err
	}
	return tx.Exec("UPDATE peers SET holding = TRUE WHERE host = (SELECT peer FROM held_items WHERE id = ? AND decision = '')", id).Error
}

// DropHeld will not have what waits. What was dropped does not come in by
// another way either, for as long as a deletion is remembered.
func DropHeld(tx *store.Tx, by int64, ids []int64, reason string) (int, error) {
	return drop(tx, by, "id IN ?", []any{ids}, "held.drop", reason)
}

// DropHeldOf is DropHeld for all that waits of a peer.
func DropHeldOf(tx *store.Tx, by int64, peer, reason string) (int, error) {
	return drop(tx, by, "peer = ?", []any{peer}, "held.drop_all", reason)
}

const maxHeldReason = 1000

func drop(tx *store.Tx, by int64, where string, args []any, action, reason string) (int, error) {
	if err := mayLookAtHeld(tx, by); err != nil {
		return 0, err
	}
	reason = strings.TrimSpace(reason)
	if len(reason) > maxHeldReason {
		return 0, fault.Invalidf("reason", "The reason is too long: 1000 characters at most.").WithKey("held.reason_long", nil)
	}
	var rows []HeldItem
	if err := tx.Omit("body").Where("decision = ''").Where(where, args...).Order("id").Limit(mostDecided).Find(&rows).Error; err != nil || len(rows) == 0 {
		return 0, err
	}
	byPeer := map[string]int{}
	var names []string
	for _, h := range rows {
		res := tx.Exec(decideHeld+" WHERE id = ? AND decision = ''", HeldDropped, reason, whoDecides(by), tx.Now, []byte{}, h.ID)
		if res.Error != nil {
			return 0, res.Error
		}
		if res.RowsAffected == 0 {
			continue
		}
		names = append(names, h.Peer)
		if h.Kind == HeldBoost {
			continue
		}
		byPeer[h.Peer]++
		err := tx.Exec(decideHeld+" WHERE object_uri = ? AND kind = 'boost' AND decision = ''", HeldDropped, reason, whoDecides(by), tx.Now, []byte{}, h.ObjectURI).Error
		if err == nil && h.Kind != HeldEdit {
			err = tx.Exec("INSERT INTO tombstones (uri, account_id, deleted_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", h.ObjectURI, h.AccountID, tx.Now).Error
		}
		if err != nil {
			return 0, err
		}
	}
	dropped := 0
	for _, peer := range slices.Sorted(maps.Keys(byPeer)) {
		dropped += byPeer[peer]
		line := peers.Line{ActorID: whoDecides(by), Action: action, Subject: peer, After: strconv.Itoa(byPeer[peer]), Reason: reason}
		if err := peers.Record(tx, line); err != nil {
			return 0, err
		}
	}
	return dropped, stillHolding(tx, names)
}

// dropHeldBelow drops what waits of a blocked server and those below it: nobody
// has to look at it any more.
func dropHeldBelow(tx *store.Tx, host string) error {
	return tx.Exec(decideHeld+" WHERE decision = '' AND (host = ? OR host LIKE ? OR peer = ?)",
		HeldDropped, "", nil, tx.Now, []byte{}, host, "%."+host, host).Error
}

// SweepHeld has what nobody looked at for KeepHeld expire, with its record, and
// forgets records of long ago. It reports whether there may be more.
func SweepHeld(tx *store.Tx) (more bool, err error) {
	var rows []HeldItem
	err = tx.Select("id", "peer").Where("decision = '' AND id < ?", store.FirstIDAt(tx.Now.Add(-KeepHeld))).Order("id").Limit(sweepBatch).Find(&rows).Error
	if err != nil {
		return false, err
	}
	if len(rows) > 0 {
		ids, names := make([]int64, len(rows)), make([]string, len(rows))
		for i, h := range rows {
			ids[i], names[i] = h.ID, h.Peer
		}
		if err := tx.Exec(decideHeld+" WHERE id IN ? AND decision = ''", HeldExpired, "", nil, tx.Now, []byte{}, ids).Error; err != nil {
			return false, err
		}
		if err := stillHolding(tx, names); err != nil {
			return false, err
		}
	}
	res := tx.Exec("DELETE FROM held_items WHERE id IN (SELECT id FROM held_items WHERE decided_at IS NOT NULL AND decided_at < ? LIMIT ?)", tx.Now.Add(-keptHeld), sweepBatch)
	return len(rows) == sweepBatch || res.RowsAffected == sweepBatch, res.Error
}

// Edits reports whether another server's word about a post that is here would
// change what it says, and not only how a poll in it stands.
func Edits(tx *store.Tx, p Post, r RemotePost) (bool, error) {
	after := p
	r.fill(&after)
	pictures, err := mediaOf(tx, p.ID)
	if err != nil {
		return false, err
	}
	return !sameRemoteMedia(pictures, media.Foreign(r.Media)) || !sameWords(p, after), nil
}

// RefuseFollow answers a follow that the policy does not take.
func RefuseFollow(tx *store.Tx, from, to Account, uri string) error {
	return enqueue(tx, answer(VerbRejectFollow, to.ID, FollowRow{FollowerID: from.ID, URI: uri}))
}

// RefuseQuote answers a wish to quote that the policy does not take.
func RefuseQuote(tx *store.Tx, from Account, quoted Post, quoteURI, requestURI string) error {
	return enqueue(tx, Outgoing{Verb: VerbRejectQuote, ActorID: quoted.AuthorID, PostID: &quoted.ID, AccountID: &from.ID, ObjectURI: requestURI,
		Facts: Facts{Instrument: quoteURI}})
}
