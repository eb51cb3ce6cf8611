package sig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Prefixes that say what kind of key the bytes of a Multikey are.
//
// https://www.w3.org/TR/cid-1.0/#Multikey (multicodec, as unsigned varints).
var (
	codecEd25519 = []byte{0xed, 0x01}
	codecP256    = []byte{0x80, 0x24}
	codecP384    = []byte{0x81, 0x24}
)

// maxMultikey is the length of the longest Multikey that is read, that of P-384.
const maxMultikey = 80

// ParseMultikey reads a publicKeyMultibase: an Ed25519 key (z6Mk…), or an ECDSA
// key on P-256 (zDn…) or P-384 (z82…).
//
// FEP-521a.
func ParseMultikey(text string) (crypto.PublicKey, error) {
	if len(text) > maxMultikey || text == "" || text[0] != 'z' {
		return nil, fmt.Errorf("%w: %q is no publicKeyMultibase in base58btc", ErrKey, brief(text))
	}
	raw, ok := decodeBase58(text[1:])
	if !ok {
		return nil, fmt.Errorf("%w: %q is not base58btc", ErrKey, brief(text))
	}
	if key, ok := bytes.CutPrefix(raw, codecEd25519); ok {
		if len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: an Ed25519 key has %d bytes, not %d", ErrKey, ed25519.PublicKeySize, len(key))
		}
		return ed25519.PublicKey(key), nil
	}
	for codec, curve := range map[string]elliptic.Curve{string(codecP256): elliptic.P256(), string(codecP384): elliptic.P384()} {
		if point, ok := bytes.CutPrefix(raw, []byte(codec)); ok {
			x, y := elliptic.UnmarshalCompressed(curve, point)
			if x == nil {
				return nil, fmt.Errorf("%w: that is no point of %s", ErrKey, curve.Params().Name)
			}
			size := (curve.Params().BitSize + 7) / 8
			whole := make([]byte, 1+2*size)
			whole[0] = 4 // neither half is compressed
			x.FillBytes(whole[1 : 1+size])
			y.FillBytes(whole[1+size:])
			key, err := ecdsa.ParseUncompressedPublicKey(curve, whole)
			if err != nil {
				return nil, fmt.Errorf("%w: %v", ErrKey, err)
			}
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: %q is of a kind that is not used; use Ed25519", ErrKey, brief(text))
}

// Multikey writes an Ed25519 key as publicKeyMultibase.
//
// FEP-521a.
func Multikey(pub ed25519.PublicKey) string {
	return "z" + encodeBase58(append(codecEd25519[:2:2], pub...))
}

// MultikeyOf is Multikey for a key in PEM, as they are stored.
func MultikeyOf(text string) (string, error) {
	pub, err := ParsePublicKey(text)
	if err != nil {
		return "", err
	}
	key, ok := pub.(ed25519.PublicKey)
	if !ok {
		return "", fmt.Errorf("%w: a %T is written in PEM", ErrKey, pub)
	}
	return Multikey(key), nil
}

// PublicPEM writes a public key as ParsePublicKey reads it.
func PublicPEM(pub crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrKey, err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

// KindOf says what kind of key a public key is: rsa, ed25519 or ecdsa.
func KindOf(pub crypto.PublicKey) string {
	switch pub.(type) {
	case *rsa.PublicKey:
		return "rsa"
	case ed25519.PublicKey:
		return "ed25519"
	}
	return "ecdsa"
}

// NewEd25519Key makes a key of the kind that costs least to sign with. Both
// halves are PEM, as NewRSAKey's are.
func NewEd25519Key() (privatePEM, publicPEM string, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("make an Ed25519 key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", fmt.Errorf("encode an Ed25519 key: %w", err)
	}
	publicPEM, err = PublicPEM(public)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), publicPEM, err
}

const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// encodeBase58 writes bytes in base58btc.
//
// draft-msporny-base58-03, section 2.
func encodeBase58(raw []byte) string {
	var digits []byte // least first
	for _, b := range raw {
		carry := int(b)
		for i := range digits {
			carry += int(digits[i]) << 8
			digits[i], carry = byte(carry%58), carry/58
		}
		for ; carry > 0; carry /= 58 {
			digits = append(digits, byte(carry%58))
		}
	}
	for _, b := range raw {
		if b != 0 {
			break
		}
		digits = append(digits, 0)
	}
	out := make([]byte, len(digits))
	for i, d := range digits {
		out[len(out)-1-i] = alphabet[d]
	}
	return string(out)
}

// decodeBase58 reads base58btc; the caller bounds its length.
func decodeBase58(text string) ([]byte, bool) {
	var number []byte // least first
	for i := range len(text) {
		d := bytes.IndexByte([]byte(alphabet), text[i])
		if d < 0 {
			return nil, false
		}
		carry := d
		for j := range number {
			carry += int(number[j]) * 58
			number[j], carry = byte(carry), carry>>8
		}
		for ; carry > 0; carry >>= 8 {
			number = append(number, byte(carry))
		}
	}
	for i := 0; i < len(text) && text[i] == alphabet[0]; i++ {
		number = append(number, 0)
	}
	out := make([]byte, len(number))
	for i, b := range number {
		out[len(out)-1-i] = b
	}
	return out, true
}
