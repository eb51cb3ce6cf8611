package community

// Bonds are what somebody here ever had with others, as a sum of bits. Triggers
// set them; none is taken back when the last tie of its kind ends. Of what was
// never, nothing is looked for.
type Bonds int64

// The bonds.
const (
	BondMutes       Bonds = 1 << iota // muted somebody
	BondBlocks                        // blocked somebody, or was blocked
	BondHostBlocks                    // shut a server out
	BondBookmarks                     // bookmarked a post
	BondThreadMutes                   // muted a thread
	BondFilters                       // made a filter

	BondsRead Bonds = 1 << 62 // of a Viewer: the others were read, and the missing ones are not there
)
