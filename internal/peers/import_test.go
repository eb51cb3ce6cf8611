package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

func (p policy) draft(list string, d Direction) Import {
	p.t.Helper()
	im, err := DraftImport(p.t.Context(), p.db, 0, "list.csv", []byte(list), d)
	if err != nil {
		p.t.Fatal(err)
	}
	return im
}

func (p policy) finish(id int64) {
	p.t.Helper()
	for left := true; left; {
		p.write(func(tx *store.Tx) (err error) { left, err = ImportMore(tx, id); return err })
	}
}

func (p policy) apply(id int64, c ImportChoice) {
	p.t.Helper()
	p.write(func(tx *store.Tx) error { _, err := ApplyImport(tx, 0, id, c); return err })
	p.finish(id)
}

func (p policy) undo(id int64) Import {
	p.t.Helper()
	p.write(func(tx *store.Tx) error { _, err := UndoImport(tx, 0, id); return err })
	p.finish(id)
	return p.imported(id)
}

func (p policy) imported(id int64) (im Import) {
	p.t.Helper()
	p.write(func(tx *store.Tx) (err error) { im, err = ImportByID(tx, id); return err })
	return im
}

// wantPiles holds the dry run to lines "host pile why".
func (p policy) wantPiles(im Import, want ...string) {
	p.t.Helper()
	var got []string
	p.write(func(tx *store.Tx) error {
		got = got[:0]
		var all []ImportEntry
		err := tx.Where("import_id = ?", im.ID).Order("seq").Find(&all).Error
		for _, e := range all {
			line := fmt.Sprintf("%d %s %s", e.Line, e.Host, e.Pile)
			if e.Why != "" {
				line += " " + strings.TrimPrefix(e.Why, "import.")
			}
			if e.About != "" {
				line += " " + e.About
			}
			got = append(got, line)
		}
		return err
	})
	if !slices.Equal(got, want) {
		p.t.Errorf("dry run:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// entries are all entries as the log would keep them, with what visibility joins.
func (p policy) entries() map[string]string {
	p.t.Helper()
	all := map[string]string{}
	p.write(func(tx *store.Tx) error {
		clear(all)
		var rows []Peer
		if err := tx.Find(&rows).Error; err != nil {
			return err
		}
		for _, r := range rows {
			b, err := json.Marshal(r)
			if err != nil {
				return err
			}
			all[r.Host] = string(b)
		}
		var names []Name
		if err := tx.Order("host, peer_id").Find(&names).Error; err != nil {
			return err
		}
		for _, n := range names {
			if _, ok := all[n.Host]; !ok {
				p.t.Errorf("a name without its peer: %+v", n)
			}
			all["name "+n.Host] = fmt.Sprint(n.PeerID, n.Role)
		}
		var blocked []string
		err := tx.Raw("SELECT host FROM hosts WHERE blocked = ?", true).Scan(&blocked).Error
		for _, h := range blocked {
			all["hidden "+h] = "yes"
		}
		return err
	})
	return all
}

func (p policy) standing(host string) (s Standing) {
	p.t.Helper()
	p.write(func(tx *store.Tx) (err error) { s, err = StandingOf(tx, host); return err })
	return s
}

func TestImportWithDuplicates(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		im := p.draft("#domain,#severity\nElm.Example,suspend\nelm.example.,suspend\nhttps://elm.example/about,suspend\nash.example,silence\nash.example,suspend\nyew.example,suspend\nyew.example,silence\n", "")
		p.wantPiles(im, "2 elm.example new", "3 elm.example there twice 2", "4 elm.example there twice 2",
			"5 ash.example refused contradicted 6", "6 ash.example new", "7 yew.example new", "8 yew.example refused contradicted 7")
		if im.Fresh != 3 || im.Present != 2 || im.Refused != 2 {
			t.Errorf("counts: %+v", im)
		}
		p.apply(im.ID, ImportChoice{Conflicts: ConflictsKeep})
		for _, h := range []string{"elm.example", "ash.example", "yew.example", "www.yew.example"} {
			if s := p.standing(h); s != Blocked {
				t.Errorf("%s: %q", h, s)
			}
		}
	})
}

func TestImportRefusesWithAReason(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.block("bad.example")
		im := p.draft(strings.Join([]string{"#domain,#tier,#match,#expires_at",
			"192.0.2.7,partner,,", "[2001:db8::1],partner,,", "2130706433,denied,,", "printer,partner,,", "elm.example:8443,partner,,", "a b.example,partner,,", // 2 to 7
			"oak.test,partner,,", "github.io,denied,,", "github.io,partner,,", "sch.uk,partner,subtree,", "*.elm.example,partner,,", "m*****.example,denied,,", // 8 to 13
			"sub.bad.example,partner,,", "old.example,trial,,2020-01-01", "münchen.example,partner,,", "*.wild.example,denied,,", "x.wild.example,partner,,", // 14 to 18
			"xn--zz--.example,partner,,", "me@ash.example,partner,,", "sub.bad.example,denied,,"}, "\n"), "")
		p.wantPiles(im, "2 192.0.2.7 refused address", "3 [2001:db8::1] refused address", "4 2130706433 refused address", "5 printer refused no_dot",
			"6 elm.example:8443 refused port", "7 a b.example refused no_name", "8 oak.test refused own", "9 github.io refused suffix", "10 github.io refused suffix",
			"11 sch.uk refused suffix", "12 *.elm.example refused wildcard", "13 m*****.example refused obfuscated", "14 sub.bad.example refused contradicted 21",
			"15 old.example refused expired", "16 xn--mnchen-3ya.example new", "17 wild.example new", "18 x.wild.example refused below_refused 17",
			"19 xn--zz--.example refused no_name", "20 ash.example new", "21 sub.bad.example there covered bad.example")
	})
}

