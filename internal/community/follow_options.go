package community

import (
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// FollowOptions are how somebody here wants to hear of whom they follow. The
// zero value is: of everything, at home.
//
// Mastodon's documentation, methods/accounts#follow.
type FollowOptions struct {
	BoostsHidden bool   // what the account passes on stays out of home
	Notify       bool   // a notification of each post
	Languages    string // " de mi ": only posts in these come home; empty: all
}

// LanguageList returns the languages one by one; none means all.
func (o FollowOptions) LanguageList() []string { return strings.Fields(o.Languages) }

// mostLanguages bounds how many languages somebody lists.
const mostLanguages = 30

// LanguagesOf is a list of languages as FollowOptions has it. What is no
// language's code is a failure.
//
// RFC 5646, section 2.1 (the first subtag).
func LanguagesOf(list []string) (string, error) {
	var out []string
	for _, code := range list {
		code = strings.ToLower(strings.TrimSpace(code))
		if code == "" {
			continue
		}
		if len(code) < 2 || len(code) > 12 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", fault.Keyed(fault.Invalid, "follow.language", "Name languages by their codes, such as en or mi.", nil)
		}
		if !slices.Contains(out, code) {
			out = append(out, code)
		}
	}
	if len(out) > mostLanguages {
		return "", fault.Keyed(fault.Invalid, "follow.languages", "Name at most 30 languages.", nil)
	}
	if len(out) == 0 {
		return "", nil
	}
	return " " + strings.Join(out, " ") + " ", nil
}

// wanted is the condition that a post comes home to who follows its author: the
// names are those of the follow and the post in the query.
func wanted(follow, post string) string {
	return strings.NewReplacer("$", follow, "#", post).Replace(`(#.boost_of_id IS NULL OR NOT $.boosts_hidden)
		AND ($.languages = '' OR #.language = '' OR $.languages LIKE '% ' || LOWER(#.language) || ' %')`)
}

// SetFollowOptions changes how me hears of target, whom me follows or asks to.
// Home is put in order at once: what is not wanted goes, what is comes.
func SetFollowOptions(tx *store.Tx, me, target Account, change func(*FollowOptions)) error {
	f, err := FollowBetween(tx, me.ID, target.ID)
	if err != nil || f.ID == 0 {
		return err
	}
	before := f.FollowOptions
	change(&f.FollowOptions)
	if f.FollowOptions == before {
		return nil
	}
	err = tx.Exec("UPDATE follows SET boosts_hidden = ?, notify = ?, languages = ? WHERE id = ?", f.BoostsHidden, f.Notify, f.Languages, f.ID).Error
	if err != nil {
		return err
	}
	tx.Announce(AccountChanged, me.ID)
	if f.State != FollowAccepted || f.BoostsHidden == before.BoostsHidden && f.Languages == before.Languages {
		return nil
	}
	err = tx.Exec(`DELETE FROM home_entries WHERE account_id = ? AND post_id IN (SELECT posts.id FROM posts JOIN follows f ON f.id = ?
		WHERE posts.author_id = ? AND NOT (`+wanted("f", "posts")+"))", me.ID, f.ID, target.ID).Error
	if err != nil {
		return err
	}
	return homeFill(tx, me.ID, target.ID)
}

// tellFollowers tells those who asked to hear of each post of its author, and
// in whose home it stands. authors are those who have such followers.
func tellFollowers(tx *store.Tx, posts []*Post) error {
	var ids []int64
	for _, p := range posts {
		if p.BoostOfID == nil && p.Audience != Me && (p.InReplyToURI == "" || p.InReplyToAuthor != nil && *p.InReplyToAuthor == p.AuthorID) {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []struct{ FollowerID, AuthorID, PostID int64 }
	err := tx.Raw(`SELECT f.follower_id, p.author_id, p.id AS post_id FROM posts p
		JOIN follows f ON f.target_id = p.author_id AND f.notify AND f.state = 'accepted'
		JOIN home_entries h ON h.account_id = f.follower_id AND h.post_id = p.id
		WHERE p.id IN ? AND NOT EXISTS (SELECT 1 FROM post_mentions m WHERE m.post_id = p.id AND m.account_id = f.follower_id)
		ORDER BY p.id, f.follower_id`, store.Even(ids)).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := notify(tx, r.FollowerID, NotifyPost, r.AuthorID, r.PostID); err != nil {
			return err
		}
	}
	return nil
}

// regardsOwn brings into relations what me keeps of accounts for themselves.
func regardsOwn(tx *store.Tx, me int64, ids []int64, at map[int64][]*Relation) error {
	var rows []struct {
		ID   int64
		What string
		Note string
	}
	err := tx.Raw(`SELECT accounts.id, 'host' AS what, '' AS note FROM accounts JOIN host_blocks ON host_blocks.host = accounts.host AND host_blocks.account_id = ?
			WHERE accounts.id IN ? AND accounts.host <> ''
		UNION ALL SELECT target_id, 'endorsed', '' FROM endorsements WHERE account_id = ? AND target_id IN ?
		UNION ALL SELECT target_id, 'note', note FROM account_notes WHERE account_id = ? AND target_id IN ?`, me, ids, me, ids, me, ids).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, row := range rows {
		for _, r := range at[row.ID] {
			switch row.What {
			case "host":
				r.HostBlocked = true
			case "endorsed":
				r.Endorsed = true
			case "note":
				r.Note = row.Note
			}
		}
	}
	return nil
}
