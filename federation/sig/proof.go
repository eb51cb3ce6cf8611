package sig

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gowebpki/jcs"
)

// Bounds of a document whose proof is looked at. Canonicalising compares each
// member of an object with the others, so that their number is bounded.
const (
	maxProven  = 1 << 20
	maxMembers = 500
	maxDepth   = 60
	maxProofs  = 8
)

const (
	proofType   = "DataIntegrityProof"
	proofSuite  = "eddsa-jcs-2022"
	proofTerms  = "https://w3id.org/security/data-integrity/v1"
	proofReason = "assertionMethod"
)

// Proof is what a document says of who vouches for it, before that is proved.
type Proof struct {
	// Method is the IRI of the key that made it.
	Method  string
	Created time.Time // zero if it does not say
	Expires time.Time

	value []byte
	hash  []byte // of its own terms, and of the document
}

// proofTermsOf are the members of a proof that are looked at.
type proofTermsOf struct {
	Type     string          `json:"type"`
	Suite    string          `json:"cryptosuite"`
	Method   string          `json:"verificationMethod"`
	Purpose  string          `json:"proofPurpose"`
	Created  string          `json:"created"`
	Expires  string          `json:"expires"`
	Value    string          `json:"proofValue"`
	Contexts json.RawMessage `json:"@context"`
}

// ReadProof reads the proof that a document carries, without verifying it: the
// first of a kind that is known. The document is taken byte by byte as it
// arrived, and refused if one of its members stands there twice.
//
// FEP-8b32; https://www.w3.org/TR/vc-di-eddsa/#eddsa-jcs-2022.
func ReadProof(document []byte) (Proof, error) { return ReadProofUpTo(document, maxProven) }

// ReadProofUpTo is ReadProof for a document of up to so many bytes.
func ReadProofUpTo(document []byte, most int) (Proof, error) {
	if err := plain(document, most); err != nil {
		return Proof{}, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		return Proof{}, fmt.Errorf("%w: %v", ErrProof, err)
	}
	carried, ok := members["proof"]
	if !ok {
		return Proof{}, fmt.Errorf("%w: the document carries none", ErrProof)
	}
	all := []json.RawMessage{carried}
	if bytes.HasPrefix(bytes.TrimSpace(carried), []byte("[")) {
		if err := json.Unmarshal(carried, &all); err != nil || len(all) > maxProofs {
			return Proof{}, fmt.Errorf("%w: there are too many", ErrProof)
		}
	}
	delete(members, "proof")
	for _, raw := range all {
		var terms proofTermsOf
		if json.Unmarshal(raw, &terms) != nil || terms.Type != proofType || terms.Suite != proofSuite {
			continue
		}
		return terms.read(raw, members)
	}
	return Proof{}, fmt.Errorf("%w: none is a %s", ErrProof, proofSuite)
}

func (t proofTermsOf) read(raw json.RawMessage, members map[string]json.RawMessage) (Proof, error) {
	p := Proof{Method: t.Method}
	if t.Purpose != proofReason {
		return p, fmt.Errorf("%w: it was made for %q, not %s", ErrProof, brief(t.Purpose), proofReason)
	}
	if t.Method == "" {
		return p, fmt.Errorf("%w: it names no verificationMethod", ErrProof)
	}
	for text, into := range map[string]*time.Time{t.Created: &p.Created, t.Expires: &p.Expires} {
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return p, fmt.Errorf("%w: %q is no moment", ErrProof, brief(text))
		}
		*into = at
	}
	if len(t.Value) > 100 || t.Value == "" || t.Value[0] != 'z' {
		return p, fmt.Errorf("%w: proofValue is not in base58btc", ErrProof)
	}
	var ok bool
	if p.value, ok = decodeBase58(t.Value[1:]); !ok || len(p.value) != ed25519.SignatureSize {
		return p, fmt.Errorf("%w: proofValue is no Ed25519 signature", ErrProof)
	}
	if t.Contexts != nil {
		if !startsWith(members["@context"], t.Contexts) {
			return p, fmt.Errorf("%w: it has another @context than the document", ErrProof)
		}
		members["@context"] = t.Contexts
	}
	var terms map[string]json.RawMessage
	if err := json.Unmarshal(raw, &terms); err != nil {
		return p, fmt.Errorf("%w: %v", ErrProof, err)
	}
	delete(terms, "proofValue")
	var err error
	p.hash, err = hashes(terms, members)
	return p, err
}

