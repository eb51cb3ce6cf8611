package media

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

const (
	ana, bo     = 1, 2
	first, next = 11, 12 // posts of ana
)

// people makes two accounts and two posts of the first.
func people(t *testing.T, db *store.DB) {
	t.Helper()
	do(t, db, func(tx *store.Tx) error {
		for id, name := range map[int]string{ana: "ana", bo: "bo"} {
			if err := tx.Exec("INSERT INTO accounts (id, username, created_at, updated_at) VALUES (?, ?, ?, ?)", id, name, tx.Now, tx.Now).Error; err != nil {
				return err
			}
		}
		for _, id := range []int{first, next} {
			err := tx.Exec("INSERT INTO posts (id, author_id, kind, audience, thread_id, created_at) VALUES (?, ?, 'discussion', 'school', ?, ?)", id, ana, id, tx.Now).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func do(t *testing.T, db *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Write(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, db *store.DB, what, key string, fn func(tx *store.Tx) error) {
	t.Helper()
	err := db.Write(context.Background(), fn)
	if err == nil || fault.Of(err).Key != key {
		t.Errorf("%s: %v, want %s", what, err, key)
	}
}

func upload(t *testing.T, db *store.DB, owner int64, alt string) (a Attachment) {
	t.Helper()
	do(t, db, func(tx *store.Tx) (err error) {
		s := Stored{Name: newName("image/jpeg"), Preview: newName("image/jpeg"), Mime: "image/jpeg", Bytes: 10, Width: 2, Height: 1, Blurhash: "x"}
		a, err = Upload(tx, owner, s, Description{Alt: &alt})
		return err
	})
	return a
}

func ids(list []Attachment) (out []int64) {
	for _, a := range list {
		out = append(out, a.ID)
	}
	return out
}

func ofPost(t *testing.T, db *store.DB, post int64) (list []Attachment) {
	t.Helper()
	do(t, db, func(tx *store.Tx) error {
		of, err := OfPosts(tx, []int64{first, next})
		list = of[post]
		return err
	})
	return list
}

func TestAttach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		people(t, db)
		a, b := upload(t, db, ana, "A chart"), upload(t, db, ana, "A room")
		attach := func(post int64, list ...int64) func(*store.Tx) error {
			return func(tx *store.Tx) error { return Attach(tx, post, list) }
		}
		fails(t, db, "nobody's", "media.taken", attach(first, 99))
		do(t, db, attach(first, b.ID, a.ID))
		if got := ids(ofPost(t, db, first)); !slices.Equal(got, []int64{b.ID, a.ID}) {
			t.Errorf("the post has %v, want %v", got, []int64{b.ID, a.ID})
		}
		fails(t, db, "in another post", "media.taken", attach(next, a.ID))
		do(t, db, attach(first, a.ID)) // an edit takes b out
		if got := ids(ofPost(t, db, first)); !slices.Equal(got, []int64{a.ID}) {
			t.Errorf("after the edit the post has %v", got)
		}
		do(t, db, attach(next, b.ID))
		do(t, db, attach(first))
		if got := ofPost(t, db, first); len(got) != 0 {
			t.Errorf("after an edit to none the post has %v", got)
		}
	})
}

func TestDescribe(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		people(t, db)
		a := upload(t, db, ana, "A chart")
		words, long, none, yes := "  A bar chart\nof minutes ", strings.Repeat("ā", MaxAlt+1), "", true
		half, far := 0.5, 1.5
		describe := func(who int64, d Description) func(*store.Tx) error {
			return func(tx *store.Tx) (err error) { a, err = Describe(tx, who, a.ID, d); return err }
		}
		id := a.ID
		fails(t, db, "not the owner", "media.not_found", describe(bo, Description{Alt: &words}))
		a.ID = id
		fails(t, db, "too long", "media.alt_too_long", describe(ana, Description{Alt: &long}))
		a.ID = id
		fails(t, db, "both", "media.alt_and_decorative", describe(ana, Description{Alt: &words, Decorative: &yes}))
		a.ID = id
		fails(t, db, "focus outside", "media.focus", describe(ana, Description{FocusX: &far}))
		a.ID = id
		do(t, db, describe(ana, Description{Decorative: &yes}))
		if a.Alt != "" || !a.Decorative {
			t.Errorf("decorative is %+v", a)
		}
		do(t, db, describe(ana, Description{Alt: &words, FocusY: &half}))
		do(t, db, func(tx *store.Tx) (err error) { a, err = ByID(tx, id); return err })
		if a.Alt != "A bar chart\nof minutes" || a.Decorative || a.FocusY != 0.5 || a.Name == "" {
			t.Errorf("described is %+v", a)
		}
		do(t, db, func(tx *store.Tx) error { return Attach(tx, first, []int64{id}) })
		fails(t, db, "published and nothing said", "media.undescribed", describe(ana, Description{Alt: &none}))
		do(t, db, func(tx *store.Tx) (err error) { a, err = ByID(tx, id); return err })
		for _, name := range []string{a.Name, a.Preview} {
			do(t, db, func(tx *store.Tx) error {
				got, err := ByName(tx, name)
				if got.ID != id {
					t.Errorf("ByName(%s) = %+v", name, got)
				}
				return err
			})
		}
		fails(t, db, "no such name", "error.not_found", func(tx *store.Tx) error { _, err := ByName(tx, newName("image/png")); return err })
	})
}

