package community

import (
	"slices"

	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// What pages are made of.
var (
	postColumns    = store.ColumnsOf[Post]()
	accountColumns = store.ColumnsOf[Account]()
	// What is shown of the author of a post, and of whoever it names: not how to
	// reach them.
	authorColumns = store.ColumnsOf[Account]("ID", "Username", "Host", "ActorType", "DisplayName", "BioHTML", "Fields", "URI", "URL", "Avatar", "Header",
		"AvatarAlt", "HeaderAlt", "Locked", "Emoji", "Discoverable", "Indexable", "MovedTo", "CreatedAt", "SuspendedAt", "DeletedAt", "Silenced", "Version")
	namedColumns = store.ColumnsOf[Account]("ID", "Username", "Host", "ActorType", "DisplayName", "URI", "URL", "Avatar", "AvatarAlt", "Emoji", "SuspendedAt", "DeletedAt")

	countColumns        = store.ColumnsOf[AccountCounts]()
	attachmentColumns   = store.ColumnsOf[media.Attachment]()
	pollColumns         = store.ColumnsOf[Poll]()
	ghostColumns        = store.ColumnsOf[Ghost]()
	siteColumns         = store.ColumnsOf[Site]()
	userColumns         = store.ColumnsOf[User]()
	notificationColumns = store.ColumnsOf[Notification]()
	optionColumns       = store.ColumnsOf[PollOption]()
	keyColumns          = store.ColumnsOf[AccountKey]()
)

// schoolSQL is what the server of a row of accounts is called, where
// schoolJoins have joined what is known of it: by our administrator, else by
// itself, else by its host name. This server's is under the empty host.
const (
	schoolSQL = `CASE WHEN accounts.host = '' THEN (SELECT CASE WHEN site.name <> '' THEN site.name ELSE site.host END FROM site WHERE site.id = 1)
		WHEN peers.label <> '' THEN peers.label WHEN hosts.name <> '' THEN hosts.name ELSE accounts.host END`
	schoolJoins = "LEFT JOIN hosts ON hosts.host = accounts.host LEFT JOIN peers ON peers.host = accounts.host"
)

// askPosts asks for posts: from is what stands behind FROM, and names posts.
func askPosts(tx *store.Tx, from string, args ...any) ([]Post, error) {
	var posts []Post
	err := tx.Ask(store.Question{SQL: "SELECT " + postColumns.In(tx.Dialect()) + " FROM " + from, Args: args,
		Row: func(r *store.Row) {
			posts = append(posts, Post{})
			postColumns.Read(r, &posts[len(posts)-1])
		}})
	return posts, err
}

// onePost is askPosts for a post that there may be.
func onePost(tx *store.Tx, where string, args ...any) (Post, bool, error) {
	posts, err := askPosts(tx, "posts WHERE "+where+" LIMIT 1", args...)
	if err != nil || len(posts) == 0 {
		return Post{}, false, err
	}
	return posts[0], true, nil
}

// visiblePosts returns those of some posts that v may see.
func visiblePosts(tx *store.Tx, v Viewer, ids []int64) ([]Post, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where, args := visibleSQL("posts", v)
	return askPosts(tx, "posts WHERE posts.id IN ? AND "+where, append([]any{ids}, args...)...)
}

// pageOfPosts is askPosts for a page of a list, newest first whichever way it
// was looked for; column holds what the list is ordered by.
func pageOfPosts(tx *store.Tx, page store.Page, column, from string, args ...any) ([]Post, error) {
	where, edge, end := page.SQL(column)
	posts, err := askPosts(tx, from+where+end, append(args, edge...)...)
	if page.MinID > 0 { // the nearest above came lowest first
		slices.Reverse(posts)
	}
	return posts, err
}

// askAccounts asks for accounts.
func askAccounts(tx *store.Tx, where string, args ...any) ([]Account, error) {
	var found []Account
	err := tx.Ask(store.Question{SQL: "SELECT " + accountColumns.In(tx.Dialect()) + " FROM accounts WHERE " + where, Args: args,
		Row: func(r *store.Row) {
			found = append(found, Account{})
			accountColumns.Read(r, &found[len(found)-1])
		}})
	return found, err
}

// PersonColumns are the columns of a person, for a query with JoinPerson.
func PersonColumns(d store.Dialect) string { return userColumns.In(d) + ", " + accountColumns.In(d) }

// JoinPerson joins the person whose ID stands in a column.
func JoinPerson(column string) string {
	return "LEFT JOIN (users JOIN accounts ON accounts.id = users.account_id) ON users.account_id = " + column
}

// ReadPerson takes PersonColumns, and reports whether there is such a person.
func ReadPerson(r *store.Row) (p Person, known bool) {
	if r.Null() {
		userColumns.Skip(r)
		accountColumns.Skip(r)
		return Person{}, false
	}
	userColumns.Read(r, &p.User)
	accountColumns.Read(r, &p.Account)
	return p, true
}
