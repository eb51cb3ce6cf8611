package sig

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	keyID  = "https://kauri.example/u/8f3k#main-key"
	origin = "https://harbour.example"
)

// rsaKey is made once: making one costs more than all tests together.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// received sends a request over the wire, so that the tests see it as a
// server does.
func received(t testing.TB, req *http.Request, body []byte) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	req.Body, req.ContentLength = http.NoBody, 0
	if err := req.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func signed(t testing.TB, method, url string, body []byte, key crypto.Signer, now time.Time) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Sign(req, Key{ID: keyID, Private: key}, body, now); err != nil {
		t.Fatal(err)
	}
	return received(t, req, body)
}

func TestSignVerify(t *testing.T) {
	now := time.Now()
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	keys := []struct {
		name string
		key  crypto.Signer
	}{{"RSA", rsaKey()}, {"Ed25519", ed}, {"P-256", p256}, {"P-384", p384}}
	requests := []struct {
		method, url string
		body        []byte
	}{
		{"POST", "https://harbour.example/inbox", []byte(`{"type":"Follow"}`)},
		{"POST", "https://harbour.example:8443/u/p2zz/inbox", nil},
		{"GET", "https://harbour.example/o/1", nil},
		{"GET", "https://harbour.example", nil},
		{"GET", "https://harbour.example/users/%40mere%2Fx?page=true&a=%20b", nil},
		{"GET", "https://harbour.example/outbox?", nil},
	}
	for _, k := range keys {
		for _, r := range requests {
			req := signed(t, r.method, r.url, r.body, k.key, now)
			if err := Verify(req, r.body, origin, k.key.Public(), now); err != nil {
				t.Errorf("%s, %s %s: %v", k.name, r.method, r.url, err)
			}
			c, err := Read(req)
			if err != nil || c.KeyID != keyID || !c.Covers("(request-target)") || c.Covers("digest") != (r.method == "POST") {
				t.Errorf("%s, %s %s: Read = %+v, %v", k.name, r.method, r.url, c, err)
			}
		}
	}
	if got := signed(t, "POST", "https://harbour.example/inbox", nil, rsaKey(), now).Header.Get("Signature"); !strings.Contains(got, `algorithm="rsa-sha256"`) {
		t.Errorf("RSA is named for old servers: %s", got)
	}
}

