package web

import (
	"context"
	"crypto/rand"
	"errors"
	"html/template"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

func (p *Pages) writingRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get("/write", p.members(p.write))
	post("/posts", p.members(p.publish))
	get("/posts/{id:[0-9]+}/edit", p.members(p.editForm))
	post("/posts/{id:[0-9]+}/edit", p.members(p.edit))
	get("/posts/{id:[0-9]+}/delete", p.members(p.askDelete))
	post("/posts/{id:[0-9]+}/delete", p.members(p.deletePost))
	post("/posts/{id:[0-9]+}/accept", p.members(p.acceptAnswer))
	post("/posts/{id:[0-9]+}/pin", p.members(p.react(community.Pin, "flash.pinned")))
	post("/posts/{id:[0-9]+}/unpin", p.members(p.react(community.Unpin, "flash.unpinned")))
	post("/posts/{id:[0-9]+}/revoke-quote", p.members(p.revokeQuote))
	post("/posts/{id:[0-9]+}/vote", p.members(p.vote))
	post("/posts/{id:[0-9]+}/like", p.members(p.react(community.Like, "")))
	post("/posts/{id:[0-9]+}/unlike", p.members(p.react(community.Unlike, "")))
	post("/posts/{id:[0-9]+}/boost", p.members(p.react(community.BoostPost, "flash.boosted")))
	post("/posts/{id:[0-9]+}/unboost", p.members(p.react(community.UnboostPost, "")))
	post("/posts/{id:[0-9]+}/bookmark", p.members(p.react(community.Bookmark, "flash.saved")))
	post("/posts/{id:[0-9]+}/unbookmark", p.members(p.react(community.Unbookmark, "flash.unsaved")))
	post("/posts/{id:[0-9]+}/mute-thread", p.members(p.react(community.MuteThread, "flash.thread_muted")))
	post("/posts/{id:[0-9]+}/unmute-thread", p.members(p.react(community.UnmuteThread, "flash.thread_unmuted")))
}

// pictureSlots is how many pictures the form offers.
const pictureSlots = community.MaxMedia

// typed is a form as it came: what becomes the draft, and the pictures' slots.
type typed struct {
	draft  community.Draft
	people string
	with   string
	quoted *community.View
	slots  []PictureSlot
	later  string // when to publish it, as typed
}

// writePage is the page with the form.
type writePage struct {
	Head     PageHead
	Kinds    *Tabs
	Composer Composer
}

// write shows an empty form for what somebody wants to write.
func (p *Pages) write(h *here, w http.ResponseWriter, r *http.Request) error {
	kind := community.Kind(r.URL.Query().Get("kind"))
	if !kind.Titled() {
		kind = community.Practice
	}
	t := typed{draft: community.Draft{Kind: kind, Audience: h.user.DefaultAudience, Language: h.l.Tag.String()}}
	var err error
	if t.quoted, err = p.quotedByForm(h, r, r.URL.Query().Get("quote")); err != nil {
		return err
	}
	return p.form(h, w, http.StatusOK, t, nil, nil, "")
}

// form shows the form with what was typed, and what is wrong with it.
func (p *Pages) form(h *here, w http.ResponseWriter, status int, t typed, parent *community.View, problem *fault.Error, preview template.HTML) error {
	l, kind := h.l, t.draft.Kind
	view := writePage{Composer: p.composer(h, t, parent, problem)}
	view.Composer.Preview = preview
	if kind.Answers() {
		view.Head = PageHead{Title: l.T("thread.answer_title")}
		if kind == community.Acknowledgement {
			view.Head.Title = l.T("thread.use_title")
		}
		if parent != nil {
			view.Head.Back = &Link{Words: l.T("history.back"), URL: postPath(parent.ID)}
		}
	} else if kind == community.Note {
		view.Head = PageHead{Title: l.T("messages.write"), Lead: l.T("messages.write_lead"), Back: &Link{Words: l.T("nav.messages"), URL: "/messages"}}
	} else {
		view.Head = PageHead{Title: l.T("write.title"), Actions: []Action{{Words: l.T("scheduled.title"), Icon: "clock", URL: scheduledPath}}}
		view.Kinds = &Tabs{Label: l.T("write.kinds"), Items: []Tab{
			{Words: l.T("kind.practice"), URL: "/write?kind=practice", Current: kind == community.Practice, Count: -1},
			{Words: l.T("kind.discussion"), URL: "/write?kind=discussion", Current: kind == community.Discussion, Count: -1},
			{Words: l.T("kind.question"), URL: "/write?kind=question", Current: kind == community.Question, Count: -1},
		}}
	}
	h.frame.Here = Write
	return p.render(h, w, status, "write", view.Head.Title, view)
}

