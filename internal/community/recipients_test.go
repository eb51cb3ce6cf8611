package community

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// where writes targets as words: host, or host!reason.
func where(targets []Target) []string {
	var words []string
	for _, target := range targets {
		word := target.Host
		if target.Withheld != "" {
			word += "!" + strings.TrimPrefix(target.Withheld, "withheld.")
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}

func TestInboxesFor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben := w.local("amira", Member), w.local("ben", Member)
		w.peer("elm.test", peers.CeilingNetwork, true)   // a school, followed from
		w.peer("fir.test", peers.CeilingGroup, true)     // a school that nobody follows from
		w.peer("masto.test", peers.CeilingPublic, false) // followed from
		w.peer("forum.test", peers.CeilingNetwork, false)
		w.peer("mute.test", peers.CeilingNone, true)                                                              // followed from
		w.write(func(tx *store.Tx) error { _, err := peers.Allow(tx, 0, "new.test", peers.Entry{}); return err }) // not met yet
		bo, cy, di := w.remote("bo", "elm.test"), w.remote("cy", "elm.test"), w.remote("di", "masto.test")
		ed, stranger := w.remote("ed", "mute.test"), w.remote("fay", "stranger.test")
		named, blocked := w.remote("gus", "fir.test"), w.remote("hal", "fir.test")
		for _, f := range []Account{bo, cy, di, ed, stranger} {
			w.follows(f, amira)
		}
		w.exec("INSERT INTO blocks (account_id, target_id, id, created_at) VALUES (?, ?, 1, ?)", blocked.ID, amira.ID, amira.CreatedAt)

		theirs := w.receive(w.note(named))
		for _, tt := range []struct {
			name  string
			draft Draft
			want  []string
		}{
			{"public", Draft{Audience: Public}, []string{"elm.test", "masto.test", "mute.test!ceiling", "stranger.test!peer"}},
			{"public that names somebody", Draft{Audience: Public, Source: "@gus@fir.test"}, []string{"elm.test", "fir.test", "masto.test", "mute.test!ceiling", "stranger.test!peer"}},
			{"public answer", Draft{Audience: Public, Kind: Reply, InReplyToID: theirs.ID}, []string{"elm.test", "fir.test", "masto.test", "mute.test!ceiling", "stranger.test!peer"}},
			{"network", Draft{Audience: Network}, []string{"elm.test", "fir.test", "forum.test!closed", "masto.test!ceiling", "mute.test!ceiling", "new.test!no_inbox", "stranger.test!peer"}},
			{"followers", Draft{Audience: Followers}, []string{"elm.test", "masto.test!ceiling", "mute.test!ceiling", "stranger.test!peer"}},
			{"people", Draft{Audience: People, Source: "@gus@fir.test @hal@fir.test @ben"}, []string{"fir.test"}},
			{"people on a forum", Draft{Audience: People, Source: "@di@masto.test"}, []string{"masto.test"}},
			{"school", Draft{Audience: School, Source: "@gus@fir.test"}, nil},
			{"me", Draft{Audience: Me, Source: "@gus@fir.test"}, nil},
		} {
			p := w.publish(amira, tt.draft)
			w.read(func(tx *store.Tx) error {
				targets, err := InboxesFor(tx, Outgoing{Verb: VerbCreate, ActorID: amira.ID, PostID: &p.ID, Audience: p.Audience})
				if tt.want == nil {
					targets = slices.DeleteFunc(targets, func(x Target) bool { return x.Withheld != "" })
				}
				if got := where(targets); !slices.Equal(got, tt.want) {
					t.Errorf("%s: goes to %v, want %v", tt.name, got, tt.want)
				}
				return err
			})
		}

		mine := w.publish(ben, Draft{})
		for _, tt := range []struct {
			name string
			o    Outgoing
			want []string
		}{
			{"a like", Outgoing{Verb: VerbLike, AccountID: &named.ID, PostID: &theirs.ID}, []string{"fir.test"}},
			{"a boost", Outgoing{Verb: VerbAnnounce, AccountID: &named.ID, PostID: &theirs.ID}, []string{"elm.test", "fir.test", "masto.test", "mute.test!ceiling", "stranger.test!peer"}},
			{"a boost of one of ours", Outgoing{Verb: VerbAnnounce, AccountID: &ben.ID, PostID: &mine.ID}, []string{"elm.test", "masto.test", "mute.test!ceiling", "stranger.test!peer"}},
			{"a follow where nothing is sent", Outgoing{Verb: VerbFollow, AccountID: &ed.ID}, []string{"mute.test"}},
			{"a deletion", Outgoing{Verb: VerbDelete, Facts: Facts{Inboxes: []Target{{Host: "old.test", Inbox: "i"}, {Host: "old.test", Inbox: "i"}}}}, []string{"old.test"}},
			{"a profile", Outgoing{Verb: VerbUpdateActor}, []string{"elm.test", "masto.test", "mute.test!ceiling", "stranger.test!peer"}},
		} {
			tt.o.ActorID = amira.ID
			w.read(func(tx *store.Tx) error {
				targets, err := InboxesFor(tx, tt.o)
				if got := where(targets); !slices.Equal(got, tt.want) {
					t.Errorf("%s: goes to %v, want %v", tt.name, got, tt.want)
				}
				return err
			})
		}
	})
}

