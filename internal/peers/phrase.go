package peers

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
)

const (
	phraseWords = 6
	wordBits    = 10 // of which each word tells one in 1024
	// phraseRounds makes it slow to look for a key whose phrase is that of another.
	phraseRounds = 100_000
)

// Phrase makes six words out of two servers' key fingerprints: the same on both
// sides, whoever asks. People compare them by another way than this one, such
// as the telephone: if they differ, somebody stands between the servers.
//
// FEDERATION.md, "Asking to connect".
func Phrase(ours, theirs string) (string, error) {
	first, second := ours, theirs
	if second < first {
		first, second = second, first
	}
	sum, err := pbkdf2.Key(sha256.New, first+"\n"+second, []byte("chalkring peering phrase 1"), phraseRounds, 8)
	if err != nil {
		return "", fmt.Errorf("phrase: %w", err)
	}
	var bits uint64
	for _, b := range sum {
		bits = bits<<8 | uint64(b)
	}
	all := strings.Fields(words)
	chosen := make([]string, phraseWords)
	for i := range chosen {
		chosen[i] = all[bits>>(64-wordBits)]
		bits <<= wordBits
	}
	return strings.Join(chosen, " "), nil
}

// KeyHash is the fingerprint of a public key in PEM: SHA-256 of its
// SubjectPublicKeyInfo (RFC 5280, section 4.1), in hexadecimal digits.
func KeyHash(text string) (string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", fmt.Errorf("key fingerprint: no PEM")
	}
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return "", fmt.Errorf("key fingerprint: %w", err)
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:]), nil
}

// Fingerprint is a key's hash as people read it: in groups of four digits.
func Fingerprint(hash string) string {
	var b strings.Builder
	for i := 0; i < len(hash); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(hash[i:min(i+4, len(hash))])
	}
	return b.String()
}
