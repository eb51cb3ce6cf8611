package web

import (
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mark is a school's sign: its own picture, or initials on one of twelve
// colours that follows from its host name, the same on every server.
type Mark struct {
	Src      string // address of the school's own picture; may be empty
	Initials string
	Hue      int // 0 to 11: a class of the style sheet
}

// hues is how many colours marks and avatars have.
const hues = 12

// MarkOf makes the mark of a school out of its name and host. name may be
// empty: a peer that has not told us its own goes by its host.
func MarkOf(name, host, src string) Mark {
	if strings.TrimSpace(name) == "" {
		name, _, _ = strings.Cut(host, ".")
	}
	return Mark{Src: src, Initials: initials(name), Hue: hueOf(host)}
}

// Avatar is a person's picture, or initials on a colour.
type Avatar struct {
	Src      string
	Alt      string // said on the person's own page only; elsewhere their name is enough
	Initials string
	Hue      int
}

// AvatarOf makes a person's avatar. The colour follows from the handle, so that
// a new name does not make a new person.
func AvatarOf(name, handle, src string) Avatar {
	if strings.TrimSpace(name) == "" {
		name = strings.TrimPrefix(handle, "@")
	}
	return Avatar{Src: src, Initials: initials(name), Hue: hueOf(handle)}
}

func hueOf(s string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(s))) // never fails
	return int(h.Sum32() % hues)
}

// initials takes the first letters of the first and the last word that begin
// with a letter or digit: "Tāmaki School" is TS, "oak" is O.
func initials(name string) string {
	var letters []rune
	for _, word := range strings.Fields(name) {
		if r, _ := utf8.DecodeRuneInString(word); unicode.IsLetter(r) || unicode.IsDigit(r) {
			letters = append(letters, unicode.ToUpper(r))
		}
	}
	switch len(letters) {
	case 0:
		return "?"
	case 1:
		return string(letters)
	}
	return string([]rune{letters[0], letters[len(letters)-1]})
}
