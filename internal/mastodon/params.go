package mastodon

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// maxForm bounds a request without files; maxParams the number of values in it.
const (
	maxForm   = 1 << 20
	maxParams = 1000
)

// params are a request's parameters, however the client sent them: in the
// query, as a form, as multipart or as JSON. Names are kept in the form
// notation, with JSON's nesting written as `a[b]` and lists as `a[]`.
type params struct{ url.Values }

// paramsOf reads the parameters of r. What cannot be read is a fault.
func paramsOf(w http.ResponseWriter, r *http.Request) (params, error) {
	p := params{r.URL.Query()}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.ContentLength == 0 {
		return p.checked()
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return p, fault.New(fault.Invalid, "The Content-Type %q cannot be read. Send JSON or a form.", r.Header.Get("Content-Type"))
	}
	switch kind {
	case "application/json":
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		var body map[string]any
		d := json.NewDecoder(r.Body)
		d.UseNumber()
		if err := d.Decode(&body); err != nil {
			return p, fault.New(fault.Invalid, "The body is not a JSON object: %v.", err)
		}
		for name, value := range body {
			p.flatten(name, value, 0)
		}
	case "multipart/form-data":
		if err := r.ParseMultipartForm(maxForm); err != nil {
			var large *http.MaxBytesError
			if errors.As(err, &large) {
				return p, fault.New(fault.TooLarge, "This is larger than the %d MB that are taken at once. Please make it smaller.", max(1, large.Limit>>20))
			}
			return p, fault.New(fault.Invalid, "The form cannot be read: %v.", err)
		}
		for name, values := range r.MultipartForm.Value {
			p.Values[name] = append(p.Values[name], values...)
		}
	case "", "application/x-www-form-urlencoded":
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return p, fault.New(fault.Invalid, "The form cannot be read: %v.", err)
		}
		for name, values := range r.PostForm {
			p.Values[name] = append(p.Values[name], values...)
		}
	}
	return p.checked()
}

// checked bounds how many values there are, and makes each a text that a table
// can hold: PostgreSQL takes neither NUL nor what is not UTF-8.
func (p params) checked() (params, error) {
	n := 0
	clean := make(url.Values, len(p.Values))
	for name, values := range p.Values {
		n += len(values)
		name = storable(name)
		for _, v := range values {
			clean[name] = append(clean[name], storable(v))
		}
	}
	p.Values = clean
	if n > maxParams {
		return p, fault.New(fault.Invalid, "The request has %d values; at most %d are read.", n, maxParams)
	}
	return p, nil
}

func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func (p params) flatten(name string, value any, depth int) {
	switch v := value.(type) {
	case nil:
		p.Values[nulls] = append(p.Values[nulls], name)
	case map[string]any:
		if depth < 4 {
			for key, inner := range v {
				p.flatten(name+"["+key+"]", inner, depth+1)
			}
		}
	case []any:
		if depth < 4 {
			even := alike(v)
			for i, inner := range v {
				at := name + "[]"
				if !even {
					at = name + "[" + strconv.Itoa(i) + "]"
				}
				p.flatten(at, inner, depth+1)
			}
		}
	default:
		p.Values[name] = append(p.Values[name], fmt.Sprint(v))
	}
}

// alike reports whether a list can be written without numbers: whichever of its
// objects have the same members, parallel lists keep apart.
func alike(list []any) bool {
	first, ok := map[string]any(nil), true
	for i, v := range list {
		object, is := v.(map[string]any)
		if i == 0 {
			first, ok = object, is
			continue
		}
		if is != ok || len(object) != len(first) {
			return false
		}
		for key, value := range object {
			if other, there := first[key]; !there || (value == nil) != (other == nil) {
				return false
			}
		}
	}
	return true
}

// objects is a list of objects, however the client sent it: numbered, or as
// parallel lists of the same length.
func (p params) objects(name string) []params {
	var out []params
	for i := 0; len(out) < maxParams; i++ {
		one, at := params{url.Values{}}, name+"["+strconv.Itoa(i)+"]["
		for key, values := range p.Values {
			if member, ok := strings.CutPrefix(key, at); ok {
				one.Values[strings.Replace(member, "]", "", 1)] = values
			}
		}
		if len(one.Values) == 0 {
			break
		}
		out = append(out, one)
	}
	if len(out) > 0 {
		return out
	}
	at := name + "[]["
	for key, values := range p.Values {
		member, ok := strings.CutPrefix(key, at)
		if !ok {
			continue
		}
		for i, value := range values {
			for len(out) <= i {
				out = append(out, params{url.Values{}})
			}
			if len(values) == len(p.Values[at+"id]"]) || member == "id]" || !p.Has(at+"id]") {
				out[i].Add(strings.Replace(member, "]", "", 1), value)
			}
		}
	}
	return out
}

// nulls is the parameter that names those that JSON said are null: no form
// notation has that.
const nulls = "null="

// null is whether name was said to be null.
func (p params) null(name string) bool { return slices.Contains(p.Values[nulls], name) }

// list is the values of name, sent with or without brackets.
func (p params) list(name string) []string {
	return append(append([]string{}, p.Values[name+"[]"]...), p.Values[name]...)
}

// flag is whether name is set to a true value; unset means otherwise.
func (p params) flag(name string, otherwise bool) bool {
	switch strings.ToLower(p.Get(name)) {
	case "1", "true", "t", "on", "yes":
		return true
	case "0", "false", "f", "off", "no":
		return false
	}
	return otherwise
}

// ids is the values of name as numbers; what is none is left out.
func (p params) ids(name string) []int64 {
	var out []int64
	for _, s := range p.list(name) {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
			out = append(out, n)
		}
	}
	return out
}

// page is the part of a list that is asked for: limit is usual unless
// another one up to most is asked for.
func (p params) page(usual, most int) store.Page {
	number := func(name string) int64 {
		n, err := strconv.ParseInt(p.Get(name), 10, 64)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	limit := int(number("limit"))
	if limit <= 0 {
		limit = usual
	}
	return store.Page{MaxID: number("max_id"), SinceID: number("since_id"), MinID: number("min_id"), Limit: min(limit, most)}
}
