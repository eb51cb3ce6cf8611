package sig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The keys of RFC 9421, appendix B.1.
const (
	rfcRSAPSS = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----
`
	rfcP256 = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----
`
	rfcEd25519 = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
`
	rfcEd25519Private = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
`
)

// The request of RFC 9421, appendix B.2.
const (
	rfcBody   = `{"hello": "world"}`
	rfcOrigin = "https://example.com"
)

func rfcRequest(t testing.TB, input, signature string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, rfcOrigin+"/foo?param=Value&Pet=dog", strings.NewReader(rfcBody))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Date":            {"Tue, 20 Apr 2021 02:07:55 GMT"},
		"Content-Type":    {"application/json"},
		"Content-Digest":  {"sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"},
		"Content-Length":  {"18"},
		"Signature-Input": {input},
		"Signature":       {signature},
	}
	return req
}

func publicOf(t testing.TB, text string) crypto.PublicKey {
	t.Helper()
	pub, err := ParsePublicKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// The signatures of requests in RFC 9421, appendix B.2, but for the one with a
// shared secret, which no peer has. They show the signature base and the
// algorithms; most cover less than an inbox demands.
func TestRFC9421Vectors(t *testing.T) {
	const full = `"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@query": ?param=Value&Pet=dog
"@authority": example.com
"content-type": application/json
"content-digest": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"`
	tests := []struct {
		name, key, input, signature, base string
		verified                          error // by Verify, with all that it demands
	}{
		{"B.2.1, minimal", rfcRSAPSS, `sig-b21=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"`,
			`sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:`,
			`"@signature-params": ();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"`, ErrNotCovered},
		{"B.2.2, selective", rfcRSAPSS, `sig-b22=("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"`,
			`sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:`,
			"", ErrNotCovered},
		{"B.2.3, full coverage", rfcRSAPSS, `sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"`,
			`sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:`,
			full, nil},
		{"B.2.6, Ed25519", rfcEd25519, `sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			`sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:`, "", ErrNotCovered},
	}
	for _, tt := range tests {
		r := rfcRequest(t, tt.input, tt.signature)
		label, _, _ := strings.Cut(tt.input, "=")
		c := claimOf(t, r, label)
		base, err := c.base(r, rfcOrigin)
		if err != nil || tt.base != "" && base != tt.base {
			t.Errorf("%s: the base is\n%s\n%v", tt.name, base, err)
		}
		pub := publicOf(t, tt.key)
		if err := c.checkMessage(base, pub); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := c.checkMessage(base+" ", pub); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: another base passes: %v", tt.name, err)
		}
		at := time.Unix(1618884473, 0)
		if err := Verify(r, []byte(rfcBody), rfcOrigin, pub, at); !errors.Is(err, tt.verified) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.verified)
		}
		if err := Verify(r, []byte(rfcBody), rfcOrigin, pub, at.Add(2*time.Hour)); err == nil {
			t.Errorf("%s passes two hours later", tt.name)
		}
	}
}

// claimOf reads one signature of a request, whatever it covers.
func claimOf(t testing.TB, r *http.Request, label string) Claim {
	t.Helper()
	described, signed, err := dictionaries(r)
	if err != nil {
		t.Fatal(err)
	}
	c, err := messageClaim(described, signed, label)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The signature of a response in RFC 9421, appendix B.2.4, is by the one
// algorithm that its requests are not signed with.
func TestRFC9421ECDSAVector(t *testing.T) {
	const base = `"@status": 200
"content-type": application/json
"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:
"content-length": 23
"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"`
	r := rfcRequest(t, `sig-b24=("@method");created=1618884473;keyid="test-key-ecc-p256"`, `sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:`)
	if err := claimOf(t, r, "sig-b24").checkMessage(base, publicOf(t, rfcP256)); err != nil {
		t.Error(err)
	}
}

// What we sign with the key of appendix B.1.4 is what the RFC's rules say.
func TestSignMessageIsDeterministic(t *testing.T) {
	key, err := ParsePrivateKey(rfcEd25519Private)
	if err != nil {
		t.Fatal(err)
	}
	r := rfcRequest(t, `s=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`, `s=:AA==:`)
	base, err := claimOf(t, r, "s").base(r, rfcOrigin)
	if err != nil {
		t.Fatal(err)
	}
	value, err := signMessage(key, base)
	if err != nil || encodeBytes(value) != ":wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:" {
		t.Errorf("signed %s, %v; want the value of B.2.6", encodeBytes(value), err)
	}
}

func messageSigned(t testing.TB, method, url string, body []byte, key crypto.Signer, now time.Time) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := SignMessage(req, Key{ID: keyID, Private: key}, body, now); err != nil {
		t.Fatal(err)
	}
	return received(t, req, body)
}

func TestSignMessage(t *testing.T) {
	now := time.Now()
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for _, key := range []crypto.Signer{rsaKey(), ed, p256, p384} {
		for _, r := range []struct {
			method, url, origin string
			body                []byte
		}{
			{"POST", "https://harbour.example/inbox", origin, []byte(`{"type":"Follow"}`)},
			{"POST", "https://harbour.example:8443/u/p2zz/inbox", "https://harbour.example:8443", nil},
			{"GET", "https://harbour.example/o/77?page=2&x=a%20b", origin, nil},
			{"GET", "https://harbour.example", origin, nil},
			{"GET", "https://Harbour.example/%7Eana/a+b?", origin, nil},
		} {
			req := messageSigned(t, r.method, r.url, r.body, key, now)
			if err := Verify(req, r.body, r.origin, key.Public(), now); err != nil {
				t.Errorf("%T %s %s: %v", key, r.method, r.url, err)
			}
			c, err := Read(req)
			if err != nil || c.KeyID != keyID {
				t.Errorf("read %+v, %v", c, err)
			}
			if err := Verify(req, r.body, "https://kauri.example", key.Public(), now); !errors.Is(err, ErrSignature) {
				t.Errorf("%T %s %s passes on another server: %v", key, r.method, r.url, err)
			}
			if len(r.body) > 0 {
				if err := Verify(req, append([]byte(" "), r.body...), r.origin, key.Public(), now); !errors.Is(err, ErrDigest) {
					t.Errorf("another body passes: %v", err)
				}
			}
		}
	}
	for _, id := range []string{"", `https://kauri.example/"`, `a\b`, "a\nb", "é"} {
		req, _ := http.NewRequest(http.MethodGet, origin, nil)
		if err := SignMessage(req, Key{ID: id, Private: ed}, nil, now); !errors.Is(err, ErrKey) {
			t.Errorf("signs as %q: %v", id, err)
		}
	}
}

// Signing anew leaves nothing of the other scheme behind.
func TestSchemesNeverMix(t *testing.T) {
	req, _ := http.NewRequest(http.MethodPost, origin+"/inbox", nil)
	key, now := Key{ID: keyID, Private: rsaKey()}, time.Now()
	for range 2 {
		if err := Sign(req, key, []byte("x"), now); err != nil || req.Header.Get("Signature-Input") != "" || req.Header.Get("Content-Digest") != "" {
			t.Errorf("draft-cavage: %v %v", err, req.Header)
		}
		if err := SignMessage(req, key, []byte("x"), now); err != nil || req.Header.Get("Digest") != "" || strings.Contains(req.Header.Get("Signature"), "keyId") {
			t.Errorf("RFC 9421: %v %v", err, req.Header)
		}
	}
}

// What a signature of RFC 9421 may look like and what not. Each case changes
// one thing of a good one, which is signed anew where its parameters change.
func TestVerifyMessage(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	body := []byte(`{"type":"Follow"}`)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	_, other, _ := ed25519.GenerateKey(rand.Reader)
	unix := func(at time.Time) string { return int64Text(at.Unix()) }
	const all = `"@method" "@target-uri" "content-digest"`
	made := ";created=" + unix(now) + `;keyid="` + keyID + `"`
	tests := []struct {
		name   string
		params string // "": as SignMessage has it
		change func(r *http.Request)
		want   error // nil: passes
	}{
		{"good", "(" + all + ")" + made, nil, nil},
		{"alg named", "(" + all + ")" + made + `;alg="ed25519"`, nil, nil},
		{"alg of another kind", "(" + all + ")" + made + `;alg="rsa-v1_5-sha256"`, nil, ErrSignature},
		{"alg with a shared secret", "(" + all + ")" + made + `;alg="hmac-sha256"`, nil, ErrSignature},
		{"alg that is no string", "(" + all + ")" + made + `;alg=ed25519`, nil, ErrMalformed},
		{"nonce and tag", "(" + all + ")" + made + `;nonce="x";tag="y"`, nil, nil},
		{"parts of the address", `("@method" "@authority" "@path" "@query" "content-digest")` + made, nil, nil},
		{"parts without the query, where there is none", `("@method" "@authority" "@path" "content-digest")` + made, nil, nil},
		{"host and request target", `("@method" "host" "@request-target" "content-digest")` + made, nil, nil},
		{"everything", `("@method" "@target-uri" "@authority" "@scheme" "@request-target" "@path" "@query" "host" "content-type" "content-length" "content-digest")` + made, nil, nil},
		{"expires", "(" + all + ")" + made + ";expires=" + unix(now.Add(time.Minute)), nil, nil},
		{"expired", "(" + all + ")" + made + ";expires=" + unix(now.Add(-time.Second)), nil, ErrDate},
		{"expires that is no moment", "(" + all + ")" + made + `;expires="soon"`, nil, ErrMalformed},
		{"old", "(" + all + ");created=" + unix(now.Add(-61*time.Minute)) + `;keyid="` + keyID + `"`, nil, ErrDate},
		{"to come", "(" + all + ");created=" + unix(now.Add(61*time.Minute)) + `;keyid="` + keyID + `"`, nil, ErrDate},
		{"almost old", "(" + all + ");created=" + unix(now.Add(-59*time.Minute)) + `;keyid="` + keyID + `"`, nil, nil},
		{"no created", "(" + all + `);keyid="` + keyID + `"`, nil, ErrNotCovered},
		{"created in words", "(" + all + `);created="now";keyid="` + keyID + `"`, nil, ErrMalformed},
		{"negative created", "(" + all + `);created=-1;keyid="` + keyID + `"`, nil, ErrMalformed},
		{"no keyid", "(" + all + ");created=" + unix(now), nil, ErrMalformed},
		{"nothing covered", "()" + made, nil, ErrNotCovered},
		{"no method", `("@target-uri" "content-digest")` + made, nil, ErrNotCovered},
		{"no address", `("@method" "content-digest")` + made, nil, ErrNotCovered},
		{"no host", `("@method" "@path" "@query" "content-digest")` + made, nil, ErrNotCovered},
		{"no path", `("@method" "@authority" "@query" "content-digest")` + made, nil, ErrNotCovered},
		{"no digest", `("@method" "@target-uri")` + made, nil, ErrNotCovered},
		{"covered twice", `("@method" "@method" "@target-uri" "content-digest")` + made, nil, ErrMalformed},
		{"an unknown component", `("@method" "@target-uri" "content-digest" "@status")` + made, nil, ErrMalformed},
		{"itself", `("@method" "@target-uri" "content-digest" "signature")` + made, nil, ErrMalformed},
		{"a name in capitals", `("@method" "@target-uri" "Content-Digest" "content-digest")` + made, nil, ErrMalformed},
		{"a parameter that is not understood", `("@method" "@target-uri" "content-digest" "date";sf)` + made, nil, ErrMalformed},
		{"of the request that was answered", `("@method";req "@target-uri" "content-digest")` + made, nil, ErrMalformed},
		{"a header that is not there", `("@method" "@target-uri" "content-digest" "x-none")` + made, nil, ErrSignature},
		{"no list", `"x"` + made, nil, ErrMalformed},
		{"another digest", "", func(r *http.Request) { r.Header.Set("Content-Digest", contentDigestOf([]byte("x"))) }, ErrDigest},
		{"no digest header", "", func(r *http.Request) { r.Header.Del("Content-Digest") }, ErrDigest},
		{"a digest of an unknown kind", "", func(r *http.Request) { r.Header.Set("Content-Digest", "md5=:AAAA:") }, ErrDigest},
		{"another method", "", func(r *http.Request) { r.Method = http.MethodPut }, ErrSignature},
		{"another path", "", func(r *http.Request) { r.RequestURI = "/outbox" }, ErrSignature},
		{"a query", "", func(r *http.Request) { r.RequestURI += "?x=1" }, ErrSignature},
		{"a query beside the parts", `("@method" "@authority" "@path" "content-digest")` + made, func(r *http.Request) { r.RequestURI += "?x=1" }, ErrNotCovered},
		{"another host from a proxy", "", func(r *http.Request) { r.Host = "10.0.0.7:8080"; r.Header.Set("X-Forwarded-Host", "evil.example") }, nil},
		{"no signature under the label", "", func(r *http.Request) { r.Header.Set("Signature", "sig2=:AAAA:") }, ErrMalformed},
		{"no bytes", "", func(r *http.Request) { r.Header.Set("Signature", `sig1="AAAA"`) }, ErrMalformed},
		{"no Signature", "", func(r *http.Request) { r.Header.Del("Signature") }, ErrMalformed},
		{"a short signature", "", func(r *http.Request) { r.Header.Set("Signature", "sig1=:AAAA:") }, ErrSignature},
		{"no dictionary", "", func(r *http.Request) { r.Header.Set("Signature-Input", "sig1=(") }, ErrMalformed},
		{"empty", "", func(r *http.Request) { r.Header.Set("Signature-Input", "") }, ErrMalformed},
		{"too long", "", func(r *http.Request) { r.Header.Set("Signature-Input", "sig1="+strings.Repeat("a", 20<<10)) }, ErrMalformed},
		{"a crawler's signature before it", "", func(r *http.Request) {
			r.Header.Set("Signature-Input", `bot=("@authority");created=`+unix(now)+`;keyid="k";tag="web-bot-auth", `+r.Header.Get("Signature-Input"))
			r.Header.Set("Signature", "bot=:AAAA:, "+r.Header.Get("Signature"))
		}, nil},
		{"a crawler's signature in a line of its own", "", func(r *http.Request) {
			r.Header["Signature-Input"] = append([]string{`bot=("@authority");created=` + unix(now) + `;keyid="k"`}, r.Header["Signature-Input"]...)
			r.Header["Signature"] = append(r.Header["Signature"], "bot=:AAAA:")
		}, nil},
		{"two that could be it: the first counts", "", func(r *http.Request) {
			r.Header.Set("Signature-Input", `a=(`+all+`)`+made+`, `+r.Header.Get("Signature-Input"))
			r.Header.Set("Signature", "a=:AAAA:, "+r.Header.Get("Signature"))
		}, ErrSignature},
		{"very many", "", func(r *http.Request) {
			r.Header.Set("Signature-Input", `x=(), a=(), b=(), c=(), d=(), e=(), f=(), g=(), `+r.Header.Get("Signature-Input"))
		}, ErrMalformed},
		{"draft-cavage behind it", "", func(r *http.Request) {
			r.Header.Set("Signature", `keyId="`+keyID+`",algorithm="rsa-sha256",headers="date",signature="AAAA"`)
		}, ErrMalformed},
	}
	for _, tt := range tests {
		r := messageSigned(t, http.MethodPost, origin+"/inbox", body, ed, now)
		if tt.params != "" {
			r.Header.Set("Content-Type", "application/activity+json")
			r.ContentLength = int64(len(body))
			r.Header.Set("Signature-Input", "sig1="+tt.params)
			if described, signed, err := dictionaries(r); err == nil {
				if c, err := messageClaim(described, signed, "sig1"); err == nil {
					if base, err := c.base(r, origin); err == nil {
						r.Header.Set("Signature", "sig1="+encodeBytes(ed25519.Sign(ed, []byte(base))))
					}
				}
			}
		}
		if tt.change != nil {
			tt.change(r)
		}
		err := Verify(r, body, origin, ed.Public(), now)
		if (err == nil) != (tt.want == nil) || !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if Verify(r, body, origin, other.Public(), now) == nil {
			t.Errorf("%s passes with another key", tt.name)
		}
	}
}

// An RSA key signs by either of its two algorithms, whatever is claimed by
// nobody, and by the claimed one alone where one is.
func TestAlgorithmOfAKey(t *testing.T) {
	now := time.Now()
	body := []byte("x")
	for _, alg := range []string{"", rsaPSSSHA512, rsaV15SHA256} {
		r := messageSigned(t, http.MethodPost, origin+"/inbox", body, rsaKey(), now)
		params := `("@method" "@target-uri" "content-digest");created=` + int64Text(now.Unix()) + `;keyid="` + keyID + `"`
		if alg != "" {
			params += `;alg="` + alg + `"`
		}
		r.Header.Set("Signature-Input", "sig1="+params)
		c, err := Read(r)
		if err != nil {
			t.Fatal(err)
		}
		base, err := c.base(r, origin)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha512.Sum512([]byte(base))
		value, err := rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA512, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Signature", "sig1="+encodeBytes(value))
		if err := Verify(r, body, origin, rsaKey().Public(), now); (err == nil) != (alg != rsaV15SHA256) {
			t.Errorf("PSS as %q: %v", alg, err)
		}
	}
}

func TestMultikey(t *testing.T) {
	// https://www.w3.org/TR/vc-di-eddsa/, appendix A; FEP-521a.
	const known = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
	pub, err := ParseMultikey(known)
	if err != nil {
		t.Fatal(err)
	}
	if got := Multikey(pub.(ed25519.PublicKey)); got != known {
		t.Errorf("written as %s", got)
	}
	text, err := PublicPEM(pub)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := MultikeyOf(text); got != known || err != nil {
		t.Errorf("read from PEM: %s, %v", got, err)
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		codec := codecP256
		if curve == elliptic.P384() {
			codec = codecP384
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		size := (len(point) - 1) / 2
		compressed := append([]byte{2 + point[len(point)-1]&1}, point[1:1+size]...)
		got, err := ParseMultikey("z" + encodeBase58(append(codec[:2:2], compressed...)))
		if err != nil || !key.PublicKey.Equal(got) || KindOf(got) != "ecdsa" {
			t.Errorf("%s: %v, %v", curve.Params().Name, got, err)
		}
	}
	for _, bad := range []string{"", "z", "u7QGwDY2Tjn93PVFWWq02piP1NE9", known[1:], known[:20], known + "1", "z0OIl", "z6Mk" + strings.Repeat("1", 500),
		"z" + encodeBase58([]byte{0xec, 1, 2, 3}), "z" + encodeBase58(append(codecP256[:2:2], bytes.Repeat([]byte{9}, 33)...))} {
		if key, err := ParseMultikey(bad); !errors.Is(err, ErrKey) {
			t.Errorf("%q is read as %v, %v", bad, key, err)
		}
	}
	for _, raw := range [][]byte{nil, {0}, {0, 0, 1}, {255, 255, 255}, []byte("Hello World!")} {
		if got, ok := decodeBase58(encodeBase58(raw)); !ok || !bytes.Equal(got, raw) {
			t.Errorf("%x becomes %x", raw, got)
		}
	}
	if got := encodeBase58([]byte("Hello World!")); got != "2NEpo7TZRRrLZSi2U" { // draft-msporny-base58-03, section 5
		t.Errorf("written as %s", got)
	}
}

func BenchmarkVerifyMessageRSA(b *testing.B) { benchmarkMessage(b, rsaKey()) }

func BenchmarkVerifyMessageEd25519(b *testing.B) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	benchmarkMessage(b, ed)
}

func benchmarkMessage(b *testing.B, key crypto.Signer) {
	now := time.Now()
	req := messageSigned(b, http.MethodPost, origin+"/inbox", inboxBody, key, now)
	pub := key.Public()
	b.ReportAllocs()
	for b.Loop() {
		if err := Verify(req, inboxBody, origin, pub, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignMessageEd25519(b *testing.B) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	req, _ := http.NewRequest(http.MethodPost, origin+"/inbox", nil)
	now := time.Now()
	for b.Loop() {
		if err := SignMessage(req, Key{ID: keyID, Private: ed}, inboxBody, now); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add(`sig1=("@method" "@target-uri");created=1703066400;keyid="https://a.example/u#main-key"`, "sig1=:AAAA:", "sha-256=:AAAA:", "/inbox?x=1")
	f.Add(`a=("@query-param";name="x" "@query");created=1, b=()`, "a=:AA==:, b=:AA==:", "sha-512=:AAAA:, sha-256=1", "/?x=%zz")
	f.Add(`a=("@authority" "host" "date";bs);created=@1`, "", "", "")
	f.Fuzz(func(t *testing.T, input, signature, digest, path string) {
		r := rfcRequest(t, input, signature)
		r.Header.Set("Content-Digest", digest)
		r.RequestURI = "/" + strings.TrimPrefix(path, "/")
		_ = checkContentDigest(r.Header, []byte(rfcBody))
		c, err := Read(r)
		if err != nil {
			return
		}
		if c.KeyID == "" || c.Created.IsZero() || !c.Covers("@method") {
			t.Errorf("reads %+v", c)
		}
		base, err := c.base(r, rfcOrigin)
		again, err2 := c.base(r, rfcOrigin)
		if base != again || (err == nil) != (err2 == nil) {
			t.Error("the base is another each time")
		}
		if err == nil && !strings.HasSuffix(base[:strings.LastIndexByte(base, '\n')+1]+"x", "\nx") {
			t.Errorf("the base is %q", base)
		}
	})
}

func FuzzMultikey(f *testing.F) {
	f.Add("z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2")
	f.Add("zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP")
	f.Fuzz(func(t *testing.T, text string) {
		pub, err := ParseMultikey(text)
		if err != nil {
			return
		}
		pem, err := PublicPEM(pub)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParsePublicKey(pem); err != nil || !again.(interface{ Equal(crypto.PublicKey) bool }).Equal(pub) {
			t.Errorf("%q is kept as %v, %v", text, again, err)
		}
	})
}
