package testnet_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	paths "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// openBrowser starts a browser that finds servers where it is told; they need not be
// where the network finds them.
func openBrowser(t *testing.T, at map[string]netip.AddrPort) context.Context {
	t.Helper()
	if os.Getenv("CHALKRING_TEST_BROWSER") == "" {
		t.Skip("no browser: set CHALKRING_TEST_BROWSER=1 to run this in Chromium")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := paths.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no browser: Chromium is not installed")
	}
	var rules []string
	for host, to := range at {
		rules = append(rules, fmt.Sprintf("MAP %s %s", host, to))
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("host-resolver-rules", strings.Join(rules, ",")), chromedp.Flag("ignore-certificate-errors", true))
	alloc, stopAlloc := chromedp.NewExecAllocator(t.Context(), opts...)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(func() { stop(); stopAlloc() })
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of its first step
		t.Fatal(err)
	}
	return ctx
}

func whereabouts(t *testing.T, net *testnet.Net, hosts ...string) map[string]netip.AddrPort {
	t.Helper()
	at := map[string]netip.AddrPort{}
	for _, host := range hosts {
		to, _ := net.Resolve(t.Context(), host)
		if len(to) == 0 {
			t.Fatalf("there is no %s", host)
		}
		at[host] = to[0]
	}
	return at
}

// window is a page of a server's administrator that is open in a browser.
type window struct {
	t    *testing.T
	ctx  context.Context
	host string
}

