package peers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Chained is a line of the log in its place in the chain. A line's hash covers
// what it says and the hash before, so that nothing can be changed, left out or
// slipped in without every later hash being another: whoever wrote down the
// latest hash once can tell.
type Chained struct {
	Seq  int64 // from 1, without a gap
	Hash string
	Line `gorm:"embedded"`
}

// LinkHash is the hash of a line in its place: SHA-256, in hexadecimal, of a
// JSON array of texts: the hash before ("" for the first), the place, the
// line's number, who (or ""), action, subject, before, after, reason, and when
// in UTC to the millisecond.
//
// docs/peering.md, "The log".
func LinkHash(prev string, seq int64, l Line) string {
	who := ""
	if l.ActorID != nil {
		who = strconv.FormatInt(*l.ActorID, 10)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode([]string{prev, strconv.FormatInt(seq, 10), strconv.FormatInt(l.ID, 10), who, l.Action, l.Subject, l.Before, l.After, l.Reason,
		l.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z")}) // texts: cannot fail
	sum := sha256.Sum256(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return hex.EncodeToString(sum[:])
}

// link is a row of the chain.
type link struct {
	Seq    int64
	LineID int64
	Hash   string
}

// TableName names the table of the chain.
func (link) TableName() string { return "audit_chain" }

// lockChain has one transaction at a time add to the chain, on all nodes. On
// SQLite there is only one that writes.
func lockChain(tx *store.Tx) error {
	if tx.Dialect() != store.Postgres {
		return nil
	}
	return tx.Exec("SELECT pg_advisory_xact_lock(hashtext(current_schema()::text || '.audit_chain'))").Error
}

// last returns the end of the chain, or a zero link.
func last(tx *store.Tx) (link, error) {
	var end link
	err := tx.Order("seq DESC").Limit(1).Find(&end).Error
	return end, err
}

// add puts lines that were just written at the end of the chain.
func add(tx *store.Tx, lines ...Line) error {
	if err := lockChain(tx); err != nil {
		return err
	}
	end, err := last(tx)
	if err != nil {
		return err
	}
	if end.Seq == 0 { // with all from before there was a chain
		return chainAll(tx)
	}
	links := make([]link, len(lines))
	for i, l := range lines {
		end = link{Seq: end.Seq + 1, LineID: l.ID, Hash: LinkHash(end.Hash, end.Seq+1, l)}
		links[i] = end
	}
	return tx.CreateInBatches(links, 200).Error
}

// Chain begins the chain with the lines that a log without one has. It is
// called when the server starts.
func Chain(tx *store.Tx) error {
	if err := lockChain(tx); err != nil {
		return err
	}
	end, err := last(tx)
	if err != nil || end.Seq != 0 {
		return err
	}
	return chainAll(tx)
}

// piece is how many lines are read at once.
const piece = 500

func chainAll(tx *store.Tx) error {
	var end link
	for after := int64(0); ; {
		var lines []Line
		if err := tx.Where("id > ?", after).Order("id").Limit(piece).Find(&lines).Error; err != nil {
			return err
		}
		var links []link
		for _, l := range lines {
			after = l.ID
			end = link{Seq: end.Seq + 1, LineID: l.ID, Hash: LinkHash(end.Hash, end.Seq+1, l)}
			links = append(links, end)
		}
		if len(links) > 0 {
			if err := tx.CreateInBatches(links, 100).Error; err != nil {
				return err
			}
		}
		if len(lines) < piece {
			return nil
		}
	}
}

// EachChained calls fn for every line of the log, of one subject or with "" of
// all, from the first on.
func EachChained(tx *store.Tx, subject string, fn func(Chained) error) error {
	for after := int64(0); ; {
		q := tx.Table("audit_chain c").Select("c.seq, c.hash, a.*").Joins("JOIN audit a ON a.id = c.line_id").Where("c.seq > ?", after)
		if subject != "" {
			q = q.Where("a.subject = ?", subject)
		}
		var lines []Chained
		if err := q.Order("c.seq").Limit(piece).Find(&lines).Error; err != nil {
			return err
		}
		for _, l := range lines {
			after = l.Seq
			if err := fn(l); err != nil {
				return err
			}
		}
		if len(lines) < piece {
			return nil
		}
	}
}

// Verified is what looking through the chain came to.
type Verified struct {
	Lines  int64
	Head   string // the hash of the last line
	Broken int64  // the place of the first line that is not as it was written; 0: all are
	Why    string // in words for whoever looks into it
}

// Verify looks whether the log is as it was written.
func Verify(tx *store.Tx) (Verified, error) {
	var v Verified
	prev := link{}
	err := EachChained(tx, "", func(l Chained) error {
		if v.Broken != 0 {
			return nil
		}
		switch {
		case l.Seq != prev.Seq+1:
			v.Broken, v.Why = prev.Seq+1, "a line is missing"
		case LinkHash(prev.Hash, l.Seq, l.Line) != l.Hash:
			v.Broken, v.Why = l.Seq, "a line, or one before it, was changed"
		default:
			v.Lines, v.Head, prev = l.Seq, l.Hash, link{Seq: l.Seq, Hash: l.Hash}
		}
		return nil
	})
	if err != nil || v.Broken != 0 {
		return v, err
	}
	var end link
	if end, err = last(tx); err != nil {
		return v, err
	}
	var loose int64
	err = tx.Raw("SELECT COUNT(*) FROM audit a WHERE NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.line_id = a.id)").Scan(&loose).Error
	switch {
	case err != nil:
	case end.Seq != v.Lines:
		v.Broken, v.Why = v.Lines+1, "a line is missing"
	case loose > 0 && v.Lines == 0:
		v.Why = fmt.Sprintf("%d lines are not chained yet; they will be when the server starts", loose)
	case loose > 0:
		v.Broken, v.Why = v.Lines+1, fmt.Sprintf("%d lines stand outside the chain", loose)
	}
	return v, err
}

// Exported is a line as exports write it.
type Exported struct {
	Seq     int64     `json:"seq"`
	Hash    string    `json:"hash"`
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	By      string    `json:"by"` // an account's number, or "" for the command line and the server itself
	Name    string    `json:"name,omitempty"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Before  string    `json:"before"`
	After   string    `json:"after"`
	Reason  string    `json:"reason"`
}

// Export is the line as exports write it.
func (c Chained) Export() Exported {
	e := Exported{Seq: c.Seq, Hash: c.Hash, ID: strconv.FormatInt(c.ID, 10), At: c.CreatedAt.UTC(), Action: c.Action, Subject: c.Subject,
		Before: c.Before, After: c.After, Reason: c.Reason}
	if c.ActorID != nil {
		e.By = strconv.FormatInt(*c.ActorID, 10)
	}
	return e
}

// ExportHead and Cells are the export as a table.
func ExportHead() []string {
	return []string{"seq", "hash", "id", "at", "by", "action", "subject", "before", "after", "reason"}
}

// Cells is one row of the table.
func (e Exported) Cells() []string {
	return []string{strconv.FormatInt(e.Seq, 10), e.Hash, e.ID, e.At.Format("2006-01-02T15:04:05.000Z"), e.By, e.Action, e.Subject, e.Before, e.After, e.Reason}
}
