package federation

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
)

var renew = flag.Bool("update", false, "write what is understood of the peers' documents anew")

// TestPeers holds what is understood of documents in the shapes that other
// software sends, against a table that a person has read. testdata/peers holds
// the documents, in our own words, in a folder for each software.
func TestPeers(t *testing.T) {
	const table = "testdata/peers/understood.txt"
	got := map[string]string{}
	var names []string
	err := fs.WalkDir(os.DirFS("testdata/peers"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".json" {
			return err
		}
		body, err := os.ReadFile(filepath.Join("testdata/peers", name))
		if err != nil {
			return err
		}
		names = append(names, name)
		got[name] = understood(body, false)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if len(names) < 60 {
		t.Errorf("there are %d documents", len(names))
	}
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s\n\t%s\n", name, got[name])
	}
	if *renew {
		if err := os.WriteFile(table, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	lines, kept := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(lines), len(kept)) {
		var is, was string
		if i < len(lines) {
			is = lines[i]
		}
		if i < len(kept) {
			was = kept[i]
		}
		if is != was {
			t.Errorf("line %d of %s:\n got %s\nwant %s", i+1, table, is, was)
		}
	}
}

// TestFixtures reads what real servers have sent, where such a collection
// stands beside the project, and prints of each document what it was understood
// as, or why it was refused.
func TestFixtures(t *testing.T) {
	root := filepath.Join("..", "..", "shared", "fixtures", "activitypub")
	if _, err := os.Stat(root); err != nil {
		t.Skip("no fixtures at hand")
	}
	count := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		count++
		name, _ := filepath.Rel(root, path)
		line := understood(body, true)
		t.Logf("%-60s %s", name, line)
		if !strings.HasPrefix(line, "understood as ") && !strings.HasPrefix(line, "refused: ") {
			t.Errorf("%s is neither understood nor refused: %s", name, line)
		}
		return nil
	})
	if err != nil || count == 0 {
		t.Errorf("read %d fixtures: %v", count, err)
	}
}

// understood says in one line what is made of a document. With effects it also
// says which deeds have none here.
func understood(body []byte, effects bool) string {
	what, err := understand(body, effects)
	if err != nil {
		return "refused: " + err.Error()
	}
	return "understood as " + what
}

func understand(body []byte, effects bool) (string, error) {
	var stub struct {
		Type, Actor, Object json.RawMessage
	}
	if err := json.Unmarshal(body, &stub); err != nil {
		return "", unreadable(fmt.Errorf("%w: %v", as2.ErrMalformed, err))
	}
	if c, err := as2.DecodeCollection(body); err == nil {
		total := "?"
		if c.TotalItems != nil {
			total = fmt.Sprint(*c.TotalItems)
		}
		return fmt.Sprintf("a collection of %s, %d of them here", total, len(c.IDs())), nil
	}
	if a, err := as2.DecodeActor(body); err == nil {
		return actorLine(a)
	}
	if stub.Actor != nil && stub.Object != nil {
		if _, err := as2.ReadEnvelope(body); err != nil {
			return "", unreadable(err)
		}
		a, err := as2.Decode(body)
		if err != nil {
			return "", unreadable(err)
		}
		return activityLine(a, effects)
	}
	o, err := as2.DecodeObject(body)
	if err != nil {
		return "", unreadable(err)
	}
	return objectLine(o)
}

func actorLine(a as2.Actor) (string, error) {
	account, err := remoteAccount(a)
	if err != nil {
		return "", err
	}
	line := fmt.Sprintf("the %s %s", account.ActorType, account.Handle(""))
	add := func(ok bool, format string, args ...any) {
		if ok {
			line += fmt.Sprintf("; "+format, args...)
		}
	}
	add(account.DisplayName != "", "called %q", account.DisplayName)
	add(account.Locked, "asks before it is followed")
	add(len(account.Fields) > 0, "%d lines of profile", len(account.Fields))
	add(len(account.Emoji) > 0, "%d emoji", len(account.Emoji))
	add(account.Avatar != "", "a portrait")
	add(account.SharedInbox != "", "a shared inbox")
	add(account.FeaturedURI != "", "pinned posts")
	add(account.MovedTo != "", "moved to %s", account.MovedTo)
	add(len(account.AlsoKnownAs) > 0, "also %s", strings.Join(account.AlsoKnownAs, ", "))
	add(len(account.Keys) == 0, "no key")
	return line, nil
}

