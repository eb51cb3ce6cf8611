package testnet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/testnet"
)

// A client that is cut off before it hears the answer, and asks again with the
// same key, has posted once: on the server, with whoever follows and elsewhere.
func TestClientThatRetriesPostsOnce(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, oak, _ := twoSchools(net)
		token := browse(t, net, oak, amira).letIn(net).Config.AccessToken
		send := func(ctx context.Context, c *http.Client, body io.Reader) (*http.Response, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://oak.test/api/v1/statuses", body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", "one-lesson")
			return c.Do(r)
		}
		const post = `{"status":"One lesson","visibility":"public"}`
		for range 5 { // each with a connection of its own, gone once the request is out
			ctx, cut := context.WithCancel(t.Context())
			res, err := send(ctx, net.Client(), &cutter{Reader: strings.NewReader(post), cut: cut})
			if err == nil {
				res.Body.Close()
			}
			cut()
		}
		var ids []string
		for range 2 {
			res, err := send(t.Context(), net.Client(), bytes.NewReader([]byte(post)))
			if err != nil {
				t.Fatal(err)
			}
			var s struct{ ID string }
			err = json.NewDecoder(res.Body).Decode(&s)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || s.ID == "" {
				t.Fatalf("asked again: %s %v", res.Status, err)
			}
			ids = append(ids, s.ID)
		}
		if ids[0] != ids[1] {
			t.Errorf("the same key made %v", ids)
		}
		net.Settle()
		bo.WantHome("One lesson")
		amira.WantHome("One lesson")
	})
}

// cutter ends the connection when the whole request has been read from it.
type cutter struct {
	io.Reader
	cut context.CancelFunc
}

func (c *cutter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF {
		c.cut()
	}
	return n, err
}
