package community

import (
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
)

func TestDraftCheck(t *testing.T) {
	good := Draft{Kind: Discussion, Audience: Network, Title: "Exit tickets", Source: "Do you?"}
	with := func(change func(d *Draft)) Draft {
		d := good
		change(&d)
		return d
	}
	pictures := []media.Attachment{{ID: 1, Alt: "A pile"}, {ID: 2, Decorative: true}}
	tests := []struct {
		name  string
		draft Draft
		in    setting
		field string // what is wrong, or nothing
		key   string
	}{
		{"a discussion", good, setting{}, "", ""},
		{"no title", with(func(d *Draft) { d.Title = "  " }), setting{}, "title", "draft.title_missing"},
		{"a title of 150 characters", with(func(d *Draft) { d.Title = strings.Repeat("é", 150) }), setting{}, "", ""},
		{"a title of 151", with(func(d *Draft) { d.Title = strings.Repeat("é", 151) }), setting{}, "title", "draft.too_long"},
		{"a note with a title", with(func(d *Draft) { d.Kind = Note }), setting{}, "title", "draft.title_extra"},
		{"no words", with(func(d *Draft) { d.Source = "\n" }), setting{}, "body", "draft.body_missing"},
		{"too many words", with(func(d *Draft) { d.Source = strings.Repeat("x", MaxBody+1) }), setting{}, "body", "draft.too_long"},
		{"a boost", with(func(d *Draft) { d.Kind = Boost }), setting{}, "kind", "draft.kind"},
		{"practice without a try", with(func(d *Draft) { d.Kind, d.Sections = Practice, &Sections{Next: "x"} }), setting{}, "tried", "draft.tried_missing"},
		{"practice", with(func(d *Draft) { d.Kind, d.Sections = Practice, &Sections{Tried: "x"} }), setting{}, "", ""},
		{"no audience", with(func(d *Draft) { d.Audience = "" }), setting{}, "audience", "draft.audience"},
		{"a group", with(func(d *Draft) { d.Audience = Group }), setting{}, "audience", "draft.audience_group"},
		{"wider than the role", good, setting{ceiling: School}, "audience", "draft.audience_ceiling"},
		{"a reply to nothing", with(func(d *Draft) { d.Kind, d.Title = Reply, "" }), setting{}, "in_reply_to", "draft.parent_missing"},
		{"a reply as wide as its parent", with(func(d *Draft) { d.Kind, d.Title = Reply, "" }), setting{parent: &Post{Audience: Network}}, "", ""},
		{"a reply that is wider", with(func(d *Draft) { d.Kind, d.Title = Reply, "" }), setting{parent: &Post{Audience: Followers}}, "audience", "draft.audience_parent"},
		{"a discussion that answers", good, setting{parent: &Post{Audience: Public}}, "kind", "draft.kind_reply"},
		{"a licence of one's own", with(func(d *Draft) { d.Licence = "https://elm.test/mine" }), setting{}, "licence", "draft.licence"},
		{"a licence", with(func(d *Draft) { d.Licence = Licences()[1].IRI }), setting{}, "", ""},
		{"a language that is none", with(func(d *Draft) { d.Language = "English!" }), setting{}, "language", "draft.language"},
		{"pictures", with(func(d *Draft) { d.MediaIDs = []int64{1, 2} }), setting{media: pictures}, "", ""},
		{"a picture that is not there", with(func(d *Draft) { d.MediaIDs = []int64{1, 2, 3} }), setting{media: pictures}, "media", "draft.media_missing"},
		{"a picture without words", with(func(d *Draft) { d.MediaIDs = []int64{3} }), setting{media: []media.Attachment{{ID: 3, Alt: " "}}}, "media", "draft.alt_missing"},
		{"too many pictures", with(func(d *Draft) { d.MediaIDs = []int64{1, 2, 3, 4, 5} }), setting{}, "media", "draft.media_many"},
		{"a co-author by no handle", with(func(d *Draft) { d.Contributors = []string{"Ana Hill"} }), setting{}, "contributors", "draft.contributor"},
	}
	for _, tt := range tests {
		if tt.in.ceiling == "" {
			tt.in.ceiling = Public
		}
		err := tt.draft.tidied().check(tt.in)
		if tt.field == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if f, ok := fault.Of(err).Field(tt.field); err == nil || !ok || f.Key != tt.key {
			t.Errorf("%s: got %+v, want %s at %s", tt.name, err, tt.key, tt.field)
		}
	}
}

func TestDraftPeople(t *testing.T) {
	d := Draft{Audience: People}
	if _, ok := fault.Of(d.checkPeople(nil)).Field("to"); !ok {
		t.Error("a post for nobody passes")
	}
	if err := d.checkPeople([]int64{1}); err != nil {
		t.Error(err)
	}
	if err := (Draft{Audience: Me}).checkPeople(nil); err != nil {
		t.Error(err)
	}
}

func TestDraftTidied(t *testing.T) {
	d := Draft{Kind: Note, InReplyToID: 3, Audience: School, Unlisted: true, Warning: " sad  story ", Source: " a\r\nb ", Contributors: []string{" ana@elm.test", ""}}.tidied()
	if d.Kind != Reply || d.Unlisted || !d.Sensitive || d.Warning != "sad story" || d.Source != "a\nb" || len(d.Contributors) != 1 || d.Contributors[0] != "@ana@elm.test" {
		t.Errorf("%+v", d)
	}
}

func TestSections(t *testing.T) {
	s := Sections{Tried: "One", Unsure: "Two"}
	if got := s.Markdown(); got != "## What I tried\n\nOne\n\n## What I am unsure of\n\nTwo" {
		t.Errorf("%q", got)
	}
}
