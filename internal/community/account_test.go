package community

import (
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// keys is a pair of no use, so that a test need not wait for a real one.
var keys = KeyPair{Public: "public", Private: "private"}

func newAccount(name string) NewAccount {
	return NewAccount{Username: name, PasswordHash: "x", Keys: keys}
}

func TestCreateLocal(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		var a Account
		w.write(func(tx *store.Tx) (err error) {
			n := newAccount(" Ana-Lu ")
			n.DisplayName, n.Email = "Ana Lu", "Ana@Oak.example"
			a, err = CreateLocal(tx, n)
			return err
		})
		w.read(func(tx *store.Tx) error {
			for _, login := range []string{"ana-lu", "@Ana-Lu", "ana-lu@oak.test", "@ana-lu@oak.test", "ANA@oak.example"} {
				p, err := PersonByLogin(tx, login)
				if err != nil || p.ID != a.ID || p.User.Role != Member || p.User.State != Active || p.User.DefaultAudience != School {
					t.Errorf("%s: %+v, %v", login, p, err)
				}
			}
			keys, err := KeysOf(tx, a.ID)
			rsa, _ := KeyOfKind(keys, RSA)
			id := rsa.KeyID
			if id != tx.Site.KeyID(a.ID) || rsa.PrivateKey != "private" || err != nil {
				t.Errorf("key %s %s %v", id, rsa.PrivateKey, err)
			}
			owner, _, err := KeyByKeyID(tx, id)
			if owner.ID != a.ID || err != nil {
				t.Errorf("the key is %d's, %v", owner.ID, err)
			}
			same, err := AccountByURI(tx, tx.Site.Actor(a.ID))
			if same.ID != a.ID || same.Handle(tx.Site.Host) != "@ana-lu@oak.test" {
				t.Errorf("by URI: %+v, %v", same, err)
			}
			if _, err := AccountByURI(tx, tx.Site.Post(a.ID)); !fault.Is(err, fault.NotFound) {
				t.Errorf("a post's IRI: %v", err)
			}
			return err
		})
		end := time.Now().Add(-time.Hour)
		for name, n := range map[string]NewAccount{
			"short":      newAccount("a"),
			"long":       newAccount(strings.Repeat("a", 31)),
			"letters":    newAccount("añá"),
			"dot":        newAccount("ana.lu"),
			"dash":       newAccount("-ana"),
			"reserved":   newAccount("Admin"),
			"taken":      newAccount("ANA-LU"),
			"no secret":  {Username: "bo", Keys: keys},
			"no end":     {Username: "bo", PasswordHash: "x", Keys: keys, Role: Placement},
			"past end":   {Username: "bo", PasswordHash: "x", Keys: keys, Role: Placement, EndsAt: &end},
			"mail":       {Username: "bo", PasswordHash: "x", Keys: keys, Email: "bo at oak"},
			"mail taken": {Username: "bo", PasswordHash: "x", Keys: keys, Email: "ana@OAK.example"},
			"role":       {Username: "bo", PasswordHash: "x", Keys: keys, Role: "king"},
		} {
			if err := w.db.Write(t.Context(), func(tx *store.Tx) error { _, err := CreateLocal(tx, n); return err }); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestNewKeyPair(t *testing.T) {
	pair, err := NewKeyPair()
	if err != nil || !strings.HasPrefix(pair.Public, "-----BEGIN PUBLIC KEY-----\n") || !strings.HasPrefix(pair.Private, "-----BEGIN PRIVATE KEY-----\n") {
		t.Errorf("%+v, %v", pair, err)
	}
}

func remoteAccount(name, host, uri string) RemoteAccount {
	return RemoteAccount{Account: Account{Username: name, Host: host, URI: &uri, Inbox: uri + "/inbox"}, Keys: []PublicKey{{ID: uri + "#main-key", Algorithm: RSA, PEM: "pem of " + uri}}}
}

func TestUpsertRemote(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		upsert := func(r RemoteAccount) Account {
			t.Helper()
			var a Account
			w.write(func(tx *store.Tx) (err error) {
				a, err = UpsertRemote(tx, r)
				return err
			})
			return a
		}
		r := remoteAccount("Cy", "elm.test", "https://elm.test/u/1")
		cy := upsert(r)
		if w.count("SELECT COUNT(*) FROM hosts WHERE host = 'elm.test'") != 1 {
			t.Error("the host has no row")
		}
		r.DisplayName, r.Keys = "Cy Twombly", []PublicKey{{ID: "https://elm.test/u/1#second", Algorithm: RSA, PEM: "second"}}
		if again := upsert(r); again.ID != cy.ID {
			t.Errorf("updated %d into %d", cy.ID, again.ID)
		}
		w.read(func(tx *store.Tx) error {
			for _, name := range []string{"Cy", "cy", "CY"} {
				if a, err := AccountByHandle(tx, name, "elm.test"); err != nil || a.ID != cy.ID || a.DisplayName != "Cy Twombly" {
					t.Errorf("%s: %+v, %v", name, a, err)
				}
			}
			if _, _, err := KeyByKeyID(tx, "https://elm.test/u/1#main-key"); !fault.Is(err, fault.NotFound) {
				t.Errorf("the first key still counts: %v", err)
			}
			_, key, err := KeyByKeyID(tx, "https://elm.test/u/1#second")
			if key.PublicKey != "second" {
				t.Errorf("key %+v", key)
			}
			return err
		})

		second := upsert(remoteAccount("Cy", "elm.test", "https://elm.test/u/2")) // the name was given to somebody new
		w.read(func(tx *store.Tx) error {
			if a, err := AccountByHandle(tx, "cy", "elm.test"); err != nil || a.ID != second.ID {
				t.Errorf("the name is %d's, %v; want %d's", a.ID, err, second.ID)
			}
			old, err := AccountByURI(tx, "https://elm.test/u/1")
			if old.ID != cy.ID || old.Username == "Cy" {
				t.Errorf("the old account: %+v", old)
			}
			return err
		})
		r.Username = "cy2"
		if a := upsert(r); a.ID != cy.ID || a.Username != "cy2" {
			t.Errorf("renamed: %+v", a)
		}
		for _, bad := range []RemoteAccount{remoteAccount("x", "", "https://elm.test/u/3"), remoteAccount("x", "oak.test", "https://elm.test/u/3"),
			remoteAccount("x", "elm.test", "https://oak.test/u/3")} {
			if err := w.db.Write(t.Context(), func(tx *store.Tx) error { _, err := UpsertRemote(tx, bad); return err }); err == nil {
				t.Errorf("%s at %s was stored", *bad.URI, bad.Host)
			}
		}
	})
}

func TestDeleteRemote(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingNetwork, true)
		amira, cy := w.local("amira", Member), w.remote("cy", "elm.test")
		w.write(func(tx *store.Tx) error { return ReceiveFollow(tx, cy, amira, "https://elm.test/f/1") })
		w.follow(amira, cy)
		w.write(func(tx *store.Tx) error { return ReceiveAccept(tx, cy, "", amira.ID) })
		mine := w.publish(amira, Draft{})
		post := w.receive(w.note(cy))
		reply := w.note(cy)
		reply.InReplyToURI, reply.Parent = w.db.Site().Post(mine.ID), &mine
		w.receive(reply)
		secret := w.note(cy) // not counted, so not to be taken off either
		secret.InReplyToURI, secret.Parent, secret.Audience, secret.Mentions = w.db.Site().Post(mine.ID), &mine, People, []int64{amira.ID}
		w.receive(secret)
		own := w.publish(amira, Draft{Kind: Reply, InReplyToID: mine.ID})
		for range 2 {
			w.write(func(tx *store.Tx) error {
				a, err := AccountByID(tx, cy.ID)
				if err != nil {
					return err
				}
				return DeleteRemote(tx, a)
			})
		}
		w.wantFigures(amira, 0, 0)
		w.wantTold(amira)
		wantIDs(t, "home", w.home(amira), own.ID, mine.ID)
		if p := w.stored(mine.ID); p.RepliesCount != 1 {
			t.Errorf("%d replies counted", p.RepliesCount)
		}
		var left Post
		w.read(func(tx *store.Tx) error { return tx.Where("id = ?", post.ID).Take(&left).Error })
		if left.DeletedAt == nil || left.HTML != "" || left.URI == nil {
			t.Errorf("left of the post: %+v", left)
		}
		w.read(func(tx *store.Tx) error {
			a, err := AccountByID(tx, cy.ID)
			if a.DeletedAt == nil || a.BioHTML != "" {
				t.Errorf("left of the account: %+v", a)
			}
			return err
		})
	})
}

