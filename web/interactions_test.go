package web

import (
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// A poll is asked with a plain form, answered with another, and shown with its
// results to those who voted.
func TestPollsOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, amira := c.teacher("amira", community.Member)
		_, bo := c.teacher("bo", community.Member)
		answers(t, "the form", amira.get("/write?kind=question"), 200, `name="poll-1"`, `name="poll-10"`, `name="poll_open"`)
		answers(t, "a practice post's form", amira.get("/write?kind=practice"), 200, `!name="poll-1"`)
		form := []string{"kind", "question", "title", "When?", "body", "Choose.", "audience", "school", "poll-1", "Mondays", "poll_open", "3600"}
		answers(t, "one answer", amira.post("/posts", form...), 422, `href="#field-poll"`, `value="Mondays"`)
		w := amira.post("/posts", append(form, "poll-2", "Fridays <b>")...)
		answers(t, "two answers", w, 303, "/posts/")
		at := w.Header().Get("Location")
		answers(t, "before voting", bo.get(at), 200, `name="choice"`, "Fridays &lt;b&gt;", "!<meter")
		answers(t, "the asker", amira.get(at), 200, "<meter", `!name="choice"`)
		answers(t, "no choice", bo.post(at+"/vote"), 303, at)
		answers(t, "a choice", bo.post(at+"/vote", "choice", "1"), 303, at)
		answers(t, "after voting", bo.get(at), 200, "<meter", "100%", "One person voted", `!name="choice"`)
		answers(t, "again", bo.post(at+"/vote", "choice", "0"), 422)
		answers(t, "a guest", c.guest().get(at), 404)
		answers(t, "a guest's vote", c.guest().post(at+"/vote", "choice", "0"), 401)
		answers(t, "the edit form", amira.get(at+"/edit"), 200, `value="Mondays"`, `value="0"`)
		answers(t, "an edit of the words", amira.post(at+"/edit", "kind", "question", "title", "When then?", "body", "Choose.", "poll-1", "Mondays", "poll-2", "Fridays <b>", "poll_open", "0"), 303)
		answers(t, "keeps the votes", bo.get(at), 200, "When then?", "100%")
	})
}

// What somebody may not see has no poll for them to vote in, cannot be quoted,
// reported or pinned, and its form is not there.
func TestPagesOfInteractionsDoNotLeak(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		amira, _ := c.teacher("amira", community.Member)
		_, passer := c.teacher("passer", community.Member)
		for _, audience := range []community.Audience{community.Me, community.Followers} {
			p := c.publish(amira, community.Draft{Kind: community.Note, Audience: audience, Source: "the secret", Poll: &community.PollDraft{Options: []string{"Yes", "No"}, Open: time.Hour}})
			at := postPath(p.ID)
			for _, path := range []string{at, at + "/report", "/write?kind=discussion&quote=" + digits(p.ID)} {
				answers(t, string(audience)+" "+path, passer.get(path), 404, "!the secret")
			}
			for _, deed := range []string{"/vote", "/report", "/pin", "/unpin", "/revoke-quote"} {
				answers(t, string(audience)+" "+deed, passer.post(at+deed, "choice", "0", "category", "spam"), 404, "!the secret")
			}
			answers(t, string(audience)+" quoting", passer.post("/posts", "kind", "discussion", "title", "Look", "body", "!", "audience", "public", "quote", digits(p.ID)), 404, "!the secret")
		}
	})
}

func TestQuotesOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		amira, hers := c.teacher("amira", community.Member)
		fan, his := c.teacher("fan", community.Member)
		p := c.publish(amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: "Exit tickets work"})
		at := postPath(p.ID)
		form := []string{"kind", "discussion", "title", "So true", "body", "Listen to her.", "audience", "public", "quote", digits(p.ID)}
		answers(t, "the form", his.get("/write?kind=discussion&quote="+digits(p.ID)), 200, "Exit tickets work", `name="quote" value="`+digits(p.ID)+`"`)
		answers(t, "somebody who does not follow", his.post("/posts", form...), 403)
		c.write(func(tx *store.Tx) error {
			_, err := community.Follow(tx, fan, amira)
			return err
		})
		w := his.post("/posts", form...)
		answers(t, "a follower", w, 303, "/posts/")
		quoting := w.Header().Get("Location")
		answers(t, "the quote, for a guest", c.guest().get(quoting), 200, "Exit tickets work", at, `class="quote"`)
		answers(t, "amira's notifications", hers.get("/notifications"), 200, "quoted your post")
		answers(t, "amira looks", hers.get(quoting), 200, "/revoke-quote")
		answers(t, "taking it back", hers.post(quoting+"/revoke-quote"), 303)
		answers(t, "afterwards", c.guest().get(quoting), 200, "!Exit tickets work", "no longer wants it shown", at)
		hers.post(at + "/pin")
		answers(t, "amira's page", his.get("/@amira"), 200, "Shown first", "pinned-"+digits(p.ID))
		hers.post(at + "/unpin")
		answers(t, "amira's page without pins", his.get("/@amira"), 200, "!Shown first")
	})
}

// A report reaches the moderators with the post, and nobody else.
func TestReportsOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		amira, hers := c.teacher("amira", community.Member)
		fan, his := c.teacher("fan", community.Member)
		_, mo := c.teacher("mo", community.Moderator)
		c.write(func(tx *store.Tx) error {
			_, err := community.Follow(tx, fan, amira)
			return err
		})
		p := c.publish(amira, community.Draft{Kind: community.Note, Audience: community.Followers, Source: "Little Tom did it"})
		at := postPath(p.ID)
		answers(t, "the form", his.get(at+"/report"), 200, `value="child"`, `!name="forward"`)
		answers(t, "nothing chosen", his.post(at+"/report", "comment", "Look"), 422, `href="#field-category"`, "Look")
		answers(t, "a report", his.post(at+"/report", "category", "child", "comment", "A name!"), 303, at)
		answers(t, "a report of the person", his.post("/accounts/"+digits(amira.ID)+"/report", "category", "other"), 303, "/@amira")
		answers(t, "the moderator's list", mo.get("/admin/reports"), 200, "Amira", "identifies a child", "A name!")
		answers(t, "told", mo.get("/notifications"), 200, "sent a report")
		var id int64
		c.write(func(tx *store.Tx) error {
			return tx.Raw("SELECT id FROM reports WHERE category = 'child'").Scan(&id).Error
		})
		one := "/admin/reports/" + digits(id)
		answers(t, "one report", mo.get(one), 200, "Little Tom did it", "A name!", "Fan", one+"/resolve", "!"+one+"/forward")
		for _, path := range []string{"/admin/reports", one} {
			answers(t, "whoever is reported", hers.get(path), 403, "!Little Tom", "!A name!")
			answers(t, "a guest", c.guest().get(path), 303, "/sign-in")
		}
		answers(t, "whoever is reported resolves", hers.post(one+"/resolve"), 403)
		answers(t, "telling another server of somebody here", mo.post(one+"/forward", "words", "x"), 422)
		answers(t, "asking to take it down", mo.get(one+"/remove"), 200, one+"/remove")
		answers(t, "whoever is reported takes it down this way", hers.post(one+"/remove"), 403)
		answers(t, "taking it down", mo.post(one+"/remove"), 303)
		answers(t, "the report then", mo.get(one), 200, "!Little Tom", "not there any more")
		answers(t, "the post then", his.get(at), 404)
		answers(t, "resolving", mo.post(one+"/resolve"), 303, "/admin/reports")
		answers(t, "the list then", mo.get("/admin/reports"), 200, "!A name!")
		answers(t, "what is dealt with", mo.get("/admin/reports?show=resolved"), 200, "A name!")
		answers(t, "amira's notifications", hers.get("/notifications"), 200, "!report")
	})
}
