package fault

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestStatus(t *testing.T) {
	tests := map[Kind]int{Internal: 500, Invalid: 422, Unauthorized: 401, Forbidden: 403, NotFound: 404, Gone: 410,
		Conflict: 409, TooLarge: 413, TooMany: 429, Unavailable: 503, Kind(99): 500}
	names := map[string]bool{}
	for kind, want := range tests {
		if kind.Status() != want {
			t.Errorf("%v has status %d, want %d", kind, kind.Status(), want)
		}
		names[kind.String()] = true
	}
	if len(names) != len(tests)-1 {
		t.Errorf("two kinds share a name: %v", names)
	}
}

func TestOf(t *testing.T) {
	gone := New(Gone, "The post %q was deleted.", "x")
	tests := []struct {
		name    string
		err     error
		kind    Kind
		message string
	}{
		{"a failure", gone, Gone, `The post "x" was deleted.`},
		{"wrapped", fmt.Errorf("load: %w", gone), Gone, `The post "x" was deleted.`},
		{"joined", errors.Join(io.EOF, gone), Gone, `The post "x" was deleted.`},
		{"anything else", fmt.Errorf("secret: %w", io.EOF), Internal, bland},
		{"nothing", nil, Internal, bland},
	}
	for _, tt := range tests {
		f := Of(tt.err)
		if f.Kind != tt.kind || f.Error() != tt.message {
			t.Errorf("%s: %v, %q", tt.name, f.Kind, f)
		}
		if tt.err != nil && tt.kind == Internal && !errors.Is(f, io.EOF) {
			t.Errorf("%s: the cause is lost", tt.name)
		}
	}
}

func TestIs(t *testing.T) {
	err := fmt.Errorf("load: %w", New(NotFound, "no"))
	if !Is(err, NotFound) || Is(err, Gone) || Is(nil, Internal) || Is(io.EOF, Internal) || Is(nil, NotFound) {
		t.Error("Is does not hold what it should")
	}
}

func TestWrapKeepsTheCauseQuiet(t *testing.T) {
	f := Wrap(Unavailable, io.ErrUnexpectedEOF, "%s does not answer.", "elm.test").After(time.Minute)
	if !errors.Is(f, io.ErrUnexpectedEOF) || strings.Contains(f.Error(), "EOF") || f.RetryAfter != time.Minute || f.Message != "elm.test does not answer." {
		t.Errorf("%+v", f)
	}
	if f := New(Forbidden, "not to you: %w", io.EOF); !errors.Is(f, io.EOF) || f.Message != "not to you: EOF" {
		t.Errorf("%+v", f)
	}
}

func TestFields(t *testing.T) {
	one := Invalidf("title", "At most %d letters.", 5).WithKey("post.title.long", map[string]any{"Max": 5})
	if f, ok := one.Field("title"); !ok || f.Key != "post.title.long" || f.Args["Max"] != 5 || f.Message != "At most 5 letters." {
		t.Errorf("%+v", one)
	}
	if _, ok := one.Field("body"); ok {
		t.Error("a field that is not wrong")
	}

	var c Check
	if !c.OK() || c.Err() != nil {
		t.Error("nothing was recorded")
	}
	c.Require(true, "a", "never")
	c.Require(false, "b", "Enter %s.", "b")
	c.Add("c", "key.c", "Enter c.", map[string]any{"N": 1})
	if !c.Take(fmt.Errorf("check: %w", one)) || c.Take(io.EOF) || c.Take(New(Gone, "gone")) || !c.Take(New(Invalid, "As a whole.")) {
		t.Error("Take took what it should not, or did not what it should")
	}
	f := Of(c.Err())
	if f.Kind != Invalid || f.Error() != "Enter b." || len(f.Fields) != 4 || f.Fields[1].Key != "key.c" || f.Fields[2].Name != "title" || f.Fields[3].Name != "" {
		t.Errorf("%+v", f)
	}
}

func TestCopies(t *testing.T) {
	base := Keyed(TooMany, "slow", "Too fast.", nil)
	later := base.After(time.Second)
	if base.RetryAfter != 0 || later.Key != "slow" || later.Error() != "Too fast." {
		t.Error("After changed its receiver")
	}
	args := map[string]any{"A": 1}
	keyed := base.WithKey("k", args)
	args["A"] = 2
	if base.Key != "slow" || keyed.Args["A"] != 1 {
		t.Error("WithKey shares what it was given")
	}
	if (&Error{Kind: Gone}).Error() != "gone" || (&Error{Fields: []Field{{Message: "f"}}}).Error() != "f" {
		t.Error("a failure without words")
	}
}