// answerForm is the form under a post.
func (p *Pages) answerForm(h *here, parent community.View, kind community.Kind) Composer {
	audience := parent.Audience
	if !audience.Within(h.user.Role.Ceiling()) {
		audience = h.user.Role.Ceiling()
	}
	t := typed{draft: community.Draft{Kind: kind, Audience: audience, InReplyToID: parent.ID, Language: h.l.Tag.String()}}
	return p.composer(h, t, &parent, nil)
}

// composer is the form for a draft. parent is what it answers.
func (p *Pages) composer(h *here, t typed, parent *community.View, problem *fault.Error) Composer {
	l, d := h.l, t.draft
	summary, wrong := ErrorsOf(l, problem)
	c := Composer{Kind: string(d.Kind), Action: "/posts", FormID: d.FormID, Errors: summary, DraftKey: string(d.Kind), Cancel: "/home"}
	if c.FormID == "" {
		c.FormID = rand.Text()
	}
	if d.Kind.Titled() {
		c.Title = FormField{Name: "title", Label: l.T("write.title_label"), Value: d.Title, Required: true, Max: community.MaxTitle, Error: wrong["title"]}
	}
	switch d.Kind {
	case community.Practice:
		var s community.Sections
		if d.Sections != nil {
			s = *d.Sections
		}
		c.Sections = []FormField{
			{Name: "tried", Kind: "textarea", Label: l.T("section.tried"), Hint: l.T("section.tried_hint"), Value: s.Tried, Required: true, Rows: 5, Error: wrong["tried"]},
			{Name: "happened", Kind: "textarea", Label: l.T("section.happened"), Hint: l.T("section.happened_hint"), Value: s.Happened, Optional: true, Rows: 4},
			{Name: "evidence", Kind: "textarea", Label: l.T("section.evidence"), Hint: l.T("section.evidence_hint"), Value: s.Evidence, Optional: true, Rows: 3},
			{Name: "unsure", Kind: "textarea", Label: l.T("section.unsure"), Hint: l.T("section.unsure_hint"), Value: s.Unsure, Optional: true, Rows: 3},
			{Name: "next", Kind: "textarea", Label: l.T("section.next"), Value: s.Next, Optional: true, Rows: 3},
		}
		c.Submit = l.T("write.share")
	case community.Question:
		c.Submit = l.T("write.ask")
	case community.Reply, community.Acknowledgement:
		c.Submit = l.T("write.reply")
	case community.Note:
		c.Submit, c.Cancel = l.T("messages.send"), "/messages"
	default:
		c.Submit = l.T("write.share")
	}
	if d.Kind != community.Practice {
		c.Body = FormField{Name: "body", Kind: "textarea", Label: l.T("write.body"), Value: d.Source, Required: true, Rows: 6, Max: community.MaxBody, Error: wrong["body"]}
	}
	if d.Kind.Titled() {
		c.About = p.aboutFields(h, t, wrong)
		c.Warning = FormField{Name: "warning", Label: l.T("write.warning"), Hint: l.T("write.warning_hint"), Value: d.Warning, Max: community.MaxWarning, Error: wrong["warning"], Optional: true}
	}
	if t.quoted != nil {
		c.Quote, c.QuoteID = p.quoted(h, *t.quoted), digits(t.quoted.ID)
		c.DraftKey = string(d.Kind) + " quotes " + c.QuoteID
	}
	if d.Kind.Titled() {
		c.Later = p.later(h, t.later, wrong["scheduled_at"])
	}
	c.Poll = p.pollForm(h, d, wrong, false)
	c.Pictures = &PicturePicker{Slots: t.slots}
	for n := len(t.slots) + 1; n <= pictureSlots; n++ {
		c.Pictures.Slots = append(c.Pictures.Slots, PictureSlot{N: n})
	}
	if msg := wrong["media"]; msg != "" {
		p.blame(c.Pictures.Slots, msg)
	}
	c.Audience = p.audiencePicker(h, d, parent, wrong["audience"])
	c.People = FormField{Name: "to", Label: l.T("write.people"), Hint: l.T("write.people_hint"), Value: t.people, Optional: d.Kind != community.Note, Required: d.Kind == community.Note, Error: wrong["to"], Code: true}
	if parent != nil {
		card := p.card(h, *parent)
		card.Actions, card.More = nil, nil
		c.To, c.Cancel = &card, postPath(parent.ID)
		c.Action = "/posts?to=" + digits(parent.ID)
		c.DraftKey = string(d.Kind) + " " + digits(parent.ID)
	}
	return c
}

