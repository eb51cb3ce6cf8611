package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// FollowState says how far a follow has come.
type FollowState string

// A follow is asked for and then accepted. A rejected or ended one has no row.
const (
	FollowNone      FollowState = ""
	FollowRequested FollowState = "requested"
	FollowAccepted  FollowState = "accepted"
)

// FollowRow is one account's following of another.
type FollowRow struct {
	ID            int64
	FollowerID    int64
	TargetID      int64
	FollowerLocal bool
	State         FollowState
	URI           string `gorm:"column:uri"` // of the Follow activity, if it came from another server
	CreatedAt     time.Time

	FollowOptions
}

// TableName names the table of follows.
func (FollowRow) TableName() string { return "follows" }

// IRI is the address of the Follow activity.
func (f FollowRow) IRI(site iri.Site) string {
	if f.FollowerLocal {
		return site.Follow(f.ID)
	}
	return f.URI
}

// Listed is an account in a list that is paged by something else than the
// account: the follow, the block, the mute.
type Listed struct {
	Account
	Cursor int64 // for store.Page
}

// FollowBetween returns the follow of target by follower. A zero row means
// that there is none.
func FollowBetween(tx *store.Tx, follower, target int64) (FollowRow, error) {
	var f FollowRow
	err := tx.Where("follower_id = ? AND target_id = ?", follower, target).Limit(1).Find(&f).Error
	return f, err
}

// FollowByID returns a follow, or fault.NotFound.
func FollowByID(tx *store.Tx, id int64) (FollowRow, error) {
	var f FollowRow
	err := tx.Where("id = ?", id).Take(&f).Error
	return f, err
}

// FollowersOf returns a page of those who follow the account, the latest first.
func FollowersOf(tx *store.Tx, account int64, page store.Page) ([]Listed, error) {
	return follows(tx, page, "target_id", "follower_id", account, FollowAccepted)
}

// FollowingOf returns a page of those whom the account follows, the latest first.
func FollowingOf(tx *store.Tx, account int64, page store.Page) ([]Listed, error) {
	return follows(tx, page, "follower_id", "target_id", account, FollowAccepted)
}

// Requests returns a page of those who ask to follow me, the latest first.
func Requests(tx *store.Tx, me int64, page store.Page) ([]Listed, error) {
	return follows(tx, page, "target_id", "follower_id", me, FollowRequested)
}

// follows lists one end of follows by the other.
func follows(tx *store.Tx, page store.Page, by, list string, account int64, state FollowState) ([]Listed, error) {
	q := tx.Table("follows").Select("accounts.*, follows.id AS cursor").
		Joins("JOIN accounts ON accounts.id = follows."+list).
		Where("follows."+by+" = ? AND follows.state = ? AND accounts.suspended_at IS NULL AND accounts.deleted_at IS NULL", account, state)
	return store.FindOn[Listed](q, page, "follows.id")
}

// CountRequests returns how many ask to follow me, up to MostUnread.
func CountRequests(tx *store.Tx, me int64) (int, error) {
	var n int
	err := tx.Raw("SELECT COUNT(*) FROM (SELECT 1 AS one FROM follows WHERE target_id = ? AND state = 'requested' LIMIT ?) AS asked", me, MostUnread).Scan(&n).Error
	return n, err
}

// Relation is what ties a person here to an account, both ways.
type Relation struct {
	AccountID           int64
	Following           FollowState // me follows the account
	FollowedBy          FollowState // the account follows me
	Blocking            bool
	BlockedBy           bool
	Muting              bool
	MutingNotifications bool
	MuteEnds            *time.Time
	HostBlocked         bool   // me shuts their server out
	Endorsed            bool   // me shows the account on their profile
	Note                string // what me noted of them

	FollowOptions // of me's following
}

