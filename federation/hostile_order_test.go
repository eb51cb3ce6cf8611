package federation_test

import (
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/testnet"
)

// What comes twice, late, or in the wrong order.
//
// W3C ActivityPub, sections 7.3 and 7.4: nothing promises an order.
func TestHostileOrder(t *testing.T) { hold(t, orderAttacks()) }

// edit is an Update of a note by mallory with new words, made at a moment.
func (s *scene) edit(note doc, words string, at time.Time) doc {
	return s.note(func(a, n doc) {
		a["type"], a["id"], n["id"], n["content"] = "Update", note["id"].(string)+"#update-"+words, note["id"], "<p>"+words+"</p>"
		n["published"] = note["published"]
		if !at.IsZero() {
			n["updated"] = at.UTC().Format(time.RFC3339)
		}
	})
}

// fresh is a note by mallory that is not sent yet, written a while ago, and its Create.
func (s *scene) fresh(words string) (note, create doc) {
	create = s.x.Note("mallory", words)
	note = create["object"].(doc)
	note["published"] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	return note, create
}

// says fails unless the note with the address says just this here; "" is nothing.
func (s *scene) says(note doc, want string) {
	s.t.Helper()
	s.net.Settle()
	if want != "" {
		want = "<p>" + want + "</p>"
	}
	if got := s.one("SELECT html FROM posts WHERE uri = ?", note["id"]); got != want {
		s.t.Errorf("it says %q, want %q", got, want)
	}
}

