package community

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

func TestMaySee(t *testing.T) {
	const amira, bo = 1, 2
	now := time.Now()
	member, guest := Viewer{ID: bo, Local: true}, Guest
	partner := Viewer{Host: "elm.test", Ceiling: peers.CeilingNetwork, Closed: true}
	with := func(v Viewer, r Regards) Viewer { v.Regards = r; return v }
	tests := []struct {
		name   string
		post   Post
		viewer Viewer
		want   bool
	}{
		{"public, nobody signed in", Post{Audience: Public}, guest, true},
		{"public, of a blocked host", Post{Audience: Public}, with(guest, Regards{Withdrawn: true}), false},
		{"public, between two who blocked", Post{Audience: Public}, with(member, Regards{Blocked: true}), false},
		{"public, deleted, its author", Post{Audience: Public, AuthorID: bo, DeletedAt: &now}, member, false},
		{"own, for nobody else", Post{Audience: Me, AuthorID: bo}, member, true},
		{"own, for nobody else, another member", Post{Audience: Me}, with(member, Regards{Mentioned: true, Follows: true}), false},
		{"school, a member", Post{Audience: School}, member, true},
		{"school, nobody signed in", Post{Audience: School}, guest, false},
		{"school, a peer whose person is named", Post{Audience: School}, with(partner, Regards{Mentioned: true, Follows: true}), false},
		{"school, of another school", Post{Audience: School, AuthorHost: "elm.test"}, member, false},
		{"network, a member", Post{Audience: Network, AuthorHost: "elm.test"}, member, true},
		{"network, a partner school", Post{Audience: Network}, partner, true},
		{"network, a partner school, but entrusted to us by another", Post{Audience: Network, AuthorHost: "ash.test"}, partner, false},
		{"network, a server that keeps nothing closed", Post{Audience: Network}, Viewer{Host: "m.test", Ceiling: peers.CeilingNetwork}, false},
		{"network, a server with the ceiling public", Post{Audience: Network}, Viewer{Host: "m.test", Ceiling: peers.CeilingPublic, Closed: true}, false},
		{"followers, a member who does not follow", Post{Audience: Followers}, member, false},
		{"followers, a member who follows", Post{Audience: Followers}, with(member, Regards{Follows: true}), true},
		{"followers, a member who is named", Post{Audience: Followers}, with(member, Regards{Mentioned: true}), true},
		{"followers, a partner school with a follower", Post{Audience: Followers}, with(partner, Regards{Follows: true}), true},
		{"followers, a partner school without", Post{Audience: Followers}, partner, false},
		{"people, a follower who is not named", Post{Audience: People}, with(member, Regards{Follows: true}), false},
		{"people, named", Post{Audience: People}, with(member, Regards{Mentioned: true}), true},
		{"people, named at a server that only listens", Post{Audience: People},
			Viewer{Host: "m.test", Ceiling: peers.CeilingNone, Closed: true, Regards: Regards{Mentioned: true}}, false},
		{"group, a follower who is no member", Post{Audience: Group}, with(member, Regards{Follows: true, Mentioned: true}), false},
		{"group, a member of it", Post{Audience: Group}, with(member, Regards{Member: true}), true},
	}
	for _, tt := range tests {
		if tt.post.AuthorID == 0 {
			tt.post.AuthorID = amira
		}
		if got := MaySee(tt.post, tt.viewer); got != tt.want {
			t.Errorf("%s: MaySee = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestAudiencesAreOrdered(t *testing.T) {
	all := Audiences()
	for i, a := range all {
		for j, b := range all {
			if got := a.Within(b); got != (i <= j) {
				t.Errorf("%s within %s = %v", a, b, got)
			}
		}
	}
	if School.Within(Placement.Ceiling()) || !Group.Within(Placement.Ceiling()) || !Public.Within(Member.Ceiling()) {
		t.Error("a placement's ceiling is the group, everybody else's is the public")
	}
}

// shutting is who shuts out which server.
type shutting struct {
	who  int64
	host string
}

// scene is a small random community, kept beside what is in the tables.
type scene struct {
	accounts []Account
	hosts    map[string]bool // blocked?
	follows  map[[2]int64]FollowState
	blocks   map[[2]int64]bool
	shut     map[shutting]bool // who sees nothing of which server
	posts    []Post
	mentions map[int64][]int64
}

func (s *scene) account(id int64) Account {
	return s.accounts[slices.IndexFunc(s.accounts, func(a Account) bool { return a.ID == id })]
}

func (s *scene) post(id int64) (Post, bool) {
	i := slices.IndexFunc(s.posts, func(p Post) bool { return p.ID == id })
	if i < 0 {
		return Post{}, false
	}
	return s.posts[i], true
}

// draw makes up a scene and writes it into the tables.
func draw(rt *rapid.T, tx *store.Tx) *scene {
	s := &scene{hosts: map[string]bool{}, shut: map[shutting]bool{}, follows: map[[2]int64]FollowState{}, blocks: map[[2]int64]bool{}, mentions: map[int64][]int64{}}
	must := func(err error) {
		if err != nil {
			rt.Fatalf("set the scene: %v", err)
		}
	}
	for _, h := range []string{"elm.test", "ash.test"} {
		s.hosts[h] = rapid.IntRange(0, 3).Draw(rt, h+" blocked") == 0
		must(tx.Exec("INSERT INTO hosts (host, blocked) VALUES (?, ?)", h, s.hosts[h]).Error)
	}
	past := tx.Now.Add(-time.Hour)
	for i, host := range []string{"", "", "", "elm.test", "elm.test", "ash.test"} {
		a := Account{ID: tx.NewID(), Username: fmt.Sprintf("p%d", i), Host: host, Fields: []Field{}, AlsoKnownAs: []string{}, AttributionDomains: []string{}, ActorType: "Person", CreatedAt: tx.Now, UpdatedAt: tx.Now}
		if host != "" {
			uri := fmt.Sprintf("https://%s/%d", host, i)
			a.URI = &uri
		}
		switch rapid.IntRange(0, 9).Draw(rt, "gone") {
		case 0:
			a.SuspendedAt = &past
		case 1:
			a.DeletedAt = &past
		}
		s.accounts = append(s.accounts, a)
	}
	must(tx.Create(&s.accounts).Error)
	someone := rapid.SampledFrom(s.accounts)
	for range rapid.IntRange(0, 12).Draw(rt, "follows") {
		a, b := someone.Draw(rt, "follower"), someone.Draw(rt, "target")
		state := rapid.SampledFrom([]FollowState{FollowAccepted, FollowAccepted, FollowRequested}).Draw(rt, "state")
		if pair := [2]int64{a.ID, b.ID}; a.ID != b.ID && s.follows[pair] == "" {
			s.follows[pair] = state
			must(tx.Create(&FollowRow{ID: tx.NewID(), FollowerID: a.ID, TargetID: b.ID, FollowerLocal: a.Local(), State: state, CreatedAt: tx.Now}).Error)
		}
	}
	for range rapid.IntRange(0, 3).Draw(rt, "blocks") {
		a, b := someone.Draw(rt, "blocker"), someone.Draw(rt, "blocked")
		if pair := [2]int64{a.ID, b.ID}; a.ID != b.ID && !s.blocks[pair] {
			s.blocks[pair] = true
			must(tx.Create(&BlockRow{AccountID: a.ID, TargetID: b.ID, ID: tx.NewID(), CreatedAt: tx.Now}).Error)
		}
	}
	for range rapid.IntRange(0, 2).Draw(rt, "shut out") {
		a, host := rapid.SampledFrom(s.accounts[:3]).Draw(rt, "who"), rapid.SampledFrom([]string{"elm.test", "ash.test"}).Draw(rt, "whom")
		if out := (shutting{a.ID, host}); !s.shut[out] {
			s.shut[out] = true
			must(tx.Create(&HostBlock{AccountID: a.ID, Host: host, ID: tx.NewID(), CreatedAt: tx.Now}).Error)
		}
	}
	boosts := map[[2]int64]bool{}
	for range rapid.IntRange(1, 12).Draw(rt, "posts") {
		author := someone.Draw(rt, "author")
		p := Post{ID: tx.NewID(), AuthorID: author.ID, AuthorHost: author.Host, Kind: Note, Audience: rapid.SampledFrom(Audiences()).Draw(rt, "audience"), CreatedAt: tx.Now}
		p.ThreadID = p.ID
		if len(s.posts) > 0 && rapid.IntRange(0, 2).Draw(rt, "boost") == 0 {
			boosted := rapid.SampledFrom(s.posts).Draw(rt, "boosted")
			if pair := [2]int64{boosted.ID, author.ID}; !boosts[pair] {
				boosts[pair] = true
				p.Kind, p.BoostOfID = Boost, &boosted.ID
			}
		}
		if rapid.IntRange(0, 7).Draw(rt, "deleted") == 0 {
			p.DeletedAt = &past
		}
		must(tx.Create(&p).Error)
		s.posts = append(s.posts, p)
		for _, a := range s.accounts {
			if rapid.IntRange(0, 4).Draw(rt, "mention") == 0 {
				s.mentions[p.ID] = append(s.mentions[p.ID], a.ID)
				must(tx.Exec("INSERT INTO post_mentions (post_id, account_id) VALUES (?, ?)", p.ID, a.ID).Error)
			}
		}
	}
	return s
}

// regards is what ties a viewer to a post, told from what was made up rather
// than from the tables.
func (s *scene) regards(p Post, v Viewer) Regards {
	var r Regards
	author := s.account(p.AuthorID)
	r.Withdrawn = author.Gone() || s.hosts[author.Host]
	r.Blocked = s.blocks[[2]int64{v.ID, author.ID}] || s.blocks[[2]int64{author.ID, v.ID}] || v.Local && s.shut[shutting{v.ID, author.Host}]
	theirs := func(id int64) bool { // is the account the viewer, or one of the peer's people?
		return v.Local && id == v.ID || v.Host != "" && s.account(id).Host == v.Host
	}
	r.Mentioned = slices.ContainsFunc(s.mentions[p.ID], theirs)
	for pair, state := range s.follows {
		r.Follows = r.Follows || state == FollowAccepted && pair[1] == author.ID && theirs(pair[0])
	}
	if p.BoostOfID != nil {
		boosted, ok := s.post(*p.BoostOfID)
		if !ok || boosted.BoostOfID != nil {
			r.Withdrawn = true
			return r
		}
		inner := v
		inner.Regards = s.regards(boosted, v)
		r.Withdrawn = r.Withdrawn || !MaySee(boosted, inner)
	}
	return r
}

// The rule, its twin in SQL, and the look-up of a single post say the same in
// every community that can be made up.
func TestAudienceTwins(t *testing.T) {
	enough := errors.New("enough") // rolls the scene back
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rapid.Check(t, func(rt *rapid.T) {
			err := db.Write(t.Context(), func(tx *store.Tx) error {
				s := draw(rt, tx)
				viewers := []Viewer{Guest}
				for _, a := range s.accounts {
					if a.Local() {
						viewers = append(viewers, Viewer{ID: a.ID, Local: true})
						continue
					}
					peer := Viewer{Host: a.Host, Closed: rapid.Bool().Draw(rt, "closed"), Ceiling: rapid.SampledFrom([]peers.Ceiling{
						peers.CeilingNone, peers.CeilingPublic, peers.CeilingNetwork, peers.CeilingGroup}).Draw(rt, "ceiling")}
					signed := peer
					signed.ID = a.ID
					viewers = append(viewers, peer, signed)
				}
				for _, p := range s.posts { // the twin for many people at once
					var got []int64
					err := tx.Raw("SELECT readers.id FROM accounts readers WHERE readers.host = '' AND EXISTS (?)",
						tx.Model(&Post{}).Select("1").Where("posts.id = ?", p.ID).Scopes(visibleTo(eachOf("readers.id")))).Scan(&got).Error
					if err != nil {
						return err
					}
					for _, v := range viewers {
						if !v.Local {
							continue
						}
						ruled := v
						ruled.Regards = s.regards(p, v)
						if want := MaySee(p, ruled); slices.Contains(got, v.ID) != want {
							rt.Errorf("viewer %+v, post %+v: the rule says %v, SQL for many %v", ruled, p, want, !want)
						}
					}
				}
				looked := rapid.SampledFrom(viewers).Draw(rt, "looked up")
				for _, v := range viewers {
					var got []int64
					if err := tx.Model(&Post{}).Scopes(visibleTo(v)).Order("posts.id").Pluck("posts.id", &got).Error; err != nil {
						return err
					}
					for _, p := range s.posts {
						ruled := v
						ruled.Regards = s.regards(p, v)
						want := MaySee(p, ruled)
						if sql := slices.Contains(got, p.ID); sql != want {
							rt.Errorf("viewer %+v, post %+v: the rule says %v, SQL %v", ruled, p, want, sql)
						}
						if v != looked {
							continue
						}
						found, err := CanSee(tx, p, v)
						if err != nil {
							return err
						}
						if found != want {
							rt.Errorf("viewer %+v, post %+v: the rule says %v, the look-up %v", ruled, p, want, found)
						}
					}
				}
				return enough
			})
			if !errors.Is(err, enough) {
				rt.Fatal(err)
			}
		})
	})
}

// What a reader may see is asked for every row of every list, so none of it
// may walk a table.
func TestVisibleByIndexes(t *testing.T) {
	w := &world{t: t, db: storetest.Open(t)}
	author, reader := w.local("amira", Member), w.local("bo", Member)
	network := Viewer{Host: "elm.test", Ceiling: peers.CeilingGroup, Closed: true}
	signed := network
	signed.ID = w.remote("cy", "elm.test").ID
	for name, v := range map[string]Viewer{"guest": Guest, "member": w.viewer(reader), "peer": network, "signer": signed} {
		w.read(func(tx *store.Tx) error {
			where, args := visibleSQL("posts", v)
			var steps []struct{ Detail string }
			err := tx.Raw("EXPLAIN QUERY PLAN SELECT posts.id FROM posts WHERE posts.author_id = ? AND "+where+" ORDER BY posts.id DESC LIMIT 20",
				append([]any{author.ID}, args...)...).Scan(&steps).Error
			for _, s := range steps {
				if strings.HasPrefix(s.Detail, "SCAN") || strings.Contains(s.Detail, "TEMP B-TREE") || strings.Contains(s.Detail, "AUTOMATIC") {
					t.Errorf("%s: %s", name, s.Detail)
				}
			}
			return err
		})
	}
}

func TestPeerViewer(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingGroup, true)
		cy, di := w.remote("cy", "elm.test"), w.remote("di", "ash.test")
		w.read(func(tx *store.Tx) error {
			v, err := PeerViewer(tx, "elm.test", cy)
			if want := (Viewer{ID: cy.ID, Host: "elm.test", Ceiling: peers.CeilingGroup, Closed: true}); v != want {
				t.Errorf("PeerViewer = %+v, want %+v", v, want)
			}
			if err != nil {
				return err
			}
			v, err = PeerViewer(tx, "elm.test", di) // a signer of another host speaks for nobody here
			if v.ID != 0 {
				t.Errorf("a signer of %s counts for elm.test", di.Host)
			}
			if err != nil {
				return err
			}
			v, err = PeerViewer(tx, "new.test", Account{})
			if want := (Viewer{Host: "new.test", Ceiling: peers.CeilingNone}); v != want {
				t.Errorf("PeerViewer of a stranger = %+v, want %+v", v, want)
			}
			return err
		})
	})
}
