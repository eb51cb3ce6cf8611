package mastodon

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	words "github.com/chalkring/chalkring/internal/text"
)

// speaksAs is the release of Mastodon whose API this is a part of, and
// apiVersion how far it goes: through quotes. Clients compare both to know what
// they may ask for.
const (
	speaksAs   = "4.5.0"
	apiVersion = 7
)

func (a *API) instanceRoutes(r *routes) {
	get := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodGet, http.MethodHead) }
	get("/api/v1/instance", a.posted(a.instanceV1))
	get("/api/v2/instance", a.posted(a.instanceV2))
	get("/api/v1/instance/rules", a.posted(a.rules))
	get("/api/v1/instance/extended_description", a.posted(a.extendedDescription))
	get("/api/v1/instance/privacy_policy", a.posted(a.privacyPolicy))
	get("/api/v1/instance/terms_of_service", a.open("", a.terms))
	get("/api/v1/instance/terms_of_service/{date}", a.open("", a.terms))
	get("/api/v1/instance/peers", a.open("", a.knownPeers))
	get("/api/v1/peers/search", a.open("", a.findPeers))
	get("/api/v1/instance/domain_blocks", a.members("", a.blockedPeers))
	get("/api/v1/instance/activity", a.members("", a.activity))
	get("/api/v1/instance/languages", a.posted(a.instanceLanguages))
	get("/api/v1/instance/translation_languages", a.open("", func(*call) (any, error) { return none, nil }))
	get("/api/v1/custom_emojis", a.posted(empty))
	get("/api/oembed", a.open("", a.oembed))
	get("/health", a.open("", func(*call) (any, error) { return map[string]string{"status": "OK"}, nil }))
	a.announcementRoutes(r)
}

// empty answers for a list of what this server does not have, such as emoji of
// its own. Clients take a 404 for a broken server.
func empty(*call) (any, error) { return []struct{}{}, nil }

func (a *API) siteOf(c *call) (community.Site, error) {
	var site community.Site
	err := a.DB.Ask(c.r.Context(), func(tx *store.Tx) (err error) {
		site, err = community.SiteOf(tx)
		return err
	})
	return site, err
}

func (a *API) version() string { return speaksAs + " (compatible; Chalkring " + a.Version + ")" }

// languages are those in which the school's own pages are.
var languages = []string{"en"}

// streamingURL is where streams are opened: here.
func (a *API) streamingURL() string {
	if a.site.Scheme == "http" {
		return "ws://" + a.site.Host
	}
	return "wss://" + a.site.Host
}

// vapidKey is by which push services know this server: an uncompressed point,
// or "" where nothing is pushed.
//
// RFC 8292, section 3.2.
func (a *API) vapidKey(site community.Site) string {
	if a.Push == PushOff {
		return ""
	}
	secret, err := base64.RawURLEncoding.DecodeString(site.VapidKey)
	if err != nil || len(secret) == 0 {
		return ""
	}
	key, err := ecdh.P256().NewPrivateKey(secret)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())
}

// configuration is what may be sent here and what is to be had.
func (a *API) configuration(site community.Site) map[string]any {
	limits := media.Pictures()
	return map[string]any{
		"urls": map[string]any{"streaming": a.streamingURL(), "status": nil, "about": a.site.URL("/about"), "privacy_policy": a.site.URL("/about"),
			"terms_of_service": nil},
		"vapid": map[string]any{"public_key": a.vapidKey(site)},
		"accounts": map[string]any{"max_featured_tags": community.MaxFeaturedTags, "max_pinned_statuses": community.MaxPins,
			"max_display_name_length": community.MaxDisplayName, "max_note_length": community.MaxBio, "max_profile_fields": community.MaxFields,
			"profile_field_name_limit": community.MaxField, "profile_field_value_limit": community.MaxField,
			"max_avatar_description_length": community.MaxPictureAlt, "max_header_description_length": community.MaxPictureAlt},
		"statuses": map[string]any{"max_characters": community.MaxBody, "max_media_attachments": community.MaxMedia, "characters_reserved_per_url": 23},
		"media_attachments": map[string]any{
			"supported_mime_types": []string{"image/jpeg", "image/png", "image/gif", "image/webp"},
			"description_limit":    media.MaxAlt,
			"image_size_limit":     min(a.MaxUpload, limits.Bytes), "image_matrix_limit": limits.Pixels,
			"video_size_limit": 0, "video_frame_rate_limit": 0, "video_matrix_limit": 0,
		},
		"polls": map[string]any{"max_options": community.MaxPollOptions, "max_characters_per_option": community.MaxPollOption,
			"min_expiration": int(community.MinPollOpen.Seconds()), "max_expiration": int(community.MaxPollOpen.Seconds())},
		"translation":        map[string]any{"enabled": false},
		"timelines_access":   timelinesAccess(),
		"limited_federation": site.Mode != peers.Open,
	}
}

