package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// NotTaken is something that a server sent and that was not taken. What was
// said in it is not kept, only what it was, whose, and why.
type NotTaken struct {
	Type       string // Create, Like, …
	ActorURI   string `gorm:"column:actor_uri"`
	Error      string // a message key of the pages, and behind a colon what the document itself tells
	ReceivedAt time.Time
}

// LatelyNotTaken returns what a server sent last and was not taken, newest
// first. Such rows are kept for some days: see Sweep.
func LatelyNotTaken(tx *store.Tx, host string, most int) ([]NotTaken, error) {
	var list []NotTaken
	err := tx.Raw("SELECT type, actor_uri, error, received_at FROM incoming WHERE host = ? AND error <> '' ORDER BY id DESC LIMIT ?", host, most).
		Scan(&list).Error
	return list, err
}