func TestImportWithConflict(t *testing.T) {
	setup := func(p policy) {
		p.write(func(tx *store.Tx) error {
			partner := PresetPartner.Policy()
			for _, h := range []string{"friend.example", "loud.example", "agreed.example", "paused.example", "differs.example", "quiet.example"} {
				if _, err := Allow(tx, 0, h, Entry{Label: "Label of " + h, Note: "ours", Policy: &partner}); err != nil {
					return err
				}
			}
			if _, err := Pause(tx, 0, "paused.example", Ending{Reason: "we wait"}); err != nil {
				return err
			}
			_, err := Edit(tx, 0, "quiet.example", "", func(e *Entry) error { e.Policy.Silenced, e.Policy.Media = true, MediaStrip; return nil })
			return err
		})
		p.block("foe.example")
	}
	blocks := "#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate\nfriend.example,suspend,false,false,they say,false\nloud.example,silence,true,true,,false\n" +
		"quiet.example,silence,true,false,,false\nfoe.example,suspend,false,false,,false\nstranger.example,silence,false,false,rude,false\npaused.example,suspend,false,false,,false\nnew.example,suspend,false,false,ads,false\n"
	allows := "#domain,#tier,#audience_ceiling\nfriend.example,partner,group\nfoe.example,partner,\npaused.example,partner,\ndiffers.example,network,public\nnew.example,network,\n"
	for _, tt := range []struct {
		name, list string
		choice     ImportChoice
		piles      []string
		want       map[string]Standing
	}{
		{"import with conflict: ours stays", blocks, ImportChoice{Conflicts: ConflictsKeep},
			[]string{"2 friend.example conflict is_connected", "3 loud.example conflict is_wider", "4 quiet.example there", "5 foe.example there", "6 stranger.example refused limits_stranger", "7 paused.example conflict is_ended", "8 new.example new"},
			map[string]Standing{"friend.example": Allowed, "foe.example": Blocked, "paused.example": Paused, "stranger.example": Unknown, "new.example": Blocked}},
		{"import with conflict: the stricter", blocks, ImportChoice{Conflicts: ConflictsStricter}, nil,
			map[string]Standing{"friend.example": Paused, "loud.example": Allowed, "foe.example": Blocked, "paused.example": Paused, "new.example": Blocked}},
		{"import with conflict: the file's", blocks, ImportChoice{Conflicts: ConflictsFile}, nil,
			map[string]Standing{"friend.example": Blocked, "loud.example": Allowed, "foe.example": Blocked, "paused.example": Blocked, "new.example": Blocked}},
		{"import of allows with conflict: ours stays", allows, ImportChoice{Preset: PresetOfFile, Conflicts: ConflictsKeep},
			[]string{"2 friend.example there", "3 foe.example conflict is_blocked", "4 paused.example conflict has_ended", "5 differs.example conflict differs", "6 new.example new"},
			map[string]Standing{"foe.example": Blocked, "paused.example": Paused, "new.example": Allowed}},
		{"import of allows with conflict: the stricter opens nothing", allows, ImportChoice{Preset: string(PresetTrial), Conflicts: ConflictsStricter}, nil,
			map[string]Standing{"foe.example": Blocked, "paused.example": Paused, "new.example": Allowed}},
		{"import of allows with conflict: the file's", allows, ImportChoice{Preset: PresetOfFile, Conflicts: ConflictsFile}, nil,
			map[string]Standing{"foe.example": Allowed, "paused.example": Paused, "new.example": Allowed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, p policy) {
				setup(p)
				before := p.entries()
				im := p.draft(tt.list, "")
				if tt.piles != nil {
					p.wantPiles(im, tt.piles...)
				}
				if after := p.entries(); !equal(before, after) {
					t.Errorf("the dry run changed something: %v", changes(before, after))
				}
				p.apply(im.ID, tt.choice)
				for host, want := range tt.want {
					if got := p.standing(host); got != want {
						t.Errorf("%s is %q, want %q", host, got, want)
					}
				}
				p.wantDetails(tt.choice, tt.list == blocks)
				if im = p.undo(im.ID); im.State != ImportUndone || im.Changed != 0 {
					t.Errorf("undone: %+v", im)
				}
				if after := p.entries(); !equal(before, after) {
					t.Errorf("undone, and not as before: %v", changes(before, after))
				}
			})
		})
	}
}

