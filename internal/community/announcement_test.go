package community

import (
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func TestIsEmoji(t *testing.T) {
	for s, want := range map[string]bool{"👍": true, "👍🏽": true, "❤️": true, "👩‍🏫": true, "🇳🇿": true, "1️⃣": true, "🏴󠁧󠁢󠁷󠁬󠁳󠁿": true, "‼️": true, "©️": true,
		"": false, "a": false, "yes 👍": false, "1": false, "<b>": false, "\u200d": false, "ā": false, "👍\x00": false, string([]byte{0xff}): false} {
		if got := isEmoji(s); got != want {
			t.Errorf("isEmoji(%q) = %v", s, got)
		}
	}
}

// An announcement that waits is told of once, when its time has come.
func TestAnnouncementsWait(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		head := w.local("head", Owner)
		told := func() int { return w.count("SELECT COUNT(*) FROM announcements WHERE told_at IS NOT NULL") }
		var a Announcement
		w.write(func(tx *store.Tx) (err error) {
			soon := tx.Now.Add(time.Hour)
			a, err = WriteAnnouncement(tx, head, 0, AnnouncementDraft{Source: "The hall is open", PublishAt: &soon})
			return err
		})
		w.write(SweepAnnouncements)
		if told() != 0 {
			t.Error("told before its time")
		}
		w.exec("UPDATE announcements SET published_at = ?", time.Now().UTC().Add(-time.Minute))
		w.write(SweepAnnouncements)
		if told() != 1 {
			t.Error("not told when its time had come")
		}
		w.refuses(fault.Invalid, func(tx *store.Tx) error {
			past := tx.Now.Add(-time.Hour)
			_, err := WriteAnnouncement(tx, head, a.ID, AnnouncementDraft{Source: "x", EndsAt: &past})
			return err
		})
	})
}
