package mastodon

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Where somebody has moved to is told with their account; who has moved cannot write.
func TestMoved(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		w.write(func(tx *store.Tx) error {
			now, err := community.SetAliases(tx, bo.me, []string{tx.Site.Actor(amira.me.ID)})
			if err == nil {
				_, err = community.MoveTo(tx, amira.me, now)
			}
			return err
		})
		var account struct {
			Moved *struct {
				Acct  string         `json:"acct"`
				Moved map[string]any `json:"moved"`
			} `json:"moved"`
		}
		if bo.get("/api/v1/accounts/" + path(amira.me.ID)).into(&account); account.Moved == nil || account.Moved.Acct != "bo" || account.Moved.Moved != nil {
			t.Errorf("moved to %+v", account.Moved)
		}
		if res := amira.form("/api/v1/statuses", url.Values{"status": {"Still here"}, "visibility": {"public"}}); res.Code != http.StatusForbidden {
			t.Errorf("who has moved writes: %d %s", res.Code, res.Body)
		}
	})
}

// What a block ended is told as Mastodon tells it.
func TestSeveredRelationships(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		w.write(func(tx *store.Tx) error {
			if _, err := peers.Allow(tx, 0, "elm.test", peers.Entry{}); err != nil {
				return err
			}
			uri := "https://elm.test/users/cy"
			cy, err := community.UpsertRemote(tx, community.RemoteAccount{Account: community.Account{Username: "cy", Host: "elm.test", URI: &uri, Inbox: uri + "/inbox"}})
			if err != nil {
				return err
			}
			if _, err := community.Follow(tx, amira.me, cy); err != nil {
				return err
			}
			if err := community.ReceiveAccept(tx, cy, "", amira.me.ID); err != nil {
				return err
			}
			_, err = community.BlockHost(tx, 0, "elm.test", peers.Entry{Reason: "a test"})
			return err
		})
		w.write(func(tx *store.Tx) error {
			due, err := community.DueChores(tx, 1)
			if err != nil {
				return err
			}
			told, left, err := community.SeverMore(tx, due[0])
			if len(told) != 1 || left {
				t.Errorf("told %+v", told)
			}
			return err
		})
		var list []struct {
			Type  string    `json:"type"`
			Event Severance `json:"event"`
		}
		amira.get("/api/v1/notifications").into(&list)
		if len(list) != 1 || list[0].Type != "severed_relationships" || list[0].Event.Type != "domain_block" || list[0].Event.TargetName != "elm.test" ||
			list[0].Event.FollowingCount != 1 || list[0].Event.FollowersCount != 0 {
			t.Errorf("%+v", list)
		}
	})
}
