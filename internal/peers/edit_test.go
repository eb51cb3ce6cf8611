package peers

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// What an administrator may type, and the one form it is stored in.
func TestNormalisation(t *testing.T) {
	tests := []struct {
		name, typed string
		want        string // "": it is refused
	}{
		{"IDN host", "Schüle.example", "xn--schle-mva.example"},
		{"IDN host in A-labels", "XN--SCHLE-MVA.example", "xn--schle-mva.example"},
		{"IDN host with a full stop of another script", "schule。example", "schule.example"},
		{"trailing dot", "elm.example.", "elm.example"},
		{"capitals and spaces around it", "  ELM.Example ", "elm.example"},
		{"scheme and path", "https://elm.example/about?x=1#y", "elm.example"},
		{"a handle", "@bo@elm.example", "elm.example"},
		{"www stays", "www.elm.example", "www.elm.example"},
		{"two trailing dots", "elm.example..", ""},
		{"an empty label", "elm..example", ""},
		{"IPv4 address", "192.0.2.7", ""},
		{"IPv4 address in fewer numbers", "127.1", ""},
		{"IPv6 address", "[2001:db8::1]", ""},
		{"port", "elm.example:8443", ""},
		{"single label", "school", ""},
		{"localhost", "localhost", ""},
		{"another scheme", "ftp://elm.example", ""},
		{"a wildcard", "*.elm.example", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		got, err := iri.NormaliseHost(tt.typed, false)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q becomes %q, %v; want %q", tt.name, tt.typed, got, err, tt.want)
		}
	}
}

// The minimum that a table of peers must hold to, by the names that PEERING has for it.
func TestWhoIsAdmitted(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		t.Run("empty table", func(t *testing.T) { p.wantAdmitted("empty table", hosts) })
		p.allow("Schüle.example")
		t.Run("IDN host", func(t *testing.T) {
			p.wantAdmitted("IDN host", []string{"xn--schle-mva.example", "schüle.example", "schule.example"}, "xn--schle-mva.example")
		})
		p.allow("elm.example.")
		t.Run("trailing dot", func(t *testing.T) {
			p.wantAdmitted("trailing dot", []string{"elm.example", "elm.example."}, "elm.example")
		})
		t.Run("subhost of exact allow", func(t *testing.T) {
			p.wantAdmitted("subhost of exact allow", []string{"elm.example", "sub.elm.example", "www.elm.example"}, "elm.example")
		})
		t.Run("subtree on public suffix refused", func(t *testing.T) {
			for _, suffix := range []string{"github.io", "sch.uk", "school.nz", "co.uk", "blogspot.com"} {
				p.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := Allow(tx, 0, suffix, Entry{Subtree: true}); return err })
			}
			p.write(func(tx *store.Tx) error {
				_, err := Allow(tx, 0, "oakschool.github.io", Entry{Subtree: true})
				return err
			})
			p.write(func(tx *store.Tx) error { _, err := Allow(tx, 0, "github.io", Entry{}); return err }) // exactly, it may be
			p.refuses(fault.Invalid, func(tx *store.Tx) error {
				_, err := Edit(tx, 0, "github.io", "", func(e *Entry) error { return e.Set(tx, "match", "subtree", "") })
				return err
			})
			p.wantAdmitted("subtree", []string{"a.oakschool.github.io", "b.github.io", "github.io"}, "a.oakschool.github.io", "github.io")
		})
	})
}

