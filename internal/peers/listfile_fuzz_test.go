package peers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/iri"
)

// Each format has a target of its own, so that the mutations of one do not
// lose themselves in the others.
func FuzzListCSV(f *testing.F)        { fuzzList(f, "*.csv") }
func FuzzListPlain(f *testing.F)      { fuzzList(f, "*.txt") }
func FuzzListGoToSocial(f *testing.F) { fuzzList(f, "gotosocial*.json", "mastodon*.json") }
func FuzzListRapidBlock(f *testing.F) { fuzzList(f, "rapidblock.json") }
func FuzzListChalkring(f *testing.F)  { fuzzList(f, "chalkring_list.json") }
func FuzzListFIRES(f *testing.F)      { fuzzList(f, "fires*.json") }

func fuzzList(f *testing.F, patterns ...string) {
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join("testdata", "lists", pattern))
		if err != nil || len(files) == 0 {
			f.Fatal("no samples", pattern, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b, "")
			f.Add(append([]byte("\ufeff"), b...), "deny")
		}
	}
	known := decisions{peers: map[string]Peer{}, ties: map[string]bool{}, now: time.Unix(1_800_000_000, 0)}
	f.Fuzz(func(t *testing.T, list []byte, direction string) {
		d := Direction(direction)
		if d != DirectionAllow && d != DirectionDeny {
			d = DirectionOfFile
		}
		read, err := ReadList(list, d)
		if err != nil {
			return
		}
		if len(read.Entries)+len(read.Faults) > MaxListEntries {
			t.Errorf("%d entries", len(read.Entries))
		}
		for _, fault := range read.Faults {
			if !sound(fault.Text, 100) || fault.Key == "" {
				t.Errorf("fault %+v", fault)
			}
		}
		for _, e := range read.Entries {
			if e.Host == "" || !sound(e.Host, maxListHost) || !sound(e.Label, maxLabel) || !sound(e.Note, maxNote) || !sound(e.PrivateNote, maxNote) || !sound(e.Left, maxNote) || !e.valid() {
				t.Errorf("entry %+v", e)
			}
			host, _, why := nameIn(e, false, "oak.example")
			if (host == "") != (why != "") {
				t.Errorf("%q is %q, and refused for %q", e.Host, host, why)
			}
			if why != "" {
				continue
			}
			if again, err := iri.NormaliseHost(host, false); err != nil || again != host || host == "oak.example" || PublicSuffix(host) {
				t.Errorf("%q became %q", e.Host, host)
			}
			one := ImportEntry{Host: host, Deed: deedOf(e)}
			one.keep(e)
			kept := one.Entry()
			if kept.Note != e.Note || kept.Tier != e.Tier || kept.Ceiling != e.Ceiling || kept.Label != e.Label || kept.Notice != e.Notice || kept.Refuse != e.Refuse || kept.Left != e.Left {
				t.Errorf("kept %+v of %+v", kept, e)
			}
			known.judge(&one, nil)
			if e.Notice != "" && (one.Pile == PileNew || ConflictsFile.Takes(one.Why)) {
				t.Errorf("a mere notice decides: %+v of %+v", one, e)
			}
			if p := kept.policy(PresetOfFile, ""); one.Deed == DeedAllow && one.Pile == PileNew {
				if _, ok := p.Valid(); !ok {
					t.Errorf("policy %+v of %+v", p, e)
				}
			}
		}
	})
}

func sound(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\r\n\t")
}
