package mastodon

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// adminRoutes is the part of the API for moderation tools: accounts, reports
// and servers. What Mastodon has besides (blocks of networks and of mail
// providers, figures) answers as where nothing is set up.
func (a *API) adminRoutes(r *routes) {
	get := func(path, scope string, fn endpoint) {
		r.HandleFunc(path, a.members("admin:read:"+scope, fn)).Methods(http.MethodGet, http.MethodHead)
	}
	do := func(path, scope string, fn endpoint, methods ...string) {
		if methods == nil {
			methods = []string{http.MethodPost}
		}
		r.HandleFunc(path, a.members("admin:write:"+scope, fn)).Methods(methods...)
	}
	const v1 = "/api/v1/admin"
	get(v1+"/accounts", "accounts", a.adminAccounts)
	get("/api/v2/admin/accounts", "accounts", a.adminAccounts)
	get(v1+"/accounts/{id}", "accounts", a.adminAccount)
	do(v1+"/accounts/{id}", "accounts", a.adminErase, http.MethodDelete)
	do(v1+"/accounts/{id}/action", "accounts", a.adminAction)
	do(v1+"/accounts/{id}/approve", "accounts", a.adminDecide(func(tx *store.Tx, by community.Account, id int64) error { return community.Approve(tx, by.ID, id) }))
	do(v1+"/accounts/{id}/reject", "accounts", a.adminReject)
	for _, way := range []struct {
		path string
		what community.Moderation
	}{{"enable", community.ModerateEnable}, {"unsuspend", community.ModerateUnsuspend}, {"unsilence", community.ModerateNothing}, {"unsensitive", community.ModerateNothing}} {
		do(v1+"/accounts/{id}/"+way.path, "accounts", a.adminDecide(func(tx *store.Tx, by community.Account, id int64) error {
			return community.Moderate(tx, by, id, way.what, "")
		}))
	}
	get(v1+"/reports", "reports", a.adminReports)
	get(v1+"/reports/{id}", "reports", a.adminReport(nil))
	do(v1+"/reports/{id}", "reports", a.adminReport(sortReport), http.MethodPut, http.MethodPatch)
	for path, deed := range map[string]func(tx *store.Tx, by community.Account, id int64) error{
		"resolve": community.ResolveReport, "reopen": community.ReopenReport,
		"assign_to_self": func(tx *store.Tx, by community.Account, id int64) error {
			return community.AssignReport(tx, by, id, true)
		},
		"unassign": func(tx *store.Tx, by community.Account, id int64) error {
			return community.AssignReport(tx, by, id, false)
		},
	} {
		do(v1+"/reports/{id}/"+path, "reports", a.adminReport(func(tx *store.Tx, c *call, id int64) error { return deed(tx, c.me, id) }))
	}
	get(v1+"/domain_allows", "domain_allows", a.adminHosts(peers.Allowed))
	do(v1+"/domain_allows", "domain_allows", a.adminAllow)
	get(v1+"/domain_allows/{id}", "domain_allows", a.adminHost(peers.Allowed))
	do(v1+"/domain_allows/{id}", "domain_allows", a.adminForget(peers.Allowed), http.MethodDelete)
	get(v1+"/domain_blocks", "domain_blocks", a.adminHosts(peers.Blocked))
	do(v1+"/domain_blocks", "domain_blocks", a.adminBlock)
	get(v1+"/domain_blocks/{id}", "domain_blocks", a.adminHost(peers.Blocked))
	do(v1+"/domain_blocks/{id}", "domain_blocks", a.adminReblock, http.MethodPut, http.MethodPatch)
	do(v1+"/domain_blocks/{id}", "domain_blocks", a.adminForget(peers.Blocked), http.MethodDelete)
	for _, none := range []string{"ip_blocks", "email_domain_blocks", "canonical_email_blocks"} {
		get(v1+"/"+none, none, a.administrates(empty))
	}
	for _, none := range []string{"trends/tags", "trends/statuses", "trends/links"} {
		r.HandleFunc(v1+"/"+none, a.members("admin:read", a.administrates(empty))).Methods(http.MethodGet)
	}
	for _, none := range []string{"measures", "dimensions", "retention"} {
		r.HandleFunc(v1+"/"+none, a.members("admin:read", a.administrates(empty))).Methods(http.MethodPost)
	}
}

func notAllowed() error { return fault.New(fault.Forbidden, "This action is not allowed") }

