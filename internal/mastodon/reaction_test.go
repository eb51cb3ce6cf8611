package mastodon

import (
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// An app is told with what somebody elsewhere reacted, and where its picture is:
// on this server, whatever theirs says.
func TestReactionsInNotifications(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, far := w.person("amira", community.Member), w.somebodyElsewhere("cy", "elm.example")
		p := w.publish(amira, community.Draft{Audience: community.Public, Source: "Owls"})
		for _, tt := range []struct {
			given community.Given
			want  []string
		}{
			{community.Given{URI: "https://elm.example/1", Emoji: ":owl:", EmojiURL: "https://elm.example/owl.png"},
				[]string{`"emoji":":owl:"`, `/media/emoji/reaction/` + idText(p.ID) + "/" + idText(far.ID) + `/owl"`, `!elm.example/owl.png`}},
			{community.Given{URI: "https://elm.example/2", Emoji: "🎉"}, []string{`"emoji":"🎉"`, "!emoji_url"}},
			{community.Given{URI: "https://elm.example/3"}, []string{`"type":"favourite"`, `!"emoji":`, "!emoji_url"}},
		} {
			w.write(func(tx *store.Tx) error {
				if _, err := community.ReceiveUnlike(tx, far, p); err != nil {
					return err
				}
				_, err := community.ReceiveLike(tx, far, p, tt.given)
				return err
			})
			body := amira.get("/api/v1/notifications").Body.String()
			for _, want := range tt.want {
				unwanted, not := strings.CutPrefix(want, "!")
				if strings.Contains(body, unwanted) == not {
					t.Errorf("%+v: %q in %s", tt.given, want, body)
				}
			}
		}
	})
}
