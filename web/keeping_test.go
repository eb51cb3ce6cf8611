package web

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// sends posts a form that has a name more than once.
func (b *browser) sends(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "https://oak.test"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

// numbered is the number in the first address of a page that begins so.
func numbered(t *testing.T, w *httptest.ResponseRecorder, before string) string {
	t.Helper()
	found := regexp.MustCompile(regexp.QuoteMeta(before) + `(\d+)`).FindStringSubmatch(w.Body.String() + w.Header().Get("Location"))
	if found == nil {
		t.Fatalf("no address beginning with %s", before)
	}
	return found[1]
}

func (c *classroom) follows(me, them community.Account) {
	c.t.Helper()
	c.write(func(tx *store.Tx) error {
		_, err := community.Follow(tx, me, them)
		return err
	})
}

// refusesOthers holds that what is one person's is not there for another, nor
// for a guest.
func (c *classroom) refusesOthers(t *testing.T, other *browser, pages, deeds []string, secret string) {
	t.Helper()
	for _, path := range pages {
		answers(t, "another's "+path, other.get(path), 404, "!"+secret)
		answers(t, "a guest's "+path, c.guest().get(path), 303, "/sign-in", "!"+secret)
	}
	for _, path := range deeds {
		answers(t, "another's POST "+path, other.post(path, "title", "Mine", "replies_policy", "list", "filter_action", "warn", "context", "home", "scheduled_at", "2099-01-01T08:00"), 404, "!"+secret)
		answers(t, "a guest's POST "+path, c.guest().post(path), 401, "!"+secret)
	}
}

func TestFiltersOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, reader := c.teacher("ana", community.Member)
		bo, other := c.teacher("bo", community.Member)
		answers(t, "none", reader.get(filtersPath), 200, "No filters yet", filtersPath+"/new")
		answers(t, "the form", reader.get(filtersPath+"/new"), 200, `name="word-3"`, `name="context" value="home"`, "Times are by this server")
		form := func(pairs ...string) url.Values {
			f := url.Values{"title": {"Striped"}, "filter_action": {"hide"}, "context": {"home", "public"}, "word-1": {"zebra"}, "whole-1": {"on"}, "word-2": {""}, "word-3": {"okapi"}}
			for i := 0; i < len(pairs); i += 2 {
				f.Set(pairs[i], pairs[i+1])
			}
			return f
		}
		answers(t, "without a title", reader.sends(filtersPath, form("title", " ")), 422, `href="#field-title"`, `value="zebra"`)
		without := form()
		without.Del("context")
		answers(t, "counting nowhere", reader.sends(filtersPath, without), 422, `href="#field-context"`, `id="field-context"`)
		answers(t, "an end that has been", reader.sends(filtersPath, form("expires_at", "2001-01-01T08:00")), 422, `href="#field-expires_at"`, "2001-01-01T08:00")
		answers(t, "an end that is none", reader.sends(filtersPath, form("expires_at", "soon")), 422, `href="#field-expires_at"`)
		answers(t, "a word too long", reader.sends(filtersPath, form("word-1", strings.Repeat("z", 600))), 422, `href="#field-word-1"`)
		answers(t, "a filter", reader.sends(filtersPath, form("expires_at", "2099-01-01T08:00")), 303, filtersPath)
		list := reader.get(filtersPath)
		answers(t, "the list", list, 200, "Striped", "zebra, okapi", "Do not show the post at all", "1 January 2099, 08:00")
		id := numbered(t, list, filtersPath+"/")
		at := filtersPath + "/" + id
		c.says(bo, community.School, "A zebra came by")
		answers(t, "the school", reader.get("/school"), 200, "!A zebra came by")
		answers(t, "its form", reader.get(at), 200, `value="zebra"`, `value="2099-01-01T08:00"`, `name="id-2"`)
		ids := regexp.MustCompile(`name="id-\d+" value="(\d+)"`).FindAllStringSubmatch(reader.get(at).Body.String(), -1)
		if len(ids) != 2 {
			t.Fatalf("the form names %d words, want 2", len(ids))
		}
		changed := url.Values{"title": {"Spotted"}, "filter_action": {"warn"}, "context": {"public"}, "id-1": {ids[0][1]}, "word-1": {""}, "id-2": {ids[1][1]}, "word-2": {"okapis"}, "word-3": {"tapir"}, "expires_at": {""}}
		answers(t, "a change", reader.sends(at, changed), 303, filtersPath)
		answers(t, "the list then", reader.get(filtersPath), 200, "Spotted", "okapis, tapir", "!zebra", "!2099")
		answers(t, "the school then", reader.get("/school"), 200, "A zebra came by")
		c.refusesOthers(t, other, []string{at, at + "/remove"}, []string{at, at + "/remove"}, "Spotted")
		answers(t, "another's list", other.get(filtersPath), 200, "!Spotted")
		answers(t, "removing is asked about", reader.get(at+"/remove"), 200, "Spotted", "2 words")
		answers(t, "removing", reader.post(at+"/remove"), 303, filtersPath)
		answers(t, "the list without", reader.get(filtersPath), 200, "!Spotted")
	})
}

func TestListsOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		ana, reader := c.teacher("ana", community.Member)
		bo, author := c.teacher("bo", community.Member)
		eve, _ := c.teacher("eve", community.Member)
		c.follows(ana, bo)
		c.says(bo, community.Followers, "To followers")
		answers(t, "none", reader.get("/lists"), 200, "No lists yet")
		answers(t, "without a title", reader.post("/lists", "title", " ", "replies_policy", "list"), 422, `href="#field-title"`)
		made := reader.post("/lists", "title", "Year 3", "replies_policy", "followed")
		answers(t, "a list", made, 303, "/people")
		id := numbered(t, made, "/lists/")
		at := "/lists/" + id
		answers(t, "who could stand in it", reader.get(at+"/people"), 200, "/@bo", at+"/people/add", "!/@eve")
		answers(t, "found by name", reader.get(at+"/people?q=bo"), 200, at+"/people/add")
		answers(t, "who is not followed is not found", reader.get(at+"/people?q=eve"), 200, "!/@eve", "Nobody you follow has a name")
		answers(t, "who is not followed", reader.post(at+"/people/add", "account", digits(eve.ID)), 404)
		answers(t, "adding", reader.post(at+"/people/add", "account", digits(bo.ID)), 303, at+"/people")
		answers(t, "who stands in it", reader.get(at+"/people"), 200, "/@bo", at+"/people/remove")
		answers(t, "its posts", reader.get(at), 200, "To followers", `data-live="/live?stream=list:`+id+`"`)
		answers(t, "home", reader.get("/home"), 200, "To followers")
		answers(t, "exclusive", reader.post(at+"/edit", "title", "Year 4", "replies_policy", "none", "exclusive", "on"), 303, at)
		answers(t, "its form", reader.get(at+"/edit"), 200, `value="Year 4"`, `value="none" checked`, `name="exclusive" value="on" checked`)
		answers(t, "home without them", reader.get("/home"), 200, "!To followers")
		answers(t, "from a profile", reader.get("/@bo"), 200, "/accounts/"+digits(bo.ID)+"/lists")
		answers(t, "whoever is not followed has none", reader.get("/@eve"), 200, "!/accounts/"+digits(eve.ID)+"/lists")
		answers(t, "the lists of a person", reader.get("/accounts/"+digits(bo.ID)+"/lists"), 200, "Year 4", `value="`+id+`" checked`)
		answers(t, "of who is not followed", reader.get("/accounts/"+digits(eve.ID)+"/lists"), 404)
		answers(t, "out of all", reader.post("/accounts/"+digits(bo.ID)+"/lists"), 303, "/@bo")
		answers(t, "nobody is left", reader.get(at), 200, "!To followers")
		answers(t, "in again", reader.post("/accounts/"+digits(bo.ID)+"/lists", "list", id), 303)
		answers(t, "another's number there", author.post("/accounts/"+digits(bo.ID)+"/lists", "list", id), 303)
		answers(t, "its posts again", reader.get(at), 200, "To followers")
		c.refusesOthers(t, author, []string{at, at + "/edit", at + "/remove", at + "/people", "/live?stream=list:" + id}, []string{at + "/edit", at + "/remove", at + "/people/add", at + "/people/remove"}, "Year 4")
		answers(t, "another's lists", author.get("/lists"), 200, "!Year 4")
		hears := reader.listen("list:" + id)
		c.says(bo, community.Followers, "While you looked")
		hears("While you looked")
		answers(t, "removing is asked about", reader.get(at+"/remove"), 200, "One person stands in it", "on your home page again")
		answers(t, "removing", reader.post(at+"/remove"), 303, "/lists")
		answers(t, "it is gone", reader.get(at), 404)
		answers(t, "home with them", reader.get("/home"), 200, "To followers")
	})
}

func TestHashtagsOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, reader := c.teacher("ana", community.Member)
		bo, author := c.teacher("bo", community.Member)
		c.publish(bo, community.Draft{Kind: community.Discussion, Title: "Counting", Source: "On #Maths", Audience: community.Public})
		c.publish(bo, community.Draft{Kind: community.Discussion, Title: "Hidden", Source: "On #Maths too", Audience: community.Followers})
		answers(t, "a guest follows nothing", c.guest().get("/tags/Maths"), 200, "Counting", "!"+hashtagsPath)
		answers(t, "its page", reader.get("/tags/Maths"), 200, hashtagsPath+"/follow", "Counting", "!Hidden")
		answers(t, "what is no hashtag", reader.get("/tags/a+b"), 200, "!"+hashtagsPath)
		answers(t, "home before", reader.get("/home"), 200, "!Counting")
		answers(t, "following", reader.post(hashtagsPath+"/follow", "tag", "Maths"), 303)
		answers(t, "its page then", reader.get("/tags/Maths"), 200, hashtagsPath+"/unfollow", "!Hidden")
		answers(t, "home then", reader.get("/home"), 200, "Counting", "!Hidden")
		answers(t, "by the form", reader.post(hashtagsPath+"/follow", "follow", "#Reading"), 303)
		answers(t, "what is none", reader.post(hashtagsPath+"/follow", "follow", "two words"), 422, `href="#field-follow"`, `value="two words"`)
		answers(t, "what is none, on the page", reader.post(hashtagsPath+"/feature", "feature", "two words"), 422, `href="#field-feature"`)
		answers(t, "the list", reader.get(hashtagsPath), 200, "#maths", "#reading")
		answers(t, "another's", author.get(hashtagsPath), 200, "!#reading", "#maths") // which bo has used
		answers(t, "nobody else learns of it", author.get("/@ana"), 200, "!#reading")
		answers(t, "unfollowing", reader.post(hashtagsPath+"/unfollow", "tag", "reading"), 303)
		answers(t, "the list then", reader.get(hashtagsPath), 200, "/tags/maths", "!/tags/reading")
		answers(t, "showing one", author.post(hashtagsPath+"/feature", "feature", "Maths"), 303)
		answers(t, "the profile", c.guest().get("/@bo"), 200, "Writes about", "/@bo?tag=maths", "#Maths")
		answers(t, "the profile's posts with it", c.guest().get("/@bo?tag=maths"), 200, "Counting", "!Hidden")
		answers(t, "with another", c.guest().get("/@bo?tag=reading"), 200, "!Counting")
		answers(t, "in the settings", author.get(hashtagsPath), 200, "one post for everyone")
		answers(t, "not showing it", author.post(hashtagsPath+"/unfeature", "tag", "maths"), 303)
		answers(t, "the profile then", c.guest().get("/@bo"), 200, "!Writes about")
		answers(t, "a guest", c.guest().post(hashtagsPath+"/follow", "tag", "maths"), 401)
	})
}

func TestPublishingLaterOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		ana, author := c.teacher("ana", community.Member)
		_, other := c.teacher("bo", community.Member)
		form := func(more ...string) []string {
			return append([]string{"kind", "discussion", "title", "The fair", "body", "Bring cake.", "audience", "school", "form", "f1", "do", "publish"}, more...)
		}
		answers(t, "the form", author.get("/write?kind=discussion"), 200, `name="scheduled_at"`, "which shows", scheduledPath)
		answers(t, "too soon", author.post("/posts", form("scheduled_at", time.Now().Format(timeLayout))...), 422, `href="#field-scheduled_at"`, "Bring cake.")
		answers(t, "no time", author.post("/posts", form("scheduled_at", "tomorrow")...), 422, `href="#field-scheduled_at"`, "tomorrow")
		answers(t, "a preview", author.post("/posts", append(form("scheduled_at", "2099-01-01T08:00"), "do", "preview")...), 200, `value="2099-01-01T08:00"`)
		answers(t, "later", author.post("/posts", form("scheduled_at", "2099-01-01T08:00")...), 303, scheduledPath)
		answers(t, "sent twice", author.post("/posts", form("scheduled_at", "2099-01-01T08:00")...), 303, scheduledPath)
		list := author.get(scheduledPath)
		answers(t, "the list", list, 200, "The fair", "Bring cake.", "1 January 2099, 08:00")
		if n := strings.Count(list.Body.String(), "Bring cake."); n != 1 {
			t.Errorf("it waits %d times, want once", n)
		}
		at := scheduledPath + "/" + numbered(t, list, scheduledPath+"/")
		answers(t, "nobody reads it", other.get("/school"), 200, "!The fair")
		answers(t, "nor its list", other.get(scheduledPath), 200, "!The fair")
		c.refusesOthers(t, other, []string{at, at + "/remove"}, []string{at, at + "/remove"}, "The fair")
		answers(t, "its time", author.get(at), 200, `value="2099-01-01T08:00"`, "The fair")
		answers(t, "a time that has been", author.post(at, "scheduled_at", "2001-01-01T08:00"), 422, `href="#field-scheduled_at"`)
		answers(t, "another time", author.post(at, "scheduled_at", "2099-02-01T08:00"), 303, scheduledPath)
		answers(t, "the list then", author.get(scheduledPath), 200, "1 February 2099")
		c.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE scheduled_posts SET reason = 'The group is closed.' WHERE account_id = ?", ana.ID).Error
		})
		answers(t, "why it was not published", author.get(scheduledPath), 200, "The group is closed.")
		answers(t, "trying again", author.post(at, "scheduled_at", "2099-03-01T08:00"), 303)
		answers(t, "it waits again", author.get(scheduledPath), 200, "!The group is closed.", "1 March 2099")
		answers(t, "taking it back is asked about", author.get(at+"/remove"), 200, "The fair")
		answers(t, "taking it back", author.post(at+"/remove"), 303, scheduledPath)
		answers(t, "the list without", author.get(scheduledPath), 200, "!The fair", "Nothing waits")
	})
}

func TestNotificationPolicyOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, reader := c.teacher("ana", community.Member)
		bo, stranger := c.teacher("bo", community.Member)
		everybody := []string{"for_not_following", "accept", "for_not_followers", "accept", "for_new_accounts", "accept", "for_private_mentions", "accept", "for_limited_accounts", "accept"}
		answers(t, "the form", reader.get(policyPath), 200, `name="for_not_following"`, `value="accept" selected`)
		answers(t, "nothing that is offered", reader.post(policyPath, "for_not_following", "maybe"), 422)
		answers(t, "strangers apart", reader.post(policyPath, append([]string{"for_not_following", "filter"}, everybody[2:]...)...), 303, policyPath)
		answers(t, "is kept", reader.get(policyPath), 200, `value="filter" selected`)
		c.publish(bo, community.Draft{Kind: community.Note, Source: "@ana the first word", Audience: community.School})
		answers(t, "not among the others", reader.get("/notifications"), 200, "!the first word", "Set apart: one person", apartPath)
		list := reader.get(apartPath)
		answers(t, "apart", list, 200, "the first word", "/@bo", "One notification", "/accept", "/dismiss")
		at := apartPath + "/" + numbered(t, list, apartPath+"/")
		answers(t, "another's list", stranger.get(apartPath), 200, "!the first word")
		c.refusesOthers(t, stranger, nil, []string{at + "/accept", at + "/dismiss"}, "the first word")
		answers(t, "dismiss", reader.post(at+"/dismiss"), 303, apartPath)
		answers(t, "nobody waits", reader.get(apartPath), 200, "!the first word", "Nobody waits")
		c.publish(bo, community.Draft{Kind: community.Note, Source: "@ana the second word", Audience: community.School})
		at = apartPath + "/" + numbered(t, reader.get(apartPath), apartPath+"/")
		answers(t, "accept", reader.post(at+"/accept"), 303, apartPath)
		answers(t, "heard", reader.get("/notifications"), 200, "the second word", "!the first word", "!"+apartPath)
		answers(t, "a guest", c.guest().get(policyPath), 303, "/sign-in")
		answers(t, "a guest's list", c.guest().get(apartPath), 303, "/sign-in")
	})
}

func TestShuttingServersOutOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		ana, reader := c.teacher("ana", community.Member)
		_, other := c.teacher("bo", community.Member)
		c.write(func(tx *store.Tx) error {
			_, err := peers.Allow(tx, 0, "elm.test", peers.Entry{Label: "Elm School"})
			return err
		})
		finn := c.stranger("finn", "elm.test", true)
		c.follows(ana, finn)
		c.write(func(tx *store.Tx) error {
			f, err := community.FollowBetween(tx, ana.ID, finn.ID)
			if err != nil {
				return err
			}
			return community.ReceiveAccept(tx, finn, f.IRI(tx.Site), ana.ID)
		})
		answers(t, "from a profile", reader.get("/@finn@elm.test"), 200, serversPath+"/shut?host=elm.test")
		answers(t, "no name", reader.get(serversPath+"/shut?host=not+a+host"), 422, `href="#field-host"`, `value="not a host"`)
		answers(t, "this server", reader.get(serversPath+"/shut?host=oak.test"), 422)
		answers(t, "is asked about", reader.get(serversPath+"/shut?host=elm.test"), 200, "You stop following one person there")
		answers(t, "shut out", reader.post(serversPath+"/shut", "host", "elm.test"), 303, "/settings/blocked")
		answers(t, "is listed", reader.get("/settings/blocked"), 200, "elm.test", "/let-in")
		answers(t, "on its own page", reader.get(serversPath), 200, "elm.test", "/let-in")
		answers(t, "on a profile", reader.get("/@finn@elm.test"), 200, "/let-in", "!/follow\"")
		answers(t, "another's list", other.get("/settings/blocked"), 200, "!elm.test")
		answers(t, "another's page", other.get(serversPath), 200, "!/let-in")
		answers(t, "another lets it in", other.post(serversPath+"/let-in", "host", "elm.test"), 303)
		answers(t, "which changes nothing", reader.get(serversPath), 200, "/let-in")
		answers(t, "let in", reader.post(serversPath+"/let-in", "host", "elm.test"), 303)
		answers(t, "is not listed", reader.get(serversPath), 200, "!/let-in", "You shut no server out")
		answers(t, "a guest", c.guest().post(serversPath+"/shut", "host", "elm.test"), 401)
		answers(t, "a guest's list", c.guest().get(serversPath), 303, "/sign-in")
	})
}

func TestMessagesOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, reader := c.teacher("ana", community.Member)
		_, writer := c.teacher("bo", community.Member)
		_, other := c.teacher("eve", community.Member)
		answers(t, "none", reader.get("/messages"), 200, "No messages yet")
		answers(t, "from a profile", writer.get("/@ana"), 200, "/messages/new?to=%40ana")
		answers(t, "the form", writer.get("/messages/new?to=%40ana"), 200, `name="kind" value="note"`, `value="@ana`, `name="audience" value="people" checked`, `!value="school"`)
		form := []string{"kind", "note", "body", "Could you swap playground duty?", "audience", "people", "do", "publish"}
		answers(t, "to nobody known", writer.post("/posts", append(form, "to", "@nobody")...), 422, "Could you swap", `href="#field-to"`)
		sent := writer.post("/posts", append(form, "to", "@ana")...)
		answers(t, "sent", sent, 303, "/posts/")
		post := sent.Header().Get("Location")
		list := reader.get("/messages")
		answers(t, "the reader's list", list, 200, "Bo", "Could you swap", "new-dot")
		answers(t, "the writer's own", writer.get("/messages"), 200, "Ana", "You:", "!new-dot")
		at := "/messages/" + numbered(t, list, "/messages/")
		answers(t, "another's list", other.get("/messages"), 200, "!Could you swap")
		c.refusesOthers(t, other, []string{at}, []string{at + "/read", at + "/unread", at + "/drop"}, "Could you swap")
		answers(t, "another mutes the thread", other.post(post+"/mute-thread"), 404)
		answers(t, "opening it", reader.get(at), 303, post)
		answers(t, "it is read", reader.get("/messages"), 200, "!new-dot")
		answers(t, "marked unread", reader.post(at+"/unread"), 303, "/messages")
		answers(t, "it is unread", reader.get("/messages"), 200, "new-dot")
		answers(t, "marked read", reader.post(at+"/read"), 303, "/messages")
		answers(t, "muted", reader.post(post+"/mute-thread"), 303)
		answers(t, "the post says so", reader.get(post), 200, post+"/unmute-thread")
		answers(t, "the list says so", reader.get("/messages"), 200, post+"/unmute-thread")
		answers(t, "unmuted", reader.post(post+"/unmute-thread"), 303)
		answers(t, "the post then", reader.get(post), 200, post+"/mute-thread", "!"+post+"/unmute-thread")
		answers(t, "off the list", reader.post(at+"/drop"), 303, "/messages")
		answers(t, "the list without", reader.get("/messages"), 200, "!Could you swap")
		answers(t, "the writer's stays", writer.get("/messages"), 200, "Could you swap")
	})
}

// What pictures of a profile show is said to those who cannot see them, on the
// person's own page.
func TestPicturesOfAProfileAreDescribed(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		ana, author := c.teacher("ana", community.Member)
		answers(t, "the form", author.get("/settings/profile"), 200, `name="header"`, `name="header_alt"`, `name="avatar_alt"`)
		c.write(func(tx *store.Tx) error {
			f := community.ProfileOf(ana)
			f.Avatar, f.AvatarAlt, f.Header, f.HeaderAlt = "a.webp", "Ana at the harbour", "h.webp", "A row of kites"
			_, err := community.UpdateProfile(tx, ana, f)
			return err
		})
		answers(t, "her page", c.guest().get("/@ana"), 200, `alt="Ana at the harbour"`, `alt="A row of kites"`)
		answers(t, "in a list her name is enough", author.get("/settings/profile"), 200, `value="A row of kites"`)
	})
}

// A token that the server's administrator made stands beside the apps, with what
// it may, since when, and the way to end it.
func TestTokensStandAmongTheApps(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		ana, reader := c.teacher("ana", community.Member)
		_, other := c.teacher("bo", community.Member)
		c.write(func(tx *store.Tx) error {
			_, _, err := auth.Issue(tx, auth.NewGrant{Account: ana.ID, Name: "Timetable robot", Scopes: "read write:statuses"})
			return err
		})
		list := reader.get("/settings/sessions")
		answers(t, "the list", list, 200, "Timetable robot", "Read everything", "Change in your name: posts", "Let in on", "Not yet")
		answers(t, "another's", other.get("/settings/sessions"), 200, "!Timetable robot")
		end := "/settings/apps/" + numbered(t, list, "/settings/apps/") + "/end"
		other.post(end)
		answers(t, "another ends nothing", reader.get("/settings/sessions"), 200, "Timetable robot")
		answers(t, "ending it", reader.post(end), 303)
		answers(t, "the list then", reader.get("/settings/sessions"), 200, "!Timetable robot")
	})
}
