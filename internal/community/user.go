package community

import (
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// Role is what somebody who signs in here may do, and how wide they may write.
type Role string

const (
	Owner     Role = "owner"
	ITAdmin   Role = "it_admin"
	Moderator Role = "moderator"
	Member    Role = "member"
	Placement Role = "placement" // a student teacher, for a time
)

// UserState says whether somebody may sign in.
type UserState string

const (
	Pending  UserState = "pending" // asked for an account; not yet approved
	Active   UserState = "active"
	Disabled UserState = "disabled"
)

// User is what only accounts that sign in here have.
type User struct {
	AccountID           int64 `gorm:"primaryKey"`
	Email               string
	PasswordHash        string // argon2id, PHC string format
	Role                Role
	State               UserState
	Locale              string
	DefaultAudience     Audience
	DefaultSensitive    bool        // pictures of clients that do not say whether they are
	DefaultLanguage     string      // of what clients send without one
	QuotePolicy         QuotePolicy // who may quote, where nothing else is said
	RequestText         string
	EndsAt              *time.Time // placement: the last moment of the account
	InvitedBy           *int64
	ApprovedBy          *int64
	NotificationsReadID int64
	CreatedAt           time.Time
	Version             int64 // moved on by every change
	Bonds               Bonds
}

// Roles lists all roles, the most powerful first.
func Roles() []Role { return []Role{Owner, ITAdmin, Moderator, Member, Placement} }

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Ceiling is the widest audience that somebody of this role may write for. A
// student teacher on placement writes for chosen people and groups only; since
// the school as a whole is wider than a group, it is not open to them.
func (r Role) Ceiling() Audience {
	if r == Placement {
		return Group
	}
	return Public
}

// MayManagePeers reports whether the role decides which servers to talk to.
func (r Role) MayManagePeers() bool { return r == Owner || r == ITAdmin }

// MayManagePeople reports whether the role invites, approves and disables people.
func (r Role) MayManagePeople() bool { return r == Owner || r == ITAdmin }

// MayModerate reports whether the role looks at reports, with the posts that
// they are about, and may take down what others wrote. Whoever looks after the
// machines does not: what people wrote for a few is not for them to read.
func (r Role) MayModerate() bool { return r == Owner || r == Moderator }

// MayAdminister reports whether the role has any part in the administration.
func (r Role) MayAdminister() bool { return r.MayModerate() || r.MayManagePeople() }

// MayGive reports whether somebody of role r may give somebody the role other:
// only an owner makes owners and administrators.
func (r Role) MayGive(other Role) bool {
	switch other {
	case Owner, ITAdmin:
		return r == Owner
	}
	return r.MayManagePeople() && other.Valid()
}

// Ended reports whether the account was for a time that is over.
func (u User) Ended(now time.Time) bool { return u.EndsAt != nil && !u.EndsAt.After(now) }

// MayEnter returns nothing if the person may sign in and act now, or a failure
// that says why not.
func (u User) MayEnter(now time.Time) error {
	switch {
	case u.State == Pending:
		return fault.Keyed(fault.Forbidden, "user.pending", "Your account has not been approved yet.", nil)
	case u.State != Active:
		return fault.Keyed(fault.Forbidden, "user.disabled", "This account has been switched off. Ask an administrator of your school.", nil)
	case u.Ended(now):
		return fault.Keyed(fault.Forbidden, "user.ended", "Your placement has ended, and your account with it. Ask an administrator of your school.", nil)
	}
	return nil
}

// Person is somebody who signs in here.
type Person struct {
	Account
	User User
}

// UserOf returns what only people who sign in here have, or fault.NotFound.
func UserOf(tx *store.Tx, accountID int64) (User, error) {
	var u User
	err := tx.Where("account_id = ?", accountID).Take(&u).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return u, noAccount()
	}
	return u, err
}

// Waits reports whether an account is that of somebody who has asked for one
// here and was not let in yet: only those who decide about it hear of it.
func Waits(tx *store.Tx, a Account) (bool, error) {
	if !a.Local() {
		return false, nil
	}
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM users WHERE account_id = ? AND state = ?", a.ID, Pending).Scan(&n).Error
	return n > 0, err
}

