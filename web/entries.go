package web

// entriesPage is a page of lists of things that somebody keeps here: their
// filters, their lists, what they will publish later.
type entriesPage struct {
	Head  PageHead
	Tabs  *Tabs
	Intro []string
	Parts []entriesPart
}

// entriesPart is one list of an entriesPage with the form that adds to it.
type entriesPart struct {
	ID      string // of its heading
	Title   string // empty: the page's own heading is enough
	Hint    string
	Entries []entry
	Empty   *EmptyState
	None    string // said instead of Empty where the part is one of several
	Pager   Pager
	Form    *formPage
}

// entry is one line of such a list.
type entry struct {
	Title    string
	URL      string
	Code     bool // the title is a name for machines
	Words    string
	State    *State
	Audience *AudienceView
	Facts    []Fact
	Actions  []Action
	Menu     []Action
}
