package mastodon

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sharedFor is how long caches may keep what everyone is told about this server.
const sharedFor = time.Minute

// shared lets caches keep what an endpoint tells guests, which is the same for
// all of them. What it tells somebody who sends a token is theirs, and kept
// nowhere.
//
// RFC 9111, section 5.2.2; RFC 9110, section 12.5.5 (Vary).
func shared(fn endpoint) endpoint {
	return func(c *call) (any, error) {
		answer, err := fn(c)
		if err != nil {
			return nil, err
		}
		h := c.w.Header()
		h.Add("Vary", "Authorization")
		if c.r.Header.Get("Authorization") == "" {
			h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(sharedFor.Seconds())))
		}
		return answer, nil
	}
}

// known names an answer by its bytes, and answers whoever has those already
// that nothing changed.
//
// RFC 9110, sections 8.8.3 and 13.1.2.
func known(w http.ResponseWriter, r *http.Request, body []byte) bool {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", "W/"+tag)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, has := range strings.Split(r.Header.Get("If-None-Match"), ",") {
		if has = strings.TrimPrefix(strings.TrimSpace(has), "W/"); has == tag || has == "*" {
			w.Header().Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}
