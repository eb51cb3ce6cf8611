package federation

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// mailbox keeps the bodies that reach a server's inboxes, and takes them.
func (n *server) mailbox() func() []string {
	var mu sync.Mutex
	var got []string
	n.tap = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(body))
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		all := slices.Clone(got)
		got = nil
		return all
	}
}

// forwarded are those of some bodies that are not of the server that sent them.
func forwarded(all []string, host string) []string {
	return slices.DeleteFunc(all, func(s string) bool {
		var a struct{ Actor string }
		return json.Unmarshal([]byte(s), &a) != nil || strings.Contains(a.Actor, "//"+host+"/")
	})
}

// W3C ActivityPub, section 7.1.2: an answer to one of ours is passed on to the
// followers whom its author addressed, word for word, to their servers alone.
func TestAnswersAreForwarded(t *testing.T) {
	const public = "https://www.w3.org/ns/activitystreams#Public"
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir, gum := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost"), r.start("gum.localhost")
		r.befriend()
		amira, bo, cy, di := oak.person("amira"), elm.person("bo"), fir.person("cy"), gum.person("di")
		for who, n := range map[*community.Account]*server{&bo: elm, &cy: fir, &di: gum} {
			n.follow(*who, "@amira@oak.localhost")
		}
		oak.write(func(tx *store.Tx) error { // gum is given what is public
			_, err := peers.Allow(tx, 0, "gum.localhost", peers.Entry{Ceiling: peers.CeilingPublic})
			return err
		})
		posts := map[community.Audience]community.Post{}
		for _, a := range []community.Audience{community.Public, community.Network, community.Followers, community.School} {
			posts[a] = oak.publish(amira, community.Draft{Source: "For " + string(a), Audience: a})
		}
		bohere := oak.seen("@bo@elm.localhost")
		posts[community.People] = oak.publish(amira, community.Draft{Source: "For bo", Audience: community.People, To: []int64{bohere.ID}})
		atFir, atGum, atElm := fir.mailbox(), gum.mailbox(), elm.mailbox()
		followers, bos := oak.site.Followers(amira.ID), elm.site.Followers(bo.ID)

		tests := []struct {
			name     string
			under    community.Audience
			to, cc   []string
			fir, gum bool
		}{
			{"public, with the followers of whom it answers", community.Public, []string{public}, []string{followers, bos}, true, true},
			{"public, without them", community.Public, []string{public}, []string{bos}, false, false},
			{"for these followers, under a public post", community.Public, []string{followers}, nil, true, false},
			{"for these followers, under a post for the network", community.Network, []string{followers}, nil, true, false},
			{"for these followers, under a post for them", community.Followers, []string{followers}, nil, true, false},
			{"public, under a post for followers", community.Followers, []string{public}, []string{followers}, true, false},
			{"public, under a post for chosen people", community.People, []string{public, followers}, nil, false, false},
			{"public, under a post that stays in the school", community.School, []string{public, followers}, nil, false, false},
			{"for the followers of its author", community.Public, []string{bos}, nil, false, false},
		}
		for i, tt := range tests {
			n := elm.note(bo, "answer"+string(rune('a'+i)))
			o := n["object"].(doc)
			n["to"], n["cc"], o["to"], o["cc"] = tt.to, tt.cc, tt.to, tt.cc
			o["inReplyTo"] = oak.site.Post(posts[tt.under].ID)
			body, _ := json.MarshalIndent(n, "", "   ") // spelt as nobody else would
			for range 2 {                               // and once is enough
				if res := elm.say(bo, oak, body); res.Status != http.StatusAccepted {
					t.Fatalf("%s: %d", tt.name, res.Status)
				}
				r.settle()
			}
			for _, there := range []struct {
				host string
				got  []string
				want bool
			}{{"fir", forwarded(atFir(), oak.host), tt.fir}, {"gum", forwarded(atGum(), oak.host), tt.gum}, {"its own server", forwarded(atElm(), oak.host), false}} {
				want := 0
				if there.want {
					want = 1
				}
				if len(there.got) != want || want == 1 && !bytes.Equal([]byte(there.got[0]), body) {
					t.Errorf("%s: %s got %d: %s", tt.name, there.host, len(there.got), there.got)
				}
			}
		}

		// Its change and its end go where it went, and no further.
		update := elm.note(bo, "answera")
		o := update["object"].(doc)
		update["id"], update["type"] = elm.site.URL("/test/update/a"), "Update"
		o["to"], o["cc"], o["inReplyTo"] = []string{public}, []string{followers}, oak.site.Post(posts[community.Public].ID)
		o["content"], o["updated"] = "<p>changed</p>", "2099-01-01T00:00:00Z"
		elm.say(bo, oak, update)
		r.settle()
		if got := forwarded(atFir(), oak.host); len(got) != 1 || !strings.Contains(got[0], "changed") {
			t.Errorf("of the change fir got %s", got)
		}
		update["id"], update["to"], update["cc"] = elm.site.URL("/test/update/b"), []string{bos}, nil
		o["to"], o["cc"], o["content"], o["updated"] = []string{bos}, nil, "<p>for fewer</p>", "2099-01-02T00:00:00Z"
		elm.say(bo, oak, update)
		r.settle()
		if got := forwarded(atFir(), oak.host); len(got) != 0 {
			t.Errorf("of the change for others fir got %s", got)
		}
		for name, want := range map[string]int{"answera": 1, "answerb": 0} {
			elm.say(bo, oak, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": elm.site.URL("/test/delete/" + name), "type": "Delete",
				"actor": elm.site.Actor(bo.ID), "to": []string{public}, "object": elm.site.URL("/test/" + name)})
			r.settle()
			if got := forwarded(atFir(), oak.host); len(got) != want {
				t.Errorf("of the end of %s fir got %s", name, got)
			}
		}
		if n := oak.count("SELECT COUNT(*) FROM outgoing WHERE verb = 'Forward' AND post_id IN (SELECT id FROM posts WHERE deleted_at IS NOT NULL) AND body IS NOT NULL"); n > 0 {
			t.Error("what was deleted is kept to be passed on")
		}
		// It is not ours to tell to whoever asks.
		row := oak.count("SELECT MIN(id) FROM outgoing WHERE verb = 'Forward' AND body IS NOT NULL")
		fir.tap = nil // so that it can be asked for its keys
		if res := fir.ask(cy, oak.site.Activity(int64(row))); res.Status != http.StatusNotFound {
			t.Errorf("as an activity of ours: %d", res.Status)
		}
		// Whoever amira blocks is not heard, here or by way of here.
		oak.write(func(tx *store.Tx) error { return community.Block(tx, amira, bohere) })
		r.settle()
		atFir = fir.mailbox()
		n := elm.note(bo, "unwanted")
		n["cc"] = []string{followers}
		n["object"].(doc)["cc"], n["object"].(doc)["inReplyTo"] = n["cc"], oak.site.Post(posts[community.Public].ID)
		elm.say(bo, oak, n)
		r.settle()
		if got := forwarded(atFir(), oak.host); len(got) != 0 {
			t.Errorf("of the blocked: %s", got)
		}
	})
}

