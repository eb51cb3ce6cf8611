package community

import (
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

func BenchmarkReceive(b *testing.B) {
	w := &world{t: b, db: storetest.Open(b)}
	amira, bo := w.local("amira", Member), w.remote("bo", "elm.test")
	w.follows(amira, bo)
	notes := make([]RemotePost, b.N)
	for i := range notes {
		notes[i] = w.note(bo)
	}
	b.ReportAllocs()
	b.ResetTimer()
	const batch = 50
	for i := 0; i < b.N; i += batch {
		w.write(func(tx *store.Tx) error {
			for _, n := range notes[i:min(b.N, i+batch)] {
				if _, _, err := Receive(tx, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