func TestEdit(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.write(func(tx *store.Tx) error {
			_, err := Allow(tx, 0, "elm.example", Entry{Label: "Elm", PublicNote: "The school next door"})
			return err
		})
		set := func(host string, settings ...string) error {
			return p.db.Write(t.Context(), func(tx *store.Tx) error {
				_, err := Edit(tx, 0, host, "agreed", func(e *Entry) error {
					for i := 0; i < len(settings); i += 2 {
						if err := e.Set(tx, settings[i], settings[i+1], "mobilizon"); err != nil {
							return err
						}
					}
					return nil
				})
				return err
			})
		}
		entry := func(host string) (e Peer) {
			p.write(func(tx *store.Tx) (err error) { e, err = Get(tx, host); return err })
			return e
		}
		lines := func() (all []Line) {
			p.write(func(tx *store.Tx) (err error) { all, err = Audit(tx, "elm.example", store.Page{}); return err })
			return all
		}
		was := entry("elm.example")
		day := time.Now().AddDate(1, 0, 0).Format(time.DateOnly)
		if err := set("elm.example", "preset", "partner", "hold", "links", "inbound", "posts,replies", "rights", "none", "per_day", "50", "kind", "school",
			"review_on", day, "public_note", "Agreed", "silenced", "yes"); err != nil {
			t.Fatal(err)
		}
		e := entry("elm.example")
		if e.Preset != PresetPartner || e.Ceiling != CeilingPublic || e.Hold != HoldLinks || e.Inbound != Classes(ClassPosts|ClassReplies) || e.Rights != 0 || e.PerDay != 50 ||
			!e.Silenced || e.Kind != "school" || DayOf(e.ReviewOn) != day || e.PublicNote != "Agreed" || e.Label != "Elm" || e.ID != was.ID || !e.CreatedAt.Equal(was.CreatedAt) || e.Standing != Allowed {
			t.Errorf("became %+v", e)
		}
		if got := strings.Join(e.Differs(), " "); got != "ceiling inbound hold silenced rights per_day" {
			t.Errorf("differs in %s", got)
		}
		if all := lines(); len(all) != 2 || all[0].Action != "peer.change" || all[0].Reason != "agreed" || !strings.Contains(all[0].Before, "next door") {
			t.Errorf("the log has %+v", all)
		}
		for _, key := range PolicySettings() { // what is said of a policy can be set again
			if err := set("elm.example", key, e.Policy.Value(key)); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
		if again := entry("elm.example"); again.Policy != e.Policy || len(lines()) != 2 {
			t.Errorf("nothing was changed, and it became %+v", again)
		}
		for _, wrong := range [][2]string{{"preset", "best"}, {"hold", "some"}, {"inbound", "posts,spam"}, {"per_day", "-1"}, {"per_minute", "many"}, {"retention", "31"}, {"kind", "zoo"},
			{"review_on", "tomorrow"}, {"expires", "2001-01-01"}, {"match", "loose"}, {"rights", "own"}, {"silenced", "perhaps"}, {"colour", "red"}, {"label", strings.Repeat("x", 201)}} {
			if err := set("elm.example", wrong[0], wrong[1]); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s=%s: %v", wrong[0], wrong[1], err)
			}
		}
		if err := set("elm.example", "preset", "trial"); err != nil {
			t.Fatal(err)
		}
		if e = entry("elm.example"); e.ExpiresAt == nil || e.State(e.ChangedAt) != StateTrial || e.State(e.ChangedAt.Add(TrialFor)) != StateExpired {
			t.Errorf("a trial until %v", e.ExpiresAt)
		}
		if err := set("elm.example", "preset", "network"); err != nil {
			t.Fatal(err)
		}
		if e = entry("elm.example"); e.ExpiresAt != nil || e.State(e.ChangedAt) != StateOneSided {
			t.Errorf("the trial's end stays: %v", e.ExpiresAt)
		}
		if err := set("elm.example", "preset", "none"); err != nil || entry("elm.example").Hold != HoldFirst {
			t.Errorf("without the name of its preset the policy is %+v (%v)", entry("elm.example"), err)
		}

		p.block("bad.example")
		if err := set("bad.example", "note", "They were warned", "inbound", "all", "ceiling", "group"); err != nil {
			t.Fatal(err)
		}
		if e = entry("bad.example"); e.Standing != Blocked || e.Note == "" || e.Ceiling != CeilingNone {
			t.Errorf("a block became %+v", e)
		}
		if err := set("none.example", "note", "x"); !fault.Is(err, fault.NotFound) {
			t.Errorf("what has no entry: %v", err)
		}
	})
}

