package federation

import (
	"errors"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/peers"
)

// A snapshot of FIRES is a whole list and can be followed. One page of its
// changes is not: what is on the next may take back what is on this one.
func TestFollowsASnapshotOfFIRESAndNoPage(t *testing.T) {
	const snapshot = `{"@context":["https://www.w3.org/ns/activitystreams","https://fires.fedimod.org/context/fires.jsonld"],"type":"OrderedCollection","items":[
		{"id":"https://fires.test/datasets/d/changes/0198c0de-0001-7000-8000-000000000000","type":"Recommendation","entityKind":"domain","entityKey":"spam.test","recommendedPolicy":"drop"}]}`
	list, err := readList([]byte(snapshot))
	if err != nil || list.File.Format != peers.FormatFIRES || len(list.File.Entries) != 1 || !list.File.Entries[0].Deny || list.KeyPEM != "" {
		t.Errorf("%+v, %v", list, err)
	}
	var why *listTrouble
	if _, err := readList([]byte(strings.Replace(snapshot, "OrderedCollection", "OrderedCollectionPage", 1))); !errors.As(err, &why) || why.key != "peerlist.no_list" {
		t.Errorf("a page: %v", err)
	}
}
