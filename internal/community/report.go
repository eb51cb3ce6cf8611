package community

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Bounds of reports.
const (
	MaxReportComment  = 2000 // characters
	MaxReportPosts    = 20
	mostOpenReports   = 50  // of one person here
	mostOpenFromHost  = 200 // of one other server: a flood is not kept
	mostReportsListed = 200
)

// ReportCategory is what is wrong, in the reporter's eyes.
type ReportCategory string

const (
	ReportChild   ReportCategory = "child"   // it identifies a child
	ReportConduct ReportCategory = "conduct" // it hurts somebody, or breaks what was agreed
	ReportSpam    ReportCategory = "spam"
	ReportOther   ReportCategory = "other"
)

// ReportCategories are what forms offer, the most pressing first.
func ReportCategories() []ReportCategory {
	return []ReportCategory{ReportChild, ReportConduct, ReportSpam, ReportOther}
}

// Report is what somebody told the moderators of an account and its posts. Who
// reported is for the moderators' eyes alone, and never leaves the server.
type Report struct {
	ID          int64
	URI         string  `gorm:"column:uri"` // of another server's Flag
	Host        string  // the server that it came from; "" from here
	AccountID   *int64  // who reported
	TargetID    int64   // whom
	Posts       []int64 `gorm:"serializer:json;not null"`
	Comment     string
	Category    ReportCategory
	Forward     bool // whoever reported would like the other server to hear of it
	ForwardedAt *time.Time
	State       string // open, resolved
	ResolvedBy  *int64
	ResolvedAt  *time.Time
	AssignedTo  *int64 // the moderator who looks at it
	Apart       bool   // of a server whose reports stand in a queue of their own
	CreatedAt   time.Time
}

// Open reports whether the report waits for somebody.
func (r Report) Open() bool { return r.State == "open" }

// ReportDraft is a report as somebody here makes it.
type ReportDraft struct {
	TargetID int64
	Posts    []int64 // of the target
	Comment  string
	Category ReportCategory
	Forward  bool
}

func (d ReportDraft) check() error {
	var c fault.Check
	if !slices.Contains(ReportCategories(), d.Category) {
		c.Add("category", "report.category", "Choose what is wrong.", nil)
	}
	if n := utf8.RuneCountInString(d.Comment); n > MaxReportComment {
		c.Add("comment", "draft.too_long", fmt.Sprintf("This is too long: %d characters, and %d is the most.", n, MaxReportComment),
			map[string]any{"Max": MaxReportComment, "Length": n})
	}
	if len(d.Posts) > MaxReportPosts {
		c.Add("posts", "report.posts", fmt.Sprintf("Name at most %d posts in one report.", MaxReportPosts), map[string]any{"Max": MaxReportPosts})
	}
	return c.Err()
}

// MakeReport tells the moderators of an account, and of posts of theirs that me
// can see. Nobody else hears of it.
func MakeReport(tx *store.Tx, me Account, d ReportDraft) (Report, error) {
	if _, err := roleOf(tx, me.ID); err != nil {
		return Report{}, err
	}
	d.Comment = strings.TrimSpace(strings.ReplaceAll(d.Comment, "\r\n", "\n"))
	if err := d.check(); err != nil {
		return Report{}, err
	}
	target, err := AccountByID(tx, d.TargetID)
	if err != nil {
		return Report{}, err
	}
	if target.ID == me.ID || target.DeletedAt != nil {
		return Report{}, fault.Keyed(fault.Invalid, "report.yourself", "This account cannot be reported.", nil)
	}
	if all, err := moderatorsFor(tx, 0); err != nil {
		return Report{}, err
	} else if len(all) == 1 && all[0] == target.ID {
		return Report{}, fault.Keyed(fault.Conflict, "report.nobody", "Nobody but this person looks at reports here. Please talk to somebody at your school whom you trust.", nil)
	}
	v, err := ViewerOf(tx, me.ID)
	if err != nil {
		return Report{}, err
	}
	posts := []int64{}
	for _, id := range d.Posts {
		p, err := VisiblePost(tx, id, v)
		if err != nil {
			return Report{}, err
		}
		if p.AuthorID == target.ID && !slices.Contains(posts, p.ID) {
			posts = append(posts, p.ID)
		}
	}
	var open int64
	if err := tx.Raw("SELECT COUNT(*) FROM reports WHERE account_id = ? AND state = 'open'", me.ID).Scan(&open).Error; err != nil {
		return Report{}, err
	}
	if open >= mostOpenReports {
		return Report{}, fault.Keyed(fault.TooMany, "report.many", "Many reports of yours wait for the moderators already. Please talk to them.", nil)
	}
	r := Report{ID: tx.NewID(), AccountID: &me.ID, TargetID: target.ID, Posts: posts, Comment: d.Comment, Category: d.Category,
		Forward: d.Forward && !target.Local(), State: "open", CreatedAt: tx.Now}
	if err := tx.Create(&r).Error; err != nil {
		return Report{}, err
	}
	return r, tellModerators(tx, me.ID, r)
}