// blame shows a problem with the pictures at the ones that cause it.
func (p *Pages) blame(slots []PictureSlot, msg string) {
	hit := false
	for i, s := range slots {
		if s.MediaID != "" && s.Alt == "" && !s.Decorative {
			slots[i].Error, hit = msg, true
		}
	}
	if !hit && len(slots) > 0 {
		slots[0].Error = msg
	}
}

func (p *Pages) aboutFields(h *here, t typed, wrong map[string]string) []FormField {
	l, d := h.l, t.draft
	fields := []FormField{
		{Name: "level", Label: l.T("fact.level"), Hint: l.T("write.level_hint"), Value: d.Level, Optional: true, Max: community.MaxSubject, Error: wrong["level"]},
		{Name: "subject", Label: l.T("fact.subject"), Hint: l.T("write.subject_hint"), Value: d.Subject, Optional: true, Max: community.MaxSubject, Error: wrong["subject"]},
	}
	if d.Kind == community.Practice {
		licence := FormField{Name: "licence", Kind: "select", Label: l.T("fact.licence"), Error: wrong["licence"], Options: []Option{{Value: "", Words: l.T("write.no_licence")}}}
		for _, one := range community.Licences() {
			licence.Options = append(licence.Options, Option{Value: one.IRI, Words: one.Name, Selected: one.IRI == d.Licence})
		}
		fields = append(fields, licence,
			FormField{Name: "with", Label: l.T("write.with"), Hint: l.T("write.with_hint"), Value: t.with, Optional: true, Error: wrong["contributors"], Code: true})
	}
	return append(fields, FormField{Name: "language", Label: l.T("write.language"), Hint: l.T("write.language_hint"), Value: d.Language, Small: true, Error: wrong["language"], Code: true})
}

// audiencePicker offers the audiences, those that are out of reach with the reason.
func (p *Pages) audiencePicker(h *here, d community.Draft, parent *community.View, problem string) AudiencePicker {
	pick := AudiencePicker{Error: problem}
	ceiling := h.user.Role.Ceiling()
	if parent != nil {
		pick.Hint = h.l.T("audience.reply_hint")
	}
	for _, a := range []community.Audience{community.Me, community.People, community.School, community.Followers, community.Network, community.Public} {
		if a == community.Me && d.Kind.Answers() || d.Kind == community.Note && a != community.People {
			continue
		}
		o := AudienceOption{AudienceView: AudienceOf(h.l, string(a), Reach{School: h.school.Title(), Connected: h.schools, Followers: -1}), Checked: a == d.Audience}
		switch {
		case parent != nil && !a.Within(parent.Audience):
			o.Disabled, o.Why = true, h.l.T("audience.wider_than_parent")
		case !a.Within(ceiling):
			o.Disabled, o.Why = true, h.l.T("audience.above_ceiling")
		}
		o.Checked = o.Checked && !o.Disabled
		pick.Options = append(pick.Options, o)
	}
	return pick
}

