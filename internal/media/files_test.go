package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
)

func library(t testing.TB) (*Library, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "media")
	l, err := Open(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, dir
}

func stored(t testing.TB, l *Library) Stored {
	t.Helper()
	s, err := l.Store(context.Background(), bytes.NewReader(asJPEG(t, photo(60, 40))), Pictures())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// filesIn lists every file below dir.
func filesIn(t testing.TB, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, at)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func age(t testing.TB, by time.Duration, files ...string) {
	t.Helper()
	then := time.Now().Add(-by)
	for _, f := range files {
		if err := os.Chtimes(f, then, then); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStoreOpenRemove(t *testing.T) {
	l, dir := library(t)
	a, b := stored(t, l), stored(t, l)
	names := map[string]bool{a.Name: true, a.Preview: true, b.Name: true, b.Preview: true}
	if len(names) != 4 {
		t.Errorf("names are not unique: %v", names)
	}
	if a.Width != 60 || a.Height != 40 || a.Mime != "image/jpeg" || a.Blurhash == "" {
		t.Errorf("stored %+v", a)
	}
	for name := range names {
		if !IsName(name) {
			t.Errorf("%q is not the name of a file", name)
		}
		f, err := l.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(f)
		f.Close()
		if err != nil || !bytes.HasPrefix(data, []byte("\xff\xd8\xff")) || f.Mime != "image/jpeg" {
			t.Errorf("%s: %d bytes of %s, %v", name, len(data), f.Mime, err)
		}
	}
	if left := filesIn(t, dir); len(left) != 4 {
		t.Errorf("files beside those stored: %v", left)
	}
	if err := l.Remove(a.Name, a.Preview, a.Name, "../../etc/passwd"); err != nil {
		t.Error(err)
	}
	if _, err := l.Open(a.Name); !fault.Is(err, fault.NotFound) {
		t.Errorf("after Remove: %v", err)
	}
	if left := filesIn(t, dir); len(left) != 2 {
		t.Errorf("after Remove: %v", left)
	}
	for _, name := range []string{"", ".", "..", "../x", "/etc/passwd", a.Name + "/..", strings.ToUpper(b.Name), b.Name + "\x00", "a.jpg", strings.Replace(b.Name, ".jpg", ".html", 1)} {
		if _, err := l.Open(name); !fault.Is(err, fault.NotFound) {
			t.Errorf("Open(%q): %v", name, err)
		}
	}
}

func TestStoreWaitsForASlot(t *testing.T) {
	l, _ := library(t)
	l.slots <- struct{}{} // another one decodes
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := l.Store(ctx, bytes.NewReader(asJPEG(t, photo(60, 40))), Pictures()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Store = %v, want that it waited until its context ended", err)
	}
	<-l.slots
	stored(t, l)
}

func TestSweep(t *testing.T) {
	l, dir := library(t)
	ctx := context.Background()
	never := func(context.Context, []string) (map[string]bool, error) { return nil, errors.New("asked") }
	if n, err := l.Sweep(ctx, time.Now(), never); n != 0 || err != nil {
		t.Errorf("an empty library: %d, %v", n, err)
	}
	wanted, orphan, young := stored(t, l), stored(t, l), stored(t, l)
	cutShort := filepath.Join(dir, "files", wanted.Name[:2], wanted.Name+".part-X")
	if err := os.WriteFile(cutShort, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range filesIn(t, dir) {
		if name := filepath.Base(f); name != young.Name && name != young.Preview {
			age(t, 25*time.Hour, f)
		}
	}
	if n, err := l.Sweep(ctx, time.Now(), never); n != 0 || err == nil {
		t.Errorf("when nobody knows what is wanted: %d, %v", n, err)
	}
	known := func(_ context.Context, names []string) (map[string]bool, error) {
		return map[string]bool{wanted.Name: true, wanted.Preview: true}, nil
	}
	if n, err := l.Sweep(ctx, time.Now(), known); n != 2 || err != nil {
		t.Errorf("Sweep = %d, %v; want the two files of the orphan", n, err)
	}
	for name, there := range map[string]bool{wanted.Name: true, wanted.Preview: true, young.Name: true, orphan.Name: false, orphan.Preview: false} {
		f, err := l.Open(name)
		if (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			f.Close()
		}
	}
	if _, err := os.Stat(cutShort); err == nil {
		t.Error("a write that was cut short is still there")
	}
}

func TestServe(t *testing.T) {
	l, _ := library(t)
	s := stored(t, l)
	get := func(public bool, set ...string) *httptest.ResponseRecorder {
		t.Helper()
		f, err := l.Open(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/media/"+s.Name, nil)
		for i := 0; i < len(set); i += 2 {
			r.Header.Set(set[i], set[i+1])
		}
		w := httptest.NewRecorder()
		Serve(w, r, f, public)
		return w
	}
	tests := []struct {
		name   string
		public bool
		header []string
		status int
		cache  string
	}{
		{"public", true, nil, http.StatusOK, "public, max-age=31536000, immutable"},
		{"not for everyone", false, nil, http.StatusOK, "private, no-store"},
		{"a range", true, []string{"Range", "bytes=0-2"}, http.StatusPartialContent, "public, max-age=31536000, immutable"},
		{"known already", true, []string{"If-None-Match", `"` + s.Name + `"`}, http.StatusNotModified, "public, max-age=31536000, immutable"},
	}
	for _, tt := range tests {
		w := get(tt.public, tt.header...)
		h := w.Header()
		if w.Code != tt.status || h.Get("Cache-Control") != tt.cache {
			t.Errorf("%s: %d, %q; want %d, %q", tt.name, w.Code, h.Get("Cache-Control"), tt.status, tt.cache)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: unsafe headers %v", tt.name, h)
		}
		if ct := h.Get("Content-Type"); ct != "image/jpeg" && w.Code != http.StatusNotModified {
			t.Errorf("%s: Content-Type %q", tt.name, ct)
		}
		if open := h.Get("Access-Control-Allow-Origin") != ""; open != tt.public {
			t.Errorf("%s: open to other origins: %v", tt.name, open)
		}
		if tt.status == http.StatusPartialContent && w.Body.Len() != 3 {
			t.Errorf("%s: %d bytes", tt.name, w.Body.Len())
		}
	}
}

func TestFetchRemote(t *testing.T) {
	l, dir := library(t)
	ctx := context.Background()
	const url = "https://elm.test/cat.jpg"
	var asked atomic.Int32
	file := withSegments(asJPEG(t, photo(800, 600)), []byte("\xfeSECRET"))
	get := func(context.Context, string) ([]byte, string, error) {
		asked.Add(1)
		return file, "text/html", nil // what it calls itself does not matter
	}
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(func() {
			f, err := l.FetchRemote(ctx, url, Whole, get)
			if err != nil {
				t.Error(err)
				return
			}
			f.Close()
		})
	}
	wait.Wait()
	for v, width := range map[Variant]int{Whole: 800, Preview: 400} {
		f, err := l.FetchRemote(ctx, url, v, get)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(f)
		f.Close()
		c, err := formats[0].configOf(data)
		if err != nil || c.Width != width || bytes.Contains(data, []byte("SECRET")) || f.Mime != "image/jpeg" {
			t.Errorf("%s: %d wide, want %d (%v)", v, c.Width, width, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	if f, err := l.FetchRemote(ctx, url, Portrait, get); err != nil {
		t.Error(err)
	} else {
		c, _ := formats[0].config(f)
		f.Close()
		if c.Width != 400 || c.Height != 400 {
			t.Errorf("portrait of %d × %d", c.Width, c.Height)
		}
	}
	if n, err := l.SweepRemote(ctx, time.Now(), 1<<30); n != 0 || err != nil {
		t.Errorf("SweepRemote took %d fresh copies, %v", n, err)
	}
	whole := filepath.Join(dir, filepath.FromSlash(remotePath(url, Whole, ".jpg")))
	age(t, 8*24*time.Hour, whole)
	if n, err := l.SweepRemote(ctx, time.Now(), 1<<30); n != 1 || err != nil {
		t.Errorf("SweepRemote took %d, %v; want the old one", n, err)
	}
	if n, err := l.SweepRemote(ctx, time.Now(), 0); n != 2 || err != nil || len(filesIn(t, dir)) != 0 {
		t.Errorf("SweepRemote left %v (%d, %v)", filesIn(t, dir), n, err)
	}
}

func TestFetchRemoteRemembersFailures(t *testing.T) {
	l, dir := library(t)
	asked := 0
	bodies := map[string][]byte{"https://elm.test/page": []byte("<html>"), "https://elm.test/big": make([]byte, 11<<20)}
	get := func(_ context.Context, url string) ([]byte, string, error) {
		asked++
		if body, ok := bodies[url]; ok {
			return body, "image/jpeg", nil
		}
		return nil, "", errors.New("connection refused")
	}
	for _, url := range []string{"https://elm.test/page", "https://elm.test/big", "https://elm.test/gone"} {
		asked = 0
		for range 3 {
			if f, err := l.FetchRemote(context.Background(), url, Whole, get); err == nil {
				f.Close()
				t.Errorf("%s came", url)
			}
		}
		if asked != 1 {
			t.Errorf("%s was asked for %d times, want once", url, asked)
		}
		for i, wait := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 6 * time.Hour, 6 * time.Hour} {
			for _, before := range []time.Duration{wait - 10*time.Second, wait + time.Second} {
				age(t, before, filesIn(t, dir)...)
				l.FetchRemote(context.Background(), url, Whole, get)
			}
			if asked != i+2 {
				t.Errorf("%s was asked for %d times when it had failed %d times and its pause was over", url, asked, i+1)
			}
		}
		age(t, 25*time.Hour, filesIn(t, dir)...)
		for range 2 {
			l.FetchRemote(context.Background(), url, Whole, get)
		}
		age(t, 2*time.Minute, filesIn(t, dir)...)
		l.FetchRemote(context.Background(), url, Whole, get)
		if asked != 8 {
			t.Errorf("%s was asked for %d times; after a day it starts anew with a minute", url, asked)
		}
	}
	bodies["https://elm.test/gone"] = asJPEG(t, photo(60, 40))
	age(t, 6*time.Minute, filesIn(t, dir)...)
	f, err := l.FetchRemote(context.Background(), "https://elm.test/gone", Whole, get)
	if err != nil {
		t.Fatalf("a picture that came in the end: %v", err)
	}
	f.Close()
	if n, _ := l.failures("https://elm.test/gone"); n != 0 {
		t.Errorf("%d failures are remembered of a picture that came", n)
	}
	notAsked := func(context.Context, string) ([]byte, string, error) {
		return nil, "", fmt.Errorf("refused: %w", ErrNotAsked)
	}
	if _, err := l.FetchRemote(context.Background(), "https://oak.test/a", Whole, notAsked); err == nil {
		t.Error("a picture that nobody asked for came")
	}
	if n, _ := l.failures("https://oak.test/a"); n != 0 {
		t.Error("that nobody was asked is remembered as a failure")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	before := len(filesIn(t, dir))
	stopped := func(ctx context.Context, _ string) ([]byte, string, error) { return nil, "", ctx.Err() }
	if _, err := l.FetchRemote(ctx, "https://elm.test/later", Whole, stopped); err == nil || len(filesIn(t, dir)) != before {
		t.Errorf("a reader who left is no failure of the picture's (%v)", err)
	}
}
