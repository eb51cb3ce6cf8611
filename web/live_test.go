package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// scriptServer serves gallery pages with a live stream that the test feeds.
type scriptServer struct {
	*httptest.Server
	events chan string
}

func newScriptServer(t *testing.T) *scriptServer {
	t.Helper()
	ts, l, assets := galleryTemplates(t)
	withGallery(t, ts, l)
	_, err := ts.sets[l].New("scriptPages").Parse(`
{{define "page/home"}}{{template "page-head" .Head}}{{template "feed" .Feed}}<p>{{range .Tall}}<br>{{end}}</p>{{end}}
{{define "page/reply"}}{{template "page-head" .Head}}{{template "composer" .Composer}}{{end}}
{{define "page/conversation"}}{{template "post-whole" .Post}}{{template "thread" .Thread}}{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	s := &scriptServer{events: make(chan string)}
	page := func(w http.ResponseWriter, name, live string, view map[string]any) {
		oak, _, _ := gallerySchools()
		me := galleryPerson("Amira Tāne", "@amira@oak.test", oak)
		view["Head"] = PageHead{Title: name}
		err := ts.Page(w, 200, l, name, Page{Title: name, Frame: Frame{Site: SiteView{"Oak Primary", "oak.test", oak.Mark}, Me: &me, Unread: 2, Live: live}, View: view})
		if err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle(AssetsPrefix, assets)
	mux.HandleFunc("/picture/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprint(w, boardPicture)
	})
	mux.HandleFunc("/home", func(w http.ResponseWriter, _ *http.Request) {
		page(w, "home", "home", map[string]any{"Feed": Feed{Posts: galleryPosts(l)}, "Tall": make([]int, 100)})
	})
	mux.HandleFunc("/posts/1", func(w http.ResponseWriter, _ *http.Request) {
		th := galleryThread(l)
		th.Nodes[len(th.Nodes)-1].Form = nil
		page(w, "conversation", "thread:1", map[string]any{"Post": galleryPosts(l)[1], "Thread": th})
	})
	mux.HandleFunc("/posts/1/reply", func(w http.ResponseWriter, _ *http.Request) {
		page(w, "reply", "", map[string]any{"Composer": galleryComposer(l, "reply")})
	})
	mux.HandleFunc("/live", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		rc := http.NewResponseController(w)
		_ = rc.Flush()
		for {
			select {
			case e := <-s.events:
				fmt.Fprint(w, e)
				_ = rc.Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// send waits until a page listens, then sends one event.
func (s *scriptServer) send(t *testing.T, event, data string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "event: %s\n", event)
	for line := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(&b, "data: %s\n", line)
	}
	select {
	case s.events <- b.String() + "\n":
	case <-time.After(20 * time.Second):
		t.Fatal("no page listens to the live stream")
	}
}

// holds waits until a script's condition is true on the page. While what it
// asks about is not there yet it is false.
func holds(t *testing.T, ctx context.Context, what, condition string) {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
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
		t.Errorf("%s: %v", what, err)
	}
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func TestScript(t *testing.T) {
	browser := browserOrSkip(t)
	s := newScriptServer(t)
	ts, l, _ := galleryTemplates(t)
	fragment := func(name string, view any) string {
		var b bytes.Buffer
		if err := ts.Fragment(&b, l, name, view); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	ctx, stop := openBrowser(t, browser)
	defer stop()

	t.Run("posts arrive at the top of a feed", func(t *testing.T) {
		post := galleryPosts(l)[1]
		post.ID, post.Title = "100", "Arrived"
		do(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(s.URL+"/home"))
		s.send(t, "post", fragment("post-item", post))
		holds(t, ctx, "a new post is first", `document.querySelector("[data-live-list] > li").id === "post-100"`)
		holds(t, ctx, "it is told to those who listen", `document.getElementById("live-status").textContent.includes("Bo Lindqvist")`)
		post.Title = "Edited"
		s.send(t, "post", fragment("post-item", post))
		holds(t, ctx, "an edit takes its place", `document.querySelector("#post-100 h2").textContent === "Edited" && document.querySelectorAll("#post-100").length === 1`)
		s.send(t, "gone", "100")
		holds(t, ctx, "a deleted one goes", `!document.getElementById("post-100")`)
		s.send(t, "unread", "7")
		holds(t, ctx, "the bell counts", `[...document.querySelectorAll("[data-unread] [data-n]")].every(e => e.textContent === "7")`)
	})
	t.Run("whoever has scrolled is not moved", func(t *testing.T) {
		post := galleryPosts(l)[1]
		do(t, ctx, chromedp.Evaluate[chromedp.Void](`scrollTo({top: 900, behavior: "instant"})`))
		for _, id := range []string{"101", "102"} {
			post.ID = id
			s.send(t, "post", fragment("post-item", post))
		}
		holds(t, ctx, "a bar counts what waits", `!document.querySelector("[data-new-posts]").hidden && document.querySelector("[data-new-posts] button").textContent === "2 new posts"`)
		holds(t, ctx, "nothing is put in yet", `!document.getElementById("post-101")`)
		do(t, ctx, chromedp.KeyEvent("."))
		holds(t, ctx, "the newest is first", `document.querySelector("[data-live-list] > li").id === "post-102" && !!document.getElementById("post-101")`)
	})
	t.Run("replies arrive where they belong", func(t *testing.T) {
		do(t, ctx, chromedp.Navigate(s.URL+"/posts/1"))
		node := galleryThread(l).Nodes[1]
		node.Post.ID, node.Parent, node.Depth = "200", "11", 2
		s.send(t, "post", fragment("thread-node", node))
		holds(t, ctx, "after the answers that were there", `document.getElementById("post-200").previousElementSibling.id === "post-15"`)
	})
	t.Run("a reply is written in place and kept", func(t *testing.T) {
		do(t, ctx, chromedp.Navigate(s.URL+"/home"), chromedp.KeyEvent("j"), chromedp.KeyEvent("r"))
		holds(t, ctx, "the form opens in the post", `document.activeElement.matches("#post-1 form.composer.inline textarea")`)
		do(t, ctx, chromedp.KeyEvent("Half a thought"))
		holds(t, ctx, "the draft is kept", `Object.keys(localStorage).some(k => k.includes("@amira@oak.test") && localStorage.getItem(k).includes("Half a thought"))`)
		do(t, ctx, chromedp.Navigate(s.URL+"/posts/1/reply"))
		holds(t, ctx, "and comes back", `document.querySelector("textarea[name=text]").value === "Half a thought" && !document.querySelector("[data-draft-note]").hidden`)
		do(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-sign-out]").dispatchEvent(new Event("submit"))`))
		holds(t, ctx, "signing out removes it", `!Object.keys(localStorage).some(k => k.startsWith("chalkring draft"))`)
	})
	t.Run("a menu closes when the focus goes on", func(t *testing.T) {
		do(t, ctx, chromedp.Navigate(s.URL+"/home"), chromedp.Evaluate[chromedp.Void](`document.querySelector("article details.menu > summary").focus()`), chromedp.KeyEvent(kb.Enter))
		holds(t, ctx, "it opens", `document.querySelector("article details.menu").open`)
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
		holds(t, ctx, "it is open for what is in it", `document.querySelector("article details.menu").open && !!document.activeElement.closest("article details.menu .menu-list")`)
		do(t, ctx, chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("article details.menu .menu-list :is(a, button)")].filter(e => e.closest("details").open).at(-1).focus()`), chromedp.KeyEvent(kb.Tab))
		holds(t, ctx, "and lies over nothing that has the focus next", `document.activeElement !== document.body && !document.activeElement.closest("details.menu[open]") && !document.querySelector("details.menu[open]")`)
	})
	t.Run("shortcuts can be read and turned off", func(t *testing.T) {
		do(t, ctx, chromedp.Navigate(s.URL+"/home"), chromedp.KeyEvent("?"))
		holds(t, ctx, "the sheet opens", `document.getElementById("shortcuts").open`)
		do(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-toggle-shortcuts]").click(); document.getElementById("shortcuts").close()`), chromedp.KeyEvent("?"))
		holds(t, ctx, "and stays shut when they are off", `!document.getElementById("shortcuts").open`)
		do(t, ctx, chromedp.Evaluate[chromedp.Void](`localStorage.clear()`))
	})
}