// A post of somebody with very many followers is spread at the cost of their
// servers.
func TestInboxesForAThousandFollowers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.local("amira", Member)
		w.write(func(tx *store.Tx) error {
			for i := range 1000 {
				host := fmt.Sprintf("school%d.test", i%10)
				uri := fmt.Sprintf("https://%s/u/%d", host, i)
				id := tx.NewID()
				err := tx.Exec("INSERT INTO accounts (id, username, host, uri, inbox, shared_inbox, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
					id, fmt.Sprintf("p%d", i), host, uri, uri+"/inbox", "https://"+host+"/inbox", tx.Now, tx.Now).Error
				if err == nil {
					err = tx.Exec("INSERT INTO follows (id, follower_id, target_id, follower_local, state, created_at) VALUES (?, ?, ?, FALSE, 'accepted', ?)", tx.NewID(), id, amira.ID, tx.Now).Error
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		p := w.publish(amira, Draft{})
		w.read(func(tx *store.Tx) error {
			var s statements
			targets, err := InboxesFor(s.listening(tx), Outgoing{Verb: VerbCreate, ActorID: amira.ID, PostID: &p.ID, Audience: Public})
			if len(targets) != 10 || len(s.sql) > 10 {
				t.Errorf("%d targets by %d questions", len(targets), len(s.sql))
			}
			return err
		})
	})
}

// A public answer to one of our posts goes where the post went, though its
// author has no follower there.
func TestAnswersFollowTheirConversation(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben := w.local("amira", Member), w.local("ben", Member)
		opener := w.publish(amira, Draft{})
		w.exec("INSERT INTO outgoing (id, verb, actor_id, post_id, state, created_at) VALUES (77, 'Create', ?, ?, 'spread', ?)", amira.ID, opener.ID, opener.CreatedAt)
		for i, state := range []string{"delivered", "waiting", "withheld"} {
			host := state + ".test"
			w.exec("INSERT INTO deliveries (id, outgoing_id, post_id, host, inbox, state, created_at) VALUES (?, 77, ?, ?, ?, ?, ?)",
				70+i, opener.ID, host, "https://"+host+"/inbox", state, opener.CreatedAt)
		}
		answer := w.publish(ben, Draft{Kind: Reply, InReplyToID: opener.ID, Audience: Public})
		further := w.publish(ben, Draft{Kind: Reply, InReplyToID: answer.ID, Audience: Public})
		closed := w.publish(ben, Draft{Kind: Reply, InReplyToID: opener.ID, Audience: School})
		for _, tt := range []struct {
			post Post
			want []string
		}{
			{answer, []string{"delivered.test!peer", "waiting.test!peer"}},
			{further, []string{"delivered.test!peer", "waiting.test!peer"}},
			{closed, nil},
		} {
			w.read(func(tx *store.Tx) error {
				targets, err := InboxesFor(tx, Outgoing{Verb: VerbCreate, ActorID: ben.ID, PostID: &tt.post.ID, Audience: tt.post.Audience})
				if got := where(targets); !slices.Equal(got, tt.want) {
					t.Errorf("%s answer goes to %v, want %v", tt.post.Audience, got, tt.want)
				}
				return err
			})
		}
	})
}