// window signs an administrator in, in a tab of the browser.
func (d gate) window(browser context.Context) *window {
	d.t.Helper()
	const password = "paper aeroplane weather"
	if _, err := app.CreatePerson(d.t.Context(), d.DB(), app.NewPerson{Username: "ruth", Password: password, Role: community.ITAdmin}); err != nil {
		d.t.Fatal(err)
	}
	ctx, stop := chromedp.NewContext(browser)
	d.t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil { // a tab, too
		d.t.Fatal(err)
	}
	w := &window{d.t, ctx, d.Host}
	w.open("/sign-in")
	w.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const f = document.querySelector("main form"); f.login.value = "ruth"; f.password.value = %q; f.requestSubmit() })()`, password)))
	w.holds("signed in", `!!document.body.dataset.me`)
	return w
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.ctx, 20*time.Second)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.t.Fatalf("%s: %v", w.host, err)
	}
}

// open goes to a page, and puts a mark on it that does not outlive it.
func (w *window) open(path string) {
	w.t.Helper()
	w.do(chromedp.Navigate("https://"+w.host+path), chromedp.Evaluate[chromedp.Void](`window.mark = true`))
}

// holds waits until a condition is true on the page. While what it asks about
// is not there yet it is false.
func (w *window) holds(what, condition string) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.ctx, 20*time.Second)
	defer stop()
	ask := func() error { // gives up early: a document that was replaced meanwhile never answers
		ctx, stop := context.WithTimeout(ctx, 3*time.Second)
		defer stop()
		_, err := chromedp.Run(ctx, chromedp.Poll[bool]("(() => { try { return "+condition+" } catch { return false } })()"))
		return err
	}
	err := ask()
	for err != nil && ctx.Err() == nil {
		err = ask()
	}
	if err != nil {
		shown, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`document.querySelector("main").innerText + "\n" + document.getElementById("live-status").textContent + "\n" + document.activeElement.outerHTML.slice(0, 200)`))
		w.t.Errorf("%s, %s: %v\n%s", w.host, what, err, shown)
	}
}

// shows waits until a part of the page, which was not loaded anew, has words.
func (w *window) shows(part, words string) {
	w.t.Helper()
	w.holds(fmt.Sprintf("%s has %q", part, words), fmt.Sprintf(`window.mark && document.querySelector(%q).innerText.includes(%q)`, part, words))
}

// tells waits until those who listen to the page are told words.
func (w *window) tells(words string) {
	w.t.Helper()
	w.holds(fmt.Sprintf("tells %q", words), fmt.Sprintf(`window.mark && document.getElementById("live-status").textContent.includes(%q)`, words))
}

const requestsPage = "/admin/peers/requests"

// Both sides see on pages that are open how far they are: nobody has to load a
// page anew to learn that the other side has asked, answered or thought better
// of it.
func TestHandshakeLivePages(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		all := gates(t, net, "oak.test", "elm.test", "ash.test")
		oak, elm, ash := all[0], all[1], all[2]
		browser := openBrowser(t, whereabouts(t, net, "oak.test", "elm.test", "ash.test"))
		here, there := oak.window(browser), elm.window(browser)
		here.open(requestsPage)
		there.open(requestsPage)
		there.holds("nobody asks", `document.getElementById("asking-count").hidden && document.querySelectorAll("#requests-asking li").length === 0`)

		asked := oak.asks("elm.test")
		net.Settle()
		card := fmt.Sprintf("#request-%d", elm.with(peers.In, "oak.test").ID)
		there.shows(card, asked.Phrase)
		there.tells("oak.test asks to connect.")
		there.shows("#asking-count", "1")
		row := fmt.Sprintf("#requests-asked #request-%d", asked.ID)
		here.shows(row, "Waits for an answer")
		here.tells("elm.test: Waits for an answer.")

		// what somebody is doing there stays when another server asks
		there.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const s = document.querySelector("%s select"); s.value = "partner"; s.focus() })()`, card)))
		ash.asks("elm.test")
		net.Settle()
		there.shows("#asking-count", "2")
		there.tells("ash.test asks to connect.")
		there.holds("the choice and the focus stay", fmt.Sprintf(`document.activeElement === document.querySelector("%[1]s select") && document.querySelector("%[1]s select").value === "partner"`, card))

		// accepted by keys: to the button, and press it
		there.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
		there.holds("it is done", `!window.mark && document.querySelector(".flash") !== null`)
		there.do(chromedp.Evaluate[chromedp.Void](`window.mark = true`))
		net.Settle()
		here.shows(fmt.Sprintf("#requests-past #request-%d", asked.ID), "Connected")
		here.tells("elm.test: Connected.")
		here.holds("nothing waits here", `document.getElementById("requests-asked").hidden`)
		there.shows("#requests-past "+card, "They have our answer.")
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)

		// whoever is about to answer what is taken back is told, and led on
		away := ash.window(browser)
		away.open("/admin")
		away.holds("nobody asks", `!document.getElementById("decide-asking").checkVisibility()`)
		asked = oak.asks("ash.test")
		net.Settle()
		away.shows(".decide", "One server asks to connect")
		away.tells("One server asks to connect.")
		away.open(requestsPage)
		card = fmt.Sprintf("#request-%d", ash.with(peers.In, "oak.test").ID)
		away.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("%s .button.main").focus()`, card)))
		oak.must(func(tx *store.Tx) error {
			_, err := peers.Withdraw(tx, 0, asked.ID, "A mistake")
			return err
		})
		net.Settle()
		away.shows("#requests-past "+card, "Withdrawn")
		away.tells("oak.test: Withdrawn.")
		away.holds("nobody asks any more", `document.querySelectorAll("#requests-asking li").length === 0 && document.getElementById("asking-count").hidden`)
		away.holds("the focus went with it", fmt.Sprintf(`document.activeElement === document.querySelector("#requests-past %s")`, card))
		here.shows(fmt.Sprintf("#requests-past #request-%d", asked.ID), "Withdrawn")

		// rejected, while somebody here is about to take it back
		asked = oak.asks("ash.test")
		net.Settle()
		here.shows(fmt.Sprintf("#requests-asked #request-%d", asked.ID), "Waits for an answer")
		here.open(fmt.Sprintf("%s/%d/withdraw", requestsPage, asked.ID))
		here.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#request-end textarea").focus()`))
		ash.must(func(tx *store.Tx) error {
			r, err := peers.RequestWith(tx, peers.In, "oak.test")
			if err == nil {
				_, err = peers.Reject(tx, 0, r.ID, "We start with our own district.")
			}
			return err
		})
		net.Settle()
		here.shows("#request-end", "Rejected")
		here.shows("#request-end", "We start with our own district.")
		here.tells("ash.test: Rejected.")
		here.holds("there is nothing to send, and the focus is not lost", `!document.querySelector("#request-end form") && document.activeElement.id === "request-end"`)
		away.shows("#requests-past", "They have our answer.")

		// over because nobody answered
		here.open(requestsPage)
		asked = oak.asks("ash.test")
		net.Settle()
		here.shows(fmt.Sprintf("#requests-asked #request-%d", asked.ID), "Waits for an answer")
		for _, d := range []gate{oak, ash} {
			d.must(func(tx *store.Tx) error {
				if err := tx.Exec("UPDATE peer_requests SET expires_at = ? WHERE state = 'waiting' AND host IN ('oak.test', 'ash.test')", tx.Now.Add(-time.Minute)).Error; err != nil {
					return err
				}
				return community.SweepPeering(tx)
			})
		}
		here.shows(fmt.Sprintf("#requests-past #request-%d", asked.ID), "Expired without an answer")
		away.shows("#requests-past", "Expired without an answer")

		// an answer that does not arrive is seen as well
		ash.must(func(tx *store.Tx) error { return tx.Exec("DELETE FROM peer_offers").Error }) // a day later
		oak.asks("ash.test")
		net.Settle()
		away.shows("#requests-asking", "oak.test")
		oak.Stop()
		ash.must(func(tx *store.Tx) error {
			r, err := peers.RequestWith(tx, peers.In, "oak.test")
			if err == nil {
				_, err = peers.Accept(tx, 0, r.ID, peers.Acceptance{Preset: peers.PresetNetwork})
			}
			return err
		})
		away.shows("#requests-past", "Our answer has not arrived. It cannot be reached.")
	})
}

// What one node of a server does is seen on pages that another one serves.
func TestHandshakeLivePagesOfTwoNodes(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		if elm.DB().Dialect() != store.Postgres {
			t.Skip("two nodes need PostgreSQL")
		}
		browser := openBrowser(t, whereabouts(t, net, "elm.test")) // the first node
		there := elm.window(browser)
		there.open(requestsPage)
		other := gate{t, net.Start("elm.test", func(c *config.Config) { c.Database = elm.Config().Database })}
		oak.asks("elm.test") // of the second
		net.Settle()
		there.shows("#requests-asking", "oak.test")
		there.tells("oak.test asks to connect.")
		if err := other.accepts("oak.test", peers.PresetNetwork); err != nil {
			t.Fatal(err)
		}
		net.Settle()
		there.shows("#requests-past", "They have our answer.")
	})
}
