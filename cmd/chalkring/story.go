package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// demoPassword is everybody's in the demonstration.
const demoPassword = "chalk dust on my sleeve"

// progress is how far the story was told, as it stands on disk.
type progress struct {
	Port    int               `json:"port"`
	Schools int               `json:"schools"`
	Begun   time.Time         `json:"begun"`
	Founded bool              `json:"founded"` // schools, people, peers and follows are there
	Acts    int               `json:"acts"`
	Posts   map[string]string `json:"posts"` // addresses by key
}

// story tells the demonstration's story by having its people do it: each act
// is the deed that a page would do, and reaches the other schools by being
// delivered. Its clock starts a fortnight ago and is moved on from act to act,
// only while nothing is under way.
type story struct {
	progress
	file   string
	port   int
	behind atomic.Int64 // how far the clock is behind, in nanoseconds
}

func (s *story) load() (known bool, err error) {
	b, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.progress)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", s.file, err)
	}
	return true, nil
}

func (s *story) save() error {
	b, err := json.MarshalIndent(s.progress, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.file+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(s.file+".new", s.file)
}

const fortnight = 14 * 24 * time.Hour

// clock returns the servers' clock, set to where the story is.
func (s *story) clock() func() time.Time {
	if s.Begun.IsZero() {
		s.Begun = time.Now().Add(-fortnight - 24*time.Hour).UTC()
	}
	now := time.Now()
	acts := len(demoStory())
	switch {
	case !s.Founded && s.Acts == 0:
		s.behind.Store(int64(now.Sub(s.Begun)))
	case s.Acts < acts:
		s.behind.Store(int64(now.Sub(s.timeOf(s.Acts, acts))))
	}
	return func() time.Time { return time.Now().Add(-time.Duration(s.behind.Load())) }
}

// timeOf is when an act happens: in the hours after school, day after day.
func (s *story) timeOf(act, of int) time.Time {
	perDay := (of + 13) / 14
	day := s.Begun.Add(24 * time.Hour).Local()
	after := time.Date(day.Year(), day.Month(), day.Day(), 15, 10, 0, 0, time.Local)
	return after.AddDate(0, 0, act/perDay).Add(time.Duration(act%perDay) * 27 * time.Minute)
}

// moveTo moves the clock on; never back, and never beyond the present.
func (s *story) moveTo(t time.Time) {
	if behind := int64(time.Since(t)); behind < s.behind.Load() {
		s.behind.Store(max(behind, 0))
	}
}

// tell tells what has not been told yet.
func (s *story) tell(ctx context.Context, r *ring, out io.Writer) error {
	all := make([]*app.Server, 0, len(r.servers))
	for _, server := range r.servers {
		all = append(all, server)
	}
	if !s.Founded {
		fmt.Fprintln(out, "The schools are founded …")
		if err := s.found(ctx, r, out, all); err != nil {
			return err
		}
		s.Founded = true
		if err := s.save(); err != nil {
			return err
		}
	}
	acts := demoStory()
	if s.Acts < len(acts) {
		fmt.Fprintln(out, "… and their teachers write, read and answer for a fortnight:")
	}
	if s.Posts == nil {
		s.Posts = map[string]string{}
	}
	for i := s.Acts; i < len(acts); i++ {
		if err := app.Settle(ctx, all...); err != nil {
			return err
		}
		s.moveTo(s.timeOf(i, len(acts)))
		if err := s.act(ctx, r, i, acts[i]); err != nil {
			return fmt.Errorf("act %d, by %s: %w", i+1, acts[i].who, err)
		}
		s.Acts = i + 1
		if err := s.save(); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %2d of %d  %s %s\n", i+1, len(acts), acts[i].who, strings.TrimSpace(acts[i].verb.String()+" "+quoted(acts[i].draft.Title)))
	}
	if err := app.Settle(ctx, all...); err != nil {
		return err
	}
	s.behind.Store(0)
	return nil
}

// found names the schools, makes the people, connects the servers and has
// everybody follow whom they follow. What is there already stays.
func (s *story) found(ctx context.Context, r *ring, out io.Writer, all []*app.Server) error {
	schools := r.schools
	for _, school := range schools {
		db := r.servers[school.key].DB()
		for _, p := range school.people {
			_, err := app.CreatePerson(ctx, db, app.NewPerson{Username: p.username, DisplayName: p.name, Password: demoPassword, Role: p.role})
			if err != nil && !taken(err) {
				return fmt.Errorf("%s: %w", p.username, err)
			}
		}
		err := db.Write(ctx, func(tx *store.Tx) error {
			_, err := community.UpdateSite(tx, 0, community.SiteForm{Name: school.name, Description: school.about, Kind: school.kind,
				Contact: "office@" + school.key + ".example", Rules: demoRules, Registration: community.RegistrationRequest})
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range school.people {
			err := db.Write(ctx, func(tx *store.Tx) error {
				me, err := community.AccountByHandle(tx, p.username, "")
				if err != nil {
					return err
				}
				profile := community.ProfileOf(me)
				profile.Bio, profile.Discoverable = p.bio, true
				_, err = community.UpdateProfile(tx, me, profile)
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", p.username, err)
			}
		}
		for _, other := range schools {
			if other.key == school.key || other.alone || school.alone {
				continue
			}
			err := db.Write(ctx, func(tx *store.Tx) error {
				_, err := peers.Allow(tx, 0, demoHost(other.key, s.port), peers.Entry{Label: other.name, Reason: "Our ring"})
				return err
			})
			if err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "  %s, with %d teachers\n", school.name, len(school.people))
	}
	if err := app.Settle(ctx, all...); err != nil {
		return err
	}
	for _, school := range schools {
		server := r.servers[school.key]
		for _, p := range school.people {
			for _, whom := range p.follows {
				if err := s.follow(ctx, server, p.username, whom); err != nil {
					return fmt.Errorf("%s follows %s: %w", p.username, whom, err)
				}
			}
		}
	}
	return app.Settle(ctx, all...)
}

func taken(err error) bool {
	f := fault.Of(err)
	_, ok := f.Field("username")
	return ok && f.Kind == fault.Invalid
}

func (s *story) follow(ctx context.Context, server *app.Server, username, whom string) error {
	school, name, _ := strings.Cut(whom, "/")
	target, err := server.Federation().Resolve(ctx, "@"+name+"@"+demoHost(school, s.port))
	if err != nil {
		return err
	}
	return server.DB().Write(ctx, func(tx *store.Tx) error {
		me, err := community.AccountByHandle(tx, username, "")
		if err != nil {
			return err
		}
		_, err = community.Follow(tx, me, target)
		return err
	})
}

// act does one act. Done twice it is done once: a post by its form's number,
// the rest by itself.
func (s *story) act(ctx context.Context, r *ring, n int, a act) error {
	school, username, _ := strings.Cut(a.who, "/")
	server := r.servers[school]
	return server.DB().Write(ctx, func(tx *store.Tx) error {
		me, err := community.AccountByHandle(tx, username, "")
		if err != nil {
			return err
		}
		var on community.Post
		if a.on != "" {
			if on, err = community.PostByURI(tx, s.Posts[a.on]); err != nil {
				return fmt.Errorf("the post %q has not arrived: %w", a.on, err)
			}
		}
		switch a.verb {
		case writes, answers, used:
			d := a.draft
			d.FormID = fmt.Sprintf("story-%d", n)
			if on.ID != 0 {
				d.InReplyToID, d.Audience = on.ID, on.Audience
			}
			post, err := community.Publish(tx, me, d)
			if err == nil {
				s.Posts[a.key] = post.IRI(tx.Site)
			}
			return err
		case likes:
			_, err = community.Like(tx, me, on.ID)
		case boosts:
			_, err = community.BoostPost(tx, me, on.ID)
		case edits:
			_, err = community.Edit(tx, me, on.ID, a.draft)
		case accepts:
			if on.AcceptedAnswerID != nil {
				return nil
			}
			var reply community.Post
			if reply, err = community.PostByURI(tx, s.Posts[a.draft.Title]); err == nil {
				_, err = community.AcceptAnswer(tx, me, on.ID, reply.ID)
			}
		}
		return err
	})
}

// quoted is a post's title in the progress.
func quoted(title string) string {
	if strings.Contains(title, " ") {
		return "“" + title + "”"
	}
	return "" // no title, or the key of an answer
}

// demoRules are what the three schools agreed on.
const demoRules = `Write about your own practice, not about children who could be recognised.
Ask before you judge; say what you saw before you say what you think.
Credit whoever you borrowed from.
What is said in the staff room stays there.`