// orMissing is orNotFound for what may have gone well.
func orMissing(err error) error {
	if err == nil {
		return nil
	}
	return orNotFound(err)
}

// administrates is an endpoint for those whose role looks after something.
func (a *API) administrates(fn endpoint) endpoint {
	return func(c *call) (any, error) {
		if role := c.access.Person.User.Role; !role.MayModerate() && !role.MayManagePeople() {
			return nil, notAllowed()
		}
		return fn(c)
	}
}

// AdminAccount is Mastodon's Admin::Account entity. What it tells of networks
// (ip) is not kept here.
type AdminAccount struct {
	ID            int64        `json:"id,string"`
	Username      string       `json:"username"`
	Domain        *string      `json:"domain"`
	CreatedAt     stamp        `json:"created_at"`
	Email         string       `json:"email"`
	IP            *string      `json:"ip"`
	IPs           []struct{}   `json:"ips"`
	Role          *AccountRole `json:"role"`
	Confirmed     bool         `json:"confirmed"`
	Approved      bool         `json:"approved"`
	Disabled      bool         `json:"disabled"`
	Suspended     bool         `json:"suspended"`
	Silenced      bool         `json:"silenced"`
	Sensitized    bool         `json:"sensitized"`
	Locale        *string      `json:"locale"`
	InviteRequest *string      `json:"invite_request"`
	InvitedBy     *string      `json:"invited_by_account_id,omitempty"`
	Account       Account      `json:"account"`
}

func (s shape) adminAccount(p community.Person, n community.AccountCounts) AdminAccount {
	out := AdminAccount{ID: p.ID, Username: p.Username, Domain: text(p.Host), CreatedAt: stampOf(p.CreatedAt), IPs: []struct{}{}, Suspended: p.SuspendedAt != nil,
		Account: s.account(p.Account, n)}
	if p.User.AccountID == 0 { // of another server
		return out
	}
	u := p.User
	out.Email, out.Role, out.Confirmed = u.Email, roleOf(u.Role), true
	out.Approved, out.Disabled = u.State != community.Pending, u.State == community.Disabled
	out.Locale, out.InviteRequest = text(u.Locale), text(u.RequestText)
	if u.InvitedBy != nil {
		out.InvitedBy = text(strconv.FormatInt(*u.InvitedBy, 10))
	}
	return out
}

func (a *API) adminShaped(tx *store.Tx, c *call, people []community.Person) ([]AdminAccount, error) {
	ids := make([]int64, len(people))
	for i, p := range people {
		ids[i] = p.ID
	}
	counts, err := community.CountsOf(tx, ids)
	if err != nil {
		return nil, err
	}
	out, s := make([]AdminAccount, len(people)), a.shape(c)
	for i, p := range people {
		out[i] = s.adminAccount(p, counts[p.ID])
	}
	return out, nil
}

// adminAccounts answers GET /api/v1/admin/accounts and its successor, which
// differ in the names of what is looked for.
func (a *API) adminAccounts(c *call) (any, error) {
	f := community.AccountFilter{Elsewhere: c.flag("remote", false) || c.Get("origin") == "remote" || c.Get("by_domain") != "",
		Suspended: c.flag("suspended", false) || c.Get("status") == "suspended", Staff: c.flag("staff", false) || c.Get("permissions") == "staff",
		Username: c.Get("username"), Host: c.Get("by_domain"), Email: c.Get("email")}
	for name, state := range map[string]community.UserState{"active": community.Active, "pending": community.Pending, "disabled": community.Disabled} {
		if (c.flag(name, false) || c.Get("status") == name) && !f.Elsewhere {
			f.State = state
		}
	}
	if c.flag("silenced", false) || c.flag("sensitized", false) || c.Get("ip") != "" {
		return []AdminAccount{}, nil // nobody is, and it is not kept
	}
	page := c.page(100, 200)
	out := []AdminAccount{}
	err := a.read(c, func(tx *store.Tx) error {
		people, err := community.AdminAccounts(tx, c.me, f, page)
		if err != nil {
			return err
		}
		if n := len(people); n > 0 {
			a.link(c, page, n, people[0].ID, people[n-1].ID)
		}
		out, err = a.adminShaped(tx, c, people)
		return err
	})
	return out, err
}

func (a *API) adminShown(tx *store.Tx, c *call, id int64) (AdminAccount, error) {
	people, err := community.AdminAccountsByID(tx, c.me, []int64{id})
	if err != nil {
		return AdminAccount{}, err
	}
	if len(people) == 0 {
		return AdminAccount{}, notFound()
	}
	shown, err := a.adminShaped(tx, c, people)
	if err != nil {
		return AdminAccount{}, err
	}
	return shown[0], nil
}

