package federation_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/testnet"
)

// Who says something, and whose it is.
//
// W3C ActivityPub, section B.1; FEP-fe34 (origins).
func TestHostileIdentities(t *testing.T) { hold(t, identityAttacks()) }

// What is ours, claimed from outside.
func TestHostileClaimsOnOurs(t *testing.T) { hold(t, localAttacks()) }

func otherKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicPEM(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// actor is an actor of x as change leaves it, served at its address.
func (s *scene) actor(name string, change func(actor doc)) string {
	id := s.x.Actor(name)
	a := doc{"@context": []string{activityStreams, "https://w3id.org/security/v1"}, "id": id, "type": "Person", "preferredUsername": name, "name": name,
		"inbox": id + "/inbox", "outbox": id + "/outbox", "followers": id + "/followers", "endpoints": doc{"sharedInbox": s.x.URL("/inbox")},
		"publicKey": doc{"id": id + "#main-key", "owner": id, "publicKeyPem": publicPEM(s.t, s.x.Key)}}
	change(a)
	s.x.Serve("/users/"+name, a)
	return id
}

// by is a Create of a public note by one of x's actors.
func (s *scene) by(name string) doc { return s.x.Note(name, "By "+name) }

func identityAttacks() []attack {
	return []attack{
		{name: "activity of another server's actor, signed by mallory", try: func(s *scene) {
			s.send(s.note(func(a, n doc) { a["actor"], n["attributedTo"] = s.y.Actor("pat"), s.y.Actor("pat") }), testnet.Signing{Actor: s.mallory()})
		}},
		{name: "activity of a neighbour, signed by mallory", try: func(s *scene) {
			s.send(s.note(func(a, n doc) { a["actor"], n["attributedTo"] = s.x.Actor("eve"), s.x.Actor("eve") }), testnet.Signing{Actor: s.mallory()})
		}},
		{name: "pat's key named, mallory's key used", try: func(s *scene) {
			s.send(s.note(func(a, n doc) { a["actor"], n["attributedTo"] = s.y.Actor("pat"), s.y.Actor("pat") }),
				testnet.Signing{Actor: s.y.Actor("pat"), Key: s.x.Key})
		}},
		{name: "no signature", try: func(s *scene) { s.send(s.by("mallory"), testnet.Signing{Unsigned: true}) }},
		{name: "a key that nobody has", try: func(s *scene) { s.send(s.by("mallory"), testnet.Signing{Key: otherKey(s.t)}) }},
		{name: "keyId of another server in mallory's activity", try: func(s *scene) {
			s.send(s.by("mallory"), testnet.Signing{KeyID: s.y.Actor("pat") + "#main-key", Key: s.y.Key})
		}},
		{name: "keyId of our own instance actor", try: func(s *scene) {
			s.send(s.by("mallory"), testnet.Signing{KeyID: "https://oak.test/actor#main-key"})
		}},
		{name: "keyId of one of our people", try: func(s *scene) {
			s.send(s.by("mallory"), testnet.Signing{KeyID: s.iri(s.amira) + "#main-key"})
		}},
		{name: "keyId that is no address", try: func(s *scene) {
			for _, id := range []string{"mallory", "acct:mallory@x.test", "did:key:z6Mkf", " ", "//x.test/users/mallory#main-key", "https://", "data:text/plain,x"} {
				s.send(s.by("mallory"), testnet.Signing{KeyID: id})
			}
		}},
		{name: "keyId of bytes that are no text", try: func(s *scene) {
			for _, id := range []string{"https://x.test/users/\xff\xfe", "https://x.test/users/\xc0\x80mallory#main-key"} {
				sign := testnet.Signing{Unsigned: true, Header: http.Header{"Signature": {`keyId="` + id + `",algorithm="rsa-sha256",headers="(request-target) host date digest",signature="AAAA"`},
					"Date": {time.Now().UTC().Format(http.TimeFormat)}, "Digest": {"SHA-256=AAAA"}}}
				s.raw(written(s.by("mallory")), sign)
			}
		}},
		{name: "request signed for another server", try: func(s *scene) {
			s.send(s.by("mallory"), testnet.Signing{Host: "elm.test"})
			s.send(s.by("mallory"), testnet.Signing{Host: "elm.test", Header: http.Header{"Host": {"elm.test"}}})
		}},
		{name: "the signature covers too little", try: func(s *scene) {
			for _, headers := range [][]string{{"date"}, {"(request-target)", "host", "date"}, {"(request-target)", "date", "digest"}, {"host", "date", "digest"}} {
				s.send(s.by("mallory"), testnet.Signing{Headers: headers})
			}
		}},
		{name: "the body was changed under way", try: func(s *scene) {
			s.send(s.by("mallory"), testnet.Signing{Body: []byte(written(s.by("mallory")))})
		}},
		{name: "an actor whose document says another id", try: func(s *scene) {
			s.actor("twin", func(a doc) { a["id"] = s.y.Actor("pat") })
			s.send(s.by("twin"))
		}},
		{name: "an actor whose document says it is a neighbour", try: func(s *scene) {
			s.actor("shadow", func(a doc) { a["id"] = s.x.Actor("eve") })
			s.send(s.by("shadow"))
		}},
		{name: "an actor whose key is of another server", try: func(s *scene) {
			s.actor("borrower", func(a doc) { a["publicKey"].(doc)["id"] = s.y.Actor("pat") + "#main-key" })
			s.send(s.by("borrower"), testnet.Signing{KeyID: s.y.Actor("pat") + "#main-key"})
			s.send(s.by("borrower"))
		}},
		{name: "an actor whose key is the neighbour's by name", try: func(s *scene) {
			key := otherKey(s.t)
			s.actor("cuckoo", func(a doc) {
				a["publicKey"] = doc{"id": s.x.Actor("eve") + "#main-key", "owner": s.x.Actor("cuckoo"), "publicKeyPem": publicPEM(s.t, key)}
			})
			s.send(s.by("cuckoo"), testnet.Signing{KeyID: s.x.Actor("eve") + "#main-key", Key: key})
			if _, err := s.amira.Look("@cuckoo@x.test"); err != nil {
				s.t.Logf("cuckoo is not taken: %v", err)
			}
			s.send(s.by("cuckoo"), testnet.Signing{KeyID: s.x.Actor("eve") + "#main-key", Key: key})
			if s.send(s.x.Note("eve", "Still eve")) != 202 {
				s.t.Error("eve's key is hers no more")
			}
		}, changes: []string{"account_counts +1 ~1", "accounts +1", "posts +1"}}, // cuckoo is kept, without a key; eve's note lands
		{name: "an actor whose key is owned by another", try: func(s *scene) {
			s.actor("lender", func(a doc) { a["publicKey"].(doc)["owner"] = s.x.Actor("eve") })
			s.send(s.by("lender"))
		}},
		{name: "an actor whose inbox is elsewhere", try: func(s *scene) {
			s.actor("redirected", func(a doc) { a["inbox"] = s.y.URL("/inbox") })
			s.send(s.by("redirected"))
			s.actor("redirected2", func(a doc) { a["inbox"] = "https://oak.test/inbox" })
			s.send(s.by("redirected2"))
			s.actor("redirected3", func(a doc) { a["inbox"] = "http://x.test/inbox" })
			s.send(s.by("redirected3"))
		}},
		{name: "an actor whose other addresses are elsewhere", try: func(s *scene) {
			s.actor("sprawl", func(a doc) {
				a["endpoints"] = doc{"sharedInbox": "https://oak.test/inbox"}
				a["followers"], a["outbox"], a["following"], a["featured"] = s.iri(s.amira)+"/followers", s.y.URL("/outbox"), s.y.URL("/f"), s.y.URL("/x")
				a["url"] = "https://oak.test/@amira"
			})
			s.send(s.by("sprawl"))
			for _, column := range []string{"shared_inbox", "followers_uri", "outbox", "following_uri", "featured_uri", "url"} {
				if v := s.one("SELECT " + column + " FROM accounts WHERE username = 'sprawl'"); v != "" {
					s.t.Errorf("%s is %q, on another server", column, v)
				}
			}
		}, changes: []string{"account_counts +1", "account_keys +1", "accounts +1", "posts +1"}},
		{name: "update of another server's actor", try: func(s *scene) {
			s.send(s.deed("Update", doc{"id": s.y.Actor("pat"), "type": "Person", "preferredUsername": "pat", "inbox": s.y.Actor("pat") + "/inbox",
				"outbox": s.y.Actor("pat") + "/outbox", "name": "Owned", "publicKey": doc{"id": s.y.Actor("pat") + "#main-key", "owner": s.y.Actor("pat"), "publicKeyPem": publicPEM(s.t, s.x.Key)}}))
		}},
		{name: "update of a neighbour", try: func(s *scene) {
			s.send(s.deed("Update", doc{"id": s.x.Actor("eve"), "type": "Person", "preferredUsername": "eve", "inbox": s.x.Actor("eve") + "/inbox",
				"outbox": s.x.Actor("eve") + "/outbox", "name": "Owned"}))
		}},
		{name: "update of oneself into the neighbour's name", try: func(s *scene) {
			s.actor("impostor", func(doc) {})
			s.send(s.by("impostor"))
			s.net.Settle()
			s.send(doc{"@context": activityStreams, "id": s.x.URL("/updates/impostor"), "type": "Update", "actor": s.x.Actor("impostor"),
				"object": doc{"id": s.x.Actor("impostor"), "type": "Person", "preferredUsername": "EVE", "inbox": s.x.Actor("impostor") + "/inbox", "outbox": s.x.Actor("impostor") + "/outbox",
					"publicKey": doc{"id": s.x.Actor("impostor") + "#main-key", "owner": s.x.Actor("impostor"), "publicKeyPem": publicPEM(s.t, s.x.Key)}}})
			s.net.Settle()
			if v := s.one("SELECT username FROM accounts WHERE uri = ?", s.x.Actor("eve")); v != "eve" {
				s.t.Errorf("eve is called %q now", v)
			}
		}, changes: []string{"account_counts +1", "account_keys +1", "accounts +1", "posts +1"}},
		{name: "deletion of another server's actor", try: func(s *scene) { s.send(s.deed("Delete", s.y.Actor("pat"))) }},
		{name: "deletion of a neighbour", try: func(s *scene) { s.send(s.deed("Delete", s.x.Actor("eve"))) }, changes: []string{"tombstones +1"}}, // of mallory's notes, of which it is none
		{name: "deletion of a neighbour by its object", try: func(s *scene) {
			s.send(s.deed("Delete", doc{"id": s.x.Actor("eve"), "type": "Person"}))
			s.send(s.deed("Delete", doc{"id": s.x.Actor("eve"), "type": "Tombstone", "formerType": "Person"}))
		}},
		{name: "note of another server's author", try: func(s *scene) {
			s.send(s.note(func(_, n doc) { n["attributedTo"] = s.y.Actor("pat") }))
		}},
		{name: "note of several authors, another's first", try: func(s *scene) {
			s.send(s.note(func(_, n doc) { n["attributedTo"] = []string{s.y.Actor("pat"), s.mallory()} }))
		}},
		{name: "note with mallory as actor and pat as author", try: func(s *scene) {
			s.send(s.note(func(_, n doc) { n["actor"], n["attributedTo"] = s.y.Actor("pat"), s.mallory() }))
		}},
		{name: "note with an address of another server", try: func(s *scene) {
			s.send(s.note(func(_, n doc) { n["id"] = s.y.URL("/notes/forged") }))
		}},
		{name: "note with the address of pat's", try: func(s *scene) { s.send(s.note(func(_, n doc) { n["id"] = s.victim["id"] })) }},
		{name: "note with the address of a neighbour's", try: func(s *scene) { s.send(s.note(func(_, n doc) { n["id"] = s.neighbour["id"] })) }},
		{name: "note with the address of mallory's own, other words", try: func(s *scene) {
			s.send(s.note(func(_, n doc) { n["id"] = s.own["id"] }))
		}},
		{name: "update of pat's note", try: func(s *scene) {
			s.send(s.note(func(a, n doc) {
				a["type"], n["id"], n["attributedTo"], n["updated"] = "Update", s.victim["id"], s.y.Actor("pat"), time.Now().Format(time.RFC3339)
			}))
			s.send(s.note(func(a, n doc) {
				a["type"], n["id"], n["updated"] = "Update", s.victim["id"], time.Now().Format(time.RFC3339)
			}))
		}},
		{name: "update of a neighbour's note", try: func(s *scene) {
			s.send(s.note(func(a, n doc) {
				a["type"], n["id"], n["updated"] = "Update", s.neighbour["id"], time.Now().Format(time.RFC3339)
			}))
		}},
		{name: "update that gives mallory's note to a neighbour", try: func(s *scene) {
			s.send(s.note(func(a, n doc) { a["type"], n["id"], n["attributedTo"] = "Update", s.own["id"], s.x.Actor("eve") }))
		}},
		{name: "deletion of pat's note", try: func(s *scene) {
			s.send(s.deed("Delete", s.victim["id"]))
			s.send(s.deed("Delete", doc{"id": s.victim["id"], "type": "Tombstone"}))
		}},
		{name: "deletion of a neighbour's note", try: func(s *scene) { s.send(s.deed("Delete", s.neighbour["id"])) }},
		{name: "deletion of a note that a neighbour has yet to write", try: func(s *scene) {
			later := s.x.Note("eve", "Not deleted by mallory")
			s.send(s.deed("Delete", later["object"].(doc)["id"]))
			s.net.Settle()
			s.send(later)
		}, changes: []string{"account_counts ~1", "posts +1", "tombstones +1"}},
		{name: "several things deleted at once", try: func(s *scene) {
			s.send(s.deed("Delete", []any{s.victim["id"], s.neighbour["id"], s.posts[community.Public].IRI}))
		}},
		{name: "taking back what others did", try: func(s *scene) {
			for _, did := range []doc{
				{"id": s.y.URL("/likes/1"), "type": "Like", "actor": s.y.Actor("pat"), "object": s.posts[community.Public].IRI},
				{"id": s.y.URL("/likes/1"), "type": "Like", "object": s.posts[community.Public].IRI},
				{"id": s.y.URL("/boosts/1"), "type": "Announce", "actor": s.y.Actor("pat"), "object": s.posts[community.Public].IRI},
				{"id": s.y.URL("/boosts/1"), "type": "Announce", "object": s.posts[community.Public].IRI},
				{"id": "https://y.test/follows/pat/" + s.iri(s.amira), "type": "Follow", "actor": s.y.Actor("pat"), "object": s.iri(s.amira)},
				{"type": "Follow", "actor": s.y.Actor("pat"), "object": s.iri(s.amira)},
			} {
				s.send(s.deed("Undo", did))
				s.send(s.deed("Undo", did["id"]))
			}
		}},
		{name: "like in another's name", try: func(s *scene) {
			s.send(s.deed("Like", s.posts[community.Public].IRI, doc{"actor": []string{s.mallory(), s.y.Actor("pat")}, "attributedTo": s.y.Actor("pat")}), testnet.Signing{Actor: s.mallory()})
		}, changes: []string{"likes +1", "notifications +1", "posts ~1"}}, // mallory's own like
		{name: "announce of pat's words, embedded and changed", try: func(s *scene) {
			changed := doc{"id": s.victim["id"], "type": "Note", "attributedTo": s.y.Actor("pat"), "content": "Forged", "to": public}
			s.y.Serve("/notes/1", s.victim)
			s.send(s.deed("Announce", changed))
		}, changes: []string{"posts +1 ~1"}}, // a boost of what pat said
		{name: "announce of an activity that pat never made", try: func(s *scene) {
			for _, kind := range []string{"Create", "Update"} {
				s.send(s.deed("Announce", doc{"id": s.y.URL("/a/forged" + kind), "type": kind, "actor": s.y.Actor("pat"),
					"object": doc{"id": s.y.URL("/notes/forged"), "type": "Note", "attributedTo": s.y.Actor("pat"), "content": "Forged", "to": public}}))
			}
			for _, kind := range []string{"Delete", "Undo", "Like", "Follow", "Move", "Block"} {
				s.send(s.deed("Announce", doc{"id": s.y.URL("/a/forged" + kind), "type": kind, "actor": s.y.Actor("pat"), "object": s.victim["id"]}))
			}
		}},
		{name: "forwarded activities of pat, signed by mallory", try: func(s *scene) {
			forwarded := s.y.Note("pat", "Never said")
			s.send(forwarded, testnet.Signing{Actor: s.mallory()})
			s.send(doc{"@context": activityStreams, "id": s.y.URL("/d/1"), "type": "Delete", "actor": s.y.Actor("pat"), "object": s.victim["id"]}, testnet.Signing{Actor: s.mallory()})
		}},
		{name: "forwarded activity with a proof of the wrong key", try: func(s *scene) {
			forwarded := s.y.Note("pat", "Never said")
			forwarded["proof"] = doc{"type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022", "verificationMethod": s.mallory() + "#ed25519-key",
				"proofPurpose": "assertionMethod", "created": time.Now().UTC().Format(time.RFC3339), "proofValue": "z3sXaxjKs4M3BRicwWA9peyNPJvJqxtGsDmpt1jjoHCjgeUf71TRFz56osPSfDErszyLp5Ks1EhYSgpDaNM977Rg2"}
			s.send(forwarded, testnet.Signing{Actor: s.mallory()})
			forwarded["signature"] = doc{"type": "RsaSignature2017", "creator": s.y.Actor("pat") + "#main-key", "created": "2026-01-01T00:00:00Z", "signatureValue": "AAAA"}
			s.send(forwarded, testnet.Signing{Actor: s.mallory()})
		}},
		{name: "move to a target that does not name mallory", try: func(s *scene) {
			s.send(s.deed("Move", s.mallory(), doc{"target": s.y.Actor("pat")}))
		}},
		{name: "move of pat", try: func(s *scene) {
			s.send(s.deed("Move", s.y.Actor("pat"), doc{"target": s.mallory()}))
			s.send(doc{"@context": activityStreams, "id": s.y.URL("/m/1"), "type": "Move", "actor": s.y.Actor("pat"), "object": s.y.Actor("pat"), "target": s.mallory()},
				testnet.Signing{Actor: s.mallory()})
		}},
		{name: "move of pat to mallory who claims to be pat", try: func(s *scene) {
			s.actor("mallory", func(a doc) { a["alsoKnownAs"] = []string{s.y.Actor("pat")} })
			s.send(s.deed("Move", s.y.Actor("pat"), doc{"target": s.mallory()}))
		}},
		{name: "followers' lists of others, and elsewhere", try: func(s *scene) { // FEP-8fcf
			mine, theirs := s.mallory()+"/followers", s.y.Actor("pat")+"/followers"
			digest := strings.Repeat("ab", 32)
			for _, header := range []string{
				`collectionId="` + theirs + `", url="` + theirs + `?sync", digest="` + digest + `"`, `collectionId="` + mine + `", url="https://z.test/s", digest="` + digest + `"`,
				`collectionId="` + mine + `", url="https://oak.test/actor", digest="` + digest + `"`, `collectionId="` + mine + `", url="https://127.0.0.1/", digest="` + digest + `"`,
				`collectionId="` + s.iri(s.amira) + `/followers", url="` + s.x.URL("/s") + `", digest="` + digest + `"`, `collectionId="` + theirs + `", collectionId="` + mine + `", url="` + theirs + `", url="` + s.x.URL("/s") + `", digest="` + digest + `"`,
				`collectionId=,url=,digest=`, strings.Repeat("a=b,", 2000), "\xff",
			} {
				s.send(s.deed("Undo", doc{"type": "Like", "actor": s.mallory(), "object": s.posts[community.Public].IRI}), testnet.Signing{Header: http.Header{"Collection-Synchronization": {header}}})
			}
			s.net.Settle()
			if n := s.z.Asked(); n > 0 {
				s.t.Errorf("a stranger was asked %d times", n)
			}
			if n := s.one("SELECT COUNT(*) FROM follows WHERE follower_id = ?", s.dee.Account.ID); n != "1" {
				s.t.Errorf("dee follows %s people", n)
			}
		}, changes: []string{"likes -1", "notifications -1", "posts ~1"}}, // what mallory took back

		{name: "a stranger who is not admitted", try: func(s *scene) {
			for _, a := range []doc{s.z.Note("zed", "Hello"), s.z.Follows("zed", s.iri(s.amira)),
				{"@context": activityStreams, "id": s.z.URL("/d/1"), "type": "Delete", "actor": s.z.Actor("zed"), "object": s.z.Actor("zed")},
				{"@context": activityStreams, "id": s.z.URL("/d/2"), "type": "Delete", "actor": s.z.Actor("zed"), "object": s.victim["id"]}} {
				status, body := s.z.Send(s.oak, a)
				if s.answered(status, body) == 202 && a["type"] != "Delete" {
					s.t.Errorf("took a %s of a stranger", a["type"])
				}
			}
			if n := s.z.Fetched("/users/zed"); n > 0 {
				s.t.Errorf("a stranger made us ask %d times", n)
			}
		}},
		{name: "a stranger who names an admitted server's key", try: func(s *scene) {
			for range 20 {
				status, body := s.z.Send(s.oak, s.z.Note("zed", "Hello"), testnet.Signing{KeyID: s.x.Actor("nobody") + "#main-key"})
				s.answered(status, body)
			}
			if n := s.x.Fetched("/users/nobody"); n > 2 {
				s.t.Errorf("x is asked %d times for a key", n)
			}
		}, changes: []string{anything}}, // that key's owner may be known then
	}
}

func localAttacks() []attack {
	return []attack{
		{name: "note with an address of ours", try: func(s *scene) {
			for _, id := range []string{s.posts[community.Public].IRI, s.posts[community.School].IRI, "https://oak.test/o/999", "https://oak.test/", s.iri(s.amira)} {
				s.send(s.note(func(_, n doc) { n["id"] = id }))
			}
		}},
		{name: "note by one of our people", try: func(s *scene) {
			s.send(s.note(func(_, n doc) { n["attributedTo"] = s.iri(s.amira) }))
			s.send(s.note(func(a, n doc) { a["actor"], n["attributedTo"] = s.iri(s.amira), s.iri(s.amira) }), testnet.Signing{Actor: s.mallory()})
			s.send(s.note(func(a, n doc) {
				a["id"], a["actor"], n["attributedTo"], n["id"] = "https://oak.test/a/1", s.iri(s.amira), s.iri(s.amira), "https://oak.test/o/5"
			}), testnet.Signing{Actor: s.iri(s.amira)})
		}},
		{name: "activity with an id of ours", try: func(s *scene) {
			s.send(s.note(func(a, _ doc) { a["id"] = "https://oak.test/a/77" }))
			s.send(s.deed("Like", s.posts[community.Public].IRI, doc{"id": s.posts[community.Public].IRI}))
		}},
		{name: "update of our post", try: func(s *scene) {
			s.send(s.note(func(a, n doc) { a["type"], n["id"] = "Update", s.posts[community.Public].IRI }))
			s.send(s.note(func(a, n doc) {
				a["type"], n["id"], n["attributedTo"] = "Update", s.posts[community.Public].IRI, s.iri(s.amira)
			}))
		}},
		{name: "deletion of our post", try: func(s *scene) {
			s.send(s.deed("Delete", s.posts[community.Public].IRI))
			s.send(s.deed("Delete", doc{"id": s.posts[community.Public].IRI, "type": "Tombstone"}))
		}},
		{name: "deletion of one of our people", try: func(s *scene) { s.send(s.deed("Delete", s.iri(s.amira))) }},
		{name: "update of one of our people", try: func(s *scene) {
			s.send(s.deed("Update", doc{"id": s.iri(s.amira), "type": "Person", "preferredUsername": "amira", "inbox": s.mallory() + "/inbox", "outbox": s.mallory() + "/outbox", "name": "Owned"}))
			s.send(s.deed("Update", doc{"id": "https://oak.test/actor", "type": "Application", "preferredUsername": "oak.test", "inbox": s.mallory() + "/inbox", "outbox": s.mallory() + "/outbox"}))
		}},
		{name: "an actor that says it is one of ours", try: func(s *scene) {
			s.actor("ours", func(a doc) { a["id"] = s.iri(s.amira) })
			s.send(s.by("ours"))
			s.actor("ours2", func(a doc) { a["id"] = "https://oak.test/u/1234" })
			s.send(s.by("ours2"))
		}},
		{name: "acceptance of follows that nobody asked for", try: func(s *scene) {
			for _, object := range []any{"https://oak.test/f/1", doc{"id": "https://oak.test/f/1", "type": "Follow", "actor": s.iri(s.amira), "object": s.mallory()},
				doc{"type": "Follow", "actor": s.iri(s.ben), "object": s.mallory()}, doc{"type": "Follow", "actor": "https://oak.test/actor", "object": s.mallory()}} {
				s.send(s.deed("Accept", object))
			}
		}},
		{name: "rejection of a follow of somebody else", try: func(s *scene) {
			id := s.one("SELECT id FROM follows WHERE follower_id = ?", s.dee.Account.ID)
			for _, object := range []any{"https://oak.test/f/" + id, doc{"id": "https://oak.test/f/" + id, "type": "Follow", "actor": s.iri(s.dee), "object": s.y.Actor("pat")},
				doc{"type": "Follow", "actor": s.iri(s.dee), "object": s.y.Actor("pat")}, doc{"type": "Follow", "actor": s.iri(s.dee)}} {
				s.send(s.deed("Reject", object))
				s.send(s.deed("Undo", doc{"type": "Accept", "actor": s.mallory(), "object": object}))
			}
		}},
		{name: "follows of what is not there or not a person", try: func(s *scene) {
			for _, object := range []any{"https://oak.test/u/1", s.posts[community.Public].IRI, "https://oak.test/", s.y.Actor("pat"), s.mallory(),
				doc{"type": "Person"}, []string{s.y.Actor("pat"), s.iri(s.ben)}, 7, nil} {
				s.send(s.deed("Follow", object))
			}
		}},
		{name: "a follow in another's name", try: func(s *scene) {
			s.send(doc{"@context": activityStreams, "id": s.y.URL("/f/9"), "type": "Follow", "actor": s.y.Actor("quin"), "object": s.iri(s.amira)}, testnet.Signing{Actor: s.mallory()})
		}},
		{name: "replies under posts that mallory may not see", try: func(s *scene) {
			for _, a := range []community.Audience{community.Followers, community.School, community.Network, community.Me} {
				s.send(s.note(func(_, n doc) { n["inReplyTo"] = s.posts[a].IRI }))
			}
			s.net.Settle()
			if n := s.one("SELECT COUNT(*) FROM posts WHERE in_reply_to_id IS NOT NULL"); n != "0" {
				s.t.Errorf("%s hang under posts that were never given", n)
			}
		}, changes: []string{"account_counts ~1", "posts +4"}}, // kept, with nothing above them
		{name: "likes of posts that mallory may not see", try: func(s *scene) {
			for _, a := range []community.Audience{community.Followers, community.School, community.Network, community.Me} {
				for _, kind := range []string{"Like", "EmojiReact", "Dislike", "View"} {
					s.send(s.deed(kind, s.posts[a].IRI, doc{"content": "👍"}))
				}
			}
		}},
		{name: "boosts and quotes of posts that mallory may not see", try: func(s *scene) {
			for _, a := range []community.Audience{community.Followers, community.School, community.Network, community.Me} {
				s.send(s.deed("Announce", s.posts[a].IRI))
			}
		}},
		{name: "asking for posts that mallory may not see", try: func(s *scene) {
			for _, a := range []community.Audience{community.Followers, community.School, community.Network, community.Me} {
				for _, sign := range []testnet.Signing{{Actor: s.mallory()}, {}, {Unsigned: true}, {Actor: s.iri(s.amira)}, {Actor: s.y.Actor("pat")}} {
					for _, path := range []string{"", "/replies", "/likes", "/shares"} {
						if status, body := s.x.Get(s.posts[a].IRI+path, sign); status == 200 {
							s.t.Errorf("%s%s is given to a stranger (%+v): %.200s", a, path, sign, body)
						} else {
							s.answered(status, body)
						}
					}
				}
			}
		}},
		{name: "blocks and rejections of people who are not concerned", try: func(s *scene) {
			for range 5 {
				s.send(s.deed("Reject", doc{"type": "Follow", "actor": s.iri(s.ben), "object": s.mallory()}))
				s.send(s.deed("Block", s.y.Actor("pat")))
				s.send(s.deed("Block", "https://oak.test/actor"))
				s.send(s.deed("Undo", doc{"type": "Block", "actor": s.mallory(), "object": s.iri(s.ben)}))
			}
		}},
		{name: "blocking the same person again and again", try: func(s *scene) {
			for range 20 {
				s.send(s.deed("Block", s.iri(s.ben)))
			}
		}, changes: []string{"blocks +1"}},
		{name: "votes that are none", try: func(s *scene) {
			for _, a := range []community.Audience{community.Public, community.School} {
				for i := range 5 {
					s.send(s.note(func(_, n doc) {
						delete(n, "content")
						n["name"], n["inReplyTo"], n["to"] = []string{"Yes", "No", "", "<b>", "Yes"}[i], s.posts[a].IRI, s.iri(s.amira)
					}))
				}
			}
		}},
		{name: "a conversation of ours claimed for a note", try: func(s *scene) {
			s.send(s.note(func(_, n doc) {
				n["context"], n["conversation"] = s.contextOf(s.posts[community.Public]), s.contextOf(s.posts[community.School])
			}))
		}, changes: landed},
		{name: "an answer chosen for one of our questions", try: func(s *scene) {
			s.send(s.note(func(a, n doc) {
				a["type"], n["id"], n["acceptedAnswer"] = "Update", s.posts[community.Public].IRI, s.own["id"]
			}))
			s.send(s.note(func(_, n doc) {
				n["acceptedAnswer"], n["name"], n["kind"] = s.posts[community.School].IRI, "A question", "question"
			}))
		}, changes: landed},
		{name: "reports, offers and other words that are not for everyone", try: func(s *scene) {
			for _, kind := range []string{"Offer", "Join", "Leave", "Add", "Remove", "Invite", "Ignore", "Read", "Travel", "Lock", "Pin", "Resolve", "Warn", "Bite", "Nonsense", "create", "CREATE"} {
				s.send(s.deed(kind, s.posts[community.School].IRI, doc{"target": s.iri(s.amira) + "/featured"}))
				s.send(s.deed(kind, s.iri(s.amira), doc{"target": "https://oak.test/network"}))
			}
		}},
	}
}
