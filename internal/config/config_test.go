package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// alone makes the test see no settings but its own.
func alone(t *testing.T) {
	t.Helper()
	for _, s := range Settings() {
		if old, ok := os.LookupEnv(s.Env); ok {
			os.Unsetenv(s.Env)
			t.Cleanup(func() { os.Setenv(s.Env, old) })
		}
	}
	t.Chdir(t.TempDir())
}

func pem(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNothingSet(t *testing.T) {
	alone(t)
	c, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != DefaultHost || c.BaseURL() != "http://localhost:8080" || c.Listen != "localhost:8080" || c.HTTPListen != "" {
		t.Errorf("%s on %s", c.BaseURL(), c.Listen)
	}
	if c.Database != filepath.Join("chalkring-data", "chalkring.db") || c.MediaDir() != filepath.Join("chalkring-data", "media") {
		t.Errorf("database %s, media %s", c.Database, c.MediaDir())
	}
	if !c.RateLimits || c.RetryFor != 72*time.Hour || c.MaxUpload != 16<<20 || c.DeliveryWorkers < 1 {
		t.Errorf("defaults %+v", c)
	}
}

func TestWaysToHTTPS(t *testing.T) {
	alone(t)
	cert, key := pem(t, "cert.pem"), pem(t, "key.pem")
	tests := []struct {
		name               string
		args               []string
		tls                TLS
		base, listen, http string
	}{
		{"a demonstration", []string{"--host=oak.localhost:8081"}, Plain, "http://oak.localhost:8081", "localhost:8081", ""},
		{"localhost alone", []string{"--host=localhost"}, Plain, "http://localhost", "localhost:80", ""},
		{"fetched", []string{"--host=School.Example.", "--acme-email=it@school.example"}, ACME, "https://school.example", ":443", ":80"},
		{"fetched, no http", []string{"--host=school.example", "--acme-email=it@school.example", "--http-listen=off"}, ACME, "https://school.example", ":443", ""},
		{"own", []string{"--host=school.example", "--cert-file=" + cert, "--key-file=" + key}, Files, "https://school.example", ":443", ""},
		{"own, in a test network", []string{"--host=oak.test:8443", "--cert-file=" + cert, "--key-file=" + key}, Files, "https://oak.test:8443", ":8443", ""},
		{"own, on localhost", []string{"--host=localhost:8443", "--cert-file=" + cert, "--key-file=" + key}, Files, "https://localhost:8443", ":8443", ""},
		{"behind a proxy", []string{"--host=school.example", "--trusted-proxies=127.0.0.1, 10.0.0.0/8"}, Proxy, "https://school.example", ":8080", ""},
	}
	for _, tt := range tests {
		c, err := Parse(tt.args)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if c.TLS() != tt.tls || c.BaseURL() != tt.base || c.Listen != tt.listen || c.HTTPListen != tt.http {
			t.Errorf("%s: %s %s on %s and %q", tt.name, c.TLS(), c.BaseURL(), c.Listen, c.HTTPListen)
		}
	}
}

func TestRefused(t *testing.T) {
	alone(t)
	cert, key := pem(t, "cert.pem"), pem(t, "key.pem")
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"no https", []string{"--host=school.example"}, []string{"host: school.example needs https", "acme-email", "cert-file", "trusted-proxies"}},
		{"two ways", []string{"--host=school.example", "--acme-email=a@b.example", "--trusted-proxies=10.0.0.0/8"}, []string{"acme-email: contradicts trusted-proxies"}},
		{"half a certificate", []string{"--host=school.example", "--cert-file=" + cert}, []string{"key-file belong together"}},
		{"no such file", []string{"--host=school.example", "--cert-file=no.pem", "--key-file=" + key}, []string{"cert-file: cannot be read"}},
		{"an address", []string{"--host=https://school.example/"}, []string{"host:", "without https://"}},
		{"an IP address", []string{"--host=192.0.2.1"}, []string{"host:", "IP address"}},
		{"a port", []string{"--host=school.example:8443"}, []string{"host:", "port"}},
		{"a bad port", []string{"--host=localhost:0"}, []string{"host:", "port"}},
		{"one label", []string{"--host=school"}, []string{"host:", "dot"}},
		{"mail", []string{"--host=school.example", "--acme-email=it"}, []string{"acme-email:", "not a mail address"}},
		{"a certificate for .test", []string{"--host=oak.test", "--acme-email=it@school.example"}, []string{"acme-email: no public authority"}},
		{"directory alone", []string{"--acme-directory=https://ca.example/dir"}, []string{"acme-directory: has no effect"}},
		{"another database", []string{"--database=mysql://x"}, []string{"database: mysql:// is not supported"}},
		{"open metrics", []string{"--metrics-listen=:9090"}, []string{"metrics-listen:", "metrics-token"}},
		{"listen", []string{"--listen=8080"}, []string{"listen:", ":port"}},
		{"ranges", []string{"--egress-allow=10.0.0.1/8"}, []string{"egress-allow", "10.0.0.0/8"}},
		{"size", []string{"--max-upload=huge"}, []string{"max-upload", "16MiB"}},
		{"time", []string{"--retry-for=3"}, []string{"retry-for"}},
		{"too short", []string{"--retry-for=3s"}, []string{"retry-for: must be at least a minute"}},
		{"workers", []string{"--delivery-workers=0"}, []string{"delivery-workers: must be at least 1"}},
		{"level", []string{"--log-level=loud"}, []string{"log-level"}},
		{"unknown flag", []string{"--hots=x"}, []string{"--hots"}},
		{"several at once", []string{"--host=school", "--delivery-workers=0"}, []string{"host:", "delivery-workers:"}},
	}
	for _, tt := range tests {
		_, err := Parse(tt.args)
		if err == nil {
			t.Errorf("%s: accepted", tt.name)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", tt.name, err, want)
			}
		}
	}
}

