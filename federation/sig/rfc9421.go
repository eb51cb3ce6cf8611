package sig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// maxLabels is how many signatures are looked at on one request: proxies and
// crawlers' operators add theirs.
const maxLabels = 8

// The algorithms' names.
//
// RFC 9421, section 6.2.2.
const (
	rsaV15SHA256 = "rsa-v1_5-sha256"
	rsaPSSSHA512 = "rsa-pss-sha512"
	ecdsaP256    = "ecdsa-p256-sha256"
	ecdsaP384    = "ecdsa-p384-sha384"
	ed25519Name  = "ed25519"
)

// SignMessage signs a request by RFC 9421, as Mastodon's profile of it wants: the
// method, the whole address and, where there is a body or it is a POST, the
// body's digest are covered, and the moment is told. An RSA, Ed25519 or ECDSA key
// will do. Sign every try anew.
//
// RFC 9421, section 3.1; RFC 9530, section 2.
func SignMessage(req *http.Request, key Key, body []byte, now time.Time) error {
	if key.Private == nil || key.ID == "" || strings.ContainsFunc(key.ID, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
		return fmt.Errorf("%w: there is no key to sign with, or its id %q cannot be written", ErrKey, key.ID)
	}
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	unsign(req)
	covered, digest := `("@method" "@target-uri")`, ""
	if len(body) > 0 || req.Method == http.MethodPost {
		covered, digest = `("@method" "@target-uri" "content-digest")`, contentDigestOf(body)
		req.Header["Content-Digest"] = []string{digest}
	}
	algorithm := messageAlgorithms(key.Private.Public(), "")
	if len(algorithm) == 0 {
		return fmt.Errorf("%w: cannot sign with a %T", ErrKey, key.Private)
	}
	params := covered + ";created=" + strconv.FormatInt(now.Unix(), 10) + `;keyid="` + key.ID + `";alg="` + algorithm[0] + `"`
	var b strings.Builder
	b.Grow(256 + len(params) + len(digest))
	b.WriteString(`"@method": ` + req.Method + "\n")
	b.WriteString(`"@target-uri": ` + req.URL.Scheme + "://" + strings.ToLower(host) + req.URL.RequestURI() + "\n")
	if digest != "" {
		b.WriteString(`"content-digest": ` + digest + "\n")
	}
	b.WriteString(`"@signature-params": ` + params)
	value, err := signMessage(key.Private, b.String())
	if err != nil {
		return fmt.Errorf("sign for %s: %w", host, err)
	}
	req.Header["Signature-Input"] = []string{"sig1=" + params}
	req.Header["Signature"] = []string{"sig1=" + encodeBytes(value)}
	return nil
}

// signMessage signs with the first of messageAlgorithms.
func signMessage(key crypto.Signer, base string) ([]byte, error) {
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(k, []byte(base)), nil
	case *ecdsa.PrivateKey:
		sum, size := hashFor(&k.PublicKey, base)
		r, s, err := ecdsa.Sign(rand.Reader, k, sum)
		if err != nil {
			return nil, err
		}
		value := make([]byte, 2*size)
		r.FillBytes(value[:size])
		s.FillBytes(value[size:])
		return value, nil
	}
	sum := sha256.Sum256([]byte(base))
	return key.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// hashFor is what is signed with an ECDSA key, and how long each half of the
// signature is.
func hashFor(pub *ecdsa.PublicKey, base string) (sum []byte, size int) {
	if pub.Curve.Params().BitSize > 256 {
		s := sha512.Sum384([]byte(base))
		return s[:], 48
	}
	s := sha256.Sum256([]byte(base))
	return s[:], 32
}

