package peers

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
)

// sample is a list as other software writes it: see testdata/lists.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "lists", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadsTheListsOfOtherSoftware(t *testing.T) {
	for _, tt := range []struct {
		file   string
		choose Direction
		format Format
		want   []string // host, and what is to be done with it
		notes  string   // of the first
	}{
		{"mastodon_domain_allows.csv", "", FormatMastodonAllows, []string{"hillview.example allow", "elm.example allow", "social.ash.example allow"}, ""},
		{"mastodon_domain_blocks.csv", "", FormatMastodonBlocks, []string{"bumfaces.example deny", "noise.example silence media", "ads.example noop media reports", "m*****.example deny"}, "big jerks, \"loud\" ones"},
		{"iftas.csv", "", FormatMastodonBlocks, []string{"abuse.example deny media reports", "csam.example deny media reports"}, "Harassment"},
		{"fediblockhole.csv", "", FormatFediBlockHole, []string{"spam.example deny media reports", "loud.example silence", "quiet.example noop"}, "spam"},
		{"rapidblock.csv", DirectionDeny, FormatPlain, []string{"bae.example deny", "baraag.example deny"}, ""},
		{"rapidblock.json", "", FormatRapidBlock, []string{"coins.example deny", "frogs.example deny"}, "cryptomining javascript"},
		{"gotosocial_blocks.json", "", FormatGoToSocial, []string{"bumfaces.example deny", "peepee.example deny", "nothanks.example deny"}, "big jerks"},
		{"gotosocial_export.json", DirectionAllow, FormatGoToSocial, []string{"instance-a.example allow", "instance-b.example allow"}, "the neighbours"},
		{"gotosocial_export.csv", DirectionAllow, FormatMastodonBlocks, []string{"instance-a.example allow", "instance-b.example allow"}, ""},
		{"gotosocial.txt", DirectionAllow, FormatPlain, []string{"instance-a.example allow", "instance-b.example allow", "instance-c.example allow"}, ""},
		{"mastodon_api_blocks.json", "", FormatGoToSocial, []string{"loud.example silence", "g*b.example deny"}, "Loud"},
		{"chalkring_peers.csv", "", FormatChalkring, []string{"hillview.example allow partner", "region.example allow network subtree", "spam.example deny subtree"}, "Agreed with their head"},
		{"chalkring_list.json", "", FormatChalkringList, []string{"hillview.example allow partner", "uni.example allow friendly subtree", "bad.example deny", "stolen.example deny emergency"}, "A primary school"},
		{"fires_snapshot.json", "", FormatFIRES, []string{"frogs.example deny", "sorry.example takenback", "loud.example silence media", "quiet.example silence", "doubtful.example advisory", "Friends.Example allow", "coins.example deny"}, ""},
		{"fires_changes.json", "", FormatFIRES, []string{"frogs.example advisory over 5", "sorry.example deny over 6", "frogs.example noop reports over 5", "coins.example deny", "frogs.example deny", "sorry.example takenback", "friends.example allow"}, ""},
		{"fires_before_0_7.json", "", FormatFIRES, []string{"frogs.example deny", "sorry.example takenback"}, ""},
	} {
		t.Run(tt.file, func(t *testing.T) {
			list := sample(t, tt.file)
			if got := DetectList(list); got != tt.format {
				t.Errorf("format %q, want %q", got, tt.format)
			}
			f, err := ReadList(list, tt.choose)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range f.Entries {
				got = append(got, said(e))
			}
			if !slices.Equal(got, tt.want) || len(f.Faults) > 0 && f.Format != FormatFIRES {
				t.Errorf("read\n\t%s\nwant\n\t%s\nfaults %v", strings.Join(got, "\n\t"), strings.Join(tt.want, "\n\t"), f.Faults)
			}
			if tt.notes != "" && f.Entries[0].Note != tt.notes {
				t.Errorf("note %q", f.Entries[0].Note)
			}
		})
	}
}

func said(e ListEntry) string {
	s := e.Host
	switch {
	case e.Notice != "":
		s += " " + string(e.Notice)
	case e.Deny:
		s += " deny"
	case e.Severity != "":
		s += " " + string(e.Severity)
	default:
		s += " allow"
	}
	for _, part := range []struct {
		has  bool
		word string
	}{{e.Tier != "", string(e.Tier)}, {e.Match == MatchSubtree, "subtree"}, {e.RejectMedia, "media"}, {e.RejectReports, "reports"}, {e.Emergency, "emergency"}, {e.Over != 0, "over " + strconv.Itoa(e.Over)}} {
		if part.has {
			s += " " + part.word
		}
	}
	return s
}

