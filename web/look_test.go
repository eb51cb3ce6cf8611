package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const boardPicture = `<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="800"><rect width="1200" height="800" fill="#e9e4d6"/><rect x="60" y="60" width="1080" height="680" rx="18" fill="#fdfcf7" stroke="#b8ae98" stroke-width="14"/>` +
	`<g fill="#f5d76b"><rect x="130" y="170" width="140" height="120"/><rect x="290" y="200" width="140" height="120"/><rect x="150" y="330" width="140" height="120"/></g><g fill="#9fd3b8"><rect x="520" y="180" width="140" height="120"/><rect x="600" y="330" width="140" height="120"/></g><g fill="#f0a98a"><rect x="860" y="190" width="140" height="120"/></g></svg>`

// browserOrSkip finds Chromium. Tests that need it run when
// CHALKRING_TEST_BROWSER is set, or when somebody wants to look.
func browserOrSkip(t *testing.T) string {
	t.Helper()
	if os.Getenv("CHALKRING_TEST_BROWSER") == "" && os.Getenv("CHALKRING_LOOK") == "" && os.Getenv("CHALKRING_AXE") == "" {
		t.Skip("no browser: set CHALKRING_TEST_BROWSER=1 to run this in Chromium")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no browser: Chromium is not installed")
	return ""
}

// TestLook opens the gallery in a browser, at the widths and schemes people
// have, and holds that nothing sticks out. With CHALKRING_LOOK naming a folder
// it leaves pictures there; with CHALKRING_AXE naming axe.min.js (axe-core, from
// npm) it holds every page to its rules.
func TestLook(t *testing.T) {
	shots, axe := os.Getenv("CHALKRING_LOOK"), os.Getenv("CHALKRING_AXE")
	browser := browserOrSkip(t)
	ts, l, assets := galleryTemplates(t)
	withGallery(t, ts, l)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, AssetsPrefix):
			assets.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/picture/"):
			w.Header().Set("Content-Type", "image/svg+xml")
			fmt.Fprint(w, boardPicture)
		case strings.HasPrefix(r.URL.Path, "/page/"):
			SecurityHeaders(w.Header())
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(galleryPage(t, ts, l, strings.TrimPrefix(r.URL.Path, "/page/"), r.URL.Query().Get("theme")))
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	ctx, stop := openBrowser(t, browser)
	defer stop()
	for _, name := range galleryNames {
		for _, width := range []int64{360, 768, 1280} {
			for _, theme := range []string{"light", "dark"} {
				t.Run(fmt.Sprintf("%s-%d-%s", name, width, theme), func(t *testing.T) {
					look(t, ctx, srv.URL+"/page/"+name+"?theme="+theme, width, shots, axe)
				})
			}
		}
	}
}

func openBrowser(t *testing.T, path string) (context.Context, context.CancelFunc) {
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-back-forward-cache", true)) // the way back loads a page again, as where memory is short
	alloc, stopAlloc := chromedp.NewExecAllocator(t.Context(), opts...)
	ctx, stop := chromedp.NewContext(alloc)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of its first step
		t.Fatal(err)
	}
	return ctx, func() { stop(); stopAlloc() }
}

func look(t *testing.T, ctx context.Context, url string, width int64, shots, axe string) {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(url))
	if err != nil {
		t.Fatal(err)
	}
	wide, err := chromedp.Run(ctx, chromedp.Evaluate[int64](`document.fonts.ready.then(() => Math.max(...[document.documentElement, document.querySelector(".page")].map(e => e.scrollWidth)))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	if axe != "" {
		problems = audit(t, ctx, axe)
	}
	for _, p := range problems {
		t.Error(p)
	}
	if wide > width {
		t.Errorf("the page is %d px wide on a screen of %d: %s", wide, width, widest(t, ctx, width))
	}
	if shots != "" {
		tall, err := chromedp.Run(ctx, chromedp.Evaluate[int64](`(p => p.clientHeight ? Math.max(900, p.scrollHeight + 60) : 900)(document.querySelector(".page"))`))
		if err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, tall)); err != nil { // a page that scrolls above the bar, whole
			t.Fatal(err)
		}
		png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(t.Name(), "/")
		if err := os.WriteFile(filepath.Join(shots, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// audit runs axe-core on the page that is open and returns what it minds.
func audit(t *testing.T, ctx context.Context, path string) []string {
	t.Helper()
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](string(script))); err != nil {
		t.Fatal(err)
	}
	problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](
		`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
			r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target + " " + n.failureSummary)))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

// widest names the elements that stick out of a screen.
func widest(t *testing.T, ctx context.Context, width int64) string {
	t.Helper()
	names, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](fmt.Sprintf(
		`[...document.querySelectorAll("main *, aside *")].filter(e => e.getBoundingClientRect().right > %d).map(e => e.tagName + "." + e.getAttribute("class")).slice(0, 12)`, width)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, ", ")
}
