package community

import (
	"errors"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// Account is an actor that this server knows: one of its own people (Host is
// empty) or an actor of another server, whose addresses are kept as it said them.
type Account struct {
	ID           int64
	Username     string
	Host         string // lower-case A-label; empty for local accounts
	ActorType    string // Person, Group, Service, Application, Organization
	DisplayName  string
	BioSource    string  // Markdown as typed; local accounts only
	BioHTML      string  `gorm:"column:bio_html"`
	Fields       []Field `gorm:"serializer:json"`
	URI          *string `gorm:"column:uri"` // nil for local accounts, whose address internal/iri derives
	URL          string  `gorm:"column:url"`
	Inbox        string
	SharedInbox  string
	Outbox       string
	FollowersURI string `gorm:"column:followers_uri"`
	FollowingURI string `gorm:"column:following_uri"`
	NetworkURI   string `gorm:"column:network_uri"` // the actor's server's trusted-network collection, where it has one
	Avatar       string // local: media name; remote: URL
	Header       string
	AvatarAlt    string // what the pictures show, for who cannot see them; local accounts only
	HeaderAlt    string
	Locked       bool    // follows need approval (manuallyApprovesFollowers)
	FeaturedURI  string  `gorm:"column:featured_uri"` // the posts that the account shows first (toot:featured)
	Emoji        []Emoji `gorm:"serializer:json;not null"`
	Discoverable bool
	Indexable    bool
	MovedTo      string // the address of the account that took its place
	MovedAt      *time.Time
	AlsoKnownAs  []string `gorm:"serializer:json"`
	CreatedAt    time.Time

	AttributionDomains []string `gorm:"serializer:json"` // sites that may name the account as the author of what is there
	UpdatedAt          time.Time
	FetchedAt          *time.Time
	SaidAt             *time.Time // when its server changed it last, as it says
	SuspendedAt        *time.Time
	DeletedAt          *time.Time
	Silenced           bool  // shown to who follows it, and in threads: its server's peer is silenced
	Version            int64 // moved on by every change
}

// Field is one labelled line of a profile (schema.org PropertyValue).
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"` // safe HTML
}

// Local reports whether the account belongs to this server.
func (a Account) Local() bool { return a.Host == "" }

// Name is what the account is called on a page: its display name, or its user name.
func (a Account) Name() string {
	if a.DisplayName != "" {
		return a.DisplayName
	}
	return a.Username
}

// Gone reports whether nothing of the account may be shown any more.
func (a Account) Gone() bool { return a.DeletedAt != nil || a.SuspendedAt != nil }

// AccountKey is an account's key for HTTP signatures. PrivateKey is set for local accounts only.
type AccountKey struct {
	KeyID      string `gorm:"primaryKey"`
	AccountID  int64
	Algorithm  Algorithm
	PublicKey  string // PEM
	PrivateKey string // PEM
	FetchedAt  time.Time
}

// Algorithm is what a key signs with.
type Algorithm string

// The algorithms: RSA is for everyone, Ed25519 for who understands it.
const (
	RSA     Algorithm = "rsa"
	Ed25519 Algorithm = "ed25519"
	ECDSA   Algorithm = "ecdsa"
)

// AccountCounts are the figures of a profile.
type AccountCounts struct {
	AccountID  int64 `gorm:"primaryKey"`
	Posts      int64
	Followers  int64
	Following  int64
	LastPostAt *time.Time
}

// RemoteAccount is what another server says of one of its actors, already
// checked against its origin and sanitised.
type RemoteAccount struct {
	Account             // Host and URI set; ID is ignored
	Keys    []PublicKey // all that it signs with; none: those on record stay
}

// PublicKey is a key that an actor says is its own.
type PublicKey struct {
	ID        string
	Algorithm Algorithm
	PEM       string
}

// Handle is how people write the account: "@ana@elm.test". site is the host
// of this server, which local accounts do not carry.
func (a Account) Handle(site string) string {
	host := a.Host
	if host == "" {
		host = site
	}
	return "@" + a.Username + "@" + host
}

// IRI is the account's address as an actor.
func (a Account) IRI(site iri.Site) string {
	if a.URI != nil {
		return *a.URI
	}
	return site.Actor(a.ID)
}

// Page is the address of the account's page for people, on its own server.
func (a Account) Page(site iri.Site) string {
	switch {
	case a.Local():
		return site.Profile(a.Username)
	case a.URL != "":
		return a.URL
	}
	return a.IRI(site)
}

func noAccount() error {
	return fault.Keyed(fault.NotFound, "account.none", "There is no such account.", nil)
}

// oneAccount takes the row that q finds, or says that there is none.
func oneAccount(q *gorm.DB) (Account, error) {
	var a Account
	err := q.Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return a, noAccount()
	}
	return a, err
}