// messageAlgorithms lists what a key can have signed with, likeliest first. The
// kind of key decides; what is claimed can only choose between what the kind can
// do, and is wrong otherwise.
//
// RFC 9421, section 3.3.7.
func messageAlgorithms(pub crypto.PublicKey, claimed string) []string {
	var can []string
	switch k := pub.(type) {
	case *rsa.PublicKey:
		can = []string{rsaV15SHA256, rsaPSSSHA512}
	case ed25519.PublicKey:
		can = []string{ed25519Name}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			can = []string{ecdsaP256}
		case 384:
			can = []string{ecdsaP384}
		}
	}
	if claimed == "" {
		return can
	}
	if slices.Contains(can, claimed) {
		return []string{claimed}
	}
	return nil
}

// readMessage reads the signature of a request under RFC 9421. Of several, it
// is the first that names a key and a moment and covers what it must; which that
// is depends on nothing but what was sent.
//
// RFC 9421, sections 4.1, 4.2 and 4.3.
func readMessage(r *http.Request) (Claim, error) {
	described, signed, err := dictionaries(r)
	if err != nil {
		return Claim{}, err
	}
	labels := described.Names()
	if len(labels) > maxLabels {
		return Claim{}, fmt.Errorf("%w: there are %d signatures; send one", ErrMalformed, len(labels))
	}
	first := fmt.Errorf("%w: Signature-Input is empty", ErrMalformed)
	for i, label := range labels {
		c, err := messageClaim(described, signed, label)
		if err == nil {
			err = c.coversMessage(r, r.Method == http.MethodPost)
		}
		if err == nil {
			return c, nil
		}
		if i == 0 {
			first = err
		}
	}
	return Claim{}, first
}

// dictionaries reads the two headers.
//
// RFC 9421, section 4.
func dictionaries(r *http.Request) (described, signed *httpsfv.Dictionary, err error) {
	inputs, values := r.Header["Signature-Input"], r.Header["Signature"]
	if len(values) == 0 {
		return nil, nil, fmt.Errorf("%w: there is a Signature-Input and no Signature", ErrMalformed)
	}
	size := 0
	for _, v := range append(inputs[:len(inputs):len(inputs)], values...) {
		size += len(v)
	}
	if size > 2*maxHeader {
		return nil, nil, fmt.Errorf("%w: it is longer than %d bytes", ErrMalformed, 2*maxHeader)
	}
	described, err = httpsfv.UnmarshalDictionary(inputs)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: Signature-Input: %v", ErrMalformed, err)
	}
	signed, err = httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: Signature: %v", ErrMalformed, err)
	}
	return described, signed, nil
}

func messageClaim(described, signed *httpsfv.Dictionary, label string) (Claim, error) {
	bad := func(format string, args ...any) (Claim, error) {
		return Claim{}, fmt.Errorf("%w: signature %s: %s", ErrMalformed, brief(label), fmt.Sprintf(format, args...))
	}
	member, _ := described.Get(label)
	list, ok := member.(httpsfv.InnerList)
	if !ok {
		return bad("Signature-Input has no list of components")
	}
	member, _ = signed.Get(label)
	item, _ := member.(httpsfv.Item)
	value, ok := item.Value.([]byte)
	if !ok || len(value) == 0 {
		return bad("Signature has no bytes under this label")
	}
	if len(list.Items) > maxCovered {
		return bad("it covers more than %d components", maxCovered)
	}
	c := Claim{message: &list, value: value, Headers: make([]string, 0, len(list.Items))}
	for _, component := range list.Items {
		name, ok := component.Value.(string)
		if !ok || name == "" || name != strings.ToLower(name) || name == "@signature-params" {
			return bad("%v is no component's name", brief(fmt.Sprint(component.Value)))
		}
		if params := component.Params.Names(); len(params) > 0 {
			if name != "@query-param" || len(params) > 1 {
				return bad("component %q has parameters that are not understood: %v", brief(name), params)
			}
			param, ok := component.Params.Get("name")
			text, isText := param.(string)
			if !ok || !isText {
				return bad("@query-param names no parameter")
			}
			name += ";name=" + text
		}
		if slices.Contains(c.Headers, name) {
			return bad("it covers %q twice", brief(name))
		}
		c.Headers = append(c.Headers, name)
	}
	var err error
	if c.Created, err = seconds(list.Params, "created"); err != nil {
		return bad("%v", err)
	}
	if c.Expires, err = seconds(list.Params, "expires"); err != nil {
		return bad("%v", err)
	}
	for name, into := range map[string]*string{"keyid": &c.KeyID, "alg": &c.Algorithm} {
		if v, there := list.Params.Get(name); there {
			if *into, ok = v.(string); !ok {
				return bad("%s is no string", name)
			}
		}
	}
	if c.KeyID == "" {
		return bad("keyid is missing")
	}
	return c, nil
}

