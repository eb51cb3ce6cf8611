package sig

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// A digest that is taken is one of the body, whatever else the header says.
func FuzzDigests(f *testing.F) {
	body := []byte(`{"a":1}`)
	f.Add(digestOf(body), contentDigestOf(body), body)
	f.Add("sha-256="+strings.TrimPrefix(digestOf(body), "SHA-256=")+",sha-512=AAAA", "sha-256=:AAAA:, sha-512=:AAAA:", body)
	f.Add("SHA-256=,SHA-256=x", "sha-256=?1", []byte{})
	f.Add("md5=x", `sha-256=("a" "b");c`, []byte(nil))
	f.Fuzz(func(t *testing.T, digest, content string, body []byte) {
		of256, of512 := sha256.Sum256(body), sha512.Sum512(body)
		sums := []string{base64.StdEncoding.EncodeToString(of256[:]), base64.StdEncoding.EncodeToString(of512[:])}
		holds := func(header string) bool {
			// but for the last character, of which some bits are padding
			return strings.Contains(header, sums[0][:42]) || strings.Contains(header, sums[1][:85])
		}
		other := append(bytes.Clone(body), ' ')
		h := http.Header{"Digest": {digest}}
		if checkDigest(h, body) == nil && (!holds(digest) || checkDigest(h, other) == nil) {
			t.Errorf("Digest %q fits %q", digest, body)
		}
		h = http.Header{"Content-Digest": {content}}
		if checkContentDigest(h, body) == nil && (!holds(content) || checkContentDigest(h, other) == nil) {
			t.Errorf("Content-Digest %q fits %q", content, body)
		}
		if err := checkDigest(http.Header{"Digest": {digestOf(body)}}, body); err != nil {
			t.Errorf("our own Digest: %v", err)
		}
		if err := checkContentDigest(http.Header{"Content-Digest": {contentDigestOf(body)}}, body); err != nil {
			t.Errorf("our own Content-Digest: %v", err)
		}
	})
}