// AccountByID returns an account, also one that is suspended or gone.
func AccountByID(tx *store.Tx, id int64) (Account, error) {
	found, err := askAccounts(tx, "accounts.id = ?", id)
	if err == nil && len(found) == 0 {
		err = noAccount()
	}
	if err != nil {
		return Account{}, err
	}
	return found[0], nil
}

// AccountsByID returns those accounts that exist, by ID.
func AccountsByID(tx *store.Tx, ids []int64) (map[int64]Account, error) {
	found := make(map[int64]Account, len(ids))
	for part := range slices.Chunk(ids, 400) {
		rows, err := askAccounts(tx, "accounts.id IN ?", part)
		if err != nil {
			return nil, err
		}
		for _, a := range rows {
			found[a.ID] = a
		}
	}
	return found, nil
}

// AccountByHandle returns the account with the user name on the host; no host,
// or this server's, means an account here. Letters of the name may be of
// either case, as everywhere where people type handles.
func AccountByHandle(tx *store.Tx, username, host string) (Account, error) {
	if host == "" || host == tx.Site.Host {
		return oneAccount(tx.Where("host = '' AND username = ?", strings.ToLower(username)))
	}
	a, err := oneAccount(tx.Where("host = ? AND username = ?", host, username))
	if !fault.Is(err, fault.NotFound) {
		return a, err
	}
	return oneAccount(tx.Where("host = ? AND LOWER(username) = ?", host, strings.ToLower(username)).Order("id"))
}

// AccountByURI returns the account with this IRI, one of ours or another
// server's.
func AccountByURI(tx *store.Tx, uri string) (Account, error) {
	if ref, ok := tx.Site.Parse(uri); ok {
		if ref.Kind != iri.Actor {
			return Account{}, noAccount()
		}
		return oneAccount(tx.Where("id = ? AND host = ''", ref.ID))
	}
	return oneAccount(tx.Where("uri = ?", uri))
}

// AccountsByURI returns those of the accounts of other servers that are known,
// by their addresses.
func AccountsByURI(tx *store.Tx, uris []string) (map[string]Account, error) {
	found := make(map[string]Account, len(uris))
	for part := range slices.Chunk(uris, 400) {
		rows, err := askAccounts(tx, "uri IN ?", part)
		if err != nil {
			return nil, err
		}
		for _, a := range rows {
			found[*a.URI] = a
		}
	}
	return found, nil
}

