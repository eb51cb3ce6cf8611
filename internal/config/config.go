// Package config is what the machine must know before the server starts. Each
// setting is declared once, with its default and its meaning; the command line,
// the environment, the file and the reference are all read from here. What an
// administrator decides while the server runs is in the database.
package config

import (
	"net"
	"path/filepath"
	"strings"
	"time"
)

// Config is every setting. Parse or Prepare must have passed before its
// methods tell the truth.
type Config struct {
	File string `name:"config" env:"CHALKRING_CONFIG" placeholder:"FILE" help:"File of settings, one \"name = value\" a line. Without it, chalkring.conf in the working directory is read if there is one."`

	Host     string `env:"CHALKRING_HOST" default:"localhost:8080" placeholder:"NAME" help:"Name this server answers as, for ever: other servers store it. Only localhost and names below .localhost or .test may carry a port."`
	Data     string `env:"CHALKRING_DATA" default:"chalkring-data" placeholder:"FOLDER" help:"Folder for uploaded files and, with SQLite, the database."`
	Database string `env:"CHALKRING_DATABASE" placeholder:"FILE|URL" help:"SQLite file, or a postgres:// URL. Without it, chalkring.db in the data folder."`
	Conns    int    `name:"database-connections" env:"CHALKRING_DATABASE_CONNECTIONS" default:"0" help:"Connections to the database at most; 0 chooses for this machine."`

	Listen     string `env:"CHALKRING_LISTEN" placeholder:"ADDRESS" help:"Address to listen on. Without it: :443 with own https, :8080 behind a proxy, localhost and the host's port on localhost."`
	HTTPListen string `name:"http-listen" env:"CHALKRING_HTTP_LISTEN" placeholder:"ADDRESS" help:"Address for plain http, which redirects to https and answers for certificates; \"off\" for none. Without it, :80 when certificates are fetched."`

	ACMEEmail      string   `name:"acme-email" env:"CHALKRING_ACME_EMAIL" placeholder:"ADDRESS" help:"Fetch and renew the certificate by ACME (RFC 8555), from Let's Encrypt unless acme-directory says otherwise, giving this mail address. Port 443, or 80, must be reachable under the host's name."`
	ACMEDirectory  string   `name:"acme-directory" env:"CHALKRING_ACME_DIRECTORY" placeholder:"URL" help:"ACME directory of another certificate authority, instead of Let's Encrypt. If its address is private, list that in egress-allow; if its own certificate is not from a public authority, name its root in extra-roots."`
	CertFile       string   `name:"cert-file" env:"CHALKRING_CERT_FILE" placeholder:"FILE" help:"Own certificate with its chain, in PEM. Needs key-file."`
	KeyFile        string   `name:"key-file" env:"CHALKRING_KEY_FILE" placeholder:"FILE" help:"Private key of cert-file, in PEM."`
	TrustedProxies Prefixes `name:"trusted-proxies" env:"CHALKRING_TRUSTED_PROXIES" placeholder:"RANGES" help:"Addresses of the reverse proxy that does https in front of this server, such as 127.0.0.1 or 10.0.0.0/8. Its X-Forwarded-For is believed; nobody else's is."`

	EgressAllow Prefixes `name:"egress-allow" env:"CHALKRING_EGRESS_ALLOW" placeholder:"RANGES" help:"Private address ranges that this server may call, such as 10.0.0.0/8. Every other private address is refused, since a stranger's link could lead there."`
	ExtraRoots  string   `name:"extra-roots" env:"CHALKRING_EXTRA_ROOTS" placeholder:"FILE" help:"Certificates, in PEM, of authorities that are trusted besides the system's (or those in SSL_CERT_FILE) when calling other servers and the ACME directory."`
	Push        string   `name:"push" env:"CHALKRING_PUSH" default:"words" enum:"words,bare,off" help:"What is pushed to people's devices through the push services that their apps choose: words (who did what; only the device can read it), bare (that there is something new) or off (nothing, and what apps subscribed to is forgotten)."`
	RateLimits  bool     `name:"rate-limits" env:"CHALKRING_RATE_LIMITS" default:"true" negatable:"" help:"Limit how much one client may ask for. Turn it off only to measure."`
	MaxUpload   Size     `name:"max-upload" env:"CHALKRING_MAX_UPLOAD" default:"16MiB" placeholder:"SIZE" help:"Largest file that people may upload, such as 16MiB; a picture may have 10MiB, whatever this says."`

	RetryFor        time.Duration `name:"retry-for" env:"CHALKRING_RETRY_FOR" default:"72h" placeholder:"TIME" help:"How long deliveries to a silent server are tried again before they are given up; deletions are tried for 30 days at least."`
	DeliveryWorkers int           `name:"delivery-workers" env:"CHALKRING_DELIVERY_WORKERS" default:"32" help:"To how many other servers at once this one delivers."`
	ReceiveWorkers  int           `name:"receive-workers" env:"CHALKRING_RECEIVE_WORKERS" default:"64" help:"How many other servers' messages are worked on at once."`

	LogLevel      string `name:"log-level" env:"CHALKRING_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: debug, info, warn or error."`
	LogFormat     string `name:"log-format" env:"CHALKRING_LOG_FORMAT" default:"text" enum:"text,json" help:"How the log is written: text or json."`
	MetricsListen string `name:"metrics-listen" env:"CHALKRING_METRICS_LISTEN" placeholder:"ADDRESS" help:"Address that serves /metrics for Prometheus, such as localhost:9090."`
	MetricsToken  string `name:"metrics-token" env:"CHALKRING_METRICS_TOKEN" placeholder:"SECRET" secret:"" help:"Bearer token without which /metrics answers 401. Alone, it opens /metrics on the server's own address."`
}

