package mastodon

import (
	"net/http"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) filterRoutes(r *routes) {
	on := func(method, path string, fn endpoint) {
		scope := "write:filters"
		if method == http.MethodGet {
			scope = "read:filters"
		}
		r.HandleFunc("/api"+path, a.members(scope, fn)).Methods(methods(method)...)
	}
	const id = "/{id:[0-9]+}"
	on(http.MethodGet, "/v2/filters", a.filters)
	on(http.MethodPost, "/v2/filters", a.createFilter)
	on(http.MethodGet, "/v2/filters"+id, a.filter)
	on(http.MethodPut, "/v2/filters"+id, a.updateFilter)
	on(http.MethodDelete, "/v2/filters"+id, a.deleteFilter)
	on(http.MethodGet, "/v2/filters"+id+"/keywords", a.filterKeywords)
	on(http.MethodPost, "/v2/filters"+id+"/keywords", a.addKeyword)
	on(http.MethodGet, "/v2/filters/keywords"+id, a.keyword)
	on(http.MethodPut, "/v2/filters/keywords"+id, a.changeKeyword)
	on(http.MethodDelete, "/v2/filters/keywords"+id, a.deleteKeyword)
	on(http.MethodGet, "/v2/filters"+id+"/statuses", a.filterStatuses)
	on(http.MethodPost, "/v2/filters"+id+"/statuses", a.addFilterStatus)
	on(http.MethodGet, "/v2/filters/statuses"+id, a.filterStatus)
	on(http.MethodDelete, "/v2/filters/statuses"+id, a.deleteFilterStatus)
	on(http.MethodGet, "/v1/filters", a.filtersV1)
	on(http.MethodPost, "/v1/filters", a.createFilterV1)
	on(http.MethodGet, "/v1/filters"+id, a.filterV1)
	on(http.MethodPut, "/v1/filters"+id, a.updateFilterV1)
	on(http.MethodDelete, "/v1/filters"+id, a.deleteFilterV1)
}

// Filter is Mastodon's Filter entity. What it names is left out where it
// explains why a status was filtered.
type Filter struct {
	ID           int64                     `json:"id,string"`
	Title        string                    `json:"title"`
	Context      []community.FilterContext `json:"context"`
	ExpiresAt    *stamp                    `json:"expires_at"`
	FilterAction string                    `json:"filter_action"`
	Keywords     []FilterKeyword           `json:"keywords,omitzero"`
	Statuses     []FilterStatus            `json:"statuses,omitzero"`
}

// FilterKeyword is Mastodon's FilterKeyword entity.
type FilterKeyword struct {
	ID        int64  `json:"id,string"`
	Keyword   string `json:"keyword"`
	WholeWord bool   `json:"whole_word"`
}

// FilterStatus is Mastodon's FilterStatus entity.
type FilterStatus struct {
	ID       int64 `json:"id,string"`
	StatusID int64 `json:"status_id,string"`
}

// FilterResult says which filter is about a status, and why.
type FilterResult struct {
	Filter         Filter   `json:"filter"`
	KeywordMatches []string `json:"keyword_matches"`
	StatusMatches  []string `json:"status_matches"`
}

// V1Filter is a word of a filter, as clients before Mastodon 4.0 have it.
type V1Filter struct {
	ID           int64                     `json:"id,string"`
	Phrase       string                    `json:"phrase"`
	Context      []community.FilterContext `json:"context"`
	WholeWord    bool                      `json:"whole_word"`
	ExpiresAt    *stamp                    `json:"expires_at"`
	Irreversible bool                      `json:"irreversible"`
}

func filterAlone(f community.Filter) Filter {
	return Filter{ID: f.ID, Title: f.Title, Context: f.In(), ExpiresAt: stampOrNull(f.ExpiresAt), FilterAction: string(f.Action)}
}

func filterOf(f community.Filter) Filter {
	out := filterAlone(f)
	out.Keywords, out.Statuses = make([]FilterKeyword, 0, len(f.Keywords)), make([]FilterStatus, 0, len(f.Posts))
	for _, k := range f.Keywords {
		out.Keywords = append(out.Keywords, keywordOf(k))
	}
	for _, p := range f.Posts {
		out.Statuses = append(out.Statuses, FilterStatus{ID: p.ID, StatusID: p.PostID})
	}
	return out
}

func keywordOf(k community.FilterKeyword) FilterKeyword {
	return FilterKeyword{ID: k.ID, Keyword: k.Keyword, WholeWord: k.WholeWord}
}

