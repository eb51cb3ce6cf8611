package webpush

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
)

func b64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 8291, section 5 and appendix A.
func TestVector(t *testing.T) {
	d, err := ParseDevice("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", "BTBZMqHH6r4Tts7J_aSIgg")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdh.P256().NewPrivateKey(b64(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := encrypt(d, []byte("When I grow up, I want to be a watermelon"), ephemeral{key, b64(t, "DGv6ra1nlYgDCS1FRnbzlw")}, 1)
	if err != nil {
		t.Fatal(err)
	}
	const want = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT" +
		"pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	if got := encode(m.Body); got != want {
		t.Errorf("encrypted as\n%s\nwant\n%s", got, want)
	}
}

// device is the other side, written from the specifications anew.
type device struct {
	key  *ecdh.PrivateKey
	auth []byte
}

func newDevice(t testing.TB) device {
	e, err := newEphemeral()
	if err != nil {
		t.Fatal(err)
	}
	return device{e.key, e.salt}
}

func (d device) keys() (string, string) { return encode(d.key.PublicKey().Bytes()), encode(d.auth) }

func (d device) open(t testing.TB, secret, salt []byte, key, nonce string, body []byte) []byte {
	t.Helper()
	k, _ := hkdf.Key(sha256.New, secret, salt, key, 16)
	n, _ := hkdf.Key(sha256.New, secret, salt, nonce, 12)
	block, _ := aes.NewCipher(k)
	gcm, _ := cipher.NewGCM(block)
	plain, err := gcm.Open(nil, n, body, nil)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func (d device) shared(t testing.TB, theirs []byte) []byte {
	t.Helper()
	pub, err := ecdh.P256().NewPublicKey(theirs)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := d.key.ECDH(pub)
	if err != nil {
		t.Fatal(err)
	}
	return shared
}

func (d device) read(t testing.TB, m Message) []byte {
	t.Helper()
	if len(m.Body) > record {
		t.Fatalf("%d bytes are more than a push service takes", len(m.Body))
	}
	mine := d.key.PublicKey().Bytes()
	if m.Header.Get("Content-Encoding") == "aes128gcm" {
		salt, theirs, body := m.Body[:16], m.Body[21:86], m.Body[86:]
		secret, _ := hkdf.Key(sha256.New, d.shared(t, theirs), d.auth, "WebPush: info\x00"+string(mine)+string(theirs), 32)
		plain := d.open(t, secret, salt, "Content-Encoding: aes128gcm\x00", "Content-Encoding: nonce\x00", body)
		plain = bytes.TrimRight(plain, "\x00")
		if len(plain) == 0 || plain[len(plain)-1] != 2 {
			t.Fatalf("the last record ends in %q", plain)
		}
		return plain[:len(plain)-1]
	}
	salt := b64(t, strings.TrimPrefix(m.Header.Get("Encryption"), "salt="))
	dh, _, _ := strings.Cut(m.Header.Get("Crypto-Key"), ";")
	theirs := b64(t, strings.TrimPrefix(dh, "dh="))
	secret, _ := hkdf.Key(sha256.New, d.shared(t, theirs), d.auth, "Content-Encoding: auth\x00", 32)
	about := "P-256\x00\x00\x41" + string(mine) + "\x00\x41" + string(theirs)
	plain := d.open(t, secret, salt, "Content-Encoding: aesgcm\x00"+about, "Content-Encoding: nonce\x00"+about, m.Body)
	return plain[2+binary.BigEndian.Uint16(plain):]
}

func TestDeviceReadsBothEncodings(t *testing.T) {
	for _, n := range []int{0, 1, step - 1, step, 1000, MaxMessage} {
		text := bytes.Repeat([]byte("ä"), n)[:n]
		mine := newDevice(t)
		d, err := ParseDevice(mine.keys())
		if err != nil {
			t.Fatal(err)
		}
		for name, encrypt := range map[string]func(Device, []byte) (Message, error){"aes128gcm": Encrypt, "aesgcm": EncryptLegacy} {
			m, err := encrypt(d, text)
			if err != nil || !bytes.Equal(mine.read(t, m), text) {
				t.Errorf("%s of %d bytes is not read as it was written (%v)", name, n, err)
			}
			if _, err := encrypt(d, make([]byte, MaxMessage+1)); err == nil {
				t.Errorf("%s takes what is too long", name)
			}
		}
	}
}

// RFC 8292, sections 2 and 3; the draft that came before.
func TestSignature(t *testing.T) {
	kept, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKey(kept)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b64(t, k.Public()))
	if err != nil {
		t.Fatal(err)
	}
	mine := newDevice(t)
	d, _ := ParseDevice(mine.keys())
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	check := func(token string) {
		t.Helper()
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			t.Fatalf("the token is %q", token)
		}
		sig := b64(t, parts[2])
		digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if len(sig) != 64 || !ecdsa.Verify(pub, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
			t.Error("the signature is not the key's")
		}
		var claims struct {
			Aud, Sub string
			Exp      int64
		}
		if err := json.Unmarshal(b64(t, parts[1]), &claims); err != nil {
			t.Fatal(err)
		}
		if claims.Aud != "https://push.test" || claims.Sub != "https://oak.test/" || claims.Exp <= now.Unix() || claims.Exp > now.Add(24*time.Hour).Unix() {
			t.Errorf("the token claims %+v", claims)
		}
	}
	m, _ := Encrypt(d, []byte("x"))
	if err := k.Sign(m, "https://push.test/a/b?c", "https://oak.test/", now); err != nil {
		t.Fatal(err)
	}
	token, key, ok := strings.Cut(strings.TrimPrefix(m.Header.Get("Authorization"), "vapid t="), ", k=")
	if !ok || key != k.Public() {
		t.Errorf("Authorization: %s", m.Header.Get("Authorization"))
	}
	check(token)
	m, _ = EncryptLegacy(d, []byte("x"))
	if err := k.SignLegacy(m, "https://push.test/a/b?c", "https://oak.test/", now); err != nil {
		t.Fatal(err)
	}
	check(strings.TrimPrefix(m.Header.Get("Authorization"), "WebPush "))
	if _, key, _ := strings.Cut(m.Header.Get("Crypto-Key"), ";p256ecdsa="); key != k.Public() || len(m.Header.Values("Crypto-Key")) != 1 {
		t.Errorf("Crypto-Key: %v", m.Header.Values("Crypto-Key"))
	}
}