// Relationship returns what ties me to each of the accounts, in their order.
func Relationship(tx *store.Tx, me int64, ids []int64) ([]Relation, error) {
	relations := make([]Relation, len(ids))
	at := make(map[int64][]*Relation, len(ids))
	for i, id := range ids {
		relations[i].AccountID = id
		at[id] = append(at[id], &relations[i])
	}
	if me == 0 || len(ids) == 0 {
		return relations, nil
	}
	var rows []FollowRow
	if err := tx.Where("follower_id = ? AND target_id IN ?", me, ids).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, f := range rows {
		for _, r := range at[f.TargetID] {
			r.Following, r.FollowOptions = f.State, f.FollowOptions
		}
	}
	rows = nil
	if err := tx.Where("follower_id IN ? AND target_id = ?", ids, me).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, f := range rows {
		for _, r := range at[f.FollowerID] {
			r.FollowedBy = f.State
		}
	}
	var blocks []BlockRow
	if err := tx.Where("account_id = ? AND target_id IN ? OR target_id = ? AND account_id IN ?", me, ids, me, ids).Find(&blocks).Error; err != nil {
		return nil, err
	}
	for _, b := range blocks {
		for _, r := range at[b.TargetID] {
			r.Blocking = r.Blocking || b.AccountID == me
		}
		for _, r := range at[b.AccountID] {
			r.BlockedBy = r.BlockedBy || b.TargetID == me
		}
	}
	var mutes []MuteRow
	if err := tx.Where("account_id = ? AND target_id IN ? AND (expires_at IS NULL OR expires_at > ?)", me, ids, tx.Now).Find(&mutes).Error; err != nil {
		return nil, err
	}
	for _, m := range mutes {
		for _, r := range at[m.TargetID] {
			r.Muting, r.MutingNotifications, r.MuteEnds = true, m.Notifications, m.ExpiresAt
		}
	}
	return relations, regardsOwn(tx, me, ids, at)
}

// Follow has me follow target: at once if target lives here and approves
// nobody by hand, and else when they accept. Asking again changes nothing.
func Follow(tx *store.Tx, me, target Account) (FollowState, error) {
	if err := mayFollow(tx, me, target); err != nil {
		return FollowNone, err
	}
	f, err := FollowBetween(tx, me.ID, target.ID)
	if err != nil || f.ID != 0 {
		return f.State, err
	}
	f = FollowRow{ID: tx.NewID(), FollowerID: me.ID, TargetID: target.ID, FollowerLocal: true, State: FollowRequested, CreatedAt: tx.Now}
	if err := tx.Create(&f).Error; err != nil {
		return FollowNone, err
	}
	if !target.Local() {
		return f.State, enqueue(tx, Outgoing{Verb: VerbFollow, ActorID: me.ID, AccountID: &target.ID, Facts: Facts{ReactionID: f.ID}})
	}
	if target.Locked {
		return f.State, notify(tx, target.ID, NotifyFollowRequest, me.ID, 0)
	}
	if err := accept(tx, &f); err != nil {
		return FollowNone, err
	}
	return f.State, notify(tx, target.ID, NotifyFollow, me.ID, 0)
}

func mayFollow(tx *store.Tx, me, target Account) error {
	switch {
	case me.ID == target.ID:
		return fault.Keyed(fault.Invalid, "follow.self", "You cannot follow yourself.", nil)
	case target.Gone():
		return noAccount()
	case target.MovedTo != "":
		return fault.Keyed(fault.Invalid, "follow.moved", "This account has moved. Follow its new one.", map[string]any{"To": target.MovedTo})
	}
	if !target.Local() {
		if err := answerable(tx, target.Host); err != nil {
			return err
		}
		d, err := peers.DecideOne(tx, target.Host)
		switch {
		case err != nil:
			return err
		case !d.Admitted:
			return peers.NotAdmitted(target.Host)
		case !d.Sends(peers.ClassFollows):
			return fault.Keyed(fault.Forbidden, "follow.class", "Your school has decided that nobody here follows people of this server.", map[string]any{"Host": target.Host})
		}
	}
	r, err := Relationship(tx, me.ID, []int64{target.ID})
	switch {
	case err != nil:
		return err
	case r[0].Blocking:
		return fault.Keyed(fault.Forbidden, "follow.blocking", "You have blocked this account. Unblock it first.", nil)
	case r[0].BlockedBy:
		return fault.Keyed(fault.Forbidden, "follow.blocked", "You cannot follow this account.", nil)
	case r[0].HostBlocked:
		return fault.Keyed(fault.Forbidden, "follow.shut_out", "You have shut this account's server out. Let it in first.", nil)
	}
	return nil
}

// Unfollow ends me's following of target, or takes back that me asked.
func Unfollow(tx *store.Tx, me, target Account) error {
	f, err := FollowBetween(tx, me.ID, target.ID)
	if err != nil || f.ID == 0 {
		return err
	}
	if err := end(tx, f); err != nil || target.Local() {
		return err
	}
	return enqueue(tx, Outgoing{Verb: VerbUndoFollow, ActorID: me.ID, AccountID: &target.ID, ObjectURI: f.IRI(tx.Site), Facts: Facts{ReactionID: f.ID}})
}

