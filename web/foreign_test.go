package web

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"log/slog"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// What other servers publish besides text is said in words, with where to find
// it, and nothing of theirs is embedded: FEDERATION.md, "Objects".
func TestForeignThings(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		var asked []string
		dot := func(_ context.Context, address string) ([]byte, string, error) {
			asked = append(asked, address)
			var b bytes.Buffer
			err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 4, 4)))
			return b.Bytes(), "image/png", err
		}
		library, err := media.Open(t.TempDir(), 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = library.Close() })
		p, err := New(Deps{DB: c.db, Auth: c.auth, Library: library, Remote: func(string) media.Getter { return dot }, Lookup: nowhere{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		r := mux.NewRouter()
		p.Routes(r)
		c.pages = r

		ana, reader := c.teacher("ana", community.Owner)
		var wai community.Account
		c.write(func(tx *store.Tx) (err error) {
			if _, err := peers.Allow(tx, ana.ID, "mob.test", peers.Entry{}); err != nil {
				return err
			}
			uri := "https://mob.test/@wai"
			wai, err = community.UpsertRemote(tx, community.RemoteAccount{Account: community.Account{Username: "wai", Host: "mob.test", URI: &uri, ActorType: "Person",
				Inbox: uri + "/inbox", DisplayName: "Wai :owl:", BioHTML: "<p>:owl:</p>", Emoji: []community.Emoji{{Name: "owl", URL: "https://mob.test/owl.png"}}}})
			return err
		})
		land := func(name string, kind community.Kind, title, html string, audience community.Audience, extra *community.Extra) (post community.Post) {
			c.write(func(tx *store.Tx) (err error) {
				post, _, err = community.Receive(tx, community.RemotePost{Author: wai, URI: "https://mob.test/" + name, URL: "https://mob.test/pages/" + name, Kind: kind,
					Audience: audience, Title: title, HTML: html, Extra: extra, Published: time.Now()})
				return err
			})
			return post
		}
		event := land("event", community.Discussion, "Listening walk :owl:", "<p>We walk.</p>", community.Public, &community.Extra{Type: "Event",
			Event: &community.Event{Start: time.Date(2026, 12, 3, 2, 45, 0, 0, time.UTC), End: time.Date(2026, 12, 3, 4, 0, 0, 0, time.UTC), Zone: "Pacific/Auckland",
				Places: []community.Place{{Name: "Library", Address: "1 Wharf Road"}}, Join: "https://tickets.test/walk"},
			Emoji: []community.Emoji{{Name: "owl", URL: "https://mob.test/owl.png"}}})
		answers(t, "an event", reader.get(postPath(event.ID)), 200, "Event", "3 December 2026, 15:45 NZDT to 17:00", "Library, 1 Wharf Road",
			"Take part at tickets.test", `alt=":owl:"`, `src="/media/emoji/post/`+digits(event.ID)+`/owl"`, `src="/media/emoji/account/`+digits(wai.ID)+`/owl"`, "!mob.test/owl.png")

		off := land("off", community.Discussion, "Quiz", "<p>x</p>", community.Public, &community.Extra{Type: "Event",
			Event: &community.Event{Start: time.Now(), Cancelled: true, Join: "https://tickets.test/quiz"}})
		answers(t, "a cancelled event", reader.get(postPath(off.ID)), 200, "Cancelled", "Open at mob.test", "!Take part")

		video := land("video", community.Discussion, "Blending", "", community.Public, &community.Extra{Type: "Video", Seconds: 754})
		answers(t, "a video", reader.get(postPath(video.ID)), 200, "Video", "12:34", "Watch at mob.test", "https://mob.test/pages/video", "!<video", "!<iframe")

		letter := land("letter", community.Note, "", "<p>Dear all</p>", community.Public, &community.Extra{Link: "https://essays.test/slow",
			Files: []community.ExternalFile{{URL: "https://mob.test/1.pdf", Mime: "application/pdf", Name: "Letter"}}, Languages: []string{"mi", "de-AT", "tlh"}})
		answers(t, "a letter", reader.get(postPath(letter.ID)), 200, "essays.test/slow", "Letter (PDF at mob.test)", "Also in", "Māori, German (AT), tlh")

		if w := reader.get("/media/emoji/post/" + digits(event.ID) + "/owl"); w.Code != 200 || w.Header().Get("Content-Type") != "image/png" {
			t.Errorf("an emoji: %d %s", w.Code, w.Header().Get("Content-Type"))
		}
		if len(asked) != 1 || asked[0] != "https://mob.test/owl.png" {
			t.Errorf("asked for %q", asked)
		}
		quiet := land("quiet", community.Note, "", "<p>:owl:</p>", community.Followers, &community.Extra{Emoji: []community.Emoji{{Name: "owl", URL: "https://mob.test/owl.png"}}})
		for what, path := range map[string]string{
			"an emoji that the post has not": "/media/emoji/post/" + digits(event.ID) + "/cat",
			"an emoji of a post of ours":     "/media/emoji/post/1/owl",
			"of a post for others":           "/media/emoji/post/" + digits(quiet.ID) + "/owl",
			"of somebody here":               "/media/emoji/account/" + digits(ana.ID) + "/owl",
		} {
			answers(t, what, reader.get(path), 404)
		}
		// What somebody elsewhere reacted with is told as a picture, to those who
		// may see the post.
		_, hers := c.teacher("mele", community.Member)
		for _, audience := range []community.Audience{community.Public, community.Followers} {
			mine := c.publish(ana, community.Draft{Kind: community.Note, Audience: audience, Source: "Owls"})
			c.write(func(tx *store.Tx) error {
				_, err := community.ReceiveLike(tx, wai, mine, community.Given{URI: "https://mob.test/r/" + string(audience), Emoji: ":owl:", EmojiURL: "https://mob.test/owl.png"})
				return err
			})
			face := "/media/emoji/reaction/" + digits(mine.ID) + "/" + digits(wai.ID) + "/owl"
			answers(t, "ana's notifications", reader.get("/notifications"), 200, `src="`+face+`"`, "!mob.test/owl.png")
			answers(t, "her picture of it", reader.get(face), 200)
			want := map[community.Audience]int{community.Public: 200, community.Followers: 404}[audience]
			answers(t, "a colleague's", hers.get(face), want)
			answers(t, "a guest's", c.guest().get(face), want)
			answers(t, "of another name", reader.get(face[:len(face)-3]+"cat"), 404)
			answers(t, "of somebody who gave none", reader.get("/media/emoji/reaction/"+digits(mine.ID)+"/"+digits(ana.ID)+"/owl"), 404)
		}
		c.write(func(tx *store.Tx) error {
			_, err := peers.Block(tx, ana.ID, "mob.test", peers.Entry{Reason: "tests"})
			return err
		})
		answers(t, "of a blocked server", reader.get("/media/emoji/account/"+digits(wai.ID)+"/owl"), 404)
	})
}