func TestSignRefuses(t *testing.T) {
	req, _ := http.NewRequest("GET", "https://harbour.example/", nil)
	for _, key := range []Key{{}, {ID: keyID}, {Private: rsaKey()}, {ID: `a"b`, Private: rsaKey()}} {
		if err := Sign(req, key, nil, time.Now()); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", key.ID, err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	now := time.Now()
	body := []byte(`{"type":"Create"}`)
	other, _ := rsa.GenerateKey(rand.Reader, 2048)
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	edit := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			h := r.Header.Get("Signature")
			if !strings.Contains(h, old) {
				panic(old)
			}
			r.Header.Set("Signature", strings.Replace(h, old, new, 1))
		}
	}
	tests := []struct {
		name   string
		change func(*http.Request)
		body   string
		pub    crypto.PublicKey
		now    time.Time
		want   error
	}{
		{"nothing changed", nil, "", nil, now, nil},
		{"body changed", nil, `{"type":"Delete"}`, nil, now, ErrDigest},
		{"body and digest changed", func(r *http.Request) { r.Header.Set("Digest", digestOf([]byte("x"))) }, "x", nil, now, ErrSignature},
		{"another key", nil, "", other.Public(), now, ErrSignature},
		{"another path", func(r *http.Request) { r.RequestURI = "/u/other/inbox" }, "", nil, now, ErrSignature},
		{"another method", func(r *http.Request) { r.Method = "PUT" }, "", nil, now, ErrSignature},
		{"another host", func(r *http.Request) { r.Host = "elm.example" }, "", nil, now, ErrSignature},
		{"a Host header beside the real one", set("Host", "evil.example"), "", nil, now, nil},
		{"59 minutes late", nil, "", nil, now.Add(59 * time.Minute), nil},
		{"61 minutes late", nil, "", nil, now.Add(61 * time.Minute), ErrDate},
		{"61 minutes early", nil, "", nil, now.Add(-61 * time.Minute), ErrDate},
		{"date of 2006", set("Date", "Mon, 02 Jan 2006 15:04:05 GMT"), "", nil, now, ErrDate},
		{"no date", func(r *http.Request) { r.Header.Del("Date") }, "", nil, now, ErrDate},
		{"two dates", func(r *http.Request) { r.Header.Add("Date", r.Header.Get("Date")) }, "", nil, now, ErrDate},
		{"no digest", func(r *http.Request) { r.Header.Del("Digest") }, "", nil, now, ErrDigest},
		{"digest of an unknown kind only", set("Digest", "MD5=abc"), "", nil, now, ErrDigest},
		{"no signature", func(r *http.Request) { r.Header.Del("Signature") }, "", nil, now, ErrUnsigned},
		{"two signatures", func(r *http.Request) { r.Header.Add("Signature", r.Header.Get("Signature")) }, "", nil, now, ErrMalformed},
		{"one more in Authorization", func(r *http.Request) { r.Header.Set("Authorization", "Signature "+r.Header.Get("Signature")) }, "", nil, now, ErrMalformed},
		{"one in Authorization", func(r *http.Request) {
			r.Header.Set("Authorization", "Signature "+r.Header.Get("Signature"))
			r.Header.Del("Signature")
		}, "", nil, now, nil},
		{"a bearer token beside it", set("Authorization", "Bearer x"), "", nil, now, nil},
		{"claims HMAC", edit("rsa-sha256", "hmac-sha256"), "", nil, now, nil}, // the key decides; it is RSA
		{"spaces after commas", func(r *http.Request) {
			r.Header.Set("Signature", strings.ReplaceAll(r.Header.Get("Signature"), `",`, `", `))
		}, "", nil, now, nil},
		{"expired", func(r *http.Request) {
			r.Header.Set("Signature", r.Header.Get("Signature")+fmt.Sprintf(",expires=%d", now.Unix()-60))
		}, "", nil, now, ErrDate},
		{"covers less than claimed", edit("(request-target) host date digest", "(request-target) host date"), "", nil, now, ErrNotCovered},
		{"without target", edit("(request-target) ", ""), "", nil, now, ErrNotCovered},
		{"without host", edit("host ", ""), "", nil, now, ErrNotCovered},
		{"without date", edit("date ", ""), "", nil, now, ErrNotCovered},
		{"covers a header that is missing", edit("digest", "digest x-odd"), "", nil, now, ErrSignature},
		{"covers an unknown pseudo-header", edit("digest", "digest (odd)"), "", nil, now, ErrMalformed},
		{"covers twice", edit("digest", "digest host"), "", nil, now, ErrMalformed},
		{"covers created without one", edit("digest", "digest (created)"), "", nil, now, ErrMalformed},
		{"smuggles a parameter", edit("digest", "digest x,signature=y"), "", nil, now, ErrMalformed},
		{"two key ids", func(r *http.Request) { r.Header.Set("Signature", `keyId="x",`+r.Header.Get("Signature")) }, "", nil, now, ErrMalformed},
		{"no base64", edit(`signature="`, `signature="!`), "", nil, now, ErrMalformed},
		{"empty", set("Signature", ""), "", nil, now, ErrMalformed},
		{"open quote", set("Signature", `keyId="x`), "", nil, now, ErrMalformed},
		{"too long", set("Signature", `keyId="`+strings.Repeat("x", maxHeader)+`"`), "", nil, now, ErrMalformed},
		{"a key that is none", nil, "", "text", now, ErrKey},
		{"HMAC with a public secret", nil, "", []byte("secret"), now, ErrKey},
	}
	for _, tt := range tests {
		req := signed(t, "POST", "https://harbour.example/inbox", body, rsaKey(), now)
		if tt.change != nil {
			tt.change(req)
		}
		said := body
		if tt.body != "" {
			said = []byte(tt.body)
		}
		pub := tt.pub
		if pub == nil {
			pub = rsaKey().Public()
		}
		err := Verify(req, said, origin, pub, tt.now)
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestVerifyOthers builds signatures as other servers do.
func TestVerifyOthers(t *testing.T) {
	now := time.Now()
	body := []byte(`{"a":1}`)
	date := now.UTC().Format(http.TimeFormat)
	sum512 := sha512.Sum512(body)
	sum256 := sha256.Sum256(body)
	d512 := "sha-512=" + base64.StdEncoding.EncodeToString(sum512[:])
	d256 := "sha-256=" + base64.StdEncoding.EncodeToString(sum256[:])
	tests := []struct {
		name, method, uri, covered, params, digest, text string
		hash                                             crypto.Hash
		want                                             error
	}{
		{"hs2019 over SHA-512", "POST", "/inbox", "(request-target) host date digest", `algorithm="hs2019",`, d256,
			"(request-target): post /inbox\nhost: harbour.example\ndate: " + date + "\ndigest: " + d256, crypto.SHA512, nil},
		{"rsa-sha256 claimed, SHA-512 used", "POST", "/inbox", "(request-target) host date digest", `algorithm="rsa-sha256",`, d256,
			"(request-target): post /inbox\nhost: harbour.example\ndate: " + date + "\ndigest: " + d256, crypto.SHA512, ErrSignature},
		{"digest of SHA-512 in small letters", "POST", "/inbox", "digest host date (request-target)", "", d512,
			"digest: " + d512 + "\nhost: harbour.example\ndate: " + date + "\n(request-target): post /inbox", crypto.SHA256, nil},
		{"several digests", "POST", "/inbox", "(request-target) host date digest", "", d256 + "," + d512 + ",unixsum=3",
			"(request-target): post /inbox\nhost: harbour.example\ndate: " + date + "\ndigest: " + d256 + "," + d512 + ",unixsum=3", crypto.SHA256, nil},
		{"several digests, one wrong", "POST", "/inbox", "(request-target) host date digest", "", d256 + ",sha-512=AAAA",
			"(request-target): post /inbox\nhost: harbour.example\ndate: " + date + "\ndigest: " + d256 + ",sha-512=AAAA", crypto.SHA256, ErrDigest},
		{"created instead of date", "POST", "/inbox", "(request-target) (created) host digest", fmt.Sprintf("created=%d,", now.Unix()), d256,
			fmt.Sprintf("(request-target): post /inbox\n(created): %d\nhost: harbour.example\ndigest: %s", now.Unix(), d256), crypto.SHA256, nil},
		{"created long ago", "POST", "/inbox", "(request-target) (created) host digest", fmt.Sprintf("created=%d,", now.Unix()-7200), d256,
			fmt.Sprintf("(request-target): post /inbox\n(created): %d\nhost: harbour.example\ndigest: %s", now.Unix()-7200, d256), crypto.SHA256, ErrDate},
		{"created in a minute", "POST", "/inbox", "(request-target) (created) host digest", fmt.Sprintf("created=%d,", now.Unix()+60), d256,
			fmt.Sprintf("(request-target): post /inbox\n(created): %d\nhost: harbour.example\ndigest: %s", now.Unix()+60, d256), crypto.SHA256, ErrDate},
		{"more headers, a comma in the key id", "GET", "/o/1", "(request-target) accept host date", "", "",
			"(request-target): get /o/1\naccept: application/activity+json\nhost: harbour.example\ndate: " + date, crypto.SHA256, nil},
		{"GET signed without its query", "GET", "/outbox?page=true", "(request-target) host date", "", "",
			"(request-target): get /outbox\nhost: harbour.example\ndate: " + date, crypto.SHA256, nil},
		{"GET signed with another query", "GET", "/outbox?page=true", "(request-target) host date", "", "",
			"(request-target): get /outbox?page=false\nhost: harbour.example\ndate: " + date, crypto.SHA256, ErrSignature},
		{"POST signed without its query", "POST", "/inbox?x=1", "(request-target) host date digest", "", d256,
			"(request-target): post /inbox\nhost: harbour.example\ndate: " + date + "\ndigest: " + d256, crypto.SHA256, ErrSignature},
		{"date alone", "GET", "/o/1", "date", "", "", "date: " + date, crypto.SHA256, ErrNotCovered},
		{"date alone by default", "GET", "/o/1", "", "", "", "date: " + date, crypto.SHA256, ErrNotCovered},
	}
	for _, tt := range tests {
		req, _ := http.NewRequest(tt.method, "https://harbour.example"+tt.uri, nil)
		req.Header.Set("Date", date)
		req.Header.Set("Accept", "application/activity+json")
		if tt.digest != "" {
			req.Header.Set("Digest", tt.digest)
		}
		h := tt.hash.New()
		h.Write([]byte(tt.text))
		made, err := rsa.SignPKCS1v15(nil, rsaKey(), tt.hash, h.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		header := `keyId="https://kauri.example/u/a,b#main-key",` + tt.params
		if tt.covered != "" {
			header += `headers="` + tt.covered + `",`
		}
		req.Header.Set("Signature", header+`signature="`+base64.StdEncoding.EncodeToString(made)+`"`)
		var said []byte
		if tt.method == "POST" {
			said = body
		}
		err = Verify(received(t, req, said), said, origin, rsaKey().Public(), now)
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestVerifyHMAC: whoever knows the public key must not be able to use it as a
// shared secret.
func TestVerifyHMAC(t *testing.T) {
	now := time.Now()
	req, _ := http.NewRequest("GET", "https://harbour.example/o/1", nil)
	date := now.UTC().Format(http.TimeFormat)
	req.Header.Set("Date", date)
	der, _ := x509.MarshalPKIXPublicKey(rsaKey().Public())
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte("(request-target): get /o/1\nhost: harbour.example\ndate: " + date))
	req.Header.Set("Signature", `keyId="k",algorithm="hmac-sha256",headers="(request-target) host date",signature="`+base64.StdEncoding.EncodeToString(mac.Sum(nil))+`"`)
	if err := Verify(received(t, req, nil), nil, origin, rsaKey().Public(), now); !errors.Is(err, ErrSignature) {
		t.Errorf("got %v", err)
	}
}

func TestKeys(t *testing.T) {
	private, public, err := NewRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ParsePublicKey(public)
	if err != nil || !signer.Public().(*rsa.PublicKey).Equal(pub) {
		t.Errorf("the halves differ: %v", err)
	}
	block := func(typ string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	pkix := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return block("PUBLIC KEY", der)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	edPub, _, _ := ed25519.GenerateKey(rand.Reader)
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"PKIX", public, true},
		{"PKCS #1", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)), true},
		{"text around it", "hello\n" + public + "\nbye", true},
		{"Windows line ends", strings.ReplaceAll(public, "\n", "\r\n"), true},
		{"Ed25519", pkix(edPub), true},
		{"P-256", pkix(&p256.PublicKey), true},
		{"P-224", pkix(&p224.PublicKey), false},
		{"RSA with 1024 bits", pkix(&small.PublicKey), false},
		{"private", private, false},
		{"nothing", "", false},
		{"rubbish in PEM", block("PUBLIC KEY", []byte("x")), false},
		{"too long", strings.Repeat(" ", maxPEM) + public, false},
	}
	for _, tt := range tests {
		if _, err := ParsePublicKey(tt.text); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := ParsePrivateKey(block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()))); err != nil {
		t.Errorf("PKCS #1 private key: %v", err)
	}
	if _, err := ParsePrivateKey(public); !errors.Is(err, ErrKey) {
		t.Errorf("public for private: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`keyId="https://a/#k",algorithm="hs2019",headers="(request-target) host date digest",signature="AAAA"`, "SHA-256=AAAA")
	f.Add(`keyId=x, created=1,expires=2 ,signature="A=="`, "sha-512=,=,")
	f.Add(`keyId="a,b",headers=" (created)  date",signature="",x`, "x")
	f.Fuzz(func(t *testing.T, signature, digest string) {
		req := &http.Request{Method: "POST", Host: "a.example", RequestURI: "/inbox", Header: http.Header{
			"Signature": {signature}, "Digest": {digest}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}}
		c, err := Read(req)
		if err == nil && (c.KeyID == "" || len(c.Headers) == 0 || len(c.Headers) > maxCovered) {
			t.Errorf("Read took %q: %+v", signature, c)
		}
		if Verify(req, []byte("x"), origin, rsaKey().Public(), time.Now()) == nil {
			t.Errorf("verified %q", signature)
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	der, _ := x509.MarshalPKIXPublicKey(rsaKey().Public())
	f.Add(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	f.Add("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := ParsePublicKey(text); err == nil && checkPublic(key) != nil {
			t.Errorf("took %q", text)
		}
	})
}

var inboxBody = bytes.Repeat([]byte(`{"type":"Create"}`), 180) // 3 kB

func BenchmarkRawRSASign(b *testing.B) {
	sum := sha256.Sum256(inboxBody)
	for b.Loop() {
		if _, err := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, sum[:]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	key, now := Key{ID: keyID, Private: rsaKey()}, time.Now()
	req, _ := http.NewRequest("POST", "https://harbour.example/inbox", nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := Sign(req, key, inboxBody, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawRSAVerify(b *testing.B) {
	sum := sha256.Sum256(inboxBody)
	made, _ := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, sum[:])
	for b.Loop() {
		if err := rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, sum[:], made); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	now := time.Now()
	req := signed(b, "POST", "https://harbour.example/inbox", inboxBody, rsaKey(), now)
	b.ReportAllocs()
	for b.Loop() {
		if err := Verify(req, inboxBody, origin, &rsaKey().PublicKey, now); err != nil {
			b.Fatal(err)
		}
	}
}
