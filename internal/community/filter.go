package community

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// How many filters somebody can have, how many words and posts all of them
// together can name, and how long the words are.
const (
	MaxFilters        = 100
	MaxFilterKeywords = 500
	MaxFilterPosts    = 500
	MaxFilterTitle    = 256
	MaxFilterKeyword  = 512
)

// FilterAction is what becomes of a post that a filter is about.
type FilterAction string

// The actions. The pages blur as they warn: a picture is part of what is folded.
const (
	FilterWarn FilterAction = "warn" // folded, under the filter's title
	FilterHide FilterAction = "hide" // not shown at all
	FilterBlur FilterAction = "blur" // its pictures are folded
)

// FilterContext is a place where a filter counts.
type FilterContext string

// The contexts, as Mastodon's API names them.
const (
	FilterHome          FilterContext = "home" // lists too
	FilterNotifications FilterContext = "notifications"
	FilterPublic        FilterContext = "public"
	FilterThread        FilterContext = "thread"
	FilterAccount       FilterContext = "account"
)

// FilterContexts lists all contexts.
func FilterContexts() []FilterContext {
	return []FilterContext{FilterHome, FilterNotifications, FilterPublic, FilterThread, FilterAccount}
}

// Filter is what somebody here does not want to read, or not without a
// warning: posts with certain words, and certain posts.
type Filter struct {
	ID        int64
	AccountID int64
	Title     string
	Action    FilterAction
	Contexts  string // words with a comma between them
	ExpiresAt *time.Time
	CreatedAt time.Time

	Keywords []FilterKeyword `gorm:"-"`
	Posts    []FilterPost    `gorm:"-"`
}

// In lists where the filter counts.
func (f Filter) In() []FilterContext {
	var list []FilterContext
	for _, c := range FilterContexts() {
		if slices.Contains(strings.Split(f.Contexts, ","), string(c)) {
			list = append(list, c)
		}
	}
	return list
}

// Counts reports whether the filter counts at this moment.
func (f Filter) Counts(now time.Time) bool { return f.ExpiresAt == nil || f.ExpiresAt.After(now) }

// FilterKeyword is a word or phrase of a filter.
type FilterKeyword struct {
	ID        int64
	FilterID  int64
	Keyword   string
	WholeWord bool
}

// FilterPost is a single post that a filter is about.
type FilterPost struct {
	ID       int64
	FilterID int64
	PostID   int64
}

// FilterForm is what its owner can say of a filter.
type FilterForm struct {
	Title     string
	Action    FilterAction
	Contexts  []FilterContext
	ExpiresAt *time.Time
	Keywords  []KeywordForm
}

// KeywordForm is a word of a filter: a new one, or with an ID a change of one
// that is there.
type KeywordForm struct {
	ID        int64
	Keyword   string
	WholeWord bool
	Gone      bool // take it out
}

func (f FilterForm) check() error {
	var form fault.Check
	switch n := utf8.RuneCountInString(f.Title); {
	case n == 0:
		form.Add("title", "filter.title_missing", "Give the filter a title.", nil)
	case n > MaxFilterTitle:
		form.Add("title", "filter.title_long", "The title is too long: 256 characters at most.", map[string]any{"Max": MaxFilterTitle})
	}
	switch f.Action {
	case FilterWarn, FilterHide, FilterBlur:
	default:
		form.Add("filter_action", "filter.action_invalid", "Choose what becomes of posts that the filter is about.", nil)
	}
	if len(f.Contexts) == 0 || slices.ContainsFunc(f.Contexts, func(c FilterContext) bool { return !slices.Contains(FilterContexts(), c) }) {
		form.Add("context", "filter.contexts_invalid", "Choose where the filter counts.", nil)
	}
	for _, k := range f.Keywords {
		if !k.Gone {
			form.Take(k.check())
		}
	}
	return form.Err()
}