// read takes the form apart and keeps new pictures. What is wrong with a
// picture is the returned fault; the rest of the form is read all the same.
func (p *Pages) read(h *here, w http.ResponseWriter, r *http.Request) (typed, error) {
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return typed{}, fault.Keyed(fault.TooLarge, "error.too_large", "That is more than this server takes at once. Send fewer or smaller pictures.", nil)
		}
		return typed{}, fault.Keyed(fault.Invalid, "error.form", "The form did not arrive whole. Please send it again.", nil)
	}
	f := r.PostFormValue
	t := typed{people: f("to"), with: f("with"), later: f("scheduled_at"), draft: community.Draft{
		Kind: community.Kind(f("kind")), Audience: community.Audience(f("audience")), Title: f("title"), Source: f("body"), Warning: f("warning"),
		Language: f("language"), Subject: f("subject"), Level: f("level"), Licence: f("licence"), FormID: cutForm(f("form")),
		Contributors: strings.FieldsFunc(f("with"), func(c rune) bool { return c == ',' || c == ' ' || c == ';' }),
	}}
	t.draft.Poll = pollTyped(f)
	var err error
	if t.quoted, err = p.quotedByForm(h, r, f("quote")); err != nil {
		return t, err
	}
	if t.quoted != nil {
		t.draft.QuoteID = t.quoted.ID
	}
	if t.draft.Kind == community.Practice {
		t.draft.Sections = &community.Sections{Tried: f("tried"), Happened: f("happened"), Evidence: f("evidence"), Unsure: f("unsure"), Next: f("next")}
	}
	if id, ok := iri.ParseID(r.URL.Query().Get("to")); ok {
		t.draft.InReplyToID = id
	}
	var problem error
	for n := 1; n <= pictureSlots; n++ {
		no := strconv.Itoa(n)
		slot := PictureSlot{N: len(t.slots) + 1, Alt: strings.TrimSpace(f("alt-" + no)), Decorative: f("decorative-"+no) == "on"}
		var a media.Attachment
		var err error
		if id, ok := iri.ParseID(f("media-" + no)); ok {
			if f("drop-"+no) == "on" {
				continue
			}
			a, err = p.describe(h, r, id, slot)
		} else if file := fileOf(r, "picture-"+no); file != nil {
			a, err = p.upload(h, r, file, slot)
		} else {
			continue
		}
		if err != nil {
			if fault.Of(err).Kind == fault.Internal {
				return t, err
			}
			problem = err
			continue
		}
		slot.MediaID, slot.Src = digits(a.ID), "/media/"+a.Preview
		t.slots = append(t.slots, slot)
		t.draft.MediaIDs = append(t.draft.MediaIDs, a.ID)
	}
	return t, problem
}

// cutForm bounds the number of a form.
func cutForm(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}

func fileOf(r *http.Request, name string) *multipart.FileHeader {
	if r.MultipartForm == nil || len(r.MultipartForm.File[name]) == 0 || r.MultipartForm.File[name][0].Size == 0 {
		return nil
	}
	return r.MultipartForm.File[name][0]
}

func (s PictureSlot) description() media.Description {
	if s.Decorative {
		yes, none := true, ""
		return media.Description{Decorative: &yes, Alt: &none}
	}
	no := false
	return media.Description{Alt: &s.Alt, Decorative: &no}
}

func (p *Pages) describe(h *here, r *http.Request, id int64, slot PictureSlot) (a media.Attachment, err error) {
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		a, err = media.Describe(tx, h.me.ID, id, slot.description())
		return err
	})
	return a, err
}

func (p *Pages) upload(h *here, r *http.Request, file *multipart.FileHeader, slot PictureSlot) (media.Attachment, error) {
	f, err := file.Open()
	if err != nil {
		return media.Attachment{}, err
	}
	defer f.Close()
	stored, err := p.Library.Store(r.Context(), f, media.Pictures())
	if err != nil {
		return media.Attachment{}, err
	}
	var a media.Attachment
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		a, err = media.Upload(tx, h.me.ID, stored, slot.description())
		return err
	})
	return a, err
}

// lookUp finds the people a text names on other servers who are not known here
// yet, before anything is written. Whoever cannot be found stays plain text.
func (p *Pages) lookUp(ctx context.Context, d community.Draft) {
	source := d.Source
	if d.Sections != nil {
		source = d.Sections.Markdown()
	}
	const most = 5
	asked := 0
	for _, handle := range text.FindMentions(source) {
		if handle.Host == "" || handle.Host == p.site.Host || asked == most {
			continue
		}
		known := p.DB.Read(ctx, func(tx *store.Tx) error {
			_, err := community.AccountByHandle(tx, handle.User, handle.Host)
			return err
		})
		if fault.Is(known, fault.NotFound) {
			asked++
			if _, err := p.Lookup.Resolve(ctx, "@"+handle.User+"@"+handle.Host); err != nil {
				p.Log.DebugContext(ctx, "mentioned account not found", "err", err)
			}
		}
	}
}

// named turns the handles of the field "to" into accounts.
func (p *Pages) named(ctx context.Context, people string) ([]int64, error) {
	var ids []int64
	for _, one := range strings.FieldsFunc(people, func(c rune) bool { return c == ',' || c == ' ' || c == ';' || c == '\n' }) {
		handle, err := iri.ParseHandle(one, iri.IsDev(p.site.Host))
		if err != nil {
			return nil, fault.Invalidf("to", "“%s” is not a handle. Write it as @name or @name@school.example.", one).WithKey("write.bad_handle", map[string]any{"Handle": one})
		}
		host := handle.Host
		if host == p.site.Host {
			host = ""
		}
		var a community.Account
		err = p.DB.Read(ctx, func(tx *store.Tx) (err error) {
			a, err = community.AccountByHandle(tx, handle.Name, host)
			return err
		})
		if fault.Is(err, fault.NotFound) && host != "" {
			a, err = p.Lookup.Resolve(ctx, handle.String())
		}
		if err != nil {
			if fault.Of(err).Kind == fault.Internal {
				return nil, err
			}
			return nil, fault.Invalidf("to", "%s could not be found.", one).WithKey("write.unknown_handle", map[string]any{"Handle": one})
		}
		ids = append(ids, a.ID)
	}
	return ids, nil
}

