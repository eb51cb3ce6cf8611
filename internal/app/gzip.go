package app

import (
	"github.com/klauspost/compress/gzip"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// minGzip is the length below which packing costs more than it saves.
const minGzip = 1400

// squeezer packs textual answers for those who take gzip. Streams pass as
// they are, since their events must leave at once.
//
// RFC 9110, sections 8.4 and 12.5.3; RFC 1952.
type squeezer struct {
	writers sync.Pool
}

func newSqueezer() *squeezer {
	return &squeezer{writers: sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
		return z
	}}}
}

func (q *squeezer) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !takesGzip(r.Header.Get("Accept-Encoding")) || r.Header.Get("Upgrade") != "" || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		zw := &gzipWriter{ResponseWriter: w, pool: &q.writers}
		defer zw.close()
		next.ServeHTTP(zw, r)
	})
}

// gzipWriter decides at the first byte, when the headers are known.
type gzipWriter struct {
	http.ResponseWriter
	pool    *sync.Pool
	z       *gzip.Writer
	decided bool
}

func (w *gzipWriter) WriteHeader(status int) {
	if status >= 200 {
		w.decide(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *gzipWriter) decide(status int) {
	if w.decided {
		return
	}
	w.decided = true
	h := w.Header()
	if !textual(h.Get("Content-Type")) {
		return
	}
	h.Add("Vary", "Accept-Encoding")
	n, err := strconv.Atoi(h.Get("Content-Length"))
	if err == nil && n < minGzip || h.Get("Content-Encoding") != "" || h.Get("Content-Range") != "" ||
		status == http.StatusNoContent || status == http.StatusNotModified {
		return
	}
	h.Del("Content-Length")
	h.Set("Content-Encoding", "gzip")
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		h.Set("ETag", "W/"+tag) // RFC 9110, section 8.8.3.3: other bytes, no longer strong
	}
	w.z = w.pool.Get().(*gzip.Writer)
	w.z.Reset(w.ResponseWriter)
}

func (w *gzipWriter) Write(b []byte) (int, error) {
	if !w.decided {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", http.DetectContentType(b))
		}
		w.decide(http.StatusOK)
	}
	if w.z != nil {
		return w.z.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// TakesGzip says to whoever answers that gzip may be written as it is, with a
// Content-Encoding: there is such a writer only for those who take it.
func (w *gzipWriter) TakesGzip() bool { return true }

// FlushError pushes what was written so far on to the reader.
func (w *gzipWriter) FlushError() error {
	if w.z != nil {
		if err := w.z.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap returns the writer beneath, for http.ResponseController.
func (w *gzipWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *gzipWriter) close() {
	if w.z == nil {
		return
	}
	_ = w.z.Close() // a reader who left is no failure of ours
	w.z.Reset(nil)
	w.pool.Put(w.z)
	w.z = nil
}

func textual(contentType string) bool {
	switch contentType { // most are one of these
	case "application/json; charset=utf-8", "text/html; charset=utf-8":
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil || t == "text/event-stream" {
		return false
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "json") || strings.HasSuffix(t, "xml") || t == "application/javascript"
}

// takesGzip reads Accept-Encoding for the one coding we have.
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