// What a publisher has stopped for now is never let in by its list, and paused where it is connected.
func TestImportWithEmergency(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.allow("stolen.example")
		before := p.entries()
		im := p.draft(`{"name":"Region","entries":[{"host":"stolen.example","tier":"partner","emergency":true},{"host":"other.example","tier":"partner","emergency":true},{"host":"sub.other.example","tier":"partner"}]}`, "")
		p.wantPiles(im, "1 stolen.example conflict is_connected", "2 other.example refused emergency", "3 sub.other.example new")
		p.apply(im.ID, ImportChoice{Preset: PresetOfFile, Conflicts: ConflictsFile})
		if p.standing("stolen.example") != Paused || p.standing("other.example") != Unknown || p.standing("sub.other.example") != Allowed {
			t.Error("an emergency lets in, or does not pause")
		}
		p.undo(im.ID)
		if after := p.entries(); !equal(before, after) {
			t.Errorf("undone, and not as before: %v", changes(before, after))
		}
	})
}

func (p policy) wantDetails(c ImportChoice, blocks bool) {
	p.t.Helper()
	p.write(func(tx *store.Tx) error {
		loud, err := Get(tx, "loud.example")
		if err != nil {
			return err
		}
		limited := blocks && c.Conflicts != ConflictsKeep
		if loud.Silenced != limited || (loud.Media == MediaStrip) != limited || (loud.ReportsIn == ReportsRefuse) != limited || loud.Label != "Label of loud.example" || loud.Note != "ours" {
			p.t.Errorf("loud.example: %+v", loud)
		}
		made, err := Get(tx, "new.example")
		if err != nil {
			return err
		}
		want := PresetNetwork.Policy()
		switch {
		case blocks:
			want = FullPolicy(CeilingNone)
			if made.PublicNote != "ads" || !made.Subtree {
				p.t.Errorf("%+v", made)
			}
		case c.Preset == string(PresetTrial):
			want = PresetTrial.Policy()
			if made.ExpiresAt == nil {
				p.t.Error("a trial without an end")
			}
		}
		if made.Policy != want || made.Source != SourceImport || !strings.HasPrefix(made.Reason, "Import 1: list.csv") {
			p.t.Errorf("%+v", made)
		}
		remarks, err := RemarksOn(tx, "stranger.example")
		if err != nil {
			return err
		}
		if blocks && (len(remarks) != 1 || remarks[0].Says.Note != "rude" || remarks[0].Says.Severity != SeveritySilence) {
			p.t.Errorf("remarks: %+v", remarks)
		}
		differs, err := Get(tx, "differs.example")
		want = PresetPartner.Policy()
		if !blocks && c.Conflicts == ConflictsFile {
			want = PresetNetwork.Policy()
			want.Ceiling = CeilingPublic
		}
		if differs.Policy != want {
			p.t.Errorf("differs.example: %+v", differs.Policy)
		}
		return err
	})
}