// olderConfiguration is what of it the old form of the answer has.
func olderConfiguration(all map[string]any) map[string]any {
	return map[string]any{"statuses": all["statuses"], "media_attachments": all["media_attachments"], "polls": all["polls"],
		"accounts": map[string]any{"max_featured_tags": community.MaxFeaturedTags}}
}

func rules(site community.Site) []map[string]any {
	list := []map[string]any{}
	for i, line := range site.RuleList() {
		list = append(list, map[string]any{"id": strconv.Itoa(i + 1), "text": line, "hint": "", "translations": struct{}{}})
	}
	return list
}

// rules answers GET /api/v1/instance/rules.
func (a *API) rules(c *call) (any, error) {
	site, err := a.siteOf(c)
	return rules(site), err
}

// email is the contact, where it is an e-mail address.
func email(site community.Site) string {
	if strings.Contains(site.Contact, "@") && !strings.ContainsAny(site.Contact, " /") && !strings.HasPrefix(site.Contact, "@") {
		return site.Contact
	}
	return ""
}

// about is what is looked up for the description of this server.
type about struct {
	site    community.Site
	contact *Account
	figures community.SiteFigures
}

// aboutSite looks it up. How large a school is, is told to its people only:
// how many they are is nobody else's business, as in NodeInfo.
func (a *API) aboutSite(c *call) (about, error) {
	var out about
	err := a.DB.Ask(c.r.Context(), func(tx *store.Tx) (err error) {
		out.site, out.figures, err = community.SiteAndFigures(tx, c.signedIn())
		return err
	})
	if err != nil || !strings.HasPrefix(out.site.Contact, "@") {
		return out, err
	}
	h, err := iri.ParseHandle(out.site.Contact, iri.IsDev(a.site.Host))
	if err != nil {
		return out, nil
	}
	err = a.read(c, func(tx *store.Tx) error {
		acc, err := community.AccountByHandle(tx, h.Name, h.Host)
		if fault.Is(err, fault.NotFound) || err == nil && (!acc.Local() || acc.Gone()) {
			return nil
		}
		if err != nil {
			return err
		}
		shown, err := a.one(tx, c, acc)
		out.contact = &shown
		return err
	})
	return out, err
}

// written is an answer's JSON.
type written []byte

// instance is what a description of this server was made of, and its JSON. The
// same of the same is not written anew: most of it never changes.
type instance struct {
	about about
	json  written
}