func TestSources(t *testing.T) {
	alone(t)
	conf := "# our school\nhost = file.localhost:1\n\nretry-for = 2h\nrate-limits = no\ntrusted-proxies =\negress-allow = 10.0.0.0/8, fd00::/8\nmetrics-token = \" spaced \"\nmax-upload = 1MB\n"
	if err := os.WriteFile(DefaultFile, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CHALKRING_HOST", "env.localhost:2")
	t.Setenv("CHALKRING_RETRY_FOR", "3h")
	c, err := Parse([]string{"--host=flag.localhost:3"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != "flag.localhost:3" || c.RetryFor != 3*time.Hour || c.RateLimits || c.MetricsToken != " spaced " || c.MaxUpload != 1e6 {
		t.Errorf("%+v", c)
	}
	want := Prefixes{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	if !reflect.DeepEqual(c.EgressAllow, want) {
		t.Errorf("egress-allow %v", c.EgressAllow)
	}
	if !c.EgressAllow.Contains(netip.MustParseAddr("::ffff:10.1.2.3")) || c.EgressAllow.Contains(netip.MustParseAddr("11.0.0.1")) {
		t.Error("a range does not hold what it should")
	}

	other := filepath.Join(t.TempDir(), "other.conf")
	if err := os.WriteFile(other, []byte("retry-for = 5h\nlog-level = warn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = Parse([]string{"--config=" + other}); err != nil || c.LogLevel != "warn" || !c.RateLimits {
		t.Errorf("a named file: %v, %+v", err, c)
	}
	t.Setenv("CHALKRING_CONFIG", other)
	if c, err = Parse(nil); err != nil || c.LogLevel != "warn" || c.RetryFor != 3*time.Hour {
		t.Errorf("a file named in the environment: %v, %+v", err, c)
	}
	t.Setenv("CHALKRING_CONFIG", "none.conf")
	if _, err = Parse(nil); err == nil {
		t.Error("a named file that is not there was overlooked")
	}
}

func TestFileRefused(t *testing.T) {
	tests := []struct{ text, want string }{
		{"hots = x", `line 1: there is no setting "hots"; did you mean host?`},
		{"host = a\n\nhost = b", "line 3: host is set twice"},
		{"host", "line 1: write it as name = value"},
		{"config = x", `there is no setting "config"`},
		{"[tls]", "name = value"},
	}
	for _, tt := range tests {
		if _, err := parseFile(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestMisspeltVariable(t *testing.T) {
	alone(t)
	t.Setenv("CHALKRING_HOTS", "x")
	t.Setenv("CHALKRING_TEST_POSTGRES", "x")
	_, err := Parse(nil)
	if err == nil || !strings.Contains(err.Error(), "CHALKRING_HOTS: there is no such variable; did you mean CHALKRING_HOST?") || strings.Contains(err.Error(), "TEST") {
		t.Errorf("%v", err)
	}
}

func TestReference(t *testing.T) {
	ref := Reference()
	for _, s := range Settings() {
		key := s.Flag[2:]
		if s.Env != "CHALKRING_"+strings.ToUpper(strings.ReplaceAll(key, "-", "_")) {
			t.Errorf("%s has the variable %s", key, s.Env)
		}
		if len(s.Meaning) < 20 || !strings.HasSuffix(s.Meaning, ".") {
			t.Errorf("%s says %q", key, s.Meaning)
		}
		if !strings.Contains(ref, "`"+s.Env+"`") {
			t.Errorf("the reference lacks %s", key)
		}
	}
}

func TestNoSecretIsPrinted(t *testing.T) {
	alone(t)
	c, err := Parse([]string{"--metrics-token=hush", "--database=postgres://chalk:hu@sh@db.example/x?password=hush"})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(c.Values(), "\n")
	if strings.Contains(all, "hush") || strings.Contains(all, "hu@sh") || !strings.Contains(all, "postgres://chalk@db.example/x") {
		t.Errorf("printed:\n%s", all)
	}
}

func TestLoud(t *testing.T) {
	alone(t)
	quiet, err := Parse([]string{"--host=school.example", "--acme-email=it@school.example"})
	if err != nil || len(quiet.Loud()) > 0 {
		t.Errorf("an ordinary server says %v (%v)", quiet.Loud(), err)
	}
	c, err := Parse([]string{"--egress-allow=10.0.0.0/8", "--extra-roots=" + pem(t, "roots.pem"), "--no-rate-limits"})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(c.Loud(), "\n")
	for _, want := range []string{"egress-allow", "10.0.0.0/8", "extra-roots", "rate-limits", "plain http"} {
		if !strings.Contains(all, want) {
			t.Errorf("not said aloud: %s", want)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"16MiB": 16 << 20, "10 MB": 1e7, "4096": 4096, "1GiB": 1 << 30, "5kB": 5000} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
	}
	for size, want := range map[Size]string{16 << 20: "16MiB", 1 << 30: "1GiB", 1e7: "10000000", 0: "0"} {
		if size.String() != want {
			t.Errorf("%d prints as %s", int64(size), size)
		}
	}
}
