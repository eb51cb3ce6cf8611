package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func settings(t *testing.T, args ...string) config.Config {
	t.Helper()
	cfg, err := config.Parse(append([]string{"--data", t.TempDir()}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestServerStartsAnswersAndStops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := settings(t, "--host", "localhost:8080", "--metrics-token", "secret")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s, err := New(ctx, cfg, Options{Log: discard(), Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	ask := func(path, token string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "localhost:8080"
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	for _, tt := range []struct {
		path, token string
		status      int
		contains    string
	}{
		{"/healthz", "", 200, "ok"},
		{"/readyz", "", 200, "ready"},
		{"/metrics", "", 401, "token"},
		{"/metrics", "wrong", 401, "token"},
		{"/metrics", "secret", 200, `chalkring_queue_waiting{queue="deliveries"} 0`},
		{"/nowhere-at-all", "", 404, ""},
	} {
		if status, body := ask(tt.path, tt.token); status != tt.status || !strings.Contains(body, tt.contains) {
			t.Errorf("%s: %d %q, want %d with %q", tt.path, status, body, tt.status, tt.contains)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if _, err := http.Get("http://" + l.Addr().String() + "/healthz"); err == nil {
		t.Error("it still answers after its stop")
	}
}

func TestAnotherHostIsRefused(t *testing.T) {
	cfg := settings(t, "--host", "oak.test:8080", "--trusted-proxies", "127.0.0.1")
	s, err := New(t.Context(), cfg, Options{Log: discard(), External: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Host = "elm.test:8080"
	if _, err := New(t.Context(), cfg, Options{Log: discard(), External: true}); err == nil || !strings.Contains(err.Error(), "oak.test:8080") {
		t.Errorf("a second host: %v, want a refusal that names the first", err)
	}
}

func TestRedirect(t *testing.T) {
	h := redirect("oak.test")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://evil.example/a%2Fb?q=1", nil))
	if got := w.Header().Get("Location"); w.Code != http.StatusPermanentRedirect || got != "https://oak.test/a%2Fb?q=1" {
		t.Errorf("%d %s", w.Code, got)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://oak.test/sign-in", nil))
	if w.Code != http.StatusBadRequest {
		t.Errorf("a plain POST: %d", w.Code)
	}
}

func TestCertificateFilesAreReloaded(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCert(t, certFile, keyFile, 1)
	c, err := newCertFiles(certFile, keyFile, discard())
	if err != nil {
		t.Fatal(err)
	}
	clock := time.Now()
	c.now = func() time.Time { return clock }
	serial := func() int64 {
		t.Helper()
		got, err := c.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(got.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Fatalf("serves certificate %d", n)
	}
	if err := os.WriteFile(certFile, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(time.Minute)
	if n := serial(); n != 1 {
		t.Errorf("while the files do not fit it serves %d, want the old one", n)
	}
	writeCert(t, certFile, keyFile, 2)
	clock = clock.Add(time.Minute)
	if n := serial(); n != 2 {
		t.Errorf("after the renewal it serves %d", n)
	}
	if _, err := newCertFiles(filepath.Join(dir, "none.pem"), keyFile, discard()); err == nil {
		t.Error("a missing certificate is no failure at start")
	}
}

func writeCert(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"oak.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeptCerts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		cache, ctx := keptCerts{db, ""}, t.Context()
		if _, err := cache.Get(ctx, "oak.test"); err != autocert.ErrCacheMiss {
			t.Errorf("an unknown certificate: %v", err)
		}
		for _, body := range []string{"first", "renewed"} {
			if err := cache.Put(ctx, "oak.test", []byte(body)); err != nil {
				t.Fatal(err)
			}
			if got, err := cache.Get(ctx, "oak.test"); err != nil || string(got) != body {
				t.Errorf("got %q, %v, want %q", got, err, body)
			}
		}
		if err := cache.Delete(ctx, "oak.test"); err != nil {
			t.Fatal(err)
		}
		if _, err := cache.Get(ctx, "oak.test"); err != autocert.ErrCacheMiss {
			t.Errorf("a deleted certificate: %v", err)
		}
	})
}
