package web

import "html/template"

// Page is what a page is made of besides its own content.
type Page struct {
	Title string // names the page in the browser's title; its h1 is the page's own
	Frame Frame  // who is here and where
	View  any    // what the page's template gets
}

// Frame is what surrounds every page.
type Frame struct {
	Site    SiteView
	Me      *PersonView // nil when nobody is signed in
	Here    Place       // the entry of the rail that is current; may be empty
	Admin   bool        // may open the administrator's pages
	Unread  int         // notifications not yet read
	Waiting int         // follow requests and, for administrators, other things to decide
	Theme   string      // "light" or "dark" where the person chose; "" follows the system
	Shape   Shape
	Live    string // name of the live stream this page listens to; "" for none
	Flash   []Flash
	Path    string // this page's own address, for forms that come back here
	Robots  string // content of the robots meta element; "" leaves it out
	Links   []HeadLink

	FormTargets []string // where a form of this page may end besides here: origins, or schemes with their colon
	// Opened is whether an app may have opened the page in a window of its own and
	// waits for where that goes (Phanpy): cut off from it, it takes it for closed.
	Opened bool
}

// SiteView is this instance as its pages name it.
type SiteView struct {
	Name string // "Oak Primary"
	Host string
	Mark Mark
}

// HeadLink is a link element of the page's head, as rel="alternate" for the
// ActivityStreams document of the same thing.
type HeadLink struct{ Rel, Type, Href string }

// Place is an entry of the rail.
type Place string

// The places of the rail, and the phone's bar.
const (
	Home          Place = "home"
	Practice      Place = "practice"
	School        Place = "school"
	Connected     Place = "connected"
	People        Place = "people"
	Notifications Place = "notifications"
	Write         Place = "write"
	Administer    Place = "admin"
	Myself        Place = "me"
)

// Shape is how a page uses the width of the screen.
type Shape string

const (
	Columns Shape = ""      // reading column and, where the page has one, the narrow column
	Wide    Shape = "wide"  // one wide column, for tables and the administrator's pages
	Alone   Shape = "alone" // no rail: signing in, setting up, errors before that
)

// layout is what templates/layout.html gets.
type layout struct {
	Page
	Lang, Dir   string
	Main, Aside template.HTML
}

// navEntry is one entry of the rail or of the phone's bar.
type navEntry struct {
	Place Place
	Icon  string
	Key   string // message of its words
	URL   string
	Count int
}

// Rail lists the places a signed-in person can go.
func (f Frame) Rail() []navEntry {
	rail := []navEntry{
		{Home, "house", "nav.home", "/home", 0},
		{Practice, "book-open", "nav.practice", "/practice", 0},
		{School, "school", "nav.school", "/school", 0},
		{Connected, "waypoints", "nav.connected", "/connected", 0},
		{People, "users", "nav.people", "/people", 0},
		{Notifications, "bell", "nav.notifications", "/notifications", f.Unread},
	}
	if f.Admin {
		rail = append(rail, navEntry{Administer, "shield", "nav.admin", "/admin", f.Waiting})
	}
	return rail
}

// Bar lists the four places of the phone's bar; the fifth is the menu, which
// holds the rest.
func (f Frame) Bar() []navEntry {
	return []navEntry{
		{Home, "house", "nav.home", "/home", 0},
		{Practice, "book-open", "nav.practice", "/practice", 0},
		{Write, "pen-line", "nav.write", "/write", 0},
		{Notifications, "bell", "nav.notifications_short", "/notifications", f.Unread},
	}
}

// More lists what the phone's menu holds.
func (f Frame) More() []navEntry {
	var more []navEntry
	for _, e := range f.Rail() {
		switch e.Place {
		case School, Connected, People, Administer:
			more = append(more, e)
		}
	}
	return more
}

// ErrorPage is what the page "error" gets: what happened, what was kept, what
// to do.
type ErrorPage struct {
	Status    int
	Title     string
	Words     string
	Kept      string
	Actions   []Action
	RequestID string // names the failure in the log, for the administrator
}
