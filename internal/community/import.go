package community

import (
	"strconv"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// DoImport does a piece of an import of other servers that is being applied or
// undone, and reports whether there is more.
func DoImport(tx *store.Tx, c Chore) (left bool, err error) {
	id, err := strconv.ParseInt(c.Subject, 10, 64)
	if err != nil {
		return false, EndChore(tx, c)
	}
	if left, err = peers.ImportMore(tx, id); err != nil {
		return false, err
	}
	if left {
		return true, PutOff(tx, c, tx.Now, false)
	}
	return false, EndChore(tx, c)
}

// SweepImports forgets drafts of imports that nobody decided about, and ends
// the follows with servers that an import blocked once that cannot be undone
// any more. A block by hand ends them at once: BlockHost.
func SweepImports(tx *store.Tx) error {
	if err := peers.SweepImports(tx); err != nil {
		return err
	}
	hosts, err := peers.CloseImports(tx)
	if err != nil {
		return err
	}
	for _, host := range hosts {
		if err := charge(tx, ChoreSever, 0, host); err != nil {
			return err
		}
	}
	return nil
}