// WaitingAmong is Waits for many accounts at once: those who wait.
func WaitingAmong(tx *store.Tx, ids []int64) (map[int64]bool, error) {
	waiting := map[int64]bool{}
	if len(ids) == 0 {
		return waiting, nil
	}
	var found []int64
	err := tx.Raw("SELECT account_id FROM users WHERE account_id IN ? AND state = ?", ids, Pending).Scan(&found).Error
	for _, id := range found {
		waiting[id] = true
	}
	return waiting, err
}

// PersonByID returns a person here, or fault.NotFound.
func PersonByID(tx *store.Tx, id int64) (Person, error) {
	u, err := UserOf(tx, id)
	if err != nil {
		return Person{}, err
	}
	a, err := AccountByID(tx, id)
	return Person{Account: a, User: u}, err
}

// PersonByLogin returns the person who signs in by this user name or e-mail
// address, or fault.NotFound.
func PersonByLogin(tx *store.Tx, login string) (Person, error) {
	login = strings.ToLower(strings.TrimSpace(login))
	if name, host, ok := strings.Cut(strings.TrimPrefix(login, "@"), "@"); ok && host == tx.Site.Host {
		login = name
	} else if ok {
		var u User
		if err := tx.Where("email = ? AND email <> ''", login).Limit(1).Find(&u).Error; err != nil {
			return Person{}, err
		}
		if u.AccountID == 0 {
			return Person{}, noAccount()
		}
		return PersonByID(tx, u.AccountID)
	}
	a, err := AccountByHandle(tx, strings.TrimPrefix(login, "@"), "")
	if err != nil {
		return Person{}, err
	}
	return PersonByID(tx, a.ID)
}

// writer returns the user if the account may write here now.
func writer(tx *store.Tx, accountID int64) (User, error) {
	u, err := UserOf(tx, accountID)
	if fault.Is(err, fault.NotFound) {
		return u, fault.Keyed(fault.Forbidden, "draft.author", "This account cannot write here.", nil)
	} else if err != nil {
		return u, err
	}
	return u, u.MayEnter(tx.Now)
}

// ListPeople returns a page of those who sign in here, the newest first. No state
// means all.
func ListPeople(tx *store.Tx, state UserState, page store.Page) ([]Person, error) {
	q := tx.Model(&User{})
	if state != "" {
		q = q.Where("state = ?", state)
	}
	return peopleOn(tx, q, page)
}

// peopleOn returns a page of the people whose users q finds.
func peopleOn(tx *store.Tx, q *gorm.DB, page store.Page) ([]Person, error) {
	users, err := store.FindOn[User](q, page, "account_id")
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(users))
	for i, u := range users {
		ids[i] = u.AccountID
	}
	accounts, err := AccountsByID(tx, ids)
	if err != nil {
		return nil, err
	}
	people := make([]Person, len(users))
	for i, u := range users {
		people[i] = Person{Account: accounts[u.AccountID], User: u}
	}
	return people, nil
}

// NewAccount is an account that is to be made here.
type NewAccount struct {
	Username     string
	DisplayName  string
	Email        string // may be empty
	PasswordHash string // argon2id, PHC string format
	Role         Role   // empty: Member
	State        UserState
	Locale       string
	RequestText  string // for Pending: what they wrote to whoever decides
	EndsAt       *time.Time
	InvitedBy    *int64
	ApprovedBy   *int64
	Keys         KeyPair // RSA; the zero value: made in the transaction
}

// reserved are user names that could be taken for the server or its staff.
var reserved = []string{"admin", "administrator", "root", "system", "support", "help", "security", "abuse", "postmaster", "hostmaster",
	"webmaster", "moderator", "owner", "everyone", "all", "school", "network", "public", "chalkring", "actor", "instance", "me", "api", "about",
	"settings", "null", "undefined", "former", "unknown", "guest"}

// CheckUsername says what is wrong with a user name that somebody chose, if
// anything is. Whether it is free, CreateLocal finds out.
func CheckUsername(name string) error {
	switch {
	case len(name) < 2 || len(name) > 30:
		return fault.Invalidf("username", "A user name has between 2 and 30 letters.").WithKey("username.length", nil)
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "":
		return fault.Invalidf("username", "A user name has small letters a to z, digits, - and _ only.").WithKey("username.letters", nil)
	case name[0] == '-' || name[len(name)-1] == '-':
		return fault.Invalidf("username", "A user name does not begin or end with -.").WithKey("username.dash", nil)
	case slices.Contains(reserved, name):
		return fault.Invalidf("username", "This user name is not given to people. Please choose another.").WithKey("username.reserved", nil)
	}
	return nil
}

