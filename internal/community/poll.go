package community

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Bounds of a poll. The most options and the longest option are Mastodon's for
// what is shown, and wider for what other servers send.
const (
	MinPollOptions = 2
	MaxPollOptions = 10
	MaxPollOption  = 100 // characters
	MinPollOpen    = 5 * time.Minute
	MaxPollOpen    = 180 * 24 * time.Hour

	maxRemoteOptions = 50
	maxRemoteOption  = 500
	maxPollNumber    = 1 << 40 // of votes that another server tells of
	// tellEvery is how often other servers hear of new results.
	tellEvery = time.Minute
	// PollRefreshEvery is how long another server's results are taken as they are.
	PollRefreshEvery = 3 * time.Minute
	pollBatch        = 50
)

// Poll is what a post asks its readers to choose from. The wire calls a post
// with one a Question.
type Poll struct {
	PostID    int64 `gorm:"primaryKey"`
	Multiple  bool  // more than one option may be chosen
	Voters    int64
	EndsAt    *time.Time
	ClosedAt  *time.Time
	TellAt    *time.Time // when others are to hear of new results; local polls
	FetchedAt *time.Time // when its server last told of it; remote polls

	Options []PollOption `gorm:"-"`
}

// PollOption is one of a poll's answers with the votes for it.
type PollOption struct {
	PostID   int64
	Position int64
	Title    string
	Votes    int64
}

// PollView is a poll as one reader is shown it.
type PollView struct {
	Poll
	Over   bool    // nobody can vote any more
	Chosen []int64 // positions that the reader chose
	Asked  bool    // the reader asks it
}

// Told reports whether the reader is shown the results: whoever voted or asks,
// and everybody once it is over.
func (v PollView) Told() bool { return v.Over || v.Asked || len(v.Chosen) > 0 }

// Votes is how many votes there are in all: with several choices, more than voters.
func (p Poll) Votes() int64 {
	var n int64
	for _, o := range p.Options {
		n += o.Votes
	}
	return n
}

// Closed reports whether nobody can vote any more.
func (p Poll) Closed(now time.Time) bool {
	return p.ClosedAt != nil || p.EndsAt != nil && !p.EndsAt.After(now)
}

// stale reports whether another server's poll should be asked for anew before
// it is shown.
func (p Poll) stale(now time.Time) bool {
	end := p.ClosedAt
	if end == nil {
		end = p.EndsAt
	}
	switch {
	case p.FetchedAt == nil:
		return true
	case end != nil && !end.After(now):
		return !p.FetchedAt.After(*end)
	}
	return now.Sub(*p.FetchedAt) >= PollRefreshEvery
}

// PollDraft is a poll as its author wrote it.
type PollDraft struct {
	Options  []string
	Multiple bool
	Open     time.Duration // how long votes are taken; 0 in an edit: as it was
}

func (d *PollDraft) tidied() *PollDraft {
	if d == nil {
		return nil
	}
	t := PollDraft{Multiple: d.Multiple, Open: d.Open}
	for _, option := range d.Options {
		if option = strings.Join(strings.Fields(option), " "); option != "" {
			t.Options = append(t.Options, option)
		}
	}
	return &t
}

