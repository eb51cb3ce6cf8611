package iri

import (
	"strings"
	"testing"
)

var (
	oak  = Site{Host: "oak.test", Scheme: "https"}
	demo = Site{Host: "localhost:8080", Scheme: "http"}
)

// addresses is every address that carries an ID or stands alone, with what it
// names.
func addresses(s Site) map[string]Ref {
	const id = 116203098741243904
	return map[string]Ref{
		s.Actor(id):                    {Kind: Actor, ID: id},
		s.Inbox(id):                    {Kind: Inbox, ID: id},
		s.Outbox(id):                   {Kind: Outbox, ID: id},
		s.Followers(id):                {Kind: Followers, ID: id},
		s.Following(id):                {Kind: Following, ID: id},
		s.FollowersSynchronization(id): {Kind: FollowersSynchronization, ID: id},
		s.Featured(id):                 {Kind: Featured, ID: id},
		s.FeaturedTags(id):             {Kind: FeaturedTags, ID: id},
		s.KeyID(id):                    {Kind: Key, ID: id},
		s.Instance():                   {Kind: Instance},
		s.InstanceKeyID():              {Kind: InstanceKey},
		s.InstanceInbox():              {Kind: InstanceInbox},
		s.InstanceOutbox():             {Kind: InstanceOutbox},
		s.SharedInbox():                {Kind: SharedInbox},
		s.Network():                    {Kind: Network},
		s.Post(id):                     {Kind: Post, ID: id},
		s.PostReplies(id):              {Kind: PostReplies, ID: id},
		s.PostLikes(id):                {Kind: PostLikes, ID: id},
		s.PostShares(id):               {Kind: PostShares, ID: id},
		s.Context(id):                  {Kind: Context, ID: id},
		s.Activity(id):                 {Kind: Activity, ID: id},
		s.Follow(id):                   {Kind: Follow, ID: id},
		s.Page(id):                     {Kind: Page, ID: id},
		s.Profile("amira_b"):           {Kind: Profile, Name: "amira_b"},
		s.Tag("Übung"):                 {Kind: Tag, Name: "Übung"},
		s.Media("ab/cd é.webp"):        {Kind: Media, Name: "ab/cd é.webp"},
		s.URL("/u/1"):                  {Kind: Actor, ID: 1},
		s.Post(9223372036854775807):    {Kind: Post, ID: 9223372036854775807},
	}
}

func TestAddressesReadBack(t *testing.T) {
	for _, s := range []Site{oak, demo} {
		for address, want := range addresses(s) {
			if got, ok := s.Parse(address); !ok || got != want {
				t.Errorf("Parse(%s) = %+v, %v, want %+v", address, got, ok, want)
			}
			if !s.Local(address) {
				t.Errorf("%s is not local", address)
			}
			if !strings.HasPrefix(address, s.Base()+"/") {
				t.Errorf("%s is not below %s", address, s.Base())
			}
			if host, err := HostOf(address); err != nil || host != s.Host {
				t.Errorf("HostOf(%s) = %s, %v", address, host, err)
			}
		}
	}
}

func TestParseIsStrict(t *testing.T) {
	for _, address := range []string{
		"", "https://oak.test", "https://oak.test/", "/u/1", "//oak.test/u/1",
		"http://oak.test/u/1", "HTTPS://oak.test/u/1", "https://OAK.test/u/1", "https://oak.test:443/u/1", "https://oak.test./u/1",
		"https://oak.test.evil.test/u/1", "https://oak.testu/u/1", "https://evil@oak.test/u/1", "https://elm.test/u/1",
		"https://oak.test/u/", "https://oak.test/u/0", "https://oak.test/u/01", "https://oak.test/u/+1", "https://oak.test/u/-1", "https://oak.test/u/1.0",
		"https://oak.test/u/١", "https://oak.test/u/%31", "https://oak.test/u/9223372036854775808", "https://oak.test/u/1/", "https://oak.test/u/1?x", "https://oak.test/u/1#x",
		"https://oak.test/u/1/inbox/", "https://oak.test//u/1", "https://oak.test/./u/1", "https://oak.test/o/1#main-key", "https://oak.test/o/1/inbox", "https://oak.test/c/1/replies",
		"https://oak.test/actor/", "https://oak.test/inbox?x", "https://oak.test/@", "https://oak.test/@a/b", "https://oak.test/tags/", "https://oak.test/tags/%zz", "https://oak.test/tags/%61",
		"https://oak.test/media/", "https://oak.test/x/1", "https://oak.test/ u/1", "https://oak.test/u/1\n",
	} {
		if ref, ok := oak.Parse(address); ok {
			t.Errorf("Parse(%q) = %+v", address, ref)
		}
	}
	for _, address := range []string{"https://oak.test.evil.test/", "https://oak.testing/", "https://oak.test:444/u/1", "https://elm.test/", "", "https://oak.test@evil.test/"} {
		if oak.Local(address) {
			t.Errorf("%q passes for local", address)
		}
	}
	if !oak.Local("https://oak.test") || !oak.Local("https://oak.test/anything") {
		t.Error("the site itself is not local")
	}
}

