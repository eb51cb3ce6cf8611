package peers

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// maxRetractions is how many retractions a list tells at most, the latest.
const maxRetractions = 5000

// listDocument is a list as it is given out, without its proof.
//
// FEDERATION.md, "Lists of servers".
type listDocument struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	About       string          `json:"summary,omitempty"`
	Publisher   string          `json:"publisher"`
	Updated     time.Time       `json:"updated"`
	Entries     []ListEntry     `json:"entries"`
	Retractions []listRetracted `json:"retractions"`
}

type listRetracted struct {
	Host      string    `json:"host"`
	Retracted time.Time `json:"retracted"`
	Reason    string    `json:"reason,omitempty"`
}

// ListDocument writes a list of ours, to be signed. address and publisher are
// the list's own address and the actor that signs it.
func ListDocument(tx *store.Tx, l PublishedList, address, publisher string) ([]byte, error) {
	entries, err := liveEntries(tx, l.ID)
	if err != nil {
		return nil, err
	}
	doc := listDocument{ID: address, Name: l.Name, About: l.About, Publisher: publisher, Updated: l.UpdatedAt,
		Entries: make([]ListEntry, 0, len(entries)), Retractions: []listRetracted{}}
	for _, e := range entries {
		one := ListEntry{Host: e.Host, Label: e.Label, Tier: e.Tier, Match: MatchExact, Note: e.Note, Added: &e.AddedAt, Expires: e.ExpiresAt}
		if e.Subtree {
			one.Match = MatchSubtree
		}
		if e.PausedAt != nil {
			one.Emergency, one.Since, one.Reason = true, e.PausedAt, e.PauseReason
		}
		doc.Entries = append(doc.Entries, one)
	}
	var gone []PublishedEntry
	err = tx.Where("list_id = ? AND retracted_at IS NOT NULL", l.ID).Order("retracted_at DESC, host").Limit(maxRetractions).Find(&gone).Error
	if err != nil {
		return nil, err
	}
	for _, e := range gone {
		doc.Retractions = append(doc.Retractions, listRetracted{e.Host, *e.RetractedAt, e.RetractReason})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(doc)
	return b.Bytes(), err
}

func liveEntries(tx *store.Tx, list int64) ([]PublishedEntry, error) {
	var entries []PublishedEntry
	err := tx.Where("list_id = ? AND retracted_at IS NULL AND (expires_at IS NULL OR expires_at > ?)", list, tx.Now).
		Order("host").Limit(MaxListEntries).Find(&entries).Error
	return entries, err
}

// ListIn writes a list of ours in a form that other software reads. These know
// no emergency: a server that is one is left out, so that they let go of it.
func ListIn(tx *store.Tx, l PublishedList, form Formats) (body []byte, contentType string, err error) {
	entries, err := liveEntries(tx, l.ID)
	if err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	type element struct {
		Domain        string `json:"domain"`
		PublicComment string `json:"public_comment,omitempty"`
	}
	elements := []element{}
	if form == FormatsMastodon {
		b.WriteString("#domain\n")
	}
	for _, e := range entries {
		if e.PausedAt != nil {
			continue
		}
		if form == FormatsGoToSocial {
			elements = append(elements, element{e.Host, e.Note})
			continue
		}
		b.WriteString(e.Host + "\n")
	}
	switch form {
	case FormatsMastodon:
		return b.Bytes(), "text/csv; charset=utf-8", nil
	case FormatsGoToSocial:
		body, err = json.Marshal(elements)
		return body, "application/json", err
	}
	return b.Bytes(), "text/plain; charset=utf-8", nil
}