// What was seen in the wild: bridgy-fed#2194, fediblockhole#43.
func TestImportWithBOMNoHeaderHashAndOtherSpellings(t *testing.T) {
	two := []string{"elm.example", "ash.example"}
	for _, tt := range []struct {
		name, list string
		choose     Direction
		want       []string
		format     Format
	}{
		{"import with BOM", "\ufeff#domain\nelm.example\nash.example\n", "", two, FormatMastodonAllows},
		{"import with BOM and CRLF", "\ufeff#domain\r\nelm.example\r\nash.example\r\n", "", two, FormatMastodonAllows},
		{"import with no header", "elm.example\nash.example", DirectionAllow, two, FormatPlain},
		{"import with no header and columns", "elm.example,suspend,false,false,bad,false\nash.example,suspend\n", "", two, FormatMastodonBlocks},
		{"import with # in every column", "#domain,#severity\nelm.example,suspend\nash.example,suspend", "", two, FormatMastodonBlocks},
		{"import without #", "domain,severity\nelm.example,suspend\nash.example,suspend", "", two, FormatFediBlockHole},
		{"import with header in capitals", "#DOMAIN,#Severity\nelm.example,Suspend\nash.example,SUSPEND", "", two, FormatMastodonBlocks},
		{"import with instance for a header", "Instance,Severity\nelm.example,suspend\nash.example,suspend", "", two, FormatFediBlockHole},
		{"import with host for a header", "host\nelm.example\nash.example", DirectionAllow, two, FormatPlain},
		{"import with the columns in another order", "severity,#domain\nsuspend,elm.example\nsuspend,ash.example", "", two, FormatMastodonBlocks},
		{"import with semicolons", "#domain;#severity\nelm.example;suspend\nash.example;suspend", "", two, FormatMastodonBlocks},
		{"import with tabs", "domain\tseverity\nelm.example\tsuspend\nash.example\tsuspend", "", two, FormatFediBlockHole},
		{"import with remarks and empty lines", "# Our list, 3 March\n\n#domain\nelm.example\n\n# the last one\nash.example\n,,\n", "", two, FormatMastodonAllows},
		{"import with an empty severity", "#domain,#severity\nelm.example,\nash.example", "", two, FormatMastodonBlocks},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ReadList([]byte(tt.list), tt.choose)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range f.Entries {
				got = append(got, e.Host)
			}
			if !slices.Equal(got, tt.want) || len(f.Faults) > 0 || f.Format != tt.format {
				t.Errorf("read %v as %s, faults %v", got, f.Format, f.Faults)
			}
		})
	}
}

func TestRefusesWhatIsNoList(t *testing.T) {
	for _, tt := range []struct{ name, list, key string }{
		{"nothing", " \r\n\ufeff", ""},
		{"nothing at all", "", "import.empty"},
		{"mere names", "elm.example\n", "import.which"},
		{"a column of names", "domain\nelm.example\n", "import.which"},
		{"an array of names that says no more", `[{"domain":"elm.example"}]`, "import.which"},
		{"another encoding", "#domain\nsch\xfcle.example\n", "import.not_utf8"},
		{"JSON that is no list", `{"a":1}`, "import.bad_json"},
		{"JSON that ends too early", `[{"domain":"elm.example"}`, "import.bad_json"},
		{"too large", "#domain\n" + strings.Repeat("x", MaxListBytes), "import.large"},
		{"too many", "#domain\n" + strings.Repeat("a.b\n", MaxListEntries+1), "import.many"},
	} {
		_, err := ReadList([]byte(tt.list), "")
		if f := fault.Of(err); tt.key != "" && (!fault.Is(err, fault.Invalid) || f.Key != tt.key) {
			t.Errorf("%s: %v (%s), want %s", tt.name, err, f.Key, tt.key)
		}
	}
}

func TestALineThatCannotBeReadIsNamed(t *testing.T) {
	for _, tt := range []struct {
		name, list string
		line       int
		key        string
	}{
		{"a severity that is none", "#domain,#severity\nelm.example,suspend\nash.example,obliterate\n", 3, "import.bad_severity"},
		{"a quotation mark that is not closed", "#domain,#severity\nelm.example,suspend\n\"ash.example,suspend\nyew.example,suspend\n", 3, "import.bad_quotes"},
		{"a tier that is none", "#domain,#tier\nash.example,bestest\n", 2, "import.bad_value"},
		{"a date that is none", "#domain,#tier,#expires_at\nash.example,trial,soon\n", 2, "import.bad_date"},
		{"no name", "#domain,#severity\n,suspend\n", 2, "import.no_name"},
		{"a control character for a name", "#domain,#severity\n\x01,suspend\n", 2, "import.no_name"},
		{"columns without end", "#domain,#severity\nash.example" + strings.Repeat(",x", 100) + "\n", 2, "import.many_columns"},
		{"an element of another kind", `[{"domain":"elm.example","severity":"suspend"},7]`, 2, "import.bad_element"},
	} {
		f, err := ReadList([]byte(tt.list), "")
		if err != nil || len(f.Faults) != 1 || f.Faults[0].Line != tt.line || f.Faults[0].Key != tt.key {
			t.Errorf("%s: %+v, %v", tt.name, f.Faults, err)
		}
	}
}