func activityLine(a as2.Activity, effects bool) (string, error) {
	switch {
	case !effects:
	case !handled[a.Type]:
		return "", fmt.Errorf("%s has no effect here, and is answered 202", a.Type)
	case a.Type == "Undo" && a.Inner != nil && !slices.Contains(undoable, a.Inner.Type):
		return "", fmt.Errorf("Undo of %s has no effect here, and is answered 202", a.Inner.Type)
	}
	line := fmt.Sprintf("a deed: %s", a.Type)
	if a.Emoji != nil || a.Content != "" && a.Type != "Flag" {
		line += fmt.Sprintf(" with %s", a.Content)
		if a.Emoji != nil {
			line += fmt.Sprintf(" (%s)", a.Emoji.Icon)
		}
	}
	if a.Target != "" {
		line += " at " + a.Target
	}
	switch {
	case a.Object != nil && a.Object.Type != "Tombstone":
		if a.Type == "Create" || a.Type == "Update" {
			if !iri.SameOrigin(a.Object.ID, a.Actor) || a.Object.AttributedTo != a.Actor {
				return "", because(reasonForeign, "%s is not of %s", a.Object.ID, a.Actor)
			}
		}
		of, err := objectLine(*a.Object)
		return line + " of " + of, err
	case a.ObjectActor != nil:
		of, err := actorLine(*a.ObjectActor)
		return line + " of " + of, err
	case a.Inner != nil:
		of, err := activityLine(*a.Inner, effects && a.Type == "Announce")
		if err != nil {
			return "", fmt.Errorf("within %s: %w", a.Type, err)
		}
		line += " of " + of
	case len(a.Objects) > 1:
		line += fmt.Sprintf(" of %d things", len(a.Objects))
	case a.ObjectID == "":
		return "", because(reasonIncomplete, "no object")
	default:
		line += " of " + a.ObjectID
	}
	if a.Instrument != nil {
		with, err := objectLine(*a.Instrument)
		return line + " by means of " + with, err
	}
	if a.InstrumentID != "" {
		line += " by means of " + a.InstrumentID
	}
	if a.Result != "" {
		line += " giving " + a.Result
	}
	return line, nil
}

func objectLine(o as2.Object) (string, error) {
	if o.Type == "Tombstone" {
		return "the trace of something that was deleted", nil
	}
	if o.IsVote() {
		return fmt.Sprintf("a vote for %q in %s", o.Name, o.InReplyTo), nil
	}
	r, err := readObject(o)
	if err != nil {
		return "", err
	}
	p := r.post
	author := community.Account{FollowersURI: "-"}
	for _, to := range o.Recipients() {
		if strings.Contains(to, "follow") || strings.Contains(to, "subscribers") {
			if iri.SameOrigin(to, o.ID) {
				author.FollowersURI = to
			}
		}
	}
	audience, unlisted := audienceOf(o, author)
	line := fmt.Sprintf("a %s for %s", p.Kind, audience)
	add := func(ok bool, format string, args ...any) {
		if ok {
			line += fmt.Sprintf("; "+format, args...)
		}
	}
	add(unlisted, "unlisted")
	add(p.Title != "", "titled %q", p.Title)
	add(p.Warning != "", "warning %q", p.Warning)
	add(p.Language != "", "in %s", p.Language)
	add(p.HTML == "", "no text")
	add(p.InReplyToURI != "", "answers %s", p.InReplyToURI)
	add(p.QuoteURI != "", "quotes %s", p.QuoteURI)
	add(p.ContextURI != "", "in the thread %s", p.ContextURI)
	add(p.RepliesURI != "", "lists its replies")
	add(len(p.Tags) > 0, "%d tags", len(p.Tags))
	add(len(p.Media) > 0, "%d pictures", len(p.Media))
	add(p.Poll != nil, "a poll")
	add(len(p.Contributors) > 0, "with %s", strings.Join(p.Contributors, ", "))
	add(o.Published.IsZero(), "at no known time")
	if e := p.Extra; e != nil {
		add(e.Type != "", "it is a %s", e.Type)
		add(e.Seconds > 0, "lasts %s", time.Duration(e.Seconds)*time.Second)
		add(e.Link != "", "about %s", e.Link)
		add(len(e.Files) > 0, "%d files", len(e.Files))
		add(len(e.Emoji) > 0, "%d emoji", len(e.Emoji))
		add(len(e.Languages) > 0, "also in %s", strings.Join(e.Languages, ", "))
		if v := e.Event; v != nil {
			add(!v.Start.IsZero(), "begins %s", v.Start.Format(time.RFC3339))
			add(v.Zone != "", "by the clocks of %s", v.Zone)
			add(v.Cancelled, "cancelled")
			for _, place := range v.Places {
				add(true, "at %s", strings.Trim(place.Name+", "+place.Address+" "+place.URL, ", "))
			}
			add(v.Join != "", "to join at %s", v.Join)
		}
	}
	return line, nil
}
