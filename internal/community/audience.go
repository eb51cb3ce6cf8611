package community

import "slices"

// Audience is who may see a thing, from narrowest to widest.
type Audience string

const (
	Me        Audience = "me"        // the author; never leaves the server
	People    Audience = "people"    // the people named
	Group     Audience = "group"     // members of the group, wherever their account is
	School    Audience = "school"    // signed-in members of this instance; never leaves the server
	Followers Audience = "followers" // the author's accepted followers
	Network   Audience = "network"   // members here and on peers whose ceiling is at least network, and the author's followers there
	Public    Audience = "public"    // anyone
)

// Audiences lists all audiences, narrowest first.
func Audiences() []Audience {
	return []Audience{Me, People, Group, School, Followers, Network, Public}
}

// Valid reports whether a is one of the seven audiences.
func (a Audience) Valid() bool { return a.rank() >= 0 }

// Within reports whether a is no wider than ceiling.
func (a Audience) Within(ceiling Audience) bool { return a.rank() <= ceiling.rank() }

// Travels reports whether posts of this audience may leave the server at all.
func (a Audience) Travels() bool { return a != Me && a != School }

func (a Audience) rank() int { return slices.Index(Audiences(), a) }