func filterV1Of(k community.FilterKeyword, f community.Filter) V1Filter {
	return V1Filter{ID: k.ID, Phrase: k.Keyword, Context: f.In(), WholeWord: k.WholeWord, ExpiresAt: stampOrNull(f.ExpiresAt), Irreversible: f.Action == community.FilterHide}
}

// filtered is what the reader's filters have found of a status. It is told for
// every context, and also of what is to be hidden: which list a status stands
// in, and so whether the filter counts there, is known to the client.
//
// Mastodon's documentation, "FilterResult".
func filtered(matches []community.FilterMatch) []FilterResult {
	out := make([]FilterResult, len(matches))
	for i, m := range matches {
		out[i] = FilterResult{Filter: filterAlone(m.Filter), KeywordMatches: append([]string{}, m.Keywords...), StatusMatches: []string{}}
		for _, id := range m.Posts {
			out[i].StatusMatches = append(out[i].StatusMatches, idText(id))
		}
	}
	return out
}

// askedFor answers with what a question or deed finds; what is not the caller's is
// not there.
func askedFor[T, E any](run func(c *call, fn func(tx *store.Tx) error) error, c *call, fn func(tx *store.Tx, id int64) (T, error), entity func(T) E) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var found T
	err = run(c, func(tx *store.Tx) (err error) {
		found, err = fn(tx, id)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil, notFound()
	}
	if err != nil {
		return nil, err
	}
	return entity(found), nil
}

// filters answers GET /api/v2/filters.
func (a *API) filters(c *call) (any, error) {
	out := []Filter{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.FiltersOf(tx, c.me.ID)
		for _, f := range list {
			out = append(out, filterOf(f))
		}
		return err
	})
	return out, err
}

// filter answers GET /api/v2/filters/{id}.
func (a *API) filter(c *call) (any, error) {
	return askedFor(a.read, c, func(tx *store.Tx, id int64) (community.Filter, error) {
		return community.FilterOf(tx, c.me.ID, id)
	}, filterOf)
}

// filterForm reads what is said of a filter; what is not stays as it was.
func (c *call) filterForm(was community.Filter, now time.Time) (community.FilterForm, error) {
	f := community.FilterForm{Title: was.Title, Action: was.Action, Contexts: was.In(), ExpiresAt: was.ExpiresAt}
	if c.Has("title") {
		f.Title = c.Get("title")
	}
	if action := c.Get("filter_action"); action != "" {
		f.Action = community.FilterAction(action)
	}
	if contexts := c.list("context"); len(contexts) > 0 {
		f.Contexts = nil
		for _, word := range contexts {
			f.Contexts = append(f.Contexts, community.FilterContext(word))
		}
	}
	switch in := c.Get("expires_in"); {
	case in == "" && (c.Has("expires_in") || c.null("expires_in")):
		f.ExpiresAt = nil
	case in != "":
		seconds, err := strconv.ParseInt(in, 10, 32)
		if err != nil {
			return f, fault.Invalidf("expires_in", "Say in seconds when the filter ends.")
		}
		end := now.Add(time.Duration(seconds) * time.Second)
		f.ExpiresAt = &end
	}
	return f, nil
}

// keywordForms reads the words of a filter, as a new filter has them by default.
func (c *call) keywordForms() []community.KeywordForm {
	var out []community.KeywordForm
	for _, o := range c.objects("keywords_attributes") {
		id, _ := strconv.ParseInt(o.Get("id"), 10, 64)
		out = append(out, community.KeywordForm{ID: id, Keyword: o.Get("keyword"), WholeWord: o.flag("whole_word", true), Gone: o.flag("_destroy", false)})
	}
	return out
}

// createFilter answers POST /api/v2/filters.
func (a *API) createFilter(c *call) (any, error) {
	var f community.Filter
	err := a.deed(c, func(tx *store.Tx) error {
		form, err := c.filterForm(community.Filter{Action: community.FilterWarn}, tx.Now)
		if err != nil {
			return err
		}
		form.Keywords = c.keywordForms()
		f, err = community.CreateFilter(tx, c.me, form)
		return err
	})
	return filterOf(f), err
}

// updateFilter answers PUT /api/v2/filters/{id}.
func (a *API) updateFilter(c *call) (any, error) {
	return askedFor(a.deed, c, func(tx *store.Tx, id int64) (community.Filter, error) {
		was, err := community.FilterOf(tx, c.me.ID, id)
		if err != nil {
			return was, err
		}
		form, err := c.filterForm(was, tx.Now)
		if err != nil {
			return was, err
		}
		form.Keywords = c.keywordForms()
		for i, k := range form.Keywords { // a word that is named by its number alone stays as it is
			for _, have := range was.Keywords {
				if have.ID == k.ID && k.Keyword == "" {
					form.Keywords[i].Keyword = have.Keyword
				}
			}
		}
		return community.UpdateFilter(tx, c.me, id, form)
	}, filterOf)
}

