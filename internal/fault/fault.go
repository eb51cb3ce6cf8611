// Package fault holds the few kinds of failure that whoever sent a request
// should hear about. Whatever is not a fault stays inside: it is logged, and
// the sender learns only that something went wrong here.
package fault

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// Kind says what sort of failure it was. Each has one HTTP status.
type Kind int

// The kinds of failure, named after what the sender did or met.
const (
	Internal     Kind = iota // our own failure; nothing about it is said
	Invalid                  // what was sent breaks a rule; Fields says where
	Unauthorized             // nobody is signed in, or the token or signature does not count
	Forbidden                // we know who asks, and they may not
	NotFound                 // there is no such thing, or the asker may not know of it
	Gone                     // there was such a thing and it was deleted
	Conflict                 // it exists already, or changed meanwhile
	TooLarge                 // more bytes than we take
	TooMany                  // too many requests; RetryAfter says when to come back
	Unavailable              // we cannot do it now, and may later
)

// Status returns the HTTP status for the kind.
//
// RFC 9110, section 15; 429 is RFC 6585, section 4.
func (k Kind) Status() int {
	switch k {
	case Invalid:
		return http.StatusUnprocessableEntity
	case Unauthorized:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case Gone:
		return http.StatusGone
	case Conflict:
		return http.StatusConflict
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case TooMany:
		return http.StatusTooManyRequests
	case Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// String returns the kind's name as it appears in logs.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case Unauthorized:
		return "unauthorized"
	case Forbidden:
		return "forbidden"
	case NotFound:
		return "not found"
	case Gone:
		return "gone"
	case Conflict:
		return "conflict"
	case TooLarge:
		return "too large"
	case TooMany:
		return "too many"
	case Unavailable:
		return "unavailable"
	}
	return "internal"
}

// Field is one thing wrong with one field of a form or request.
type Field struct {
	Name    string         // the field's name in the form
	Key     string         // message catalogue key; may be empty
	Message string         // what is wrong and what would be right, in plain English
	Args    map[string]any // what the catalogue's message fills in
}

// Error is a failure that the sender is told about, in words for people.
type Error struct {
	Kind       Kind
	Key        string         // message catalogue key; may be empty, then Message is shown as it is
	Message    string         // the default text, in plain English
	Fields     []Field        // for Invalid: what is wrong where
	Args       map[string]any // what the catalogue's message fills in
	RetryAfter time.Duration  // for TooMany and Unavailable: when trying again makes sense
	cause      error
}

// Error returns the message. The cause is for logs: see Unwrap.
func (e *Error) Error() string {
	if e.Message != "" {
		return e.Message
	}
	if len(e.Fields) > 0 {
		return e.Fields[0].Message
	}
	return e.Kind.String()
}

// Unwrap returns what lies beneath the failure, or nil.
func (e *Error) Unwrap() error { return e.cause }

// New returns a failure whose message is the text itself. A %w among the
// arguments is kept as the cause and is part of the message, so wrap only what
// people may read; otherwise use Wrap.
func New(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Keyed returns a failure whose words come from the message catalogue under
// key; message is the English default and args are filled in by the catalogue.
func Keyed(kind Kind, key, message string, args map[string]any) *Error {
	return &Error{Kind: kind, Key: key, Message: message, Args: args}
}

// Wrap returns a failure that keeps cause for the log and shows only the
// message to the sender.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), cause: cause}
}

// Invalidf returns an Invalid failure of one field.
func Invalidf(field, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Kind: Invalid, Message: message, Fields: []Field{{Name: field, Message: message}}}
}

// After returns a copy that tells the sender when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// WithKey returns a copy whose words come from the catalogue under key, with
// args filled in. A failure of one field passes the key on to that field.
func (e *Error) WithKey(key string, args map[string]any) *Error {
	c := *e
	c.Key, c.Args = key, maps.Clone(args)
	if len(c.Fields) == 1 && c.Fields[0].Key == "" {
		f := c.Fields[0]
		f.Key, f.Args = key, c.Args
		c.Fields = []Field{f}
	}
	return &c
}

// Field returns what is wrong with the named field, or false.
func (e *Error) Field(name string) (Field, bool) {
	for _, f := range e.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Check collects what is wrong with the fields of one form, so that a person
// sees everything at once. The zero value is ready.
type Check struct {
	fields []Field
}

// Addf records that the field is wrong.
func (c *Check) Addf(field, format string, args ...any) {
	c.fields = append(c.fields, Field{Name: field, Message: fmt.Sprintf(format, args...)})
}

// Add records that the field is wrong, in words from the message catalogue.
func (c *Check) Add(field, key, message string, args map[string]any) {
	c.fields = append(c.fields, Field{Name: field, Key: key, Message: message, Args: args})
}

// Require records the message unless ok.
func (c *Check) Require(ok bool, field, format string, args ...any) {
	if !ok {
		c.Addf(field, format, args...)
	}
}

// Take records the fields of an Invalid failure and reports whether err was
// one; any other error is the caller's to return.
func (c *Check) Take(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.Kind != Invalid {
		return false
	}
	if len(e.Fields) == 0 {
		c.fields = append(c.fields, Field{Key: e.Key, Message: e.Message, Args: e.Args})
	}
	c.fields = append(c.fields, e.Fields...)
	return true
}

// OK reports whether nothing was recorded.
func (c *Check) OK() bool { return len(c.fields) == 0 }

// Err returns nothing if nothing was recorded, or one Invalid failure with
// every field.
func (c *Check) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	first := c.fields[0]
	return &Error{Kind: Invalid, Key: first.Key, Message: first.Message, Args: first.Args, Fields: c.fields}
}

// bland is all that a sender hears of a failure that is ours.
const bland = "Something went wrong on this server. It has been recorded. Please try again later."

// Of returns the failure within err. What is no failure of this package
// becomes Internal with a message that gives nothing away and err as its
// cause. Of(nil) is Internal too: ask only about an error.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Key: "error.internal", Message: bland, cause: err}
}

// Is reports whether err is, or wraps, a failure of the kind. It never holds
// for nil, and holds for Internal only when a failure says so itself.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
