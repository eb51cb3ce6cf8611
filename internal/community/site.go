package community

import (
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Site is what this server says of itself, and the key of the actor that
// speaks for the whole of it.
type Site struct {
	ID           int64
	Host         string
	Name         string
	Description  string
	Kind         string // school, region, university, other
	Contact      string
	Rules        string // one a line
	Mode         peers.Mode
	Registration string // RegistrationInvite or RegistrationRequest
	PublicKey    string // PEM
	PrivateKey   string // PEM

	Ed25519PublicKey  string `gorm:"column:ed25519_public_key"`  // PEM
	Ed25519PrivateKey string `gorm:"column:ed25519_private_key"` // PEM

	VapidKey string // by which push services know this server: the private half, base64url (RFC 8292)

	SetupHash string // of the one-time setup link; empty once it was used
	SetUpAt   *time.Time
	CreatedAt time.Time
	UpdatedAt time.Time

	NamesVersion int64 `gorm:"->"` // moved on by the database: see keptName
}

// How people come to an account here.
const (
	RegistrationInvite  = "invite"  // by an invitation only
	RegistrationRequest = "request" // or by asking for one
)

// TableName names the table with the one row.
func (Site) TableName() string { return "site" }

// Title is what the server is called on a page: its name, or its host.
func (s Site) Title() string {
	if s.Name != "" {
		return s.Name
	}
	return s.Host
}

// RuleList returns the rules one by one.
func (s Site) RuleList() []string {
	var rules []string
	for line := range strings.Lines(s.Rules) {
		if line = strings.TrimSpace(line); line != "" {
			rules = append(rules, line)
		}
	}
	return rules
}

// SiteOf returns what this server says of itself.
func SiteOf(tx *store.Tx) (Site, error) {
	var s Site
	if err := tx.Ask(siteQuestion(tx, &s)); err != nil {
		return s, err
	}
	return s, s.found()
}

func siteQuestion(tx *store.Tx, into *Site) store.Question {
	return store.Question{SQL: "SELECT " + siteColumns.In(tx.Dialect()) + " FROM site WHERE id = 1",
		Row: func(r *store.Row) { siteColumns.Read(r, into) }}
}

// found fails where there is no such row.
func (s Site) found() error {
	if s.ID == 0 {
		return store.Wrap(gorm.ErrRecordNotFound)
	}
	return nil
}

// EnsureSite makes sure that the site's row exists and that the server and all
// its people have their keys. It is called at every start; the server's are made
// at the first. It may run on several nodes at once: the first keys stay.
func EnsureSite(tx *store.Tx) error {
	err := tx.Exec("INSERT INTO site (id, host, created_at, updated_at) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
		tx.Site.Host, tx.Now, tx.Now).Error
	if err != nil {
		return err
	}
	site, err := SiteOf(tx)
	if err != nil {
		return err
	}
	if site.PrivateKey == "" {
		pair, err := NewKeyPair()
		if err != nil {
			return err
		}
		if err := tx.Exec("UPDATE site SET public_key = ?, private_key = ? WHERE id = 1 AND private_key = ''", pair.Public, pair.Private).Error; err != nil {
			return err
		}
	}
	if site.Ed25519PrivateKey == "" {
		pair, err := newProofPair()
		if err != nil {
			return err
		}
		err = tx.Exec("UPDATE site SET ed25519_public_key = ?, ed25519_private_key = ? WHERE id = 1 AND ed25519_private_key = ''", pair.Public, pair.Private).Error
		if err != nil {
			return err
		}
	}
	if err := ensureVapidKey(tx); err != nil {
		return err
	}
	return EnsureKeys(tx)
}

// SiteForm is what an administrator can change of the site.
type SiteForm struct {
	Name         string
	Description  string
	Kind         string
	Contact      string
	Rules        string
	Registration string
}

// UpdateSite changes what this server says of itself. by is who did it, 0 for
// the command line.
func UpdateSite(tx *store.Tx, by int64, f SiteForm) (Site, error) {
	before, err := SiteOf(tx)
	if err != nil {
		return before, err
	}
	f = f.tidied()
	if err := f.check(); err != nil {
		return before, err
	}
	err = tx.Model(&Site{}).Where("id = 1").Updates(map[string]any{
		"name": f.Name, "description": f.Description, "kind": f.Kind, "contact": f.Contact,
		"rules": f.Rules, "registration": f.Registration, "updated_at": tx.Now,
	}).Error
	if err != nil {
		return before, err
	}
	tx.Announce(SiteChanged, 1)
	after, err := SiteOf(tx)
	if err != nil {
		return before, err
	}
	return after, record(tx, by, "site", "site", before.summary(), after.summary(), "")
}

func (s Site) summary() string {
	return fmt.Sprintf("%q (%s), registration by %s", s.Name, s.Kind, s.Registration)
}

func (f SiteForm) tidied() SiteForm {
	f.Name, f.Contact = strings.TrimSpace(f.Name), strings.TrimSpace(f.Contact)
	f.Description, f.Rules = strings.TrimSpace(f.Description), strings.TrimSpace(f.Rules)
	if f.Kind == "" {
		f.Kind = "school"
	}
	if f.Registration == "" {
		f.Registration = RegistrationInvite
	}
	return f
}

func (f SiteForm) check() error {
	var form fault.Check
	if f.Name == "" {
		form.Add("name", "site.name_missing", "Enter the name of the school or network.", nil)
	}
	if len(f.Name) > 200 {
		form.Add("name", "site.name_long", "The name is too long: 200 characters at most.", nil)
	}
	for _, t := range []struct {
		field, value string
		most         int
	}{{"description", f.Description, 5000}, {"contact", f.Contact, 500}, {"rules", f.Rules, 10000}} {
		if len(t.value) > t.most {
			form.Add(t.field, "site.text_long", fmt.Sprintf("This is too long: %d characters at most.", t.most), map[string]any{"Most": t.most})
		}
	}
	switch f.Kind {
	case "school", "region", "university", "other":
	default:
		form.Add("kind", "site.kind_invalid", "Choose what kind of place this server is for.", nil)
	}
	if f.Registration != RegistrationInvite && f.Registration != RegistrationRequest {
		form.Add("registration", "site.registration_invalid", "Choose how people get an account.", nil)
	}
	return form.Err()
}

// record adds a line to the log of who decided what.
func record(tx *store.Tx, by int64, action, subject, before, after, reason string) error {
	l := peers.Line{Action: action, Subject: subject, Before: before, After: after, Reason: reason}
	if by != 0 {
		l.ActorID = &by
	}
	return peers.Record(tx, l)
}
