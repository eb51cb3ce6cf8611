package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func TestPeerLists(t *testing.T) {
	c := runner(t)
	c("", "peer", "allow", "elm.example", "--label", "Elm Primary")
	c("", "peer", "published", "make", "schools", "--name", "Schools of the region", "--visibility", "link").want(t, 0, "peer published publish schools")
	c("", "peer", "published", "make", "schools", "--name", "Again").want(t, exitFailed, "already")
	c("", "peer", "published", "publish", "schools").want(t, 0, "/peering/lists/schools?key=", "fingerprint")
	c("", "peer", "published", "add", "schools", "elm.example", "fir.example", "--tier", "network", "--note", "since 2024").want(t, 0, "elm.example, fir.example")
	c("", "peer", "published", "emergency", "schools", "elm.example", "--reason", "taken over").want(t, 0, "here it is paused")
	c("", "peer", "published", "show", "schools").want(t, 0, "Elm Primary", "EMERGENCY: taken over", "fir.example")
	c("", "peer", "list").want(t, 0, "elm.example", "paused")
	c("", "peer", "published", "over", "schools", "elm.example").want(t, 0, "peer resume elm.example")
	c("", "peer", "published", "retract", "schools", "fir.example", "--reason", "closed").want(t, 0)
	c("", "peer", "published", "show", "schools", "--retracted").want(t, 0, "fir.example", "closed")
	c("", "peer", "published").want(t, 0, "schools", "Schools of the region")
	c("", "peer", "published", "unpublish", "schools").want(t, 0)

	c("", "peer", "subscribe", "region.example").want(t, exitFailed, "whole address")
	c("", "peer", "subscribe", "https://region.example/peering/lists/schools", "--auto-accept", "--group", "regions", "--quorum", "2").want(t, 0)
	c("", "peer", "subscribe", "https://region.example/peering/lists/schools").want(t, exitFailed, "already")
	c("", "peer", "subscriptions").want(t, 0, "https://region.example/peering/lists/schools", "asked")
	db, err := app.OpenDB(t.Context(), config.Config{Host: config.DefaultHost, Data: "data", Database: "data/chalkring.db"}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		sub, err := peers.SubscriptionByURL(tx, "https://region.example/peering/lists/schools")
		if err != nil {
			return err
		}
		return peers.ListFailed(tx, sub, "peerlist.not_there")
	})
	if err := errors.Join(err, db.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	c("", "peer", "subscriptions").want(t, 0, "asked (failing)", "There is no list at this address any more.")
	c("", "peer", "subscriptions", "confirm", "https://region.example/peering/lists/schools", "00").want(t, exitFailed, "no key")
	c("", "peer", "drafts").want(t, 0, "HOST")
	c("", "peer", "drafts", "accept").want(t, exitFailed, "--all")
	c("", "peer", "drafts", "accept", "--all").want(t, 0, "Accepted: 0.")
	c("", "peer", "drafts", "reject", "oak.example").want(t, exitFailed, "nothing is proposed")
	c("", "peer", "exclude", "ash.example", "--note", "neighbours").want(t, 0)
	c("", "peer", "exclude").want(t, 0, "ash.example", "neighbours")
	c("", "peer", "exclude", "ash.example", "--end").want(t, 0)
	c("", "peer", "subscriptions", "end", "https://region.example/peering/lists/schools").want(t, 0)
	if out := c("", "peer", "subscriptions").want(t, 0).out; strings.Contains(out, "region.example") {
		t.Errorf("ended, and still there:\n%s", out)
	}
}
