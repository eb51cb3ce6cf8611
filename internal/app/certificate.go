package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

// certificates says where the listener's certificate comes from.
type certificates interface {
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// tlsConfig is what all our listeners speak.
//
// RFC 9325 (recommendations for TLS); RFC 7301 (ALPN).
func tlsConfig(from certificates) *tls.Config {
	protocols := []string{"h2", "http/1.1"}
	if _, ok := from.(*fetched); ok {
		protocols = append(protocols, acme.ALPNProto) // RFC 8737
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: from.GetCertificate,
		NextProtos:     protocols,
	}
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