func seconds(params *httpsfv.Params, name string) (time.Time, error) {
	v, there := params.Get(name)
	if !there {
		return time.Time{}, nil
	}
	n, ok := v.(int64)
	if !ok || n <= 0 || n > 1<<40 {
		return time.Time{}, fmt.Errorf("%s is no whole number of seconds", name)
	}
	return time.Unix(n, 0), nil
}

// coversMessage reports what a signature leaves out that it must protect: the
// method; the host, the path and the query, by one name or several; the body's
// digest; and the moment of signing.
func (c Claim) coversMessage(r *http.Request, body bool) error {
	switch {
	case !c.Covers("@method"):
		return fmt.Errorf("%w: sign @method too", ErrNotCovered)
	case !c.Covers("@target-uri") && !c.Covers("@authority") && !c.Covers("host"):
		return fmt.Errorf("%w: sign @target-uri, or @authority with @path and @query", ErrNotCovered)
	case !c.Covers("@target-uri") && !c.Covers("@request-target") && !(c.Covers("@path") && (c.Covers("@query") || !hasQuery(r))):
		return fmt.Errorf("%w: sign @target-uri, or @path and @query too", ErrNotCovered)
	case c.Created.IsZero():
		return fmt.Errorf("%w: say when it was created", ErrNotCovered)
	case body && !c.Covers("content-digest"):
		return fmt.Errorf("%w: a request with a body must sign content-digest too", ErrNotCovered)
	}
	return nil
}

func hasQuery(r *http.Request) bool { return strings.Contains(target(r), "?") }

// verifyMessage is Verify for RFC 9421.
//
// RFC 9421, section 3.2.
func (c Claim) verifyMessage(r *http.Request, body []byte, head bool, origin string, pub crypto.PublicKey, now time.Time) error {
	hasBody := len(body) > 0 || r.Method == http.MethodPost
	if err := c.coversMessage(r, hasBody); err != nil {
		return err
	}
	if err := near(c.Created, now, Skew); err != nil {
		return err
	}
	if !c.Expires.IsZero() && now.After(c.Expires) {
		return fmt.Errorf("%w: the signature expired at %s", ErrDate, c.Expires.UTC().Format(time.RFC3339))
	}
	if !head && (hasBody || c.Covers("content-digest")) {
		if err := checkContentDigest(r.Header, body); err != nil {
			return err
		}
	}
	base, err := c.base(r, origin)
	if err != nil {
		return err
	}
	return c.checkMessage(base, pub)
}

// checkMessage verifies the signature itself.
func (c Claim) checkMessage(base string, pub crypto.PublicKey) error {
	algorithms := messageAlgorithms(pub, c.Algorithm)
	if len(algorithms) == 0 {
		return fmt.Errorf("%w: the key %s does not sign with %q", ErrSignature, brief(c.KeyID), brief(c.Algorithm))
	}
	for _, algorithm := range algorithms {
		if verifyMessageWith(algorithm, pub, base, c.value) {
			return nil
		}
	}
	return fmt.Errorf("%w: the key of %s did not make it over this request; sign the address and headers that are sent", ErrSignature, brief(c.KeyID))
}

