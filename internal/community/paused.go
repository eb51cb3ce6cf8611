package community

import (
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// answerable fails while what is done here to something of a server cannot
// reach it, because the connection is paused or has ended: it can be read, and
// whoever answers should not believe that they were heard. What takes something
// back, and what is for oneself alone, needs no connection.
func answerable(tx *store.Tx, host string) error {
	if host == "" {
		return nil
	}
	d, err := peers.DecideOne(tx, host)
	switch {
	case err != nil || d.Admitted:
		return err
	case d.Standing == peers.Paused:
		return fault.Keyed(fault.Forbidden, "peers.paused", "The connection with this server is paused. What came from there can be read, and not answered for now.", map[string]any{"Host": host})
	case d.Standing == peers.Retired || d.Standing == peers.Expired:
		return fault.Keyed(fault.Forbidden, "peers.ended", "The connection with this server has ended. What is left from there can be read, and not answered.", map[string]any{"Host": host})
	}
	return nil
}

// Quiet is a server that is not exchanged with for now, as a mark beside what
// came from there says it.
type Quiet struct {
	Host     string
	Standing peers.Standing // Paused, Retired or Expired
}

// QuietAmong returns which of the servers are paused or were connected with, by name.
func QuietAmong(tx *store.Tx, hosts []string) (map[string]Quiet, error) {
	quiet := map[string]Quiet{}
	decided, err := peers.Decide(tx, hosts)
	for host, d := range decided {
		if !d.Admitted && (d.Standing == peers.Paused || d.Standing == peers.Retired || d.Standing == peers.Expired) {
			quiet[host] = Quiet{host, d.Standing}
		}
	}
	return quiet, err
}
