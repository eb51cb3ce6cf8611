package peers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// changeID is the address of the nth change, whose UUIDv7 is later than those
// before it.
func changeID(n int) string {
	return fmt.Sprintf("https://fires.example/datasets/d/changes/0198C0DE-%04x-7000-8000-000000000000", n)
}

// fires is a page of changes.
func fires(changes ...string) string {
	return `{"@context":["https://www.w3.org/ns/activitystreams","https://fires.fedimod.org/context/fires.jsonld"],"type":"OrderedCollectionPage","orderedItems":[` + strings.Join(changes, ",") + `]}`
}

func change(n int, kind, key, more string) string {
	return fmt.Sprintf(`{"id":%q,"type":%q,"entityKind":"domain","entityKey":%q%s}`, changeID(n), kind, key, more)
}

func recommends(n int, key, policy string, filters ...string) string {
	more := fmt.Sprintf(`,"recommendedPolicy":%q`, policy)
	if len(filters) > 0 {
		more += `,"recommendedFilters":["` + strings.Join(filters, `","`) + `"]`
	}
	return change(n, "Recommendation", key, more)
}

func (p policy) wantRead(list string, want ...string) ListFile {
	p.t.Helper()
	f, err := ReadList([]byte(list), "")
	if err != nil {
		p.t.Fatal(err)
	}
	var got []string
	for _, e := range f.Entries {
		got = append(got, said(e))
	}
	for _, fault := range f.Faults {
		got = append(got, fmt.Sprintf("%d %s %s", fault.Line, fault.Text, strings.TrimPrefix(fault.Key, "import.")))
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("read\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	return f
}

func TestSnapshotOfFIRES(t *testing.T) {
	f, err := ReadList(sample(t, "fires_snapshot.json"), DirectionAllow) // each says for itself what it is on it for
	if err != nil {
		t.Fatal(err)
	}
	if f.Direction != DirectionOfFile || f.Partial || f.Name != "Snapshot for Worst Servers dataset" || f.Updated == nil || f.Updated.Day() != 19 {
		t.Errorf("%+v", f)
	}
	want := []ListFault{{1, "0198c0de-0013-7abc-8def-0123456789ab", "import.fires_erased"}, {7, "https://big.example/users/troll", "import.fires_kind"}}
	if !slices.Equal(f.Faults, want) {
		t.Errorf("faults %+v", f.Faults)
	}
	if e := f.Entries[1]; e.Note != "They moderate now" || e.Added == nil || e.Added.Day() != 17 {
		t.Errorf("%+v", e)
	}
	if e := f.Entries[2]; e.Left != "auto-cw" || !e.RejectMedia {
		t.Errorf("%+v", e)
	}
	if e := f.Entries[4]; e.PrivateNote != "https://fires.example/labels/0197aaaa-0000-7000-8000-000000000001, https://fires.example/labels/0197aaaa-0000-7000-8000-000000000002" {
		t.Errorf("%+v", e)
	}
}

// The numbers say which change is the last about a server, not its place in the
// file, and however the server is written.
func TestLastChangeOfFIRESCounts(t *testing.T) {
	p := policy{t: t}
	first := recommends(1, "Elm.Example.", "drop")
	for _, tt := range []struct {
		name, list string
		want       []string
	}{
		{"the newest first", fires(change(2, "Retraction", "elm.example", ""), first), []string{"elm.example takenback", "Elm.Example. deny over 1"}},
		{"the newest last", fires(first, change(2, "Retraction", "elm.example", "")), []string{"Elm.Example. deny over 2", "elm.example takenback"}},
		{"an advisory, then what follows from it", fires(change(1, "Advisory", "elm.example", ""), recommends(3, "elm.example", "reject"), recommends(2, "ELM.example", "filter")),
			[]string{"elm.example advisory over 2", "elm.example deny", "ELM.example silence over 2"}},
		{"taken back, and said again", fires(recommends(3, "elm.example", "drop"), change(2, "Retraction", "elm.example", ""), first),
			[]string{"elm.example deny", "elm.example takenback over 1", "Elm.Example. deny over 1"}},
		{"erased by the number of a change", fires(first, recommends(2, "elm.example", "drop"), `{"id":"`+changeID(2)+`","type":"Tombstone"}`),
			[]string{"Elm.Example. deny over 3", "elm.example deny over 3", "elm.example takenback"}},
		{"erased, and said anew", fires(first, `{"id":"`+changeID(1)+`","type":"Tombstone"}`, recommends(2, "elm.example", "drop")),
			[]string{"Elm.Example. deny over 3", "Elm.Example. takenback over 3", "elm.example deny"}},
		{"pages in an array", "[" + fires(change(2, "Retraction", "elm.example", "")) + "," + fires(first) + "]", []string{"elm.example takenback", "Elm.Example. deny over 1"}},
		{"changes in an array", "[" + first + "," + change(2, "Retraction", "elm.example", "") + "]", []string{"Elm.Example. deny over 2", "elm.example takenback"}},
		{"one change", first, []string{"Elm.Example. deny"}},
		{"the same change twice", fires(first, first), []string{"Elm.Example. deny", "Elm.Example. deny"}},
	} {
		t.Run(tt.name, func(t *testing.T) { p.t = t; p.wantRead(tt.list, tt.want...) })
	}
}

func TestPoliciesAndFiltersOfFIRES(t *testing.T) {
	p := policy{t: t}
	f := p.wantRead(fires(recommends(1, "a.example", "accept"), recommends(2, "b.example", "reject"), recommends(3, "c.example", "DROP"), recommends(4, "d.example", "none"),
		change(5, "Recommendation", "e.example", ""), recommends(6, "f.example", "filter", "https://x.example/f#auto-unlisted", "fires:ignore-reports"),
		recommends(7, "g.example", "filter", "https://x.example/f/auto_sensitive/", "reject-replies", "https://x.example/f#age-restrict", "prevent-trending"),
		recommends(8, "h.example", "obliterate"), change(9, "https://fires.fedimod.org/context/fires.jsonld#Advisory", "i.example", `,"recommendedPolicy":"drop","labels":[{"id":"https://l.example/#csam","name":"CSAM"}]`),
		change(10, "fires:Retraction", "j.example", ""), `{"id":"x","type":"Advisory","entityKind":"domain","entityKey":"k.example"}`,
		`{"id":"`+changeID(12)+`","type":"Advisory","entityKind":"hashtag","entityKey":"rude"}`, change(13, "Advisory", " ", ""), "7", `{"type":"Note"}`,
		recommends(16, "l.example", "filter", strings.Split(strings.Repeat("x,", 60), ",")...)),
		"a.example allow", "b.example deny", "c.example deny", "d.example mention", "e.example mention", "f.example silence reports", "g.example noop",
		"i.example advisory", "j.example takenback", "8 h.example: obliterate fires_policy", "11 k.example fires_no_id", "12 rude fires_kind", "13  no_name", "14 7 bad_element",
		`15 {"type":"Note"} bad_element`, "16 l.example bad_value")
	if g := f.Entries[6]; g.Media != MediaClick || g.Refuse != Classes(ClassReplies) || g.Left != "age-restrict, prevent-trending" || deedOf(g) != DeedLimit {
		t.Errorf("%+v", g)
	}
	if f.Entries[7].PrivateNote != "CSAM" || !f.Partial {
		t.Errorf("%+v", f)
	}
	full := FullPolicy(CeilingNetwork)
	limited := f.Entries[6].limited(full)
	full.Media, full.Inbound = MediaClick, AllClasses.Without(ClassReplies)
	if limited != full {
		t.Errorf("limited to %+v", limited)
	}
	strict := FullPolicy(CeilingNetwork)
	strict.Media = MediaStrip
	if got := f.Entries[6].limited(strict).Media; got != MediaStrip {
		t.Errorf("a filter widens what is stricter: %s", got)
	}
}

func TestRefusesWhatHoldsNoChangesOfFIRES(t *testing.T) {
	const context = `"@context":["https://www.w3.org/ns/activitystreams","https://fires.fedimod.org/context/fires.jsonld"]`
	for _, tt := range []struct{ name, list, key string }{
		{"a dataset without its changes", `{` + context + `,"type":"Dataset","endpoints":{"snapshot":"https://fires.example/snapshot"}}`, "import.fires_dataset"},
		{"the cover of the changes", `{` + context + `,"type":"OrderedCollection","totalItems":7,"first":"https://fires.example/changes?since=0"}`, "import.fires_cover"},
		{"changes that are no array", `{` + context + `,"type":"OrderedCollection","orderedItems":7}`, "import.bad_json"},
		{"a collection of another kind", `{"type":"OrderedCollection","orderedItems":[]}`, "import.bad_json"},
		{"too many changes", fires(strings.Repeat(`{"type":"Note"},`, MaxListEntries) + `{"type":"Note"}`), "import.many"},
		{"too deep", fires(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), "import.bad_json"},
	} {
		_, err := ReadList([]byte(tt.list), "")
		if f := fault.Of(err); !fault.Is(err, fault.Invalid) || f.Key != tt.key {
			t.Errorf("%s: %v (%s), want %s", tt.name, err, f.Key, tt.key)
		}
	}
	if f, err := ReadList([]byte(`{`+context+`,"type":"OrderedCollection","totalItems":0,"items":[]}`), ""); err != nil || len(f.Entries) != 0 {
		t.Errorf("an empty dataset: %+v, %v", f, err)
	}
}

func TestImportOfFIRES(t *testing.T) {
	list := fires(recommends(1, "new.example", "drop"), recommends(2, "friend.example", "reject"), recommends(3, "loud.example", "filter", "auto-unlisted", "reject-replies"),
		recommends(4, "stranger.example", "filter"), recommends(5, "school.example", "accept"), change(6, "Advisory", "friend2.example", ""),
		change(7, "Advisory", "doubtful.example", `,"labels":["https://l.example/#spam"]`), change(8, "Retraction", "foe.example", ""), change(9, "Retraction", "partner.example", ""),
		change(10, "Retraction", "unheard.example", ""), recommends(11, "un.heard.example", "drop"), change(12, "Retraction", "Un.Heard.Example", ""), recommends(13, "m***.example", "drop"),
		`{"id":"`+changeID(14)+`","type":"Recommendation","entityKind":"actor","entityKey":"https://big.example/@troll","recommendedPolicy":"drop"}`, change(15, "Advisory", "foe2.example", ""))
	each(t, func(t *testing.T, p policy) {
		for _, h := range []string{"friend.example", "friend2.example", "loud.example", "partner.example"} {
			p.allow(h)
		}
		p.block("foe.example")
		p.block("foe2.example")
		before := p.entries()
		im := p.draft(list, DirectionDeny)
		p.wantPiles(im, "1 new.example new", "2 friend.example conflict is_connected", "3 loud.example conflict is_wider", "4 stranger.example refused limits_stranger",
			"5 school.example new", "6 friend2.example there only_said", "7 doubtful.example refused limits_stranger", "8 foe.example conflict taken_back_blocked",
			"9 partner.example conflict taken_back_connected", "10 unheard.example there taken_back", "11 un.heard.example there overtaken 12", "12 un.heard.example there taken_back",
			"13 m***.example refused obfuscated", "14 https://big.example/@troll refused fires_kind", "15 foe2.example there blocked_already")
		p.refuses(fault.Invalid, func(tx *store.Tx) error { // a dataset has no tiers
			_, err := ApplyImport(tx, 0, im.ID, ImportChoice{Preset: PresetOfFile, Conflicts: ConflictsFile})
			return err
		})
		p.apply(im.ID, ImportChoice{Preset: string(PresetTrial), Conflicts: ConflictsFile})
		for host, want := range map[string]Standing{"new.example": Blocked, "friend.example": Blocked, "loud.example": Allowed, "stranger.example": Unknown, "school.example": Allowed,
			"friend2.example": Allowed, "doubtful.example": Unknown, "foe.example": Blocked, "partner.example": Allowed, "unheard.example": Unknown, "un.heard.example": Unknown} {
			if got := p.standing(host); got != want {
				t.Errorf("%s is %q, want %q", host, got, want)
			}
		}
		p.write(func(tx *store.Tx) error {
			loud, err := Get(tx, "loud.example")
			if err != nil {
				return err
			}
			if !loud.Silenced || loud.Inbound.Has(ClassReplies) || loud.Media != MediaProxy {
				t.Errorf("loud.example: %+v", loud.Policy)
			}
			school, err := Get(tx, "school.example")
			if err != nil {
				return err
			}
			if school.Policy != PresetTrial.Policy() || school.Subtree {
				t.Errorf("school.example: %+v", school)
			}
			remarks, err := RemarksOn(tx, "doubtful.example")
			if len(remarks) != 1 || remarks[0].Says.Notice != NoticeAdvisory || remarks[0].Says.PrivateNote != "https://l.example/#spam" {
				t.Errorf("remarks: %+v", remarks)
			}
			return err
		})
		if im = p.undo(im.ID); im.State != ImportUndone || im.Changed != 0 {
			t.Errorf("undone: %+v", im)
		}
		if after := p.entries(); !equal(before, after) {
			t.Errorf("undone, and not as before: %v", changes(before, after))
		}
	})
}

// A list that is followed takes from a snapshot what is recommended, and
// nothing of what is only said or was taken back.
func TestFollowedSnapshotOfFIRES(t *testing.T) {
	f, err := ReadList([]byte("["+recommends(1, "a.example", "drop")+","+change(2, "Retraction", "A.example", "")+","+recommends(3, "b.example", "drop")+","+
		recommends(4, "c.example", "accept")+","+change(5, "Advisory", "d.example", "")+","+recommends(6, "e.example", "none")+"]"), "")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, p policy) {
		p.write(func(tx *store.Tx) error {
			var got []string
			for _, e := range statements(tx, Subscription{ID: 1}, f) {
				got = append(got, fmt.Sprint(e.Host, e.Deny))
			}
			if want := []string{"b.exampletrue", "c.examplefalse"}; !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
			return nil
		})
	})
}