func TestNames(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.allow("elm.example")
		p.allow("ash.example")
		p.block("bad.example")
		var peer Peer
		p.write(func(tx *store.Tx) (err error) { peer, err = Get(tx, "elm.example"); return err })
		names := func() (all []string) {
			p.write(func(tx *store.Tx) error {
				list, err := NamesOf(tx, peer.ID)
				for _, n := range list {
					s := n.String()
					if n.ConfirmedAt == nil {
						s += " proposed"
					}
					all = append(all, s)
				}
				return err
			})
			return all
		}
		want := func(when string, want ...string) {
			t.Helper()
			if got := names(); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		decide := func(host string) (d Decision) {
			p.write(func(tx *store.Tx) (err error) { d, err = DecideOne(tx, host); return err })
			return d
		}
		p.write(func(tx *store.Tx) error {
			return FoundNames(tx, "elm.example", []Found{{"cdn.example", RoleMedia, false}, {"social.elm.example", RoleActor, true}, {"elm-school.example", RoleHandle, false},
				{"bad.example", RoleMedia, true}, {"pictures.bad.example", RoleMedia, true}, {"ash.example", RoleActor, true}, {"10.0.0.1", RoleMedia, true}, {"oak.test", RoleActor, true},
				{"elm.example", RoleActor, true}}, false)
		})
		want("met", "elm.example (main)", "cdn.example (media) proposed", "elm-school.example (handle) proposed", "social.elm.example (actor)")
		if decide("cdn.example").GivesFilesOf(peer.ID) || decide("elm-school.example").Admitted || !decide("social.elm.example").Admitted || !decide("ash.example").Admitted {
			t.Error("a proposed name has an effect, or a proven one has none")
		}
		p.write(func(tx *store.Tx) error { return ConfirmName(tx, 0, "elm.example", "CDN.example") })
		p.write(func(tx *store.Tx) error { return RemoveName(tx, 0, "elm.example", "elm-school.example") })
		if d := decide("cdn.example"); !d.GivesFilesOf(peer.ID) || d.Admitted || d.Peer != "elm.example" {
			t.Errorf("the confirmed place of pictures: %+v", d)
		}
		p.write(func(tx *store.Tx) error {
			return FoundNames(tx, "elm.example", []Found{{"elm-school.example", RoleHandle, true}}, false)
		})
		want("what was turned down is not proposed again", "elm.example (main)", "cdn.example (media)", "social.elm.example (actor)")
		p.write(func(tx *store.Tx) error { return AddName(tx, 0, "elm.example", "https://old-elm.example/", RoleFormer) })
		if d := decide("old-elm.example"); d.Admitted || !d.Former {
			t.Errorf("a former name: %+v", d)
		}
		p.write(func(tx *store.Tx) error { return AddName(tx, 0, "ash.example", "cdn.example", RoleMedia) }) // shared
		for _, wrong := range []struct {
			name string
			role Role
		}{{"ash.example", RoleActor}, {"bad.example", RoleMedia}, {"sub.bad.example", RoleHandle}, {"elm.example", RoleMedia}, {"new.example", RoleMain}, {"10.0.0.1", RoleMedia}} {
			p.refuses(fault.Invalid, func(tx *store.Tx) error { return AddName(tx, 0, "elm.example", wrong.name, wrong.role) })
		}
		p.refuses(fault.Invalid, func(tx *store.Tx) error { return AddName(tx, 0, "ash.example", "social.elm.example", RoleActor) })
		p.refuses(fault.Invalid, func(tx *store.Tx) error { return RemoveName(tx, 0, "elm.example", "elm.example") })
		p.refuses(fault.NotFound, func(tx *store.Tx) error { return RemoveName(tx, 0, "elm.example", "unknown.example") })
		p.refuses(fault.NotFound, func(tx *store.Tx) error { return ConfirmName(tx, 0, "elm.example", "unknown.example") })
		p.write(func(tx *store.Tx) error {
			for i := range 3 * mostProposed {
				if err := Propose(tx, peer.ID, strings.Repeat("x", i+1)+".example", RoleMedia); err != nil {
					return err
				}
			}
			n, err := ProposedAt(tx, []int64{peer.ID})
			if n[peer.ID] > mostProposed || n[peer.ID] < mostProposed-1 {
				t.Errorf("%d names are proposed", n[peer.ID])
			}
			return err
		})
	})
}

// A server whose software widens audiences starts with what is public, unless
// an administrator chose otherwise.
func TestSoftwareWithItsVersionNarrows(t *testing.T) {
	for software, want := range map[string]Ceiling{"": CeilingGroup, "mastodon 4.5.1": CeilingGroup, "Friendica": CeilingPublic, "Friendica 2026.1": CeilingPublic,
		"nodebb 4.6.0": CeilingPublic, "nodebbish 1": CeilingGroup} {
		if p, _ := Suggested(PresetPartner, software); p.Ceiling != want {
			t.Errorf("%q: up to %s", software, p.Ceiling)
		}
	}
}

// Whoever is let in after a block keeps the words about it, and nothing else of it.
func TestEntryForAfterABlock(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.write(func(tx *store.Tx) error {
			if _, err := Block(tx, 0, "foe.example", Entry{Label: "Foe", PublicNote: "ads", Note: "ask Ana", Reason: "ads"}); err != nil {
				return err
			}
			e, _, err := EntryFor(tx, "foe.example")
			if e.Label != "Foe" || e.PublicNote != "ads" || e.Note != "ask Ana" || e.Policy != nil || e.Subtree || e.Reason != "" {
				t.Errorf("%+v", e)
			}
			return err
		})
	})
}

