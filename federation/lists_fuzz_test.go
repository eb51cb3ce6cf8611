package federation

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/peers"
)

// FuzzSignedList: whatever stands at a list's address is read or refused. What
// is read is within its bounds, and nothing but what was signed has the proof of
// its publisher.
func FuzzSignedList(f *testing.F) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := private.Public()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	const document = `{"id":"https://region.test/peering/lists/schools","name":"Schools","publisher":"https://region.test/actor","updated":"2026-03-01T08:00:00Z",
		"entries":[{"host":"elm.test","label":"Elm","tier":"network","match":"exact","note":"a","added":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z"},
		{"host":"fir.test","tier":"listen","emergency":true,"since":"2026-02-01T00:00:00Z","reason":"b"},{"host":"ash.test","deny":true}],"retractions":[{"host":"oak.test","retracted":"2026-02-01T00:00:00Z"}]}`
	signed, err := sig.Prove([]byte(document), sig.Key{ID: "https://region.test/actor#ed25519-key", Private: private}, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte(document))
	f.Add([]byte("#domain\nelm.test\n"))
	f.Add([]byte(`[{"domain":"elm.test","suspended_at":"2026-01-01T00:00:00Z"}]`))
	f.Add([]byte(`[{"id":"https://fires.test/changes/0198c0de-0001-7000-8000-000000000000","type":"Recommendation","entityKind":"domain","entityKey":"elm.test","recommendedPolicy":"drop"}]`))
	f.Add([]byte(`{"entries":[{"host":{}},null,{"host":"a.test","expires":"never"}],"retractions":["x",{}],"proof":[{},{"type":"DataIntegrityProof"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := readList(body)
		if err != nil {
			return
		}
		if len(list.File.Entries) > peers.MaxListEntries || len(list.File.Retractions) > peers.MaxListEntries {
			t.Errorf("%d entries and %d retractions were read", len(list.File.Entries), len(list.File.Retractions))
		}
		proof, err := sig.ReadProofUpTo(body, peers.MaxListBytes)
		if err != nil || proof.Verify(public, now) != nil {
			return
		}
		if list.File.Publisher != "https://region.test/actor" || len(list.File.Entries) != 3 || !list.File.Entries[1].Emergency {
			t.Errorf("a list that its publisher did not sign has their proof: %s", body)
		}
	})
}