// adminAccount answers GET /api/v1/admin/accounts/{id}.
func (a *API) adminAccount(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var out AdminAccount
	err = a.read(c, func(tx *store.Tx) (err error) {
		out, err = a.adminShown(tx, c, id)
		return err
	})
	return out, err
}

// adminDecide answers a decision about an account with the account.
func (a *API) adminDecide(deed func(tx *store.Tx, by community.Account, id int64) error) endpoint {
	return func(c *call) (any, error) {
		id, err := c.idOf("id")
		if err != nil {
			return nil, err
		}
		var out AdminAccount
		err = a.deed(c, func(tx *store.Tx) error {
			if err := deed(tx, c.me, id); err != nil {
				return orMissing(err)
			}
			out, err = a.adminShown(tx, c, id)
			return err
		})
		return out, err
	}
}

// adminReject answers POST /api/v1/admin/accounts/{id}/reject.
func (a *API) adminReject(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	return none, a.deed(c, func(tx *store.Tx) error { return orMissing(community.Decline(tx, c.me.ID, id, "")) })
}

// adminErase answers DELETE /api/v1/admin/accounts/{id}: for good.
func (a *API) adminErase(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	return none, a.deed(c, func(tx *store.Tx) error {
		if err := community.Moderate(tx, c.me, id, community.ModerateNothing, ""); err != nil {
			return orMissing(err)
		}
		return orMissing(community.DeleteAccount(tx, c.me.ID, id, ""))
	})
}

// adminAction answers POST /api/v1/admin/accounts/{id}/action; a report that it
// names is resolved by it.
func (a *API) adminAction(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	what := community.Moderation(c.Get("type"))
	if what != community.ModerateNothing && what != community.ModerateDisable && what != community.ModerateSuspend {
		return nil, fault.Invalidf("type", "This server knows the actions none, disable and suspend.")
	}
	return none, a.deed(c, func(tx *store.Tx) error {
		if err := community.Moderate(tx, c.me, id, what, c.Get("text")); err != nil {
			return orMissing(err)
		}
		if report := c.ids("report_id"); len(report) > 0 {
			return orMissing(community.ResolveReport(tx, c.me, report[0]))
		}
		return nil
	})
}

// AdminReport is Mastodon's Admin::Report entity.
type AdminReport struct {
	ID              int64               `json:"id,string"`
	ActionTaken     bool                `json:"action_taken"`
	ActionTakenAt   *stamp              `json:"action_taken_at"`
	Category        string              `json:"category"`
	Comment         string              `json:"comment"`
	Forwarded       bool                `json:"forwarded"`
	CreatedAt       stamp               `json:"created_at"`
	UpdatedAt       stamp               `json:"updated_at"`
	Account         *AdminAccount       `json:"account"`
	TargetAccount   *AdminAccount       `json:"target_account"`
	AssignedAccount *AdminAccount       `json:"assigned_account"`
	TakenBy         *AdminAccount       `json:"action_taken_by_account"`
	Statuses        []Status            `json:"statuses"`
	Rules           []map[string]string `json:"rules"`
}

// adminCategory is the word that moderation tools have for a category. What
// identifies a child has none of its own there; it breaks the rules.
func adminCategory(r community.ReportCategory) string {
	switch r {
	case community.ReportSpam:
		return "spam"
	case community.ReportConduct, community.ReportChild:
		return "violation"
	}
	return "other"
}

func (a *API) adminReportsShaped(tx *store.Tx, c *call, views []community.ReportView) ([]AdminReport, error) {
	var ids []int64
	for _, v := range views {
		for _, who := range []*community.Account{v.Reporter, &v.Target, v.Assigned, v.Resolver} {
			if who != nil {
				ids = append(ids, who.ID)
			}
		}
	}
	people, err := community.AdminAccountsByID(tx, c.me, ids)
	if err != nil {
		return nil, err
	}
	shaped, err := a.adminShaped(tx, c, people)
	if err != nil {
		return nil, err
	}
	known := make(map[int64]*AdminAccount, len(shaped))
	for i := range shaped {
		known[shaped[i].ID] = &shaped[i]
	}
	find := func(who *community.Account) *AdminAccount {
		if who == nil {
			return nil
		}
		return known[who.ID]
	}
	out := make([]AdminReport, len(views))
	for i, v := range views {
		out[i] = AdminReport{ID: v.ID, ActionTaken: !v.Open(), ActionTakenAt: stampOrNull(v.ResolvedAt), Category: adminCategory(v.Category), Comment: v.Comment,
			Forwarded: v.ForwardedAt != nil, CreatedAt: stampOf(v.CreatedAt), UpdatedAt: stampOf(v.CreatedAt), Account: find(v.Reporter), TargetAccount: find(&v.Target),
			AssignedAccount: find(v.Assigned), TakenBy: find(v.Resolver), Statuses: a.statuses(c, v.About), Rules: []map[string]string{}}
		if v.ResolvedAt != nil {
			out[i].UpdatedAt = stampOf(*v.ResolvedAt)
		}
	}
	return out, nil
}