func TestUploadsThatNobodyTakes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		people(t, db)
		old, young, used := upload(t, db, ana, "a"), upload(t, db, ana, "b"), upload(t, db, ana, "c")
		do(t, db, func(tx *store.Tx) error {
			if err := Attach(tx, first, []int64{used.ID}); err != nil {
				return err
			}
			err := tx.Exec("UPDATE attachments SET created_at = ? WHERE id IN ?", tx.Now.Add(-25*time.Hour), []int64{old.ID, used.ID}).Error
			if err != nil {
				return err
			}
			if err := tx.Exec("UPDATE accounts SET avatar = ? WHERE id = ?", "face.jpg", bo).Error; err != nil {
				return err
			}
			n, err := SweepLoose(tx)
			if n != 1 {
				t.Errorf("SweepLoose took %d, want the old one", n)
			}
			return err
		})
		do(t, db, func(tx *store.Tx) error {
			known, err := Known(tx, []string{old.Name, young.Name, used.Preview, "face.jpg", "x"})
			want := map[string]bool{young.Name: true, used.Preview: true, "face.jpg": true}
			for _, name := range []string{old.Name, young.Name, used.Preview, "face.jpg", "x"} {
				if known[name] != want[name] {
					t.Errorf("Known: %s is %v", name, known[name])
				}
			}
			return err
		})
		for range maxLoose - 1 {
			upload(t, db, ana, "x")
		}
		fails(t, db, "too many waiting", "media.too_many_waiting", func(tx *store.Tx) error {
			_, err := Upload(tx, ana, Stored{Name: newName("image/jpeg"), Mime: "image/jpeg"}, Description{})
			return err
		})
	})
}

func TestForeign(t *testing.T) {
	taken := Foreign([]Attachment{
		{RemoteURL: "https://elm.test/a.png", Mime: "image/png", Alt: strings.Repeat("ā", 2000), Blurhash: "LEHV6nWB2yk8pyo0adR*.7kCMdnj", Width: -4, FocusX: 9},
		{RemoteURL: "javascript:alert(1)"}, {RemoteURL: "https://elm.test/a.png"},
		{RemoteURL: "https://elm.test/b.png", Blurhash: "LEHV6nWB2yk8pyo0adR*.7kCMdnj!", Alt: "b\x00b"}})
	if len(taken) != 2 {
		t.Fatalf("taken %+v", taken)
	}
	a, b := taken[0], taken[1]
	if len([]rune(a.Alt)) != MaxAlt || a.Blurhash == "" || a.Width != 0 || a.FocusX != 0 || a.Local() {
		t.Errorf("first is %+v", a)
	}
	if b.Blurhash != "" || b.Alt != "bb" {
		t.Errorf("second is %+v", b)
	}
	many := make([]Attachment, 20)
	for i := range many {
		many[i].RemoteURL = "https://elm.test/" + strings.Repeat("x", i+1)
	}
	if got := Foreign(many); len(got) != MaxForeign {
		t.Errorf("%d of 20 were taken", len(got))
	}
}