// check adds what is wrong with the poll. known is whether there is one
// already, whose end may stay.
func (d *PollDraft) check(c *fault.Check, kind Kind, known bool) {
	if d == nil {
		return
	}
	if kind == Practice || kind == Acknowledgement {
		c.Add("poll", "draft.poll_kind", "This kind of post cannot ask its readers to choose.", nil)
		return
	}
	args := map[string]any{"Min": MinPollOptions, "Max": MaxPollOptions, "Length": MaxPollOption}
	switch n := len(d.Options); {
	case n < MinPollOptions:
		c.Add("poll", "draft.poll_few", fmt.Sprintf("Give at least %d answers to choose from.", MinPollOptions), args)
	case n > MaxPollOptions:
		c.Add("poll", "draft.poll_many", fmt.Sprintf("Give at most %d answers to choose from.", MaxPollOptions), args)
	}
	seen := map[string]bool{}
	for _, option := range d.Options {
		if utf8.RuneCountInString(option) > MaxPollOption {
			c.Add("poll", "draft.poll_long", fmt.Sprintf("An answer may have %d characters at most.", MaxPollOption), args)
			break
		}
		if seen[option] {
			c.Add("poll", "draft.poll_twice", "Two of the answers are the same.", nil)
			break
		}
		seen[option] = true
	}
	if (d.Open < MinPollOpen || d.Open > MaxPollOpen) && !(known && d.Open == 0) {
		c.Add("poll_open", "draft.poll_open", "Choose how long people can vote: from five minutes to 180 days.", nil)
	}
}

// poll is the poll that a draft becomes.
func (d *PollDraft) poll(now time.Time) *Poll {
	if d == nil {
		return nil
	}
	end := store.Millis(now.Add(d.Open))
	p := Poll{Multiple: d.Multiple, EndsAt: &end}
	for _, title := range d.Options {
		p.Options = append(p.Options, PollOption{Title: title})
	}
	return &p
}

// bounded is another server's poll with no more in it than is kept.
func (p *Poll) bounded(now time.Time) *Poll {
	if p == nil || len(p.Options) == 0 {
		return nil
	}
	b := Poll{Multiple: p.Multiple, Voters: min(max(p.Voters, 0), maxPollNumber), FetchedAt: &now}
	if p.EndsAt != nil {
		end := store.Millis(*p.EndsAt)
		b.EndsAt = &end
	}
	if p.ClosedAt != nil && !p.ClosedAt.After(now) {
		end := store.Millis(*p.ClosedAt)
		b.ClosedAt = &end
	}
	for _, o := range p.Options[:min(len(p.Options), maxRemoteOptions)] {
		title := o.Title
		if utf8.RuneCountInString(title) > maxRemoteOption {
			title = string([]rune(title)[:maxRemoteOption])
		}
		b.Options = append(b.Options, PollOption{Title: title, Votes: min(max(o.Votes, 0), maxPollNumber)})
	}
	if b.Voters == 0 && !b.Multiple { // servers that do not count voters
		b.Voters = b.Votes()
	}
	return &b
}

// answers are what there is to choose from.
func (p Poll) answers() []string {
	var titles []string
	for _, o := range p.Options {
		titles = append(titles, o.Title)
	}
	return titles
}

// sameQuestion reports whether two polls ask the same, so that votes for one
// are votes for the other.
func (p Poll) sameQuestion(q Poll) bool {
	return p.Multiple == q.Multiple && slices.EqualFunc(p.Options, q.Options, func(a, b PollOption) bool { return a.Title == b.Title })
}

// PollOf returns the poll of a post, or fault.NotFound. Who may see the post is
// for the caller to ask: whoever may not see it may not see its poll either.
func PollOf(tx *store.Tx, post int64) (Poll, error) {
	polls, err := PollsOf(tx, []int64{post})
	if err != nil {
		return Poll{}, err
	}
	p, ok := polls[post]
	if !ok {
		return Poll{}, noPoll()
	}
	return p, nil
}

func noPoll() error {
	return fault.Keyed(fault.NotFound, "poll.not_found", "There is no such poll, or it is not for you.", nil)
}

// PollStale reports whether a post has another server's poll that should be
// asked for anew.
func PollStale(tx *store.Tx, p Post) (bool, error) {
	if p.Local() || p.URI == nil || p.DeletedAt != nil {
		return false, nil
	}
	poll, err := PollOf(tx, p.ID)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil && poll.stale(tx.Now), err
}

