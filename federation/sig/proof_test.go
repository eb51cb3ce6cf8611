package sig

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

func int64Text(n int64) string { return strconv.FormatInt(n, 10) }

// The document of FEP-8b32's test vectors, and that of the specification of the
// cryptosuite (https://www.w3.org/TR/vc-di-eddsa/#representation-eddsa-jcs-2022).
const (
	fepProof = `{"@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/data-integrity/v1"], "type": "Create",
		"actor": "https://server.example/users/alice", "object": {"type": "Note", "content": "Hello world"},
		"proof": {"type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022", "verificationMethod": "https://server.example/users/alice#ed25519-key",
			"proofPurpose": "assertionMethod", "created": "2023-02-24T23:36:38Z",
			"proofValue": "z3sXaxjKs4M3BRicwWA9peyNPJvJqxtGsDmpt1jjoHCjgeUf71TRFz56osPSfDErszyLp5Ks1EhYSgpDaNM977Rg2"}}`
	w3cProof = `{"@context": ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"],
		"id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33", "type": ["VerifiableCredential", "AlumniCredential"], "name": "Alumni Credential",
		"description": "A minimum viable example of an Alumni Credential.", "issuer": "https://vc.example/issuers/5678", "validFrom": "2023-01-01T00:00:00Z",
		"credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
		"proof": {"type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022", "created": "2023-02-24T23:36:38Z",
			"verificationMethod": "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2#z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2",
			"proofPurpose": "assertionMethod", "@context": ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"],
			"proofValue": "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX"}}`
	proofKey = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
)

