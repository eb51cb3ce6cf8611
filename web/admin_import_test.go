package web

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// uploads sends a list as a form with a file does.
func (o *office) uploads(role community.Role, name, list string, fields url.Values) *httptest.ResponseRecorder {
	o.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for key := range fields {
		if err := form.WriteField(key, fields.Get(key)); err != nil {
			o.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := part.Write([]byte(list)); err != nil {
		o.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		o.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/admin/peers/import", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	for _, c := range o.cookies[role] {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	o.handler.ServeHTTP(rec, r)
	return rec
}

// ring connects with some servers and blocks one.
func (o *office) ring() {
	o.write(func(tx *store.Tx) error {
		partner := peers.PresetPartner.Policy()
		for _, host := range []string{"friend.example", "loud.example"} {
			if _, err := peers.Allow(tx, 0, host, peers.Entry{Label: "The " + host, Policy: &partner}); err != nil {
				return err
			}
		}
		_, err := peers.Block(tx, 0, "foe.example", peers.Entry{Reason: "spam"})
		return err
	})
}

const someBlocks = "\ufeff#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate\r\nfriend.example,suspend,false,false,\"They say: <b>no</b>\",false\r\n" +
	"loud.example,silence,true,false,,false\r\nfoe.example,suspend,false,false,,false\r\nnew.example,suspend,false,false,Advertising,false\r\nm****.example,suspend,false,false,,true\r\n" +
	"stranger.example,limit,false,false,rude,false\r\n192.0.2.7,suspend,false,false,,false\r\nnew.example,suspend,,,,\r\n"

func TestImportIsLookedAtThenDecidedThenUndone(t *testing.T) {
	o := openOffice(t)
	o.ring()
	admin := community.ITAdmin
	if rec := o.uploads(community.Moderator, "blocks.csv", someBlocks, nil); rec.Code != http.StatusForbidden {
		t.Errorf("a moderator imports: %d", rec.Code)
	}
	if rec := o.uploads(admin, "blocks.csv", someBlocks, nil); rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != "/admin/peers/import/1" {
		t.Fatalf("%d to %q\n%s", rec.Code, rec.Header().Get("Location"), mainOf(rec.Body.String()))
	}
	body := o.sees(admin, "/admin/peers/import/1", "blocks.csv", "Waits for you to decide", "new.example", "Block, with every name below it.", "Advertising", "Line 5", "Block one server", "The stricter of the two")
	if strings.Contains(body, "How close are the new servers") {
		t.Error("asks how close servers are to be that are to be blocked")
	}
	o.sees(admin, "/admin/peers/import/1?show=conflict", "friend.example", "You are connected with it.", "They say: &lt;b&gt;no", "Limit: shown to followers and in groups only, no pictures or files.")
	o.sees(admin, "/admin/peers/import/1?show=there", "foe.example", "The same as line 5.")
	o.sees(admin, "/admin/peers/import/1?show=refused", "m****.example", "Part of the name is hidden", "This is an IP address.", "You are not connected with it, so there is nothing to limit.")
	if s, _ := o.standing("new.example"); s != peers.Unknown {
		t.Error("looking at a list decides")
	}
	o.leads(admin, "/admin/peers/import/1/apply", url.Values{"conflicts": {"stricter"}}, "/admin/peers/import/1")
	for host, want := range map[string]peers.Standing{"new.example": peers.Blocked, "friend.example": peers.Paused, "loud.example": peers.Allowed, "stranger.example": peers.Unknown} {
		if s, _ := o.standing(host); s != want {
			t.Errorf("%s is %q", host, s)
		}
	}
	o.sees(admin, "/admin/peers/stranger.example", "Import 1: blocks.csv", "shown to followers and in groups only. It says: rude")
	o.sees(admin, "/admin/peers/import/1?show=conflict", "Applied", "Undo this import", "Decided")
	o.sees(admin, "/admin/peers/import", "blocks.csv", "Applied", "Import 1")
	o.sees(admin, "/admin/peers/audit", "Import 1: blocks.csv was applied.")
	o.write(func(tx *store.Tx) error {
		_, err := peers.Edit(tx, 0, "new.example", "", func(e *peers.Entry) error { e.Note = "by hand"; return nil })
		return err
	})
	o.sees(admin, "/admin/peers/import/1/undo", "2 servers are again exactly what they were before.", "One server was changed by hand since")
	o.leads(admin, "/admin/peers/import/1/undo", url.Values{}, "/admin/peers/import/1")
	for host, want := range map[string]peers.Standing{"new.example": peers.Blocked, "friend.example": peers.Allowed, "loud.example": peers.Allowed} {
		if s, _ := o.standing(host); s != want {
			t.Errorf("undone: %s is %q", host, s)
		}
	}
	o.sees(admin, "/admin/peers/import/1?show=left", "new.example", "changed by hand since", "Undone")
	if rec := o.do(admin, "/admin/peers/import/1/undo", url.Values{}); rec.Code != http.StatusConflict {
		t.Errorf("undone twice: %d", rec.Code)
	}
}

// What a list only says of a server is shown, on the import and on the server's page, and decides nothing.
func TestImportOfFIRESShowsWhatItOnlySays(t *testing.T) {
	o := openOffice(t)
	o.ring()
	admin := community.ITAdmin
	change := func(n int, kind, host, more string) string {
		return fmt.Sprintf(`{"id":"https://fires.example/changes/0198c0de-%04x-7000-8000-000000000000","type":%q,"entityKind":"domain","entityKey":%q%s}`, n, kind, host, more)
	}
	page := `{"@context":["https://www.w3.org/ns/activitystreams","https://fires.fedimod.org/context/fires.jsonld"],"type":"OrderedCollection","items":[` + strings.Join([]string{
		change(1, "Recommendation", "new.example", `,"recommendedPolicy":"drop","labels":["https://fires.example/labels/<b>spam"]`),
		change(2, "Recommendation", "loud.example", `,"recommendedPolicy":"filter","recommendedFilters":["auto-sensitive","reject-replies","age-restrict"]`),
		change(3, "Advisory", "stranger.example", `,"labels":["https://fires.example/labels/rude"]`), change(4, "Retraction", "foe.example", ""),
		change(5, "Advisory", "friend.example", ""), change(6, "Retraction", "friend.example", "")}, ",") + `]}`
	if rec := o.uploads(admin, "snapshot.json", page, nil); rec.Code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", rec.Code, mainOf(rec.Body.String()))
	}
	o.sees(admin, "/admin/peers/import/1", "FIRES, a dataset", "new.example", "Block, with every name below it.", "Labels: https://fires.example/labels/&lt;b&gt;spam", "Block one server")
	o.sees(admin, "/admin/peers/import/1?show=conflict", "foe.example", "the list takes back what it said", "You block it, and that stays.",
		"Limit: pictures and files on click only, no answers or mentions from there. Filters that do not exist here: age-restrict.")
	o.sees(admin, "/admin/peers/import/1?show=there", "friend.example", "Line 6 is later and counts.")
	o.sees(admin, "/admin/peers/import/1?show=refused", "stranger.example", "Nothing: an early warning.", "You are not connected with it. The remark is kept with this import.")
	o.sees(admin, "/admin/peers/stranger.example", "Import 1: snapshot.json", "Nothing: an early warning. Labels: https://fires.example/labels/rude")
	o.leads(admin, "/admin/peers/import/1/apply", url.Values{"conflicts": {"file"}}, "/admin/peers/import/1")
	for host, want := range map[string]peers.Standing{"new.example": peers.Blocked, "foe.example": peers.Blocked, "friend.example": peers.Allowed, "stranger.example": peers.Unknown} {
		if s, _ := o.standing(host); s != want {
			t.Errorf("%s is %q", host, s)
		}
	}
	for cover, words := range map[string]string{`"type":"Dataset"`: "This only describes a dataset.", `"type":"OrderedCollection","totalItems":3`: "only the cover of a list"} {
		rec := o.uploads(admin, "dataset.json", `{"@context":"https://fires.fedimod.org/context/fires.jsonld",`+cover+`}`, nil)
		if rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), words) {
			t.Errorf("%s: %d %s", cover, rec.Code, mainOf(rec.Body.String()))
		}
	}
}

