package mastodon

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

// routes finds an endpoint in two steps: by the part of the API that it stands
// in ("/api/v1/statuses"), then among the few routes there. A mux tries its
// routes one after the other, and the API has more than two hundred.
type routes struct {
	parts map[string]*mux.Router
	use   []mux.MiddlewareFunc
	none  http.Handler // answers where there is nothing
}

// HandleFunc adds a route. Its path names its part in full: three segments
// under /api, the whole path elsewhere.
func (t *routes) HandleFunc(path string, fn http.HandlerFunc) *mux.Route {
	key := partOf(path)
	part := t.parts[key]
	if part == nil {
		part = mux.NewRouter()
		part.Use(t.use...)
		part.NotFoundHandler, part.MethodNotAllowedHandler = t.none, t.none
		t.parts[key] = part
	}
	return part.HandleFunc(path, fn)
}

func (t *routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if part := t.parts[partOf(r.URL.Path)]; part != nil {
		part.ServeHTTP(w, r)
		return
	}
	t.none.ServeHTTP(w, r)
}

// partOf is the start of a path: "/api/v1/statuses" of /api/v1/statuses/7/context.
func partOf(path string) string {
	if !strings.HasPrefix(path, "/api/") {
		return path
	}
	rest, slashes := path[len("/api/"):], 0
	for i := range len(rest) {
		if rest[i] != '/' {
			continue
		}
		if slashes++; slashes == 2 {
			return path[:len("/api/")+i]
		}
	}
	return path
}