func orderAttacks() []attack {
	now := time.Now()
	return []attack{
		{name: "the same activity again and again", try: func(s *scene) {
			create := s.x.Note("mallory", "Once")
			for range 5 {
				s.send(create)
				s.net.Settle()
			}
		}, changes: landed},
		{name: "a captured request, sent again an hour and a half later", try: func(s *scene) {
			s.send(s.by("mallory"), testnet.Signing{Date: now.Add(-90 * time.Minute)})
			s.send(s.by("mallory"), testnet.Signing{Date: now.Add(90 * time.Minute)})
			s.send(s.by("mallory"), testnet.Signing{Date: time.Unix(0, 0)})
		}},
		{name: "the same activity with other words", try: func(s *scene) {
			create := s.x.Note("mallory", "First words")
			note := create["object"].(doc)
			s.send(create)
			s.net.Settle()
			note["content"] = "<p>Other words</p>"
			s.send(create)
			s.says(note, "First words")
		}, changes: landed},
		{name: "the same note in another activity, with other words", try: func(s *scene) {
			create := s.x.Note("mallory", "First words")
			note := create["object"].(doc)
			s.send(create)
			s.net.Settle()
			create["id"], note["content"] = s.x.URL("/again"), "<p>Other words</p>"
			s.send(create)
			s.says(note, "First words")
		}, changes: landed},
		{name: "an update before its creation", try: func(s *scene) {
			note, create := s.fresh("As it was")
			s.send(s.edit(note, "As-it-is", now.Add(-time.Minute)))
			s.net.Settle()
			s.send(create)
			s.says(note, "As-it-is")
		}, changes: landed},
		{name: "an old update after a new one", try: func(s *scene) {
			note, create := s.fresh("First")
			s.send(create)
			s.send(s.edit(note, "Newest", now.Add(-time.Minute)))
			s.net.Settle()
			s.send(s.edit(note, "Older", now.Add(-10*time.Minute)))
			s.says(note, "Newest")
		}, changes: append([]string{"post_revisions +1"}, landed...)},
		{name: "an update from the future does not shut out later ones", try: func(s *scene) {
			note, create := s.fresh("First")
			s.send(create)
			s.send(s.edit(note, "Future", now.Add(400*24*time.Hour)))
			s.net.Settle()
			s.send(s.edit(note, "Present", time.Now().Add(2*time.Second)))
			s.says(note, "Present")
			if at := s.one("SELECT COUNT(*) FROM posts WHERE edited_at > ?", time.Now().Add(time.Minute).UTC()); at != "0" {
				s.t.Error("a post is edited in the future")
			}
		}, changes: append([]string{"post_revisions +2"}, landed...)},
		{name: "a creation that was edited in the future does not shut out later edits", try: func(s *scene) {
			note, create := s.fresh("Future")
			note["updated"] = "9999-01-01T00:00:00Z"
			s.send(create)
			s.net.Settle()
			s.send(s.edit(note, "Present", time.Now().Add(2*time.Second)))
			s.says(note, "Present")
			if at := s.one("SELECT COUNT(*) FROM posts WHERE edited_at > ?", time.Now().Add(time.Minute).UTC()); at != "0" {
				s.t.Error("a post is edited in the future")
			}
		}, changes: append([]string{"post_revisions +1"}, landed...)},
		{name: "moments that no clock shows", try: func(s *scene) {
			for _, at := range []string{"0001-01-01T00:00:01Z", "9999-12-31T23:59:59Z", "1969-12-31T00:00:00Z", "-0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
				"99999-01-01T00:00:00Z", "2026-01-01T00:00:00+99:99", "now", "", "2262-04-12T00:00:00Z"} {
				s.send(s.note(func(_, n doc) { n["published"], n["updated"] = at, at }))
			}
			s.net.Settle()
			if n := s.one("SELECT COUNT(*) FROM posts WHERE id <= 0 OR created_at > ?", time.Now().Add(time.Minute).UTC()); n != "0" {
				s.t.Errorf("%s posts stand before all time or after now", n)
			}
		}, changes: []string{"account_counts ~1", "posts +10"}},
		{name: "a deletion before its creation", try: func(s *scene) {
			note, create := s.fresh("Never seen")
			s.send(s.deed("Delete", note["id"]))
			s.net.Settle()
			s.send(create)
			s.send(s.edit(note, "Never-seen", now))
			s.says(note, "")
		}, changes: []string{"tombstones +1"}},
		{name: "a creation after its deletion", try: func(s *scene) {
			s.send(s.note(func(_, n doc) { n["id"] = s.gone }))
			s.send(s.note(func(a, n doc) { a["type"], n["id"], n["updated"] = "Update", s.gone, now.UTC().Format(time.RFC3339) }))
			s.net.Settle()
			s.x.Serve("/"+s.gone[len("https://x.test/"):], doc{"@context": activityStreams, "id": s.gone, "type": "Note", "attributedTo": s.mallory(), "content": "Back again", "to": public})
			s.send(s.deed("Announce", s.gone))
			if v := s.one("SELECT html FROM posts WHERE uri = ?", s.gone); v != "" {
				s.t.Errorf("the deleted note says %q", v)
			}
		}},
		{name: "an undo before what it undoes", try: func(s *scene) {
			like := s.deed("Like", s.posts[community.Public].IRI)
			s.send(s.deed("Undo", like))
			s.net.Settle()
			s.send(like)
			s.send(s.deed("Undo", like))
		}},
		{name: "liking the same post again and again", try: func(s *scene) {
			for range 10 {
				s.send(s.deed("Like", s.posts[community.Public].IRI))
			}
			if v := s.amira.View(s.posts[community.Public]); v.LikesCount != 2 { // pat's, and one of mallory's
				s.net.Settle()
				if v = s.amira.View(s.posts[community.Public]); v.LikesCount != 2 {
					s.t.Errorf("%d likes", v.LikesCount)
				}
			}
		}, changes: []string{"likes +1", "notifications +1", "posts ~1"}},
		{name: "taking back a like that is there, twice", try: func(s *scene) {
			for range 3 {
				s.send(s.deed("Undo", doc{"id": s.x.URL("/whatever"), "type": "Like", "actor": s.mallory(), "object": s.posts[community.Public].IRI}))
			}
		}, changes: []string{"likes -1", "notifications -1", "posts ~1"}},
		{name: "boosting the same post again and again", try: func(s *scene) {
			for range 10 {
				s.send(s.deed("Announce", s.posts[community.Public].IRI))
			}
		}, changes: []string{"notifications +1", "posts +1 ~1"}},
		{name: "following and leaving again and again", try: func(s *scene) {
			for range 10 {
				s.send(s.deed("Follow", s.iri(s.ben)))
				s.send(s.deed("Undo", doc{"type": "Follow", "actor": s.mallory(), "object": s.iri(s.ben)}))
			}
			s.net.Settle()
			if n := s.one("SELECT COUNT(*) FROM notifications WHERE account_id = ?", s.ben.Account.ID); n != "0" && n != "1" {
				s.t.Errorf("ben is told %s times", n)
			}
		}, changes: []string{"deliveries +10", "outgoing +10"}}, // each is accepted
		{name: "an old profile after a new one", try: func(s *scene) {
			profile := func(name string, at time.Time) doc {
				id := s.x.Actor("eve")
				return doc{"@context": activityStreams, "id": id + "#" + name, "type": "Update", "actor": id, "object": doc{"id": id, "type": "Person", "preferredUsername": "eve",
					"name": name, "inbox": id + "/inbox", "outbox": id + "/outbox", "followers": id + "/followers", "updated": at.UTC().Format(time.RFC3339Nano),
					"endpoints": doc{"sharedInbox": s.x.URL("/inbox")},
					"publicKey": doc{"id": id + "#main-key", "owner": id, "publicKeyPem": publicPEM(s.t, s.x.Key)}}}
			}
			s.send(profile("New", now))
			s.net.Settle()
			s.send(profile("Old", now.Add(-time.Hour)))
			s.net.Settle()
			if v := s.one("SELECT display_name FROM accounts WHERE uri = ?", s.x.Actor("eve")); v != "New" {
				s.t.Errorf("eve is called %q", v)
			}
		}, changes: []string{"accounts ~1"}},
		{name: "words after the account's end", try: func(s *scene) {
			s.actor("leaver", func(doc) {})
			s.send(s.by("leaver"))
			s.net.Settle()
			s.x.Serve("/users/leaver", doc{"@context": activityStreams, "id": s.x.Actor("leaver"), "type": "Tombstone"})
			s.send(doc{"@context": activityStreams, "id": s.x.URL("/leaves"), "type": "Delete", "actor": s.x.Actor("leaver"), "object": s.x.Actor("leaver")})
			s.net.Settle()
			s.send(s.by("leaver"))
			s.send(doc{"@context": activityStreams, "id": s.x.URL("/leaves/like"), "type": "Like", "actor": s.x.Actor("leaver"), "object": s.posts[community.Public].IRI})
			s.net.Settle()
			if n := s.one("SELECT COUNT(*) FROM posts p JOIN accounts a ON a.id = p.author_id WHERE a.username = 'leaver' AND p.deleted_at IS NULL"); n != "0" {
				s.t.Errorf("%s posts of an account that is gone", n)
			}
		}, changes: []string{"account_counts +1", "accounts +1", "posts +1"}},
		{name: "the end of an account that was never known", try: func(s *scene) {
			for range 20 {
				s.send(doc{"@context": activityStreams, "id": s.x.URL("/never"), "type": "Delete", "actor": s.x.Actor("never"), "object": s.x.Actor("never")})
			}
			if n := s.x.Fetched("/users/never"); n > 0 {
				s.t.Errorf("asked for %d times", n)
			}
		}},
	}
}