func TestImportAsksWhatTheFileDoesNotSay(t *testing.T) {
	o := openOffice(t)
	admin := community.ITAdmin
	rec := o.uploads(admin, "names.txt", "elm.example\nash.example\n", nil)
	if body := rec.Body.String(); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(body, `href="#field-direction"`) || !strings.Contains(body, "Choose one of the two.") {
		t.Errorf("%d: %s", rec.Code, mainOf(body))
	}
	if rec = o.uploads(admin, "", "", nil); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), "There is nothing in it.") {
		t.Errorf("nothing: %d", rec.Code)
	}
	o.leads(admin, "/admin/peers/import", url.Values{"text": {"elm.example\nash.example"}, "direction": {"allow"}}, "/admin/peers/import/1")
	o.sees(admin, "/admin/peers/import/1", "Typed names", "How close are the new servers to be?", "Connect with 2 servers")
	if rec = o.do(admin, "/admin/peers/import/1/apply", url.Values{}); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), `href="#field-preset"`) {
		t.Errorf("applied without a preset: %d", rec.Code)
	}
	o.leads(admin, "/admin/peers/import/1/apply", url.Values{"preset": {"trial"}}, "/admin/peers/import/1")
	if s, line := o.standing("elm.example"); s != peers.Allowed || line.Reason != "Import 1: Typed names" || line.ActorID == nil {
		t.Errorf("elm.example: %q, %+v", s, line)
	}
	o.leads(admin, "/admin/peers/import", url.Values{"text": {"yew.example"}, "direction": {"deny"}}, "/admin/peers/import/2")
	o.leads(admin, "/admin/peers/import/2/discard", url.Values{}, "/admin/peers/import")
	if rec = o.do(admin, "/admin/peers/import/99", nil); rec.Code != http.StatusNotFound {
		t.Errorf("an import that is none: %d", rec.Code)
	}
	if rec = o.do(admin, "/admin/peers/import/99999999999999999999", nil); rec.Code != http.StatusNotFound {
		t.Errorf("a number that is none: %d", rec.Code)
	}
}

