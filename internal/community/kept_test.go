package community

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Every column of a post but its figures moves its version on, and so does every
// column of an account and of a person.
func TestVersionsMoveOn(t *testing.T) {
	figures := []string{"replies_count", "likes_count", "boosts_count", "uses_count", "quotes_count", "replies_fetched_at"}
	eachWorld(t, func(t *testing.T, w *world) {
		bo := w.local("bo", Member)
		w.publish(bo, Draft{})
		var tables []store.Table
		w.read(func(tx *store.Tx) (err error) {
			tables, err = tx.Tables()
			return err
		})
		for _, table := range tables {
			if !slices.Contains([]string{"posts", "accounts", "users"}, table.Name) {
				continue
			}
			for _, c := range table.Columns {
				before := w.count("SELECT version FROM " + table.Name)
				w.exec("UPDATE " + table.Name + " SET " + c.Name + " = " + c.Name)
				moved := w.count("SELECT version FROM "+table.Name) - before
				if figure := table.Name == "posts" && (slices.Contains(figures, c.Name) || c.Name == "version"); figure && moved != 0 || !figure && moved != 1 {
					t.Errorf("%s.%s moved the version by %d", table.Name, c.Name, moved)
				}
			}
		}
	})
}

// Every way to change what a server is called, or whether it is blocked, moves
// the version of all names on; what else is noted of servers does not.
func TestNamesVersionMovesOn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingPublic, false)
		for _, step := range []struct {
			sql   string
			moves bool
		}{
			{"UPDATE site SET name = 'Oak'", true},
			{"UPDATE site SET host = 'oak2.test'", true},
			{"UPDATE site SET description = 'Ours'", false},
			{"UPDATE hosts SET name = 'Elm' WHERE host = 'elm.test'", true},
			{"UPDATE hosts SET blocked = TRUE WHERE host = 'elm.test'", true},
			{"UPDATE hosts SET software = 'x', refused_in = 7 WHERE host = 'elm.test'", false},
			{"UPDATE hosts SET host = 'elm2.test' WHERE host = 'elm.test'", true},
			{"INSERT INTO hosts (host, name) VALUES ('ash.test', 'Ash')", true},
			{"INSERT INTO hosts (host, blocked) VALUES ('yew.test', TRUE)", true},
			{"INSERT INTO hosts (host) VALUES ('fir.test')", false},
			{"INSERT INTO hosts (host) VALUES ('fir.test') ON CONFLICT (host) DO UPDATE SET name = 'Fir'", true},
			{"DELETE FROM hosts WHERE host = 'ash.test'", true},
			{"UPDATE peers SET label = 'Our elm' WHERE host = 'elm.test'", true},
			{"UPDATE peers SET note = 'x' WHERE host = 'elm.test'", false},
			{"DELETE FROM peers WHERE host = 'elm.test'", true},
		} {
			before := w.count("SELECT names_version FROM site")
			w.exec(step.sql)
			if moved := w.count("SELECT names_version FROM site") != before; moved != step.moves {
				t.Errorf("%s: moved %v", step.sql, moved)
			}
		}
		// So does a change behind others in one transaction, of which some are
		// taken back.
		before := w.count("SELECT names_version FROM site")
		w.write(func(tx *store.Tx) error {
			err := tx.Attempt(func(tx *store.Tx) error {
				return cmpErr(tx.Exec("UPDATE site SET name = 'Yew'").Error, errors.New("taken back"))
			})
			if err == nil {
				t.Error("nothing was taken back")
			}
			return tx.Exec("UPDATE hosts SET name = 'Yew' WHERE host = 'yew.test'").Error
		})
		if w.count("SELECT names_version FROM site") == before {
			t.Error("moved with what was taken back only")
		}
	})
}

