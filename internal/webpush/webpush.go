// Package webpush encrypts messages for the devices of people and signs
// requests to the push services that pass them on: what RFC 8291 and RFC 8292
// say, and the drafts before them that many apps still expect. It sends nothing.
package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Device is what an app says of the place that messages are for: a public key
// and a secret that only it and we know.
type Device struct {
	key  *ecdh.PublicKey
	auth []byte
}

const (
	keyLength  = 65 // an uncompressed point on P-256
	authLength = 16
	saltLength = 16
	tagLength  = 16
	record     = 4096 // what every push service takes (RFC 8030, section 7.2)
	// step is what lengths are rounded up to, so that they say less.
	step = 256
	// MaxMessage is the longest message that can be encrypted, both ways.
	MaxMessage = 3800
)

// ErrKeys says that a device's keys are none.
var ErrKeys = errors.New("the keys are not those of a push subscription")

// ParseDevice reads the keys of a subscription, as p256dh and auth are written.
//
// W3C Push API, section 8.1; RFC 8291, section 2.
func ParseDevice(p256dh, auth string) (Device, error) {
	point, err := decode(p256dh, keyLength)
	if err != nil {
		return Device{}, err
	}
	key, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return Device{}, fmt.Errorf("%w: %v", ErrKeys, err)
	}
	secret, err := decode(auth, authLength)
	return Device{key, secret}, err
}

// String returns the keys in the one way in which we write them.
func (d Device) String() (p256dh, auth string) { return encode(d.key.Bytes()), encode(d.auth) }

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode reads base64 in any of the ways in which apps write it.
func decode(s string, length int) ([]byte, error) {
	if len(s) > 4*length {
		return nil, ErrKeys
	}
	s = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimSpace(s)), "=")
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != length {
		return nil, ErrKeys
	}
	return b, nil
}

// Message is what is sent: the body, and the headers that tell how to read it.
type Message struct {
	Body   []byte
	Header http.Header
}

// ephemeral are the values that a message is encrypted with and no other: only
// a test chooses them.
type ephemeral struct {
	key  *ecdh.PrivateKey
	salt []byte
}

func newEphemeral() (ephemeral, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	salt := make([]byte, saltLength)
	rand.Read(salt)
	return ephemeral{key, salt}, err
}

// Encrypt makes a message that the device alone can read.
//
// RFC 8291; RFC 8188 (aes128gcm).
func Encrypt(d Device, text []byte) (Message, error) {
	e, err := newEphemeral()
	if err != nil {
		return Message{}, err
	}
	return encrypt(d, text, e, step)
}

func encrypt(d Device, text []byte, e ephemeral, step int) (Message, error) {
	if len(text) > MaxMessage {
		return Message{}, fmt.Errorf("a message of %d bytes is too long to push", len(text))
	}
	shared, err := e.key.ECDH(d.key)
	if err != nil {
		return Message{}, err
	}
	ours := e.key.PublicKey().Bytes()
	info := "WebPush: info\x00" + string(d.key.Bytes()) + string(ours)
	material, err := hkdf.Key(sha256.New, shared, d.auth, info, 32)
	if err != nil {
		return Message{}, err
	}
	head := make([]byte, 0, saltLength+4+1+keyLength)
	head = append(head, e.salt...)
	head = binary.BigEndian.AppendUint32(head, record)
	head = append(head, keyLength)
	head = append(head, ours...)
	plain := append(append([]byte{}, text...), 2) // the last record; zeros follow
	plain = append(plain, make([]byte, padding(len(plain), step))...)
	body, err := seal(material, e.salt, "Content-Encoding: aes128gcm\x00", "Content-Encoding: nonce\x00", plain)
	return Message{Body: append(head, body...), Header: http.Header{"Content-Encoding": {"aes128gcm"}}}, err
}