// adminReports answers GET /api/v1/admin/reports.
func (a *API) adminReports(c *call) (any, error) {
	f := community.ReportFilter{Resolved: c.flag("resolved", false)}
	for name, into := range map[string]*int64{"account_id": &f.By, "target_account_id": &f.Target} {
		if id := c.ids(name); len(id) > 0 {
			*into = id[0]
		}
	}
	page := c.page(100, 200)
	out := []AdminReport{}
	err := a.read(c, func(tx *store.Tx) error {
		views, err := community.ReportsPage(tx, c.me, f, page)
		if err != nil {
			return err
		}
		if n := len(views); n > 0 {
			a.link(c, page, n, views[0].ID, views[n-1].ID)
		}
		out, err = a.adminReportsShaped(tx, c, views)
		return err
	})
	return out, err
}

// adminReport answers with a report, after what is done about it.
func (a *API) adminReport(deed func(tx *store.Tx, c *call, id int64) error) endpoint {
	return func(c *call) (any, error) {
		id, err := c.idOf("id")
		if err != nil {
			return nil, err
		}
		run := a.read
		if deed != nil {
			run = a.deed
		}
		var out AdminReport
		err = run(c, func(tx *store.Tx) error {
			if deed != nil {
				if err := deed(tx, c, id); err != nil {
					return orMissing(err)
				}
			}
			view, err := community.ReportByID(tx, c.me, id)
			if err != nil {
				return orMissing(err)
			}
			shaped, err := a.adminReportsShaped(tx, c, []community.ReportView{view})
			if err == nil {
				out = shaped[0]
			}
			return err
		})
		return out, err
	}
}

// sortReport is what PUT /api/v1/admin/reports/{id} changes.
func sortReport(tx *store.Tx, c *call, id int64) error {
	if !c.Has("category") {
		return nil
	}
	for _, known := range categories {
		if known.name == c.Get("category") {
			return community.SortReport(tx, c.me, id, known.category)
		}
	}
	return fault.Invalidf("category", "This server does not know the category %q. Choose spam, violation, legal or other.", c.Get("category"))
}

// DomainAllow is Mastodon's Admin::DomainAllow entity.
type DomainAllow struct {
	ID        int64  `json:"id,string"`
	Domain    string `json:"domain"`
	CreatedAt stamp  `json:"created_at"`
}

// DomainBlock is Mastodon's Admin::DomainBlock entity. A block has the severity
// suspend. An allowed server whose posts are shown to followers only is one of
// the severity silence; one whose pictures are left out or whose reports are
// refused, and no more, is one of noop. Such a server is among the allowed, too.
type DomainBlock struct {
	ID             int64   `json:"id,string"`
	Domain         string  `json:"domain"`
	Digest         string  `json:"digest"`
	CreatedAt      stamp   `json:"created_at"`
	Severity       string  `json:"severity"`
	RejectMedia    bool    `json:"reject_media"`
	RejectReports  bool    `json:"reject_reports"`
	PrivateComment *string `json:"private_comment"`
	PublicComment  *string `json:"public_comment"`
	Obfuscate      bool    `json:"obfuscate"`
}

func hostShaped(p peers.Peer) DomainAllow {
	return DomainAllow{ID: p.ID, Domain: p.Host, CreatedAt: stampOf(p.CreatedAt)}
}

