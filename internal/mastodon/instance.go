package mastodon

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// speaksAs is the release of Mastodon whose API this is a part of. Clients
// compare it to know what they may ask for: 4.2 has no grouped notifications.
const speaksAs = "4.2.0"

func (a *API) instanceRoutes(r *routes) {
	get := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodGet, http.MethodHead) }
	get("/api/v1/instance", a.open("", a.instanceV1))
	get("/api/v2/instance", a.open("", a.instanceV2))
	get("/api/v1/instance/rules", a.open("", a.rules))
	get("/api/v1/custom_emojis", a.open("", empty))
	get("/api/v1/announcements", a.members("", empty))
}

// empty answers for a list of what this server does not have: filters, lists
// and so on. Clients take a 404 for a broken server.
func empty(*call) (any, error) { return []struct{}{}, nil }

func (a *API) siteOf(c *call) (community.Site, error) {
	var site community.Site
	err := a.read(c, func(tx *store.Tx) (err error) {
		site, err = community.SiteOf(tx)
		return err
	})
	return site, err
}

func (a *API) version() string { return speaksAs + " (compatible; Chalkring " + a.Version + ")" }

// languages is null: people here write in whatever language they teach in.
var languages = []string{}

func (a *API) configuration() map[string]any {
	limits := media.Pictures()
	return map[string]any{
		"urls":     map[string]any{},
		"vapid":    map[string]any{"public_key": ""},
		"accounts": map[string]any{"max_featured_tags": 0, "max_pinned_statuses": 0},
		"statuses": map[string]any{"max_characters": community.MaxBody, "max_media_attachments": community.MaxMedia, "characters_reserved_per_url": 23},
		"media_attachments": map[string]any{
			"supported_mime_types": []string{"image/jpeg", "image/png", "image/gif", "image/webp"},
			"description_limit":    media.MaxAlt,
			"image_size_limit":     min(a.MaxUpload, limits.Bytes), "image_matrix_limit": limits.Pixels,
			"video_size_limit": 0, "video_frame_rate_limit": 0, "video_matrix_limit": 0,
		},
		"polls": map[string]any{"max_options": community.MaxPollOptions, "max_characters_per_option": community.MaxPollOption,
			"min_expiration": int(community.MinPollOpen.Seconds()), "max_expiration": int(community.MaxPollOpen.Seconds())},
		"translation": map[string]any{"enabled": false},
	}
}

func rules(site community.Site) []map[string]string {
	list := []map[string]string{}
	for i, line := range site.RuleList() {
		list = append(list, map[string]string{"id": strconv.Itoa(i + 1), "text": line, "hint": ""})
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
	if strings.Contains(site.Contact, "@") && !strings.ContainsAny(site.Contact, " /") {
		return site.Contact
	}
	return ""
}

// instanceV1 answers GET /api/v1/instance.
func (a *API) instanceV1(c *call) (any, error) {
	site, err := a.siteOf(c)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"uri": a.site.Host, "title": site.Title(), "short_description": site.Description, "description": site.Description,
		"email": email(site), "version": a.version(), "urls": map[string]string{}, "languages": languages,
		"stats":         map[string]int{"user_count": 0, "status_count": 0, "domain_count": 0},
		"registrations": site.Registration == community.RegistrationRequest, "approval_required": true, "invites_enabled": false,
		"configuration": a.configuration(), "max_toot_chars": community.MaxBody, "thumbnail": nil, "contact_account": nil, "rules": rules(site),
	}, nil
}

// instanceV2 answers GET /api/v2/instance. It promises no numbered part of
// Mastodon's API (api_versions) beyond the first.
func (a *API) instanceV2(c *call) (any, error) {
	site, err := a.siteOf(c)
	if err != nil {
		return nil, err
	}
	open := site.Registration == community.RegistrationRequest
	registrations := map[string]any{"enabled": open, "approval_required": true, "message": nil, "url": nil}
	if open {
		registrations["url"] = a.site.URL("/request")
	}
	return map[string]any{
		"domain": a.site.Host, "title": site.Title(), "version": a.version(), "source_url": "https://github.com/chalkring/chalkring",
		"description": site.Description, "usage": map[string]any{"users": map[string]int{"active_month": 0}},
		"thumbnail": map[string]any{"url": a.site.URL("/assets/icon.png")}, "icon": []struct{}{}, "languages": languages,
		"configuration": a.configuration(), "registrations": registrations, "api_versions": map[string]int{"mastodon": 1},
		"contact": map[string]any{"email": email(site), "account": nil}, "rules": rules(site),
	}, nil
}