// parentOf is what an answer is to.
func (p *Pages) parentOf(h *here, r *http.Request, id int64) (*community.View, error) {
	if id == 0 {
		return nil, nil
	}
	var v community.View
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		post, err := community.VisiblePost(tx, id, h.viewer)
		if err != nil {
			return err
		}
		v, err = community.LoadOne(tx, h.viewer, post)
		return err
	})
	return &v, err
}

// publish answers POST /posts: the form of a new post or answer.
func (p *Pages) publish(h *here, w http.ResponseWriter, r *http.Request) error {
	t, problem := p.read(h, w, r)
	if problem != nil && fault.Of(problem).Kind != fault.Invalid {
		return problem
	}
	parent, err := p.parentOf(h, r, t.draft.InReplyToID)
	if err != nil {
		return err
	}
	if r.PostFormValue("do") == "preview" && problem == nil {
		return p.form(h, w, http.StatusOK, t, parent, nil, p.preview(t.draft))
	}
	var post community.Post
	var standing community.ReplyStanding
	if problem == nil {
		t.draft.To, problem = p.named(r.Context(), t.people)
	}
	if problem == nil && t.later != "" {
		var done bool
		if done, problem = p.schedule(h, w, r, t); done {
			return problem
		}
	} else if problem == nil {
		p.lookUp(r.Context(), t.draft)
		problem = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
			if post, err = community.Publish(tx, h.me, t.draft); err == nil && parent != nil {
				standing, err = community.ReplyStandingOf(tx, h.me, parent.Post)
			}
			return err
		})
	}
	if f := fault.Of(problem); problem != nil && f.Kind == fault.Invalid {
		return p.form(h, w, f.Kind.Status(), t, parent, f, "")
	} else if problem != nil {
		return problem
	}
	switch {
	case standing == community.ReplyAsks:
		p.flash(w, "flash.answered_asks")
	case post.Kind == community.Reply:
		p.flash(w, "flash.answered")
	case post.Kind == community.Acknowledgement:
		p.flash(w, "flash.used")
	default:
		p.flash(w, "flash.published")
	}
	return seeOther(w, r, postPath(post.ID))
}

// preview renders what is being written, as it will look.
func (p *Pages) preview(d community.Draft) template.HTML {
	source := d.Source
	if d.Sections != nil {
		source = d.Sections.Markdown()
	}
	return safe(text.Render(source, text.Links{}).HTML)
}

// mine is the author's own post with what the form shows of it.
func (p *Pages) mine(h *here, r *http.Request) (community.View, typed, error) {
	id, err := idOf(r)
	if err != nil {
		return community.View{}, typed{}, err
	}
	v, err := p.parentOf(h, r, id)
	if err != nil {
		return community.View{}, typed{}, err
	}
	if !v.Mine.Author || v.Kind == community.Boost {
		return community.View{}, typed{}, fault.Keyed(fault.Forbidden, "post.not_yours", "Only its author can change a post.", nil)
	}
	t := typed{with: strings.Join(v.Contributors, ", "), draft: community.Draft{
		Kind: v.Kind, Audience: v.Audience, Title: v.Title, Source: v.Source, Sections: v.Sections, Warning: v.Warning, Language: v.Language,
		Subject: v.Subject, Level: v.Level, Licence: v.Licence, Contributors: v.Contributors,
	}}
	if v.Poll != nil {
		t.draft.Poll = &community.PollDraft{Multiple: v.Poll.Multiple}
		for _, o := range v.Poll.Options {
			t.draft.Poll.Options = append(t.draft.Poll.Options, o.Title)
		}
	}
	for i, a := range v.Media {
		t.slots = append(t.slots, PictureSlot{N: i + 1, MediaID: digits(a.ID), Src: "/media/" + a.Preview, Alt: a.Alt, Decorative: a.Decorative})
	}
	return *v, t, nil
}

func (p *Pages) editForm(h *here, w http.ResponseWriter, r *http.Request) error {
	v, t, err := p.mine(h, r)
	if err != nil {
		return err
	}
	return p.editing(h, w, http.StatusOK, v, t, nil, "")
}

