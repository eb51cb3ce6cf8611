package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// QuoteState says whether a post may show what it quotes. Nothing is shown but
// what its author agreed to.
//
// FEP-044f (consent-respecting quote posts).
type QuoteState string

const (
	NoQuote       QuoteState = ""
	QuotePending  QuoteState = "pending"  // the quoted author has not said, or it could not be checked yet
	QuoteAccepted QuoteState = "accepted" // they agreed, or quote themselves
	QuoteRejected QuoteState = "rejected" // they do not agree
	QuoteRevoked  QuoteState = "revoked"  // they agreed, and took it back
)

// QuoteAwaited is news of a quote that is to be looked up; the key is the post's
// number.
const QuoteAwaited store.Topic = "quotes"

// mostQuotesOfOne is how often one account may quote the same post.
const mostQuotesOfOne = 20

// QuoteApproval is an answer to somebody who quotes a post of this server: a
// stamp that others can look up while it is accepted.
type QuoteApproval struct {
	ID        int64
	PostID    int64  // what is quoted
	QuoteURI  string `gorm:"column:quote_uri"` // the post that quotes it
	AccountID int64  // whose post that is
	State     QuoteState
	CreatedAt time.Time
}

// mostQuoteLookups is how many posts of one account wait at most to have looked
// up what they quote. Whatever else it quotes is looked up when it is read.
const mostQuoteLookups = 50

// QuoteLookup says that what another server's post quotes is yet to be looked
// up. It waits in the database, so that it outlives the process.
type QuoteLookup struct {
	PostID    int64 `gorm:"primaryKey"`
	AccountID int64 // who quotes
	Tries     int64
	NextAt    time.Time
}

// mayQuote says why an account may not quote a post: a fault for people, or nil.
// It is what the posts' interactionPolicy tells others: what is public may be
// quoted by whom its author chose, everything else by its author alone.
//
// FEP-044f; FEDERATION.md, "Quotes".
func mayQuote(tx *store.Tx, quoter Account, quoted Post) error {
	switch {
	case quoted.DeletedAt != nil || quoted.Kind == Boost:
		return noSuchPost()
	case quoted.AuthorID == quoter.ID:
		return nil
	case quoted.Audience != Public:
		return fault.Keyed(fault.Forbidden, "quote.not_public", "Only public posts can be quoted. This one is not for everybody.", nil)
	}
	blocked, err := blockedEither(tx, quoter.ID, quoted.AuthorID)
	if err != nil {
		return err
	}
	if blocked {
		return noSuchPost()
	}
	if !quoted.Local() { // its own server decides, and says beforehand whether asking makes sense
		if !quoted.Quotable {
			return fault.Keyed(fault.Forbidden, "quote.not_quotable", "The author has not said that this post may be quoted. You can link to it.", nil)
		}
		return nil
	}
	switch quoted.Quotes() {
	case QuotedByAnyone:
		return nil
	case QuotedByNobody:
		return fault.Keyed(fault.Forbidden, "quote.nobody", "The author does not want this post to be quoted. You can link to it.", nil)
	}
	var follows bool
	err = tx.Raw("SELECT EXISTS (SELECT 1 FROM follows WHERE follower_id = ? AND target_id = ? AND state = ?)", quoter.ID, quoted.AuthorID, FollowAccepted).Scan(&follows).Error
	if err != nil {
		return err
	}
	if !follows {
		return fault.Keyed(fault.Forbidden, "quote.followers", "Only those who follow its author can quote this post. You can link to it.", nil)
	}
	return nil
}

// quotable returns the post that a draft quotes, if its author may do so. A
// post that is not public may be quoted for no more people than it is for.
func quotable(tx *store.Tx, author Account, d Draft) (*Post, error) {
	if d.QuoteID == 0 {
		return nil, nil
	}
	quoted, err := original(tx, d.QuoteID, author)
	if err != nil {
		return nil, err
	}
	if err := answerable(tx, quoted.AuthorHost); err != nil {
		return nil, err
	}
	if err := mayQuote(tx, author, quoted); err != nil {
		return nil, err
	}
	if !d.Audience.Within(quoted.Audience) {
		return nil, fault.Keyed(fault.Invalid, "quote.wider", "A post cannot be seen by more people than the post of yours that it quotes. Choose a narrower audience.", nil)
	}
	return &quoted, nil
}

