package sig

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/dunglas/httpsfv"
)

// digestOf is the value of the Digest header for a body.
//
// RFC 3230, section 4.3.2; RFC 5843, section 2.2 (SHA-256).
func digestOf(body []byte) string {
	const name = "SHA-256="
	sum := sha256.Sum256(body)
	buf := make([]byte, len(name)+base64.StdEncoding.EncodedLen(len(sum)))
	copy(buf, name)
	base64.StdEncoding.Encode(buf[len(name):], sum[:])
	return string(buf)
}

// checkDigest compares the Digest header with the body. Of several digests
// every one that we know must match, and at least one must be known. Names of
// algorithms are case-insensitive (RFC 3230, section 4.1.1).
func checkDigest(h http.Header, body []byte) error {
	values := h.Values("Digest")
	if len(values) == 0 {
		return fmt.Errorf("%w: the Digest header is missing; send Digest: SHA-256=… and sign it", ErrDigest)
	}
	known := 0
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			name, encoded, ok := strings.Cut(strings.TrimSpace(one), "=")
			if !ok {
				return fmt.Errorf("%w: %q is not name=value", ErrDigest, brief(one))
			}
			var want []byte
			switch strings.ToUpper(name) {
			case "SHA-256":
				sum := sha256.Sum256(body)
				want = sum[:]
			case "SHA-512":
				sum := sha512.Sum512(body)
				want = sum[:]
			default:
				continue
			}
			got, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil || subtle.ConstantTimeCompare(got, want) != 1 {
				return fmt.Errorf("%w: the body received has another %s; send the bytes that were digested, unchanged", ErrDigest, strings.ToUpper(name))
			}
			known++
		}
	}
	if known == 0 {
		return fmt.Errorf("%w: no digest of a known kind; send SHA-256", ErrDigest)
	}
	return nil
}

// contentDigestOf is the value of the Content-Digest header for a body.
//
// RFC 9530, section 2.
func contentDigestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=" + encodeBytes(sum[:])
}

// checkContentDigest compares the Content-Digest header with the body, as
// checkDigest does with the older one.
//
// RFC 9530, sections 2 and 5.
func checkContentDigest(h http.Header, body []byte) error {
	values := h.Values("Content-Digest")
	if len(values) == 0 {
		return fmt.Errorf("%w: the Content-Digest header is missing; send Content-Digest: sha-256=:…: and sign it", ErrDigest)
	}
	size := 0
	for _, v := range values {
		size += len(v)
	}
	if size > maxHeader {
		return fmt.Errorf("%w: Content-Digest is longer than %d bytes", ErrDigest, maxHeader)
	}
	said, err := httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return fmt.Errorf("%w: Content-Digest: %v", ErrDigest, err)
	}
	known := 0
	for _, name := range said.Names() {
		var want []byte
		switch name {
		case "sha-256":
			sum := sha256.Sum256(body)
			want = sum[:]
		case "sha-512":
			sum := sha512.Sum512(body)
			want = sum[:]
		default:
			continue
		}
		member, _ := said.Get(name)
		item, _ := member.(httpsfv.Item)
		got, _ := item.Value.([]byte)
		if subtle.ConstantTimeCompare(got, want) != 1 {
			return fmt.Errorf("%w: the body received has another %s; send the bytes that were digested, unchanged", ErrDigest, name)
		}
		known++
	}
	if known == 0 {
		return fmt.Errorf("%w: no digest of a known kind; send sha-256", ErrDigest)
	}
	return nil
}
