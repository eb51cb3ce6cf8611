package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
)

// flashCookie carries what was done over the redirect that follows it.
const flashCookie = "chalkring_flash"

// told is what a flash says: a message of this list, and its arguments.
type flashed struct {
	Key  string   `json:"k"`
	Args []string `json:"a,omitempty"` // names and values
}

// flashKind says which messages a flash may say, and how.
func flashKind(key string) string {
	switch key {
	case "flash.published", "flash.edited", "flash.deleted", "flash.answered", "flash.used", "flash.saved", "flash.unsaved",
		"flash.boosted", "flash.accepted", "flash.done":
		return "done"
	}
	if kind := adminFlash(key); kind != "" {
		return kind
	}
	return accountFlash(key)
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
	kind := flashKind(f.Key)
	if kind == "" {
		return
	}
	args := make([]any, len(f.Args))
	for i, a := range f.Args {
		args[i] = a
	}
	h.frame.Flash = append(h.frame.Flash, Flash{Kind: kind, Words: h.l.T(f.Key, args...)})
}
