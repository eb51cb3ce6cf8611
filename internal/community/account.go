package community

import (
	"time"
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
	Locked       bool // follows need approval (manuallyApprovesFollowers)
	Discoverable bool
	Indexable    bool
	MovedTo      string
	AlsoKnownAs  []string `gorm:"serializer:json"`
	CreatedAt    time.Time
	UpdatedAt    time.Time
	FetchedAt    *time.Time
	SuspendedAt  *time.Time
	DeletedAt    *time.Time
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
	AccountID  int64 `gorm:"primaryKey"`
	KeyID      string
	PublicKey  string // PEM
	PrivateKey string // PEM
	FetchedAt  time.Time
}

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
	Account   // Host and URI set; ID is ignored
	KeyID     string
	PublicKey string // PEM
}