func TestUpdateProfile(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.local("bo", Member)
		me := w.local("amira", Member)
		w.write(func(tx *store.Tx) (err error) {
			me, err = UpdateProfile(tx, me, Profile{DisplayName: " Amira\nK. ", Bio: "I teach with @bo <script>", Locked: true,
				Fields: []Field{{"Page", "https://oak.example/amira"}, {"Room", "<b>12</b>"}, {"", "nothing"}}})
			return err
		})
		w.read(func(tx *store.Tx) error {
			a, err := AccountByID(tx, me.ID)
			if a.DisplayName != "Amira K." || !a.Locked || !strings.Contains(a.BioHTML, "https://oak.test/@bo") || strings.Contains(a.BioHTML, "<script") {
				t.Errorf("%+v", a)
			}
			if len(a.Fields) != 2 || !strings.Contains(a.Fields[0].Value, `rel="me `) || a.Fields[1].Value != "&lt;b&gt;12&lt;/b&gt;" {
				t.Errorf("fields %+v", a.Fields)
			}
			if p := ProfileOf(a); p.Bio != "I teach with @bo <script>" || p.Fields[0].Value != "https://oak.example/amira" || p.Fields[1].Value != "<b>12</b>" {
				t.Errorf("the form: %+v", p)
			}
			return err
		})
		w.wantVerbs(VerbUpdateActor)
		w.refuses(fault.Invalid, func(tx *store.Tx) error {
			_, err := UpdateProfile(tx, me, Profile{DisplayName: strings.Repeat("é", 101)})
			return err
		})
	})
}

func TestSite(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.write(EnsureSite)
		var first Site
		w.read(func(tx *store.Tx) (err error) { first, err = SiteOf(tx); return err })
		w.write(EnsureSite)
		w.write(func(tx *store.Tx) error {
			again, err := UpdateSite(tx, 0, SiteForm{Name: " Oak Primary ", Rules: "Be kind\n\n No pupils' names "})
			if again.PrivateKey == "" || again.PrivateKey != first.PrivateKey || again.Title() != "Oak Primary" || again.Mode != peers.Allowlist {
				t.Errorf("%+v", again)
			}
			if rules := again.RuleList(); len(rules) != 2 || rules[1] != "No pupils' names" {
				t.Errorf("rules %q", rules)
			}
			return err
		})
		w.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := UpdateSite(tx, 0, SiteForm{}); return err })
		w.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := UpdateSite(tx, 0, SiteForm{Name: "x", Kind: "castle"}); return err })
	})
}