func TestExportsAreFiles(t *testing.T) {
	o := openOffice(t)
	o.ring()
	for _, f := range peers.ExportFormats() {
		rec := o.do(community.ITAdmin, "/admin/peers/export/"+f.Name, nil)
		if rec.Code != http.StatusOK || rec.Header().Get("Content-Disposition") != fmt.Sprintf("attachment; filename=%q", f.File) || rec.Header().Get("Content-Type") != f.Type {
			t.Errorf("%s: %d %v", f.Name, rec.Code, rec.Header())
		}
		host := "friend.example"
		if f.Deny {
			host = "foe.example"
		}
		if !strings.Contains(rec.Body.String(), host) {
			t.Errorf("%s lacks %s:\n%s", f.Name, host, rec.Body)
		}
		if rec = o.do(community.Moderator, "/admin/peers/export/"+f.Name, nil); rec.Code != http.StatusForbidden {
			t.Errorf("a moderator gets %s: %d", f.Name, rec.Code)
		}
	}
	if rec := o.do(community.ITAdmin, "/admin/peers/export/excel", nil); rec.Code != http.StatusNotFound {
		t.Errorf("a format that is none: %d", rec.Code)
	}
}

// A long import is done by a chore, with its progress on the page.
func TestLongImportShowsItsProgress(t *testing.T) {
	o := openOffice(t)
	var list strings.Builder
	list.WriteString("#domain,#severity\n")
	for i := range 1000 {
		fmt.Fprintf(&list, "n%d.example,suspend\n", i)
	}
	o.uploads(community.ITAdmin, "many.csv", list.String(), nil)
	o.sees(community.ITAdmin, "/admin/peers/import/1", "Block 1,000 servers", "More lines")
	o.leads(community.ITAdmin, "/admin/peers/import/1/apply", url.Values{"conflicts": {"keep"}}, "/admin/peers/import/1")
	more := func() (left bool) {
		o.write(func(tx *store.Tx) error {
			due, err := community.DueChores(tx, 10)
			if err != nil || len(due) == 0 {
				return err
			}
			left, err = community.DoImport(tx, due[0])
			return err
		})
		return left
	}
	more()
	o.sees(community.ITAdmin, "/admin/peers/import/1", "200 of 1,000 lines are done", `value="200"`, "See how far it is")
	for more() {
	}
	o.sees(community.ITAdmin, "/admin/peers/import/1", "Applied", "1,000 servers")
	o.sees(community.ITAdmin, "/admin/peers/import/1?show=new&after=900", "n999.example")
	if s, _ := o.standing("n999.example"); s != peers.Blocked {
		t.Errorf("n999.example is %q", s)
	}
}

// TestLookAtImports opens the pages about lists in files in a browser.
func TestLookAtImports(t *testing.T) {
	shots, axe := os.Getenv("CHALKRING_LOOK"), os.Getenv("CHALKRING_AXE")
	browser := browserOrSkip(t)
	o := openOffice(t)
	o.ring()
	o.uploads(community.ITAdmin, "domain_blocks.csv", someBlocks, nil)
	o.uploads(community.ITAdmin, "a-region-and-all-of-its-schools-with-a-very-long-name.csv", "#domain,#tier,#label\nhillview.example,partner,Hillview\nunderhill.a-very-long-name-of-a-school-in-the-north.example,network,\nfriend.example,trial,\n", nil)
	o.uploads(community.ITAdmin, "iftas.csv", "#domain,#severity\nabuse.example,suspend\n", nil)
	o.do(community.ITAdmin, "/admin/peers/import/3/apply", url.Values{})
	snapshot, err := os.ReadFile("../internal/peers/testdata/lists/fires_snapshot.json")
	if err != nil {
		t.Fatal(err)
	}
	o.uploads(community.ITAdmin, "snapshot.json", string(snapshot), nil)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range o.cookies[community.ITAdmin] {
			r.AddCookie(c)
		}
		o.handler.ServeHTTP(w, r)
	}))
	defer srv.Close()
	ctx, stop := openBrowser(t, browser)
	defer stop()
	for _, page := range []struct{ name, path string }{{"imports", ""}, {"import-blocks", "/1"}, {"import-conflicts", "/1?show=conflict"}, {"import-refused", "/1?show=refused"},
		{"import-allows", "/2"}, {"import-applied", "/3"}, {"import-undo", "/3/undo"}, {"import-fires", "/4?show=refused"}} {
		for _, width := range []int64{360, 1280} {
			t.Run(fmt.Sprintf("%s-%d", page.name, width), func(t *testing.T) {
				look(t, ctx, srv.URL+"/admin/peers/import"+page.path, width, shots, axe)
			})
		}
	}
}