func (k KeywordForm) check() error {
	switch n := utf8.RuneCountInString(k.Keyword); {
	case strings.TrimSpace(k.Keyword) == "":
		return fault.Invalidf("keyword", "Enter the word or phrase.").WithKey("filter.keyword_missing", nil)
	case n > MaxFilterKeyword:
		return fault.Invalidf("keyword", "The phrase is too long: 512 characters at most.").WithKey("filter.keyword_long", map[string]any{"Max": MaxFilterKeyword})
	}
	return nil
}

func (f FilterForm) contexts() string {
	var words []string
	for _, c := range FilterContexts() {
		if slices.Contains(f.Contexts, c) {
			words = append(words, string(c))
		}
	}
	return strings.Join(words, ",")
}

func noSuchFilter() error {
	return fault.Keyed(fault.NotFound, "filter.not_found", "There is no such filter.", nil)
}

// FiltersOf returns all filters of me with all that they name.
func FiltersOf(tx *store.Tx, me int64) ([]Filter, error) {
	q, filters := filtersOf(me)
	if err := tx.Ask(q); err != nil {
		return nil, err
	}
	return filters(), nil
}

// filtersOf asks for all filters of me with all that they name, and returns
// them once that is answered.
func filtersOf(me int64) (store.Question, func() []Filter) {
	var list []Filter
	var words []FilterKeyword
	var posts []FilterPost
	q := store.Question{
		SQL: `SELECT 0 AS part, id AS filter_id, id, title, action, contexts, expires_at, created_at, 0 AS more FROM filters WHERE account_id = ?
			UNION ALL SELECT 1, filter_id, filter_keywords.id, keyword, '', '', NULL, NULL, CASE WHEN whole_word THEN 1 ELSE 0 END
				FROM filters JOIN filter_keywords ON filter_keywords.filter_id = filters.id WHERE account_id = ?
			UNION ALL SELECT 2, filter_id, filter_posts.id, '', '', '', NULL, NULL, post_id
				FROM filters JOIN filter_posts ON filter_posts.filter_id = filters.id WHERE account_id = ?`,
		Args: []any{me, me, me},
		Row: func(r *store.Row) {
			part, filter, id, word := r.Int(), r.Int(), r.Int(), r.Text()
			if part == 0 {
				list = append(list, Filter{ID: id, AccountID: me, Title: word, Action: FilterAction(r.Text()), Contexts: r.Text(), ExpiresAt: r.TimePtr(), CreatedAt: r.Time()})
				return
			}
			r.Skip(4)
			if more := r.Int(); part == 1 {
				words = append(words, FilterKeyword{ID: id, FilterID: filter, Keyword: word, WholeWord: more == 1})
			} else {
				posts = append(posts, FilterPost{ID: id, FilterID: filter, PostID: more})
			}
		},
	}
	return q, func() []Filter {
		slices.SortFunc(list, func(a, b Filter) int { return cmp.Compare(a.ID, b.ID) })
		slices.SortFunc(words, func(a, b FilterKeyword) int { return cmp.Compare(a.ID, b.ID) })
		slices.SortFunc(posts, func(a, b FilterPost) int { return cmp.Compare(a.PostID, b.PostID) })
		at := make(map[int64]*Filter, len(list))
		for i := range list {
			at[list[i].ID] = &list[i]
		}
		for _, k := range words {
			at[k.FilterID].Keywords = append(at[k.FilterID].Keywords, k)
		}
		for _, p := range posts {
			at[p.FilterID].Posts = append(at[p.FilterID].Posts, p)
		}
		return list
	}
}

// HasFilters reports whether me has any filter.
func HasFilters(tx *store.Tx, me int64) (bool, error) {
	var any bool
	err := tx.Raw("SELECT EXISTS (SELECT 1 FROM filters WHERE account_id = ?)", me).Scan(&any).Error
	return any, err
}

