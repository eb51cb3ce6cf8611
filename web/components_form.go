package web

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/chalkring/chalkring/internal/fault"
)

// FormField is a labelled control with its hint and its error. Kind is an
// input type, or "textarea", "select", "checkbox", "radio", "file", or "checks"
// for several of which any number can be ticked.
type FormField struct {
	Name         string
	Kind         string // "" is text
	Label        string
	Hint         string
	Differs      string // how its value differs from what is usual
	Error        string
	Value        string
	Options      []Option // for select, radio and checks, and suggestions for text
	Checked      bool
	Required     bool
	Optional     bool   // says so beside the label
	Rows         int    // textarea
	Max          int    // characters
	Autocomplete string // HTML, section 4.10.18.7 (autofill)
	Accept       string // file
	Lang         string
	Autofocus    bool
	Small        bool // as wide as a number or a date
	Code         bool // host names, keys: no spelling help
}

// ID is the control's id, which labels and the error summary point to.
func (f FormField) ID() string { return "field-" + f.Name }

// DescribedBy lists the ids of the hint and the error that exist.
func (f FormField) DescribedBy() string {
	s := ""
	if f.Hint != "" {
		s = f.ID() + "-hint"
	}
	if f.Differs != "" {
		s = strings.TrimSpace(s + " " + f.ID() + "-differs")
	}
	if f.Error != "" {
		if s != "" {
			s += " "
		}
		s += f.ID() + "-error"
	}
	return s
}

// Option is a value of a select, one of several to choose from, or a suggestion.
type Option struct {
	Value, Words string
	Selected     bool
	Detail       string // radio and checks: what choosing it means
}

// ErrorSummary lists what is wrong with a form, each line a link to its field.
// It stands at the top and takes the focus.
type ErrorSummary struct {
	Title string
	Kept  string // what was kept: "Your text is still here."
	Items []ErrorItem
}

// ErrorItem is one line of an ErrorSummary; Field may be empty.
type ErrorItem struct{ Field, Words string }

// blameFields puts each field's message beside it, and returns the summary of what is
// wrong with a form, and the status of the page that shows it again; problem nil
// is a form shown for the first time.
func blameFields(l *Locale, fields []FormField, problem *fault.Error) (ErrorSummary, int) {
	if problem == nil {
		return ErrorSummary{}, http.StatusOK
	}
	errors, wrong := ErrorsOf(l, problem)
	for i := range fields {
		fields[i].Error = wrong[fields[i].Name]
	}
	return errors, problem.Kind.Status()
}

// ErrorsOf turns a failure into the summary of a form and the message of each
// field. It is the zero summary when f is nil.
func ErrorsOf(l *Locale, f *fault.Error) (ErrorSummary, map[string]string) {
	if f == nil {
		return ErrorSummary{}, nil
	}
	s := ErrorSummary{Title: l.T("form.problem", "Count", max(len(f.Fields), 1)), Kept: l.T("form.kept")}
	byField := make(map[string]string, len(f.Fields))
	for _, field := range f.Fields {
		words := l.FieldFault(field)
		byField[field.Name] = words
		s.Items = append(s.Items, ErrorItem{field.Name, words})
	}
	if len(f.Fields) == 0 {
		s.Items = []ErrorItem{{"", l.Fault(f)}}
	}
	return s, byField
}

// AudiencePicker asks who can see what is being written.
type AudiencePicker struct {
	Name    string // of the radio inputs; "" is audience
	Legend  string // "" is "Who can see this?"
	Hint    string // why some are missing: "A reply is never wider than what it answers."
	Error   string
	Options []AudienceOption
}

// AudienceOption is one audience with who is inside.
type AudienceOption struct {
	AudienceView
	Checked  bool
	Disabled bool
	Why      string // why it is disabled
}

// Composer is a form to write something with. Which fields it has follows from
// Kind; what a person typed comes back in them when there are errors.
type Composer struct {
	Kind     string // "practice", "discussion", "question", "reply", "acknowledgement"
	Action   string // where it is sent
	DraftKey string // what the browser keeps an unsent draft under; "" keeps none
	FormID   string // makes a second press of the button harmless
	Errors   ErrorSummary
	To       *PostCard // what a reply answers
	Title    FormField
	Sections []FormField // practice: its five parts
	Body     FormField
	About    []FormField // subject, level, licence, co-authors, language
	People   FormField   // who is named, for the audience "people"
	Warning  FormField
	Quote    *QuoteCard // what the post will quote
	QuoteID  string
	Poll     *PollForm
	Pictures *PicturePicker
	Audience AudiencePicker
	Later    FormField     // when to publish it; without a name it is published at once
	Submit   string        // "Share", "Ask", "Reply"
	Preview  template.HTML // shown above the form after "Preview"
	Cancel   string        // where "Cancel" leads
}

// PicturePicker adds pictures with their words to a form. Slots are numbered;
// a slot's fields are picture-N (file), alt-N, decorative-N and, for a picture
// that is already here, media-N with its id.
type PicturePicker struct {
	Hint  string
	Slots []PictureSlot
}

// PictureSlot is one place of a PicturePicker.
type PictureSlot struct {
	N          int
	MediaID    string // already uploaded
	Src        string
	Alt        string
	Decorative bool
	Error      string
}

// ConfirmPanel asks before something that cannot be taken back, and says its
// effects in numbers first.
type ConfirmPanel struct {
	ID      string // where it may be over while it is shown
	Told    string // what is said then
	Over    string // there is nothing to confirm any more: leads on with these words
	Title   string
	Effects []string
	Action  string
	Fields  map[string]string
	Inputs  []FormField // a reason, a name to type
	Button  string
	Cancel  string
	Safe    bool // can be taken back: no warning colour
}