// publishQuote settles what a new post of this server quotes, and asks for
// leave where that is somebody else's to give.
func publishQuote(tx *store.Tx, author Account, p *Post, quoted *Post) error {
	switch {
	case quoted == nil:
		return nil
	case quoted.AuthorID == author.ID:
		return setQuote(tx, p, &quoted.ID, QuoteAccepted, "")
	case quoted.Local():
		approval, err := approve(tx, author, *quoted, p.IRI(tx.Site), QuoteAccepted)
		if err != nil {
			return err
		}
		if err := setQuote(tx, p, &quoted.ID, QuoteAccepted, tx.Site.QuoteApproval(approval.ID)); err != nil {
			return err
		}
		return notify(tx, quoted.AuthorID, NotifyQuote, author.ID, p.ID)
	}
	return setQuote(tx, p, &quoted.ID, QuotePending, "")
}

// askToQuote asks the author of another server's post for leave to quote it.
func askToQuote(tx *store.Tx, p Post, quoted *Post) error {
	if quoted == nil || quoted.Local() || quoted.AuthorID == p.AuthorID {
		return nil
	}
	return enqueue(tx, Outgoing{Verb: VerbQuoteRequest, ActorID: p.AuthorID, PostID: &p.ID, AccountID: &quoted.AuthorID, Audience: p.Audience})
}

// setQuote records what a post quotes and whether that may be shown.
func setQuote(tx *store.Tx, p *Post, quoted *int64, state QuoteState, authorization string) error {
	before := p.QuoteID
	p.QuoteID, p.QuoteState, p.QuoteAuthorization = quoted, state, authorization
	err := tx.Exec("UPDATE posts SET quote_uri = ?, quote_id = ?, quote_state = ?, quote_authorization = ? WHERE id = ?",
		p.QuoteURI, quoted, state, authorization, p.ID).Error
	if err != nil {
		return err
	}
	tx.Announce(PostReacted, p.ID)
	for _, id := range []*int64{before, quoted} {
		if id == nil {
			continue
		}
		if err := countQuotes(tx, *id); err != nil {
			return err
		}
	}
	return nil
}

// countQuotes counts the public posts that quote a post with its author's leave.
func countQuotes(tx *store.Tx, quoted int64) error {
	return tx.Exec(`UPDATE posts SET quotes_count = (SELECT COUNT(*) FROM posts q WHERE q.quote_id = ? AND q.quote_state = ? AND q.audience = ? AND q.deleted_at IS NULL)
		WHERE id = ?`, quoted, QuoteAccepted, Public, quoted).Error
}

// approve records an answer about the quote of a post of this server.
func approve(tx *store.Tx, quoter Account, quoted Post, quoteURI string, state QuoteState) (QuoteApproval, error) {
	a := QuoteApproval{ID: tx.NewID(), PostID: quoted.ID, QuoteURI: quoteURI, AccountID: quoter.ID, State: state, CreatedAt: tx.Now}
	err := tx.Raw(`INSERT INTO quote_approvals (id, post_id, quote_uri, account_id, state, created_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (quote_uri, post_id) DO UPDATE SET state = excluded.state RETURNING id`,
		a.ID, a.PostID, a.QuoteURI, a.AccountID, a.State, a.CreatedAt).Scan(&a.ID).Error
	return a, err
}

// approvalOf returns the answer that was given about a quote, or fault.NotFound.
func approvalOf(tx *store.Tx, quoted int64, quoteURI string) (QuoteApproval, error) {
	var a QuoteApproval
	err := tx.Where("quote_uri = ? AND post_id = ?", quoteURI, quoted).Take(&a).Error
	return a, err
}

// QuoteApprovalByID returns a stamp that stands, or fault.NotFound. Whether the
// asker may see the quoted post is for the caller to ask.
func QuoteApprovalByID(tx *store.Tx, id int64) (QuoteApproval, error) {
	var a QuoteApproval
	err := tx.Where("id = ? AND state = ?", id, QuoteAccepted).Take(&a).Error
	return a, err
}

