package testnet_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"html"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// Whoever is about to ask a server to connect sees its picture: our copy of it,
// which is fetched from that server alone, for those who decide about servers.
func TestPictureOfServerBeforeAsking(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := gates(t, net, "oak.test")[0]
		olga := browse(t, net, oak.Server, oak.Person("olga", community.Owner))
		amira := browse(t, net, oak.Server, oak.Person("amira", community.Member))
		x, y := newAsker(net, "x.test"), newAsker(net, "y.test")
		var sign bytes.Buffer
		square := image.NewRGBA(image.Rect(0, 0, 8, 8))
		square.Set(3, 3, color.RGBA{R: 200, A: 255})
		if err := png.Encode(&sign, square); err != nil {
			t.Fatal(err)
		}
		sign.WriteString("and what else stands in a file")
		picture := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Signature") != "" || r.Header.Get("Signature-Input") != "" || r.Header.Get("Cookie") != "" {
				t.Error("the picture was asked for with a signature")
			}
			w.Header().Set("Content-Type", "image/png")
			w.Write(sign.Bytes())
		})
		says := func(a *asker, icon string) {
			public, err := x509.MarshalPKIXPublicKey(&a.Key.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			id := a.URL("/actor")
			a.Serve("/actor", map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": "Application", "preferredUsername": a.Host, "name": a.Host,
				"inbox": id + "/inbox", "outbox": id + "/outbox", "icon": map[string]any{"type": "Image", "url": icon},
				"publicKey": map[string]any{"id": id + "#main-key", "owner": id, "publicKeyPem": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}})
			a.Serve("/sign.png", picture)
		}
		says(x, x.URL("/sign.png"))
		says(y, x.URL("/sign.png")) // of somebody else
		seen := func(host string) (src string) {
			t.Helper()
			status, page, _ := olga.post("/admin/peers/requests/new", url.Values{"step": {"look"}, "host": {host}})
			if status != 200 || !strings.Contains(page, `value="`+host+`"`) {
				t.Fatalf("%s: %d", host, status)
			}
			if m := regexp.MustCompile(`<img class="mark" src="([^"]*)"`).FindStringSubmatch(page); m != nil {
				src = html.UnescapeString(m[1])
			}
			return src
		}
		src := seen("x.test")
		if src == "" {
			t.Fatal("no picture is shown")
		}
		status, body := olga.get(src)
		if _, _, err := image.Decode(strings.NewReader(body)); status != 200 || err != nil || body == sign.String() {
			t.Errorf("%d, %d bytes, the very bytes of another server: %v, %v", status, len(body), body == sign.String(), err)
		}
		olga.get(src)
		if n := x.Fetched("/sign.png"); n != 1 {
			t.Errorf("the picture was fetched %d times", n)
		}
		amira.shows(src, http.StatusForbidden)
		(&browser{t: t, http: net.Client(), base: "https://oak.test"}).shows(src, http.StatusSeeOther, "!PNG") // to sign in
		if src := seen("y.test"); src != "" {
			t.Errorf("a picture of somebody else is shown: %s", src)
		}
		olga.shows("/admin/peers/requests/picture?actor="+url.QueryEscape(y.URL("/actor")), http.StatusNotFound)
		olga.shows("/admin/peers/requests/picture?actor=x", http.StatusNotFound)
		oak.must(func(tx *store.Tx) error {
			_, err := peers.Block(tx, 0, "x.test", peers.Entry{Reason: "Unsafe"})
			return err
		})
		olga.shows(src, http.StatusForbidden)
		if n := x.Fetched("/sign.png"); n != 1 {
			t.Errorf("fetched of a blocked server: %d times", n)
		}
	})
}