// Who follows somebody reads what others answer them, wherever they are.
func TestAnswersReachFollowersElsewhere(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir, yew := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost"), r.start("yew.localhost")
		for _, pair := range [][2]*server{{oak, elm}, {oak, fir}, {oak, yew}, {elm, fir}} { // yew and elm are strangers
			pair[0].allow(pair[1].host)
			pair[1].allow(pair[0].host)
		}
		r.settle()
		amira, bo, cy, di := oak.person("amira"), elm.person("bo"), fir.person("cy"), yew.person("di")
		elm.follow(bo, "@amira@oak.localhost")
		fir.follow(cy, "@amira@oak.localhost")
		yew.follow(di, "@amira@oak.localhost")
		top := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "Topic", Source: "top"})
		reply := elm.publish(bo, community.Draft{Kind: community.Reply, Source: "well", InReplyToID: elm.copyOf(top, oak).ID})
		there := fir.copyOf(reply, elm)
		if there.InReplyToID == nil || *there.InReplyToID != fir.copyOf(top, oak).ID || !strings.Contains(there.HTML, "well") {
			t.Errorf("fir has %+v", there)
		}
		if n := yew.count("SELECT COUNT(*) FROM posts WHERE author_host = 'elm.localhost'"); n != 0 {
			t.Errorf("yew has %d posts of a stranger", n)
		}
		elm.write(func(tx *store.Tx) error { return community.Delete(tx, bo, reply.ID) })
		r.settle()
		if there = fir.copyOf(reply, elm); there.DeletedAt == nil {
			t.Errorf("fir still has %+v", there)
		}
		// What is not for everyone is not passed on.
		closed := elm.publish(bo, community.Draft{Kind: community.Reply, Source: "between us", InReplyToID: elm.copyOf(top, oak).ID, Audience: community.Network})
		if n := fir.count("SELECT COUNT(*) FROM posts WHERE uri = ?", elm.site.Post(closed.ID)); n != 1 { // elm sent it to its network itself
			t.Errorf("fir has %d of what is for the network", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM outgoing WHERE verb = 'Forward'"); n != 2 {
			t.Errorf("oak passed on %d things", n)
		}
	})
}
