package web

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// tune opens a live stream as the browser's person.
func (b *browser) tune(stream string) *bufio.Scanner {
	t := b.c.t
	t.Helper()
	s := httptest.NewServer(b.c.pages)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(func() { stop(); s.Close() })
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/live?stream="+stream, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("stream %s: %v %v", stream, res, err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && lines.Text() != ": listening" {
	}
	return lines
}

// listen opens a live stream as the browser's person, and returns what reads it
// up to the first event with the words.
func (b *browser) listen(stream string) func(words string) string {
	t := b.c.t
	t.Helper()
	lines := b.tune(stream)
	return func(words string) string {
		t.Helper()
		var heard strings.Builder
		for lines.Scan() {
			heard.WriteString(lines.Text() + "\n")
			if lines.Text() == "" && strings.Contains(heard.String(), words) {
				return heard.String()
			}
		}
		t.Fatalf("stream %s ended (%v) without %q: %s", stream, lines.Err(), words, heard.String())
		return ""
	}
}

func (c *classroom) publish(by community.Account, d community.Draft) (p community.Post) {
	c.t.Helper()
	c.write(func(tx *store.Tx) (err error) {
		p, err = community.Publish(tx, by, d)
		return err
	})
	return p
}

// A stream brings what arrives to those who may see it, and nothing else.
func TestLiveAsksTheRule(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		ana, _ := c.teacher("ana", community.Member)
		bo, reader := c.teacher("bo", community.Member)
		next := reader.listen("school")
		c.publish(ana, community.Draft{Kind: community.Discussion, Audience: community.Me, Title: "Secret", Source: "for nobody"})
		c.publish(ana, community.Draft{Kind: community.Discussion, Audience: community.Followers, Title: "Closed", Source: "for followers"})
		c.publish(bo, community.Draft{Kind: community.Discussion, Audience: community.School, Title: "Open", Source: "for all of us"})
		heard := next("for all of us")
		for _, leak := range []string{"Secret", "Closed", "for nobody", "for followers"} {
			if strings.Contains(heard, leak) {
				t.Errorf("the stream told %q: %s", leak, heard)
			}
		}
	})
}

// Whoever reads a question sees, without reading the page again, which answer
// was chosen.
func TestLiveBringsTheChosenAnswer(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		ana, _ := c.teacher("ana", community.Member)
		bo, reader := c.teacher("bo", community.Member)
		question := c.publish(ana, community.Draft{Kind: community.Question, Audience: community.School, Title: "Which?", Source: "Round or flat?"})
		answer := c.publish(bo, community.Draft{Kind: community.Reply, Audience: community.School, Source: "Flat.", InReplyToID: question.ID})
		next := reader.listen("thread:" + strconv.FormatInt(question.ID, 10))
		c.write(func(tx *store.Tx) error {
			_, err := community.AcceptAnswer(tx, ana, question.ID, answer.ID)
			return err
		})
		if heard := next("Flat."); !strings.Contains(heard, `id="post-`+strconv.FormatInt(question.ID, 10)) || !strings.Contains(heard, "accepted") {
			t.Errorf("the thread heard: %s", heard)
		}
	})
}
