package media

import "net/http"

// Serve answers a request for f, which it closes. A picture that not everyone
// may see is kept by no cache; a public one never changes under its name.
// Whatever a file holds, a browser shows it as a picture and runs nothing.
//
// RFC 9110, section 14 (ranges); RFC 9111, section 5.2.2; RFC 8246 (immutable).
func Serve(w http.ResponseWriter, r *http.Request, f *File, public bool) {
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", f.Mime)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Disposition", "inline")
	h.Set("ETag", `"`+f.Name+`"`)
	if public {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Access-Control-Allow-Origin", "*") // clients in browsers draw pictures on canvases
	} else {
		h.Set("Cache-Control", "private, no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-site")
		h.Set("Referrer-Policy", "no-referrer")
	}
	http.ServeContent(w, r, "", f.ModTime, f)
}
