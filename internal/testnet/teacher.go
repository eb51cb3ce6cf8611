package testnet

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// Teacher is somebody with an account on a server of the network.
type Teacher struct {
	s       *Server
	t       testing.TB
	Account community.Account
}

// Post is a post as the network knows it: by its address.
type Post struct{ IRI string }

// Teacher makes an account with the role of a member.
func (s *Server) Teacher(name string) *Teacher { return s.Person(name, community.Member) }

// Person makes an account with a role.
func (s *Server) Person(name string, role community.Role) *Teacher {
	s.t.Helper()
	keys, err := community.NewKeyPair()
	if err != nil {
		s.t.Fatal(err)
	}
	p := &Teacher{s: s, t: s.t}
	s.write(func(tx *store.Tx) (err error) {
		n := community.NewAccount{Username: name, DisplayName: strings.ToUpper(name[:1]) + name[1:], PasswordHash: "!", Role: role,
			State: community.Active, Keys: keys}
		if role == community.Placement {
			ends := tx.Now.Add(90 * 24 * time.Hour)
			n.EndsAt = &ends
		}
		p.Account, err = community.CreateLocal(tx, n)
		return err
	})
	return p
}

// Handle is @name@host.
func (p *Teacher) Handle() string { return "@" + p.Account.Username + "@" + p.s.Host }

// try does a deed and returns how it failed.
func (p *Teacher) try(deed func(tx *store.Tx) error) error {
	return p.s.DB().Write(p.t.Context(), deed)
}

func (p *Teacher) do(deed func(tx *store.Tx) error) {
	p.t.Helper()
	if err := p.try(deed); err != nil {
		p.t.Fatalf("%s: %v", p.Handle(), err)
	}
}

// Look finds somebody by handle, asking their server if need be.
func (p *Teacher) Look(handle string) (community.Account, error) {
	return p.s.Federation().Resolve(p.t.Context(), handle)
}

func (p *Teacher) find(handle string) community.Account {
	p.t.Helper()
	a, err := p.Look(handle)
	if err != nil {
		p.t.Fatalf("%s looks for %s: %v", p.Handle(), handle, err)
	}
	return a
}

// Follow asks to follow somebody.
func (p *Teacher) Follow(handle string) {
	p.t.Helper()
	target := p.find(handle)
	p.do(func(tx *store.Tx) error {
		_, err := community.Follow(tx, p.Account, target)
		return err
	})
}

// Unfollow takes it back.
func (p *Teacher) Unfollow(handle string) {
	p.t.Helper()
	target := p.find(handle)
	p.do(func(tx *store.Tx) error { return community.Unfollow(tx, p.Account, target) })
}

// Block blocks somebody.
func (p *Teacher) Block(handle string) {
	p.t.Helper()
	target := p.find(handle)
	p.do(func(tx *store.Tx) error { return community.Block(tx, p.Account, target) })
}

// Lock has follows wait for approval.
func (p *Teacher) Lock() {
	p.t.Helper()
	p.do(func(tx *store.Tx) (err error) {
		profile := community.ProfileOf(p.Account)
		profile.Locked = true
		p.Account, err = community.UpdateProfile(tx, p.Account, profile)
		return err
	})
}

// Accept accepts a request to follow.
func (p *Teacher) Accept(handle string) {
	p.t.Helper()
	from := p.find(handle)
	p.do(func(tx *store.Tx) error { return community.AcceptFollow(tx, p.Account, from) })
}

// Reject rejects a request to follow.
func (p *Teacher) Reject(handle string) {
	p.t.Helper()
	from := p.find(handle)
	p.do(func(tx *store.Tx) error { return community.RejectFollow(tx, p.Account, from) })
}

// Publish publishes a public practice post with a title.
func (p *Teacher) Publish(title string) Post { return p.PublishTo(community.Public, title) }

// PublishTo publishes a practice post for an audience.
func (p *Teacher) PublishTo(audience community.Audience, title string) Post {
	p.t.Helper()
	return p.Write(community.Draft{Kind: community.Practice, Audience: audience, Title: title,
		Sections: &community.Sections{Tried: "I tried *this*: " + title, Happened: "It went well."}})
}

// Ask publishes a public question.
func (p *Teacher) Ask(title string) Post {
	p.t.Helper()
	return p.Write(community.Draft{Kind: community.Question, Audience: community.Public, Title: title, Source: title + " Who knows?"})
}

// Write publishes a draft.
func (p *Teacher) Write(d community.Draft) Post {
	p.t.Helper()
	post, err := p.TryWrite(d)
	if err != nil {
		p.t.Fatalf("%s writes %q: %v", p.Handle(), d.Title+d.Source, err)
	}
	return post
}