func TestNewSite(t *testing.T) {
	for host, want := range map[string]string{"localhost:8080": "http://localhost:8080", "oak.localhost": "http://oak.localhost", "school.example": "https://school.example"} {
		if got := NewSite(host, true).Base(); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
	if got := NewSite("localhost:8443", false).Base(); got != "https://localhost:8443" {
		t.Error(got)
	}
}

func TestHostOf(t *testing.T) {
	tests := []struct{ iri, want string }{
		{"https://elm.test/u/1", "elm.test"},
		{"HTTPS://Elm.Test/", "elm.test"},
		{"https://elm.test:443/x", "elm.test"},
		{"http://elm.test:80", "elm.test"},
		{"http://elm.test:443/", "elm.test:443"},
		{"https://elm.test:8443/x", "elm.test:8443"},
		{"https://schule-köln.example/a", "xn--schule-kln-lcb.example"},
		{"https://xn--schule-kln-lcb.example/", "xn--schule-kln-lcb.example"},
		{"https://192.0.2.1/", "192.0.2.1"},
		{"https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443"},
		{"https://elm.test", "elm.test"},
		{"ftp://elm.test/", ""}, {"elm.test", ""}, {"https:///x", ""}, {"https:elm.test", ""}, {"", ""}, {"mailto:a@elm.test", ""},
		{"https://user@elm.test/", ""}, {"https://elm.test:/", ""}, {"https://elm.test:0/", ""}, {"https://elm.test:99999/", ""}, {"https://elm.test:080/", ""},
		{"https://elm.test./", ""}, {"https://elm.test。/", ""}, {"https://127.1/", ""}, {"https://elm.0x7f/", ""},
		{"https://elm test/", ""}, {"https://elm_test.example/", ""}, {"https://-elm.example/", ""}, {"https://a..example/", ""},
		{"https://" + strings.Repeat("a", 64) + ".example/", ""}, {"https://[fe80::1%25eth0]/", ""}, {"https://xn--\u00e9.example/", ""},
		{"https://elm.test\\@evil.test/", ""},
	}
	for _, tt := range tests {
		got, err := HostOf(tt.iri)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("HostOf(%q) = %q, %v, want %q", tt.iri, got, err, tt.want)
		}
	}
}

func TestSameOrigin(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"https://elm.test/u/1", "https://elm.test/o/2", true},
		{"https://elm.test/u/1", "https://ELM.test:443/o/2", true},
		{"https://köln.example/", "https://xn--kln-sna.example/x", true},
		{"https://elm.test/", "http://elm.test/", false},
		{"https://elm.test/", "https://elm.test:8443/", false},
		{"https://elm.test/", "https://oak.test/", false},
		{"https://elm.test/", "https://www.elm.test/", false},
		{"nonsense", "nonsense", false},
		{"", "", false},
		{"https://a@elm.test/", "https://elm.test/", false},
	}
	for _, tt := range tests {
		if got := SameOrigin(tt.a, tt.b); got != tt.want {
			t.Errorf("SameOrigin(%q, %q) = %v", tt.a, tt.b, got)
		}
		if got := SameOrigin(tt.b, tt.a); got != tt.want {
			t.Errorf("SameOrigin(%q, %q) = %v", tt.b, tt.a, got)
		}
	}
}

