package sig

import (
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

// Sizes of RSA keys that are used. Below, a signature proves little; above,
// verifying one costs too much.
const (
	minRSABits = 2048
	maxRSABits = 8192
	maxPEM     = 16 << 10
)

// Key is a private key and the IRI under which peers find its public half.
type Key struct {
	ID      string
	Private crypto.Signer
}

// NewRSAKey makes the key of a new actor: RSA with 2048 bits, the one kind
// that every ActivityPub server verifies. Both halves are PEM: PKCS #8 and PKIX.
func NewRSAKey() (privatePEM, publicPEM string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		return "", "", fmt.Errorf("make an RSA key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", fmt.Errorf("encode an RSA key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", "", fmt.Errorf("encode an RSA public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), nil
}

// ParsePrivateKey reads a private key of our own: PKCS #8, or PKCS #1 for RSA.
func ParsePrivateKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("%w: no PEM block found", ErrKey)
	}
	var key any
	var err error
	if block.Type == "RSA PRIVATE KEY" {
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	} else {
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKey, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: a %T cannot sign", ErrKey, key)
	}
	if err := checkPublic(signer.Public()); err != nil {
		return nil, err
	}
	return signer, nil
}

// ParsePublicKey reads an actor's publicKeyPem: PKIX, or PKCS #1 for RSA. RSA
// from 2048 to 8192 bits, Ed25519, and ECDSA on P-256 or larger are taken.
func ParsePublicKey(text string) (crypto.PublicKey, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("%w: %d bytes are too many for a public key", ErrKey, len(text))
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("%w: publicKeyPem holds no PEM block", ErrKey)
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: publicKeyPem is a %q; send a PUBLIC KEY", ErrKey, brief(block.Type))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKey, err)
	}
	return key, checkPublic(key)
}

func checkPublic(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("%w: RSA with %d bits; use %d to %d", ErrKey, bits, minRSABits, maxRSABits)
		}
		return nil
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return fmt.Errorf("%w: ECDSA on a curve that is too small; use P-256", ErrKey)
	}
	return fmt.Errorf("%w: %T is not used for signatures; use RSA with 2048 bits", ErrKey, key)
}
