package web

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

const listKey = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"

// arrives has a list arrive as it is fetched, and take its effect.
func (o *office) arrives(id int64, key string, hosts ...peers.ListEntry) {
	o.t.Helper()
	at := time.Now()
	var c *peers.Change
	o.write(func(tx *store.Tx) (err error) {
		c, err = peers.ArriveList(tx, id, peers.Fetched{KeyPEM: key, Publisher: "https://region.example/actor", Digest: fmt.Sprint(len(hosts), hosts[0].Host),
			File: peers.ListFile{Format: peers.FormatChalkringList, Name: "Schools of the region", Publisher: "https://region.example/actor", Updated: &at, Entries: hosts}})
		return err
	})
	for more := c != nil; more; {
		o.write(func(tx *store.Tx) (err error) {
			more, err = c.Next(tx)
			return err
		})
	}
}

func schools(n int) []peers.ListEntry {
	all := make([]peers.ListEntry, n)
	for i := range all {
		all[i] = peers.ListEntry{Host: fmt.Sprintf("school%05d.example", i), Label: fmt.Sprintf("School %d", i), Tier: peers.PresetNetwork}
	}
	return all
}

// An administrator who has nobody yet is led to the list of the region, compares
// its key, and decides what it proposes, one by one and all at once.
func TestAdminFollowsAList(t *testing.T) {
	o := openOffice(t)
	admin := o.as(community.ITAdmin)
	admin.shows("/admin", 200, "Follow the list of your region", listsAt+"/follow")
	admin.shows(listsAt, 200, "No lists yet")
	admin.posts(listsAt+"/follow", url.Values{"url": {"region.example"}, "tier_cap": {"network"}, "on_retract": {"review"}, "priority": {"0"}}, 422, "Type the whole address")
	to := admin.posts(listsAt+"/follow", url.Values{"url": {"https://region.example/peering/lists/schools"}, "tier_cap": {"friendly"}, "on_retract": {"review"}, "priority": {"0"}}, 303)
	var sub peers.Subscription
	o.write(func(tx *store.Tx) (err error) {
		sub, err = peers.SubscriptionByURL(tx, "https://region.example/peering/lists/schools")
		return err
	})
	if to != subPath(sub.ID) {
		t.Errorf("led to %q", to)
	}
	o.arrives(sub.ID, listKey, schools(60)...)
	print := peers.KeyPrint(listKey)
	admin.shows(to, 200, "Schools of the region", "Is this their key?", print)
	admin.shows("/admin", 200, "Compare the key of Schools of the region")
	admin.posts(to+"/key", url.Values{"print": {"0000"}}, 422)
	admin.posts(to+"/key", url.Values{"print": {print}}, 303)
	o.arrives(sub.ID, listKey, schools(60)...)
	admin.shows(to, 200, "60 proposals of lists", "!Is this their key?")
	page := admin.shows(listsAt+"/drafts", 200, "school00059.example", "Connect as", "Accept all", "!school00001.example")
	first := between(page, listsAt+"/drafts/", `/accept"`)
	admin.posts(listsAt+"/drafts/"+first+"/accept", nil, 303)
	admin.shows(listsAt+"/drafts?q=school0001", 200, "school00011.example", "!school00020.example")
	admin.shows(listsAt+"/drafts/accept?q=school0001", 200, "Accept 10 proposals?")
	admin.posts(listsAt+"/drafts/reject", url.Values{"q": {"school0001"}}, 303)
	admin.posts(listsAt+"/drafts/accept", url.Values{"sub": {digits(sub.ID)}}, 303)
	admin.shows(listsAt+"/drafts", 200, "49 accepted proposals are still being done")
	for more := true; more; {
		o.write(func(tx *store.Tx) (err error) {
			more, err = peers.WorkDrafts(tx, 20, community.BlockHost)
			return err
		})
	}
	admin.shows(listsAt+"/drafts", 200, "Nothing to decide")
	admin.shows(listsAt+"/drafts?show=done", 200, "Take back", "Done")
	o.write(func(tx *store.Tx) error {
		p, err := peers.Get(tx, "school00000.example")
		if err == nil && (p.Preset != peers.PresetFriendly || p.Standing != peers.Allowed || p.ChangedBy == nil) {
			t.Errorf("the entry is %+v", p)
		}
		return err
	})
	admin.shows("/admin/peers/school00000.example", 200, "Came of the list", "Schools of the region (region.example)", subPath(sub.ID))
	// a list that changes very much is stopped, and says so
	o.arrives(sub.ID, listKey, schools(20)...)
	admin.shows(to, 200, "Very much changes at once", "40 taken back")
	admin.shows("/admin", 200, "changes very much at once")
	admin.posts(to+"/let", nil, 303)
	o.arrives(sub.ID, listKey, schools(20)...)
	admin.shows(listsAt+"/drafts?what=remove", 200, "The list took it back")
	// while its publisher is paused it is not asked for, which is no failure, and the page leads to what helps
	o.write(func(tx *store.Tx) error {
		if _, err := peers.Allow(tx, 0, "region.example", peers.Entry{}); err != nil {
			return err
		}
		s, err := peers.SubscriptionByID(tx, sub.ID)
		if err == nil {
			err = peers.ListFailed(tx, s, peers.ListPublisherPaused)
		}
		return err
	})
	admin.shows(to, 200, "Not asked: its publisher is paused", "Resume region.example, or stop following the list", peerPath("region.example")+"/resume", "!Cannot be had", "!Look at it now")
	o.write(func(tx *store.Tx) error { return peers.WakeLists(tx, "region.example") })
	// another key stops it, too
	o.arrives(sub.ID, strings.Replace(listKey, "Gb9E", "Gb9F", 1), schools(20)...)
	admin.shows(to, 200, "The key has changed", "The key before:", print)
	admin.shows(to+"/end", 200, "Follow the list")
	admin.posts(to+"/end", nil, 303)
	admin.shows(to, 200, "Followed no more")
	admin.posts(listsAt+"/excludes", url.Values{"host": {"elm.example"}, "note": {"our neighbours"}}, 303)
	admin.shows(listsAt+"/excludes", 200, "elm.example", "our neighbours")
	admin.posts(listsAt+"/excludes/elm.example/end", nil, 303)
	admin.shows(listsAt+"/excludes", 200, "!elm.example")
}

