package community

import (
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// SiteFigures are how large this place is, for its own people.
type SiteFigures struct {
	People      int // who may sign in
	Posts       int // written here
	Peers       int // servers connected with
	ActiveMonth int // people who wrote in the last thirty days; reading is not counted
}

// activeFor is how long somebody who wrote counts as active.
const activeFor = 30 * 24 * time.Hour

// SiteFiguresOf counts them, by the people here and not by what they wrote.
func SiteFiguresOf(tx *store.Tx) (SiteFigures, error) {
	var f SiteFigures
	err := tx.Ask(siteFigures(tx, &f))
	return f, err
}

func siteFigures(tx *store.Tx, into *SiteFigures) store.Question {
	return store.Question{SQL: `SELECT COUNT(*), CAST(COALESCE(SUM(c.posts), 0) AS BIGINT), COALESCE(SUM(CASE WHEN c.last_post_at > ? THEN 1 ELSE 0 END), 0),
			(SELECT COUNT(*) FROM peers WHERE standing = 'allowed')
			FROM users LEFT JOIN account_counts c ON c.account_id = users.account_id WHERE users.state = 'active'`,
		Args: []any{tx.Now.Add(-activeFor)},
		Row: func(r *store.Row) {
			*into = SiteFigures{People: int(r.Int()), Posts: int(r.Int()), ActiveMonth: int(r.Int()), Peers: int(r.Int())}
		}}
}

// SiteAndFigures is SiteOf and, if wanted, SiteFiguresOf at once.
func SiteAndFigures(tx *store.Tx, figures bool) (s Site, f SiteFigures, err error) {
	questions := []store.Question{siteQuestion(tx, &s)}
	if figures {
		questions = append(questions, siteFigures(tx, &f))
	}
	if err := tx.Ask(questions...); err != nil {
		return s, f, err
	}
	return s, f, s.found()
}

// MostPeersTold bounds the list of connected servers that a client is given.
const MostPeersTold = 5000

// ConnectedHosts returns the servers that this one is connected with, for its
// own people: those on the list, and in an open server those met besides. With
// begin, only those whose names, or a part of whose names, begin so.
func ConnectedHosts(tx *store.Tx, begin string, most int) ([]string, error) {
	mode, err := peers.ModeOf(tx)
	if err != nil {
		return nil, err
	}
	sql, args := "SELECT host FROM peers WHERE standing = 'allowed'", []any(nil)
	if mode == peers.Open {
		sql += " UNION SELECT host FROM hosts WHERE NOT blocked"
	}
	sql = "SELECT host FROM (" + sql + ") AS known"
	if begin != "" {
		begin = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(begin) + "%"
		sql += ` WHERE host LIKE ? ESCAPE '\' OR host LIKE ? ESCAPE '\'`
		args = append(args, begin, "%."+begin)
	}
	var hosts []string
	err = tx.Raw(sql+" ORDER BY host LIMIT ?", append(args, most)...).Scan(&hosts).Error
	return hosts, err
}

// Week is a week of this place's life, from a Monday.
type Week struct {
	From   time.Time
	Posts  int // listed posts written here
	Joined int // people who came
}

// WeeksOf counts the last n weeks, the latest first.
func WeeksOf(tx *store.Tx, n int) ([]Week, error) {
	monday := tx.Now.Truncate(24*time.Hour).AddDate(0, 0, -(int(tx.Now.Weekday())+6)%7)
	weeks := make([]Week, n)
	for i := range weeks {
		w := &weeks[i]
		w.From = monday.AddDate(0, 0, -7*i)
		until := w.From.AddDate(0, 0, 7)
		err := tx.Raw(`SELECT (SELECT COUNT(*) FROM posts WHERE listed AND author_host = '' AND id >= ? AND id < ?) AS posts,
			(SELECT COUNT(*) FROM users WHERE state = 'active' AND account_id >= ? AND account_id < ?) AS joined`,
			store.FirstIDAt(w.From), store.FirstIDAt(until), store.FirstIDAt(w.From), store.FirstIDAt(until)).Scan(w).Error
		if err != nil {
			return nil, err
		}
	}
	return weeks, nil
}