func equal(a, b map[string]string) bool { return len(changes(a, b)) == 0 }

func changes(a, b map[string]string) (out []string) {
	for k, v := range a {
		if b[k] != v {
			out = append(out, fmt.Sprintf("%s: %s\n\tnow %s", k, v, b[k]))
		}
	}
	for k, v := range b {
		if _, had := a[k]; !had {
			out = append(out, k+" is new: "+v)
		}
	}
	slices.Sort(out)
	return out
}

func TestUndoLeavesWhatWasChangedByHand(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.allow("kept.example")
		im := p.draft("#domain\nelm.example\nash.example\nyew.example\nfir.example\nbox.example\n", "")
		p.apply(im.ID, ImportChoice{Preset: string(PresetPartner), Conflicts: ConflictsKeep})
		p.write(func(tx *store.Tx) error {
			if _, err := Edit(tx, 0, "ash.example", "", func(e *Entry) error { e.Label = "Ash"; return nil }); err != nil {
				return err
			}
			if err := Remove(tx, 0, "yew.example", ""); err != nil {
				return err
			}
			// not by hand: the server narrows what is meant for some software, and writes down that a time is over
			if err := Met(tx, "fir.example", Meeting{Software: "nodebb"}); err != nil {
				return err
			}
			fir, err := Get(tx, "fir.example")
			if fir.Ceiling != CeilingPublic {
				t.Errorf("fir.example was not narrowed: %+v", fir)
			}
			if err != nil {
				return err
			}
			if err := tx.Exec("UPDATE peers SET expires_at = ? WHERE host = 'box.example'", tx.Now.Add(-time.Hour)).Error; err != nil {
				return err
			}
			if n, err := Expire(tx, 10); n != 1 || err != nil {
				t.Errorf("%d expired, %v", n, err)
			}
			if n, err := ByHand(tx, im.ID); n != 2 || err != nil {
				t.Errorf("%d by hand, %v", n, err)
			}
			return nil
		})
		im = p.undo(im.ID)
		if im.Changed != 2 || im.Applied != 5 {
			t.Errorf("%+v", im)
		}
		for host, want := range map[string]Standing{"kept.example": Allowed, "elm.example": Unknown, "ash.example": Allowed, "yew.example": Unknown, "fir.example": Unknown, "box.example": Unknown} {
			if got := p.standing(host); got != want {
				t.Errorf("%s is %q, want %q", host, got, want)
			}
		}
		p.write(func(tx *store.Tx) error {
			left, err := EntriesOf(tx, im.ID, "", 0, 10)
			if len(left) != 2 || left[0].Host != "ash.example" || left[0].State != EntryByHand || left[1].Host != "yew.example" {
				t.Errorf("left alone: %+v", left)
			}
			return err
		})
		p.refuses(fault.Conflict, func(tx *store.Tx) error { _, err := UndoImport(tx, 0, im.ID); return err })
	})
}

