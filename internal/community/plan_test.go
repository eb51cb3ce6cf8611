package community

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// crowd fills a database with posts: each of the authors, half of whom are
// elsewhere, wrote the same number, of all kinds and audiences.
func (w *world) crowd(authors, posts int) (reader Account) {
	w.t.Helper()
	reader = w.local("reader", Member)
	var people []Account
	for i := range authors {
		a := w.local(fmt.Sprintf("author%d", i), Member)
		if i%2 == 1 {
			a = w.remote(fmt.Sprintf("author%d", i), fmt.Sprintf("school%d.test", i%7))
		}
		w.follows(reader, a)
		people = append(people, a)
	}
	w.write(func(tx *store.Tx) error {
		kinds := []Kind{Note, Practice, Reply, Question, Reply, Note, Reply, Note}
		audiences := []Audience{Public, Network, Followers, People}
		thread := int64(0)
		for i := range posts {
			a := people[i%len(people)]
			p := Post{ID: tx.NewID(), AuthorID: a.ID, AuthorHost: a.Host, Kind: kinds[i%len(kinds)], Audience: audiences[i/3%len(audiences)], HTML: "<p>x</p>", CreatedAt: tx.Now}
			p.ThreadID = p.ID
			if p.Kind == Reply && thread != 0 {
				p.ThreadID, p.InReplyToURI = thread, "https://school1.test/x"
			} else {
				thread = p.ID
			}
			p.Listed = p.lists()
			if _, _, err := insertPosts(tx, []*Post{&p}); err != nil {
				return err
			}
			err := tx.Exec("INSERT INTO home_entries (account_id, post_id) VALUES (?, ?)", reader.ID, p.ID).Error
			if err == nil && i%5 == 0 {
				err = tx.Exec("INSERT INTO post_tags (tag, post_id, name) VALUES ('maths', ?, 'Maths')", p.ID).Error
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return reader
}

// Every list must walk an index from the page's edge: what it costs must not
// grow with the table. So SQLite is asked how it would go about each.
func TestListsAreServedByIndexes(t *testing.T) {
	w := &world{t: t, db: storetest.Open(t)}
	reader := w.crowd(40, 20_000)
	if err := w.db.Optimize(t.Context()); err != nil {
		t.Fatal(err)
	}
	some := w.count("SELECT id FROM posts ORDER BY id LIMIT 1 OFFSET 10000")
	author := w.count("SELECT author_id FROM posts ORDER BY id LIMIT 1 OFFSET 10000")
	l := w.list(reader, ListForm{})
	w.exec("INSERT INTO list_members (list_id, target_id, account_id, id) SELECT ?, target_id, follower_id, id FROM follows", l.ID)
	w.exec("INSERT INTO list_entries (list_id, post_id) SELECT ?, post_id FROM home_entries", l.ID)
	for _, table := range []string{"likes", "bookmarks"} {
		w.exec("INSERT INTO "+table+" (account_id, post_id, id, created_at) SELECT ?, id, id, created_at FROM posts WHERE id % 7 = 0", reader.ID)
	}
	w.filter(reader, FilterForm{}, "zebra")
	for _, analysed := range []bool{false, true} {
		if analysed {
			w.exec("ANALYZE")
		}
		for name, list := range map[string]func(tx *store.Tx, v Viewer, page store.Page) error{
			"home":   func(tx *store.Tx, v Viewer, page store.Page) error { _, err := Home(tx, v, page); return err },
			"school": func(tx *store.Tx, v Viewer, page store.Page) error { _, err := SchoolTimeline(tx, v, page); return err },
			"connected": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := ConnectedTimeline(tx, v, page)
				return err
			},
			"all": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := PublicTimeline(tx, v, Anywhere, page)
				return err
			},
			"practice": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := PracticeTimeline(tx, v, page)
				return err
			},
			"tag": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := TagTimeline(tx, v, "maths", page)
				return err
			},
			"media": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := ChosenTimeline(tx, v, Choice{OnlyMedia: true}, page)
				_, err2 := ChosenTimeline(tx, v, Choice{From: Here, OnlyMedia: true}, page)
				return cmpErr(err, err2)
			},
			"tags": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := TagsTimeline(tx, v, "maths", TagChoice{Any: []string{"science"}, All: []string{"year3"}, None: []string{"sport"}}, page)
				return err
			},
			"list": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := ListTimeline(tx, v, l.ID, page)
				_, err2 := ListMembers(tx, l.ID, page)
				_, err3 := ListsOf(tx, reader.ID)
				_, err4 := ListsWith(tx, reader.ID, int64(author))
				return cmpErr(err, err2, err3, err4)
			},
			"bookmarks": func(tx *store.Tx, v Viewer, page store.Page) error { _, _, err := Bookmarks(tx, v, page); return err },
			"liked":     func(tx *store.Tx, v Viewer, page store.Page) error { _, _, err := Liked(tx, v, page); return err },
			"hashtags": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := FollowedTags(tx, reader.ID, page)
				_, err2 := TiesToTags(tx, reader.ID, []string{"maths"})
				_, err3 := DaysOf(tx, "maths")
				_, err4 := FeaturedBy(tx, reader.ID)
				_, err5 := SuggestedTags(tx, int64(author))
				return cmpErr(err, err2, err3, err4, err5)
			},
			"filters": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := FiltersOf(tx, reader.ID)
				_, err2 := MarkersOf(tx, reader.ID)
				return cmpErr(err, err2)
			},
			"profile": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := ProfileTimeline(tx, v, int64(author), ProfileFilter{WithoutReplies: true, Kind: Note}, page)
				return err
			},
			"outbox": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := OutboxOf(tx, v, int64(author), page)
				_, err2 := CountOutbox(tx, v, int64(author))
				return cmpErr(err, err2)
			},
			"answers": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := AnswersTo(tx, v, Post{ID: int64(some), AuthorID: int64(author)}, page)
				_, err2 := CountAnswers(tx, v, Post{ID: int64(some), AuthorID: int64(author)})
				return cmpErr(err, err2)
			},
			"conversation": func(tx *store.Tx, v Viewer, page store.Page) error {
				_, err := Conversation(tx, v, Post{ID: int64(some), AuthorID: int64(author)}, page)
				_, err2 := CountConversation(tx, v, Post{ID: int64(some), AuthorID: int64(author)})
				return cmpErr(err, err2)
			},
			"thread": func(tx *store.Tx, v Viewer, _ store.Page) error {
				_, err := Thread(tx, v, Post{ID: int64(some), ThreadID: int64(some)})
				return err
			},
		} {
			for _, v := range []Viewer{w.viewer(reader), Guest} {
				for _, page := range []store.Page{{}, {MaxID: int64(some)}, {MinID: int64(some)}} {
					w.read(func(tx *store.Tx) error {
						var s statements
						if err := list(s.listening(tx), v, page); err != nil {
							return err
						}
						for _, sql := range s.sql {
							var steps []struct{ Detail string }
							if err := tx.Raw("EXPLAIN QUERY PLAN " + sql).Scan(&steps).Error; err != nil {
								return err
							}
							for _, step := range steps {
								if name == "practice" && strings.HasPrefix(step.Detail, "SCAN posts") && !strings.Contains(step.Detail, "posts_practice") {
									t.Errorf("practice posts are picked out of all: %s", step.Detail)
								}
								if strings.Contains(step.Detail, "TEMP B-TREE") || step.Detail == "SCAN posts" || strings.HasPrefix(step.Detail, "SCAN posts USING INTEGER") {
									t.Errorf("%s, viewer %d, page %+v, analysed %v: %s\n%s", name, v.ID, page, analysed, step.Detail, sql)
								}
							}
						}
						return nil
					})
				}
			}
		}
	}
}

