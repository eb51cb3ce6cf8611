package mastodon

import (
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) reportRoutes(r *routes) {
	r.HandleFunc("/api/v1/reports", a.members("write:reports", a.report)).Methods(http.MethodPost)
}

// Report is Mastodon's Report entity, as its maker is shown it.
type Report struct {
	ID            int64    `json:"id,string"`
	ActionTaken   bool     `json:"action_taken"`
	ActionTakenAt *stamp   `json:"action_taken_at"`
	Category      string   `json:"category"`
	Comment       string   `json:"comment"`
	Forwarded     bool     `json:"forwarded"` // what the maker wished: a moderator decides
	CreatedAt     stamp    `json:"created_at"`
	StatusIDs     []string `json:"status_ids"`
	RuleIDs       []string `json:"rule_ids"`
	TargetAccount Account  `json:"target_account"`
}

// categories are Mastodon's words and ours for the same. It has none for what
// identifies a child.
var categories = []struct {
	name     string
	category community.ReportCategory
}{
	{"spam", community.ReportSpam},
	{"violation", community.ReportConduct},
	{"legal", community.ReportOther},
	{"other", community.ReportOther},
}

// report answers POST /api/v1/reports.
func (a *API) report(c *call) (any, error) {
	target := c.ids("account_id")
	if len(target) == 0 {
		return nil, notFound()
	}
	d := community.ReportDraft{TargetID: target[0], Posts: c.ids("status_ids"), Comment: c.Get("comment"), Forward: c.flag("forward", false),
		Category: community.ReportOther}
	out := Report{Category: "other"}
	if len(c.list("rule_ids")) > 0 {
		d.Category, out.Category = community.ReportConduct, "violation"
	}
	for _, known := range categories {
		if known.name == c.Get("category") {
			d.Category, out.Category = known.category, known.name
		}
	}
	err := a.deed(c, func(tx *store.Tx) error {
		r, err := community.MakeReport(tx, c.me, d)
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
			return notFound()
		}
		if err != nil {
			return err
		}
		shown, err := a.accounts(tx, c, []int64{r.TargetID})
		if err != nil {
			return err
		}
		if len(shown) == 0 {
			return notFound()
		}
		out.ID, out.Comment, out.Forwarded, out.CreatedAt, out.TargetAccount = r.ID, r.Comment, r.Forward, stampOf(r.CreatedAt), shown[0]
		out.StatusIDs, out.RuleIDs = []string{}, []string{}
		for _, id := range r.Posts {
			out.StatusIDs = append(out.StatusIDs, idText(id))
		}
		return nil
	})
	return out, err
}