func TestNormaliseHost(t *testing.T) {
	tests := []struct{ in, out, dev string }{
		{"school.example", "school.example", "school.example"},
		{"  https://School.Example./about?x#y ", "school.example", "school.example"},
		{"HTTP://school.example", "school.example", "school.example"},
		{"@bo@school.example", "school.example", "school.example"},
		{"Schule-Köln.example", "xn--schule-kln-lcb.example", "xn--schule-kln-lcb.example"},
		{"ｓｃｈｏｏｌ.example", "school.example", "school.example"},
		{"elm.test", "elm.test", "elm.test"},
		{"elm.test:8443", "", "elm.test:8443"},
		{"localhost", "", "localhost"},
		{"localhost:8080", "", "localhost:8080"},
		{"http://oak.localhost:8081/", "", "oak.localhost:8081"},
		{"localhost:0", "", ""}, {"localhost:x", "", ""},
		{"school", "", ""}, {"school.example:8443", "", ""},
		{"192.0.2.1", "", ""}, {"[2001:db8::1]", "", ""}, {"2001:db8::1", "", ""}, {"[::1]:80", "", ""}, {"192.0.2.1:80", "", ""},
		{"127.1", "", ""}, {"0x7f.0x1", "", ""}, {"school.123", "", ""}, {"192.0.2.1.", "", ""},
		{"school.example..", "", ""}, {"school.example。", "", ""},
		{"", "", ""}, {"   ", "", ""}, {"https://", "", ""}, {".", "", ""}, {"ftp://school.example", "", ""},
		{"sch ool.example", "", ""}, {"a..example", "", ""}, {"-a.example", "", ""}, {"a_b.example", "", ""}, {"*.example.org", "", ""},
		{strings.Repeat("a.", 130) + "example", "", ""},
	}
	for _, tt := range tests {
		for dev, want := range map[bool]string{false: tt.out, true: tt.dev} {
			got, err := NormaliseHost(tt.in, dev)
			if got != want || (err == nil) != (want != "") {
				t.Errorf("NormaliseHost(%q, %v) = %q, %v, want %q", tt.in, dev, got, err, want)
			}
		}
	}
}

func TestParseHandle(t *testing.T) {
	tests := []struct {
		in, name, host string
	}{
		{"@bo@Elm.Test", "bo", "elm.test"},
		{"bo@elm.test", "bo", "elm.test"},
		{"acct:Bo.B-1@elm.test", "Bo.B-1", "elm.test"},
		{" @bo ", "bo", ""},
		{"bo_2", "bo_2", ""},
		{"@bo@köln.example", "bo", "xn--kln-sna.example"},
	}
	for _, tt := range tests {
		got, err := ParseHandle(tt.in, false)
		if err != nil || got != (Handle{Name: tt.name, Host: tt.host}) {
			t.Errorf("ParseHandle(%q) = %+v, %v", tt.in, got, err)
		}
		if again, err := ParseHandle(got.String(), false); err != nil || again != got {
			t.Errorf("%s reads as %+v, %v", got, again, err)
		}
		if again, err := ParseHandle("acct:"+got.Acct(), false); err != nil || again != got {
			t.Errorf("acct:%s reads as %+v, %v", got.Acct(), again, err)
		}
	}
	for _, in := range []string{"", "@", "@@", "@bo@", "bo@elm", "@bo@elm.test@x.test", "b o", ".bo", "bo.", "bö", "bo@https://elm.test", "bo@elm.test/x", "@bo@localhost:80", strings.Repeat("a", 200)} {
		if h, err := ParseHandle(in, false); err == nil {
			t.Errorf("ParseHandle(%q) = %+v", in, h)
		}
	}
	if h, err := ParseHandle("@bo@localhost:80", true); err != nil || h.Host != "localhost:80" {
		t.Errorf("in a demonstration: %+v, %v", h, err)
	}
}

// Whatever is read has one spelling: reading it again changes nothing.
func FuzzHosts(f *testing.F) {
	for _, s := range []string{"https://elm.test/u/1", "http://[::1]:80/", "https://köln.example:8443", "@bo@School.Example.", "localhost:8080", "https://oak.test/media/a%20b", "xn--kln-sna.example", "0x7f.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if host, err := HostOf(s); err == nil {
			again, err := HostOf("https://" + host + "/")
			if err != nil || again != host && again+":443" != host {
				t.Errorf("HostOf(%q) = %q, and of that %q, %v", s, host, again, err)
			}
			if !SameOrigin(s, s) {
				t.Errorf("%q does not share its own origin", s)
			}
		} else if SameOrigin(s, s) {
			t.Errorf("%q has an origin and no host", s)
		}
		for _, dev := range []bool{false, true} {
			if host, err := NormaliseHost(s, dev); err == nil {
				if again, err := NormaliseHost(host, dev); err != nil || again != host {
					t.Errorf("NormaliseHost(%q) = %q, and of that %q, %v", s, host, again, err)
				}
			}
			if h, err := ParseHandle(s, dev); err == nil {
				if again, err := ParseHandle(h.String(), dev); err != nil || again != h {
					t.Errorf("ParseHandle(%q) = %+v, and of that %+v, %v", s, h, again, err)
				}
			}
		}
		if ref, ok := oak.Parse(s); ok {
			if !oak.Local(s) || !SameOrigin(s, oak.Base()) || ref.Kind == None {
				t.Errorf("Parse(%q) = %+v, which is not ours", s, ref)
			}
		}
	})
}
