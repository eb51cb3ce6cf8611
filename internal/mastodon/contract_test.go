package mastodon

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// contractDir holds the description of the client API that other servers and
// clients keep to. It is no part of the project; without it the tests go on.
const contractDir = "../../../shared/contracts"

// contract checks every answer that a test of this package gets: by the
// corrected description, and by the rules that no schema shows.
type contract struct {
	router routers.Router
	rows   []*contractRow

	mu      sync.Mutex
	unknown map[string]int // properties that the description does not have
}

// contractRow is an endpoint of the table.
type contractRow struct {
	method, path, tier string
	parts              []string
	answers            map[int]int // how often each status was the answer
}

// theContract is nil where the files are not at hand.
var theContract = sync.OnceValue(func() *contract {
	c, err := readContract(contractDir)
	if err != nil && !os.IsNotExist(err) {
		panic(fmt.Sprintf("contract: %v", err))
	}
	return c
})

func readContract(dir string) (*contract, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "mastodon-openapi.json"))
	if err != nil {
		return nil, err
	}
	corrections, err := os.ReadFile(filepath.Join(dir, "mastodon-openapi.corrections.json"))
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.DecodePatch(corrections)
	if err != nil {
		return nil, err
	}
	if raw, err = patch.Apply(raw); err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	doc.Servers = openapi3.Servers{{URL: "/"}}
	c := &contract{unknown: map[string]int{}}
	if c.router, err = gorillamux.NewRouter(doc); err != nil {
		return nil, err
	}
	table, err := os.ReadFile(filepath.Join(dir, "mastodon-endpoints.tsv"))
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(strings.TrimSpace(string(table)), "\n") {
		cells := strings.Split(line, "\t")
		if i == 0 || len(cells) < 7 {
			continue
		}
		c.rows = append(c.rows, &contractRow{method: cells[0], path: cells[1], tier: cells[6], parts: strings.Split(cells[1], "/"), answers: map[int]int{}})
	}
	return c, nil
}

// row is the endpoint that a path is of: the one with the fewest holes.
func (c *contract) row(method, path string) *contractRow {
	var best *contractRow
	holes := 100
	parts := strings.Split(strings.TrimRight(path, "/"), "/")
	for _, r := range c.rows {
		if r.method != method && !(method == http.MethodHead && r.method == http.MethodGet) || len(r.parts) != len(parts) {
			continue
		}
		n := 0
		for i, part := range r.parts {
			if strings.HasPrefix(part, "{") {
				n++
			} else if part != parts[i] {
				n = 100
			}
		}
		if n < holes {
			best, holes = r, n
		}
	}
	return best
}

var (
	digitsOnly = regexp.MustCompile(`^[0-9]{1,19}$`)
	threeDigit = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	dayOnly    = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)
)

// idsOfTheirOwn are identifiers that are no number: keys of OAuth and of
// groups.
var idsOfTheirOwn = []string{"client_id", "rule_id"}

// check holds an answer against the contract.
func (c *contract) check(t testing.TB, r *http.Request, status int, header http.Header, body []byte) {
	t.Helper()
	if c == nil || r.Method == http.MethodOptions || r.Method == http.MethodHead {
		return
	}
	row := c.row(r.Method, r.URL.Path)
	// One route of the table must not be there: Enafore tries it first.
	absent := status == http.StatusNotFound && r.Method+" "+shapeOf(rowPath(row)) != "PUT /api/v2/media/{}" && bytes.Contains(body, []byte("nothing at this address"))
	if row != nil && !absent {
		c.mu.Lock()
		row.answers[status]++
		c.mu.Unlock()
	}
	if len(body) == 0 {
		t.Errorf("%s %s: %d without a body", r.Method, r.URL.Path, status)
		return
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Errorf("%s %s: %d with what is no JSON: %v", r.Method, r.URL.Path, status, err)
		return
	}
	if status >= 400 {
		if m, ok := value.(map[string]any); !ok || m["error"] == nil || m["error"] == "" {
			t.Errorf("%s %s: %d without an error: %s", r.Method, r.URL.Path, status, body)
		}
		return
	}
	name := r.Method + " " + r.URL.Path
	if row != nil {
		name = row.method + " " + row.path
	}
	heeds(t, name, "", value)
	plain := r.Clone(r.Context())
	plain.URL = &url.URL{Scheme: "https", Host: r.Host, Path: strings.TrimRight(r.URL.Path, "/"), RawQuery: r.URL.RawQuery}
	route, params, err := c.router.FindRoute(plain)
	if err != nil || row != nil && shapeOf(route.Path) != shapeOf(row.path) {
		return // the description has no such endpoint
	}
	if row != nil && strings.Count(route.Path, "{") > strings.Count(row.path, "{") {
		return // nor this one, and takes it for another: /notifications/policy for one notification
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: plain, PathParams: params, Route: route},
		Status:                 status, Header: header,
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(r.Context(), input); err != nil {
		t.Errorf("%s: %d is not what the description says: %v", name, status, firstLines(err.Error(), 12))
	}
	if response := route.Operation.Responses.Status(status); response != nil && response.Value != nil {
		if media := response.Value.Content.Get("application/json"); media != nil && media.Schema != nil {
			c.surplus(name, "", media.Schema.Value, value)
		}
	}
}