// An administrator of a region makes a list, gives it out, and raises an emergency.
func TestAdminPublishesAList(t *testing.T) {
	o := openOffice(t)
	admin := o.as(community.ITAdmin)
	admin.posts(listsAt+"/new", url.Values{"path": {"Schools!"}, "name": {""}, "visibility": {"peers"}}, 422, "Use small letters", "Give the list a name")
	to := admin.posts(listsAt+"/new", url.Values{"path": {"schools"}, "name": {"Schools of the region"}, "visibility": {"link"}, "formats": {"csv", "json"}, "presets": {"network"}, "kinds": {"school"}}, 303)
	admin.shows(to, 200, "Schools of the region", "Only you see it", "?key=")
	admin.posts(to+"/add", url.Values{"host": {"192.0.2.1"}, "tier": {"network"}}, 422)
	admin.posts(to+"/add", url.Values{"host": {"elm.example"}, "label": {"Elm Primary"}, "tier": {"network"}, "note": {"since 2024"}}, 303)
	admin.posts(to+"/publish", nil, 303)
	admin.shows(to, 200, "Elm Primary", "since 2024", "!Only you see it")
	admin.posts("/admin/peers/new", url.Values{"host": {"elm.example"}, "standing": {"allowed"}, "ceiling": {"network"}}, 303)
	admin.shows(to+"/emergency?host=elm.example", 200, "Have everybody pause elm.example?")
	admin.posts(to+"/emergency", url.Values{"host": {"elm.example"}}, 422, "Say why")
	admin.posts(to+"/emergency", url.Values{"host": {"elm.example"}, "reason": {"an account was taken over"}}, 303)
	admin.shows(to, 200, "Emergencies now", "an account was taken over", "1 emergency")
	o.write(func(tx *store.Tx) error {
		p, err := peers.Get(tx, "elm.example")
		if err == nil && p.Standing != peers.Paused {
			t.Errorf("elm.example is %s here", p.Standing)
		}
		return err
	})
	if next := admin.posts(to+"/over", url.Values{"host": {"elm.example"}, "reason": {"all is well"}}, 303); next != "/admin/peers/elm.example/resume" {
		t.Errorf("after the emergency, with the server still paused here, %q is shown", next)
	}
	admin.shows(to, 200, "!Emergencies now")
	admin.posts(to+"/retract", url.Values{"host": {"elm.example"}, "reason": {"closed"}}, 303)
	admin.shows(to, 200, "Lately taken off", "closed")
	admin.shows(to+"/unpublish", 200, "Give out")
	admin.posts(to+"/unpublish", nil, 303)
	admin.shows(to+"/drop", 200, "Delete")
	admin.posts(to+"/drop", nil, 303)
	admin.shows(to, 404)
	for _, role := range []community.Role{community.Member, community.Moderator} {
		o.as(role).shows(listsAt, 403)
		o.as(role).shows(listsAt+"/drafts", 403)
	}
}

// clerk is somebody at the office, at their browser.
type clerk struct {
	o    *office
	role community.Role
}

func (o *office) as(role community.Role) clerk { return clerk{o, role} }

func (c clerk) shows(path string, status int, words ...string) string {
	c.o.t.Helper()
	rec := c.o.do(c.role, path, nil)
	answers(c.o.t, path, rec, status, words...)
	return rec.Body.String()
}

func (c clerk) posts(path string, fields url.Values, status int, words ...string) string {
	c.o.t.Helper()
	if fields == nil {
		fields = url.Values{}
	}
	rec := c.o.do(c.role, path, fields)
	answers(c.o.t, path, rec, status, words...)
	return rec.Header().Get("Location")
}

// between is what stands in a text between two others.
func between(text, before, after string) string {
	head, _, _ := strings.Cut(text, after)
	return head[strings.LastIndex(head, before)+len(before):]
}
