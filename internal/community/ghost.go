package community

import (
	"slices"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Ghost is an answer that another server tells of and that is not here: all
// that is known of it is where it is, and why it could not be had.
type Ghost struct {
	PostID int64  // under which post it is told to stand
	URI    string `gorm:"column:uri"`
	Host   string
	Reason Missing // MissingStranger, MissingDeleted or MissingUnreadable
	SeenAt time.Time
}

// TableName names the table of ghosts.
func (Ghost) TableName() string { return "ghosts" }

// MaxGhosts is how many ghosts of one thread are kept and shown.
const MaxGhosts = 50

// ReplaceGhosts records what is not here of the answers to some posts, in place
// of what was recorded before.
func ReplaceGhosts(tx *store.Tx, under []int64, ghosts []Ghost) error {
	for part := range slices.Chunk(under, 400) {
		if err := tx.Exec("DELETE FROM ghosts WHERE post_id IN ?", store.Even(part)).Error; err != nil {
			return err
		}
	}
	for part := range slices.Chunk(ghosts[:min(len(ghosts), MaxGhosts)], 50) {
		args := make([]any, 0, 5*len(part))
		for _, g := range part {
			args = append(args, g.PostID, g.URI, g.Host, string(g.Reason), tx.Now)
		}
		err := tx.Exec("INSERT INTO ghosts (post_id, uri, host, reason, seen_at) VALUES "+store.Rows("(?, ?, ?, ?, ?)", len(part))+
			" ON CONFLICT DO NOTHING", args...).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// ghostsOf asks for what is known to be missing from a thread. What has come
// meanwhile is no ghost any more.
func ghostsOf(tx *store.Tx, root int64, into *[]Ghost) store.Question {
	return store.Question{SQL: "SELECT " + ghostColumns.In(tx.Dialect()) + ` FROM posts JOIN ghosts ON ghosts.post_id = posts.id WHERE posts.thread_id = ?
		AND NOT EXISTS (SELECT 1 FROM posts here WHERE here.uri = ghosts.uri) LIMIT ` + strconv.Itoa(MaxGhosts), Args: []any{root},
		Row: func(r *store.Row) {
			*into = append(*into, Ghost{})
			ghostColumns.Read(r, &(*into)[len(*into)-1])
		}}
}

// estranged says for places that are empty because nobody could ask for what
// belongs there whether that is so still: a server that was connected with
// meanwhile is asked the next time.
func estranged(tx *store.Tx, nodes []Node) error {
	var hosts []string
	for _, n := range nodes {
		if n.Missing == MissingStranger || n.Missing == MissingUnknown {
			hosts = append(hosts, n.Host)
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	admitted, err := peers.Admitted(tx, hosts)
	if err != nil {
		return err
	}
	for i := range nodes {
		switch n := &nodes[i]; {
		case n.Missing == MissingStranger && admitted[n.Host]:
			n.Missing = MissingUnknown
		case n.Missing == MissingUnknown && !admitted[n.Host]:
			n.Missing = MissingStranger
		}
	}
	return nil
}