// What of a peer waits to be looked at waits still after a decision was taken
// back, or what comes later would be shown before it.
func TestUndoKeepsWhatWaits(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		waits := func(when string) {
			p.write(func(tx *store.Tx) error {
				d, err := DecideOne(tx, "loud.example")
				if !d.Holding || !d.Narrow() {
					t.Errorf("%s, nothing of it waits", when)
				}
				return err
			})
		}
		p.allow("loud.example")
		im := p.draft("#domain,#severity\nloud.example,silence\n", "")
		p.apply(im.ID, ImportChoice{Conflicts: ConflictsFile})
		p.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE peers SET holding = TRUE WHERE host = 'loud.example'").Error
		})
		p.undo(im.ID)
		waits("the import undone")
		p.write(func(tx *store.Tx) error {
			now, err := Get(tx, "loud.example")
			if err != nil {
				return err
			}
			before := now
			before.Holding = false
			return putBack(tx, 0, now, before, "taken back")
		})
		waits("a list's change taken back")
	})
}

// A server that waits for an answer is answered by an import that decides about
// it, and is told when that is taken back.
func TestImportAnswersWhoAsks(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		asks := func(host string) (id int64) {
			p.write(func(tx *store.Tx) error {
				r, _, err := Receive(tx, Offered{Kind: ByOffer, Host: host, URI: "https://" + host + "/offers/1", ActorURI: "https://" + host + "/actor",
					Inbox: "https://" + host + "/inbox", KeyHash: "their key"})
				id = r.ID
				return err
			})
			return id
		}
		want := func(id int64, state RequestState, said ...Saying) {
			t.Helper()
			p.write(func(tx *store.Tx) error {
				r, err := RequestByID(tx, id)
				if err != nil {
					return err
				}
				var kinds []Saying
				if err := tx.Raw("SELECT kind FROM peer_messages WHERE request_id = ? ORDER BY id", id).Scan(&kinds).Error; err != nil {
					return err
				}
				if r.State != state || !slices.Equal(kinds, said) {
					t.Errorf("the request of %s is %s, and it is told %v", r.Host, r.State, kinds)
				}
				return nil
			})
		}
		elm, bad, ash := asks("elm.example"), asks("bad.example"), asks("ash.example")
		p.apply(p.draft("bad.example\n", DirectionDeny).ID, ImportChoice{Conflicts: ConflictsKeep})
		want(bad, RequestRejected)
		im := p.draft("elm.example\n", DirectionAllow)
		p.apply(im.ID, ImportChoice{Preset: string(PresetPartner), Conflicts: ConflictsKeep})
		want(elm, RequestAccepted, SayAccept)
		p.write(func(tx *store.Tx) error { return tx.Exec("DELETE FROM peer_messages").Error }) // they have it
		p.undo(im.ID)
		want(elm, RequestEnded, SayUndoAccept)
		want(ash, RequestWaiting)
	})
}

func TestImportLeavesWhatWasDecidedSinceTheDryRun(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.allow("loud.example")
		im := p.draft("#domain,#severity\nelm.example,suspend\nash.example,suspend\nloud.example,suspend\n", "")
		p.allow("elm.example")
		p.write(func(tx *store.Tx) error { return Remove(tx, 0, "loud.example", "") })
		p.apply(im.ID, ImportChoice{Conflicts: ConflictsFile})
		if im = p.imported(im.ID); im.Applied != 1 || im.Changed != 2 || im.State != ImportApplied {
			t.Errorf("%+v", im)
		}
		if p.standing("elm.example") != Allowed || p.standing("ash.example") != Blocked || p.standing("loud.example") != Unknown {
			t.Error("a decision made after the dry run was overruled")
		}
	})
}