func TestSoftwareNarrows(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		for host, set := range map[string][2]string{"fresh.example": {"preset", "partner"}, "own.example": {"hold", "all"}, "listen.example": {"preset", "listen"}} {
			p.write(func(tx *store.Tx) error {
				e := Entry{}
				if err := e.Set(tx, "preset", "network", ""); err != nil {
					return err
				}
				if err := e.Set(tx, set[0], set[1], ""); err != nil {
					return err
				}
				_, err := Allow(tx, 0, host, e)
				return err
			})
			p.write(func(tx *store.Tx) error { return Met(tx, host, Meeting{Software: "Friendica"}) })
		}
		p.write(func(tx *store.Tx) error {
			for host, want := range map[string]Ceiling{"fresh.example": CeilingPublic, "own.example": CeilingNetwork, "listen.example": CeilingNone} {
				e, err := Get(tx, host)
				if err != nil || e.Ceiling != want {
					t.Errorf("%s: up to %s, %v", host, e.Ceiling, err)
				}
			}
			lines, err := Audit(tx, "fresh.example", store.Page{})
			if err != nil {
				return err
			}
			if len(lines) != 2 || lines[0].Action != "peer.change" || !strings.Contains(lines[0].Reason, "Friendica") {
				t.Errorf("%+v", lines)
			}
			_, err = Edit(tx, 0, "fresh.example", "", func(e *Entry) error { return e.Set(tx, "ceiling", "group", "") })
			if err != nil {
				return err
			}
			if err := Met(tx, "fresh.example", Meeting{Software: "Friendica"}); err != nil {
				return err
			}
			if e, _ := Get(tx, "fresh.example"); e.Ceiling != CeilingGroup {
				t.Errorf("what a person chose became %s", e.Ceiling)
			}
			return nil
		})
	})
}

// What a name is to several peers: a block of any counts first, then the name's
// own entry, then whose other name it is. The files of each are where they are,
// whatever else the name is.
func TestNamesThatPeersShare(t *testing.T) {
	const elm, fir, name = "elm.example", "fir.example", "shared.example"
	add := func(host string, role Role) func(tx *store.Tx) error {
		return func(tx *store.Tx) error { return AddName(tx, 0, host, name, role) }
	}
	allow := func(host string) func(tx *store.Tx) error {
		return func(tx *store.Tx) error { _, err := Allow(tx, 0, host, Entry{}); return err }
	}
	pause := func(host string) func(tx *store.Tx) error {
		return func(tx *store.Tx) error { _, err := Pause(tx, 0, host, Ending{}); return err }
	}
	block := func(host string) func(tx *store.Tx) error {
		return func(tx *store.Tx) error { _, err := Block(tx, 0, host, Entry{Reason: "spam"}); return err }
	}
	for _, tt := range []struct {
		name     string
		deeds    []func(tx *store.Tx) error
		admitted bool
		peer     string
		files    []string // of whom it gives files
	}{
		{"the files of two", []func(tx *store.Tx) error{add(elm, RoleMedia), add(fir, RoleMedia)}, false, "", []string{elm, fir}},
		{"the files of two, one of them paused", []func(tx *store.Tx) error{add(elm, RoleMedia), add(fir, RoleMedia), pause(elm)}, false, "", []string{fir}},
		{"the files of two, one of them blocked", []func(tx *store.Tx) error{add(elm, RoleMedia), add(fir, RoleMedia), block(fir)}, false, "", []string{elm}},
		{"a name of one and the files of another", []func(tx *store.Tx) error{add(fir, RoleMedia), add(elm, RoleHandle)}, true, elm, []string{fir}},
		{"a name of one and the files of a blocked one", []func(tx *store.Tx) error{add(fir, RoleMedia), add(elm, RoleHandle), block(fir)}, true, elm, nil},
		{"a name of a blocked one", []func(tx *store.Tx) error{add(fir, RoleHandle), allow(name), block(fir)}, false, fir, nil},
		{"a name of one, paused by itself", []func(tx *store.Tx) error{add(elm, RoleHandle), allow(name), pause(name)}, false, name, nil},
		{"a name of a paused one, let in by itself", []func(tx *store.Tx) error{add(elm, RoleHandle), pause(elm), allow(name)}, true, name, nil},
		{"the files of one, let in by itself", []func(tx *store.Tx) error{add(elm, RoleMedia), allow(name)}, true, name, []string{elm}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, p policy) {
				p.allow(elm)
				p.allow(fir)
				for _, deed := range tt.deeds {
					p.write(deed)
				}
				p.write(func(tx *store.Tx) error {
					d, err := DecideOne(tx, name)
					if err != nil {
						return err
					}
					if d.Admitted != tt.admitted || tt.peer != "" && d.Peer != tt.peer {
						t.Errorf("admitted %v as %q, want %v as %q", d.Admitted, d.Peer, tt.admitted, tt.peer)
					}
					for _, host := range []string{elm, fir} {
						whose, err := Get(tx, host)
						if err != nil {
							return err
						}
						if got := d.GivesFilesOf(whose.ID); got != slices.Contains(tt.files, host) {
							t.Errorf("gives files of %s: %v", host, got)
						}
					}
					return nil
				})
			})
		})
	}
}
