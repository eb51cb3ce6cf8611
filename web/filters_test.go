package web

import (
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// The pages obey the same filters as apps: what is hidden is not there, the rest
// folds behind the filter's title, each where the filter counts, for its owner.
func TestPagesObeyFilters(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		ana, reader := c.teacher("ana", community.Member)
		bo, writer := c.teacher("bo", community.Member)
		var zebra, opener community.Post
		c.write(func(tx *store.Tx) (err error) {
			if _, err = community.Follow(tx, ana, bo); err != nil {
				return err
			}
			if zebra, err = community.Publish(tx, bo, community.Draft{Kind: community.Note, Audience: community.School, Source: "A zebra came by", FormID: "1"}); err != nil {
				return err
			}
			if opener, err = community.Publish(tx, ana, community.Draft{Kind: community.Discussion, Title: "Animals", Audience: community.School, Source: "Which?", FormID: "2"}); err != nil {
				return err
			}
			_, err = community.Publish(tx, bo, community.Draft{Kind: community.Reply, Audience: community.School, InReplyToID: opener.ID, Source: "@ana the zebra again", FormID: "3"})
			return err
		})
		filter := func(title string, action community.FilterAction, contexts ...community.FilterContext) {
			t.Helper()
			c.write(func(tx *store.Tx) error {
				_, err := community.CreateFilter(tx, ana, community.FilterForm{Title: title, Action: action, Contexts: contexts, Keywords: []community.KeywordForm{{Keyword: "zebra", WholeWord: true}}})
				return err
			})
		}
		answers(t, "home without filters", reader.get("/home"), 200, "A zebra came by", "!Filtered:")
		filter("Striped", community.FilterWarn, community.FilterHome, community.FilterNotifications)
		answers(t, "home", reader.get("/home"), 200, "Filtered: Striped", "A zebra came by")
		answers(t, "notifications", reader.get("/notifications"), 200, "Filtered: Striped", "!the zebra again")
		answers(t, "the school", reader.get("/school"), 200, "A zebra came by", "!Filtered:")
		filter("Gone", community.FilterHide, community.FilterPublic, community.FilterThread)
		answers(t, "the school, hidden", reader.get("/school"), 200, "!A zebra came by", "Animals")
		answers(t, "the thread", reader.get(postPath(opener.ID)), 200, "!the zebra again", "Your filters hide this reply.")
		answers(t, "the post itself", reader.get(postPath(zebra.ID)), 200, "Filtered: Gone", "A zebra came by")
		answers(t, "the writer's school", writer.get("/school"), 200, "A zebra came by", "!Filtered:")
		answers(t, "the writer's thread", writer.get(postPath(opener.ID)), 200, "the zebra again")
	})
}