func TestProofVectors(t *testing.T) {
	pub, err := ParseMultikey(proofKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{fepProof, w3cProof} {
		p, err := ReadProof([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(pub, time.Now()); err != nil {
			t.Error(err)
		}
	}
}

func TestProof(t *testing.T) {
	pub, err := ParseMultikey(proofKey)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) string {
		if !strings.Contains(fepProof, old) {
			t.Fatalf("there is no %s", old)
		}
		return strings.Replace(fepProof, old, with, 1)
	}
	tests := []struct {
		name, document string
		good           bool
	}{
		{"with other spaces and order", replace(`"type": "Note", "content": "Hello world"`, `"content":"Hello \u0077orld",  "type":"Note"`), true},
		{"the proof in a list, behind one of another kind", strings.Replace(replace(`"proof": {`, `"proof": [{"type":"RsaSignature2017"}, {`), "}}", "}]}", 1), true},
		{"another word", replace("Hello world", "Hello World"), false},
		{"another actor", replace("users/alice\", \"object", "users/eve\", \"object"), false},
		{"a member more", replace(`"type": "Create"`, `"type": "Create", "to": "x"`), false},
		{"a member less", replace(`"type": "Create",`, ``), false},
		{"another key named", replace("alice#ed", "eve#ed"), false},
		{"another moment", replace("38Z", "39Z"), false},
		{"expired", replace(`"created"`, `"expires": "2023-02-25T00:00:00Z", "created"`), false},
		{"for another purpose", replace("assertionMethod", "authentication"), false},
		{"another suite", replace("eddsa-jcs-2022", "eddsa-rdfc-2022"), false},
		{"no method", replace(`"verificationMethod"`, `"method"`), false},
		{"no moment", replace("2023-02-24T23:36:38Z", "yesterday"), false},
		{"another value", replace("z3sXaxjKs4M3BR", "z3sXaxjKs4M3BS"), false},
		{"a value of another length", replace("71TRFz56osPSfDErszyLp5Ks1EhYSgpDaNM977Rg2", ""), false},
		{"a value that is not base58", replace("z3sXaxjK", "z0OIlxjK"), false},
		{"the context of another", replace(`"type": "DataIntegrityProof"`, `"@context": "https://evil.example", "type": "DataIntegrityProof"`), false},
		{"a member twice", replace(`"type": "Create"`, `"type": "Delete", "type": "Create"`), false},
		{"a member twice, deep", replace(`"content": "Hello world"`, `"content": "Evil", "content": "Hello world"`), false},
		{"a member twice, spelled otherwise", replace(`"content": "Hello world"`, `"content": "Evil", "c\u006fntent": "Hello world"`), false},
		{"no proof", `{"type": "Create"}`, false},
		{"no object", `["proof"]`, false},
		{"a text", `"proof"`, false},
		{"no JSON", `{"proof": `, false},
		{"two documents", fepProof + fepProof, false},
		{"a number that is none", replace(`"type": "Create"`, `"type": "Create", "n": 1e999`), false},
		{"deep", strings.Repeat(`{"proof":`, 500) + "1" + strings.Repeat("}", 500), false},
		{"wide", `{"proof":{"x":1` + manyMembers(2000) + `}}`, false},
		{"half a character", replace("Hello world", `Hello \ud800`), false},
	}
	for _, tt := range tests {
		p, err := ReadProof([]byte(tt.document))
		if err == nil {
			err = p.Verify(pub, time.Now())
		}
		if (err == nil) != tt.good || err != nil && !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	p, err := ReadProof([]byte(fepProof))
	if err != nil {
		t.Fatal(err)
	}
	other, _, _ := ed25519.GenerateKey(rand.Reader)
	if p.Verify(other, time.Now()) == nil || p.Verify(rsaKey().Public(), time.Now()) == nil {
		t.Error("it passes with another key")
	}
	if p.Verify(pub, time.Date(2023, 2, 24, 20, 0, 0, 0, time.UTC)) == nil {
		t.Error("it passes before it was made")
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"m` + strconv.Itoa(i) + `":0`)
	}
	return b.String()
}

func TestProve(t *testing.T) {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	key, now := Key{ID: "https://oak.example/u/1#ed25519-key", Private: private}, time.Now()
	for _, context := range []string{`"https://www.w3.org/ns/activitystreams"`, `["https://www.w3.org/ns/activitystreams",{"x":"y:z"}]`} {
		document := `{"@context":` + context + `,"type":"Create","object":{"content":"<p>é & \u2028 x</p>","n":[1,2.50,null,true]}}`
		out, err := Prove([]byte(document), key, now)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ReadProof(out)
		if err != nil || p.Method != key.ID {
			t.Fatalf("%s: %v", out, err)
		}
		if err := p.Verify(public, now); err != nil {
			t.Errorf("%s: %v", out, err)
		}
		var d struct {
			Context []any `json:"@context"`
		}
		if err := json.Unmarshal(out, &d); err != nil || d.Context[len(d.Context)-1] != proofTerms || d.Context[0] != "https://www.w3.org/ns/activitystreams" {
			t.Errorf("the context is %v", d.Context)
		}
		if !strings.Contains(string(out), "<p>é & ") {
			t.Errorf("written as %s", out)
		}
		again, err := Prove([]byte(document), key, now)
		if err != nil || string(again) != string(out) {
			t.Error("the same document is proved otherwise each time")
		}
	}
	if _, err := Prove([]byte(`{}`), Key{ID: "x", Private: rsaKey()}, now); !errors.Is(err, ErrKey) {
		t.Errorf("proves with RSA: %v", err)
	}
}

func BenchmarkProve(b *testing.B) {
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	for b.Loop() {
		if _, err := Prove([]byte(fepProof), Key{ID: keyID, Private: private}, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzReadProof(f *testing.F) {
	f.Add([]byte(fepProof))
	f.Add([]byte(w3cProof))
	f.Add([]byte(`{"@context":[1,{"a":[]}],"proof":[{"type":"DataIntegrityProof","cryptosuite":"eddsa-jcs-2022","proofPurpose":"assertionMethod","verificationMethod":"x","@context":1,"proofValue":"z1"}]}`))
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	f.Fuzz(func(t *testing.T, document []byte) {
		if p, err := ReadProof(document); err == nil && p.Verify(public, time.Now()) == nil {
			t.Error("a key that was just made has signed it")
		}
		if !json.Valid(document) || plain(document, maxProven) != nil {
			return
		}
		proved, err := Prove(document, Key{ID: "https://a.example/u#k", Private: private}, time.Now())
		if err != nil {
			return
		}
		p, err := ReadProof(proved)
		if err != nil {
			if strings.Contains(err.Error(), "too many") || strings.Contains(err.Error(), "deeply") || strings.Contains(err.Error(), "too long") {
				return
			}
			t.Fatalf("%s: %v", proved, err)
		}
		if err := p.Verify(public, time.Now()); err != nil {
			t.Errorf("%s: %v", proved, err)
		}
	})
}
