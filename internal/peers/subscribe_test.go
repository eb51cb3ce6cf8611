package peers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

const listKey = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"

func write(t *testing.T, db *store.DB, fn func(tx *store.Tx) error) time.Duration {
	t.Helper()
	began := time.Now()
	if err := db.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// arrive has a list take its effect, and returns the longest time that a
// transaction of it held the database.
func arrive(t *testing.T, db *store.DB, id int64, at time.Time, entries []peers.ListEntry) (longest time.Duration) {
	t.Helper()
	var c *peers.Change
	longest = write(t, db, func(tx *store.Tx) (err error) {
		c, err = peers.ArriveList(tx, id, peers.Fetched{KeyPEM: listKey, Publisher: "https://region.example/actor", Digest: at.String(),
			File: peers.ListFile{Format: peers.FormatChalkringList, Name: "Schools", Updated: &at, Entries: entries}})
		return err
	})
	for more := c != nil; more; {
		longest = max(longest, write(t, db, func(tx *store.Tx) (err error) {
			more, err = c.Next(tx)
			return err
		}))
	}
	return longest
}

func manySchools(n int) []peers.ListEntry {
	all := make([]peers.ListEntry, n)
	for i := range all {
		all[i] = peers.ListEntry{Host: fmt.Sprintf("school%05d.example", i), Label: fmt.Sprintf("School %d", i), Tier: peers.PresetNetwork, Note: "agreed with its head"}
	}
	return all
}

// A list of 20,000 servers is proposed, decided and taken back in pieces, and
// its pages stay fast.
func TestSubscriptionOf20000Entries(t *testing.T) {
	if testing.Short() {
		t.Skip("20,000 entries take a while")
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var sub peers.Subscription
		write(t, db, func(tx *store.Tx) (err error) {
			sub, err = peers.Subscribe(tx, 0, "https://region.example/peering/lists/schools", peers.KeyPrint(listKey), peers.SubForm{})
			return err
		})
		const n = 20_000
		began, at := time.Now(), time.Now().Add(-time.Hour)
		longest := arrive(t, db, sub.ID, at, manySchools(n))
		t.Logf("%d entries became drafts in %v, the longest transaction took %v", n, time.Since(began).Round(time.Millisecond), longest.Round(time.Millisecond))
		if longest > 10*time.Second {
			t.Errorf("a transaction held the database for %v", longest)
		}
		// what a page of drafts asks
		began = time.Now()
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			page, err := peers.Drafts(tx, peers.DraftFilter{}, store.Page{Limit: 40})
			if err != nil || len(page) != 40 {
				return fmt.Errorf("%d drafts, %w", len(page), err)
			}
			if page, err = peers.Drafts(tx, peers.DraftFilter{SubID: sub.ID, Query: "school00042"}, store.Page{Limit: 40}); err != nil || len(page) != 1 {
				return fmt.Errorf("%d drafts, %w", len(page), err)
			}
			counts, err := peers.CountDrafts(tx)
			if err == nil && (len(counts) != 1 || counts[0].N != n) {
				err = fmt.Errorf("the counts are %+v", counts)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a page of drafts took %v", took)
		} else {
			t.Logf("a page of drafts took %v", took.Round(time.Millisecond))
		}
		// the same list again writes nothing
		before := db.Stats().Writes
		longest = arrive(t, db, sub.ID, at.Add(time.Minute), manySchools(n))
		t.Logf("the same list again took %v and %d writes", longest.Round(time.Millisecond), db.Stats().Writes-before)
		var drafts int64
		write(t, db, func(tx *store.Tx) error { return tx.Raw("SELECT COUNT(*) FROM list_drafts").Scan(&drafts).Error })
		if drafts != n {
			t.Errorf("%d drafts, want %d", drafts, n)
		}
		// accepted all at once, and done in pieces
		took := write(t, db, func(tx *store.Tx) error {
			done, err := peers.AcceptDrafts(tx, 0, peers.DraftFilter{Query: "school000"})
			if err == nil && done != 100 {
				err = fmt.Errorf("%d accepted", done)
			}
			return err
		})
		t.Logf("a hundred were accepted in %v", took.Round(time.Millisecond))
		for more := true; more; {
			took = max(took, write(t, db, func(tx *store.Tx) (err error) {
				more, err = peers.WorkDrafts(tx, 25, nil)
				return err
			}))
		}
		if took > 10*time.Second {
			t.Errorf("a piece of accepting took %v", took)
		}
		var allowed int64
		write(t, db, func(tx *store.Tx) error {
			return tx.Raw("SELECT COUNT(*) FROM peers WHERE standing = 'allowed' AND source = 'list'").Scan(&allowed).Error
		})
		if allowed != 100 {
			t.Errorf("%d servers are allowed, want 100", allowed)
		}
		if took := write(t, db, func(tx *store.Tx) error {
			_, err := peers.RejectDrafts(tx, 0, peers.DraftFilter{})
			return err
		}); took > 10*time.Second {
			t.Errorf("rejecting the rest took %v", took)
		}
		// an emergency among them does not wait for the rest
		entries := manySchools(n)
		entries[7].Emergency, entries[7].Reason = true, "taken over"
		for i := range 1000 {
			entries[2000+i].Tier = peers.PresetListen
		}
		var c *peers.Change
		now := at.Add(time.Hour)
		write(t, db, func(tx *store.Tx) (err error) {
			c, err = peers.ArriveList(tx, sub.ID, peers.Fetched{KeyPEM: listKey, Publisher: "https://region.example/actor", Digest: "x",
				File: peers.ListFile{Format: peers.FormatChalkringList, Name: "Schools", Updated: &now, Entries: entries}})
			return err
		})
		write(t, db, func(tx *store.Tx) error {
			if _, err := c.Next(tx); err != nil {
				return err
			}
			s, err := peers.StandingOf(tx, "school00007.example")
			if err == nil && s != peers.Paused {
				t.Errorf("after the first piece the emergency is %s", s)
			}
			return err
		})
	})
}

