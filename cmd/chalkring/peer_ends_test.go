package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/peers"
)

func TestPeersEndAndGoOn(t *testing.T) {
	c := runner(t)
	c("", "peer", "allow", "elm.example", "fir.example").want(t, 0)
	c("", "peer", "pause", "elm.example", "--reason", "Broken into").want(t, 0, "elm.example is paused")
	c("", "peer", "pause", "nobody.example").want(t, exitFailed, "no entry")
	c("", "peer", "resume", "elm.example").want(t, 0, "elm.example is connected again")
	c("", "peer", "retire", "elm.example").want(t, exitFailed, "Say why")
	c("", "peer", "retire", "elm.example", "nobody.example", "--reason", "over").want(t, exitFailed) // all or none
	c("", "peer", "impact", "elm.example").want(t, 0, "people here with ties")
	c("", "peer", "impact", "elm.example", "--csv").want(t, 0, "what,person_here,there,address")
	c("", "peer", "impact", "elm.example", "--json").want(t, 0, `"followers": 0`)
	c("", "peer", "retire", "elm.example", "--reason", "It is over", "--keep", "30", "--withdraw", "none").want(t, 0, "elm.example is retired")
	c("", "peer", "purge", "elm.example", "--reason", "They asked").want(t, 0, "elm.example will be purged", "is deleted on")
	c("", "peer", "impact", "elm.example").want(t, 0, "Being done: sever")
	c("", "peer", "unpurge", "elm.example").want(t, 0, "will not be purged")
	c("", "peer", "unpurge", "elm.example").want(t, exitFailed, "Nothing of this server waits")
	c("", "peer", "block", "bad.example").want(t, exitFailed, "Say why")

	c("", "peer", "log", "elm.example").want(t, 0, "peer.retire", "It is over", "peer.unpurge")
	c("", "peer", "log", "--verify").want(t, 0, "The log is whole: 7 lines", "Latest seal: ")
	c("", "peer", "log", "--export", "csv").want(t, 0, "seq,hash,id,at,by,action", "peer.pause,elm.example")
	prev := ""
	for i, text := range strings.Split(strings.TrimSpace(c("", "peer", "log", "--export", "json").want(t, 0).out), "\n") {
		var line peers.Exported
		if err := json.Unmarshal([]byte(text), &line); err != nil || line.Seq != int64(i+1) {
			t.Fatalf("line %d: %v %s", i, err, text)
		}
		var id int64
		if err := json.Unmarshal([]byte(line.ID), &id); err != nil {
			t.Fatal(err)
		}
		if seal := peers.LinkHash(prev, line.Seq, peers.Line{ID: id, Action: line.Action, Subject: line.Subject, Before: line.Before, After: line.After, Reason: line.Reason, CreatedAt: line.At}); seal != line.Hash {
			t.Errorf("line %d does not bear its seal: %s", i, text)
		}
		prev = line.Hash
	}

	// what is written down survives a backup, with its chain
	c("", "backup", "log.tar.gz").want(t, 0)
	c("", "--data", "again", "restore", "log.tar.gz").want(t, 0)
	c("", "--data", "again", "peer", "log", "--verify").want(t, 0, "The log is whole: 7 lines", prev)
}
