package as2

import (
	"encoding/json"
	"testing"
	"time"
)

// The inbox trusts what ReadEnvelope says of a document, and the worker acts on
// what Decode says: the two must never say different things.
func FuzzEnvelope(f *testing.F) {
	addDocuments(f)
	f.Add([]byte(`{"id":"https://a/1","type":["X","Create"],"actor":[{"id":"https://a/u"},"https://b/u"],"object":[{"id":"https://a/2","type":"Note"},"https://b/3"]}`))
	f.Add([]byte(`{"@id":"https://a/1","as:type":"Delete","https://www.w3.org/ns/activitystreams#actor":"https://a/u","\u006fbject":{"@id":"https://a/u"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ReadEnvelope(body)
		a, aErr := Decode(body)
		if aErr == nil && err != nil {
			t.Fatalf("%s is read, and its envelope is not: %v", body, err)
		}
		if err != nil {
			return
		}
		if aErr == nil && (e.ID != a.ID || e.Type != a.Type || e.Actor != a.Actor) {
			t.Errorf("%s: the envelope says %+v, the letter %s %s %s", body, e, a.ID, a.Type, a.Actor)
		}
		if aErr == nil && e.ObjectID != a.ObjectID && e.ObjectID != "" {
			t.Errorf("%s: the envelope is about %q, the letter about %q", body, e.ObjectID, a.ObjectID)
		}
		if !json.Valid(body) || len(body) > MaxBytes {
			t.Errorf("%q is no JSON", body)
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"PT1H30M", "P1DT2.5S", "90", "-PT5M", "P", "PT", "P1Y", "PT1e9H", "1e309", "NaN", "P99999999999999999999D"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := duration(s); d < 0 || d > 10*365*24*time.Hour {
			t.Errorf("%q lasts %s", s, d)
		}
	})
}