// again answers with the description of i, made by describe.
func (a *API) again(kept *atomic.Pointer[instance], i about, describe func() any) (any, error) {
	if last := kept.Load(); last != nil && reflect.DeepEqual(last.about, i) {
		return last.json, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(describe()); err != nil {
		return nil, err
	}
	made := &instance{about: i, json: bytes.TrimSuffix(b.Bytes(), []byte("\n"))}
	kept.Store(made)
	return made.json, nil
}

// instanceV1 answers GET /api/v1/instance, which old clients ask.
func (a *API) instanceV1(c *call) (any, error) {
	i, err := a.aboutSite(c)
	if err != nil {
		return nil, err
	}
	return a.again(&a.instances[placeOf(c)], i, func() any { return a.describeV1(i) })
}

func (a *API) describeV1(i about) any {
	return map[string]any{
		"uri": a.site.Host, "title": i.site.Title(), "short_description": i.site.Description, "description": i.site.Description,
		"email": email(i.site), "version": a.version(), "urls": map[string]string{"streaming_api": a.streamingURL()}, "languages": languages,
		"stats":         map[string]int{"user_count": i.figures.People, "status_count": i.figures.Posts, "domain_count": i.figures.Peers},
		"registrations": i.site.Registration == community.RegistrationRequest, "approval_required": true, "invites_enabled": false,
		"configuration": olderConfiguration(a.configuration(i.site)), "max_toot_chars": community.MaxBody, "thumbnail": a.site.URL("/mark/site.png"),
		"contact_account": i.contact, "rules": rules(i.site),
	}
}

// instanceV2 answers GET /api/v2/instance.
func (a *API) instanceV2(c *call) (any, error) {
	i, err := a.aboutSite(c)
	if err != nil {
		return nil, err
	}
	return a.again(&a.instances[places+placeOf(c)], i, func() any { return a.describeV2(i) })
}

func (a *API) describeV2(i about) any {
	open := i.site.Registration == community.RegistrationRequest
	registrations := map[string]any{"enabled": open, "approval_required": true, "reason_required": open, "message": nil, "min_age": nil, "url": nil}
	if open {
		registrations["url"] = a.site.URL("/request")
	}
	mark := a.site.URL("/mark/site.png")
	return map[string]any{
		"domain": a.site.Host, "title": i.site.Title(), "version": a.version(), "source_url": "https://github.com/chalkring/chalkring",
		"description": i.site.Description, "usage": map[string]any{"users": map[string]int{"active_month": i.figures.ActiveMonth}},
		"thumbnail": map[string]any{"url": mark, "blurhash": nil, "description": nil, "versions": map[string]string{"@1x": mark, "@2x": mark}},
		"icon":      []map[string]string{{"src": mark, "size": "192x192"}}, "languages": languages,
		"configuration": a.configuration(i.site), "registrations": registrations, "api_versions": map[string]int{"mastodon": apiVersion},
		"contact": map[string]any{"email": email(i.site), "account": i.contact}, "rules": rules(i.site),
	}
}

// document is a text about this server, with when it was written last.
type document struct {
	UpdatedAt stamp  `json:"updated_at"`
	Content   string `json:"content"`
}

// extendedDescription answers GET /api/v1/instance/extended_description.
func (a *API) extendedDescription(c *call) (any, error) {
	site, err := a.siteOf(c)
	if err != nil {
		return nil, err
	}
	return document{UpdatedAt: stampOf(site.UpdatedAt), Content: words.Render(site.Description, words.Links{}).HTML}, nil
}

// privacyPolicy answers GET /api/v1/instance/privacy_policy with what the page
// about this server promises.
func (a *API) privacyPolicy(c *call) (any, error) {
	site, err := a.siteOf(c)
	if err != nil {
		return nil, err
	}
	const policy = "Posts leave this server only for whom they are: public ones for everyone, those for connected schools to those schools, " +
		"those for followers or chosen people to their servers. Posts for the school, drafts, bookmarks, lists of who follows whom, e-mail addresses " +
		"and passwords never leave it. Nobody counts who reads what.\n\nWhat else holds here is said on the page about this server: "
	return document{UpdatedAt: stampOf(site.UpdatedAt), Content: words.Render(policy+a.site.URL("/about"), words.Links{}).HTML}, nil
}

// terms answers for terms of service, which a school has none of besides its
// rules.
func (a *API) terms(*call) (any, error) { return nil, notFound() }

// knownPeers answers GET /api/v1/instance/peers. Which schools are connected is
// told to people here, who see their colleagues there anyway, and to nobody
// else: the list of whom a school trusts is not public.
func (a *API) knownPeers(c *call) (any, error) {
	return a.peersLike(c, "", community.MostPeersTold)
}

// findPeers answers GET /api/v1/peers/search.
func (a *API) findPeers(c *call) (any, error) {
	q := strings.ToLower(strings.TrimSpace(c.Get("q")))
	if q == "" {
		return []string{}, nil
	}
	return a.peersLike(c, q, c.page(10, 40).Limit)
}

func (a *API) peersLike(c *call, begin string, most int) (any, error) {
	out := []string{}
	if !c.signedIn() {
		return out, nil
	}
	err := a.read(c, func(tx *store.Tx) error {
		hosts, err := community.ConnectedHosts(tx, begin, most)
		out = append(out, hosts...)
		return err
	})
	return out, err
}

// PublicBlock is Mastodon's DomainBlock entity, as everybody here is shown it.
type PublicBlock struct {
	Domain   string  `json:"domain"`
	Digest   string  `json:"digest"`
	Severity string  `json:"severity"`
	Comment  *string `json:"comment"` // why is for administrators
}

func digestOf(host string) string {
	sum := sha256.Sum256([]byte(host))
	return hex.EncodeToString(sum[:])
}

// blockedPeers answers GET /api/v1/instance/domain_blocks, for people here.
func (a *API) blockedPeers(c *call) (any, error) {
	out := []PublicBlock{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := peers.Entries(tx, peers.Blocked, store.Page{Limit: store.MaxLimit})
		for _, p := range list {
			out = append(out, PublicBlock{Domain: p.Host, Digest: digestOf(p.Host), Severity: "suspend"})
		}
		return err
	})
	return out, err
}

// Week is a week of this server's life. Its numbers are strings.
type Week struct {
	Week          string `json:"week"` // seconds since 1970
	Statuses      string `json:"statuses"`
	Logins        string `json:"logins"`
	Registrations string `json:"registrations"`
}

