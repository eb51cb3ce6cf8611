package auth

import (
	"errors"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// A token that is given while its person is being disabled lets nobody in once
// they are, however the two cross.
func TestTokenGivenWhileItsPersonChanges(t *testing.T) {
	db := storetest.OpenURL(t, storetest.Postgres(t))
	s := school{t: t, db: db, a: New(db)}
	s.write(community.EnsureSite)
	amira := s.person("amira", community.Member)
	ctx := t.Context()
	enter := func(token string) error {
		acc, proof := s.a.Remembered(token)
		if proof == nil {
			_, err := s.a.Bearer(ctx, token)
			return err
		}
		err := db.ReadAfter(ctx, []store.Question{proof.Question}, proof.Check, func(*store.Tx) error { return nil })
		if Changed(err) {
			_, err = s.a.Bearer(ctx, token)
		}
		if err == nil && acc.Person.User.State != community.Active {
			return errors.New("remembered as disabled")
		}
		return err
	}
	disabled, given, disabling := make(chan bool), make(chan string, 1), make(chan error, 1)
	goOn := make(chan bool)
	go func() {
		disabling <- db.Write(ctx, func(tx *store.Tx) error {
			err := tx.Exec("UPDATE users SET state = 'disabled' WHERE account_id = ?", amira.ID).Error
			close(disabled)
			<-goOn
			return err
		})
	}()
	<-disabled
	go func() {
		var token string
		err := db.Write(ctx, func(tx *store.Tx) (err error) {
			token, _, err = Issue(tx, NewGrant{Account: amira.ID, Name: "script", Scopes: "read"})
			return err
		})
		if err != nil {
			t.Error(err)
		}
		given <- token
	}()
	token := ""
	for waits := int64(0); token == "" && waits == 0; {
		err := db.Ask(ctx, func(tx *store.Tx) error {
			return tx.Ask(store.Question{SQL: "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
				Row: func(r *store.Row) { waits = r.Int() }})
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case token = <-given:
			for range 2 { // at the second it is remembered
				if err := enter(token); err != nil {
					t.Fatal(err)
				}
			}
		default:
		}
	}
	close(goOn)
	if err := <-disabling; err != nil {
		t.Fatal(err)
	}
	if token == "" {
		token = <-given
	}
	for range 3 {
		if err := enter(token); err == nil {
			t.Fatal("a disabled person is let in")
		}
	}
}