// CountsOf returns the figures of accounts, by ID.
func CountsOf(tx *store.Tx, ids []int64) (map[int64]AccountCounts, error) {
	found := make(map[int64]AccountCounts, len(ids))
	for part := range slices.Chunk(ids, 400) {
		err := tx.Ask(store.Question{SQL: "SELECT " + countColumns.In(tx.Dialect()) + " FROM account_counts WHERE account_id IN ?", Args: []any{part},
			Row: func(r *store.Row) {
				var c AccountCounts
				countColumns.Read(r, &c)
				found[c.AccountID] = c
			}})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// UpsertRemote stores what another server says of one of its actors, which the
// caller has fetched from there and checked. The URI says who it is: if the
// actor's handle belonged to another URI until now, its server has given the
// name to somebody new, and the account that had it keeps only its URI.
func UpsertRemote(tx *store.Tx, r RemoteAccount) (Account, error) {
	a := r.Account
	if a.Host == "" || a.URI == nil || *a.URI == "" || a.Host == tx.Site.Host || tx.Site.Local(*a.URI) {
		return Account{}, fmt.Errorf("store remote account %q: it has no host or URI of another server", a.Username)
	}
	policy, err := peers.SeenAs(tx, a.Host)
	if err != nil {
		return Account{}, err
	}
	var known Account
	if err := tx.Where("uri = ?", *a.URI).Limit(1).Find(&known).Error; err != nil {
		return Account{}, err
	}
	if known.SaidAt != nil && a.SaidAt != nil && a.SaidAt.Before(*known.SaidAt) {
		return known, nil // what was said later came first
	}
	if a.Silenced = policy.Silenced; known.ID != 0 {
		a.Silenced = known.Silenced // a change of the policy is carried to all accounts: see MoreSilence
		if policy.Admitted && !policy.Takes(peers.ClassProfiles) {
			a.keepsProfile(known)
		}
	}
	err = tx.Exec("UPDATE accounts SET username = ? || CAST(id AS TEXT), updated_at = ? WHERE host = ? AND username = ? AND id <> ?",
		formerName, tx.Now, a.Host, a.Username, known.ID).Error
	if err != nil {
		return Account{}, err
	}
	now := tx.Now
	a.FetchedAt, a.UpdatedAt = &now, now
	if a.SaidAt != nil && a.SaidAt.After(now) {
		a.SaidAt = &now
	}
	if a.ActorType == "" {
		a.ActorType = "Person"
	}
	if a.Fields == nil {
		a.Fields = []Field{}
	}
	if a.AlsoKnownAs == nil {
		a.AlsoKnownAs = []string{}
	}
	a.AttributionDomains = []string{}
	a.BioSource, a.SuspendedAt, a.DeletedAt, a.MovedAt = "", known.SuspendedAt, nil, known.MovedAt
	if a.MovedTo, err = believedMove(tx, known, a); err != nil {
		return Account{}, err
	}
	if known.ID == 0 {
		a.ID = tx.NewID()
		if a.CreatedAt.IsZero() {
			a.CreatedAt = tx.Now
		}
		if err := tx.Create(&a).Error; err != nil {
			return Account{}, err
		}
		if err := tx.Create(&AccountCounts{AccountID: a.ID}).Error; err != nil {
			return Account{}, err
		}
	} else {
		a.ID = known.ID
		if a.CreatedAt.IsZero() {
			a.CreatedAt = known.CreatedAt
		}
		if err := tx.Save(&a).Error; err != nil {
			return Account{}, err
		}
		if known.Host != a.Host { // its posts carry the host for the lists
			if err := tx.Exec("UPDATE posts SET author_host = ? WHERE author_id = ?", a.Host, a.ID).Error; err != nil {
				return Account{}, err
			}
		}
	}
	tx.Announce(AccountChanged, a.ID)
	return a, keepKeys(tx, a.ID, r.Keys)
}

// keepsProfile leaves what people see of an account as it is, where changes of
// profiles are not taken; keys and addresses change all the same.
func (a *Account) keepsProfile(known Account) {
	a.DisplayName, a.BioHTML, a.Fields, a.Emoji = known.DisplayName, known.BioHTML, known.Fields, known.Emoji
	a.Avatar, a.Header, a.FeaturedURI = known.Avatar, known.Header, known.FeaturedURI
}

// formerName is what an account is called whose name its server gave to
// another; no server has names with a space.
const formerName = "former "

// Profile is what people write about themselves.
type Profile struct {
	DisplayName  string
	Bio          string  // Markdown
	Fields       []Field // values as typed: a web address becomes a link
	Locked       bool
	Discoverable bool
	Indexable    bool
	Bot          bool   // what it writes is written by a program
	Avatar       string // media name; empty: none
	Header       string
	AvatarAlt    string // what the pictures show
	HeaderAlt    string

	AttributionDomains []string // sites that may name the person as an author
}

// ProfileOf returns an account's profile as its form shows it.
func ProfileOf(a Account) Profile {
	p := Profile{DisplayName: a.DisplayName, Bio: a.BioSource, Locked: a.Locked, Discoverable: a.Discoverable,
		Indexable: a.Indexable, Bot: a.ActorType == "Service", Avatar: a.Avatar, Header: a.Header, AvatarAlt: a.AvatarAlt, HeaderAlt: a.HeaderAlt,
		AttributionDomains: a.AttributionDomains}
	for _, f := range a.Fields {
		p.Fields = append(p.Fields, Field{Name: f.Name, Value: strings.TrimSpace(text.Plain(f.Value))})
	}
	return p
}

// Limits of a profile.
const (
	MaxDisplayName = 100  // characters
	MaxBio         = 2000 // characters
	MaxFields      = 6
	MaxField       = 255 // characters

	MaxPictureAlt          = 1500 // characters of what a profile's picture shows
	mostAttributionDomains = 100
)

func (p Profile) check() error {
	var form fault.Check
	if utf8.RuneCountInString(p.DisplayName) > MaxDisplayName {
		form.Add("display_name", "profile.name_long", "The name is too long: 100 characters at most.", nil)
	}
	if utf8.RuneCountInString(p.Bio) > MaxBio {
		form.Add("bio", "profile.bio_long", "The text about you is too long: 2000 characters at most.", nil)
	}
	if len(p.Fields) > MaxFields {
		form.Add("fields", "profile.fields_many", "There are too many lines: 6 at most.", nil)
	}
	for _, f := range p.Fields {
		if utf8.RuneCountInString(f.Name) > MaxField || utf8.RuneCountInString(f.Value) > MaxField {
			form.Add("fields", "profile.field_long", "A line of the profile is too long: 255 characters at most.", nil)
			break
		}
	}
	if utf8.RuneCountInString(p.AvatarAlt) > MaxPictureAlt || utf8.RuneCountInString(p.HeaderAlt) > MaxPictureAlt {
		form.Add("avatar_alt", "profile.alt_long", "What the picture shows is too long: 1500 characters at most.", nil)
	}
	if len(p.AttributionDomains) > mostAttributionDomains {
		form.Add("attribution_domains", "profile.domains_many", "There are too many sites: 100 at most.", nil)
	}
	return form.Err()
}

// UpdateProfile changes what people say of themselves, and tells their followers' servers.
func UpdateProfile(tx *store.Tx, me Account, p Profile) (Account, error) {
	p.DisplayName, p.Bio = text.PlainLine(p.DisplayName, 10*MaxDisplayName), strings.TrimSpace(p.Bio)
	p.AvatarAlt, p.HeaderAlt = text.PlainLine(p.AvatarAlt, 10*MaxPictureAlt), text.PlainLine(p.HeaderAlt, 10*MaxPictureAlt)
	domains := []string{}
	for _, typed := range p.AttributionDomains {
		if host, err := iri.NormaliseHost(typed, false); err == nil && !slices.Contains(domains, host) {
			domains = append(domains, host)
		}
	}
	p.AttributionDomains = domains
	if err := p.check(); err != nil {
		return me, err
	}
	bio, err := renderBio(tx, p.Bio)
	if err != nil {
		return me, err
	}
	me.DisplayName, me.BioSource, me.BioHTML = p.DisplayName, p.Bio, bio
	me.Locked, me.Discoverable, me.Indexable = p.Locked, p.Discoverable, p.Indexable
	me.Avatar, me.Header, me.UpdatedAt = p.Avatar, p.Header, tx.Now
	me.AvatarAlt, me.HeaderAlt, me.AttributionDomains = p.AvatarAlt, p.HeaderAlt, p.AttributionDomains
	if p.Avatar == "" {
		me.AvatarAlt = ""
	}
	if p.Header == "" {
		me.HeaderAlt = ""
	}
	switch {
	case p.Bot && me.ActorType == "Person":
		me.ActorType = "Service"
	case !p.Bot && me.ActorType == "Service":
		me.ActorType = "Person"
	}
	me.Fields = []Field{}
	for _, f := range p.Fields {
		name, value := text.PlainLine(f.Name, 4*MaxField), strings.TrimSpace(f.Value)
		if name != "" && value != "" {
			me.Fields = append(me.Fields, Field{Name: name, Value: fieldHTML(value)})
		}
	}
	err = tx.Model(&me).Select("display_name", "bio_source", "bio_html", "locked", "discoverable", "indexable",
		"avatar", "header", "avatar_alt", "header_alt", "attribution_domains", "actor_type", "fields", "updated_at").Updates(&me).Error
	if err != nil {
		return me, err
	}
	tx.Announce(AccountChanged, me.ID)
	return me, enqueue(tx, Outgoing{Verb: VerbUpdateActor, ActorID: me.ID, Audience: Public})
}

// renderBio turns the text about a person into HTML; the people it names are linked, not told.
func renderBio(tx *store.Tx, source string) (string, error) {
	known, err := knownHandles(tx, []Section{{Markdown: source}})
	if err != nil {
		return "", err
	}
	return text.Render(source, text.Links{
		Mention: func(user, host string) (string, string, bool) {
			a, ok := known[handleKey(tx, user, host)]
			if !ok {
				return "", "", false
			}
			return a.Page(tx.Site), strings.TrimPrefix(a.Handle(tx.Site.Host), "@"), true
		},
		Tag: func(tag string) string { return tx.Site.Tag(text.TagKey(tag)) },
	}).HTML, nil
}

// fieldHTML is a line's value as others show it: a web address is a link, with
// rel="me" so that the page linked to can confirm it.
func fieldHTML(value string) string {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return html.EscapeString(value)
	}
	shown := html.EscapeString(value)
	return `<a href="` + shown + `" rel="me nofollow noopener" target="_blank">` + shown + `</a>`
}

// Suspend hides an account and all it wrote from everybody, and ends what it
// may do here, until Unsuspend. by is who decided, 0 for the command line.
func Suspend(tx *store.Tx, by, id int64, reason string) error {
	a, err := AccountByID(tx, id)
	if err != nil || a.SuspendedAt != nil {
		return err
	}
	if a.Local() {
		if err := guardLastOwner(tx, id); err != nil {
			return err
		}
	}
	if err := tx.Exec("UPDATE accounts SET suspended_at = ? WHERE id = ?", tx.Now, id).Error; err != nil {
		return err
	}
	tx.Announce(AccountChanged, id)
	return record(tx, by, "person.suspend", a.Handle(tx.Site.Host), "", "suspended", reason)
}

// Unsuspend takes a suspension back. Everything is as it was before.
func Unsuspend(tx *store.Tx, by, id int64, reason string) error {
	a, err := AccountByID(tx, id)
	if err != nil || a.SuspendedAt == nil {
		return err
	}
	if err := tx.Exec("UPDATE accounts SET suspended_at = NULL WHERE id = ?", id).Error; err != nil {
		return err
	}
	tx.Announce(AccountChanged, id)
	return record(tx, by, "person.unsuspend", a.Handle(tx.Site.Host), "suspended", "", reason)
}
