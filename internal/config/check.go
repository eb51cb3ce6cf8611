package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Problems are settings that cannot be as they are: each line names one and
// says what to do.
type Problems []string

// Error returns the problems, one a line.
func (p Problems) Error() string { return "settings:\n  " + strings.Join(p, "\n  ") }

func (p *Problems) add(setting, format string, args ...any) {
	*p = append(*p, setting+": "+fmt.Sprintf(format, args...))
}

// Prepare fills in what follows from other settings and refuses what is missing
// or contradictory, all of it at once, by name.
func (c *Config) Prepare() error { return c.prepare(true) }

// PrepareBeside is Prepare for a command that acts on the database and answers
// nobody: how the server comes by https does not matter to it.
func (c *Config) PrepareBeside() error { return c.prepare(false) }

func (c *Config) prepare(serving bool) error {
	var p Problems
	c.checkEnvironment(&p)
	c.checkHost(&p)
	if serving {
		c.checkTLS(&p)
	}
	if c.Data == "" {
		p.add("data", "name a folder")
	}
	c.Data = filepath.Clean(c.Data)
	if c.Database == "" {
		c.Database = filepath.Join(c.Data, "chalkring.db")
	}
	if scheme, _, ok := strings.Cut(c.Database, "://"); ok && scheme != "postgres" && scheme != "postgresql" {
		p.add("database", "%s:// is not supported; give a file for SQLite, or postgres://user:password@host/name", scheme)
	}
	c.fillListen()
	checkListen(&p, "listen", c.Listen)
	checkListen(&p, "http-listen", c.HTTPListen)
	checkListen(&p, "metrics-listen", c.MetricsListen)
	if c.MetricsListen != "" && c.MetricsToken == "" && !loopback(c.MetricsListen) {
		p.add("metrics-listen", "%s is open to others; set metrics-token too, or listen on localhost", c.MetricsListen)
	}
	if c.HTTPListen != "" && c.HTTPListen == c.Listen {
		p.add("http-listen", "is the same as listen (%s); choose another, or \"off\"", c.Listen)
	}
	readable(&p, "extra-roots", c.ExtraRoots)
	atLeast(&p, "retry-for", c.RetryFor.Minutes(), 1, "a minute")
	atLeast(&p, "delivery-workers", float64(c.DeliveryWorkers), 1, "1")
	atLeast(&p, "receive-workers", float64(c.ReceiveWorkers), 1, "1")
	atLeast(&p, "max-upload", float64(c.MaxUpload), 1<<10, "1KiB")
	atLeast(&p, "database-connections", float64(c.Conns), 0, "0")
	if len(p) > 0 {
		return p
	}
	return nil
}

// checkEnvironment refuses misspelt variables, which would otherwise have no
// effect and no voice.
func (c *Config) checkEnvironment(p *Problems) {
	known := map[string]bool{}
	var names []string
	for _, s := range Settings() {
		known[s.Env] = true
		names = append(names, s.Env)
	}
	environ := os.Environ()
	slices.Sort(environ)
	for _, e := range environ {
		key, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(key, "CHALKRING_") && !strings.HasPrefix(key, "CHALKRING_TEST_") && !known[key] {
			p.add(key, "there is no such variable%s", nearest(key, names))
		}
	}
}

func (c *Config) checkHost(p *Problems) {
	c.Host = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(c.Host), "."))
	bare := name(c.Host)
	_, ip := netip.ParseAddr(strings.Trim(bare, "[]"))
	switch {
	case c.Host == "":
		p.add("host", "give the name this server answers as, such as school.example")
	case strings.ContainsAny(c.Host, "/@ ") || bare == "" || strings.Contains(bare, ":"):
		p.add("host", "%q is not a host name; give it without https:// and without a path, such as school.example", c.Host)
	case ip == nil:
		p.add("host", "%q is an IP address; other servers need a name, such as school.example", c.Host)
	case c.Dev():
		if n, err := strconv.ParseUint(port(c.Host, "1"), 10, 16); err != nil || n == 0 {
			p.add("host", "%q has no valid port", c.Host)
		}
	case bare != c.Host:
		p.add("host", "%q carries a port, which only localhost, *.localhost and *.test may; leave it out and set listen", c.Host)
	case !strings.Contains(c.Host, "."):
		p.add("host", "%q has no dot in it; give the whole name, such as school.example", c.Host)
	}
}

func (c *Config) checkTLS(p *Problems) {
	ways := []string{}
	if c.CertFile != "" || c.KeyFile != "" {
		ways = append(ways, "cert-file")
	}
	if c.ACMEEmail != "" {
		ways = append(ways, "acme-email")
	}
	if len(c.TrustedProxies) > 0 {
		ways = append(ways, "trusted-proxies")
	}
	switch {
	case len(ways) > 1:
		p.add(ways[0], "contradicts %s: each is a way to have https, and there can be one; remove the others", strings.Join(ways[1:], " and "))
	case c.Host != "" && c.TLS() == unset:
		p.add("host", "%s needs https; set acme-email to fetch a certificate, or cert-file and key-file, or trusted-proxies if a reverse proxy does it", c.Host)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		p.add("cert-file", "cert-file and key-file belong together; set both")
	}
	readable(p, "cert-file", c.CertFile)
	readable(p, "key-file", c.KeyFile)
	if c.ACMEEmail != "" {
		if a, err := mail.ParseAddress(c.ACMEEmail); err != nil || a.Address != c.ACMEEmail {
			p.add("acme-email", "%q is not a mail address", c.ACMEEmail)
		}
		if c.ACMEDirectory == "" && c.Dev() {
			p.add("acme-email", "no public authority gives a certificate for %s; set cert-file and key-file, or acme-directory", c.Host)
		}
	}
	if c.ACMEDirectory != "" {
		if u, err := url.Parse(c.ACMEDirectory); err != nil || u.Scheme != "https" || u.Host == "" {
			p.add("acme-directory", "%q is not an https:// address", c.ACMEDirectory)
		}
		if c.ACMEEmail == "" {
			p.add("acme-directory", "has no effect without acme-email; set both")
		}
	}
}

func (c *Config) fillListen() {
	tls := c.TLS()
	if c.Listen == "" {
		switch {
		case tls == Plain:
			c.Listen = "localhost:" + port(c.Host, "80")
		case tls == Proxy:
			c.Listen = ":8080"
		default:
			c.Listen = ":" + port(c.Host, "443")
		}
	}
	switch {
	case c.HTTPListen == "off":
		c.HTTPListen = ""
	case c.HTTPListen == "" && tls == ACME:
		c.HTTPListen = ":80"
	}
}

func checkListen(p *Problems, setting, address string) {
	if address == "" {
		return
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		p.add(setting, "%q is not an address; write it as host:port or :port", address)
	}
}

func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func readable(p *Problems, setting, path string) {
	if path == "" {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		p.add(setting, "cannot be read: %v", err)
		return
	}
	f.Close()
}

func atLeast(p *Problems, setting string, value, least float64, words string) {
	if value < least {
		p.add(setting, "must be at least %s", words)
	}
}

// nearest suggests the name that someone probably meant.
func nearest(word string, names []string) string {
	best, least := "", 4
	for _, n := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return "; see chalkring config for the list"
	}
	return "; did you mean " + best + "?"
}

// distance counts the letters to change, add or leave out between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
