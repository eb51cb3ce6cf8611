package federation

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
)

// Whatever arrives, what is read of it as a message about connecting is one
// thing, about this server, with texts in one line and within their bounds.
//
// FEP-c180 is what answers it.
func FuzzReadHandshake(f *testing.F) {
	site := iri.NewSite("elm.test", false)
	const offer = `{"id":"https://oak.test/peering/1","type":"Offer","actor":"https://oak.test/actor","summary":"x","contact":"y","invitation":"z","ceiling":"network","hold":"all",` +
		`"endTime":"2026-12-30T00:00:00Z","object":{"type":"Relationship","subject":"https://oak.test/actor","relationship":"https://w3id.org/chalkring/ns#peer","object":"https://elm.test/actor"}}`
	f.Add([]byte(offer))
	f.Add([]byte(strings.Replace(offer, `"x"`, `"<b>x</b>\n\u202ey\u0000"`, 1)))
	f.Add([]byte(`{"id":"https://oak.test/follows/1","type":"Follow","actor":"https://oak.test/actor","object":"https://elm.test/actor"}`))
	f.Add([]byte(`{"id":"https://oak.test/a","type":"TentativeAccept","actor":"https://oak.test/actor","object":{"id":"https://elm.test/peering/1","type":"Offer"}}`))
	f.Add([]byte(`{"id":"https://oak.test/a","type":"Undo","actor":"https://oak.test/actor","object":{"type":"Accept","object":"https://elm.test/peering/1"}}`))
	f.Add([]byte(`{"id":"https://oak.test/a","type":"Undo","actor":"https://oak.test/actor","object":` + offer + `}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h, ok := readHandshake(site, body)
		if !ok {
			return
		}
		n := 0
		line := func(what, s string, most int) {
			if utf8.RuneCountInString(s) > most || strings.ContainsAny(s, "\n\r\x00\u202e") || !utf8.ValidString(s) {
				t.Errorf("%s: %q", what, s)
			}
		}
		if a := h.ask; a != nil {
			n++
			line("purpose", a.Purpose, peers.MaxPurpose)
			line("contact", a.Contact, peers.MaxContact)
			if a.URI != h.id || a.ActorURI != h.actor || a.Hint != peers.ParseHint(a.Hint.String()) {
				t.Errorf("asks %+v", a)
			}
		}
		if a := h.reply; a != nil {
			n++
			line("reason", a.Why, peers.MaxPurpose)
			if !strings.HasPrefix(a.URI, "https://elm.test/peering/") {
				t.Errorf("answers %q", a.URI)
			}
		}
		if u := h.undo; u != nil {
			n++
			line("reason", u.Why, peers.MaxPurpose)
			if u.URI == "" || u.Accept && !strings.HasPrefix(u.URI, "https://elm.test/peering/") {
				t.Errorf("takes back %+v", u)
			}
		}
		if n != 1 || h.id == "" || h.actor == "" {
			t.Errorf("%d things at once of %q", n, h.actor)
		}
		env, err := as2.ReadEnvelope(body)
		if err != nil || env.ID != h.id || env.Actor != h.actor {
			t.Errorf("the envelope says %+v, %v", env, err)
		}
		if !mayBeHandshake(site, env, &sender{}) {
			t.Errorf("a stranger may not say %q", env.Type)
		}
	})
}