// CheckEmail says what is wrong with an e-mail address, if anything is.
//
// RFC 5322, section 3.4.1 (addr-spec).
func CheckEmail(email string) error {
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > 254 || !strings.Contains(email[strings.LastIndexByte(email, '@'):], ".") {
		return fault.Invalidf("email", "Enter an e-mail address such as ana@school.example.").WithKey("email.invalid", nil)
	}
	return nil
}

// CreateLocal makes an account here.
func CreateLocal(tx *store.Tx, n NewAccount) (Account, error) {
	n.Username, n.Email = strings.ToLower(strings.TrimSpace(n.Username)), strings.ToLower(strings.TrimSpace(n.Email))
	n.DisplayName = text.PlainLine(n.DisplayName, 10*MaxDisplayName)
	if n.Role == "" {
		n.Role = Member
	}
	if n.State == "" {
		n.State = Active
	}
	if err := n.check(tx); err != nil {
		return Account{}, err
	}
	if n.Keys.Private == "" {
		pair, err := NewKeyPair()
		if err != nil {
			return Account{}, err
		}
		n.Keys = pair
	}
	a := Account{ID: tx.NewID(), Username: n.Username, ActorType: "Person", DisplayName: n.DisplayName,
		Fields: []Field{}, AlsoKnownAs: []string{}, AttributionDomains: []string{}, CreatedAt: tx.Now, UpdatedAt: tx.Now}
	u := User{AccountID: a.ID, Email: n.Email, PasswordHash: n.PasswordHash, Role: n.Role, State: n.State, Locale: n.Locale,
		DefaultAudience: narrower(School, n.Role.Ceiling()), RequestText: n.RequestText, EndsAt: n.EndsAt, InvitedBy: n.InvitedBy,
		ApprovedBy: n.ApprovedBy, CreatedAt: tx.Now}
	keys, err := newKeys(tx, a.ID, n.Keys)
	if err != nil {
		return Account{}, err
	}
	for _, row := range []any{&a, &AccountCounts{AccountID: a.ID}, &u, &keys} {
		if err := tx.Create(row).Error; err != nil {
			return Account{}, err
		}
	}
	tx.Announce(AccountChanged, a.ID)
	return a, nil
}

func (n NewAccount) check(tx *store.Tx) error {
	var form fault.Check
	form.Take(CheckUsername(n.Username))
	if n.Email != "" {
		form.Take(CheckEmail(n.Email))
	}
	if n.PasswordHash == "" {
		form.Add("password", "password.missing", "Choose a password.", nil)
	}
	if !n.Role.Valid() {
		form.Add("role", "role.invalid", "Choose one of the roles.", nil)
	}
	if n.Role == Placement && n.EndsAt == nil {
		form.Add("ends_at", "placement.end_missing", "Enter the day on which the placement ends.", nil)
	}
	if n.EndsAt != nil && !n.EndsAt.After(tx.Now) {
		form.Add("ends_at", "placement.end_past", "Choose a last day that is still to come.", nil)
	}
	if utf8.RuneCountInString(n.DisplayName) > MaxDisplayName {
		form.Add("display_name", "profile.name_long", "The name is too long: 100 characters at most.", nil)
	}
	if utf8.RuneCountInString(n.RequestText) > MaxBio {
		form.Add("request_text", "request.text_long", "This is too long: 2000 characters at most.", nil)
	}
	if err := form.Err(); err != nil {
		return err
	}
	var taken int64
	if err := tx.Raw("SELECT COUNT(*) FROM accounts WHERE host = '' AND username = ?", n.Username).Scan(&taken).Error; err != nil {
		return err
	}
	if taken > 0 {
		form.Add("username", "username.taken", "Somebody has this user name already. Please choose another.", nil)
	}
	if n.Email != "" {
		if err := tx.Raw("SELECT COUNT(*) FROM users WHERE email = ? AND email <> ''", n.Email).Scan(&taken).Error; err != nil {
			return err
		}
		if taken > 0 {
			form.Add("email", "email.taken", "There is an account with this e-mail address already.", nil)
		}
	}
	return form.Err()
}