// PollsOf returns the polls of posts with their options, by post.
func PollsOf(tx *store.Tx, posts []int64) (map[int64]Poll, error) {
	var rows []Poll
	if err := tx.Where("post_id IN ?", posts).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	with := make([]int64, len(rows))
	for i, p := range rows {
		with[i] = p.PostID
	}
	var options []PollOption
	if err := tx.Where("post_id IN ?", with).Order("post_id, position").Find(&options).Error; err != nil {
		return nil, err
	}
	polls := make(map[int64]Poll, len(rows))
	for _, p := range rows {
		for _, o := range options {
			if o.PostID == p.PostID {
				p.Options = append(p.Options, o)
			}
		}
		polls[p.PostID] = p
	}
	return polls, nil
}

// polls brings the polls, with what the reader voted for.
func (l *loading) polls(tx *store.Tx, v Viewer, ids []int64) store.Question {
	voter := int64(0)
	if v.Local {
		voter = v.ID
	}
	return store.Question{
		SQL: "SELECT " + pollColumns.In(tx.Dialect()) + ", " + optionColumns.In(tx.Dialect()) + `, poll_votes.account_id
			FROM polls JOIN poll_options ON poll_options.post_id = polls.post_id
			LEFT JOIN poll_votes ON poll_votes.account_id = ? AND poll_votes.post_id = poll_options.post_id AND poll_votes.position = poll_options.position
			WHERE polls.post_id IN ? ORDER BY polls.post_id, poll_options.position`,
		Args: []any{voter, ids},
		Row: func(r *store.Row) {
			var p Poll
			pollColumns.Read(r, &p)
			view := l.views[p.PostID]
			if view.Poll == nil {
				view.Poll = &PollView{Poll: p, Over: p.Closed(tx.Now), Asked: v.Local && view.AuthorID == v.ID}
				if !view.Poll.Over {
					tx.Fleeting()
				}
			}
			var o PollOption
			optionColumns.Read(r, &o)
			if view.Poll.Options = append(view.Poll.Options, o); !r.Null() {
				view.Poll.Chosen = append(view.Poll.Chosen, o.Position)
			}
		},
	}
}

// attachPoll stores the poll of a post that was just landed.
func attachPoll(tx *store.Tx, post int64, p *Poll) error {
	if p == nil {
		return nil
	}
	row := *p
	row.PostID = post
	if err := tx.Create(&row).Error; err != nil {
		return err
	}
	return attachOptions(tx, post, p.Options)
}

func attachOptions(tx *store.Tx, post int64, options []PollOption) error {
	rows := make([]PollOption, len(options))
	for i, o := range options {
		rows[i] = PollOption{PostID: post, Position: int64(i), Title: o.Title, Votes: o.Votes}
	}
	return tx.Create(&rows).Error
}

// lockPoll is PollOf for whoever is about to change it: others wait.
func lockPoll(tx *store.Tx, post int64) (Poll, error) {
	var id int64
	if err := tx.Raw("SELECT post_id FROM polls WHERE post_id = ?"+tx.ForUpdate(), post).Scan(&id).Error; err != nil {
		return Poll{}, err
	}
	if id == 0 {
		return Poll{}, noPoll()
	}
	return PollOf(tx, post)
}

