package web

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestColoursContrast reads the tokens and holds every pair that the style
// sheets use to WCAG 2.2, success criteria 1.4.3 (text, 4.5:1) and 1.4.11
// (controls and pictures, 3:1), in both schemes.
func TestColoursContrast(t *testing.T) {
	body, err := os.ReadFile("static/src/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(body), ":root")
	if len(parts) != 4 {
		t.Fatalf("tokens.css has %d :root rules, want 3", len(parts)-1)
	}
	light, dark, chosen := colours(parts[1]), colours(parts[2]), colours(parts[3])
	for name, value := range dark {
		if chosen[name] != value {
			t.Errorf("--%s differs between the dark scheme of the system and the chosen one", name)
		}
		if light[name] == "" {
			t.Errorf("--%s exists in the dark scheme only", name)
		}
	}
	surfaces := []string{"paper", "sheet", "sunk"}
	type pair struct {
		fore, back string
		least      float64
	}
	var pairs []pair
	for _, s := range surfaces {
		for _, text := range []string{"ink", "ink-soft", "accent", "accent-strong", "signal", "signal-strong"} {
			pairs = append(pairs, pair{text, s, 4.5})
		}
		pairs = append(pairs, pair{"edge", s, 3}, pair{"focus", s, 3})
	}
	for _, text := range []string{"ink", "ink-soft", "accent", "accent-strong"} {
		pairs = append(pairs, pair{text, "accent-soft", 4.5})
	}
	for _, text := range []string{"ink", "signal", "signal-strong"} {
		pairs = append(pairs, pair{text, "signal-soft", 4.5})
	}
	pairs = append(pairs, pair{"on-accent", "accent", 4.5}, pair{"on-accent", "accent-strong", 4.5},
		pair{"on-signal", "signal", 4.5}, pair{"on-signal", "signal-strong", 4.5}, pair{"focus", "accent-soft", 3}, pair{"focus", "signal-soft", 3})
	for i := range hues {
		pairs = append(pairs, pair{"on-hue", "hue-" + strconv.Itoa(i), 4.5}, pair{"hue-" + strconv.Itoa(i), "paper", 3})
	}
	for scheme, set := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, p := range pairs {
			if got := contrast(t, set[p.fore], set[p.back]); got < p.least {
				t.Errorf("%s: --%s on --%s is %.2f:1, want %.1f:1", scheme, p.fore, p.back, got, p.least)
			}
		}
	}
}

func colours(css string) map[string]string {
	set := make(map[string]string)
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
		set[m[1]] = m[2]
	}
	return set
}

// contrast is the contrast ratio of WCAG 2.2.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	part := func(shift uint) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}
