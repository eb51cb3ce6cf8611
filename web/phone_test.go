package web

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// phoneHelp is what the conditions of TestPhone say things with.
const phoneHelp = `(() => {
	const page = document.querySelector(".page"), bar = document.querySelector(".bar");
	const controls = [...page.querySelectorAll("a[href], button, input:not([type=hidden]), textarea, select, summary")].filter(e => e.checkVisibility());
	const shown = e => { // the part of it that the page shows
		const r = e.getBoundingClientRect(), p = page.getBoundingClientRect();
		return {left: r.left, right: r.right, top: Math.max(r.top, p.top), bottom: Math.min(r.bottom, p.bottom)};
	};
	const underBar = e => {
		const r = shown(e), x = (r.left + r.right) / 2;
		return r.bottom - r.top > 2 && [r.top + 1, (r.top + r.bottom) / 2, r.bottom - 1].some(y => bar.contains(document.elementFromPoint(x, y)));
	};
	window.phone = {page, bar, controls,
		covered: () => {
			const found = new Set();
			for (let top = 0; top < page.scrollHeight; top += 23) {
				page.scrollTo({top, behavior: "instant"});
				controls.filter(underBar).forEach(e => found.add(e.outerHTML.slice(0, 80)));
			}
			return [...found];
		},
		lost: () => controls.filter(e => { // those of which the focus shows less than there is room for
			e.focus();
			const r = e.getBoundingClientRect(), s = shown(e);
			return e === document.activeElement && (underBar(e) || s.bottom - s.top < Math.min(r.height, page.clientHeight) - 1);
		}).map(e => e.outerHTML.slice(0, 80)),
	};
	page.style.scrollBehavior = "auto";
	return controls.length > 5;
})()`

// TestPhone holds that the bar of a phone lies over nothing: not over a
// control, wherever the page stands (WCAG 2.2, 2.5.8), nor over what has the
// focus (2.4.11); and that the page above it does what browsers do for a
// document.
func TestPhone(t *testing.T) {
	browser := browserOrSkip(t)
	s := newScriptServer(t)
	ctx, stop := openBrowser(t, browser)
	defer stop()
	open := func(t *testing.T, path string) {
		t.Helper()
		do(t, ctx, chromedp.Navigate(s.URL+path))
		holds(t, ctx, "the page is there", phoneHelp)
	}
	do(t, ctx, chromedp.EmulateViewport(360, 740))
	for _, path := range []string{"/home", "/posts/1", "/posts/1/reply"} {
		t.Run(path, func(t *testing.T) {
			open(t, path)
			holds(t, ctx, "the bar ends the screen", `Math.abs(phone.bar.getBoundingClientRect().bottom - innerHeight) < 1`)
			holds(t, ctx, "the page ends where the bar begins", `phone.page.getBoundingClientRect().bottom <= phone.bar.getBoundingClientRect().top`)
			holds(t, ctx, "nothing but the page scrolls", `document.documentElement.scrollHeight === innerHeight && phone.page.scrollHeight > innerHeight`)
			holds(t, ctx, "the bar covers no control", `phone.covered().length === 0 || (console.log(phone.covered()), false)`)
			holds(t, ctx, "what has the focus is seen", `phone.lost().length === 0 || (console.log(phone.lost()), false)`)
		})
	}
	t.Run("the page comes back to its place", func(t *testing.T) {
		open(t, "/home")
		do(t, ctx, chromedp.Evaluate[chromedp.Void](`phone.page.scrollTop = 600`))
		holds(t, ctx, "the place is noted", `history.state.top === 600`)
		do(t, ctx, chromedp.Reload())
		holds(t, ctx, "after loading it again", `document.querySelector(".page").scrollTop === 600`)
		do(t, ctx, chromedp.Navigate(s.URL+"/posts/1"))
		holds(t, ctx, "a page not seen before begins at its head", `location.pathname === "/posts/1" && document.querySelector(".page").scrollTop === 0`)
		do(t, ctx, chromedp.NavigateBack())
		holds(t, ctx, "on the way back", `location.pathname === "/home" && document.querySelector(".page").scrollTop === 600`)
	})
	t.Run("an address within the page is found", func(t *testing.T) {
		open(t, "/posts/1#post-15")
		holds(t, ctx, "at the head of the screen", `document.getElementById("post-15").getBoundingClientRect().top >= 0 && document.getElementById("post-15").getBoundingClientRect().top < 200 || phone.page.scrollTop + phone.page.clientHeight >= phone.page.scrollHeight - 1`)
	})
	t.Run("keys scroll before anything has the focus", func(t *testing.T) {
		open(t, "/home")
		do(t, ctx, chromedp.KeyEvent(kb.PageDown))
		holds(t, ctx, "a screen on", `phone.page.scrollTop > 300`)
	})
	t.Run("a low screen is the page's alone", func(t *testing.T) {
		do(t, ctx, chromedp.EmulateViewport(640, 256), chromedp.Navigate(s.URL+"/home"))
		holds(t, ctx, "the document scrolls, and ends with the bar", `document.documentElement.scrollHeight > innerHeight && document.querySelector(".bar").getBoundingClientRect().top > innerHeight`)
	})
}