// followed is a list that is followed, its key compared.
func followed(t *testing.T, db *store.DB, f peers.SubForm) (sub peers.Subscription) {
	t.Helper()
	write(t, db, func(tx *store.Tx) (err error) {
		sub, err = peers.Subscribe(tx, 0, "https://region.example/peering/lists/schools", peers.KeyPrint(listKey), f)
		return err
	})
	return sub
}

// A few emergencies take effect with the first version of a list, too; more of
// them wait for a person.
func TestFirstVersionWithEmergencies(t *testing.T) {
	for n, want := range map[int]peers.Standing{1: peers.Paused, 2: peers.Paused, 3: peers.Allowed, 10: peers.Allowed, 20: peers.Allowed} {
		storetest.Each(t, func(t *testing.T, db *store.DB) {
			entries := manySchools(20)
			write(t, db, func(tx *store.Tx) error {
				for i := range n {
					entries[i].Emergency, entries[i].Reason = true, "taken over"
					if _, err := peers.Allow(tx, 0, entries[i].Host, peers.Entry{}); err != nil {
						return err
					}
				}
				return nil
			})
			sub, at := followed(t, db, peers.SubForm{}), time.Now().Add(-time.Hour)
			arrive(t, db, sub.ID, at, entries)
			is := func(when string, want peers.Standing) {
				t.Helper()
				write(t, db, func(tx *store.Tx) error {
					for i := range n {
						if s, err := peers.StandingOf(tx, entries[i].Host); err != nil || s != want {
							t.Errorf("%d emergencies, %s: %s is %s (%v), want %s", n, when, entries[i].Host, s, err, want)
						}
					}
					return nil
				})
			}
			is("when they come", want)
			if want == peers.Paused {
				return
			}
			write(t, db, func(tx *store.Tx) error {
				s, err := peers.LetThrough(tx, 0, sub.ID)
				if err == nil && s.HeldChanged != int64(n) {
					t.Errorf("%d changes are said to wait, want %d", s.HeldChanged, n)
				}
				return err
			})
			arrive(t, db, sub.ID, at, entries)
			is("when a person let them", peers.Paused)
		})
	}
}

// With a server that is an emergency nobody is connected by its list; once that
// is over it is proposed like the others.
func TestEmergencyIsNotConnected(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		sub, at := followed(t, db, peers.SubForm{AutoAccept: true}), time.Now().Add(-time.Hour)
		entries := manySchools(5)
		entries[2].Emergency, entries[2].Reason = true, "taken over"
		is := func(when string, want peers.Standing) {
			t.Helper()
			write(t, db, func(tx *store.Tx) error {
				s, err := peers.StandingOf(tx, entries[2].Host)
				if err == nil && s != want {
					t.Errorf("%s it is %s, want %s", when, s, want)
				}
				return err
			})
		}
		arrive(t, db, sub.ID, at, entries)
		is("in the emergency", peers.Unknown)
		entries[2].Emergency, entries[2].Reason = false, ""
		arrive(t, db, sub.ID, at.Add(time.Minute), entries)
		is("when that is over", peers.Allowed)
	})
}

// What a list proposed goes when the server becomes an emergency, and is
// proposed again when that is over.
func TestEmergencyOfWhatIsProposed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		sub, at := followed(t, db, peers.SubForm{}), time.Now().Add(-time.Hour)
		entries := manySchools(5)
		for i, want := range []int{5, 4, 5} {
			entries[2].Emergency = i == 1
			arrive(t, db, sub.ID, at.Add(time.Duration(i)*time.Minute), entries)
			write(t, db, func(tx *store.Tx) error {
				all, err := peers.Drafts(tx, peers.DraftFilter{}, store.Page{Limit: 40})
				if err == nil && len(all) != want {
					t.Errorf("version %d: %d servers are proposed, want %d", i, len(all), want)
				}
				return err
			})
		}
	})
}