func TestImportIsDecidedOnceAndCanBeUndoneForAWhile(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		im := p.draft("#domain\nelm.example\n", "")
		p.refuses(fault.Invalid, func(tx *store.Tx) error {
			_, err := ApplyImport(tx, 0, im.ID, ImportChoice{Conflicts: ConflictsKeep})
			return err
		})
		p.refuses(fault.Invalid, func(tx *store.Tx) error { // Mastodon's file says nothing of a tier
			_, err := ApplyImport(tx, 0, im.ID, ImportChoice{Preset: PresetOfFile, Conflicts: ConflictsKeep})
			return err
		})
		p.refuses(fault.Conflict, func(tx *store.Tx) error { _, err := UndoImport(tx, 0, im.ID); return err })
		p.apply(im.ID, ImportChoice{Preset: string(PresetNetwork), Conflicts: ConflictsKeep})
		p.refuses(fault.Conflict, func(tx *store.Tx) error {
			_, err := ApplyImport(tx, 0, im.ID, ImportChoice{Preset: string(PresetNetwork), Conflicts: ConflictsKeep})
			return err
		})
		p.refuses(fault.Conflict, func(tx *store.Tx) error { return DiscardImport(tx, im.ID) })
		p.refuses(fault.NotFound, func(tx *store.Tx) error { _, err := UndoImport(tx, 0, 99); return err })
		p.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE peer_imports SET undo_until = ? WHERE id = ?", tx.Now.Add(-time.Minute), im.ID).Error
		})
		p.refuses(fault.Gone, func(tx *store.Tx) error { _, err := UndoImport(tx, 0, im.ID); return err })

		second := p.draft("#domain\nash.example\n", "")
		p.write(func(tx *store.Tx) error { return DiscardImport(tx, second.ID) })
		third := p.draft("#domain\nash.example\n", "")
		if second.ID != 2 || third.ID != 3 {
			t.Errorf("numbers %d and %d", second.ID, third.ID)
		}
		p.refuses(fault.Conflict, func(tx *store.Tx) error {
			_, err := ApplyImport(tx, 0, second.ID, ImportChoice{Preset: string(PresetNetwork), Conflicts: ConflictsKeep})
			return err
		})
		p.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE peer_imports SET created_at = ? WHERE id = ?", tx.Now.Add(-2*DraftFor), third.ID).Error
		})
		p.write(SweepImports)
		if third = p.imported(third.ID); third.State != ImportDiscarded {
			t.Errorf("an old draft is %s", third.State)
		}
	})
}

// What an import of refusals cuts off is hidden with it and shown with its undoing.
func TestImportHidesWhatItRefuses(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.write(func(tx *store.Tx) error {
			for _, h := range []string{"bad.example", "deep.sub.bad.example", "notbad.example", "other.example"} {
				if err := Seen(tx, h); err != nil {
					return err
				}
			}
			return nil
		})
		im := p.draft("#domain,#severity\nbad.example,suspend\nnever.example,suspend\n", "")
		p.apply(im.ID, ImportChoice{Conflicts: ConflictsKeep})
		for h, want := range map[string]bool{"bad.example": true, "deep.sub.bad.example": true, "notbad.example": false, "other.example": false} {
			if p.blocked(h) != want {
				t.Errorf("%s hidden: %v", h, !want)
			}
		}
		p.undo(im.ID)
		if p.blocked("bad.example") || p.blocked("deep.sub.bad.example") {
			t.Error("still hidden")
		}
	})
}