// TLS is how a server comes by https.
type TLS string

// The ways to https, and its absence.
const (
	Plain TLS = "plain" // no https: localhost only
	Proxy TLS = "proxy" // a reverse proxy does it
	Files TLS = "files" // own certificate
	ACME  TLS = "acme"  // fetched certificates
	unset TLS = ""
)

// TLS returns how this server comes by https.
func (c *Config) TLS() TLS {
	switch {
	case c.CertFile != "" || c.KeyFile != "":
		return Files
	case c.ACMEEmail != "":
		return ACME
	case len(c.TrustedProxies) > 0:
		return Proxy
	case localhost(c.Host):
		return Plain
	}
	return unset
}

// Scheme returns "https", or "http" for a server on localhost that has no
// certificate. A proxy in front is taken to speak https, but on localhost.
func (c *Config) Scheme() string {
	if t := c.TLS(); t == Plain || t == Proxy && localhost(c.Host) {
		return "http"
	}
	return "https"
}

// BaseURL returns the address under which people and other servers know this
// one, without a trailing slash.
func (c *Config) BaseURL() string { return c.Scheme() + "://" + c.Host }

// Name returns the host without a port: the name in its certificate.
func (c *Config) Name() string { return name(c.Host) }

// Dev reports whether the host's name can only be a developer's or a
// demonstration's, so that peers may be of that kind too.
//
// RFC 6761, sections 6.2 and 6.3.
func (c *Config) Dev() bool { return localhost(c.Host) || below(c.Host, "test") }

// DefaultHost is the host of a server that was given none, for trying it out.
const DefaultHost = "localhost:8080"

// DefaultData is the folder of a server that was given none.
const DefaultData = "chalkring-data"

// MediaDir returns the folder of uploaded files.
func (c *Config) MediaDir() string { return filepath.Join(c.Data, "media") }

func localhost(host string) bool { return name(host) == "localhost" || below(host, "localhost") }

func below(host, domain string) bool { return strings.HasSuffix(name(host), "."+domain) }

func name(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

func port(host, otherwise string) string {
	if _, p, err := net.SplitHostPort(host); err == nil {
		return p
	}
	return otherwise
}
