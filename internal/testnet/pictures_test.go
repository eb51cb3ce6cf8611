package testnet_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// A picture goes as far as its post: to the servers that the post is for, which
// sign that they ask, and to nobody else.
func TestPicturesGoAsFarAsTheirPost(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, oak, elm := twoSchools(net)
		fir, stranger := net.Start("fir.test"), net.Start("yew.test")
		net.Befriend(oak, fir)
		oak.Admin().AllowUpTo("fir.test", peers.CeilingPublic)
		stranger.Admin().Allow("oak.test") // oak has not allowed it
		net.Settle()

		for _, tt := range []struct {
			audience              community.Audience
			elm, fir, yew, anyone bool
		}{
			{audience: community.Public, elm: true, fir: true, yew: true, anyone: true},
			{audience: community.Network, elm: true},
			{audience: community.Followers, elm: true},
			{audience: community.School},
		} {
			id, address := upload(t, oak, amira)
			post := amira.Write(community.Draft{Kind: community.Discussion, Audience: tt.audience, Title: "With a picture", Source: "Look.", MediaIDs: []int64{id}})
			net.Settle()
			if tt.elm && !bo.Sees(post) {
				t.Errorf("%s: bo does not see the post", tt.audience)
			}
			for s, want := range map[*testnet.Server]bool{elm: tt.elm, fir: tt.fir, stranger: tt.yew} {
				body, kind, err := s.Federation().Picture(t.Context(), "oak.test", address, 1<<20)
				if got := err == nil && len(body) > 0 && kind == "image/png"; got != want {
					t.Errorf("%s: %s gets the picture: %v (%v), want %v", tt.audience, s.Host, got, err, want)
				}
			}
			res, err := net.Client().Get(address)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if got := res.StatusCode == http.StatusOK; got != tt.anyone {
				t.Errorf("%s: whoever has the address gets the picture: %v, want %v", tt.audience, got, tt.anyone)
			}
		}
	})
}

// upload stores a picture as the teacher's, and returns its number and address.
func upload(t *testing.T, s *testnet.Server, who *testnet.Teacher) (id int64, address string) {
	t.Helper()
	cfg := s.Config()
	lib, err := media.Open(cfg.MediaDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	var raw bytes.Buffer
	if err := png.Encode(&raw, image.NewNRGBA(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	stored, err := lib.Store(t.Context(), &raw, media.Pictures())
	if err != nil {
		t.Fatal(err)
	}
	alt := "Eight leaves"
	err = s.DB().Write(t.Context(), func(tx *store.Tx) error {
		a, err := media.Upload(tx, who.Account.ID, stored, media.Description{Alt: &alt})
		id, address = a.ID, s.DB().Site().Media(a.Name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id, address
}