// A deed must not search a whole table for what hangs on one post.
func TestDeedsAreServedByIndexes(t *testing.T) {
	w := &world{t: t, db: storetest.Open(t)}
	reader := w.crowd(40, 5_000)
	bo := w.remote("bo", "elm.test")
	w.follows(bo, reader)
	pic := w.picture(reader, "A")
	follows := int64(w.count("SELECT target_id FROM follows WHERE follower_id = ? ORDER BY id LIMIT 1", reader.ID))
	for _, analysed := range []bool{false, true} {
		if analysed {
			w.exec("ANALYZE")
		}
		var s statements
		w.write(func(plain *store.Tx) error {
			tx := s.listening(plain)
			p, err := Publish(tx, reader, Draft{Kind: Note, Audience: Public, Source: "@bo@elm.test #maths", FormID: fmt.Sprint(analysed), MediaIDs: []int64{pic.ID}})
			if err != nil {
				return err
			}
			r := w.note(bo)
			r.Kind, r.Parent, r.Mentions = Reply, &p, []int64{reader.ID}
			reply, _, err := Receive(tx, r)
			_, err1 := Like(tx, reader, reply.ID)
			_, err2 := BoostPost(tx, reader, reply.ID)
			_, err3 := Bookmark(tx, reader, reply.ID)
			_, err4 := Edit(tx, reader, p.ID, Draft{Source: "@bo@elm.test #again", MediaIDs: []int64{pic.ID}})
			_, err5 := Load(tx, w.viewer(reader), []Post{p, reply})
			_, err6 := InboxesFor(tx, Outgoing{Verb: VerbUpdate, ActorID: reader.ID, PostID: &p.ID, Audience: Public})
			_, _, err7 := Around(tx, w.viewer(reader), reply)
			err8 := cmpErr(Forward(tx, reply, p, []byte("{}"), nil), ForwardAfter(tx, reply, []byte("{}"), nil, false),
				ReplaceGhosts(tx, []int64{p.ID}, []Ghost{{PostID: p.ID, URI: "https://elm.test/1", Host: "elm.test", Reason: MissingStranger}}))
			_, err14 := InboxesFor(tx, Outgoing{Verb: VerbForward, ActorID: reader.ID, Audience: Public})
			_, err15 := FeaturedTagsOf(tx, reader.ID)
			_, err16 := PinsOf(tx, w.viewer(reader), reader.ID)
			made, err17 := CreateList(tx, reader, ListForm{Title: "x", Replies: RepliesFollowed, Exclusive: true})
			_, err18 := FollowTag(tx, reader, "maths")
			other := Account{ID: follows}
			err19 := cmpErr(AddToList(tx, reader, made.ID, []int64{other.ID}), DeleteList(tx, reader, made.ID), MarkHomeRead(tx, reader.ID, p.ID))
			_, err20 := UnfollowTag(tx, reader, "maths")
			f, err21 := CreateFilter(tx, reader, FilterForm{Title: "x", Action: FilterHide, Contexts: FilterContexts(), Keywords: []KeywordForm{{Keyword: "x"}}})
			_, err22 := FilterOut(tx, reader, f.ID, reply.ID)
			err23 := cmpErr(DeleteFilter(tx, reader, f.ID), unlist(tx, reader.ID, other.ID), homeDrop(tx, reader.ID, other.ID))
			_, err9 := Unlike(tx, reader, reply.ID)
			_, err10 := UnboostPost(tx, reader, reply.ID)
			_, err11 := ReceiveDelete(tx, r.Author, r.URI)
			err12 := tx.Exec("UPDATE attachments SET post_id = NULL WHERE post_id = ?", p.ID).Error
			_, err13 := Sweep(tx)
			return cmpErr(err, err1, err2, err3, err4, err5, err6, err7, err8, err14, err15, err16, err17, err18, err19, err20, err21, err22, err23, err9, err10, err11, err12, err13, Delete(tx, reader, p.ID))
		})
		w.read(func(tx *store.Tx) error {
			for _, sql := range s.sql {
				var steps []struct{ Detail string }
				if err := tx.Raw("EXPLAIN QUERY PLAN " + sql).Scan(&steps).Error; err != nil {
					t.Errorf("%v\n%s", err, sql)
				}
				for _, step := range steps {
					if strings.HasPrefix(step.Detail, "SEARCH n USING INDEX notifications_") && strings.Contains(sql, "n.post_id") && !strings.Contains(step.Detail, "notifications_post") {
						t.Errorf("all that two people told each other is walked: %s\n%s", step.Detail, sql)
					}
					for _, table := range []string{"posts", "follows", "likes", "accounts", "notifications", "home_entries", "post_tags", "post_mentions", "attachments", "deliveries", "outgoing", "ghosts", "pins", "featured_tags",
						"lists", "list_members", "list_entries", "tag_follows", "filters", "filter_keywords", "filter_posts", "markers"} {
						if step.Detail == "SCAN "+table {
							t.Errorf("analysed %v: %s\n%s", analysed, step.Detail, sql)
						}
					}
					if strings.Contains(sql, "'use'") && strings.Contains(step.Detail, "posts_author") {
						t.Errorf("analysed %v: %s\n%s", analysed, step.Detail, sql)
					}
				}
			}
			return nil
		})
	}
}