// TryWrite publishes a draft or says why it cannot be.
func (p *Teacher) TryWrite(d community.Draft) (Post, error) {
	var post community.Post
	err := p.try(func(tx *store.Tx) (err error) {
		post, err = community.Publish(tx, p.Account, d)
		return err
	})
	return Post{post.IRI(p.s.DB().Site())}, err
}

// Reply answers a post that has reached the teacher's server, for the same
// audience as the post.
func (p *Teacher) Reply(to Post, words string) Post {
	p.t.Helper()
	return p.answer(community.Reply, to, words)
}

// Acknowledge says "I used this".
func (p *Teacher) Acknowledge(post Post, words string) Post {
	p.t.Helper()
	return p.answer(community.Acknowledgement, post, words)
}

func (p *Teacher) answer(kind community.Kind, to Post, words string) Post {
	p.t.Helper()
	parent := p.known(to)
	return p.Write(community.Draft{Kind: kind, Audience: parent.Audience, InReplyToID: parent.ID, Source: words})
}

// known returns the teacher's server's copy of a post.
func (p *Teacher) known(post Post) community.Post {
	p.t.Helper()
	var found community.Post
	err := p.s.DB().Read(p.t.Context(), func(tx *store.Tx) (err error) {
		found, err = community.PostByURI(tx, post.IRI)
		return err
	})
	if err != nil {
		p.t.Fatalf("%s does not know %s: %v", p.s.Host, post.IRI, err)
	}
	return found
}

// Like likes a post.
func (p *Teacher) Like(post Post) {
	p.t.Helper()
	id := p.known(post).ID
	p.do(func(tx *store.Tx) error {
		_, err := community.Like(tx, p.Account, id)
		return err
	})
}

// Unlike takes it back.
func (p *Teacher) Unlike(post Post) {
	p.t.Helper()
	id := p.known(post).ID
	p.do(func(tx *store.Tx) error {
		_, err := community.Unlike(tx, p.Account, id)
		return err
	})
}

// Boost passes a post on.
func (p *Teacher) Boost(post Post) {
	p.t.Helper()
	if err := p.TryBoost(post); err != nil {
		p.t.Fatalf("%s boosts: %v", p.Handle(), err)
	}
}

// Retitle edits a post's title.
func (p *Teacher) Retitle(post Post, title string) {
	p.t.Helper()
	have := p.known(post)
	p.do(func(tx *store.Tx) error {
		_, err := community.Edit(tx, p.Account, have.ID, community.Draft{Kind: have.Kind, Audience: have.Audience, Title: title,
			Source: have.Source, Sections: have.Sections, Language: have.Language, Subject: have.Subject, Level: have.Level, Licence: have.Licence})
		return err
	})
}

// Delete deletes a post.
func (p *Teacher) Delete(post Post) {
	p.t.Helper()
	id := p.known(post).ID
	p.do(func(tx *store.Tx) error { return community.Delete(tx, p.Account, id) })
}

// AcceptAnswer marks a reply as the answer to the teacher's question.
func (p *Teacher) AcceptAnswer(question, reply Post) {
	p.t.Helper()
	q, r := p.known(question).ID, p.known(reply).ID
	p.do(func(tx *store.Tx) error {
		_, err := community.AcceptAnswer(tx, p.Account, q, r)
		return err
	})
}

// viewer reads as the teacher.
func (p *Teacher) viewer(fn func(tx *store.Tx, v community.Viewer) error) {
	p.t.Helper()
	p.s.read(func(tx *store.Tx) error {
		v, err := community.ViewerOf(tx, p.Account.ID)
		if err != nil {
			return err
		}
		return fn(tx, v)
	})
}

// WantHome fails unless the teacher's home shows exactly these posts, newest
// first, each told by its title or, without one, its words. A boost is told by
// "↻ " and what was boosted.
func (p *Teacher) WantHome(want ...string) {
	p.t.Helper()
	p.want("home", want, func(tx *store.Tx, v community.Viewer) ([]community.Post, error) {
		return community.Home(tx, v, store.Page{Limit: store.MaxLimit})
	})
}

// WantSchool fails unless the teacher's school list shows exactly these posts.
func (p *Teacher) WantSchool(want ...string) {
	p.t.Helper()
	p.want("the school's list", want, func(tx *store.Tx, v community.Viewer) ([]community.Post, error) {
		return community.SchoolTimeline(tx, v, store.Page{Limit: store.MaxLimit})
	})
}