// activity answers GET /api/v1/instance/activity, for people here. Who signs in
// when is not counted.
func (a *API) activity(c *call) (any, error) {
	out := []Week{}
	err := a.read(c, func(tx *store.Tx) error {
		weeks, err := community.WeeksOf(tx, 12)
		for _, w := range weeks {
			out = append(out, Week{Week: strconv.FormatInt(w.From.Unix(), 10), Statuses: strconv.Itoa(w.Posts), Logins: "0", Registrations: strconv.Itoa(w.Joined)})
		}
		return err
	})
	return out, err
}

// instanceLanguages answers GET /api/v1/instance/languages: some in which
// teachers may want to write. Any other can be said too.
func (a *API) instanceLanguages(*call) (any, error) {
	type language struct {
		Code string `json:"code"`
		Name string `json:"name"`
	}
	out := []language{}
	for _, l := range strings.Split(languagesOffered, ",") {
		code, name, _ := strings.Cut(l, " ")
		out = append(out, language{code, name})
	}
	return out, nil
}

const languagesOffered = "ar العربية,bn বাংলা,ca Català,cs Čeština,cy Cymraeg,da Dansk,de Deutsch,el Ελληνικά,en English,es Español,et Eesti,eu Euskara," +
	"fa فارسی,fi Suomi,fr Français,ga Gaeilge,gd Gàidhlig,gl Galego,gu ગુજરાતી,haw ʻŌlelo Hawaiʻi,he עברית,hi हिन्दी,hr Hrvatski,hu Magyar,id Bahasa Indonesia," +
	"is Íslenska,it Italiano,ja 日本語,ko 한국어,lt Lietuvių,lv Latviešu,mi Te reo Māori,ms Bahasa Melayu,mt Malti,nl Nederlands,no Norsk,pa ਪੰਜਾਬੀ,pl Polski,pt Português," +
	"ro Română,ru Русский,sk Slovenčina,sl Slovenščina,sm Gagana Sāmoa,so Soomaali,sq Shqip,sr Српски,sv Svenska,sw Kiswahili,ta தமிழ்,te తెలుగు,th ไทย,tl Tagalog,to Lea faka-Tonga," +
	"tr Türkçe,uk Українська,ur اردو,vi Tiếng Việt,xh isiXhosa,yo Yorùbá,zh 中文,zu isiZulu"

// OEmbed is what a page that shows a post needs.
//
// oEmbed, section 2.3.4.
type OEmbed struct {
	Type         string `json:"type"`
	Version      string `json:"version"`
	Title        string `json:"title"`
	AuthorName   string `json:"author_name"`
	AuthorURL    string `json:"author_url"`
	ProviderName string `json:"provider_name"`
	ProviderURL  string `json:"provider_url"`
	CacheAge     int    `json:"cache_age"`
	HTML         string `json:"html"`
	Width        int    `json:"width"`
	Height       *int   `json:"height"`
}

// oembed answers GET /api/oembed: for public posts of this school, since what
// is not public has no text for other sites.
func (a *API) oembed(c *call) (any, error) {
	var view community.View
	var site community.Site
	err := a.read(c, func(tx *store.Tx) error {
		p, err := community.PostByURI(tx, c.Get("url"))
		if err == nil {
			p, err = community.VisiblePost(tx, p.ID, community.Guest)
		}
		if err != nil || !p.Local() || p.Audience != community.Public {
			return orNotFound(err)
		}
		if site, err = community.SiteOf(tx); err != nil {
			return err
		}
		view, err = community.LoadOne(tx, community.Guest, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	width := 400
	if n, err := strconv.Atoi(c.Get("maxwidth")); err == nil && n > 0 {
		width = min(n, width)
	}
	title := view.Title
	if title == "" {
		title = words.Excerpt(view.HTML, 80)
	}
	return OEmbed{Type: "rich", Version: "1.0", Title: title, AuthorName: view.Author.Name(), AuthorURL: a.site.Profile(view.Author.Username),
		ProviderName: site.Title(), ProviderURL: a.site.Base() + "/", CacheAge: int((24 * time.Hour).Seconds()),
		HTML: quoted(view, a.site.Page(view.ID)), Width: width}, nil
}

// quoted is a post as another site's page shows it: some of its words, and
// where to read it.
func quoted(v community.View, page string) string {
	words := words.Excerpt(v.HTML, 500)
	if v.Title != "" {
		words = v.Title + ": " + words
	}
	return `<blockquote cite="` + html.EscapeString(page) + `"><p>` + html.EscapeString(words) + `</p><p><a href="` + html.EscapeString(page) + `">` +
		html.EscapeString(v.Author.Name()) + `</a></p></blockquote>`
}
