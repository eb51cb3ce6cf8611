package community

import (
	"strings"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// AccountFilter says which accounts somebody who administers looks for. An
// empty field asks nothing.
type AccountFilter struct {
	Elsewhere bool // accounts of other servers; else people here
	Suspended bool
	State     UserState // of people here
	Staff     bool      // people here who moderate or administrate
	Username  string    // exactly
	Host      string
	Email     string // exactly, of people here
}

// oversees refuses whoever neither moderates nor manages people.
func oversees(tx *store.Tx, by Account) (Role, error) {
	role, err := roleOf(tx, by.ID)
	if err == nil && !role.MayModerate() && !role.MayManagePeople() {
		err = fault.Keyed(fault.Forbidden, "admin.not_yours", "Your role does not let you look after accounts.", nil)
	}
	return role, err
}

// AdminAccounts returns a page of accounts, newest first, for somebody who
// moderates or manages people. Mail addresses are for the latter alone.
func AdminAccounts(tx *store.Tx, by Account, f AccountFilter, page store.Page) ([]Person, error) {
	role, err := oversees(tx, by)
	if err != nil {
		return nil, err
	}
	q := tx.Model(&Account{}).Where("accounts.deleted_at IS NULL")
	if f.Elsewhere {
		q = q.Where("accounts.host <> ''")
	} else {
		q = q.Where("accounts.host = ''").Joins("JOIN users ON users.account_id = accounts.id")
		if f.State != "" {
			q = q.Where("users.state = ?", f.State)
		}
		if f.Staff {
			q = q.Where("users.role IN ?", []Role{Owner, ITAdmin, Moderator})
		}
		if f.Email != "" {
			if !role.MayManagePeople() {
				return nil, nil
			}
			q = q.Where("users.email = ?", strings.ToLower(f.Email))
		}
	}
	if f.Suspended {
		q = q.Where("accounts.suspended_at IS NOT NULL")
	}
	if f.Username != "" {
		q = q.Where("accounts.username = ?", strings.ToLower(strings.TrimPrefix(f.Username, "@")))
	}
	if f.Host != "" {
		q = q.Where("accounts.host = ?", strings.ToLower(f.Host))
	}
	accounts, err := store.FindOn[Account](q, page, "accounts.id")
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(accounts))
	for i, a := range accounts {
		ids[i] = a.ID
	}
	return peopleOf(tx, role, ids)
}

// AdminAccountsByID is AdminAccounts for accounts that are named.
func AdminAccountsByID(tx *store.Tx, by Account, ids []int64) ([]Person, error) {
	role, err := oversees(tx, by)
	if err != nil {
		return nil, err
	}
	return peopleOf(tx, role, ids)
}

// peopleOf returns the accounts with what is known of them as people here, in
// the order of the IDs, as somebody of the role may know it.
func peopleOf(tx *store.Tx, role Role, ids []int64) ([]Person, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	accounts, err := AccountsByID(tx, ids)
	if err != nil {
		return nil, err
	}
	var users []User
	if err := tx.Where("account_id IN ?", ids).Find(&users).Error; err != nil {
		return nil, err
	}
	known := make(map[int64]User, len(users))
	for _, u := range users {
		if !role.MayManagePeople() {
			u.Email, u.RequestText = "", ""
		}
		known[u.AccountID] = u
	}
	people := make([]Person, 0, len(ids))
	for _, id := range ids {
		if a, ok := accounts[id]; ok {
			people = append(people, Person{Account: a, User: known[id]})
		}
	}
	return people, nil
}

// ReportFilter says which reports a moderator looks for.
type ReportFilter struct {
	Resolved bool
	By       int64 // who reported
	Target   int64
}

// ReportsPage returns a page of reports for a moderator, newest first. Those of
// the moderator's own account are for others.
func ReportsPage(tx *store.Tx, by Account, f ReportFilter, page store.Page) ([]ReportView, error) {
	if err := moderator(tx, by); err != nil {
		return nil, err
	}
	state := "open"
	if f.Resolved {
		state = "resolved"
	}
	q := tx.Model(&Report{}).Where("reports.state = ? AND reports.target_id <> ?", state, by.ID)
	if f.By != 0 {
		q = q.Where("reports.account_id = ?", f.By)
	}
	if f.Target != 0 {
		q = q.Where("reports.target_id = ?", f.Target)
	}
	rows, err := store.FindOn[Report](q, page, "reports.id")
	if err != nil {
		return nil, err
	}
	views, err := reportViews(tx, rows)
	if err != nil {
		return nil, err
	}
	return views, reportedPosts(tx, by, views)
}