// What anybody has with others is noted on their own row.
func TestBondsAreNoted(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingPublic, false)
		amira, bo, cy := w.local("amira", Member), w.local("bo", Member), w.remote("cy", "elm.test")
		p := w.publish(bo, Draft{})
		want := func(a Account, bonds Bonds) {
			t.Helper()
			if got := Bonds(w.count("SELECT bonds FROM users WHERE account_id = ?", a.ID)); got != bonds {
				t.Errorf("%s has the bonds %b, not %b", a.Username, got, bonds)
			}
		}
		for _, step := range []struct {
			deed      func(tx *store.Tx) error
			amira, bo Bonds
		}{
			{func(*store.Tx) error { return nil }, 0, 0},
			{func(tx *store.Tx) error { return Mute(tx, amira, bo, true, nil) }, BondMutes, 0},
			{func(tx *store.Tx) error { return ShutOut(tx, amira, "elm.test") }, BondMutes | BondHostBlocks, 0},
			{func(tx *store.Tx) error { _, err := Bookmark(tx, bo, p.ID); return err }, BondMutes | BondHostBlocks, BondBookmarks},
			{func(tx *store.Tx) error { _, err := MuteThread(tx, bo, p.ID); return err }, BondMutes | BondHostBlocks, BondBookmarks | BondThreadMutes},
			{func(tx *store.Tx) error { return Block(tx, cy, bo) }, BondMutes | BondHostBlocks, BondBookmarks | BondThreadMutes | BondBlocks},
			{func(tx *store.Tx) error { return Block(tx, amira, cy) }, BondMutes | BondHostBlocks | BondBlocks, BondBookmarks | BondThreadMutes | BondBlocks},
		} {
			w.write(step.deed)
			want(amira, step.amira)
			want(bo, step.bo)
		}
		w.filter(amira, FilterForm{}, "tired")
		want(amira, BondMutes|BondHostBlocks|BondBlocks|BondFilters)
	})
}

// told is all of a view that anybody is shown.
func shownOf(v View) string {
	var b strings.Builder
	p := v.Post
	p.Extra, p.Sections = nil, nil
	if p.URI != nil {
		fmt.Fprint(&b, *p.URI)
	}
	fmt.Fprintf(&b, "%d %s %q %q %s %d %d %d %d %v %v", p.ID, p.Audience, p.HTML, p.Title, p.Kind, p.RepliesCount, p.LikesCount, p.BoostsCount, p.UsesCount, p.EditedAt, p.DeletedAt)
	fmt.Fprintf(&b, " by %s@%s %q (%d %d %d) of %q", v.Author.Username, v.Author.Host, v.Author.DisplayName, v.AuthorCounts.Posts, v.AuthorCounts.Followers, v.AuthorCounts.Following, v.School)
	for _, a := range v.Mentions {
		fmt.Fprintf(&b, " names %s@%s of %q", a.Username, a.Host, v.Schools[a.Host])
	}
	fmt.Fprintf(&b, " %v %d %+v", v.Tags, len(v.Media), v.Mine)
	if v.ReplyTo != nil {
		fmt.Fprintf(&b, " to %s", v.ReplyTo.Username)
	}
	if v.Poll != nil {
		fmt.Fprintf(&b, " asks %+v %v", v.Poll.Options, v.Poll.Chosen)
	}
	for _, m := range v.Filtered {
		fmt.Fprintf(&b, " filtered %s", m.Filter.Title)
	}
	if v.Boosted != nil {
		fmt.Fprintf(&b, " boosts (%s)", shownOf(*v.Boosted))
	}
	if v.Quoted != nil {
		fmt.Fprintf(&b, " quotes (%s)", shownOf(*v.Quoted))
	}
	return b.String()
}

func allShown(views []View) []string {
	out := make([]string, len(views))
	for i, v := range views {
		out[i] = shownOf(v)
	}
	return out
}