// WantConnected fails unless the list of connected schools shows exactly these
// posts to the teacher.
func (p *Teacher) WantConnected(want ...string) {
	p.t.Helper()
	p.want("the connected schools' list", want, func(tx *store.Tx, v community.Viewer) ([]community.Post, error) {
		return community.ConnectedTimeline(tx, v, store.Page{Limit: store.MaxLimit})
	})
}

func (p *Teacher) want(list string, want []string, query func(*store.Tx, community.Viewer) ([]community.Post, error)) {
	p.t.Helper()
	var got []string
	p.viewer(func(tx *store.Tx, v community.Viewer) error {
		posts, err := query(tx, v)
		if err != nil {
			return err
		}
		views, err := community.Load(tx, v, posts)
		for _, view := range views {
			got = append(got, told(view))
		}
		return err
	})
	if !slices.Equal(got, want) {
		p.t.Errorf("%s sees in %s:\n\t%s\nwant:\n\t%s", p.Handle(), list, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func told(v community.View) string {
	switch {
	case v.Kind == community.Boost && v.Boosted != nil:
		return "↻ " + told(*v.Boosted)
	case v.Title != "":
		return v.Title
	}
	return strings.TrimSpace(text.Excerpt(v.HTML, 200))
}

// Sees reports whether the teacher's server would show them a post.
func (p *Teacher) Sees(post Post) bool {
	p.t.Helper()
	sees := false
	p.viewer(func(tx *store.Tx, v community.Viewer) error {
		found, err := community.PostByURI(tx, post.IRI)
		if err == nil {
			_, err = community.VisiblePost(tx, found.ID, v)
		}
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
			return nil
		}
		sees = err == nil
		return err
	})
	return sees
}

// View returns a post as the teacher is shown it.
func (p *Teacher) View(post Post) community.View {
	p.t.Helper()
	var view community.View
	p.viewer(func(tx *store.Tx, v community.Viewer) error {
		found, err := community.PostByURI(tx, post.IRI)
		if err != nil {
			return err
		}
		if found, err = community.VisiblePost(tx, found.ID, v); err != nil {
			return err
		}
		view, err = community.LoadOne(tx, v, found)
		return err
	})
	return view
}

// WantNotified fails unless the teacher has exactly these notifications,
// newest first, each as "kind @name@host".
func (p *Teacher) WantNotified(want ...string) {
	p.t.Helper()
	var got []string
	p.s.read(func(tx *store.Tx) error {
		all, err := community.Notifications(tx, p.Account.ID, store.Page{Limit: store.MaxLimit})
		if err != nil {
			return err
		}
		for _, n := range all {
			from, err := community.AccountByID(tx, n.FromID)
			if err != nil {
				return err
			}
			got = append(got, string(n.Kind)+" "+from.Handle(p.s.Host))
		}
		return nil
	})
	if !slices.Equal(got, want) {
		p.t.Errorf("%s was notified of %q, want %q", p.Handle(), got, want)
	}
}

// TryBoost passes a post on or says why it cannot be.
func (p *Teacher) TryBoost(post Post) error {
	p.t.Helper()
	id := p.known(post).ID
	return p.try(func(tx *store.Tx) error {
		_, err := community.BoostPost(tx, p.Account, id)
		return err
	})
}

// TryReply answers a post or says why that cannot be.
func (p *Teacher) TryReply(to Post, words string) error {
	p.t.Helper()
	parent := p.known(to)
	_, err := p.TryWrite(community.Draft{Kind: community.Reply, Audience: parent.Audience, InReplyToID: parent.ID, Source: words})
	return err
}

// Name says that another account is the teacher's too.
func (p *Teacher) Name(handle string) {
	p.t.Helper()
	other := p.find(handle)
	p.do(func(tx *store.Tx) (err error) {
		p.Account, err = community.SetAliases(tx, p.Account, []string{other.IRI(tx.Site)})
		return err
	})
}

// Move has the teacher go on with another account.
func (p *Teacher) Move(handle string) {
	p.t.Helper()
	to, err := p.s.Federation().Fresh(p.t.Context(), handle)
	if err != nil {
		p.t.Fatalf("%s moves to %s: %v", p.Handle(), handle, err)
	}
	p.do(func(tx *store.Tx) (err error) {
		p.Account, err = community.MoveTo(tx, p.Account, to)
		return err
	})
}

// Leave deletes the teacher's account.
func (p *Teacher) Leave() {
	p.t.Helper()
	p.do(func(tx *store.Tx) error { return community.DeleteAccount(tx, p.Account.ID, p.Account.ID, "") })
}