// fillFilters brings what filters name.
func fillFilters(tx *store.Tx, filters []Filter) error {
	if len(filters) == 0 {
		return nil
	}
	at := make(map[int64]*Filter, len(filters))
	ids := make([]int64, len(filters))
	for i := range filters {
		at[filters[i].ID], ids[i] = &filters[i], filters[i].ID
	}
	var words []FilterKeyword
	if err := tx.Where("filter_id IN ?", store.Even(ids)).Order("filter_id, id").Find(&words).Error; err != nil {
		return err
	}
	for _, k := range words {
		at[k.FilterID].Keywords = append(at[k.FilterID].Keywords, k)
	}
	var posts []FilterPost
	if err := tx.Where("filter_id IN ?", store.Even(ids)).Order("filter_id, post_id").Find(&posts).Error; err != nil {
		return err
	}
	for _, p := range posts {
		at[p.FilterID].Posts = append(at[p.FilterID].Posts, p)
	}
	return nil
}

// FilterOf returns a filter of me's with all that it names. Somebody else's is
// fault.NotFound.
func FilterOf(tx *store.Tx, me, id int64) (Filter, error) {
	found := make([]Filter, 1)
	if err := tx.Where("id = ? AND account_id = ?", id, me).Limit(1).Find(&found[0]).Error; err != nil {
		return Filter{}, err
	}
	if found[0].ID == 0 {
		return Filter{}, noSuchFilter()
	}
	err := fillFilters(tx, found)
	return found[0], err
}

// KeywordOf returns a word of one of me's filters, and the filter.
func KeywordOf(tx *store.Tx, me, id int64) (FilterKeyword, Filter, error) {
	var k FilterKeyword
	if err := tx.Where("id = ?", id).Limit(1).Find(&k).Error; err != nil {
		return k, Filter{}, err
	}
	f, err := FilterOf(tx, me, k.FilterID)
	if err != nil {
		return FilterKeyword{}, Filter{}, err
	}
	return k, f, nil
}

// FilteredPostOf returns a post that one of me's filters is about.
func FilteredPostOf(tx *store.Tx, me, id int64) (FilterPost, error) {
	var p FilterPost
	if err := tx.Where("id = ?", id).Limit(1).Find(&p).Error; err != nil {
		return p, err
	}
	if _, err := FilterOf(tx, me, p.FilterID); err != nil {
		return FilterPost{}, err
	}
	return p, nil
}

// CreateFilter makes a filter.
func CreateFilter(tx *store.Tx, me Account, form FilterForm) (Filter, error) {
	form.Title = strings.TrimSpace(form.Title)
	if err := form.check(); err != nil {
		return Filter{}, err
	}
	var have int64
	if err := tx.Raw("SELECT COUNT(*) FROM filters WHERE account_id = ?", me.ID).Scan(&have).Error; err != nil {
		return Filter{}, err
	}
	if have >= MaxFilters {
		return Filter{}, fault.Invalidf("base", "You have 100 filters already. Delete one of them before.").WithKey("filter.many", map[string]any{"Max": MaxFilters})
	}
	f := Filter{ID: tx.NewID(), AccountID: me.ID, Title: form.Title, Action: form.Action, Contexts: form.contexts(), ExpiresAt: form.ExpiresAt, CreatedAt: tx.Now}
	if err := tx.Create(&f).Error; err != nil {
		return Filter{}, err
	}
	return changeKeywords(tx, me, f, form.Keywords)
}

// UpdateFilter changes a filter; of its words only those that the form names.
func UpdateFilter(tx *store.Tx, me Account, id int64, form FilterForm) (Filter, error) {
	f, err := FilterOf(tx, me.ID, id)
	if err != nil {
		return Filter{}, err
	}
	form.Title = strings.TrimSpace(form.Title)
	if err := form.check(); err != nil {
		return Filter{}, err
	}
	f.Title, f.Action, f.Contexts, f.ExpiresAt = form.Title, form.Action, form.contexts(), form.ExpiresAt
	if err := tx.Model(&f).Select("title", "action", "contexts", "expires_at").Updates(&f).Error; err != nil {
		return Filter{}, err
	}
	return changeKeywords(tx, me, f, form.Keywords)
}