// SetRole gives somebody another role. by is who decided, 0 for the command
// line; ends is the last moment of a placement, and nil for every other role.
func SetRole(tx *store.Tx, by, id int64, role Role, ends *time.Time) error {
	p, err := manage(tx, by, id)
	if err != nil {
		return err
	}
	if err := mayGive(tx, by, role); err != nil {
		return err
	}
	switch {
	case role == Placement && (ends == nil || !ends.After(tx.Now)):
		return fault.Invalidf("ends_at", "Enter the day on which the placement ends.").WithKey("placement.end_missing", nil)
	case role != Placement:
		ends = nil
	}
	if role != Owner {
		if err := guardLastOwner(tx, id); err != nil {
			return err
		}
	}
	audience := narrower(p.User.DefaultAudience, role.Ceiling())
	if err := tx.Exec("UPDATE users SET role = ?, ends_at = ?, default_audience = ? WHERE account_id = ?", role, ends, audience, id).Error; err != nil {
		return err
	}
	tx.Announce(AccountChanged, id)
	return record(tx, by, "person.role", p.Handle(tx.Site.Host), string(p.User.Role), string(role), "")
}

// Disable ends somebody's access; what they wrote stays. Their sessions and
// tokens count no more from then on.
func Disable(tx *store.Tx, by, id int64, reason string) error {
	return setState(tx, by, id, Disabled, reason)
}

// Enable gives access again.
func Enable(tx *store.Tx, by, id int64, reason string) error {
	return setState(tx, by, id, Active, reason)
}

func setState(tx *store.Tx, by, id int64, state UserState, reason string) error {
	p, err := manage(tx, by, id)
	if err != nil || p.User.State == state {
		return err
	}
	if state != Active {
		if err := guardLastOwner(tx, id); err != nil {
			return err
		}
	}
	if err := tx.Exec("UPDATE users SET state = ? WHERE account_id = ?", state, id).Error; err != nil {
		return err
	}
	tx.Announce(AccountChanged, id)
	return record(tx, by, "person.state", p.Handle(tx.Site.Host), string(p.User.State), string(state), reason)
}

// manage returns the person id if by may decide about them: an owner about
// everybody, an administrator about those below.
func manage(tx *store.Tx, by, id int64) (Person, error) {
	p, err := PersonByID(tx, id)
	if err != nil {
		return p, err
	}
	return p, mayGive(tx, by, p.User.Role)
}

func mayGive(tx *store.Tx, by int64, role Role) error {
	if !role.Valid() {
		return fault.Invalidf("role", "Choose one of the roles.").WithKey("role.invalid", nil)
	}
	if by == 0 {
		return nil
	}
	u, err := writer(tx, by)
	if err != nil {
		return err
	}
	if !u.Role.MayGive(role) {
		return fault.Keyed(fault.Forbidden, "role.not_yours", "Your role does not let you do this. Ask an owner of this server.", nil)
	}
	return nil
}

// guardLastOwner refuses what would leave the server without an owner who can sign in.
func guardLastOwner(tx *store.Tx, id int64) error {
	var is, others int64
	err := tx.Raw("SELECT COUNT(*) FROM users WHERE account_id = ? AND role = 'owner' AND state = 'active'", id).Scan(&is).Error
	if err != nil || is == 0 {
		return err
	}
	if tx.Dialect() == store.Postgres { // two owners who demote each other at once take turns
		var owners []int64
		err := tx.Raw("SELECT account_id FROM users WHERE role = 'owner' AND state = 'active' ORDER BY account_id" + tx.ForUpdate()).Scan(&owners).Error
		if err != nil {
			return err
		}
	}
	err = tx.Raw(`SELECT COUNT(*) FROM users JOIN accounts ON accounts.id = users.account_id
		WHERE users.account_id <> ? AND users.role = 'owner' AND users.state = 'active' AND accounts.suspended_at IS NULL`, id).Scan(&others).Error
	if err == nil && others == 0 {
		err = fault.Keyed(fault.Conflict, "user.last_owner", "This is the only owner. Make somebody else an owner first.", nil)
	}
	return err
}