// moderatorsFor lists those who look at reports of an account: nobody looks at
// those of their own.
func moderatorsFor(tx *store.Tx, target int64) ([]int64, error) {
	var moderators []int64
	err := tx.Raw("SELECT account_id FROM users WHERE state = 'active' AND role IN ? AND account_id <> ?", []Role{Owner, Moderator}, target).
		Scan(&moderators).Error
	return moderators, err
}

func tellModerators(tx *store.Tx, from int64, r Report) error {
	moderators, err := moderatorsFor(tx, r.TargetID)
	if err != nil {
		return err
	}
	for _, id := range moderators {
		if err := notifyAbout(tx, id, NotifyReport, from, 0, &r.ID); err != nil {
			return err
		}
	}
	return nil
}

// RemoteReport is another server's Flag as the federation door understood it.
type RemoteReport struct {
	From    Account // who says so: one of its people, or the server itself
	URI     string
	Target  Account // of this server
	Posts   []Post  // of the target, that the server was given
	Comment string  // plain text
	Apart   bool    // into the queue of its own, of which nobody is told
}

// ReceiveReport keeps what another server's people say of somebody here, for
// the moderators. It returns why not, in a word for the records, or "done".
func ReceiveReport(tx *store.Tx, r RemoteReport) (outcome string, err error) {
	if !r.Target.Local() || r.Target.DeletedAt != nil || r.From.Local() {
		return "unknown_object", nil
	}
	var open int64
	if err := tx.Raw("SELECT COUNT(*) FROM reports WHERE host = ? AND state = 'open'", r.From.Host).Scan(&open).Error; err != nil {
		return "", err
	}
	if open >= mostOpenFromHost {
		return "too_many", nil
	}
	if utf8.RuneCountInString(r.Comment) > MaxReportComment {
		r.Comment = string([]rune(r.Comment)[:MaxReportComment])
	}
	row := Report{ID: tx.NewID(), URI: r.URI, Host: r.From.Host, AccountID: &r.From.ID, TargetID: r.Target.ID, Posts: []int64{}, Comment: r.Comment,
		Category: ReportOther, State: "open", Apart: r.Apart, CreatedAt: tx.Now}
	for _, p := range r.Posts[:min(len(r.Posts), MaxReportPosts)] {
		if p.AuthorID == r.Target.ID && !slices.Contains(row.Posts, p.ID) {
			row.Posts = append(row.Posts, p.ID)
		}
	}
	var known bool
	if err := tx.Raw("SELECT EXISTS (SELECT 1 FROM reports WHERE uri = ? AND uri <> '')", r.URI).Scan(&known).Error; err != nil || known {
		return "known", err
	}
	if err := tx.Create(&row).Error; err != nil {
		return "", err
	}
	if row.Apart {
		return "done", nil
	}
	return "done", tellModerators(tx, r.From.ID, row)
}

// moderator refuses whoever may not look at reports.
func moderator(tx *store.Tx, by Account) error {
	role, err := roleOf(tx, by.ID)
	if err == nil && !role.MayModerate() {
		err = fault.Keyed(fault.Forbidden, "report.moderators", "Only moderators look at reports.", nil)
	}
	return err
}

// ReportView is a report with what it is about.
type ReportView struct {
	Report
	Reporter *Account
	Target   Account
	About    []View // the posts that are still there
	Gone     int    // how many are not
	Resolver *Account
	Assigned *Account
}

// Reports lists open or resolved reports for a moderator: those about children
// first, then the latest. Those of the moderator's own account are for others.
// Open ones of servers whose reports stand apart are a list of their own.
func Reports(tx *store.Tx, by Account, open, apart bool) ([]ReportView, error) {
	if err := moderator(tx, by); err != nil {
		return nil, err
	}
	state := "resolved"
	if open {
		state = "open"
	}
	var rows []Report
	err := tx.Where("state = ? AND target_id <> ? AND (? OR apart = ?)", state, by.ID, !open, apart).Order("CASE WHEN category = 'child' THEN 0 ELSE 1 END, id DESC").Limit(mostReportsListed).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	return reportViews(tx, rows)
}

func reportViews(tx *store.Tx, rows []Report) ([]ReportView, error) {
	var people []int64
	for _, r := range rows {
		people = append(people, r.TargetID)
		for _, id := range []*int64{r.AccountID, r.ResolvedBy, r.AssignedTo} {
			if id != nil {
				people = append(people, *id)
			}
		}
	}
	known, err := AccountsByID(tx, people)
	if err != nil {
		return nil, err
	}
	find := func(id *int64) *Account {
		if id == nil {
			return nil
		}
		a, ok := known[*id]
		if !ok {
			return nil
		}
		return &a
	}
	views := make([]ReportView, len(rows))
	for i, r := range rows {
		views[i] = ReportView{Report: r, Target: known[r.TargetID], Reporter: find(r.AccountID), Resolver: find(r.ResolvedBy), Assigned: find(r.AssignedTo)}
	}
	return views, nil
}

