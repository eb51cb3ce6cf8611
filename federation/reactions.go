package federation

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
)

// ownEmoji is the name of an emoji that a server has made itself.
var ownEmoji = regexp.MustCompile(`^:[A-Za-z0-9_+.@-]{1,60}:$`)

// mostEmoji is how many runes one emoji may have: a family of four with its skin
// tones has eleven.
const mostEmoji = 16

// reactionOf reads with what a like was given. Pleroma, Akkoma and Mitra send
// EmojiReact with the emoji as content, Misskey a Like with _misskey_reaction.
// What is no emoji makes the reaction a plain like.
func reactionOf(a *as2.Activity) community.Given {
	given := community.Given{URI: a.ID}
	content := strings.TrimSpace(a.Content)
	switch {
	case ownEmoji.MatchString(content):
		given.Emoji = content
		if a.Emoji != nil && strings.Trim(a.Emoji.Name, ":") == strings.Trim(content, ":") {
			given.EmojiURL = webAddress(a.Emoji.Icon)
		}
	case isEmoji(content):
		given.Emoji = content
	}
	return given
}

// isEmoji reports whether a short text is made of pictures, not of letters.
func isEmoji(s string) bool {
	if n := utf8.RuneCountInString(s); n == 0 || n > mostEmoji || !utf8.ValidString(s) {
		return false
	}
	picture := false
	for _, c := range s {
		switch {
		case c >= 0x1F000, c >= 0x2190 && c <= 0x2BFF, c == 0x20E3, c == 0x3030, c == 0x303D, c == 0x3297, c == 0x3299, c == 0x203C, c == 0x2049,
			c == 0x2122, c == 0x2139, c == 0xA9, c == 0xAE:
			picture = true
		case c == 0x200D, c == 0xFE0F, c == 0xFE0E, c >= '0' && c <= '9', c == '#', c == '*': // what joins and modifies them
		default:
			return false
		}
	}
	return picture
}