// receiveQuote takes over what another server's post quotes. It is only as good
// as the quoted author's word: where that is a record of this server, it is
// looked up here; where it is another's, the federation door looks it up there
// and says ConfirmQuote. It reports whether anything changed.
func receiveQuote(tx *store.Tx, p *Post, uri, authorization string) (bool, error) {
	if uri == p.QuoteURI && authorization == p.QuoteAuthorization && (p.QuoteState == QuoteAccepted || p.QuoteState == QuoteRevoked) || uri == "" && p.QuoteURI == "" {
		return false, nil
	}
	before := *p
	p.QuoteURI = uri
	if uri == "" {
		return true, setQuote(tx, p, nil, NoQuote, "")
	}
	quoted, err := PostByURI(tx, uri)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return false, err
	}
	if err != nil || quoted.DeletedAt != nil || quoted.Kind == Boost || quoted.ID == p.ID {
		return before.QuoteURI != uri || before.QuoteAuthorization != authorization, setQuote(tx, p, nil, QuotePending, authorization)
	}
	state := QuotePending
	switch {
	case quoted.AuthorID == p.AuthorID:
		state = QuoteAccepted
	case quoted.Local():
		approval, err := approvalOf(tx, quoted.ID, p.IRI(tx.Site))
		switch {
		case err == nil && approval.AccountID == p.AuthorID:
			state, authorization = approval.State, tx.Site.QuoteApproval(approval.ID)
		case err != nil && !fault.Is(err, fault.NotFound):
			return false, err
		}
	}
	if err := setQuote(tx, p, &quoted.ID, state, authorization); err != nil {
		return false, err
	}
	changed := before.QuoteState != state || !sameID(before.QuoteID, p.QuoteID) || before.QuoteAuthorization != authorization
	if changed && state == QuoteAccepted && quoted.Local() {
		return true, notify(tx, quoted.AuthorID, NotifyQuote, p.AuthorID, p.ID)
	}
	return changed, nil
}

// AwaitQuote queues the look-up of what another server's post quotes, if there
// is something that other servers can tell: what the quoted post is, or whether
// its author lets it be shown. One that waits, or is being worked, begins anew.
func AwaitQuote(tx *store.Tx, p Post) error {
	switch {
	case p.Local() || p.DeletedAt != nil || p.QuoteState != QuotePending,
		p.QuoteID == nil && tx.Site.Local(p.QuoteURI), p.QuoteID != nil && p.QuoteAuthorization == "":
		return nil
	}
	err := tx.Exec(`INSERT INTO quote_lookups (post_id, account_id, next_at)
		SELECT ?, ?, ? WHERE (SELECT COUNT(*) FROM quote_lookups WHERE account_id = ?) < ?
		ON CONFLICT (post_id) DO UPDATE SET next_at = excluded.next_at, tries = 0`, p.ID, p.AuthorID, tx.Now, p.AuthorID, mostQuoteLookups).Error
	if err != nil {
		return err
	}
	tx.Announce(QuoteAwaited, p.ID)
	return nil
}

// ClaimQuoteLookups takes look-ups whose time has come, the longest due first,
// so that until then no other node does them.
func ClaimQuoteLookups(tx *store.Tx, until time.Time, most int) ([]QuoteLookup, error) {
	var due []QuoteLookup
	err := tx.Raw(`UPDATE quote_lookups SET next_at = ? WHERE post_id IN (
		SELECT post_id FROM quote_lookups WHERE next_at <= ? ORDER BY next_at LIMIT ?`+tx.SkipLocked()+`) RETURNING post_id, account_id, tries, next_at`,
		until, tx.Now, most).Scan(&due).Error
	return due, err
}

// PutOffQuoteLookup gives a look-up back until later, unless it began anew
// meanwhile; tried says that it failed.
func PutOffQuoteLookup(tx *store.Tx, l QuoteLookup, until time.Time, tried bool) error {
	tries := l.Tries
	if tried {
		tries++
	}
	return tx.Exec("UPDATE quote_lookups SET next_at = ?, tries = ? WHERE post_id = ? AND next_at = ?", until, tries, l.PostID, l.NextAt).Error
}

// EndQuoteLookup says that a look-up is done, or will not be, unless it began
// anew meanwhile.
func EndQuoteLookup(tx *store.Tx, l QuoteLookup) error {
	return tx.Exec("DELETE FROM quote_lookups WHERE post_id = ? AND next_at = ?", l.PostID, l.NextAt).Error
}

