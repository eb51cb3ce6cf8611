package config

import (
	"net/netip"
	"strings"
	"testing"
)

// A file of settings holds settings that there are, each once.
func FuzzParseFile(f *testing.F) {
	f.Add("host = oak.example\n# no\ndata=\"a b\"\n")
	f.Add("host=a\nhost=b")
	f.Add("\xef\xbb\xbfhost=a\r\n=\n\"=\"")
	known := map[string]bool{}
	for _, s := range Settings() {
		known[s.Key] = true
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseFile(text)
		if err != nil {
			return
		}
		for name, value := range values {
			if !known[name] || name == "" || strings.ContainsAny(value, "\n") {
				t.Errorf("%q sets %q to %q", text, name, value)
			}
			again, err := parseFile(name + " = \"" + value + "\"")
			if err != nil || again[name] != value {
				t.Errorf("%q written again is %q (%v)", value, again[name], err)
			}
		}
	})
}

// Sizes and ranges read as they are written.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"16MiB", "10 MB", "4096", "-1", "9999999999GiB", "1e9", "10.0.0.0/8,192.0.2.7", "::1", "10.0.0.1/8", "fe80::1%eth0", ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size, again Size
		if size.UnmarshalText([]byte(text)) == nil {
			if size < 0 {
				t.Errorf("%q is %d bytes", text, size)
			}
			if err := again.UnmarshalText([]byte(size.String())); err != nil || again != size {
				t.Errorf("%q is %s, and that is %s (%v)", text, size, again, err)
			}
		}
		var ranges, more Prefixes
		if ranges.UnmarshalText([]byte(text)) == nil {
			if err := more.UnmarshalText([]byte(ranges.String())); err != nil || more.String() != ranges.String() {
				t.Errorf("%q is %s, and that is %s (%v)", text, ranges, more, err)
			}
			for _, p := range ranges {
				if !p.IsValid() || !p.Addr().Is4In6() && !ranges.Contains(p.Addr()) || ranges.Contains(netip.Addr{}) {
					t.Errorf("%q holds the range %s", text, p)
				}
			}
		}
	})
}
