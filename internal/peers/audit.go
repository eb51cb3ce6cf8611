package peers

import (
	"encoding/json"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Line is one line of the log of who decided what. Lines are only ever added.
type Line struct {
	ID        int64
	ActorID   *int64 // nil: from the command line, or the server itself
	Action    string // "peer.allow", "peer.block", "peer.remove", "mode", "person.role", …
	Subject   string // a host, "mode", or @name of a person here
	Before    string
	After     string
	Reason    string
	CreatedAt time.Time
}

// TableName names the table of the log.
func (Line) TableName() string { return "audit" }

// Record adds a line to the log, in the transaction of what it tells of.
func Record(tx *store.Tx, l Line) error {
	l.ID, l.CreatedAt = tx.NewID(), tx.Now
	if err := tx.Create(&l).Error; err != nil {
		return err
	}
	return add(tx, l)
}

// RecordAll is Record for many lines at once, in their order.
func RecordAll(tx *store.Tx, lines []Line) error {
	if len(lines) == 0 {
		return nil
	}
	for i := range lines {
		lines[i].ID, lines[i].CreatedAt = tx.NewID(), tx.Now
	}
	if err := tx.CreateInBatches(lines, 200).Error; err != nil {
		return err
	}
	return add(tx, lines...)
}

// Audit returns a page of the log, newest first: of one subject, or of all
// with subject "".
func Audit(tx *store.Tx, subject string, page store.Page) ([]Line, error) {
	q := tx.Model(&Line{})
	if subject != "" {
		q = q.Where("subject = ?", subject)
	}
	return store.Find[Line](q, page)
}

// String is the entry as the log keeps it: JSON, or nothing for no entry.
func (p Peer) String() string {
	if p.Host == "" {
		return ""
	}
	b, err := json.Marshal(struct {
		Standing   Standing   `json:"standing"`
		Ceiling    Ceiling    `json:"ceiling"`
		Label      string     `json:"label,omitempty"`
		Kind       string     `json:"kind,omitempty"`
		Note       string     `json:"note,omitempty"`
		PublicNote string     `json:"public_note,omitempty"`
		Subtree    bool       `json:"subtree,omitempty"`
		Preset     Preset     `json:"preset,omitempty"`
		Policy     *Policy    `json:"policy,omitempty"`
		ReviewOn   *time.Time `json:"review_on,omitempty"`
		ExpiresAt  *time.Time `json:"expires_at,omitempty"`
		KeepUntil  *time.Time `json:"keep_until,omitempty"`
		PurgeAt    *time.Time `json:"purge_at,omitempty"`
		Withdraw   Withdrawal `json:"withdraw,omitempty"`
	}{p.Standing, p.Ceiling, p.Label, p.Kind, p.Note, p.PublicNote, p.Subtree && p.Standing != Blocked, p.Preset, p.ownPolicy(), p.ReviewOn, p.ExpiresAt, p.KeepUntil, p.PurgeAt, p.Withdraw})
	if err != nil {
		return string(p.Standing)
	}
	return string(b)
}

// ownPolicy is the policy, unless it is exactly what the preset or the ceiling says.
func (p Peer) ownPolicy() *Policy {
	if p.Policy == p.Preset.Policy() || p.Policy == FullPolicy(p.Ceiling) {
		return nil
	}
	return &p.Policy
}