func nothing[T any](T) struct{} { return none }

// deleteFilter answers DELETE /api/v2/filters/{id}.
func (a *API) deleteFilter(c *call) (any, error) {
	return askedFor(a.deed, c, func(tx *store.Tx, id int64) (bool, error) {
		return true, community.DeleteFilter(tx, c.me, id)
	}, nothing)
}

// filterKeywords answers GET /api/v2/filters/{id}/keywords.
func (a *API) filterKeywords(c *call) (any, error) {
	return askedFor(a.read, c, func(tx *store.Tx, id int64) (community.Filter, error) {
		return community.FilterOf(tx, c.me.ID, id)
	}, func(f community.Filter) []FilterKeyword { return filterOf(f).Keywords })
}

// addKeyword answers POST /api/v2/filters/{id}/keywords.
func (a *API) addKeyword(c *call) (any, error) {
	return askedFor(a.deed, c, func(tx *store.Tx, id int64) (community.FilterKeyword, error) {
		return community.ChangeKeyword(tx, c.me, id, community.KeywordForm{Keyword: c.Get("keyword"), WholeWord: c.flag("whole_word", true)})
	}, keywordOf)
}

// keyword answers GET /api/v2/filters/keywords/{id}.
func (a *API) keyword(c *call) (any, error) {
	return askedFor(a.read, c, func(tx *store.Tx, id int64) (community.FilterKeyword, error) {
		k, _, err := community.KeywordOf(tx, c.me.ID, id)
		return k, err
	}, keywordOf)
}

// changeKeyword answers PUT /api/v2/filters/keywords/{id}.
func (a *API) changeKeyword(c *call) (any, error) {
	return askedFor(a.deed, c, func(tx *store.Tx, id int64) (community.FilterKeyword, error) {
		k, f, err := community.KeywordOf(tx, c.me.ID, id)
		if err != nil {
			return k, err
		}
		form := community.KeywordForm{ID: k.ID, Keyword: k.Keyword, WholeWord: c.flag("whole_word", k.WholeWord)}
		if c.Has("keyword") {
			form.Keyword = c.Get("keyword")
		}
		return community.ChangeKeyword(tx, c.me, f.ID, form)
	}, keywordOf)
}

// deleteKeyword answers DELETE /api/v2/filters/keywords/{id}.
func (a *API) deleteKeyword(c *call) (any, error) {
	return askedFor(a.deed, c, func(tx *store.Tx, id int64) (community.FilterKeyword, error) {
		k, f, err := community.KeywordOf(tx, c.me.ID, id)
		if err != nil {
			return k, err
		}
		return community.ChangeKeyword(tx, c.me, f.ID, community.KeywordForm{ID: k.ID, Gone: true})
	}, nothing)
}

func filterStatusOf(p community.FilterPost) FilterStatus {
	return FilterStatus{ID: p.ID, StatusID: p.PostID}
}

// filterStatuses answers GET /api/v2/filters/{id}/statuses.
func (a *API) filterStatuses(c *call) (any, error) {
	return askedFor(a.read, c, func(tx *store.Tx, id int64) (community.Filter, error) {
		return community.FilterOf(tx, c.me.ID, id)
	}, func(f community.Filter) []FilterStatus { return filterOf(f).Statuses })
}

// addFilterStatus answers POST /api/v2/filters/{id}/statuses.
func (a *API) addFilterStatus(c *call) (any, error) {
	post, err := strconv.ParseInt(c.Get("status_id"), 10, 64)
	if err != nil {
		return nil, notFound()
	}
	return askedFor(a.deed, c, func(tx *store.Tx, id int64) (community.FilterPost, error) {
		return community.FilterOut(tx, c.me, id, post)
	}, filterStatusOf)
}

// filterStatus answers GET /api/v2/filters/statuses/{id}.
func (a *API) filterStatus(c *call) (any, error) {
	return askedFor(a.read, c, func(tx *store.Tx, id int64) (community.FilterPost, error) {
		return community.FilteredPostOf(tx, c.me.ID, id)
	}, filterStatusOf)
}

// deleteFilterStatus answers DELETE /api/v2/filters/statuses/{id} with what it was.
func (a *API) deleteFilterStatus(c *call) (any, error) {
	return askedFor(a.deed, c, func(tx *store.Tx, id int64) (community.FilterPost, error) {
		return community.FilterIn(tx, c.me, id)
	}, filterStatusOf)
}

