package community

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/chalkring/chalkring/internal/store"
)

// NoFollowers is the digest of an empty list of followers (FEP-8fcf).
const NoFollowers = "0000000000000000000000000000000000000000000000000000000000000000"

// mostDisowned is how many follows that nobody here knows of are taken back at
// once: whoever lists all our people would have us say so for each of them.
const mostDisowned = 50

// digest of followers is the exclusive or of the SHA-256 of their addresses,
// so that their order does not matter.
//
// FEP-8fcf, "Partial follower collection digest".
type digest [sha256.Size]byte

func (d *digest) add(uri string) {
	sum := sha256.Sum256([]byte(uri))
	for i := range d {
		d[i] ^= sum[i]
	}
}

func (d *digest) String() string { return hex.EncodeToString(d[:]) }

// FollowerDigests returns, for each other server, the digest of those of its
// people who follow an account here.
//
// FEP-8fcf.
func FollowerDigests(tx *store.Tx, account int64) (map[string]string, error) {
	var rows []struct{ Host, URI string }
	err := tx.Raw(`SELECT a.host, a.uri FROM follows f JOIN accounts a ON a.id = f.follower_id
		WHERE f.target_id = ? AND f.state = 'accepted' AND f.follower_local = FALSE`, account).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	sums := map[string]*digest{}
	for _, r := range rows {
		if sums[r.Host] == nil {
			sums[r.Host] = new(digest)
		}
		sums[r.Host].add(r.URI)
	}
	out := make(map[string]string, len(sums))
	for host, d := range sums {
		out[host] = d.String()
	}
	return out, nil
}

// FollowersFrom lists the addresses of those of a server's people who follow
// an account here.
func FollowersFrom(tx *store.Tx, account int64, host string) ([]string, error) {
	var uris []string
	err := tx.Raw(`SELECT a.uri FROM follows f JOIN accounts a ON a.id = f.follower_id
		WHERE f.target_id = ? AND f.state = 'accepted' AND f.follower_local = FALSE AND a.host = ? ORDER BY f.id`, account, host).Scan(&uris).Error
	return uris, err
}

// DigestHere returns the digest of those here who follow an account of another
// server, and the numbers of their follows.
func DigestHere(tx *store.Tx, account int64) (string, []int64, error) {
	var rows []FollowRow
	if err := tx.Where("target_id = ? AND follower_local AND state = ?", account, FollowAccepted).Find(&rows).Error; err != nil {
		return "", nil, err
	}
	var d digest
	ids := make([]int64, len(rows))
	for i, f := range rows {
		d.add(tx.Site.Actor(f.FollowerID))
		ids[i] = f.ID
	}
	return d.String(), ids, nil
}

// ReconcileFollowers ends what only one side believes in: a follow from here,
// among the known, of which the account's server has nothing, and a follow that it
// has of somebody here who does not follow. theirs are the accounts here that
// its server says follow, as it told after the known were looked up.
//
// FEP-8fcf, "Synchronization".
func ReconcileFollowers(tx *store.Tx, target Account, known, theirs []int64) error {
	var rows []FollowRow
	if err := tx.Where("target_id = ? AND follower_local", target.ID).Find(&rows).Error; err != nil {
		return err
	}
	following := make(map[int64]bool, len(rows))
	for _, f := range rows {
		following[f.FollowerID] = true
		if f.State != FollowAccepted || slices.Contains(theirs, f.FollowerID) || !slices.Contains(known, f.ID) {
			continue
		}
		if err := end(tx, f); err != nil {
			return err
		}
	}
	said := 0
	for _, id := range theirs {
		if following[id] || said == mostDisowned {
			continue
		}
		following[id] = true // said once, however often it stands there
		said++
		a, err := oneAccount(tx.Where("id = ? AND host = ''", id))
		if err != nil || a.DeletedAt != nil {
			continue // not an account of ours, whose word it would be
		}
		follow := tx.NewID() // the number that it had is not known any more; its two ends are named
		err = enqueue(tx, Outgoing{Verb: VerbUndoFollow, ActorID: id, AccountID: &target.ID, ObjectURI: tx.Site.Follow(follow), Facts: Facts{ReactionID: follow}})
		if err != nil {
			return err
		}
	}
	return nil
}