// startsWith reports whether a document's @context begins with that of a proof.
func startsWith(document, proof json.RawMessage) bool {
	all, some := contexts(document), contexts(proof)
	if len(some) == 0 || len(some) > len(all) {
		return false
	}
	for i := range some {
		one, err := jcs.Transform(some[i])
		other, err2 := jcs.Transform(all[i])
		if err != nil || err2 != nil || !bytes.Equal(one, other) {
			return false
		}
	}
	return true
}

func contexts(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil || len(raw) == 0 {
		return list
	}
	return []json.RawMessage{raw}
}

// hashes is what is signed: the canonical form of the proof's terms and of the
// document, each hashed.
//
// RFC 8785 (JCS).
func hashes(terms, members map[string]json.RawMessage) ([]byte, error) {
	var sum []byte
	for _, part := range []map[string]json.RawMessage{terms, members} {
		text, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrProof, err)
		}
		canonical, err := jcs.Transform(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrProof, err)
		}
		one := sha256.Sum256(canonical)
		sum = append(sum, one[:]...)
	}
	return sum, nil
}

// Verify fails unless the proof was made with a key, and holds now.
func (p Proof) Verify(pub crypto.PublicKey, now time.Time) error {
	key, ok := pub.(ed25519.PublicKey)
	switch {
	case !ok:
		return fmt.Errorf("%w: %s is no Ed25519 key", ErrProof, brief(p.Method))
	case p.Created.Sub(now) > Skew:
		return fmt.Errorf("%w: it was made at %s, which is still to come", ErrProof, p.Created.UTC().Format(time.RFC3339))
	case !p.Expires.IsZero() && now.After(p.Expires):
		return fmt.Errorf("%w: it expired at %s", ErrProof, p.Expires.UTC().Format(time.RFC3339))
	case !ed25519.Verify(key, p.hash, p.value):
		return fmt.Errorf("%w: the key %s did not make it over this document", ErrProof, brief(p.Method))
	}
	return nil
}

// Prove adds a proof to a document of ours, so that others can believe it
// whoever hands it to them. The key is an Ed25519 key.
//
// FEP-8b32.
func Prove(document []byte, key Key, now time.Time) ([]byte, error) {
	private, ok := key.Private.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: proofs are made with Ed25519, not with a %T", ErrKey, key.Private)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProof, err)
	}
	delete(members, "proof")
	context, err := encode(append(contexts(members["@context"]), json.RawMessage(`"`+proofTerms+`"`)))
	if err != nil {
		return nil, err
	}
	members["@context"] = context
	terms := map[string]json.RawMessage{"@context": context}
	for name, value := range map[string]string{"type": proofType, "cryptosuite": proofSuite, "verificationMethod": key.ID,
		"proofPurpose": proofReason, "created": now.UTC().Format(time.RFC3339)} {
		if terms[name], err = encode(value); err != nil {
			return nil, err
		}
	}
	sum, err := hashes(terms, members)
	if err != nil {
		return nil, err
	}
	terms["proofValue"] = json.RawMessage(`"z` + encodeBase58(ed25519.Sign(private, sum)) + `"`)
	if members["proof"], err = encode(terms); err != nil {
		return nil, err
	}
	return encode(members)
}

// encode writes JSON with <, > and & as they are.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProof, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// plain refuses what is no JSON object, or one that costs much to canonicalise,
// or in which a member stands twice.
//
// RFC 7493 (I-JSON), section 2.3.
func plain(document []byte, most int) error {
	if len(document) > most || !json.Valid(document) {
		return fmt.Errorf("%w: the document is too long, or no JSON", ErrProof)
	}
	type level struct {
		object, value bool // value: a name has been read
		names         map[string]bool
	}
	var levels []level
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil { // the end: it is valid
			return nil
		}
		if delim, ok := token.(json.Delim); ok && (delim == ']' || delim == '}') {
			levels = levels[:len(levels)-1]
			continue
		}
		if n := len(levels); n > 0 && levels[n-1].object {
			top := &levels[n-1]
			if !top.value {
				name, _ := token.(string)
				if top.names[name] || len(top.names) >= maxMembers {
					return fmt.Errorf("%w: %q stands there twice, or there are too many members", ErrProof, brief(name))
				}
				top.names[name], top.value = true, true
				continue
			}
			top.value = false
		}
		if delim, ok := token.(json.Delim); ok {
			if len(levels) >= maxDepth {
				return fmt.Errorf("%w: the document is nested too deeply", ErrProof)
			}
			levels = append(levels, level{object: delim == '{', names: map[string]bool{}})
		} else if len(levels) == 0 {
			return fmt.Errorf("%w: the document is no object", ErrProof)
		}
	}
}