// Vote chooses from a post's poll for me, once. choices are positions.
func Vote(tx *store.Tx, me Account, post int64, choices []int64) (Post, error) {
	p, err := original(tx, post, me)
	if err != nil {
		return Post{}, err
	}
	if _, err := roleOf(tx, me.ID); err != nil {
		return Post{}, err
	}
	if err := answerable(tx, p.AuthorHost); err != nil {
		return Post{}, err
	}
	poll, err := lockPoll(tx, p.ID)
	if err != nil {
		return Post{}, err
	}
	choices = slices.Compact(slices.Sorted(slices.Values(choices)))
	switch {
	case p.AuthorID == me.ID:
		return Post{}, fault.Keyed(fault.Invalid, "poll.own", "You cannot vote in your own poll.", nil)
	case poll.Closed(tx.Now):
		return Post{}, fault.Keyed(fault.Invalid, "poll.closed", "This poll is over.", nil)
	case len(choices) == 0 || slices.ContainsFunc(choices, func(c int64) bool { return c < 0 || c >= int64(len(poll.Options)) }):
		return Post{}, fault.Keyed(fault.Invalid, "poll.choose", "Choose one of the answers.", nil)
	case len(choices) > 1 && !poll.Multiple:
		return Post{}, fault.Keyed(fault.Invalid, "poll.choose_one", "Only one answer can be chosen in this poll.", nil)
	}
	before, err := choicesOf(tx, p.ID, me.ID)
	if err != nil {
		return Post{}, err
	}
	if len(before) > 0 {
		return Post{}, fault.Keyed(fault.Invalid, "poll.voted", "You have voted in this poll already.", nil)
	}
	for _, choice := range choices {
		id, err := castVote(tx, p.ID, me.ID, choice, "")
		if err != nil {
			return Post{}, err
		}
		if !p.Local() {
			err := enqueue(tx, Outgoing{Verb: VerbVote, ActorID: me.ID, PostID: &p.ID, AccountID: &p.AuthorID, Audience: People,
				Facts: Facts{ReactionID: id, Choice: poll.Options[choice].Title}})
			if err != nil {
				return Post{}, err
			}
		}
	}
	return p, countVoter(tx, p, 1)
}

// castVote stores one vote and counts it.
func castVote(tx *store.Tx, post, voter, position int64, uri string) (int64, error) {
	id := tx.NewID()
	err := tx.Exec("INSERT INTO poll_votes (post_id, account_id, position, id, uri, created_at) VALUES (?, ?, ?, ?, ?, ?)",
		post, voter, position, id, uri, tx.Now).Error
	if err != nil {
		return 0, err
	}
	return id, tx.Exec("UPDATE poll_options SET votes = votes + 1 WHERE post_id = ? AND position = ?", post, position).Error
}

// countVoter counts voters, and has the new results of a local poll told.
func countVoter(tx *store.Tx, p Post, voters int) error {
	tx.Announce(PostReacted, p.ID)
	if err := tx.Exec("UPDATE polls SET voters = voters + ? WHERE post_id = ?", voters, p.ID).Error; err != nil {
		return err
	}
	if !p.Local() || !p.Audience.Travels() {
		return nil
	}
	return tx.Exec("UPDATE polls SET tell_at = ? WHERE post_id = ? AND tell_at IS NULL", tx.Now.Add(tellEvery), p.ID).Error
}

// choicesOf returns what an account has chosen in a poll.
func choicesOf(tx *store.Tx, post, account int64) ([]int64, error) {
	var before []int64
	err := tx.Raw("SELECT position FROM poll_votes WHERE post_id = ? AND account_id = ?", post, account).Scan(&before).Error
	return before, err
}

// ReceiveVote counts the vote of somebody elsewhere in a poll of ours, once. It
// returns why not, in a word for the records, or "done". Whether the voter was
// given the poll is for the caller to ask.
//
// Votes travel as Mastodon has them: a Note that answers the poll, has an
// option's text as its name and says nothing.
func ReceiveVote(tx *store.Tx, from Account, p Post, option, uri string) (outcome string, err error) {
	if p.DeletedAt != nil || !p.Local() || from.Local() || from.Gone() || !p.Audience.Travels() {
		return "no_poll", nil
	}
	if blocked, err := blockedEither(tx, from.ID, p.AuthorID); err != nil || blocked {
		return "blocked", err
	}
	if may, err := addressed(tx, from, p); err != nil || !may {
		return "no_poll", err
	}
	poll, err := lockPoll(tx, p.ID)
	if fault.Is(err, fault.NotFound) {
		return "no_poll", nil
	}
	if err != nil {
		return "", err
	}
	if poll.Closed(tx.Now) {
		return "poll_closed", nil
	}
	choice := int64(slices.IndexFunc(poll.Options, func(o PollOption) bool {
		return o.Title == option || o.Title == strings.Join(strings.Fields(option), " ")
	}))
	if choice < 0 {
		return "no_such_option", nil
	}
	before, err := choicesOf(tx, p.ID, from.ID)
	switch {
	case err != nil:
		return "", err
	case slices.Contains(before, choice):
		return "known", nil
	case len(before) > 0 && !poll.Multiple:
		return "voted_already", nil
	}
	if _, err := castVote(tx, p.ID, from.ID, choice, uri); err != nil {
		return "", err
	}
	voters := 1
	if len(before) > 0 {
		voters = 0
	}
	return "done", countVoter(tx, p, voters)
}