// EncryptLegacy is Encrypt for apps that know the drafts only. The key of the
// server stands in a header that the signature also uses: see Key.SignLegacy.
//
// draft-ietf-webpush-encryption-04; draft-ietf-httpbis-encryption-encoding-03 (aesgcm).
func EncryptLegacy(d Device, text []byte) (Message, error) {
	e, err := newEphemeral()
	if err != nil {
		return Message{}, err
	}
	if len(text) > MaxMessage {
		return Message{}, fmt.Errorf("a message of %d bytes is too long to push", len(text))
	}
	shared, err := e.key.ECDH(d.key)
	if err != nil {
		return Message{}, err
	}
	ours := e.key.PublicKey().Bytes()
	material, err := hkdf.Key(sha256.New, shared, d.auth, "Content-Encoding: auth\x00", 32)
	if err != nil {
		return Message{}, err
	}
	lengths := binary.BigEndian.AppendUint16(nil, keyLength)
	about := "P-256\x00" + string(lengths) + string(d.key.Bytes()) + string(lengths) + string(ours)
	pad := padding(len(text)+2, step)
	plain := binary.BigEndian.AppendUint16(nil, uint16(pad))
	plain = append(append(plain, make([]byte, pad)...), text...)
	body, err := seal(material, e.salt, "Content-Encoding: aesgcm\x00"+about, "Content-Encoding: nonce\x00"+about, plain)
	return Message{Body: body, Header: http.Header{"Content-Encoding": {"aesgcm"}, "Encryption": {"salt=" + encode(e.salt)},
		"Crypto-Key": {"dh=" + encode(ours)}}}, err
}

// padding is how much is added to a length.
func padding(n, step int) int {
	most := record - saltLength - 4 - 1 - keyLength - tagLength
	return max(0, min((step-n%step)%step, most-n))
}

func seal(material, salt []byte, forKey, forNonce string, plain []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, material, salt, forKey, 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, material, salt, forNonce, 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return gcm.Seal(nil, nonce, plain, nil), nil
}

// Key is how push services know a server (RFC 8292).
type Key struct{ private *ecdsa.PrivateKey }

// NewKey makes a key and returns how it is kept.
func NewKey() (string, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	return encode(key.Bytes()), nil
}

// ParseKey reads a key as NewKey wrote it.
func ParseKey(kept string) (Key, error) {
	b, err := decode(kept, 32)
	if err != nil {
		return Key{}, err
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b)
	return Key{key}, err
}

// Public is the half of the key that apps and push services are told.
func (k Key) Public() string {
	b, err := k.private.PublicKey.Bytes()
	if err != nil {
		panic(err) // a key that was parsed is a point on its curve
	}
	return encode(b)
}

// lasts is how long a signature counts: at most a day (RFC 8292, section 2).
const lasts = 12 * time.Hour

// Sign adds to a message's headers who sends it: contact is how the push
// service reaches whoever runs the server, a mailto or https address.
//
// RFC 8292, section 3.
func (k Key) Sign(m Message, endpoint, contact string, now time.Time) error {
	token, err := k.token(endpoint, contact, now)
	if err == nil {
		m.Header.Set("Authorization", "vapid t="+token+", k="+k.Public())
	}
	return err
}

// SignLegacy is Sign for a message of EncryptLegacy.
//
// draft-ietf-webpush-vapid-01, section 3.
func (k Key) SignLegacy(m Message, endpoint, contact string, now time.Time) error {
	token, err := k.token(endpoint, contact, now)
	if err == nil {
		m.Header.Set("Authorization", "WebPush "+token)
		m.Header.Set("Crypto-Key", m.Header.Get("Crypto-Key")+";p256ecdsa="+k.Public())
	}
	return err
}

// token is a JWT that is signed by ES256 (RFC 7519; RFC 7518, section 3.4).
func (k Key) token(endpoint, contact string, now time.Time) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"aud": u.Scheme + "://" + u.Host, "exp": now.Add(lasts).Unix(), "sub": contact})
	if err != nil {
		return "", err
	}
	signed := encode([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + encode(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return "", err
	}
	return signed + "." + encode(append(fixed(r), fixed(s)...)), nil
}

func fixed(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }

// maxEndpoint bounds the address of a push service.
const maxEndpoint = 2048

// CheckEndpoint returns the host of a push service's address, or why there can
// be none: it must be a plain https address.
//
// RFC 8030, section 5.
func CheckEndpoint(endpoint string) (host string, err error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return "", errors.New("the endpoint is no address")
	case len(endpoint) > maxEndpoint:
		return "", errors.New("the endpoint is too long")
	case u.Scheme != "https" || u.Opaque != "" || u.Hostname() == "":
		return "", errors.New("the endpoint is no https address")
	case u.User != nil:
		return "", errors.New("the endpoint holds a user name")
	case u.Port() != "" && u.Port() != "443" || strings.HasSuffix(u.Host, ":"):
		return "", errors.New("the endpoint names a port")
	}
	for _, r := range endpoint {
		if r <= ' ' || r == 0x7f {
			return "", errors.New("the endpoint is no address")
		}
	}
	return strings.ToLower(u.Hostname()), nil
}