// reportedPosts brings the posts that reports are about, for a moderator:
// whoever reports a post shows it to the moderators.
func reportedPosts(tx *store.Tx, by Account, views []ReportView) error {
	var ids []int64
	for _, v := range views {
		ids = append(ids, v.Posts...)
	}
	if len(ids) == 0 {
		return nil
	}
	var posts []Post
	if err := tx.Where("id IN ? AND deleted_at IS NULL", ids).Order("id").Find(&posts).Error; err != nil {
		return err
	}
	viewer, err := ViewerOf(tx, by.ID)
	if err != nil {
		return err
	}
	loaded, err := Load(tx, viewer, posts)
	if err != nil {
		return err
	}
	known := make(map[int64]View, len(loaded))
	for _, v := range loaded {
		known[v.ID] = v
	}
	for i := range views {
		for _, id := range views[i].Posts {
			if v, ok := known[id]; ok && v.AuthorID == views[i].TargetID {
				views[i].About = append(views[i].About, v)
			} else {
				views[i].Gone++
			}
		}
	}
	return nil
}

// AssignReport says which moderator looks at a report: by, or with mine false
// nobody.
func AssignReport(tx *store.Tx, by Account, id int64, mine bool) error {
	if err := moderator(tx, by); err != nil {
		return err
	}
	var to *int64
	if mine {
		to = &by.ID
	}
	return changedReport(tx, by, id, "assigned_to = ?", to)
}

// ReopenReport takes back that a report was dealt with.
func ReopenReport(tx *store.Tx, by Account, id int64) error {
	if err := moderator(tx, by); err != nil {
		return err
	}
	return changedReport(tx, by, id, "state = 'open', resolved_by = NULL, resolved_at = NULL")
}

// SortReport says anew what a report is about.
func SortReport(tx *store.Tx, by Account, id int64, category ReportCategory) error {
	if err := moderator(tx, by); err != nil {
		return err
	}
	if err := (ReportDraft{Category: category}).check(); err != nil {
		return err
	}
	return changedReport(tx, by, id, "category = ?", category)
}

func changedReport(tx *store.Tx, by Account, id int64, set string, args ...any) error {
	res := tx.Exec("UPDATE reports SET "+set+" WHERE id = ? AND target_id <> ?", append(args, id, by.ID)...)
	if res.Error == nil && res.RowsAffected == 0 {
		return fault.Keyed(fault.NotFound, "report.none", "There is no such report.", nil)
	}
	return res.Error
}

// Moderation is what somebody who looks after accounts does to one.
type Moderation string

// The moderations. A person here loses their access; an account elsewhere is
// hidden with all it wrote.
const (
	ModerateNothing   Moderation = "none"
	ModerateDisable   Moderation = "disable"
	ModerateEnable    Moderation = "enable"
	ModerateSuspend   Moderation = "suspend"
	ModerateUnsuspend Moderation = "unsuspend"
)

// Moderate does something about an account, as far as the role of by goes.
func Moderate(tx *store.Tx, by Account, id int64, what Moderation, reason string) error {
	role, err := oversees(tx, by)
	if err != nil {
		return err
	}
	a, err := AccountByID(tx, id)
	if err != nil {
		return err
	}
	switch what {
	case ModerateNothing:
		return nil
	case ModerateDisable, ModerateEnable:
		if !a.Local() {
			return fault.Keyed(fault.Invalid, "admin.not_here", "This account is of another server. Suspend it instead.", nil)
		}
		if what == ModerateDisable {
			return Disable(tx, by.ID, id, reason)
		}
		return Enable(tx, by.ID, id, reason)
	case ModerateSuspend, ModerateUnsuspend:
		if a.Local() {
			return fault.Keyed(fault.Invalid, "person.suspend_local", "This person has an account here. Switch it off instead.", nil)
		}
		if !role.MayModerate() && !role.MayManagePeers() {
			return fault.Keyed(fault.Forbidden, "role.not_yours", "Your role does not let you do this. Ask an owner of this server.", nil)
		}
		if what == ModerateSuspend {
			return Suspend(tx, by.ID, id, reason)
		}
		return Unsuspend(tx, by.ID, id, reason)
	}
	return fault.Keyed(fault.Invalid, "admin.unknown", "This server knows the actions none, disable and suspend.", nil)
}