// addressed reports whether a post is for this very account, and not only for
// somebody else of its server, which may have it for them.
func addressed(tx *store.Tx, a Account, p Post) (bool, error) {
	if p.Audience == Public || p.Audience == Network {
		return true, nil
	}
	var yes bool
	err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM post_mentions WHERE post_id = ? AND account_id = ?)
		OR ? AND EXISTS (SELECT 1 FROM follows WHERE follower_id = ? AND target_id = ? AND state = ?)`,
		p.ID, a.ID, p.Audience == Followers, a.ID, p.AuthorID, FollowAccepted).Scan(&yes).Error
	return yes, err
}

// receivePoll takes over what another server now says of its poll: the
// results, the end, or, if it asks something else now, all of it. It reports
// whether anything changed.
func receivePoll(tx *store.Tx, p Post, said *Poll) (bool, error) {
	now := said.bounded(tx.Now)
	if now == nil {
		return false, nil
	}
	have, err := lockPoll(tx, p.ID)
	if fault.Is(err, fault.NotFound) {
		return true, attachPoll(tx, p.ID, now)
	}
	if err != nil {
		return false, err
	}
	same := have.sameQuestion(*now)
	changed := !same || have.Voters != now.Voters || !sameTime(have.EndsAt, now.EndsAt) ||
		!slices.EqualFunc(have.Options, now.Options, func(a, b PollOption) bool { return a.Votes == b.Votes })
	switch {
	case !same:
		if err := dropVotes(tx, p.ID); err != nil {
			return false, err
		}
		if err := attachOptions(tx, p.ID, now.Options); err != nil {
			return false, err
		}
	case changed:
		for i, o := range now.Options {
			if err := tx.Exec("UPDATE poll_options SET votes = ? WHERE post_id = ? AND position = ?", o.Votes, p.ID, i).Error; err != nil {
				return false, err
			}
		}
	}
	closed := have.ClosedAt
	if now.ClosedAt == nil && (!same || now.EndsAt != nil && now.EndsAt.After(tx.Now)) {
		closed = nil // it was opened again
	}
	err = tx.Exec("UPDATE polls SET multiple = ?, voters = ?, ends_at = ?, closed_at = ?, fetched_at = ? WHERE post_id = ?",
		now.Multiple, now.Voters, now.EndsAt, closed, tx.Now, p.ID).Error
	if err != nil {
		return false, err
	}
	if now.ClosedAt != nil && closed == nil {
		changed = true
		if err := closePoll(tx, p, *now.ClosedAt); err != nil {
			return false, err
		}
	}
	if changed {
		tx.Announce(PostReacted, p.ID)
	}
	return changed, nil
}

func sameTime(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }

// dropVotes takes a poll's options and votes out.
func dropVotes(tx *store.Tx, post int64) error {
	for _, table := range []string{"poll_votes", "poll_options"} {
		if err := tx.Exec("DELETE FROM "+table+" WHERE post_id = ?", post).Error; err != nil {
			return err
		}
	}
	return nil
}

// editPoll takes over an edit by the author. Votes were for the options that
// stood there: where those change, they are gone. It reports whether anything
// changed.
func editPoll(tx *store.Tx, post int64, d *PollDraft) (bool, error) {
	if d == nil {
		return false, nil
	}
	now := d.poll(tx.Now)
	have, err := lockPoll(tx, post)
	if fault.Is(err, fault.NotFound) {
		return true, attachPoll(tx, post, now)
	}
	if err != nil {
		return false, err
	}
	if d.Open == 0 {
		now.EndsAt = have.EndsAt
	}
	same := have.sameQuestion(*now)
	if same && sameTime(have.EndsAt, now.EndsAt) {
		return false, nil
	}
	voters := have.Voters
	if !same {
		voters = 0
		if err := dropVotes(tx, post); err != nil {
			return false, err
		}
		if err := attachOptions(tx, post, now.Options); err != nil {
			return false, err
		}
	}
	closed := have.ClosedAt
	if now.EndsAt.After(tx.Now) {
		closed = nil
	}
	return true, tx.Exec("UPDATE polls SET multiple = ?, voters = ?, ends_at = ?, closed_at = ?, tell_at = NULL WHERE post_id = ?",
		now.Multiple, voters, now.EndsAt, closed, post).Error
}

// closePoll ends a poll and tells its author and those here who voted.
func closePoll(tx *store.Tx, p Post, at time.Time) error {
	res := tx.Exec("UPDATE polls SET closed_at = ?, tell_at = NULL WHERE post_id = ? AND closed_at IS NULL", at, p.ID)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	tx.Announce(PostReacted, p.ID)
	var voters []int64
	err := tx.Raw("SELECT DISTINCT v.account_id FROM poll_votes v JOIN accounts a ON a.id = v.account_id WHERE v.post_id = ? AND a.host = ''", p.ID).Scan(&voters).Error
	if err != nil {
		return err
	}
	if p.Local() {
		voters = append(voters, p.AuthorID)
	}
	for _, id := range voters {
		if err := notify(tx, id, NotifyPoll, p.AuthorID, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// SweepPolls ends the polls whose time is over and has new results told, some
// at a time. It reports whether there may be more. What it takes up no other
// node takes up beside it.
func SweepPolls(tx *store.Tx) (more bool, err error) {
	var due []struct {
		PostID int64
		EndsAt time.Time
	}
	err = tx.Raw("SELECT post_id, ends_at FROM polls WHERE ends_at IS NOT NULL AND ends_at <= ? AND closed_at IS NULL ORDER BY ends_at LIMIT ?"+tx.SkipLocked(),
		tx.Now, pollBatch).Scan(&due).Error
	if err != nil {
		return false, err
	}
	for _, d := range due {
		p, err := PostByID(tx, d.PostID)
		if err != nil {
			return false, err
		}
		if err := closePoll(tx, p, d.EndsAt); err != nil {
			return false, err
		}
		if err := tellResults(tx, p); err != nil {
			return false, err
		}
	}
	var tell []int64
	err = tx.Raw("SELECT post_id FROM polls WHERE tell_at IS NOT NULL AND tell_at <= ? ORDER BY tell_at LIMIT ?"+tx.SkipLocked(),
		tx.Now, pollBatch).Scan(&tell).Error
	if err != nil {
		return false, err
	}
	for _, id := range tell {
		p, err := PostByID(tx, id)
		if err != nil {
			return false, err
		}
		if err := tx.Exec("UPDATE polls SET tell_at = NULL WHERE post_id = ?", id).Error; err != nil {
			return false, err
		}
		if err := tellResults(tx, p); err != nil {
			return false, err
		}
	}
	return len(due) == pollBatch || len(tell) == pollBatch, nil
}

// tellResults sends a local poll as it stands now to whoever has it. It is no
// edit: the words are as they were.
func tellResults(tx *store.Tx, p Post) error {
	if !p.Local() || p.DeletedAt != nil || !p.Audience.Travels() {
		return nil
	}
	return enqueue(tx, Outgoing{Verb: VerbUpdate, ActorID: p.AuthorID, PostID: &p.ID, Audience: p.Audience, Facts: Facts{Unedited: true}})
}
