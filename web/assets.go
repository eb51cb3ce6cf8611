package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed static/dist static/fonts/*.woff2
var staticFiles embed.FS

// AssetsPrefix is where static files live. Their names hold a hash of their
// content, so a browser keeps them for ever.
const AssetsPrefix = "/assets/"

// Assets are the style sheet, script, icons and fonts, under hashed names.
type Assets struct {
	urls  map[string]string // "app.css" → "/assets/app.1a2b3c4d.css"
	files map[string]*asset // by hashed name
}

type asset struct {
	contentType string
	body        []byte
	gzipped     func() []byte // nil when the format is compressed already
}

// LoadAssets reads the embedded static files and names them by content. The
// style sheet is named last, because it holds the names of the fonts.
func LoadAssets() (*Assets, error) {
	a := &Assets{urls: make(map[string]string), files: make(map[string]*asset)}
	for _, dir := range []string{"static/fonts", "static/dist"} {
		entries, err := fs.ReadDir(staticFiles, dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			body, err := staticFiles.ReadFile(path.Join(dir, e.Name()))
			if err != nil {
				return nil, err
			}
			if err := a.add(e.Name(), body); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

func (a *Assets) add(name string, body []byte) error {
	ext := path.Ext(name)
	types := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".woff2": "font/woff2",
	}
	ct, ok := types[ext]
	if !ok {
		return fmt.Errorf("static file %s: no content type known for %q", name, ext)
	}
	if ext == ".css" {
		for font, url := range a.urls {
			body = bytes.ReplaceAll(body, []byte("../fonts/"+font), []byte(strings.TrimPrefix(url, AssetsPrefix)))
		}
	}
	sum := sha256.Sum256(body)
	hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:5]) + ext
	f := &asset{contentType: ct, body: body}
	if ext != ".woff2" {
		f.gzipped = sync.OnceValue(func() []byte { return squeeze(body) })
	}
	a.urls[name] = AssetsPrefix + hashed
	a.files[hashed] = f
	return nil
}

func squeeze(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = z.Write(body)                                  // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// URL returns the address of a static file. A name that does not exist is a
// mistake in a template and fails the rendering.
func (a *Assets) URL(name string) (string, error) {
	u, ok := a.urls[name]
	if !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return u, nil
}

// ServeHTTP answers GET /assets/{name}. RFC 8246 (immutable responses).
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[strings.TrimPrefix(r.URL.Path, AssetsPrefix)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	body := f.body
	if f.gzipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if takesGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body = f.gzipped()
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader who left is no failure of ours
	}
}

// takesGzip reads Accept-Encoding as RFC 9110, section 12.5.3 says, for the
// one coding we have.
func takesGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding = strings.TrimSpace(coding); coding != "gzip" && coding != "*" {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		if !found {
			return true
		}
		weight, err := strconv.ParseFloat(q, 64)
		return err == nil && weight > 0
	}
	return false
}