// Every format takes back what was exported in it.
func TestExportsCanBeImported(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		end := time.Date(2031, 7, 31, 0, 0, 0, 0, time.UTC)
		p.write(func(tx *store.Tx) error {
			own := PresetFriendly.Policy()
			own.Hold, own.Silenced, own.ReportsIn = HoldAll, true, ReportsRefuse
			full := FullPolicy(CeilingPublic)
			for host, e := range map[string]Entry{
				"hillview.example": {Label: "Hillview, \"the\" Primary", PublicNote: "=cmd|' /C calc'!A0", Note: "+64 9 555\nask for Ruth", Policy: policyOf(PresetPartner)},
				"region.example":   {Label: "'quoted'", Subtree: true, Policy: &own, ExpiresAt: &end},
				"plain.example":    {Label: "-dash", Policy: &full},
				"paused.example":   {},
			} {
				if _, err := Allow(tx, 0, host, e); err != nil {
					return err
				}
			}
			_, err := Pause(tx, 0, "paused.example", Ending{Reason: "we wait"})
			if err != nil {
				return err
			}
			_, err = Block(tx, 0, "bad.example", Entry{PublicNote: "@spam, \"much\"", Label: "Bad", Reason: "spam"})
			return err
		})
		had := map[string]Peer{}
		p.write(func(tx *store.Tx) error {
			for _, h := range []string{"hillview.example", "region.example", "plain.example", "bad.example"} {
				e, err := Get(tx, h)
				if err != nil {
					return err
				}
				had[h] = e
			}
			return nil
		})
		exports := map[string]string{}
		p.write(func(tx *store.Tx) error {
			for _, f := range ExportFormats() {
				var b bytes.Buffer
				if err := Export(tx, &b, f); err != nil {
					return err
				}
				exports[f.Name] = b.String()
			}
			return nil
		})
		for name, want := range map[string]string{
			"mastodon-allows": "#domain\nhillview.example\nplain.example\nregion.example\n",
			"mastodon-blocks": "#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate\nbad.example,suspend,false,false,\" @spam, \"\"much\"\"\",false\nregion.example,silence,false,true,,false\n",
			"plain-allows":    "hillview.example\nplain.example\nregion.example\n",
			"plain-blocks":    "bad.example\n",
		} {
			if exports[name] != want {
				t.Errorf("%s:\n%s", name, exports[name])
			}
		}
		for _, cell := range strings.FieldsFunc(exports["chalkring"], func(r rune) bool { return r == ',' || r == '\n' }) {
			if cell = strings.Trim(cell, `"`); cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				t.Errorf("a spreadsheet would take this for a formula: %s", cell)
			}
		}
		p.write(func(tx *store.Tx) error { return tx.Exec("DELETE FROM peers").Error })
		for name, d := range map[string]Direction{"gotosocial-allows": DirectionAllow, "gotosocial-blocks": "", "plain-allows": DirectionAllow, "plain-blocks": DirectionDeny, "mastodon-allows": "", "mastodon-blocks": ""} {
			im := p.draft(exports[name], d)
			want := int64(3)
			if strings.HasSuffix(name, "blocks") {
				want = 1
			}
			if im.Fresh != want || im.Conflicting+im.Present != 0 {
				t.Errorf("%s: %+v", name, im)
			}
		}
		im := p.draft(exports["chalkring"], "")
		p.apply(im.ID, ImportChoice{Preset: PresetOfFile, Conflicts: ConflictsKeep})
		p.write(func(tx *store.Tx) error {
			for h, want := range had {
				got, err := Get(tx, h)
				if err != nil {
					return err
				}
				if want.Note == "+64 9 555\nask for Ruth" {
					want.Note = "+64 9 555 ask for Ruth" // one line
				}
				want.Silenced = false // no column tells it
				if got.Policy != want.Policy || got.Label != want.Label || got.Note != want.Note || got.PublicNote != want.PublicNote || got.Subtree != want.Subtree ||
					got.Standing != want.Standing || (got.ExpiresAt == nil) != (want.ExpiresAt == nil) || got.ExpiresAt != nil && !got.ExpiresAt.Equal(*want.ExpiresAt) {
					t.Errorf("%s:\n%+v\nwas\n%+v", h, got, want)
				}
			}
			return nil
		})
	})
}

func policyOf(p Preset) *Policy { policy := p.Policy(); return &policy }

// asks counts what is asked of the database.
type asks struct{ n int }

func (s *asks) LogMode(logger.LogLevel) logger.Interface { return s }
func (s *asks) Info(context.Context, string, ...any)     {}
func (s *asks) Warn(context.Context, string, ...any)     {}
func (s *asks) Error(context.Context, string, ...any)    {}
func (s *asks) Trace(context.Context, time.Time, func() (string, int64), error) {
	s.n++
}

func (s *asks) listening(tx *store.Tx) *store.Tx {
	heard := *tx
	heard.DB = tx.Session(&gorm.Session{Logger: s})
	return &heard
}