// nowhere is a network without anybody in it.
type nowhere struct{}

func (nowhere) Resolve(context.Context, string) (community.Account, error) {
	return community.Account{}, fault.New(fault.NotFound, "nobody is there")
}

func (nowhere) Fresh(context.Context, string) (community.Account, error) {
	return community.Account{}, fault.New(fault.NotFound, "nobody is there")
}

func (nowhere) ResolvePost(context.Context, string) (community.Post, error) {
	return community.Post{}, fault.New(fault.NotFound, "nothing is there")
}

func (nowhere) Freshen(context.Context, community.Post) {}

func (nowhere) FreshenAccount(context.Context, community.Account) {}
func (nowhere) FillThread(community.Post)                         {}

// What a server sent and was not taken is told to administrators, with why.
func TestNotTaken(t *testing.T) {
	o := openOffice(t)
	o.remote("elm.test", "bo")
	o.write(func(tx *store.Tx) error {
		for i, why := range []string{"arrived.too_big: document too big: nested deeper than 64", "Only its author may change a post.", ""} {
			err := tx.Exec("INSERT INTO incoming (id, host, activity_id, actor_uri, type, body, state, error, received_at) VALUES (?, ?, ?, ?, ?, ?, 'done', ?, ?)",
				tx.NewID(), "elm.test", "https://elm.test/a/"+digits(int64(i)), "https://elm.test/u/1", "Create", []byte{}, why, tx.Now).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	o.sees(community.ITAdmin, "/admin/peers/elm.test", "It is too large.", "nested deeper than 64", "It could not be taken.", "Only its author may change a post.")
}
