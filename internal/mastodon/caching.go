package mastodon

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// sharedFor is how long caches may keep what everyone is told about this server.
const sharedFor = time.Minute

// known names an answer by its bytes, and answers whoever has those already
// that nothing changed.
//
// RFC 9110, sections 8.8.3 and 13.1.2.
func known(w http.ResponseWriter, r *http.Request, body []byte) bool {
	tag := tagOf(body)
	w.Header().Set("ETag", tag)
	if !has(r, tag) {
		return false
	}
	w.Header().Del("Content-Type")
	w.WriteHeader(http.StatusNotModified)
	return true
}

// tagOf is a name for bytes. It is weak, since they may go out packed.
func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// has reports whether whoever asks has the answer with that tag already.
func has(r *http.Request, tag string) bool {
	asked := r.Header.Get("If-None-Match")
	if asked == "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for one := range strings.SplitSeq(asked, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}