// editing shows the form of a post that is there already. Its audience stays.
func (p *Pages) editing(h *here, w http.ResponseWriter, status int, v community.View, t typed, problem *fault.Error, preview template.HTML) error {
	c := p.composer(h, t, nil, problem)
	_, wrong := ErrorsOf(h.l, problem)
	c.Action, c.Cancel, c.DraftKey = postPath(v.ID)+"/edit", postPath(v.ID), "edit "+digits(v.ID)
	c.Audience, c.People, c.Later, c.Preview = AudiencePicker{}, FormField{}, FormField{}, preview
	c.Submit, c.Poll = h.l.T("write.save"), p.pollForm(h, t.draft, wrong, true)
	view := writePage{Composer: c, Head: PageHead{Title: h.l.T("post.edit"), Lead: h.l.T("write.edit_lead"), Back: &Link{Words: h.l.T("history.back"), URL: postPath(v.ID)}}}
	return p.render(h, w, status, "write", view.Head.Title, view)
}

func (p *Pages) edit(h *here, w http.ResponseWriter, r *http.Request) error {
	v, _, err := p.mine(h, r)
	if err != nil {
		return err
	}
	t, problem := p.read(h, w, r)
	t.draft.Kind, t.draft.Audience = v.Kind, v.Audience
	if v.Kind == community.Practice && t.draft.Sections == nil {
		t.draft.Sections = v.Sections
	}
	if problem == nil && r.PostFormValue("do") == "preview" {
		return p.editing(h, w, http.StatusOK, v, t, nil, p.preview(t.draft))
	}
	if problem == nil {
		p.lookUp(r.Context(), t.draft)
		problem = p.DB.Write(r.Context(), func(tx *store.Tx) error {
			_, err := community.Edit(tx, h.me, v.ID, t.draft)
			return err
		})
	}
	if f := fault.Of(problem); problem != nil && f.Kind == fault.Invalid {
		return p.editing(h, w, f.Kind.Status(), v, t, f, "")
	} else if problem != nil {
		return problem
	}
	p.flash(w, "flash.edited")
	return seeOther(w, r, postPath(v.ID))
}

// confirmPage asks before something is done.
type confirmPage struct{ Confirm ConfirmPanel }

func (p *Pages) askDelete(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	v, err := p.parentOf(h, r, id)
	if err != nil {
		return err
	}
	if !v.Mine.Author && !h.user.Role.MayModerate() {
		return fault.Keyed(fault.Forbidden, "post.not_yours", "Only its author can change a post.", nil)
	}
	var servers int
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		servers, err = community.CountServers(tx, id)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	panel := ConfirmPanel{Title: l.T("delete.title"), Action: postPath(id) + "/delete", Button: l.T("delete.button"), Cancel: postPath(id),
		Effects: []string{l.T("delete.gone")}}
	if v.RepliesCount > 0 {
		panel.Effects = append(panel.Effects, l.T("delete.replies", "Count", int(v.RepliesCount)))
	}
	if servers > 0 {
		panel.Effects = append(panel.Effects, l.T("delete.servers", "Count", servers))
	}
	return p.render(h, w, http.StatusOK, "confirm", panel.Title, confirmPage{panel})
}

func (p *Pages) deletePost(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	to := "/home"
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		post, err := community.VisiblePost(tx, id, h.viewer)
		if err == nil && post.ThreadID != id {
			to = postPath(post.ThreadID)
		}
		return community.Delete(tx, h.me, id)
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.deleted")
	return seeOther(w, r, to)
}

// react is a button beside a post. done is what is said afterwards, if anything.
func (p *Pages) react(deed func(*store.Tx, community.Account, int64) (community.Post, error), done string) handler {
	return func(h *here, w http.ResponseWriter, r *http.Request) error {
		id, err := idOf(r)
		if err != nil {
			return err
		}
		err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
			_, err := deed(tx, h.me, id)
			return err
		})
		if err != nil {
			return err
		}
		if done != "" {
			p.flash(w, done)
		}
		return p.back(w, r, postPath(id))
	}
}

func (p *Pages) acceptAnswer(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	question, ok := iri.ParseID(r.PostFormValue("question"))
	if !ok {
		return fault.Keyed(fault.NotFound, "error.no_page", "There is no page at this address.", nil)
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.AcceptAnswer(tx, h.me, question, id)
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.accepted")
	return seeOther(w, r, postPath(question)+"#post-"+digits(id))
}