func blockShaped(p peers.Peer) DomainBlock {
	sum := sha256.Sum256([]byte(p.Host))
	b := DomainBlock{ID: p.ID, Domain: p.Host, Digest: hex.EncodeToString(sum[:]), CreatedAt: stampOf(p.CreatedAt), Severity: "suspend", RejectMedia: true, RejectReports: true,
		PrivateComment: text(p.Note), PublicComment: text(cmp.Or(p.PublicNote, p.Reason))}
	if p.Standing != peers.Blocked {
		b.Severity, b.RejectMedia, b.RejectReports, b.PublicComment = "noop", p.Media == peers.MediaStrip, p.ReportsIn == peers.ReportsRefuse, text(p.PublicNote)
		if p.Silenced {
			b.Severity = "silence"
		}
	}
	return b
}

// shaped is an entry as one of the two lists has it.
func shaped(p peers.Peer, s peers.Standing) any {
	if s == peers.Blocked {
		return blockShaped(p)
	}
	return hostShaped(p)
}

// hostEntry returns the entry of that number in one of the two lists.
func hostEntry(tx *store.Tx, id int64, s peers.Standing) (peers.Peer, error) {
	if s == peers.Blocked {
		return peers.LimitByID(tx, id)
	}
	return peers.ByID(tx, id, s)
}

// managesPeers refuses whoever does not decide which servers to talk to.
func (c *call) managesPeers() error {
	if !c.access.Person.User.Role.MayManagePeers() {
		return notAllowed()
	}
	return nil
}

// adminHosts answers GET /api/v1/admin/domain_allows and domain_blocks.
func (a *API) adminHosts(s peers.Standing) endpoint {
	return func(c *call) (any, error) {
		if err := c.managesPeers(); err != nil {
			return nil, err
		}
		page := c.page(100, 200)
		out := []any{}
		err := a.read(c, func(tx *store.Tx) error {
			entries, err := peers.Entries(tx, s, page)
			if s == peers.Blocked {
				entries, err = peers.Limits(tx, page)
			}
			if err != nil {
				return err
			}
			if n := len(entries); n > 0 {
				a.link(c, page, n, entries[0].ID, entries[n-1].ID)
			}
			for _, p := range entries {
				out = append(out, shaped(p, s))
			}
			return nil
		})
		return out, err
	}
}

// adminHost answers with one entry.
func (a *API) adminHost(s peers.Standing) endpoint {
	return func(c *call) (any, error) {
		if err := c.managesPeers(); err != nil {
			return nil, err
		}
		id, err := c.idOf("id")
		if err != nil {
			return nil, err
		}
		var p peers.Peer
		err = a.read(c, func(tx *store.Tx) (err error) {
			p, err = hostEntry(tx, id, s)
			return err
		})
		return shaped(p, s), orMissing(err)
	}
}

// adminAllow answers POST /api/v1/admin/domain_allows. What was decided about a
// server before stays, where it is allowed already.
func (a *API) adminAllow(c *call) (any, error) {
	if err := c.managesPeers(); err != nil {
		return nil, err
	}
	var p peers.Peer
	err := a.deed(c, func(tx *store.Tx) error {
		host, err := peers.Normalise(tx, c.Get("domain"))
		if err != nil {
			return err
		}
		if p, err = peers.Get(tx, host); err == nil && p.Standing == peers.Allowed {
			return nil
		}
		if err == nil && p.Standing != peers.Blocked { // it was connected before, under a policy of its own
			p, err = peers.Resume(tx, c.me.ID, host, peers.Ending{})
			return err
		}
		p, err = peers.Allow(tx, c.me.ID, host, peers.Entry{})
		return err
	})
	return hostShaped(p), err
}

// blocking is what a client says of a block.
func (c *call) blocking(was peers.Peer) peers.Entry {
	e := peers.Entry{Label: was.Label, Kind: was.Kind, Note: was.Note, PublicNote: was.PublicNote, Reason: was.Reason, Unexplained: true}
	if c.Has("private_comment") {
		e.Note = c.Get("private_comment")
	}
	if c.Has("public_comment") {
		e.PublicNote, e.Reason = c.Get("public_comment"), c.Get("public_comment")
	}
	return e
}

// severity is how hard a client wants a block to be; was is what holds.
func (c *call) severity(was string) (string, error) {
	switch s := c.Get("severity"); s {
	case "":
		return was, nil
	case "suspend", "silence", "noop":
		return s, nil
	}
	return "", fault.Invalidf("severity", "The severity can be suspend, silence or noop.")
}

// limiting changes the policy of an allowed server as a client says: silence and
// noop are parts of it here.
func (c *call) limiting(tx *store.Tx, host, severity string) (peers.Peer, error) {
	return peers.Edit(tx, c.me.ID, host, c.Get("public_comment"), func(e *peers.Entry) error {
		return c.limit(e, severity)
	})
}

