package community

import (
	"strconv"
	"strings"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// retired is what the address of a key ends in that has been replaced. Other
// servers never see it: to them, the old key and the new have one address.
const retired = "?retired="

// RotateKeys gives an account here new keys: the RSA pair, and an Ed25519 pair
// that is made here. Servers are told in a message signed with the old keys,
// which they can check; from then on only the new ones sign. Whoever misses the
// message asks for the key again when a signature does not fit. by is who
// decided, 0 for the command line.
//
// FEDERATION.md, "Signatures".
func RotateKeys(tx *store.Tx, by, id int64, pair KeyPair) error {
	p, err := PersonByID(tx, id)
	if err != nil {
		return err
	}
	mark := retired + strconv.FormatInt(tx.NewID(), 10)
	err = tx.Exec("UPDATE account_keys SET key_id = key_id || ?, fetched_at = ? WHERE account_id = ? AND key_id NOT LIKE ?",
		mark, tx.Now, id, "%"+retired+"%").Error
	if err != nil {
		return err
	}
	rows, err := newKeys(tx, id, pair)
	if err != nil {
		return err
	}
	if err := tx.Create(&rows).Error; err != nil {
		return err
	}
	if err := tx.Exec("UPDATE accounts SET updated_at = ? WHERE id = ?", tx.Now, id).Error; err != nil {
		return err
	}
	tx.Announce(AccountChanged, id)
	if err := enqueue(tx, Outgoing{Verb: VerbUpdateActor, ActorID: id, ObjectURI: mark, Audience: Public}); err != nil {
		return err
	}
	return record(tx, by, "person.keys", p.Handle(tx.Site.Host), "", "", "")
}

// RetiredKeysOf returns the keys that an account's message is signed with which
// tells of their successors, under the addresses that they had. They are there
// as long as it may take to deliver that; after that fault.NotFound.
func RetiredKeysOf(tx *store.Tx, accountID int64, mark string) ([]AccountKey, error) {
	var keys []AccountKey
	err := tx.Where("account_id = ? AND key_id LIKE ?", accountID, "%"+mark).Find(&keys).Error
	if err == nil && (len(keys) == 0 || !strings.HasPrefix(mark, retired)) {
		err = fault.Keyed(fault.NotFound, "account.key_none", "This key is not known here.", nil)
	}
	for i := range keys {
		keys[i].KeyID = strings.TrimSuffix(keys[i].KeyID, mark)
	}
	return keys, err
}
