package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// flashCookie carries what was done over the redirect that follows it.
const flashCookie = "chalkring_flash"

// flashed is what a flash says: a message whose key begins with flash., and its arguments.
type flashed struct {
	Key  string   `json:"k"`
	Args []string `json:"a,omitempty"` // names and values
}

// flashKind says how a flash is shown.
func flashKind(key string) string {
	switch key {
	case "flash.follow_requested":
		return "note"
	case "flash.mode_open", "flash.vote_empty":
		return "problem"
	}
	return "done"
}

// flash has the next page say that something was done. args are pairs of name and value.
func (p *Pages) flash(w http.ResponseWriter, key string, args ...string) {
	b, err := json.Marshal(flashed{Key: key, Args: args})
	if err != nil || len(b) > 1500 {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: flashCookie, Value: base64.RawURLEncoding.EncodeToString(b), Path: "/", MaxAge: 60,
		Secure: p.site.Scheme == "https", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// takeFlash reads what the last request left to say, once.
func (p *Pages) takeFlash(h *here, w http.ResponseWriter, r *http.Request) {
	c, err := r.Cookie(flashCookie)
	if err != nil || r.Method != http.MethodGet {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: flashCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: p.site.Scheme == "https", SameSite: http.SameSiteLaxMode})
	b, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return
	}
	var f flashed
	if json.Unmarshal(b, &f) != nil {
		return
	}
	args := make([]any, len(f.Args))
	for i, a := range f.Args {
		args[i] = a
	}
	if words := h.l.T(f.Key, args...); words != f.Key && strings.HasPrefix(f.Key, "flash.") { // nothing else is a cookie's to say
		h.frame.Flash = append(h.frame.Flash, Flash{Kind: flashKind(f.Key), Words: words})
	}
}
