package testnet_test

import (
	"bytes"
	"context"
	"errors"
	"html"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-mastodon"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

const passphrase = "three words and more"

// browser is somebody's browser, signed in.
type browser struct {
	t    *testing.T
	http *http.Client
	base string
}

// browse signs somebody in on the pages.
func browse(t *testing.T, net *testnet.Net, s *testnet.Server, who *testnet.Teacher) *browser {
	t.Helper()
	hash, err := auth.NewPasswords(1).Hash(t.Context(), passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DB().Write(t.Context(), func(tx *store.Tx) error {
		return tx.Exec("UPDATE users SET password_hash = ? WHERE account_id = ?", hash, who.Account.ID).Error
	}); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, http: net.Client(), base: "https://" + s.Host}
	if b.http.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	if status, page, _ := b.post("/sign-in", url.Values{"login": {who.Account.Username}, "password": {passphrase}, "to": {"/home"}}); status != http.StatusSeeOther {
		t.Fatalf("sign in: %d %s", status, page)
	}
	return b
}

func (b *browser) do(r *http.Request) (status int, page, location string) {
	b.t.Helper()
	res, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(raw), res.Header.Get("Location")
}

func (b *browser) get(address string) (status int, page string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.base + address
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	status, page, _ = b.do(r)
	return status, page
}

func (b *browser) post(path string, form url.Values) (status int, page, location string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.base)
	return b.do(r)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// shows fails unless the page answers so and holds the words; "!" before a word
// says that it must not.
func (b *browser) shows(address string, want int, words ...string) {
	b.t.Helper()
	status, page := b.get(address)
	if status != want {
		b.t.Errorf("%s: %d, want %d", address, status, want)
	}
	for _, word := range words {
		word, not := strings.CutPrefix(word, "!")
		if strings.Contains(page, html.EscapeString(word)) == not {
			b.t.Errorf("%s shows %q: %v", address, word, !not)
		}
	}
}

// letIn registers an app, lets it in on the consent page and returns it, signed in.
func (b *browser) letIn(net *testnet.Net) *mastodon.Client {
	b.t.Helper()
	const scopes, back = "read write follow", "https://round.test/back"
	ctx, plain := b.t.Context(), net.Client()
	app, err := mastodon.RegisterApp(ctx, &mastodon.AppConfig{Client: *plain, Server: b.base, ClientName: "Round", Scopes: scopes, RedirectURIs: back})
	if err != nil {
		b.t.Fatal(err)
	}
	status, page := b.get(app.AuthURI)
	form := url.Values{"do": {"agree"}}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	if status != http.StatusOK || form.Get("client_id") != app.ClientID || !strings.Contains(page, "Round") {
		b.t.Fatalf("the consent page: %d %s", status, page)
	}
	status, page, to := b.post("/oauth/authorize", form)
	at, err := url.Parse(to)
	if err != nil || status != http.StatusFound || !strings.HasPrefix(to, back) || at.Query().Get("code") == "" {
		b.t.Fatalf("agreed: %d to %q, %s", status, to, page)
	}
	c := mastodon.NewClient(&mastodon.Config{Server: b.base, ClientID: app.ClientID, ClientSecret: app.ClientSecret})
	c.Client = *plain
	c.Timeout = 0 // streams last
	if err := c.GetUserAccessToken(ctx, at.Query().Get("code"), back); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// must is what a call answers that may not fail.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func idsOf(list []*mastodon.Status) []mastodon.ID {
	var out []mastodon.ID
	for _, s := range list {
		out = append(out, s.ID)
	}
	return out
}

// heard has something happen until a stream tells of it: nobody says when a
// stream has been opened.
func heard(t *testing.T, events <-chan mastodon.Event, happens func(n int)) *mastodon.Notification {
	t.Helper()
	for n := range 30 {
		happens(n)
		until := time.After(time.Second)
		for waiting := true; waiting; {
			select {
			case e, ok := <-events:
				if !ok {
					t.Fatal("the stream ended")
				}
				if told, is := e.(*mastodon.NotificationEvent); is {
					return told.Notification
				}
			case <-until:
				waiting = false
			}
		}
	}
	t.Fatal("nothing was heard")
	return nil
}

// One round with an app that others wrote, and what it did seen through the
// other doors: our own pages and other servers' signed questions.
func TestAppPagesAndServersShowTheSame(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := net.Start("oak.test"), net.Start("elm.test")
		net.Befriend(oak, elm)
		amira, bo, cy, faye := oak.Teacher("amira"), oak.Teacher("bo"), oak.Teacher("cy"), elm.Teacher("faye")
		hers, his := browse(t, net, oak, amira), browse(t, net, oak, bo)
		theirs, guest := browse(t, net, oak, cy), &browser{t: t, http: net.Client(), base: "https://oak.test"}
		ctx := t.Context()
		c := hers.letIn(net)
		status, statuses, account := must[*mastodon.Status](t), must[[]*mastodon.Status](t), must[*mastodon.Account](t)

		if me := account(c.GetAccountCurrentUser(ctx)); me.Acct != "amira" {
			t.Fatalf("signed in as %q", me.Acct)
		}
		if home := statuses(c.GetTimelineHome(ctx, nil)); len(home) != 0 {
			t.Errorf("home at first: %v", idsOf(home))
		}

		// Composing: a picture with its description behind a warning, a poll.
		var leaf bytes.Buffer
		if err := png.Encode(&leaf, image.NewNRGBA(image.Rect(0, 0, 40, 30))); err != nil {
			t.Fatal(err)
		}
		picture := must[*mastodon.Attachment](t)(c.UploadMediaFromMedia(ctx, &mastodon.Media{File: &leaf, Description: "A wall of paper leaves"}))
		wall := status(c.PostStatus(ctx, &mastodon.Toot{Status: "Our wall #fractions", Visibility: "public", MediaIDs: []mastodon.ID{picture.ID}, Sensitive: true, SpoilerText: "A bright wall"}))
		if len(wall.MediaAttachments) != 1 || wall.MediaAttachments[0].Description != "A wall of paper leaves" || wall.SpoilerText != "A bright wall" || !wall.Sensitive {
			t.Errorf("posted: %+v", wall)
		}
		poll := status(c.PostStatus(ctx, &mastodon.Toot{Status: "Which first?", Visibility: "public", Poll: &mastodon.TootPoll{Options: []string{"Halves", "Thirds"}, ExpiresInSeconds: 3600}}))
		if poll.Poll == nil || len(poll.Poll.Options) != 2 {
			t.Errorf("the poll: %+v", poll.Poll)
		}
		letter := status(c.PostStatus(ctx, &mastodon.Toot{Status: "@bo between the two of us", Visibility: "direct"}))
		followers := status(c.PostStatus(ctx, &mastodon.Toot{Status: "For my followers", Visibility: "private"}))

		// Answers, live by both ways and in the thread.
		events, stop := context.WithCancel(ctx)
		defer stop()
		sse := must[chan mastodon.Event](t)(c.StreamingUser(events))
		socket := c.NewWSClient()
		transport := c.Transport.(*http.Transport)
		socket.TLSClientConfig, socket.NetDialContext = transport.TLSClientConfig.Clone(), transport.DialContext
		ws := must[chan mastodon.Event](t)(socket.StreamingWSUser(events))
		var replies []testnet.Post
		answers := func(n int) {
			replies = append(replies, bo.Reply(testnet.Post{IRI: wall.URI}, "I like it, "+strconv.Itoa(n)+" @amira"))
		}
		for way, stream := range map[string]chan mastodon.Event{"events": sse, "WebSocket": ws} {
			if n := heard(t, stream, answers); n.Type != "mention" || n.Account.Acct != "bo" || n.Status == nil {
				t.Errorf("by %s: %+v", way, n)
			}
		}
		stop()
		for range sse { // end with the context
		}
		told := must[[]*mastodon.Notification](t)(c.GetNotifications(ctx, nil))
		if len(told) != len(replies) || told[0].Type != "mention" {
			t.Errorf("%d notifications of %d replies", len(told), len(replies))
		}
		thanks := status(c.PostStatus(ctx, &mastodon.Toot{Status: "@bo Thank you", Visibility: "public", InReplyToID: told[0].Status.ID}))
		thread := must[*mastodon.Context](t)(c.GetStatusContext(ctx, wall.ID))
		if !slices.Contains(idsOf(thread.Descendants), thanks.ID) || len(thread.Descendants) != len(replies)+1 {
			t.Errorf("the thread: %v", idsOf(thread.Descendants))
		}

		// Somebody at another school: found, followed, read.
		found := must[*mastodon.Results](t)(c.Search(ctx, "@faye@elm.test", true))
		if len(found.Accounts) != 1 || found.Accounts[0].Acct != "faye@elm.test" {
			t.Fatalf("found: %+v", found)
		}
		far := found.Accounts[0]
		must[*mastodon.Relationship](t)(c.AccountFollow(ctx, far.ID))
		net.Settle()
		if r := must[[]*mastodon.Relationship](t)(c.GetAccountRelationships(ctx, []string{string(far.ID)})); len(r) != 1 || !r[0].Following {
			t.Errorf("following: %+v", r)
		}
		faye.Publish("Exit tickets in five minutes")
		net.Settle()
		home := statuses(c.GetTimelineHome(ctx, nil))
		if len(home) == 0 || home[0].Account.Acct != "faye@elm.test" || !strings.Contains(home[0].Content, "Exit tickets") {
			t.Fatalf("home: %v", idsOf(home))
		}
		tickets := home[0]

		// A list, a filter, marks.
		list := must[*mastodon.List](t)(c.CreateList(ctx, "Elsewhere"))
		if err := c.AddToList(ctx, list.ID, far.ID); err != nil {
			t.Fatal(err)
		}
		if got := idsOf(statuses(c.GetTimelineList(ctx, list.ID, nil))); !slices.Equal(got, []mastodon.ID{tickets.ID}) {
			t.Errorf("the list: %v", got)
		}
		hers.shows("/lists/"+string(list.ID), 200, "Exit tickets")
		theirs.shows("/lists/"+string(list.ID), 404, "!Exit tickets")
		filter := must[*mastodon.Filter](t)(c.CreateFilter(ctx, &mastodon.Filter{Phrase: "tickets", Context: []string{"home"}}))
		if got := statuses(c.GetTimelineHome(ctx, nil)); len(got[0].Filtered) == 0 {
			t.Errorf("the filter: %+v", got[0].Filtered)
		}
		hers.shows("/home", 200, "Filtered: tickets")
		if err := c.DeleteFilter(ctx, filter.ID); err != nil {
			t.Fatal(err)
		}
		hers.shows("/home", 200, "!Filtered: tickets", "Exit tickets")
		status(c.Favourite(ctx, tickets.ID))
		status(c.Bookmark(ctx, tickets.ID))
		boost := status(c.Reblog(ctx, tickets.ID))
		if boost.Reblog == nil || boost.Reblog.ID != tickets.ID || boost.Reblog.Reblogged != true {
			t.Errorf("boosted: %+v", boost)
		}
		for name, list := range map[string][]*mastodon.Status{"favourites": statuses(c.GetFavourites(ctx, nil)), "bookmarks": statuses(c.GetBookmarks(ctx, nil))} {
			if got := idsOf(list); !slices.Equal(got, []mastodon.ID{tickets.ID}) {
				t.Errorf("%s: %v", name, got)
			}
		}
		net.Settle()
		faye.WantNotified("boost @amira@oak.test", "like @amira@oak.test", "follow @amira@oak.test")
		status(c.Unreblog(ctx, tickets.ID))
		status(c.Unfavourite(ctx, tickets.ID))
		status(c.Unbookmark(ctx, tickets.ID))
		if err := c.DeleteList(ctx, list.ID); err != nil {
			t.Fatal(err)
		}

		// The profile, as the pages and another server see it.
		name, note := "Amira of Oak", "Teaches maths"
		if me := account(c.AccountUpdate(ctx, &mastodon.Profile{DisplayName: &name, Note: &note})); me.DisplayName != name {
			t.Errorf("the profile: %+v", me)
		}
		guest.shows("/@amira", 200, name, note, "!For my followers", "!between the two of us")
		hers.shows("/@amira", 200, name, "Our wall", "Which first?")

		// The same posts by three doors: the app, the pages, a signed question.
		knows := func(address string) bool {
			_, err := elm.Federation().ResolvePost(ctx, address)
			return err == nil
		}
		for _, p := range []struct {
			what                      string
			status                    *mastodon.Status
			words                     string
			bo, cy, guest, elmByAsked bool
		}{
			{"public, with a picture", wall, "Our wall", true, true, true, true},
			{"public, with a poll", poll, "Halves", true, true, true, true},
			{"for one person", letter, "between the two of us", true, false, false, false},
			{"for followers", followers, "For my followers", false, false, false, false},
		} {
			hers.shows(p.status.URL, 200, p.words)
			for who, sees := range map[*browser]bool{his: p.bo, theirs: p.cy, guest: p.guest} {
				want, words := 404, "!"+p.words
				if sees {
					want, words = 200, p.words
				}
				who.shows(p.status.URL, want, words)
			}
			if got := knows(p.status.URI); got != p.elmByAsked {
				t.Errorf("%s: elm.test is given it: %v", p.what, got)
			}
		}
		guest.shows(wall.URL, 200, "A bright wall", "A wall of paper leaves")
		hers.shows("/notifications", 200, "I like it")

		// Deleted: gone by every door, also where somebody follows.
		faye.Follow("@amira@oak.test")
		net.Settle()
		if !faye.Sees(testnet.Post{IRI: wall.URI}) {
			t.Error("faye does not see what elm.test asked for")
		}
		if err := c.DeleteStatus(ctx, wall.ID); err != nil {
			t.Fatal(err)
		}
		var refused *mastodon.APIError
		if _, err := c.GetStatus(ctx, wall.ID); !errors.As(err, &refused) || refused.StatusCode != http.StatusNotFound {
			t.Errorf("a deleted post: %v", err)
		}
		if code, page := guest.get(wall.URL); code != http.StatusGone && code != http.StatusNotFound || strings.Contains(page, "A bright wall") {
			t.Errorf("the page of a deleted post: %d", code)
		}
		net.Settle()
		if faye.Sees(testnet.Post{IRI: wall.URI}) {
			t.Error("elm.test still shows a deleted post")
		}
	})
}
