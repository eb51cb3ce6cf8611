package federation_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/testnet"
)

// told returns the objects of the activities of a type that a stranger took.
func told(x *testnet.Stranger, kind string) []map[string]any {
	var objects []map[string]any
	for _, r := range x.Taken(kind) {
		o, _ := r.Activity["object"].(map[string]any)
		objects = append(objects, o)
	}
	return objects
}

// text is a member of a document, or of one within it, as words.
func text(document map[string]any, path ...string) string {
	for _, step := range path[:len(path)-1] {
		document, _ = document[step].(map[string]any)
	}
	return fmt.Sprint(document[path[len(path)-1]])
}

// What a server of another make hears has the shapes that Mastodon
// understands, and with a ceiling of public nothing that is not for everybody.
func TestReadFromAMicroblog(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := net.Start("oak.test")
		amira := oak.Teacher("amira")
		masto := net.Stranger("masto.test")
		oak.Admin().AllowUpTo("masto.test", peers.CeilingPublic)
		net.Settle()
		me := "https://oak.test/u/" + fmt.Sprint(amira.Account.ID)
		if status, body := masto.Send(oak, masto.Follows("reader", me)); status != http.StatusAccepted {
			t.Fatalf("the follow is answered %d %s", status, body)
		}
		net.Settle()
		accepts := masto.Taken("Accept")
		if len(accepts) != 1 || accepts[0].Path != "/users/reader/inbox" || text(accepts[0].Activity, "object", "id") != text(masto.Follows("reader", me), "id") {
			t.Fatalf("the follow was accepted as %+v", accepts)
		}
		practice := amira.Publish("Two readers, one recording")
		question := amira.Ask("Whose class keeps a reading log?")
		amira.PublishTo(community.Network, "For schools")
		amira.PublishTo(community.Followers, "For followers")
		amira.PublishTo(community.School, "For the staff room")
		net.Settle()
		creates := told(masto, "Create")
		if len(creates) != 2 {
			t.Fatalf("masto was told of %d posts, want the two public ones: %v", len(creates), creates)
		}
		article, note := creates[0], creates[1]
		if article["type"] != "Article" || text(article, "name") != "Two readers, one recording" || !strings.Contains(text(article, "summary"), "I tried") ||
			!strings.Contains(text(article, "content"), "<h2>") || text(article, "id") != practice.IRI || text(article, "kind") != "practice" {
			t.Errorf("a practice post is told as %v", article)
		}
		if note["type"] != "Note" || note["summary"] != nil || !strings.Contains(text(note, "content"), "Who knows?") || text(note, "id") != question.IRI {
			t.Errorf("a question is told as %v", note)
		}

		// It answers from where it is; the answer stands in the thread.
		reply := masto.Note("reader", "Ours does.")
		reply["object"].(map[string]any)["inReplyTo"] = question.IRI
		if status, body := masto.Send(oak, reply); status != http.StatusAccepted {
			t.Fatalf("the reply is answered %d %s", status, body)
		}
		net.Settle()
		amira.WantNotified("reply @reader@masto.test", "follow @reader@masto.test")
		amira.Reply(testnet.Post{IRI: text(reply, "object", "id")}, "Tell me more.")
		amira.Retitle(question, "Who keeps a reading log?")
		amira.Delete(practice)
		net.Settle()
		back := told(masto, "Create")[2]
		mention, _ := back["tag"].([]any)
		if text(back, "inReplyTo") != text(reply, "object", "id") || back["name"] != nil || len(mention) != 1 ||
			text(mention[0].(map[string]any), "href") != masto.Actor("reader") || text(mention[0].(map[string]any), "name") != "@reader@masto.test" {
			t.Errorf("the answer is told as %v", back)
		}
		if updates := told(masto, "Update"); len(updates) != 1 || text(updates[0], "name") != "Who keeps a reading log?" || updates[0]["updated"] == nil {
			t.Errorf("the edit is told as %v", updates)
		}
		if deletes := told(masto, "Delete"); len(deletes) != 1 || deletes[0]["type"] != "Tombstone" || text(deletes[0], "id") != practice.IRI {
			t.Errorf("the deletion is told as %v", deletes)
		}
	})
}

// A third school answers in a thread that two others began, and each of the
// three sees the whole thread.
func TestThreeSchoolsInOneThread(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm, fir := net.Start("oak.test"), net.Start("elm.test"), net.Start("fir.test")
		net.Befriend(oak, elm, fir)
		amira, bo, cy := oak.Teacher("amira"), elm.Teacher("bo"), fir.Teacher("cy")
		bo.Follow("@amira@oak.test")
		cy.Follow("@bo@elm.test")
		net.Settle()
		question := amira.Ask("Does anybody read aloud every day?")
		net.Settle()
		first := bo.Reply(question, "We do, after lunch.")
		net.Settle()
		// fir heard of bo's answer, and asked oak what it answers.
		second := cy.Reply(first, "For how long?")
		net.Settle()
		for _, who := range []*testnet.Teacher{amira, bo, cy} {
			for _, post := range []testnet.Post{question, first} {
				if !who.Sees(post) {
					t.Errorf("%s does not see %s", who.Handle(), post.IRI)
				}
			}
		}
		if !bo.Sees(second) || bo.View(second).ThreadID != bo.View(question).ThreadID {
			t.Error("at bo's school cy's question does not stand in the thread")
		}
		if cy.View(first).ThreadID != cy.View(question).ThreadID {
			t.Error("at cy's school bo's answer does not stand under the question")
		}
	})
}

// Messages that cannot be understood, or are of no use here, are taken and
// forgotten: an error would only bring them back.
func TestWhatOthersInvent(t *testing.T) {
	net := testnet.New(t)
	oak := net.Start("oak.test")
	amira := oak.Teacher("amira")
	x := net.Stranger("odd.test")
	oak.Admin().Allow("odd.test")
	net.Settle()
	me := x.Actor("odd")
	activity := func(kind string, object any) map[string]any {
		return map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": x.URL("/activities/" + kind), "type": kind, "actor": me, "object": object}
	}
	for _, a := range []map[string]any{
		activity("Lock", x.URL("/notes/1")),
		activity("EmojiReact", x.URL("/notes/1")),
		activity("Move", me),
		activity("Flag", []string{amira.Account.IRI(oak.DB().Site())}),
		activity("Create", map[string]any{"id": x.URL("/events/1"), "type": "Event", "name": "Fair", "attributedTo": me}),
		activity("Create", x.URL("/notes/2")),
		activity("Update", map[string]any{"id": x.URL("/notes/3"), "type": "Note", "attributedTo": me, "content": nil}),
		activity("Like", "https://nowhere.test/1"),
		activity("Undo", map[string]any{"id": x.URL("/activities/0"), "type": "Listen", "actor": me}),
		activity("Announce", map[string]any{"id": x.URL("/activities/00"), "type": "Dislike", "actor": me, "object": x.URL("/notes/1")}),
		activity("Accept", map[string]any{"type": "Join"}),
	} {
		if status, body := x.Send(oak, a); status != http.StatusAccepted {
			t.Errorf("%v is answered %d %s", a["type"], status, body)
		}
	}
	net.Settle()
	amira.WantConnected()
	good := x.Note("odd", "I can speak plainly too.")
	x.Send(oak, good)
	net.Settle()
	amira.WantConnected("I can speak plainly too.")
	if kinds := x.Received(); slices.ContainsFunc(kinds, func(r testnet.Received) bool { return r.Type() != "Accept" }) {
		t.Errorf("oak answered with %v", kinds)
	}
}