// Whatever happens, what is remembered shows as what is read anew, and what
// MaySee judges of a page as what SQL says.
func TestRememberedIsAsReadAnew(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, host := range []string{"elm.test", "ash.test"} {
			w.peer(host, peers.CeilingNetwork, true)
		}
		people := []Account{w.local("amira", Member), w.local("bo", Member), w.local("dee", Member), w.remote("cy", "elm.test"), w.remote("eve", "ash.test")}
		local := people[:3]
		for _, a := range local {
			for _, b := range people {
				if a.ID != b.ID {
					w.follows(a, b)
				}
			}
		}
		rng := rand.New(rand.NewPCG(5, 6))
		var posts []int64
		seen := 0
		one := func(list []Account) Account { return list[rng.IntN(len(list))] }
		post := func() int64 { return posts[max(0, len(posts)-1-rng.IntN(8))] }
		draft := func() Draft {
			d := Draft{Kind: Note, Source: fmt.Sprintf("Words %d #tag%d", rng.IntN(1000), rng.IntN(4)), Audience: []Audience{Public, Public, Network, School, Followers, People}[rng.IntN(6)]}
			if d.Audience == People || rng.IntN(3) == 0 {
				d.Source += " @" + one(local).Username
			}
			switch {
			case rng.IntN(5) == 0:
				d.Poll = &PollDraft{Options: []string{"This", "That"}, Open: MinPollOpen}
			case rng.IntN(4) == 0 && len(posts) > 0:
				d.QuoteID = post()
			}
			return d
		}
		deeds := []func(tx *store.Tx) error{
			func(tx *store.Tx) error {
				p, err := Publish(tx, one(local), draft())
				posts = append(posts, p.ID)
				return err
			},
			func(tx *store.Tx) error {
				d := draft()
				d.InReplyToID = post()
				p, err := Publish(tx, one(local), d)
				posts = append(posts, p.ID)
				return err
			},
			func(tx *store.Tx) error {
				n := w.note(one(people[3:]))
				n.HTML, n.Mentions = fmt.Sprintf("<p>Far %d</p>", rng.IntN(1000)), []int64{one(local).ID}
				n.Audience = []Audience{Public, Network, Followers}[rng.IntN(3)]
				p, _, err := Receive(tx, n)
				posts = append(posts, p.ID)
				return err
			},
			func(tx *store.Tx) error {
				p, err := PostByID(tx, post())
				if err != nil || !p.Local() {
					return err
				}
				author, err := AccountByID(tx, p.AuthorID)
				if err != nil {
					return err
				}
				d := draft()
				d.Kind, d.Audience, d.QuoteID = p.Kind, p.Audience, 0
				_, err = Edit(tx, author, p.ID, d)
				return err
			},
			func(tx *store.Tx) error {
				p, err := PostByID(tx, post())
				if err != nil || rng.IntN(4) > 0 {
					return err
				}
				author, err := AccountByID(tx, p.AuthorID)
				if err != nil {
					return err
				}
				return Delete(tx, author, p.ID)
			},
			func(tx *store.Tx) error { _, err := Like(tx, one(local), post()); return err },
			func(tx *store.Tx) error { _, err := Unlike(tx, one(local), post()); return err },
			func(tx *store.Tx) error {
				p, err := BoostPost(tx, one(local), post())
				posts = append(posts, p.ID)
				return err
			},
			func(tx *store.Tx) error { _, err := Bookmark(tx, one(local), post()); return err },
			func(tx *store.Tx) error { _, err := MuteThread(tx, one(local), post()); return err },
			func(tx *store.Tx) error { return Mute(tx, one(local), one(people), rng.IntN(2) == 0, nil) },
			func(tx *store.Tx) error { return Unmute(tx, one(local), one(people)) },
			func(tx *store.Tx) error { return Block(tx, one(local), one(people)) },
			func(tx *store.Tx) error { return Unblock(tx, one(local), one(people)) },
			func(tx *store.Tx) error { return Unblock(tx, one(local), one(people)) },
			func(tx *store.Tx) error { _, err := Follow(tx, one(local), one(local)); return err },
			func(tx *store.Tx) error { return Unfollow(tx, one(local), one(local)) },
			func(tx *store.Tx) error {
				_, err := UpdateProfile(tx, one(local), Profile{DisplayName: fmt.Sprintf("Name %d", rng.IntN(100))})
				return err
			},
			func(tx *store.Tx) error {
				if rng.IntN(3) > 0 {
					return tx.Exec("UPDATE accounts SET suspended_at = NULL").Error
				}
				return tx.Exec("UPDATE accounts SET suspended_at = ? WHERE id = ?", tx.Now, one(people).ID).Error
			},
			func(tx *store.Tx) error {
				return tx.Exec("UPDATE hosts SET blocked = ? WHERE host = 'elm.test'", rng.IntN(3) == 0).Error
			},
			func(tx *store.Tx) error {
				return tx.Exec("UPDATE hosts SET name = ? WHERE host = 'ash.test'", fmt.Sprint("School ", rng.IntN(9))).Error
			},
			func(tx *store.Tx) error {
				return tx.Exec("UPDATE peers SET label = ? WHERE host = 'elm.test'", []string{"", "Elm", "Elm Street"}[rng.IntN(3)]).Error
			},
			func(tx *store.Tx) error {
				return tx.Exec("UPDATE site SET name = ?", []string{"", "Oak", "Oak Hill"}[rng.IntN(3)]).Error
			},
			func(tx *store.Tx) error {
				return tx.Exec("UPDATE accounts SET silenced = ? WHERE host = 'ash.test'", rng.IntN(4) == 0).Error
			},
			func(tx *store.Tx) error {
				if rng.IntN(8) > 0 {
					return tx.Exec("DELETE FROM host_blocks").Error
				}
				return ShutOut(tx, one(local), "ash.test")
			},
		}
		for range 4 {
			posts = append(posts, w.publish(one(local), Draft{Source: "Words"}).ID)
		}
		for range 220 {
			deed := deeds[rng.IntN(len(deeds))]
			if rng.IntN(3) == 0 {
				deed = deeds[rng.IntN(3)]
			}
			before := len(posts)
			if err := w.db.Write(t.Context(), deed); err != nil { // a deed that may not be done changes nothing
				if posts = posts[:before]; fault.Of(err).Kind == fault.Internal {
					t.Fatal(err)
				}
			}
			reader, about := one(local), one(people)
			v := w.viewer(reader)
			if rng.IntN(8) == 0 {
				v = Guest
			}
			page := store.Page{Limit: 1 + rng.IntN(12)}
			if rng.IntN(3) == 0 {
				page.MinID = post()
			}
			id, kind := post(), rng.IntN(5)
			ask := func(into *[]string, views func(tx *store.Tx, v Viewer) ([]View, error)) func(tx *store.Tx) error {
				return func(tx *store.Tx) error {
					v := v
					if v.Local {
						var u User
						if err := tx.Where("account_id = ?", v.ID).Take(&u).Error; err != nil {
							return err
						}
						v.Bonds = u.Bonds | BondsRead
					}
					list, err := views(tx, v)
					if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
						*into = []string{fault.Of(err).Error()}
						return nil
					}
					*into = allShown(list)
					return err
				}
			}
			load := func(tx *store.Tx, v Viewer, posts []Post, err error) ([]View, error) {
				if err != nil {
					return nil, err
				}
				return Load(tx, v, posts)
			}
			var got, want []string
			w.read(ask(&got, func(tx *store.Tx, v Viewer) ([]View, error) {
				switch kind {
				case 0:
					return HomeViews(tx, v, page)
				case 1:
					return ChosenViews(tx, v, Choice{}, page)
				case 2:
					return ProfileViews(tx, v, about.ID, ProfileFilter{}, page)
				case 3:
					view, err := VisibleView(tx, id, v)
					return []View{view}, err
				}
				_, above, below, err := AroundViews(tx, v, id)
				return append(above, below...), err
			}))
			w.write(ask(&want, func(tx *store.Tx, v Viewer) ([]View, error) { // a writer remembers nothing
				v.Bonds = 0
				switch kind {
				case 0:
					posts, err := Home(tx, v, page)
					return load(tx, v, posts, err)
				case 1:
					posts, err := ChosenTimeline(tx, v, Choice{}, page)
					return load(tx, v, posts, err)
				case 2:
					posts, err := ProfileTimeline(tx, v, about.ID, ProfileFilter{}, page)
					return load(tx, v, posts, err)
				}
				p, err := VisiblePost(tx, id, v)
				if kind == 3 || err != nil {
					return load(tx, v, []Post{p}, err)
				}
				if p.BoostOfID != nil {
					if p, err = VisiblePost(tx, *p.BoostOfID, v); err != nil {
						return nil, err
					}
				}
				above, below, err := Around(tx, v, p)
				return load(tx, v, append(above, below...), err)
			}))
			if !slices.Equal(got, want) {
				t.Fatalf("list %d for %d (%s):\n%s\nread anew:\n%s", kind, v.ID, reader.Username, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if kind == 0 && v.Local {
				w.sameTold(v)
			}
			seen += len(got)
		}
		if seen < 300 {
			t.Errorf("only %d posts were compared", seen)
		}
	})
}

// sameTold holds the notifications that MaySee judges against those of SQL.
func (w *world) sameTold(v Viewer) {
	w.t.Helper()
	w.read(func(tx *store.Tx) error {
		told, err := NotificationsTold(tx, v, NotificationFilter{}, store.Page{}, func(Notification) bool { return true })
		if err != nil {
			return err
		}
		want, err := NotificationsWith(tx, v.ID, NotificationFilter{}, store.Page{})
		if !slices.EqualFunc(told.List, want, func(a, b Notification) bool { return a.ID == b.ID }) {
			w.t.Errorf("told of %d things, not %d", len(told.List), len(want))
		}
		for _, n := range told.List {
			if _, ok := told.People[n.FromID]; !ok || n.PostID != nil && !slices.ContainsFunc(told.Views, func(v View) bool { return v.ID == *n.PostID }) {
				w.t.Errorf("a %s notification is not whole", n.Kind)
			}
		}
		return err
	})
}
