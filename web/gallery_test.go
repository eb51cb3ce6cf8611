package web

import (
	"bytes"
	"html/template"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The gallery shows every component with believable content. Its tests hold
// that each renders in each language; the browser's test looks at it.

var galleryNow = time.Date(2026, time.March, 12, 15, 30, 0, 0, time.UTC)

func galleryTemplates(t *testing.T) (*Templates, *Locale, *Assets) {
	t.Helper()
	assets, err := LoadAssets()
	if err != nil {
		t.Fatal(err)
	}
	cat, err := LoadCatalogue(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	ts, err := ParseTemplates(assets, cat, func() time.Time { return galleryNow })
	if err != nil {
		t.Fatal(err)
	}
	return ts, cat.For("en", ""), assets
}

func gallerySchools() (oak, elm, region SchoolView) {
	oak = SchoolView{Name: "Oak Primary", Host: "oak.test", Mark: MarkOf("Oak Primary", "oak.test", ""), Local: true}
	elm = SchoolView{Name: "Elm Secondary", Host: "elm.test", Mark: MarkOf("Elm Secondary", "elm.test", "")}
	region = SchoolView{Name: "Te Hiku region", Host: "region.test", Mark: MarkOf("Te Hiku", "region.test", "")}
	return oak, elm, region
}

func galleryPerson(name, handle string, s SchoolView) PersonView {
	return PersonView{Name: name, Handle: handle, URL: "/@" + strings.TrimPrefix(handle, "@"), School: s, Avatar: AvatarOf(name, handle, "")}
}

func galleryAudiences(l *Locale) map[string]AudienceView {
	m := make(map[string]AudienceView)
	r := Reach{School: "Oak Primary", Connected: 4, Mine: true, Followers: 12, Group: "Year 3 literacy"}
	for _, v := range []string{"me", "people", "group", "school", "followers", "network", "public"} {
		m[v] = AudienceOf(l, v, r)
	}
	return m
}

func galleryActions() ([]Action, []Action) {
	return []Action{
			{Words: "Reply", Icon: "message-circle", URL: "/posts/1/reply", Key: "r"},
			{Words: "I used this", Icon: "hand-heart", URL: "/posts/1/used"},
			{Words: "Save", Icon: "bookmark", URL: "/posts/1/bookmark", Post: true, Pressed: true},
		}, []Action{
			{Words: "Edit", Icon: "pencil", URL: "/posts/1/edit"},
			{Words: "Where this went", Icon: "send", URL: "/posts/1/delivery"},
			{Words: "Delete", Icon: "trash-2", URL: "/posts/1/delete", Danger: true},
		}
}

func galleryPosts(l *Locale) []PostCard {
	oak, elm, region := gallerySchools()
	aud := galleryAudiences(l)
	acts, more := galleryActions()
	amira := galleryPerson("Amira Tāne", "@amira@oak.test", oak)
	bo := galleryPerson("Bo Lindqvist", "@bo@elm.test", elm)
	ruth := galleryPerson("Ruth Okafor", "@ruth@region.test", region)
	board := Picture{Src: "/picture/board.svg", Alt: "A whiteboard with three columns of sticky notes, sorted by the children into sure, nearly and not yet.", Width: 1200, Height: 800}
	return []PostCard{
		{ID: "1", URL: "/posts/1", Kind: "practice", Author: amira, With: []PersonView{bo}, At: galleryNow.Add(-40 * time.Minute), Title: "Exit tickets the children sort themselves",
			Teaser: "I stopped marking exit tickets and let the children sort them into sure, nearly and not yet. It took five minutes, and I finally planned from what they could do and not from what I had hoped.",
			Facts:  []Fact{{"Subject", "Mathematics", ""}, {"Level", "Year 3 to 4", ""}}, Pictures: []Picture{board}, Tags: []Link{{"formative", "/tags/formative"}, {"year3", "/tags/year3"}},
			Audience: aud["network"], Replies: 7, UsedBy: 6, Actions: acts, More: more},
		{ID: "2", URL: "/posts/2", Kind: "question", Author: bo, At: galleryNow.Add(-3 * time.Hour), Title: "How do you pair readers who are two years apart?",
			HTML:     "<p>My Year 9 group spans a reading age of eight to fourteen. Mixed pairs either stall or one of them does all the reading. What have you tried that let <em>both</em> of them work?</p>",
			Audience: aud["public"], Replies: 2, Actions: acts, More: more, Facts: []Fact{{"Subject", "Reading", ""}}},
		{ID: "3", URL: "/posts/3", Kind: "question", Answered: true, Author: ruth, At: galleryNow.Add(-26 * time.Hour), Edited: galleryNow.Add(-20 * time.Hour), Title: "Which running record form survives a wet playground?",
			HTML: "<p>Ours turn to pulp.</p>", Audience: aud["school"], Replies: 11, Actions: acts[:2],
			Poll: &PollCard{ID: "3", Told: true, Facts: "12 people voted · the poll is over", Options: []PollOption{{Value: "0", Words: "Waterproof paper", Percent: 75, Votes: "9 votes", Chosen: true}, {Value: "1", Words: "A tablet in a bag", Percent: 25, Votes: "3 votes"}}}},
		{ID: "4", URL: "/posts/4", Kind: "discussion", Author: amira, At: galleryNow.Add(-5 * 24 * time.Hour), Title: "Talk partners: keep or change each week?",
			HTML:    "<p>Two of us disagree, kindly. Reasons for keeping them a term:</p><ul><li>trust takes weeks</li><li>quieter children start talking in week three</li></ul><p>Reasons for changing: <a href=\"https://example.org/\">friendship maps</a>.</p>",
			Poll:    &PollCard{ID: "4", Action: "/posts/4/vote", Multiple: true, Facts: "12 people voted · ends on 3 March", Options: []PollOption{{Value: "0", Words: "Keep"}, {Value: "1", Words: "Change"}}},
			Warning: "Mentions a child's bereavement", Audience: aud["followers"], Replies: 1, Actions: acts, Pictures: []Picture{board, board}},
		{ID: "5", URL: "/posts/5", Kind: "note", Author: ruth, BoostBy: &amira, At: galleryNow.Add(-60 * 24 * time.Hour), HTML: "<p>Moderation evening is on the 24th. Bring three pieces of writing, one you are unsure of.</p>", Audience: aud["public"], Actions: acts[:1],
			Quote: &QuoteCard{URL: "/posts/2", Excerpt: "My Year 9 group spans a reading age of eight to fourteen.", Card: &PostCard{ID: "2", URL: "/posts/2", Kind: "question", Author: bo, At: galleryNow.Add(-3 * time.Hour), Title: "How do you pair readers?"}},
			Tags:  []Link{{"moderation", "/tags/moderation"}}},
		{ID: "6", URL: "/posts/6", Kind: "discussion", Author: bo, At: galleryNow.Add(-70 * 24 * time.Hour), Title: "Listening walk by the harbour", HTML: "<p>We walk slowly and write down what we hear.</p>", Audience: aud["public"],
			Thing: &Thing{Word: "Event", Icon: "clock", State: &State{Tone: "wait", Icon: "clock", Words: "Not settled yet"}, Facts: []Fact{{"When", "3 December 2026, 15:45 NZDT to 17:00", ""}, {"Where", "Harbour library, 1 Wharf Road", ""}},
				Links: []Link{{"Route (PDF at mob.test)", "https://mob.test/route.pdf"}}, Act: &Link{"Take part at mob.test", "https://mob.test/walk"}}},
	}
}

func galleryComposer(l *Locale, kind string) Composer {
	aud := galleryAudiences(l)
	c := Composer{Kind: kind, Action: "/posts", DraftKey: "write-" + kind, FormID: "f1", Submit: "Share", Cancel: "/home", Pictures: &PicturePicker{Slots: []PictureSlot{{N: 1}, {N: 2}}},
		Warning: FormField{Name: "warning", Label: "What should people know before they read?"},
		People:  FormField{Name: "people", Label: "Who?", Hint: "Handles, like @bo@elm.test", Code: true}}
	for i, v := range []string{"me", "people", "school", "followers", "network", "public"} {
		o := AudienceOption{AudienceView: aud[v], Checked: v == "network"}
		if i == 5 {
			o.Disabled, o.Why = true, "Your role reaches as far as connected schools."
		}
		c.Audience.Options = append(c.Audience.Options, o)
	}
	switch kind {
	case "practice":
		c.Title = FormField{Name: "title", Label: "Title", Required: true, Max: 200, Value: "Exit tickets the children sort themselves"}
		c.Sections = []FormField{
			{Name: "tried", Kind: "textarea", Label: "What I tried", Required: true, Rows: 5, Value: "I gave each child a slip with one question…"},
			{Name: "happened", Kind: "textarea", Label: "What happened", Rows: 5, Error: "Say what happened, even in a sentence."},
			{Name: "evidence", Kind: "textarea", Label: "Evidence", Optional: true, Hint: "What did you see, hear or count?"},
		}
		c.About = []FormField{
			{Name: "subject", Label: "Subject", Optional: true, Options: []Option{{Value: "Mathematics"}, {Value: "Reading"}}},
			{Name: "level", Label: "Level", Optional: true},
			{Name: "licence", Kind: "select", Label: "Licence", Options: []Option{{Words: "All rights reserved"}, {Value: "CC-BY-4.0", Words: "Others may reuse it and name me", Selected: true}}},
		}
		c.Errors = ErrorSummary{Title: l.T("form.problem", "Count", 1), Kept: l.T("form.kept"), Items: []ErrorItem{{"happened", "Say what happened, even in a sentence."}}}
	case "question":
		c.Title = FormField{Name: "title", Label: "Your question", Required: true}
		c.Body = FormField{Name: "text", Kind: "textarea", Label: "More about it", Optional: true}
		c.Submit = "Ask"
	case "reply":
		c.Body = FormField{Name: "text", Kind: "textarea", Label: "Your reply", Required: true}
		c.Audience.Options = c.Audience.Options[:3]
		c.Audience.Options[2].Checked = true
		c.Audience.Hint = "A reply is never wider than what it answers."
		c.Pictures, c.Submit = nil, "Reply"
		c.People = FormField{}
	}
	return c
}

func galleryThread(l *Locale) Thread {
	oak, elm, region := gallerySchools()
	aud := galleryAudiences(l)
	acts, more := galleryActions()
	amira := galleryPerson("Amira Tāne", "@amira@oak.test", oak)
	bo := galleryPerson("Bo Lindqvist", "@bo@elm.test", elm)
	post := func(id, kind string, by PersonView, ago time.Duration, html template.HTML) PostCard {
		return PostCard{ID: id, URL: "/posts/" + id, Kind: kind, Author: by, At: galleryNow.Add(-ago), HTML: html, Audience: aud["network"], Actions: acts[:1], More: more[:1]}
	}
	answers := func(p PostCard, to PersonView) PostCard { p.ReplyTo = &to; return p }
	reply := galleryComposer(l, "reply")
	return Thread{Count: 7, Nodes: []ThreadNode{
		{Post: post("11", "reply", bo, 2*time.Hour, "<p>We do the same with whiteboards. The <em>nearly</em> pile is the one worth talking about.</p>"), Parent: "1", Depth: 1, Away: true, Accepted: true},
		{Post: answers(post("12", "reply", amira, 110*time.Minute, "<p>Yes. I photograph that pile only.</p>"), bo), Parent: "11", Depth: 2},
		{Post: answers(post("13", "reply", galleryPerson("Ruth Okafor", "@ruth@region.test", region), 100*time.Minute, "<p>Could you show one at the moderation evening?</p>"), amira), Parent: "12", Depth: 3, Away: true},
		{Post: PostCard{ID: "14"}, Parent: "13", Depth: 4, Missing: &Missing{"ban", l.T("thread.missing", "Host", "birch.test")}},
		{Post: answers(post("15", "reply", amira, 30*time.Minute, "<p>Gladly.</p>"), bo), Parent: "14", Depth: 5},
		{Post: PostCard{ID: "16"}, Parent: "1", Depth: 1, Missing: &Missing{"trash-2", l.T("thread.gone")}},
		{Post: post("17", "acknowledgement", bo, 5*time.Minute, "<p>Tried it with Year 7 this morning. Three children moved their own ticket down a pile, and could say why.</p>"), Parent: "1", Depth: 1, Away: true, Form: &reply},
	}}
}

func galleryArticle(l *Locale) PracticeArticle {
	p := galleryPosts(l)[0]
	p.Facts = append(p.Facts, Fact{"Licence", "CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"})
	p.HTML = ""
	return PracticeArticle{PostCard: p, History: &Link{"Two earlier versions", "/posts/1/history"}, Sections: []Section{
		{"tried", "What I tried", "<p>For three weeks the last five minutes of maths were a slip of paper with one question. Instead of collecting the slips I put three trays by the door: <strong>sure</strong>, <strong>nearly</strong>, <strong>not yet</strong>.</p><p>The children decide. I say nothing while they do.</p>"},
		{"happened", "What happened", "<p>In the first week nearly everyone was sure. In the second, after we had looked at three anonymous slips together, the piles began to match what I would have said.</p><blockquote><p>“I was sure until I had to put it in the tray.”</p></blockquote>"},
		{"evidence", "Evidence", "<ul><li>27 slips a day, 14 days</li><li>agreement with my own sorting: 41% in week one, 83% in week three</li></ul>"},
		{"unsure", "What I am unsure of", "<p>Whether the tray by the door makes it public in a way that some children feel.</p>"},
		{"next", "What next", "<p>The same, with a folded slip.</p>"},
	}}
}

// gallerySpecimens renders each component by its template's name.
func gallerySpecimens(l *Locale) []struct {
	Name string
	View any
} {
	oak, elm, region := gallerySchools()
	amira := galleryPerson("Amira Tāne", "@amira@oak.test", oak)
	bo := galleryPerson("Bo Lindqvist", "@bo@elm.test", elm)
	posts := galleryPosts(l)
	_, more := galleryActions()
	good, wait, bad := State{"good", "circle-check", "Connected"}, State{"wait", "clock", "Waiting"}, State{"bad", "ban", "Blocked"}
	return []struct {
		Name string
		View any
	}{
		{"tabs", Tabs{"Kinds", []Tab{{"Everything", "#", true, -1, ""}, {"Questions", "#", false, 3, ""}, {"Practice", "#", false, 12, ""}}}},
		{"flash", Flash{"done", "Your post is on its way to 4 schools.", &Action{Words: "Undo", URL: "/undo", Post: true}}},
		{"flash", Flash{"problem", "The picture was too large. Nothing else was lost.", nil}},
		{"feed", Feed{Posts: posts, Pager: Pager{"/home?min=9", "/home?max=5"}}},
		{"empty", EmptyState{"waypoints", "Here you read what connected schools share", "No school is connected yet. An administrator decides which servers take part.", &Action{Words: "See how connecting works", Icon: "arrow-right", URL: "/peering", Main: true}}},
		{"thread", galleryThread(l)},
		{"composer", galleryComposer(l, "practice")},
		{"profile-head", ProfileHead{Person: amira, Bio: "<p>Year 3 at Oak Primary. Maths, talk, and the wet playground.</p>", Facts: []FactHTML{{"Teaches", "Year 3"}, {"Ask me about", "Exit tickets"}}, Counts: []Tab{{"followers", "#", false, 34, ""}, {"following", "#", false, 21, ""}}, Note: "Follows you", Actions: []Action{{Words: "Follow", Icon: "user-plus", URL: "/f", Post: true, Main: true}}, Menu: []Action{{Words: "Mute", Icon: "volume-x", URL: "/m", Post: true}, {Words: "Block", Icon: "user-x", URL: "/b", Post: true, Danger: true}}}},
		{"person-card", PersonCard{Person: bo, Bio: "English at Elm Secondary. Reading ages, drama, patience.", Actions: []Action{{Words: "Following", Icon: "check", URL: "/f", Post: true, Pressed: true}}, Menu: more}},
		{"notifications", []NotificationItem{
			{ID: "1", Icon: "message-circle", Person: bo, Words: "<strong>Bo Lindqvist</strong> replied to your post", At: galleryNow.Add(-4 * time.Minute), URL: "/posts/11", Excerpt: "We do the same with whiteboards. The nearly pile is the one worth talking about.", Unread: true},
			{ID: "2", Icon: "user-plus", Person: galleryPerson("Ruth Okafor", "@ruth@region.test", region), Words: "<strong>Ruth Okafor</strong> asks to follow you", At: galleryNow.Add(-2 * time.Hour), Actions: []Action{{Words: "Accept", Icon: "check", URL: "/a", Post: true, Main: true}, {Words: "Decline", Icon: "x", URL: "/r", Post: true}}},
		}},
		{"delivery", DeliveryPanel{Summary: []Count{{3, "", &State{"good", "circle-check", "Delivered"}}, {1, "", &wait}, {1, "", &State{"quiet", "ban", "Not sent"}}},
			Rows: []DeliveryRow{
				{School: elm, State: State{"good", "circle-check", "Delivered"}, Tries: 1, At: galleryNow.Add(-time.Hour)},
				{School: region, State: State{"wait", "clock", "Waiting"}, Reason: "The server answered 503. Its other posts wait behind this one.", Tries: 4, At: galleryNow.Add(-time.Hour), Next: galleryNow.Add(2 * time.Hour)},
				{School: SchoolView{Host: "birch.test", Mark: MarkOf("", "birch.test", "")}, State: State{"quiet", "ban", "Not sent"}, Reason: "This server is not connected with birch.test."},
			}}},
		{"peers", []PeerCard{
			{School: elm, URL: "/admin/peers/elm.test", State: good, Software: "Chalkring 1.0", LastIn: galleryNow.Add(-time.Minute), LastOut: galleryNow.Add(-time.Hour), Queue: 0, Note: "Met at the regional day. Contact: office@elm.test", By: "Ruth Okafor", Since: galleryNow.Add(-90 * 24 * time.Hour), Review: galleryNow.Add(200 * 24 * time.Hour), Actions: []Action{{Words: "Open", URL: "#", Icon: "arrow-right"}}, Menu: more},
			{School: SchoolView{Host: "birch.test", Mark: MarkOf("", "birch.test", "")}, URL: "#", State: bad, Queue: 12, Held: 12, Reason: "Sent advertising to teachers.", By: "Ruth Okafor", Since: galleryNow.Add(-9 * 24 * time.Hour)},
		}},
		{"table", Table{Caption: "Who is here", Heads: []Head{{"Person", false}, {"Role", false}, {"Posts", true}, {"Last here", false}, {"", false}}, Rows: [][]Cell{
			{{Person: &amira}, {Words: "Member", Detail: "up to everyone"}, {Words: "1,204", Numeric: true}, {At: galleryNow.Add(-time.Hour)}, {Actions: []Action{{Words: "Suspend", URL: "#"}}}},
			{{Person: &bo}, {Words: "Placement"}, {Words: "17", Numeric: true}, {State: &wait}, {Actions: []Action{{Words: "Suspend", URL: "#"}}}},
		}}},
		{"bar-chart", BarChart{Title: "Posts this term", Unit: "Posts", Label: "Week", Bars: []Bar{{"Week 1", "1", 4, ""}, {"Week 2", "2", 9, ""}, {"Week 3", "3", 0, ""}, {"Week 4", "4", 17, ""}, {"Week 5", "5", 12, "signal"}, {"Week 6", "6", 1200, ""}}}},
		{"menu", Menu{"Show", "list", more}},
		{"entry", map[string]any{"Deep": false, "Entry": entry{Title: "Who can lend a document camera for the moderation evening?", URL: "/scheduled/1", Words: "Ours has gone to the science room and will not come back before the holidays.",
			State: &State{"bad", "circle-alert", "Not published on 1 February 2027, 07:30 NZDT: You are not in this group any more."}, Audience: &posts[2].Audience, Facts: []Fact{{"Pictures", "2", ""}}, Actions: []Action{{Words: "Change the time", Icon: "clock", URL: "/scheduled/1"}}, Menu: more}}},
		{"talks", []TalkItem{{ID: "1", URL: "/messages/1", People: []PersonView{bo, galleryPerson("Ruth Okafor", "@ruth@region.test", region)}, Schools: []SchoolView{elm, region}, Unread: true, Last: TalkPost{Card: posts[1], Said: "Could you swap playground duty on Thursday?"}, Actions: more}}},
		{"field", FormField{Name: "context", Kind: "checks", Label: "Where it counts", Error: "Choose where the filter counts.", Options: []Option{{Value: "home", Words: "at home and in lists", Selected: true}, {Value: "public", Words: "in the school's, connected and practice lists"}}}},
		{"field", FormField{Name: "scheduled_at", Kind: "datetime-local", Label: "Publish at", Hint: "Times are by this server's clock, which shows 15:30 NZDT now.", Value: "2027-02-01T07:30"}},
		{"field", FormField{Name: "agree", Kind: "checkbox", Label: "Hold new followers until I accept them", Hint: "You are told about each."}},
	}
}

const galleryPages = `
{{define "notifications"}}<ol class="notifications">{{range .}}{{template "notification" .}}{{end}}</ol>{{end}}
{{define "talks"}}<ol class="notifications talks">{{range .}}{{template "talk" .}}{{end}}</ol>{{end}}
{{define "peers"}}<div class="peers">{{range .}}{{template "peer-card" .}}{{end}}</div>{{end}}
{{define "page/gallery"}}{{template "page-head" .Head}}{{range .Specimens}}<div class="stack">{{.}}</div>{{end}}{{end}}
{{define "aside/gallery"}}{{template "section-nav" .Article}}{{range .Cards}}{{template "aside-card" .}}{{end}}{{end}}
{{define "page/article"}}{{template "practice-article" .Article}}{{template "thread" .Thread}}{{end}}
{{define "aside/article"}}{{template "section-nav" .Article}}{{range .Cards}}{{template "aside-card" .}}{{end}}{{end}}
{{define "page/question"}}{{template "post-whole" .Post}}{{template "thread" .Thread}}{{template "composer" .Composer}}{{end}}
{{define "page/confirmation"}}{{template "confirm" .}}{{end}}
{{define "page/sign-in"}}{{template "page-head" .Head}}{{template "error-summary" .Errors}}<form method="post" action="/sign-in">{{range .Fields}}{{template "field" .}}{{end}}<p class="actions send"><button class="button main">Sign in</button></p></form>{{end}}
`

// galleryPage renders one of galleryPages as it would be served.
func galleryPage(t *testing.T, ts *Templates, l *Locale, name, theme string) []byte {
	t.Helper()
	oak, _, _ := gallerySchools()
	me := galleryPerson("Amira Tāne", "@amira@oak.test", oak)
	cards := []AsideCard{
		{Title: "Who can see this", Icon: "waypoints", Words: "Teachers at Oak Primary and at 4 connected schools."},
		{Title: "About this post", Icon: "info", Facts: []Fact{{"Subject", "Mathematics", "/tags/maths"}, {"Level", "Year 3 to 4", ""}}, Links: []Link{{"Where this went", "/posts/1/delivery"}}},
	}
	frame := Frame{Site: SiteView{"Oak Primary", "oak.test", oak.Mark}, Me: &me, Here: Home, Admin: true, Unread: 3, Theme: theme, Live: "home", Path: "/home"}
	var view any
	switch name {
	case "gallery":
		var parts []template.HTML
		for _, s := range gallerySpecimens(l) {
			var b bytes.Buffer
			if err := ts.Fragment(&b, l, s.Name, s.View); err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			parts = append(parts, template.HTML(b.String()))
		}
		view = map[string]any{"Head": PageHead{Title: "Home", Lead: "What the people you follow have shared.", Actions: []Action{{Words: "Write", Icon: "pen-line", URL: "/write", Main: true}}}, "Specimens": parts, "Article": PracticeArticle{}, "Cards": cards}
	case "article":
		view = map[string]any{"Article": galleryArticle(l), "Thread": galleryThread(l), "Cards": cards}
	case "question":
		view = map[string]any{"Post": galleryPosts(l)[1], "Thread": Thread{Empty: EmptyState{"message-circle", "No replies yet", "What would you ask the author?", nil}}, "Composer": galleryComposer(l, "question")}
	case "confirmation":
		view = ConfirmPanel{Title: "Block birch.test?", Effects: []string{"31 posts from there disappear from everyone's pages.", "4 follows end, 2 of them by people here.", "12 waiting deliveries are dropped."}, Action: "/admin/peers/birch.test/block", Inputs: []FormField{{Name: "reason", Label: "Why", Hint: "Kept in the log; the other server does not see it.", Required: true}}, Button: "Block birch.test", Cancel: "/admin/peers"}
	case "sign-in":
		frame.Me, frame.Shape, frame.Live = nil, Alone, ""
		view = map[string]any{"Head": PageHead{Title: "Sign in"}, "Errors": ErrorSummary{Title: "One thing needs your attention", Items: []ErrorItem{{"password", "The name or the password is not right."}}}, "Fields": []FormField{{Name: "name", Label: "Name or e-mail", Autocomplete: "username", Required: true}, {Name: "password", Kind: "password", Label: "Password", Autocomplete: "current-password", Required: true, Error: "The name or the password is not right."}}}
	case "error":
		view = ErrorPage{Status: 404, Title: "There is nothing at this address", Words: "It may have been deleted, or you may not be among those who can see it.", Actions: []Action{{Words: "Go home", Icon: "house", URL: "/home", Main: true}}, RequestID: "c0ffee"}
	}
	rec := httptest.NewRecorder()
	if err := ts.Page(rec, 200, l, name, Page{Title: "Home", Frame: frame, View: view}); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return rec.Body.Bytes()
}

var galleryNames = []string{"gallery", "article", "question", "confirmation", "sign-in", "error"}

func withGallery(t *testing.T, ts *Templates, l *Locale) {
	t.Helper()
	if _, err := ts.sets[l].New("galleryPages").Parse(galleryPages); err != nil {
		t.Fatal(err)
	}
}

func TestGalleryRenders(t *testing.T) {
	ts, l, _ := galleryTemplates(t)
	withGallery(t, ts, l)
	for _, name := range galleryNames {
		page := string(galleryPage(t, ts, l, name, ""))
		if n := strings.Count(page, "<h1"); n != 1 && name != "gallery" { // which holds a profile's too
			t.Errorf("%s: %d h1 elements, want 1", name, n)
		}
		for _, bad := range []string{" style=", "<style", "javascript:", "ZgotmplZ", "<no value>"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: contains %q", name, bad)
			}
		}
		if len(page) > 100_000 {
			t.Errorf("%s: %d bytes", name, len(page))
		}
	}
}