func TestCheckEndpoint(t *testing.T) {
	for endpoint, host := range map[string]string{
		"https://Push.test/a?b":    "push.test",
		"https://push.test:443/a":  "push.test",
		"http://push.test/a":       "",
		"https://push.test:8443/a": "",
		"https://a:b@push.test/":   "",
		"https:///a":               "",
		"ftp://push.test/":         "",
		"push.test/a":              "",
		"":                         "",
		"https://push.test/\n":     "",
		"https://push.test/" + strings.Repeat("x", maxEndpoint): "",
	} {
		if got, err := CheckEndpoint(endpoint); got != host || (err == nil) != (host != "") {
			t.Errorf("%.60q is of %q (%v), want %q", endpoint, got, err, host)
		}
	}
}

func FuzzParseDevice(f *testing.F) {
	f.Add("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", "BTBZMqHH6r4Tts7J_aSIgg")
	f.Add("BCVxsr7N/eNgVRqvHtD0zTZsEc6+VV+JvLexhqUzORcxaOzi6+AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4=", "BTBZMqHH6r4Tts7J/aSIgg==")
	f.Add("AAAA", "")
	f.Fuzz(func(t *testing.T, p256dh, auth string) {
		d, err := ParseDevice(p256dh, auth)
		if err != nil {
			return
		}
		again, err := ParseDevice(d.String())
		if err != nil || !again.key.Equal(d.key) || !bytes.Equal(again.auth, d.auth) {
			t.Errorf("%q, %q cannot be said again: %v", p256dh, auth, err)
		}
		if _, err := Encrypt(d, []byte("x")); err != nil {
			t.Errorf("nothing can be encrypted for %q: %v", p256dh, err)
		}
	})
}

func FuzzCheckEndpoint(f *testing.F) {
	f.Add("https://push.test/a?b")
	f.Add("https://push.test:443")
	f.Add("https://[::1]/")
	f.Fuzz(func(t *testing.T, endpoint string) {
		host, err := CheckEndpoint(endpoint)
		if err == nil && (host == "" || strings.ContainsAny(host, " /@\n") || len(endpoint) > maxEndpoint) {
			t.Errorf("%q is of host %q", endpoint, host)
		}
	})
}