// AcceptFollow lets follower, who asked to, follow me.
func AcceptFollow(tx *store.Tx, me, follower Account) error {
	f, err := FollowBetween(tx, follower.ID, me.ID)
	if err != nil {
		return err
	}
	if f.ID == 0 {
		return fault.Keyed(fault.NotFound, "follow.no_request", "This request is not there any more.", nil)
	}
	if f.State == FollowAccepted {
		return nil
	}
	if err := accept(tx, &f); err != nil {
		return err
	}
	if err := tx.Exec("UPDATE notifications SET kind = ? WHERE account_id = ? AND from_id = ? AND kind = ?",
		NotifyFollow, me.ID, follower.ID, NotifyFollowRequest).Error; err != nil {
		return err
	}
	tx.Announce(NotificationArrived, me.ID)
	if follower.Local() {
		return nil
	}
	return enqueue(tx, answer(VerbAcceptFollow, me.ID, f))
}

// RejectFollow refuses follower, who asked to follow me.
func RejectFollow(tx *store.Tx, me, follower Account) error { return RemoveFollower(tx, me, follower) }

// RemoveFollower ends follower's following of me, or refuses that they asked
// to. Another server is told that it was rejected.
func RemoveFollower(tx *store.Tx, me, follower Account) error {
	f, err := FollowBetween(tx, follower.ID, me.ID)
	if err != nil || f.ID == 0 {
		return err
	}
	if err := end(tx, f); err != nil || follower.Local() {
		return err
	}
	return enqueue(tx, answer(VerbRejectFollow, me.ID, f))
}

// answer is what me says to another server about a follow that came from there.
func answer(verb Verb, me int64, f FollowRow) Outgoing {
	return Outgoing{Verb: verb, ActorID: me, AccountID: &f.FollowerID, ObjectURI: f.URI, Facts: Facts{ReactionID: f.ID}}
}

// ReceiveFollow takes in that from, of another server, asks to follow to. A
// server that asks again did not get the answer, so it is given again.
//
// W3C ActivityPub, section 7.5.
func ReceiveFollow(tx *store.Tx, from, to Account, uri string) error {
	if !to.Local() || to.Gone() || from.Gone() {
		return noAccount()
	}
	r, err := Relationship(tx, to.ID, []int64{from.ID})
	if err != nil {
		return err
	}
	f, err := FollowBetween(tx, from.ID, to.ID)
	if err != nil {
		return err
	}
	if r[0].Blocking || r[0].HostBlocked || to.MovedTo != "" {
		return enqueue(tx, answer(VerbRejectFollow, to.ID, FollowRow{FollowerID: from.ID, URI: uri}))
	}
	if f.ID != 0 {
		if f.URI != uri {
			f.URI = uri
			if err := tx.Exec("UPDATE follows SET uri = ? WHERE id = ?", uri, f.ID).Error; err != nil {
				return err
			}
		}
		if f.State == FollowRequested {
			return nil
		}
		return enqueue(tx, answer(VerbAcceptFollow, to.ID, f))
	}
	f = FollowRow{ID: tx.NewID(), FollowerID: from.ID, TargetID: to.ID, State: FollowRequested, URI: uri, CreatedAt: tx.Now}
	if err := tx.Create(&f).Error; err != nil {
		return err
	}
	back, err := cameBack(tx, from.ID, to.ID)
	if err != nil {
		return err
	}
	if to.Locked && !back {
		return notify(tx, to.ID, NotifyFollowRequest, from.ID, 0)
	}
	if err := accept(tx, &f); err != nil {
		return err
	}
	if err := notify(tx, to.ID, NotifyFollow, from.ID, 0); err != nil {
		return err
	}
	return enqueue(tx, answer(VerbAcceptFollow, to.ID, f))
}

// ReceiveAccept takes in that by, of another server, accepts a follow: the one
// with this IRI, or, since some servers name the follow by parts only, the one
// of follower. An answer to what nobody asked is ignored.
//
// W3C ActivityPub, section 7.6.
func ReceiveAccept(tx *store.Tx, by Account, uri string, follower int64) error {
	f, err := asked(tx, by, uri, follower)
	if err != nil || f.ID == 0 || f.State == FollowAccepted {
		return err
	}
	return accept(tx, &f)
}

// ReceiveReject takes in that by, of another server, refuses a follow or ends
// one that it had accepted.
//
// W3C ActivityPub, section 7.7.
func ReceiveReject(tx *store.Tx, by Account, uri string, follower int64) error {
	f, err := asked(tx, by, uri, follower)
	if err != nil || f.ID == 0 {
		return err
	}
	return end(tx, f)
}

