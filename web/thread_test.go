package web

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// filling is a network that notes which threads are to be looked up in it.
type filling struct {
	nowhere
	threads []int64
}

func (f *filling) FillThread(p community.Post) { f.threads = append(f.threads, p.ID) }

// A thread says what is missing from it, and is looked up for those who are
// signed in; what comes meanwhile comes onto the page.
func TestThreadSaysWhatIsMissing(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		lookup := &filling{}
		p, err := New(Deps{DB: c.db, Auth: c.auth, Lookup: lookup, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		r := mux.NewRouter()
		p.Routes(r)
		c.pages = r
		ana, reader := c.teacher("ana", community.Owner)
		var wai community.Account
		c.write(func(tx *store.Tx) (err error) {
			if _, err := peers.Allow(tx, ana.ID, "elm.test", peers.Entry{}); err != nil {
				return err
			}
			uri := "https://elm.test/u/1"
			wai, err = community.UpsertRemote(tx, community.RemoteAccount{Account: community.Account{Username: "wai", Host: "elm.test", URI: &uri, ActorType: "Person", Inbox: uri + "/inbox"}})
			return err
		})
		at := time.Now().Add(-time.Hour)
		land := func(name, under string, parent *community.Post) (post community.Post) {
			at = at.Add(time.Second)
			c.write(func(tx *store.Tx) (err error) {
				kind := community.Reply
				if under == "" {
					kind = community.Note
				}
				post, _, err = community.Receive(tx, community.RemotePost{Author: wai, URI: "https://elm.test/" + name, Kind: kind,
					Audience: community.Public, HTML: "<p>" + name + "</p>", InReplyToURI: under, Parent: parent, Published: at})
				return err
			})
			return post
		}
		middle := land("middle", "https://elm.test/start", nil)
		c.write(func(tx *store.Tx) error {
			return community.ReplaceGhosts(tx, nil, []community.Ghost{
				{PostID: middle.ID, URI: "https://fir.test/1", Host: "fir.test", Reason: community.MissingStranger},
				{PostID: middle.ID, URI: "https://elm.test/2", Host: "elm.test", Reason: community.MissingDeleted},
				{PostID: middle.ID, URI: "https://elm.test/3", Host: "elm.test", Reason: community.MissingUnreadable}})
		})
		page := postPath(middle.ID)
		answers(t, "the thread", reader.get(page), 200, "This answers a post on elm.test that is not here yet.", "3 more replies are known of and not here.",
			"A reply comes from fir.test, a server this school is not connected with.", "This reply was deleted.", "A reply on elm.test could not be read.")
		c.write(func(tx *store.Tx) error {
			var many []community.Ghost
			for i := range 12 {
				many = append(many, community.Ghost{PostID: middle.ID, URI: "https://s" + strconv.Itoa(i) + ".test/1", Host: "s" + strconv.Itoa(i) + ".test", Reason: community.MissingStranger})
			}
			return community.ReplaceGhosts(tx, nil, many)
		})
		answers(t, "a thread that many strangers answer", reader.get(page), 200, "15 more replies are known of and not here.",
			"13 replies come from servers this school is not connected with.", "!s1.test", "A reply on elm.test could not be read.")
		lookup.threads = lookup.threads[:1]
		if !slices.Equal(lookup.threads, []int64{middle.ID}) {
			t.Errorf("looked up %v", lookup.threads)
		}
		answers(t, "the thread, to a guest", c.guest().get(page), 200, "middle", "!fir.test", "!could not be read")
		if len(lookup.threads) != 1 {
			t.Error("a guest had the thread looked up")
		}

		// What began here is looked up as soon as somebody elsewhere answers.
		var ours community.Post
		c.write(func(tx *store.Tx) (err error) {
			ours, err = community.Publish(tx, ana, community.Draft{Kind: community.Note, Source: "ours", Audience: community.Public})
			return err
		})
		for _, want := range []int{1, 2} {
			reader.get(postPath(ours.ID))
			if len(lookup.threads) != want {
				t.Errorf("looked up %v, want %d", lookup.threads, want)
			}
			land("there", "https://"+c.db.Site().Host+"/o/"+digits(ours.ID), &ours)
		}

		next := reader.listen("thread:" + strconv.FormatInt(middle.ID, 10))
		land("answer", "https://elm.test/middle", &middle)
		next("answer")
		start := land("start", "", nil)
		next(`<a href="` + page + `">What this answers has come`)
		c.write(func(tx *store.Tx) (err error) {
			middle, err = community.PostByID(tx, middle.ID)
			return err
		})
		if middle.ThreadID != start.ID {
			t.Fatalf("the thread is %d, want %d", middle.ThreadID, start.ID)
		}
		land("beside", "https://elm.test/start", &start) // is no part of what the page shows
		land("further", "https://elm.test/middle", &middle)
		if heard := next("further"); strings.Contains(heard, "beside") {
			t.Errorf("the page heard what is no part of it: %s", heard)
		}
	})
}