func rowPath(row *contractRow) string {
	if row == nil {
		return ""
	}
	return row.path
}

var hole = regexp.MustCompile(`\{[^}]*\}`)

// shapeOf is a path with its holes unnamed.
func shapeOf(path string) string { return hole.ReplaceAllString(path, "{}") }

func firstLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// heeds checks the rules that no schema shows: numbers as identifiers, moments with
// three digits, lists that are never null.
func heeds(t testing.TB, name, at string, value any) {
	t.Helper()
	switch v := value.(type) {
	case []any:
		for _, inner := range v {
			heeds(t, name, at+"[]", inner)
		}
	case map[string]any:
		for key, inner := range v {
			where := at + "." + key
			s, isText := inner.(string)
			switch {
			case isText && (key == "id" || strings.HasSuffix(key, "_id")) && !slices.Contains(idsOfTheirOwn, key):
				if !digitsOnly.MatchString(s) {
					t.Errorf("%s: %s is %q, not digits", name, where, s)
				}
			case isText && key == "last_status_at":
				if !dayOnly.MatchString(s) {
					t.Errorf("%s: %s is %q, not a day", name, where, s)
				}
			case isText && strings.HasSuffix(key, "_at"):
				if !threeDigit.MatchString(s) {
					t.Errorf("%s: %s is %q, not a moment with three digits", name, where, s)
				}
			case inner == nil && slices.Contains([]string{"media_attachments", "mentions", "tags", "emojis", "fields", "roles", "own_votes", "options", "keywords", "statuses", "context"}, key):
				t.Errorf("%s: %s is null, not a list", name, where)
			}
			heeds(t, name, where, inner)
		}
	}
}

// documented are properties that the description lacks and that others
// document, by the end of their place in an answer, with where.
var documented = map[string]string{
	".meta.original.size":                  "Mastodon's documentation, entities/MediaAttachment: meta",
	".meta.small.size":                     "Mastodon's documentation, entities/MediaAttachment: meta",
	".configuration.vapid":                 "Mastodon's documentation, entities/Instance: 4.3.0",
	".media_attachments.description_limit": "Mastodon's documentation, entities/Instance: 4.4.0, there for the newer form",
	".posting:default:quote_policy":        "Mastodon's documentation, entities/Preferences: 4.5.0",
	".reading:autoplay:gifs":               "Mastodon, REST::PreferencesSerializer",
	".alerts.quote":                        "Mastodon's documentation, methods/push: 4.5.0",
	".alerts.quoted_update":                "Mastodon's documentation, methods/push: 4.5.0",
	"/push/subscription .policy":           "Mastodon, REST::WebPushSubscriptionSerializer",
	"GET /api/v2/suggestions [].source":    "Mastodon's documentation, entities/Suggestion: the older name of sources",
	"GET /api/v1/instance .max_toot_chars": "Pleroma and glitch-soc; old clients read it",
	".card.language":                       "Mastodon, REST::PreviewCardSerializer: 4.2.0",
	".card.image_description":              "Mastodon, REST::PreviewCardSerializer: 4.3.0",
	".fallback":                            "Mastodon's documentation, entities/Notification: 4.6.0",
	".muting_expires_at":                   "Mastodon's documentation, entities/Relationship: 4.6.0",
	".local_only":                          "Hometown and glitch-soc: what stays on this server",
	".emoji":                               "Pleroma and Akkoma: what a reaction is",
	".emoji_url":                           "Akkoma: the picture of a reaction",
	".chalkring":                           "ours: what only this server has",
}

// explained is whether somebody documents a property.
func explained(at string) bool {
	for end := range documented {
		if strings.HasSuffix(at, end) {
			return true
		}
	}
	return false
}