// SettleQuote looks again for what another server's post quotes, which may have
// become known meanwhile, and returns the post as it is then.
func SettleQuote(tx *store.Tx, id int64) (Post, error) {
	p, err := PostByID(tx, id)
	if err != nil || p.Local() || p.DeletedAt != nil || p.QuoteState != QuotePending {
		return p, err
	}
	_, err = receiveQuote(tx, &p, p.QuoteURI, p.QuoteAuthorization)
	return p, err
}

// ConfirmQuote records that a stamp was looked up where it comes from and says
// that this post may show that one.
func ConfirmQuote(tx *store.Tx, id, quoted int64, authorization string) error {
	p, err := PostByID(tx, id)
	if err != nil || p.DeletedAt != nil || p.QuoteState != QuotePending || p.QuoteID == nil || *p.QuoteID != quoted || p.QuoteAuthorization != authorization {
		return err // it changed meanwhile
	}
	return setQuote(tx, &p, p.QuoteID, QuoteAccepted, authorization)
}

// ReceiveQuoteRequest answers somebody elsewhere who wants to quote a post of
// this server, at once: by the policy that the post tells of. Whether they were
// given the post is for the caller to ask. quoteURI is their post, which must be
// of their own server.
//
// FEP-044f, "Requesting and granting approval".
func ReceiveQuoteRequest(tx *store.Tx, from Account, quoted Post, quoteURI, requestURI string) error {
	if !quoted.Local() || from.Local() || from.URI == nil || !iri.SameOrigin(quoteURI, *from.URI) || quoted.DeletedAt != nil || quoted.Kind == Boost {
		return noSuchPost()
	}
	answer := Outgoing{Verb: VerbAcceptQuote, ActorID: quoted.AuthorID, PostID: &quoted.ID, AccountID: &from.ID, ObjectURI: requestURI,
		Facts: Facts{Instrument: quoteURI}}
	known, err := approvalOf(tx, quoted.ID, quoteURI)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	state := QuoteAccepted
	switch f := mayQuote(tx, from, quoted); {
	case f != nil && fault.Of(f).Kind == fault.Internal:
		return f
	case f != nil:
		state = QuoteRejected
	case err == nil && (known.State == QuoteRevoked || known.AccountID != from.ID):
		state = known.State // what was taken back stays so
		if known.AccountID != from.ID {
			state = QuoteRejected
		}
	}
	fresh := fault.Is(err, fault.NotFound)
	if state == QuoteAccepted && fresh {
		var given int64
		if err := tx.Raw("SELECT COUNT(*) FROM quote_approvals WHERE post_id = ? AND account_id = ?", quoted.ID, from.ID).Scan(&given).Error; err != nil {
			return err
		}
		if given >= mostQuotesOfOne {
			state = QuoteRejected
		}
	}
	if state != QuoteAccepted {
		// A refusal is kept only in place of a leave: whoever asks without end
		// leaves nothing here.
		if !fresh && known.AccountID == from.ID && known.State == QuoteAccepted {
			if _, err := approve(tx, from, quoted, quoteURI, state); err != nil {
				return err
			}
		}
		answer.Verb = VerbRejectQuote
		return enqueue(tx, answer)
	}
	approval, err := approve(tx, from, quoted, quoteURI, state)
	if err != nil {
		return err
	}
	answer.Facts.ReactionID = approval.ID
	quoting, err := PostByURI(tx, quoteURI)
	switch {
	case fault.Is(err, fault.NotFound): // its Create comes later
	case err != nil:
		return err
	case quoting.AuthorID == from.ID && quoting.DeletedAt == nil && quoting.QuoteURI == quoted.IRI(tx.Site):
		if _, err := receiveQuote(tx, &quoting, quoting.QuoteURI, tx.Site.QuoteApproval(approval.ID)); err != nil {
			return err
		}
	}
	return enqueue(tx, answer)
}