// ReportsByID returns some reports, as far as a moderator may look at them.
func ReportsByID(tx *store.Tx, by Account, ids []int64) ([]Report, error) {
	if err := moderator(tx, by); err != nil {
		return nil, err
	}
	var rows []Report
	err := tx.Where("id IN ? AND target_id <> ?", ids, by.ID).Find(&rows).Error
	return rows, err
}

// ReportByID returns a report with its posts for a moderator. Whoever reports a
// post shows it to the moderators, whomever else it is for.
func ReportByID(tx *store.Tx, by Account, id int64) (ReportView, error) {
	if err := moderator(tx, by); err != nil {
		return ReportView{}, err
	}
	var r Report
	if err := tx.Where("id = ? AND target_id <> ?", id, by.ID).Take(&r).Error; err != nil {
		return ReportView{}, err
	}
	views, err := reportViews(tx, []Report{r})
	if err != nil {
		return ReportView{}, err
	}
	err = reportedPosts(tx, by, views)
	return views[0], err
}

// ResolveReport says that a moderator has dealt with a report.
func ResolveReport(tx *store.Tx, by Account, id int64) error {
	if err := moderator(tx, by); err != nil {
		return err
	}
	res := tx.Exec("UPDATE reports SET state = 'resolved', resolved_by = ?, resolved_at = ? WHERE id = ? AND state = 'open' AND target_id <> ?",
		by.ID, tx.Now, id, by.ID)
	if res.Error != nil || res.RowsAffected > 0 {
		return res.Error
	}
	var r Report
	return tx.Where("id = ? AND target_id <> ?", id, by.ID).Take(&r).Error
}

// RemoveReported takes down the posts that a report is about, whomever they are
// for: whoever reported them showed them to the moderators. It reports how many
// were there.
func RemoveReported(tx *store.Tx, by Account, id int64) (int, error) {
	view, err := ReportByID(tx, by, id)
	if err != nil {
		return 0, err
	}
	for _, about := range view.About {
		if err := takeDown(tx, about.Post); err != nil {
			return 0, err
		}
	}
	return len(view.About), nil
}

// ForwardReport tells the server of a reported account what the moderator
// writes, once, in the name of this server and of nobody on it.
//
// FEDERATION.md, "Reports".
func ForwardReport(tx *store.Tx, by Account, id int64, words string) error {
	view, err := ReportByID(tx, by, id)
	if err != nil {
		return err
	}
	words = strings.TrimSpace(strings.ReplaceAll(words, "\r\n", "\n"))
	if !view.Target.Local() {
		d, err := peers.DecideOne(tx, view.Target.Host)
		switch {
		case err != nil:
			return err
		case !d.Admitted:
			return peers.NotAdmitted(view.Target.Host)
		case !ReportsMayGo(d):
			return fault.Keyed(fault.Forbidden, "report.never", "Your school sends no reports to this server.", map[string]any{"Host": view.Target.Host})
		}
	}
	switch {
	case view.Target.Local() || view.Target.Gone():
		return fault.Keyed(fault.Invalid, "report.here", "There is no other server to tell of this.", nil)
	case view.ForwardedAt != nil:
		return fault.Keyed(fault.Invalid, "report.forwarded", "The other server has been told already.", nil)
	case utf8.RuneCountInString(words) > MaxReportComment:
		return fault.Keyed(fault.Invalid, "report.long", "This is too long.", map[string]any{"Max": MaxReportComment})
	}
	res := tx.Exec("UPDATE reports SET forwarded_at = ? WHERE id = ? AND forwarded_at IS NULL", tx.Now, id)
	if res.Error != nil || res.RowsAffected == 0 { // somebody else was quicker
		return res.Error
	}
	facts := Facts{Comment: words}
	for _, p := range view.About { // the other server's own posts: their addresses tell it nothing new
		if p.URI != nil {
			facts.Objects = append(facts.Objects, *p.URI)
		}
	}
	return enqueue(tx, Outgoing{Verb: VerbFlag, ActorID: InstanceActor, AccountID: &view.Target.ID, Audience: People, Facts: facts})
}

// ReportsMayGo reports whether a moderator may tell a server of a report.
func ReportsMayGo(d peers.Decision) bool {
	return d.Sends(peers.ClassReports) && d.ReportsOut != peers.ReportsNever
}

// CountOpenReports is how many reports wait for a moderator; for nobody else do
// any wait. Those that stand apart are not among them.
func CountOpenReports(tx *store.Tx, by Account) (int, error) {
	role, err := roleOf(tx, by.ID)
	if err != nil || !role.MayModerate() {
		return 0, err
	}
	var n int
	err = tx.Raw("SELECT COUNT(*) FROM reports WHERE state = 'open' AND NOT apart AND target_id <> ?", by.ID).Scan(&n).Error
	return n, err
}
