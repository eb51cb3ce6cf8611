package testnet_test

import (
	"fmt"
	"image"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// connected is a school with a teacher, and a server that it is connected with.
func connected(net *testnet.Net) (oak *testnet.Server, amira *testnet.Teacher, x *testnet.Stranger) {
	oak = net.Start("oak.test")
	amira, x = oak.Teacher("amira"), net.Stranger("x.test")
	oak.Admin().Allow("x.test")
	net.Settle()
	return oak, amira, x
}

// deal changes how a server is dealt with.
func deal(t *testing.T, s *testnet.Server, host string, change func(*peers.Policy)) {
	t.Helper()
	policy := peers.FullPolicy(peers.CeilingNetwork)
	change(&policy)
	err := s.DB().Write(t.Context(), func(tx *store.Tx) error {
		_, err := peers.Allow(tx, 0, host, peers.Entry{Policy: &policy})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// reasons are why the last thing sent about a post did not go to a host.
func reasons(t *testing.T, s *testnet.Server, post testnet.Post) (why []string) {
	t.Helper()
	err := s.DB().Read(t.Context(), func(tx *store.Tx) error {
		p, err := community.PostByURI(tx, post.IRI)
		if err != nil {
			return err
		}
		return tx.Raw("SELECT reason FROM deliveries WHERE post_id = ? AND state = 'withheld'", p.ID).Scan(&why).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	return why
}

// TestOutboundClasses does one thing of each kind for a server that gets it,
// and for the same server when it does not.
func TestOutboundClasses(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, amira, x := connected(net)
		x.Send(oak, x.Follows("pat", amira.Account.IRI(oak.DB().Site())))
		x.Send(oak, x.Note("pat", "To be answered"))
		net.Settle()
		home := func(words string) community.Post {
			t.Helper()
			var p community.Post
			err := oak.DB().Read(t.Context(), func(tx *store.Tx) error {
				return tx.Where("html LIKE ?", "%"+words+"%").Take(&p).Error
			})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		theirs := home("To be answered")
		got := func(kind, words string) bool {
			return slices.ContainsFunc(x.Taken(kind), func(r testnet.Received) bool { return strings.Contains(fmt.Sprint(r.Activity), words) })
		}
		n := 0
		for _, tt := range []struct {
			name  string
			class peers.Class
			kind  string
			do    func(words string) testnet.Post
		}{
			{"posts", peers.ClassPosts, "Create", func(words string) testnet.Post { return amira.Publish(words) }},
			{"replies", peers.ClassReplies, "Create", func(words string) testnet.Post {
				return amira.Write(community.Draft{Kind: community.Reply, Source: words, InReplyToID: theirs.ID, Audience: community.Public})
			}},
			{"mentions", peers.ClassReplies, "Create", func(words string) testnet.Post {
				return amira.Write(community.Draft{Kind: community.Discussion, Title: words, Source: "For @pat@x.test", Audience: community.Public})
			}},
		} {
			for _, sends := range []bool{true, false, true} {
				n++
				words := fmt.Sprintf("%s number %d.", tt.name, n)
				deal(t, oak, "x.test", func(p *peers.Policy) {
					if !sends {
						p.Outbound = p.Outbound.Without(tt.class)
					}
				})
				post := tt.do(words)
				net.Settle()
				if is := got(tt.kind, words); is != sends {
					t.Errorf("%s, sent %v: arrived %v", tt.name, sends, is)
				}
				if why := reasons(t, oak, post); !sends && !slices.Contains(why, "withheld.class") {
					t.Errorf("%s: withheld because of %q", tt.name, why)
				}
			}
		}

		// What they have is corrected and deleted, whatever is sent by now.
		post := amira.Publish("With an errer")
		net.Settle()
		deal(t, oak, "x.test", func(p *peers.Policy) { p.Outbound = 0 })
		late := amira.Publish("Never sent")
		amira.Retitle(post, "Without an error")
		amira.Retitle(late, "Still not sent")
		net.Settle()
		if !got("Update", "Without an error") || got("Update", "Still not sent") || got("Create", "Never sent") {
			t.Error("a post that they have is not corrected, or one that they have not is sent")
		}
		like := func() error {
			return oak.DB().Write(t.Context(), func(tx *store.Tx) error {
				_, err := community.Like(tx, amira.Account, theirs.ID)
				return err
			})
		}
		if err := like(); err != nil {
			t.Fatal(err)
		}
		net.Settle()
		if len(x.Taken("Like")) > 0 {
			t.Error("a reaction was sent")
		}
		amira.Delete(post)
		net.Settle()
		if !got("Delete", post.IRI) {
			t.Error("a deletion was not sent")
		}
		quin, err := amira.Look("@quin@x.test")
		if err != nil {
			t.Fatal(err)
		}
		err = oak.DB().Write(t.Context(), func(tx *store.Tx) error { _, err := community.Follow(tx, amira.Account, quin); return err })
		if f := fault.Of(err); f == nil || f.Key != "follow.class" {
			t.Errorf("following where nothing is sent: %v", err)
		}
	})
}

// TestListenOnly has a server that is read and gets nothing.
func TestListenOnly(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, amira, x := connected(net)
		x.Send(oak, x.Follows("pat", amira.Account.IRI(oak.DB().Site())))
		net.Settle()
		policy := peers.PresetListen.Policy()
		err := oak.DB().Write(t.Context(), func(tx *store.Tx) error {
			_, err := peers.Allow(tx, 0, "x.test", peers.Entry{Policy: &policy})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		post := amira.Publish("Not for listeners")
		x.Send(oak, x.Note("pat", "Heard"))
		amira.Follow("@quin@x.test")
		net.Settle()
		amira.WantConnected("Heard")
		for _, r := range x.Received() {
			if strings.Contains(fmt.Sprint(r.Activity), "Not for listeners") {
				t.Error("a post was sent to a server that gets nothing")
			}
		}
		if len(x.Taken("Follow")) == 0 {
			t.Error("the follow did not go out")
		}
		if status, body := x.Get(post.IRI); status == http.StatusOK || strings.Contains(body, "Not for listeners") {
			t.Errorf("a server that gets nothing fetches a public post: %d", status)
		}
		if status, body := x.Get(amira.Account.IRI(oak.DB().Site()) + "/outbox?page=true"); strings.Contains(body, "Not for listeners") {
			t.Errorf("the outbox shows it: %d", status)
		}
	})
}

// pictured serves a picture, and counts how often.
func pictured(x *testnet.Stranger, path string) {
	x.Serve(path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_ = png.Encode(w, image.NewNRGBA(image.Rect(0, 0, 8, 8)))
	}))
}

// withPicture is a note with a picture that is at an address.
func withPicture(x *testnet.Stranger, words, address string) map[string]any {
	note := x.Note("pat", words)
	note["object"].(map[string]any)["attachment"] = []any{map[string]any{"type": "Document", "mediaType": "image/png", "url": address, "name": "A leaf"}}
	return note
}

// pictureOf returns where our copy of the picture of a post is.
func pictureOf(t *testing.T, s *testnet.Server, words string) string {
	t.Helper()
	var id int64
	err := s.DB().Read(t.Context(), func(tx *store.Tx) error {
		return tx.Raw("SELECT a.id FROM attachments a JOIN posts p ON p.id = a.post_id WHERE p.html LIKE ?", "%"+words+"%").Scan(&id).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("/media/remote/%d", id)
}

// TestMediaPolicies looks at pictures of a server under each policy.
func TestMediaPolicies(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, amira, x := connected(net)
		b := browse(t, net, oak, amira)
		send := func(words string) string {
			pictured(x, "/pictures/"+words)
			if status, body := x.Send(oak, withPicture(x, words, x.URL("/pictures/"+words))); status != http.StatusAccepted {
				t.Fatalf("%s: %d %s", words, status, body)
			}
			net.Settle()
			return pictureOf(t, oak, words)
		}
		proxied := send("proxied")
		b.shows(proxied+"?size=small", http.StatusOK, "PNG")
		if x.Fetched("/pictures/proxied") == 0 {
			t.Error("a picture was shown that nobody fetched")
		}

		deal(t, oak, "x.test", func(p *peers.Policy) { p.Media = peers.MediaClick })
		clicked := send("clicked")
		b.shows(clicked+"?size=small", http.StatusOK, "Open to fetch this picture", "x.test", "!PNG")
		if n := x.Fetched("/pictures/clicked"); n != 0 {
			t.Errorf("a picture that nobody asked for was fetched %d times", n)
		}
		b.shows(clicked, http.StatusOK, "PNG")
		b.shows(clicked+"?size=small", http.StatusOK, "PNG") // somebody has asked
		b.shows(proxied+"?size=small", http.StatusOK, "PNG")

		deal(t, oak, "x.test", func(p *peers.Policy) { p.Media = peers.MediaStrip })
		if at := send("stripped"); at != "" {
			t.Errorf("a picture that is left out is at %s", at)
		}
		b.shows(clicked, http.StatusNotFound) // also what came before

		deal(t, oak, "x.test", func(p *peers.Policy) { p.Media = peers.MediaHold })
		x.Send(oak, x.Note("pat", "Without a picture"))
		if at := send("held"); at != "" {
			t.Errorf("a picture that has to be looked at is at %s", at)
		}
		if !holdsWords(t, oak, "Without a picture") || holdsWords(t, oak, "held") {
			t.Error("what is held are not the posts with pictures")
		}
	})
}

func holdsWords(t *testing.T, s *testnet.Server, words string) bool {
	t.Helper()
	var n int
	err := s.DB().Read(t.Context(), func(tx *store.Tx) error {
		return tx.Raw("SELECT COUNT(*) FROM posts WHERE html LIKE ? AND deleted_at IS NULL", "%"+words+"%").Scan(&n).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// TestMediaHostNotListed has a server whose pictures are elsewhere: nothing is
// asked there until an administrator has confirmed it, and then only for that
// server's posts.
func TestMediaHostNotListed(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := net.Start("oak.test")
		amira := oak.Teacher("amira")
		x, y, cdn := net.Stranger("x.test"), net.Stranger("y.test"), net.Stranger("cdn.else.test")
		oak.Admin().Allow("x.test")
		oak.Admin().Allow("y.test")
		net.Settle()
		b := browse(t, net, oak, amira)
		for _, from := range []*testnet.Stranger{x, y} {
			pictured(cdn, "/"+from.Host)
			from.Send(oak, withPicture(from, "By "+from.Host, cdn.URL("/"+from.Host)))
		}
		net.Settle()
		b.shows(pictureOf(t, oak, "By x.test"), http.StatusNotFound)
		if n := cdn.Asked(); n != 0 {
			t.Errorf("a media host that is not listed was asked %d times", n)
		}
		var proposed []peers.Name
		err := oak.DB().Write(t.Context(), func(tx *store.Tx) error {
			p, err := peers.Get(tx, "x.test")
			if err != nil {
				return err
			}
			if proposed, err = peers.NamesOf(tx, p.ID); err != nil {
				return err
			}
			return peers.ConfirmName(tx, 0, "x.test", "cdn.else.test")
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(proposed, func(n peers.Name) bool {
			return n.Host == "cdn.else.test" && n.Role == peers.RoleMedia && n.ConfirmedAt == nil
		}) {
			t.Errorf("the host was not proposed: %+v", proposed)
		}
		b.shows(pictureOf(t, oak, "By x.test"), http.StatusOK, "PNG")
		b.shows(pictureOf(t, oak, "By y.test"), http.StatusNotFound)
		if n := cdn.Fetched("/y.test"); n != 0 {
			t.Errorf("a media host was asked %d times for another server's picture", n)
		}

		// Another server has its pictures there too: that is confirmed by itself,
		// and takes nothing from the first.
		z := net.Stranger("z.test")
		oak.Admin().Allow("z.test")
		net.Settle()
		pictured(cdn, "/z.test")
		pictured(cdn, "/more")
		z.Send(oak, withPicture(z, "By z.test", cdn.URL("/z.test")))
		x.Send(oak, withPicture(x, "More by x", cdn.URL("/more")))
		net.Settle()
		b.shows(pictureOf(t, oak, "By z.test"), http.StatusNotFound)
		if err := oak.DB().Write(t.Context(), func(tx *store.Tx) error { return peers.ConfirmName(tx, 0, "z.test", "cdn.else.test") }); err != nil {
			t.Fatal(err)
		}
		b.shows(pictureOf(t, oak, "By z.test"), http.StatusOK, "PNG")
		b.shows(pictureOf(t, oak, "More by x"), http.StatusOK, "PNG")
		b.shows(pictureOf(t, oak, "By y.test"), http.StatusNotFound)
		if status, _ := cdn.Send(oak, cdn.Note("pat", "From a media host")); status != http.StatusForbidden {
			t.Errorf("a media host delivers: %d", status)
		}
	})
}

// TestRetention lets a server's posts that nobody used go after their time.
func TestRetention(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, amira, x := connected(net)
		old := func(words string, days int) {
			note := x.Note("pat", words)
			note["object"].(map[string]any)["published"] = time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339)
			x.Send(oak, note)
		}
		old("Old and forgotten", 40)
		old("Old and answered", 41)
		old("Of last week", 7)
		net.Settle()
		var answered community.Post
		err := oak.DB().Read(t.Context(), func(tx *store.Tx) error {
			return tx.Where("html LIKE ?", "%Old and answered%").Take(&answered).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		amira.Write(community.Draft{Kind: community.Reply, Source: "Thank you", InReplyToID: answered.ID, Audience: community.Public})
		net.Settle()
		deal(t, oak, "x.test", func(p *peers.Policy) { p.Retention = 30 })
		err = oak.DB().Write(t.Context(), func(tx *store.Tx) error { _, err := community.SweepEnds(tx); return err })
		if err != nil {
			t.Fatal(err)
		}
		net.Settle()
		for words, want := range map[string]bool{"Old and forgotten": false, "Old and answered": true, "Of last week": true, "Thank you": true} {
			if got := holdsWords(t, oak, words); got != want {
				t.Errorf("%q is kept: %v, want %v", words, got, want)
			}
		}
	})
}
