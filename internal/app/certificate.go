package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/chalkring/chalkring/internal/store"
)

// certificates says where the listener's certificate comes from.
type certificates interface {
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// tlsConfig is what all our listeners speak.
//
// RFC 9325 (recommendations for TLS); RFC 7301 (ALPN).
func tlsConfig(from certificates) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: from.GetCertificate,
		NextProtos:     []string{"h2", "http/1.1", acme.ALPNProto},
	}
}

// newACME returns the manager that obtains and renews the certificate by
// itself. Certificates and the account's key live in the database, so that all
// nodes share them and a backup has them.
//
// RFC 8555.
func newACME(db *store.DB, host, email, directory string, client *http.Client) *autocert.Manager {
	return &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      keptCerts{db},
		HostPolicy: autocert.HostWhitelist(host),
		Email:      email,
		Client:     &acme.Client{DirectoryURL: directory, HTTPClient: client, UserAgent: "Chalkring"},
	}
}

// keptCerts is autocert.Cache on the table "kept".
type keptCerts struct{ db *store.DB }

const keptCertPrefix = "acme:"

// Get implements autocert.Cache.
func (k keptCerts) Get(ctx context.Context, key string) ([]byte, error) {
	var rows []struct{ Value []byte }
	err := k.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw("SELECT value FROM kept WHERE key = ?", keptCertPrefix+key).Scan(&rows).Error
	})
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, autocert.ErrCacheMiss
	}
	return rows[0].Value, nil
}

// Put implements autocert.Cache.
func (k keptCerts) Put(ctx context.Context, key string, data []byte) error {
	return k.db.Write(ctx, func(tx *store.Tx) error {
		return tx.Exec("INSERT INTO kept (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
			keptCertPrefix+key, data).Error
	})
}

// Delete implements autocert.Cache.
func (k keptCerts) Delete(ctx context.Context, key string) error {
	return k.db.Write(ctx, func(tx *store.Tx) error {
		return tx.Exec("DELETE FROM kept WHERE key = ?", keptCertPrefix+key).Error
	})
}

// certFiles serves a certificate from two PEM files and takes up new ones
// when the files change, so that a renewal needs no restart.
type certFiles struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu      sync.Mutex
	cert    *tls.Certificate
	stamp   string    // of the files that cert was read from
	checked time.Time // when the files were last looked at
}

// recheck is how long a look at the certificate files counts.
const recheck = 10 * time.Second

func newCertFiles(certFile, keyFile string, log *slog.Logger) (*certFiles, error) {
	c := &certFiles{certFile: certFile, keyFile: keyFile, log: log, now: time.Now}
	_, err := c.GetCertificate(nil)
	return c, err
}

// GetCertificate implements tls.Config's function of that name.
func (c *certFiles) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.cert != nil && now.Sub(c.checked) < recheck {
		return c.cert, nil
	}
	c.checked = now
	stamp := fileStamp(c.certFile) + fileStamp(c.keyFile)
	if c.cert != nil && stamp == c.stamp {
		return c.cert, nil
	}
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case err == nil:
		c.cert, c.stamp = &cert, stamp
	case c.cert == nil:
		return nil, fmt.Errorf("read the certificate: %w", err)
	default: // one of the two files is new and the other not yet
		c.log.Warn("certificate files changed but cannot be used; the old certificate stays", "err", err)
	}
	return c.cert, nil
}

func fileStamp(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size(), ";")
}
