package community

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// KeyPair is a pair of keys in PEM.
type KeyPair struct {
	Public  string // SubjectPublicKeyInfo
	Private string // PKCS #8
}

// NewKeyPair makes a pair of RSA keys of 2048 bits, which every server of the
// fediverse understands. It takes a good part of a second, so make it before the
// transaction where people wait.
//
// RFC 8017; RFC 5280, section 4.1 (public); RFC 5208 (private).
func NewKeyPair() (KeyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return KeyPair{}, fmt.Errorf("make a key pair: %w", err)
	}
	return pairOf(key, &key.PublicKey)
}

// newProofPair makes a pair of Ed25519 keys, which takes no time to speak of.
//
// RFC 8032; RFC 8410.
func newProofPair() (KeyPair, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return KeyPair{}, fmt.Errorf("make a key pair: %w", err)
	}
	return pairOf(private, public)
}

func pairOf(private, public any) (KeyPair, error) {
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return KeyPair{}, fmt.Errorf("encode private key: %w", err)
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return KeyPair{}, fmt.Errorf("encode public key: %w", err)
	}
	return KeyPair{
		Public:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: open})),
		Private: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}, nil
}

// newKeys are the rows of a new local account's keys: the given RSA pair, and an
// Ed25519 pair that is made here.
func newKeys(tx *store.Tx, accountID int64, pair KeyPair) ([]AccountKey, error) {
	proof, err := newProofPair()
	if err != nil {
		return nil, err
	}
	return []AccountKey{
		{AccountID: accountID, KeyID: tx.Site.KeyID(accountID), Algorithm: RSA, PublicKey: pair.Public, PrivateKey: pair.Private, FetchedAt: tx.Now},
		{AccountID: accountID, KeyID: tx.Site.ProofKeyID(accountID), Algorithm: Ed25519, PublicKey: proof.Public, PrivateKey: proof.Private, FetchedAt: tx.Now},
	}, nil
}

// EnsureKeys gives those local accounts an Ed25519 key that have none, since
// they were made before there were any. It is called at every start and may run
// on several nodes at once: of two keys made for one account the first stays.
func EnsureKeys(tx *store.Tx) error {
	var without []int64
	err := tx.Raw(`SELECT k.account_id FROM account_keys k JOIN users u ON u.account_id = k.account_id WHERE k.algorithm = ?
		AND NOT EXISTS (SELECT 1 FROM account_keys e WHERE e.account_id = k.account_id AND e.algorithm = ?)`, RSA, Ed25519).Scan(&without).Error
	if err != nil {
		return err
	}
	for part := range slices.Chunk(without, 100) {
		rows := make([]AccountKey, len(part))
		for i, id := range part {
			keys, err := newKeys(tx, id, KeyPair{})
			if err != nil {
				return err
			}
			rows[i] = keys[1]
		}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&rows).Error; err != nil {
			return err
		}
	}
	return nil
}

// KeyOwner is a key and whose it is.
type KeyOwner struct {
	Account
	Key AccountKey `gorm:"embedded;embeddedPrefix:key_"`
}

// KeyByKeyID returns the key with this IRI and whose it is.
func KeyByKeyID(tx *store.Tx, keyID string) (Account, AccountKey, error) {
	found, err := KeysByKeyID(tx, []string{keyID})
	if err != nil {
		return Account{}, AccountKey{}, err
	}
	owner, ok := found[keyID]
	if !ok {
		return Account{}, AccountKey{}, fault.Keyed(fault.NotFound, "account.key_none", "This key is not known here.", nil)
	}
	return owner.Account, owner.Key, nil
}

// KeysByKeyID returns those of the keys that are known, by their IRIs.
func KeysByKeyID(tx *store.Tx, keyIDs []string) (map[string]KeyOwner, error) {
	found := make(map[string]KeyOwner, len(keyIDs))
	questions := AskKeys(tx, keyIDs, found)
	if len(questions) == 0 {
		return found, nil
	}
	return found, tx.Ask(questions...)
}

// AskKeys is KeysByKeyID as questions, to be asked with others.
func AskKeys(tx *store.Tx, keyIDs []string, into map[string]KeyOwner) (questions []store.Question) {
	for part := range slices.Chunk(keyIDs, 400) {
		questions = append(questions, store.Question{
			SQL: "SELECT " + accountColumns.In(tx.Dialect()) + ", " + keyColumns.In(tx.Dialect()) + `
				FROM account_keys JOIN accounts ON accounts.id = account_keys.account_id WHERE account_keys.key_id IN ?`,
			Args: []any{part},
			Row: func(r *store.Row) {
				var o KeyOwner
				accountColumns.Read(r, &o.Account)
				keyColumns.Read(r, &o.Key)
				o.Key.PrivateKey = "" // which nobody needs who knows a key by its address
				into[o.Key.KeyID] = o
			},
		})
	}
	return questions
}

// KeysOf returns an account's keys, the latest of each kind first. Those of
// local accounts have their private halves.
func KeysOf(tx *store.Tx, accountID int64) ([]AccountKey, error) {
	var keys []AccountKey
	err := tx.Where("account_id = ? AND key_id NOT LIKE ?", accountID, "%"+retired+"%").Order("fetched_at DESC, key_id").Find(&keys).Error
	if err == nil && len(keys) == 0 {
		err = fault.Keyed(fault.NotFound, "account.key_none", "This key is not known here.", nil)
	}
	return keys, err
}

// KeyOfKind returns the first of some keys that is of a kind.
func KeyOfKind(keys []AccountKey, kind Algorithm) (AccountKey, bool) {
	for _, k := range keys {
		if k.Algorithm == kind {
			return k, true
		}
	}
	return AccountKey{}, false
}

// keepKeys takes over which keys an actor of another server says are its own.
// What its document does not name any more is its key no more.
func keepKeys(tx *store.Tx, accountID int64, keys []PublicKey) error {
	if len(keys) == 0 {
		return nil
	}
	ids, rows := make([]string, len(keys)), make([]AccountKey, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
		rows[i] = AccountKey{AccountID: accountID, KeyID: k.ID, Algorithm: k.Algorithm, PublicKey: k.PEM, FetchedAt: tx.Now}
	}
	if err := tx.Exec("DELETE FROM account_keys WHERE account_id = ? AND key_id NOT IN ?", accountID, ids).Error; err != nil {
		return err
	}
	// A key that is another's stays theirs: naming it does not make it one's own.
	theirs := clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "account_keys.account_id = excluded.account_id"}}}
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "key_id"}}, Where: theirs, UpdateAll: true}).Create(&rows).Error
}