// Settings are what people choose for themselves.
type Settings struct {
	Email           string
	Locale          string
	DefaultAudience Audience
}

// UpdateSettings changes what somebody has chosen for themselves.
func UpdateSettings(tx *store.Tx, me int64, s Settings) error {
	u, err := UserOf(tx, me)
	if err != nil {
		return err
	}
	s.Email = strings.ToLower(strings.TrimSpace(s.Email))
	var form fault.Check
	if s.Email != "" {
		form.Take(CheckEmail(s.Email))
	}
	if !s.DefaultAudience.Valid() || !s.DefaultAudience.Within(u.Role.Ceiling()) {
		form.Add("default_audience", "settings.audience_invalid", "Choose an audience that you may write for.", nil)
	}
	if len(s.Locale) > 35 { // RFC 5646, section 4.4.1
		form.Add("locale", "settings.locale_invalid", "Choose one of the languages.", nil)
	}
	if err := form.Err(); err != nil {
		return err
	}
	if s.Email != "" {
		var taken int64
		if err := tx.Raw("SELECT COUNT(*) FROM users WHERE email = ? AND email <> '' AND account_id <> ?", s.Email, me).Scan(&taken).Error; err != nil {
			return err
		}
		if taken > 0 {
			return fault.Invalidf("email", "There is an account with this e-mail address already.").WithKey("email.taken", nil)
		}
	}
	return tx.Exec("UPDATE users SET email = ?, locale = ?, default_audience = ? WHERE account_id = ?", s.Email, s.Locale, s.DefaultAudience, me).Error
}

func narrower(a, b Audience) Audience {
	if a.Within(b) {
		return a
	}
	return b
}

// Apply stores that somebody asks for an account here, and tells those who
// decide about people.
func Apply(tx *store.Tx, n NewAccount) (Account, error) {
	n.Role, n.State, n.EndsAt = Member, Pending, nil
	a, err := CreateLocal(tx, n)
	if err != nil {
		return a, err
	}
	var staff []int64
	err = tx.Model(&User{}).Where("state = ? AND role IN ?", Active, []Role{Owner, ITAdmin}).Pluck("account_id", &staff).Error
	if err != nil {
		return a, err
	}
	for _, id := range staff {
		if err := notify(tx, id, NotifyRequest, a.ID, 0); err != nil {
			return a, err
		}
	}
	return a, nil
}

// Approve lets in somebody who asked for an account.
func Approve(tx *store.Tx, by, id int64) error {
	p, err := pending(tx, by, id)
	if err != nil {
		return err
	}
	var approver *int64
	if by != 0 {
		approver = &by
	}
	if err := tx.Exec("UPDATE users SET state = ?, approved_by = ? WHERE account_id = ?", Active, approver, id).Error; err != nil {
		return err
	}
	tx.Announce(AccountChanged, id)
	return record(tx, by, "person.approve", p.Handle(tx.Site.Host), "", "", "")
}

// Decline refuses somebody who asked for an account, and keeps nothing of what
// they sent.
func Decline(tx *store.Tx, by, id int64, reason string) error {
	p, err := pending(tx, by, id)
	if err != nil {
		return err
	}
	for _, step := range []string{
		"DELETE FROM notifications WHERE from_id = ?",
		"DELETE FROM account_keys WHERE account_id = ?",
		"DELETE FROM account_counts WHERE account_id = ?",
		"DELETE FROM users WHERE account_id = ?",
		"DELETE FROM accounts WHERE id = ?",
	} {
		if err := tx.Exec(step, id).Error; err != nil {
			return err
		}
	}
	return record(tx, by, "person.decline", p.Handle(tx.Site.Host), "", "", reason)
}

// pending returns somebody whose request by may decide about.
func pending(tx *store.Tx, by, id int64) (Person, error) {
	p, err := manage(tx, by, id)
	if err == nil && p.User.State != Pending {
		err = fault.Keyed(fault.Conflict, "request.decided", "This request has been decided already.", nil)
	}
	return p, err
}

// CountPending returns how many people have asked for an account and wait.
func CountPending(tx *store.Tx) (int, error) {
	var n int
	err := tx.Raw("SELECT COUNT(*) FROM users WHERE state = 'pending'").Scan(&n).Error
	return n, err
}