// A list of 20,000 servers costs a few statements for its dry run and for each
// page of it, and so many for each piece when it is applied, whatever is known.
func TestTwentyThousandEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 20,000 entries")
	}
	each(t, func(t *testing.T, p policy) {
		var list strings.Builder
		list.WriteString("#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate\n")
		for i := range 20_000 {
			fmt.Fprintf(&list, "n%d.example,suspend,false,false,reason %d,false\n", i, i)
		}
		for i := range 500 {
			p.write(func(tx *store.Tx) error { return Seen(tx, fmt.Sprintf("x.n%d.example", i*7)) })
		}
		begun := time.Now()
		im := p.draft(list.String(), "")
		t.Logf("dry run: %s", time.Since(begun))
		if im.Fresh != 20_000 {
			t.Fatalf("%+v", im)
		}
		var heard asks
		f, err := ReadList([]byte(list.String()), "")
		if err != nil {
			t.Fatal(err)
		}
		p.write(func(tx *store.Tx) error { _, err := DryRun(heard.listening(tx), f); return err })
		if heard.n > 4 {
			t.Errorf("a dry run asks %d times", heard.n)
		}
		heard.n = 0
		p.write(func(tx *store.Tx) error {
			tx = heard.listening(tx)
			page, err := EntriesOf(tx, im.ID, PileNew, 10_000, 100)
			if len(page) != 100 || page[0].Seq != 10_001 {
				t.Errorf("a page of %d from %d", len(page), page[0].Seq)
			}
			return err
		})
		if heard.n != 1 {
			t.Errorf("a page of a pile asks %d times", heard.n)
		}
		begun = time.Now()
		p.write(func(tx *store.Tx) error {
			_, err := ApplyImport(tx, 0, im.ID, ImportChoice{Conflicts: ConflictsKeep})
			return err
		})
		heard.n = 0
		pieces := 0
		var longest time.Duration
		for left := true; left; pieces++ {
			at := time.Now()
			p.write(func(tx *store.Tx) (err error) { left, err = ImportMore(heard.listening(tx), im.ID); return err })
			longest = max(longest, time.Since(at))
		}
		t.Logf("applied: %s in %d pieces of %s at most, %d statements", time.Since(begun), pieces, longest, heard.n)
		if most := pieces * 30; heard.n > most {
			t.Errorf("%d statements for %d pieces", heard.n, pieces)
		}
		if im = p.imported(im.ID); im.Applied != 20_000 || im.State != ImportApplied {
			t.Errorf("%+v", im)
		}
		if !p.blocked("x.n7.example") {
			t.Error("not hidden")
		}
		p.write(func(tx *store.Tx) error {
			broken, err := Verify(tx)
			if broken.Broken != 0 {
				t.Errorf("the chain of the log breaks at %+v", broken)
			}
			return err
		})
		begun = time.Now()
		heard.n = 0
		var again []ImportEntry
		p.write(func(tx *store.Tx) (err error) { again, err = DryRun(heard.listening(tx), f); return err })
		t.Logf("the same list again: %s", time.Since(begun))
		if heard.n > 4 || slices.ContainsFunc(again, func(e ImportEntry) bool { return e.Pile != PileThere }) {
			t.Errorf("asks %d times", heard.n)
		}
		begun = time.Now()
		var export bytes.Buffer
		heard.n = 0
		p.write(func(tx *store.Tx) error {
			format, err := ExportByName("mastodon-blocks")
			if err != nil {
				return err
			}
			export.Reset()
			return Export(heard.listening(tx), &export, format)
		})
		t.Logf("exported: %s", time.Since(begun))
		if heard.n > 25 || bytes.Count(export.Bytes(), []byte("\n")) != 20_001 {
			t.Errorf("exported %d lines with %d statements", bytes.Count(export.Bytes(), []byte("\n")), heard.n)
		}
		begun = time.Now()
		p.write(func(tx *store.Tx) error {
			n, err := ByHand(tx, im.ID)
			if n != 0 {
				t.Errorf("%d by hand", n)
			}
			return err
		})
		t.Logf("asked what was changed by hand: %s", time.Since(begun))
		begun = time.Now()
		p.undo(im.ID)
		t.Logf("undone: %s", time.Since(begun))
		if left := p.entries(); len(left) != 0 {
			t.Errorf("%d things left", len(left))
		}
	})
}

func TestImportColumns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { storetest.SameColumns(t, db, &Import{}, &ImportEntry{}) })
}