// changeKeywords does to a filter's words what the forms say, and returns the
// filter as it is then.
func changeKeywords(tx *store.Tx, me Account, f Filter, forms []KeywordForm) (Filter, error) {
	fresh := 0
	for _, k := range forms {
		if k.ID == 0 && !k.Gone {
			fresh++
		}
	}
	if err := roomInFilters(tx, me.ID, "filter_keywords", fresh, MaxFilterKeywords, "keyword",
		"filter.keywords_many", "Your filters name 500 words already. Take some of them out before."); err != nil {
		return Filter{}, err
	}
	for _, k := range forms {
		var err error
		switch {
		case k.ID == 0 && k.Gone:
		case k.ID == 0:
			err = tx.Create(&FilterKeyword{ID: tx.NewID(), FilterID: f.ID, Keyword: k.Keyword, WholeWord: k.WholeWord}).Error
		case !slices.ContainsFunc(f.Keywords, func(have FilterKeyword) bool { return have.ID == k.ID }):
			err = noSuchFilter()
		case k.Gone:
			err = tx.Exec("DELETE FROM filter_keywords WHERE id = ?", k.ID).Error
		default:
			err = tx.Exec("UPDATE filter_keywords SET keyword = ?, whole_word = ? WHERE id = ?", k.Keyword, k.WholeWord, k.ID).Error
		}
		if err != nil {
			return Filter{}, err
		}
	}
	tx.Announce(FiltersChanged, me.ID)
	return FilterOf(tx, me.ID, f.ID)
}

// roomInFilters fails if all of me's filters together would name too much.
func roomInFilters(tx *store.Tx, me int64, table string, more, most int, field, key, message string) error {
	if more == 0 {
		return nil
	}
	var have int
	err := tx.Raw("SELECT COUNT(*) FROM "+table+" n JOIN filters f ON f.id = n.filter_id WHERE f.account_id = ?", me).Scan(&have).Error
	if err == nil && have+more > most {
		err = fault.Invalidf(field, "%s", message).WithKey(key, map[string]any{"Max": most})
	}
	return err
}

// DeleteFilter deletes a filter with all that it names.
func DeleteFilter(tx *store.Tx, me Account, id int64) error {
	f, err := FilterOf(tx, me.ID, id)
	if err != nil {
		return err
	}
	tx.Announce(FiltersChanged, me.ID)
	for _, sql := range []string{"DELETE FROM filter_keywords WHERE filter_id = ?", "DELETE FROM filter_posts WHERE filter_id = ?", "DELETE FROM filters WHERE id = ?"} {
		if err := tx.Exec(sql, f.ID).Error; err != nil {
			return err
		}
	}
	return nil
}

// ChangeKeyword does to one word of a filter what the form says: with no ID it
// is a new one. It returns the word as it is then.
func ChangeKeyword(tx *store.Tx, me Account, filter int64, form KeywordForm) (FilterKeyword, error) {
	f, err := FilterOf(tx, me.ID, filter)
	if err != nil {
		return FilterKeyword{}, err
	}
	if !form.Gone {
		if err := form.check(); err != nil {
			return FilterKeyword{}, err
		}
	}
	f, err = changeKeywords(tx, me, f, []KeywordForm{form})
	if err != nil || form.Gone {
		return FilterKeyword{}, err
	}
	if form.ID == 0 {
		return f.Keywords[len(f.Keywords)-1], nil
	}
	return f.Keywords[slices.IndexFunc(f.Keywords, func(k FilterKeyword) bool { return k.ID == form.ID })], nil
}