func (c *call) limit(e *peers.Entry, severity string) error {
	usual := e.Policy.Preset.Policy()
	e.Policy.Silenced = severity == "silence"
	if c.Has("reject_media") {
		if e.Policy.Media = usual.Media; c.flag("reject_media", false) {
			e.Policy.Media = peers.MediaStrip
		}
	}
	if c.Has("reject_reports") {
		if e.Policy.ReportsIn = usual.ReportsIn; c.flag("reject_reports", false) {
			e.Policy.ReportsIn = peers.ReportsRefuse
		}
	}
	if c.Has("private_comment") {
		e.Note = c.Get("private_comment")
	}
	if c.Has("public_comment") {
		e.PublicNote = c.Get("public_comment")
	}
	return nil
}

// adminBlock answers POST /api/v1/admin/domain_blocks.
func (a *API) adminBlock(c *call) (any, error) {
	if err := c.managesPeers(); err != nil {
		return nil, err
	}
	severity, err := c.severity("suspend")
	if err != nil {
		return nil, err
	}
	var p peers.Peer
	err = a.deed(c, func(tx *store.Tx) error {
		host, err := peers.Normalise(tx, c.Get("domain"))
		if err != nil {
			return err
		}
		was, err := peers.Get(tx, host)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if was.Standing == peers.Blocked || severity != "suspend" && was.Limited() {
			return fault.Invalidf("domain", "%s is blocked already.", host)
		}
		switch {
		case severity == "suspend":
			p, err = community.BlockHost(tx, c.me.ID, host, c.blocking(peers.Peer{}))
		case was.Standing == peers.Allowed:
			p, err = c.limiting(tx, host, severity)
		default:
			p, err = c.letIn(tx, host, severity)
		}
		return err
	})
	return blockShaped(p), err
}

// letIn makes an entry for a server that only an open one talks to. Where
// servers are talked to by name only, a milder block must not become a way in.
func (c *call) letIn(tx *store.Tx, host, severity string) (peers.Peer, error) {
	mode, err := peers.ModeOf(tx)
	if err != nil {
		return peers.Peer{}, err
	}
	if mode != peers.Open {
		return peers.Peer{}, fault.Invalidf("severity", "Nothing is exchanged with %s, so that there is nothing to limit. Allow it first, or send suspend.", host)
	}
	full := peers.FullPolicy(peers.CeilingPublic)
	e := peers.Entry{Policy: &full}
	if err := c.limit(&e, severity); err != nil {
		return peers.Peer{}, err
	}
	return peers.Allow(tx, c.me.ID, host, e)
}

// adminReblock answers PUT /api/v1/admin/domain_blocks/{id}.
func (a *API) adminReblock(c *call) (any, error) {
	if err := c.managesPeers(); err != nil {
		return nil, err
	}
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var p peers.Peer
	err = a.deed(c, func(tx *store.Tx) error {
		was, err := peers.LimitByID(tx, id)
		if err != nil {
			return orMissing(err)
		}
		severity, err := c.severity(blockShaped(was).Severity)
		switch {
		case err != nil:
		case severity == "suspend":
			p, err = community.BlockHost(tx, c.me.ID, was.Host, c.blocking(was))
		case was.Standing == peers.Blocked:
			p, err = c.letIn(tx, was.Host, severity)
		default:
			p, err = c.limiting(tx, was.Host, severity)
		}
		return err
	})
	return blockShaped(p), err
}

// adminForget answers DELETE of an entry: nothing is decided about the server
// any more.
func (a *API) adminForget(s peers.Standing) endpoint {
	return func(c *call) (any, error) {
		if err := c.managesPeers(); err != nil {
			return nil, err
		}
		id, err := c.idOf("id")
		if err != nil {
			return nil, err
		}
		return none, a.deed(c, func(tx *store.Tx) error {
			p, err := hostEntry(tx, id, s)
			if err != nil {
				return orMissing(err)
			}
			if s == peers.Blocked && p.Standing != peers.Blocked { // the limits end, and the server stays allowed
				_, err = peers.Edit(tx, c.me.ID, p.Host, "", func(e *peers.Entry) error {
					usual := e.Policy.Preset.Policy()
					e.Policy.Silenced, e.Policy.Media, e.Policy.ReportsIn = false, usual.Media, usual.ReportsIn
					return nil
				})
				return err
			}
			return peers.Remove(tx, c.me.ID, p.Host, "")
		})
	}
}