// asked finds the follow of by, from here, that another server speaks of.
func asked(tx *store.Tx, by Account, uri string, follower int64) (FollowRow, error) {
	var f FollowRow
	if ref, ok := tx.Site.Parse(uri); ok && ref.Kind == iri.Follow {
		err := tx.Where("id = ? AND target_id = ? AND follower_local", ref.ID, by.ID).Limit(1).Find(&f).Error
		if err != nil || f.ID != 0 {
			return f, err
		}
	}
	if follower == 0 {
		return f, nil
	}
	err := tx.Where("follower_id = ? AND target_id = ? AND follower_local", follower, by.ID).Limit(1).Find(&f).Error
	return f, err
}

// ReceiveUndoFollow takes in that from, of another server, follows no more:
// the follow with this IRI, or the one of target.
//
// W3C ActivityPub, section 7.8 and 6.10.
func ReceiveUndoFollow(tx *store.Tx, from Account, uri string, target int64) error {
	var f FollowRow
	if uri != "" {
		if err := tx.Where("uri = ? AND uri <> '' AND follower_id = ?", uri, from.ID).Limit(1).Find(&f).Error; err != nil {
			return err
		}
	}
	if f.ID == 0 && target != 0 {
		var err error
		if f, err = FollowBetween(tx, from.ID, target); err != nil {
			return err
		}
	}
	if f.ID == 0 {
		return nil
	}
	return end(tx, f)
}

// accept makes a follow count: in the figures, and in the reader's home list.
func accept(tx *store.Tx, f *FollowRow) error {
	res := tx.Exec("UPDATE follows SET state = 'accepted' WHERE id = ? AND state = 'requested'", f.ID)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	f.State = FollowAccepted
	if err := countFollow(tx, *f, 1); err != nil {
		return err
	}
	tx.Announce(AccountChanged, f.TargetID)
	tx.Announce(AccountChanged, f.FollowerID)
	if !f.FollowerLocal {
		return nil
	}
	if err := homeFill(tx, f.FollowerID, f.TargetID); err != nil {
		return err
	}
	return listsFill(tx, f.FollowerID, f.TargetID)
}

// end deletes a follow with all that it brought.
func end(tx *store.Tx, f FollowRow) error {
	res := tx.Exec("DELETE FROM follows WHERE id = ?", f.ID)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	if f.State == FollowAccepted {
		if err := countFollow(tx, f, -1); err != nil {
			return err
		}
	}
	tx.Announce(AccountChanged, f.TargetID)
	tx.Announce(AccountChanged, f.FollowerID)
	if err := unnotify(tx, f.TargetID, f.FollowerID, NotifyFollow, NotifyFollowRequest); err != nil || !f.FollowerLocal {
		return err
	}
	if err := unlist(tx, f.FollowerID, f.TargetID); err != nil {
		return err
	}
	return homeDrop(tx, f.FollowerID, f.TargetID)
}

func countFollow(tx *store.Tx, f FollowRow, by int) error {
	for _, c := range []struct {
		column  string
		account int64
	}{{"followers", f.TargetID}, {"following", f.FollowerID}} {
		err := tx.Exec("INSERT INTO account_counts (account_id, "+c.column+") VALUES (?, ?) ON CONFLICT (account_id) DO UPDATE SET "+
			c.column+" = account_counts."+c.column+" + ?", c.account, max(by, 0), by).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// homeFilled is how many posts of somebody newly followed appear at home.
const homeFilled = 20

// homeFill puts the author's latest posts into the reader's home list, so that
// a new follow shows something. Replies to others stay out.
func homeFill(tx *store.Tx, reader, author int64) error {
	visible, args := visibleSQL("posts", Viewer{ID: reader, Local: true})
	return tx.Exec(`INSERT INTO home_entries (account_id, post_id)
		SELECT ?, posts.id FROM posts WHERE posts.author_id = ? AND (posts.in_reply_to_uri = '' OR posts.in_reply_to_author = posts.author_id)
		AND EXISTS (SELECT 1 FROM follows f WHERE f.follower_id = ? AND f.target_id = posts.author_id AND `+wanted("f", "posts")+`)
		AND `+outsideExclusive("?", "posts.author_id")+` AND `+visible+` ORDER BY posts.id DESC LIMIT ? ON CONFLICT DO NOTHING`,
		append(append([]any{reader, author, reader, reader}, args...), homeFilled)...).Error
}

// homeDrop takes an author out of a reader's home list, save what stands there
// for a hashtag.
func homeDrop(tx *store.Tx, reader, author int64) error {
	return tx.Exec("DELETE FROM home_entries WHERE account_id = ? AND post_id IN (SELECT id FROM posts WHERE author_id = ?) AND NOT "+keptByTag,
		reader, author, reader).Error
}