func verifyMessageWith(algorithm string, pub crypto.PublicKey, base string, value []byte) bool {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if algorithm == rsaPSSSHA512 {
			sum := sha512.Sum512([]byte(base))
			return rsa.VerifyPSS(k, crypto.SHA512, sum[:], value, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		sum := sha256.Sum256([]byte(base))
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], value) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(k, []byte(base), value)
	case *ecdsa.PublicKey:
		sum, size := hashFor(k, base)
		if len(value) != 2*size {
			return false
		}
		return ecdsa.Verify(k, sum, new(big.Int).SetBytes(value[:size]), new(big.Int).SetBytes(value[size:]))
	}
	return false
}

// base is what was signed: a line for each component, and the parameters.
//
// RFC 9421, section 2.5.
func (c Claim) base(r *http.Request, origin string) (string, error) {
	var b strings.Builder
	b.Grow(512)
	for i, item := range c.message.Items {
		value, err := component(r, origin, c.Headers[i])
		if err != nil {
			return "", err
		}
		name := `"` + c.Headers[i] + `"`
		if len(item.Params.Names()) > 0 || strings.ContainsAny(c.Headers[i], `"\`) {
			if name, err = httpsfv.Marshal(item); err != nil {
				return "", fmt.Errorf("%w: %v", ErrMalformed, err)
			}
		}
		b.WriteString(name + ": " + value + "\n")
	}
	params, err := httpsfv.Marshal(*c.message)
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	b.WriteString(`"@signature-params": ` + params)
	return b.String(), nil
}

// component is the value of one. Where the request was sent to is what this
// server is called, not what the request or a proxy says.
//
// RFC 9421, sections 2.1 and 2.2.
func component(r *http.Request, origin, name string) (string, error) {
	scheme, authority, _ := strings.Cut(origin, "://")
	path, query, _ := strings.Cut(target(r), "?")
	switch name {
	case "@method":
		return r.Method, nil
	case "@target-uri":
		return origin + target(r), nil
	case "@authority":
		return authority, nil
	case "@scheme":
		return scheme, nil
	case "@request-target":
		return target(r), nil
	case "@path":
		return path, nil
	case "@query":
		return "?" + query, nil
	case "host":
		return r.Host, nil
	}
	if param, ok := strings.CutPrefix(name, "@query-param;name="); ok {
		return queryParam(query, param)
	}
	if name[0] == '@' {
		return "", fmt.Errorf("%w: component %q is unknown, or not of a request", ErrMalformed, brief(name))
	}
	values := r.Header[http.CanonicalHeaderKey(name)]
	switch {
	case name == "signature" || name == "signature-input":
		return "", fmt.Errorf("%w: it covers itself", ErrMalformed)
	case len(values) == 0 && name == "content-length" && r.ContentLength >= 0:
		return strconv.FormatInt(r.ContentLength, 10), nil
	case len(values) == 0:
		return "", fmt.Errorf("%w: it covers %q, which the request lacks", ErrSignature, brief(name))
	case len(values) == 1:
		return strings.TrimSpace(values[0]), nil
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.TrimSpace(v)
	}
	return strings.Join(trimmed, ", "), nil
}

// queryParam is the value of a parameter of the query that stands there once.
//
// RFC 9421, section 2.2.8.
func queryParam(query, name string) (string, error) {
	params, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("%w: the query cannot be read", ErrMalformed)
	}
	decoded, err := url.QueryUnescape(name)
	if err != nil {
		return "", fmt.Errorf("%w: @query-param: %v", ErrMalformed, err)
	}
	if values := params[decoded]; len(values) == 1 {
		return strings.ReplaceAll(url.QueryEscape(values[0]), "+", "%20"), nil
	}
	return "", fmt.Errorf("%w: the query has not one %q", ErrSignature, brief(name))
}

// encodeBytes writes a byte sequence.
//
// RFC 9651, section 4.1.8.
func encodeBytes(value []byte) string {
	text, _ := httpsfv.Marshal(httpsfv.NewItem(value)) // bytes can always be written
	return text
}