// surplus notes properties that the description does not know: a misspelt
// optional one would be one of them.
func (c *contract) surplus(name, at string, schema *openapi3.Schema, value any) {
	if schema == nil {
		return
	}
	switch v := value.(type) {
	case []any:
		if schema.Items != nil {
			for _, inner := range v {
				c.surplus(name, at+"[]", schema.Items.Value, inner)
			}
			return
		}
		for _, branch := range branches(schema) {
			if branch.Items != nil {
				c.surplus(name, at, branch, value)
				return
			}
		}
	case map[string]any:
		known := properties(schema, 0)
		if len(known) == 0 {
			return
		}
		for key, inner := range v {
			ref, ok := known[key]
			if !ok {
				if where := name + " " + at + "." + key; !explained(where) {
					c.mu.Lock()
					c.unknown[where]++
					c.mu.Unlock()
				}
				continue
			}
			if ref != nil {
				c.surplus(name, at+"."+key, ref.Value, inner)
			}
		}
	}
}

func branches(s *openapi3.Schema) []*openapi3.Schema {
	var out []*openapi3.Schema
	for _, refs := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf, s.AllOf} {
		for _, ref := range refs {
			if ref.Value != nil {
				out = append(out, ref.Value)
			}
		}
	}
	return out
}

// properties are all that an object of the schema, or of any branch of it, may have.
func properties(s *openapi3.Schema, depth int) openapi3.Schemas {
	out := openapi3.Schemas{}
	for name, ref := range s.Properties {
		out[name] = ref
	}
	if depth < 4 {
		for _, branch := range branches(s) {
			for name, ref := range properties(branch, depth+1) {
				if _, ok := out[name]; !ok {
					out[name] = ref
				}
			}
		}
	}
	return out
}

// elsewhere are endpoints of the table that other doors answer and whose tests
// stand there: pages, discovery, streams.
var elsewhere = map[string]string{
	"GET /.well-known/nodeinfo":    "federation",
	"GET /.well-known/webfinger":   "federation",
	"GET /.well-known/host-meta":   "federation",
	"GET /nodeinfo/2.0":            "federation",
	"GET /oauth/authorize":         "web",
	"POST /oauth/authorize":        "web",
	"GET /health":                  "app",
	"GET /api/v1/streaming/health": "TestStreamsAreRefused", // "OK" and no JSON
	"OPTIONS /api/*":               "TestAnyOriginMayAsk",
}

// streams are answered for as long as somebody listens; their tests are in
// streaming_test.go.
func stream(path string) bool {
	return strings.HasPrefix(path, "/api/v1/streaming") && path != "/api/v1/streaming/health"
}

// unexplained are the properties of answers so far that nothing documents.
func (c *contract) unexplained() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.unknown))
}

// report prints how much of the table was answered, by tier, and returns what
// of tiers 1 and 2 was not.
func (c *contract) report() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []string
	for _, tier := range []string{"1", "2", "3"} {
		total, answered, well, other := 0, 0, 0, 0
		var not []string
		for _, r := range c.rows {
			if r.tier != tier {
				continue
			}
			total++
			name := r.method + " " + r.path
			if _, ok := elsewhere[name]; ok || stream(r.path) {
				other++
				continue
			}
			if len(r.answers) > 0 {
				answered++
			} else {
				not = append(not, name)
			}
			for status := range r.answers {
				if status < 400 {
					well++
					break
				}
			}
		}
		fmt.Printf("contract, tier %s: %d endpoints: %d answered here (%d with success), %d tested elsewhere, %d not\n", tier, total, answered, well, other, len(not))
		for _, name := range not {
			fmt.Printf("  not asked or not there: %s\n", name)
		}
		if tier != "3" {
			missing = append(missing, not...)
		}
	}
	names := slices.Sorted(maps.Keys(c.unknown)) // holds the lock already
	fmt.Printf("contract: %d properties that neither the description nor newer documentation knows\n", len(names))
	for _, name := range names {
		fmt.Printf("  %s\n", name)
	}
	return append(missing, names...)
}

func TestMain(m *testing.M) {
	code := m.Run()
	c := theContract()
	if c != nil && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		if missing := c.report(); code == 0 && len(missing) > 0 {
			fmt.Printf("contract: %d endpoints of tiers 1 and 2 were not answered, or properties are not explained\n", len(missing))
			code = 1
		}
	}
	os.Exit(code)
}