// ReceiveQuoteAnswer takes in what somebody elsewhere said to a post of this
// server that quotes theirs. Others are told of it with the post.
func ReceiveQuoteAnswer(tx *store.Tx, by Account, quoting int64, accepted bool, authorization string) (bool, error) {
	p, err := PostByID(tx, quoting)
	if fault.Is(err, fault.NotFound) || err == nil && (!p.Local() || p.DeletedAt != nil || p.QuoteID == nil) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	quoted, err := PostByID(tx, *p.QuoteID)
	switch {
	case err != nil:
		return false, err
	case quoted.AuthorID != by.ID || quoted.Local():
		return false, fault.New(fault.Forbidden, "Only the quoted author can answer that.")
	case accepted && (by.URI == nil || !iri.SameOrigin(authorization, *by.URI)):
		return false, fault.New(fault.Invalid, "The leave to quote names no stamp of its own server.")
	}
	state := QuoteAccepted
	if !accepted {
		state, authorization = QuoteRejected, ""
	}
	if p.QuoteState == state && p.QuoteAuthorization == authorization {
		return false, nil
	}
	if err := setQuote(tx, &p, p.QuoteID, state, authorization); err != nil || !p.Audience.Travels() {
		return true, err
	}
	return true, enqueue(tx, Outgoing{Verb: VerbUpdate, ActorID: p.AuthorID, PostID: &p.ID, Audience: p.Audience, Facts: Facts{Unedited: true}})
}

// RevokeQuote takes back me's leave to quote: the post that quotes stays, and
// shows me's no more.
//
// FEP-044f, "Revocation".
func RevokeQuote(tx *store.Tx, me Account, quoting int64) (Post, error) {
	v, err := ViewerOf(tx, me.ID)
	if err != nil {
		return Post{}, err
	}
	p, err := VisiblePost(tx, quoting, v)
	if err != nil {
		return Post{}, err
	}
	var quoted Post
	if p.QuoteID != nil {
		if quoted, err = PostByID(tx, *p.QuoteID); err != nil {
			return Post{}, err
		}
	}
	if quoted.AuthorID != me.ID || p.AuthorID == me.ID || p.QuoteState != QuoteAccepted {
		return Post{}, noSuchPost()
	}
	approval, err := approvalOf(tx, quoted.ID, p.IRI(tx.Site))
	if err != nil {
		return Post{}, err
	}
	if err := tx.Exec("UPDATE quote_approvals SET state = ? WHERE id = ?", QuoteRevoked, approval.ID).Error; err != nil {
		return Post{}, err
	}
	if err := setQuote(tx, &p, p.QuoteID, QuoteRevoked, ""); err != nil {
		return Post{}, err
	}
	if p.Local() {
		if !p.Audience.Travels() {
			return p, nil
		}
		return p, enqueue(tx, Outgoing{Verb: VerbUpdate, ActorID: p.AuthorID, PostID: &p.ID, Audience: p.Audience, Facts: Facts{Unedited: true}})
	}
	return p, enqueue(tx, Outgoing{Verb: VerbRevokeQuote, ActorID: me.ID, PostID: &quoted.ID, AccountID: &p.AuthorID, ObjectURI: tx.Site.QuoteApproval(approval.ID)})
}

// ReceiveRevokedQuote takes in that somebody elsewhere deleted the stamp with
// which they let their post be quoted. It reports whether there was such a stamp.
func ReceiveRevokedQuote(tx *store.Tx, by Account, authorization string) (bool, error) {
	var quoting []Post
	if err := tx.Where("quote_authorization = ? AND quote_authorization <> '' AND deleted_at IS NULL", authorization).Limit(pollBatch).Find(&quoting).Error; err != nil {
		return false, err
	}
	found := false
	for _, p := range quoting {
		if p.QuoteID == nil {
			continue
		}
		quoted, err := PostByID(tx, *p.QuoteID)
		if err != nil {
			return found, err
		}
		if quoted.AuthorID != by.ID {
			continue
		}
		found = true
		if err := setQuote(tx, &p, p.QuoteID, QuoteRevoked, authorization); err != nil {
			return found, err
		}
		if p.Local() && p.Audience.Travels() {
			err := enqueue(tx, Outgoing{Verb: VerbUpdate, ActorID: p.AuthorID, PostID: &p.ID, Audience: p.Audience, Facts: Facts{Unedited: true}})
			if err != nil {
				return found, err
			}
		}
	}
	return found, nil
}

// QuotesOf returns a page of the posts that quote a post with its author's
// leave, as far as v may see them.
func QuotesOf(tx *store.Tx, v Viewer, post int64, page store.Page) ([]Post, error) {
	return store.Find[Post](tx.Where("posts.quote_id = ? AND posts.quote_state = ?", post, QuoteAccepted).Scopes(visibleTo(v)), page)
}