// filtersV1 answers GET /api/v1/filters: each word of each filter is one there.
func (a *API) filtersV1(c *call) (any, error) {
	out := []V1Filter{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.FiltersOf(tx, c.me.ID)
		for _, f := range list {
			for _, k := range f.Keywords {
				out = append(out, filterV1Of(k, f))
			}
		}
		return err
	})
	return out, err
}

// wordOf is a word with its filter, which is what the first version calls a filter.
type wordOf struct {
	word   community.FilterKeyword
	filter community.Filter
}

func (w wordOf) v1() V1Filter { return filterV1Of(w.word, w.filter) }

func findWord(tx *store.Tx, me, id int64) (w wordOf, err error) {
	w.word, w.filter, err = community.KeywordOf(tx, me, id)
	return w, err
}

// filterV1 answers GET /api/v1/filters/{id}.
func (a *API) filterV1(c *call) (any, error) {
	return askedFor(a.read, c, func(tx *store.Tx, id int64) (wordOf, error) { return findWord(tx, c.me.ID, id) }, wordOf.v1)
}

// formV1 reads the first version's form: what it calls irreversible hides.
func (c *call) formV1(was community.Filter, now time.Time) (community.FilterForm, error) {
	if c.Has("irreversible") {
		c.Set("filter_action", string(community.FilterWarn))
		if c.flag("irreversible", false) {
			c.Set("filter_action", string(community.FilterHide))
		}
	}
	if phrase := c.Get("phrase"); phrase != "" && was.ID == 0 {
		short := []rune(phrase)
		c.Set("title", string(short[:min(len(short), community.MaxFilterTitle)]))
	}
	return c.filterForm(was, now)
}

// createFilterV1 answers POST /api/v1/filters.
func (a *API) createFilterV1(c *call) (any, error) {
	var f community.Filter
	err := a.deed(c, func(tx *store.Tx) error {
		form, err := c.formV1(community.Filter{Action: community.FilterWarn}, tx.Now)
		if err != nil {
			return err
		}
		form.Keywords = []community.KeywordForm{{Keyword: c.Get("phrase"), WholeWord: c.flag("whole_word", false)}}
		f, err = community.CreateFilter(tx, c.me, form)
		return err
	})
	if err != nil {
		return nil, err
	}
	return filterV1Of(f.Keywords[0], f), nil
}

// updateFilterV1 answers PUT /api/v1/filters/{id}. Of a filter with several
// words only the word can be changed, for the rest is said of all of them.
func (a *API) updateFilterV1(c *call) (any, error) {
	return askedFor(a.deed, c, func(tx *store.Tx, id int64) (wordOf, error) {
		w, err := findWord(tx, c.me.ID, id)
		if err != nil {
			return w, err
		}
		form, err := c.formV1(w.filter, tx.Now)
		if err != nil {
			return w, err
		}
		if len(w.filter.Keywords) > 1 && (form.Action != w.filter.Action || !sameContexts(form.Contexts, w.filter.In()) || !sameMoment(form.ExpiresAt, w.filter.ExpiresAt)) {
			return w, fault.New(fault.Invalid, "This filter has several words. Change it in an app that knows such filters.")
		}
		k := community.KeywordForm{ID: w.word.ID, Keyword: w.word.Keyword, WholeWord: c.flag("whole_word", w.word.WholeWord)}
		if c.Has("phrase") {
			k.Keyword = c.Get("phrase")
		}
		form.Keywords = []community.KeywordForm{k}
		if _, err = community.UpdateFilter(tx, c.me, w.filter.ID, form); err != nil {
			return w, err
		}
		return findWord(tx, c.me.ID, id)
	}, wordOf.v1)
}

func sameContexts(a, b []community.FilterContext) bool {
	has := map[community.FilterContext]bool{}
	for _, c := range a {
		has[c] = true
	}
	for _, c := range b {
		if !has[c] {
			return false
		}
		delete(has, c)
	}
	return len(has) == 0
}

func sameMoment(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }

// deleteFilterV1 answers DELETE /api/v1/filters/{id}: the filter goes with its
// last word.
func (a *API) deleteFilterV1(c *call) (any, error) {
	return askedFor(a.deed, c, func(tx *store.Tx, id int64) (bool, error) {
		w, err := findWord(tx, c.me.ID, id)
		switch {
		case err != nil:
			return false, err
		case len(w.filter.Keywords) == 1 && len(w.filter.Posts) == 0:
			return true, community.DeleteFilter(tx, c.me, w.filter.ID)
		}
		_, err = community.ChangeKeyword(tx, c.me, w.filter.ID, community.KeywordForm{ID: id, Gone: true})
		return true, err
	}, nothing)
}