// FilterOut makes a filter be about a post that me may see. Twice is once.
func FilterOut(tx *store.Tx, me Account, filter, post int64) (FilterPost, error) {
	f, err := FilterOf(tx, me.ID, filter)
	if err != nil {
		return FilterPost{}, err
	}
	p, err := original(tx, post, me)
	if err != nil {
		return FilterPost{}, err
	}
	if at := slices.IndexFunc(f.Posts, func(have FilterPost) bool { return have.PostID == p.ID }); at >= 0 {
		return f.Posts[at], nil
	}
	if err := roomInFilters(tx, me.ID, "filter_posts", 1, MaxFilterPosts, "status_id",
		"filter.posts_many", "Your filters name 500 posts already. Take some of them out before."); err != nil {
		return FilterPost{}, err
	}
	row := FilterPost{ID: tx.NewID(), FilterID: f.ID, PostID: p.ID}
	tx.Announce(FiltersChanged, me.ID)
	return row, tx.Create(&row).Error
}

// FilterIn takes back FilterOut.
func FilterIn(tx *store.Tx, me Account, id int64) (FilterPost, error) {
	row, err := FilteredPostOf(tx, me.ID, id)
	if err != nil {
		return FilterPost{}, err
	}
	tx.Announce(FiltersChanged, me.ID)
	return row, tx.Exec("DELETE FROM filter_posts WHERE id = ?", row.ID).Error
}

// FilterMatch is a filter of the reader's that is about a post, and why.
type FilterMatch struct {
	Filter   Filter
	Keywords []string // those that stand in the post
	Posts    []int64  // those that are filtered by themselves
}

// filterSet is a reader's filters, ready to be held against many posts.
type filterSet struct {
	filters []Filter
	words   [][]filterWord // of each filter
}

type filterWord struct {
	typed, folded  string
	starts, closes bool // no letter may stand before it, none after it
}

func newFilterSet(filters []Filter) filterSet {
	s := filterSet{filters: filters, words: make([][]filterWord, len(filters))}
	for i, f := range filters {
		for _, k := range f.Keywords {
			w := filterWord{typed: k.Keyword, folded: folded(k.Keyword)}
			if k.WholeWord { // as Mastodon: where the keyword's edge is no letter, anything may stand next to it
				first, _ := utf8.DecodeRuneInString(w.folded)
				last, _ := utf8.DecodeLastRuneInString(w.folded)
				w.starts, w.closes = isWordRune(first), isWordRune(last)
			}
			s.words[i] = append(s.words[i], w)
		}
	}
	return s
}

// match holds the filters against the text of a post and its IDs: its own, and
// that of what it passes on.
func (s filterSet) match(text string, posts ...int64) []FilterMatch {
	var matches []FilterMatch
	for i, f := range s.filters {
		var m FilterMatch
		for _, w := range s.words[i] {
			if w.in(text) {
				m.Keywords = append(m.Keywords, w.typed)
			}
		}
		for _, p := range f.Posts {
			if slices.Contains(posts, p.PostID) {
				m.Posts = append(m.Posts, p.PostID)
			}
		}
		if m.Keywords != nil || m.Posts != nil {
			m.Filter = f
			matches = append(matches, m)
		}
	}
	return matches
}

// in reports whether the word stands in a folded text.
func (w filterWord) in(text string) bool {
	if w.folded == "" {
		return false
	}
	for from := 0; ; {
		at := strings.Index(text[from:], w.folded)
		if at < 0 {
			return false
		}
		at += from
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(w.folded):])
		if !(w.starts && at > 0 && isWordRune(before)) && !(w.closes && at+len(w.folded) < len(text) && isWordRune(after)) {
			return true
		}
		_, n := utf8.DecodeRuneInString(text[at:])
		from = at + n
	}
}

// isWordRune reports whether r is part of a word: a letter, a mark, a digit or
// what joins words, as in Unicode's word character.
func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.Is(unicode.Nd, r) || unicode.Is(unicode.Pc, r)
}

// folded is what two spellings of one text have in common that differ in case
// or in how their marks are composed.
func folded(s string) string {
	return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, norm.NFC.String(s))
}
