package mastodon

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The entities that clients ask for most are written by hand: encoding/json
// finds its way by reflection, which costs more than asking the database for
// them. A test holds the bytes against encoding/json's.

// appendAnswer writes an answer that is, or holds, one of those entities; it
// reports false for any other.
func appendAnswer(b []byte, answer any) ([]byte, bool) {
	switch v := answer.(type) {
	case Status:
		return v.appendJSON(b), true
	case []Status:
		return appendList(b, v, (*Status).appendJSON), true
	case map[string][]Status:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, name), ':')
			b = appendList(b, v[name], (*Status).appendJSON)
		}
		return append(b, '}'), true
	case written:
		return append(b, v...), true
	case Account:
		return v.appendJSON(b), true
	case []Account:
		return appendList(b, v, (*Account).appendJSON), true
	case Notification:
		return v.appendJSON(b), true
	case []Notification:
		return appendList(b, v, (*Notification).appendJSON), true
	}
	return b, false
}

// appendList writes a list of what one writes.
func appendList[T any](b []byte, list []T, one func(*T, []byte) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(&list[i], b)
	}
	return append(b, ']')
}

// appendOrNull writes what there may not be.
func appendOrNull[T any](b []byte, v *T, one func(*T, []byte) []byte) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return one(v, b)
}

// appendOther writes what is rare as encoding/json does.
func appendOther(b []byte, v any) []byte {
	var other bytes.Buffer
	e := json.NewEncoder(&other)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil { // nothing that entities hold fails
		return append(b, "null"...)
	}
	return append(b, bytes.TrimSuffix(other.Bytes(), []byte("\n"))...)
}

func appendID(b []byte, id int64) []byte {
	return append(strconv.AppendInt(append(b, '"'), id, 10), '"')
}

func appendIDOrNull(b []byte, id *int64) []byte {
	if id == nil {
		return append(b, "null"...)
	}
	return appendID(b, *id)
}

func appendTextOrNull[T ~string](b []byte, s *T) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	return appendText(b, string(*s))
}

// appendText writes a string.
//
// RFC 8259, section 7. Beyond it, U+2028 and U+2029 are escaped, as encoding/json does.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				b = append(append(b, s[start:i]...), `\ufffd`...)
			case r == '\u2028' || r == '\u2029':
				b = append(append(b, s[start:i]...), `\u202`...)
				b = append(b, hex[r&0xf])
			default:
				i += size
				continue
			}
			i += size
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

func appendTexts(b []byte, list []string) []byte {
	return appendList(b, list, func(s *string, b []byte) []byte { return appendText(b, *s) })
}

func (e *Emoji) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"shortcode":`...), e.Shortcode)
	b = appendText(append(b, `,"url":`...), e.URL)
	b = appendText(append(b, `,"static_url":`...), e.StaticURL)
	b = strconv.AppendBool(append(b, `,"visible_in_picker":`...), e.VisibleInPicker)
	return append(b, '}')
}

func (f *Field) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"name":`...), f.Name)
	b = appendText(append(b, `,"value":`...), f.Value)
	b = appendTextOrNull(append(b, `,"verified_at":`...), f.VerifiedAt)
	return append(b, '}')
}

func (s *School) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"name":`...), s.Name)
	b = appendText(append(b, `,"host":`...), s.Host)
	return append(b, '}')
}

func (x *AccountExtras) appendJSON(b []byte) []byte {
	b = x.School.appendJSON(append(b, `{"school":`...))
	if x.Role != "" {
		b = appendText(append(b, `,"role":`...), string(x.Role))
	}
	return append(b, '}')
}

// kept is the account with its bytes, for an answer in which it stands more than
// once. It must not be changed any more.
func (a Account) kept() Account {
	a.encoded = a.appendJSON(nil)
	return a
}

func (a *Account) appendJSON(b []byte) []byte {
	if a.encoded != nil {
		return append(b, a.encoded...)
	}
	b = appendID(append(b, `{"id":`...), a.ID)
	b = appendText(append(b, `,"username":`...), a.Username)
	b = appendText(append(b, `,"acct":`...), a.Acct)
	b = appendText(append(b, `,"display_name":`...), a.DisplayName)
	b = strconv.AppendBool(append(b, `,"locked":`...), a.Locked)
	b = strconv.AppendBool(append(b, `,"bot":`...), a.Bot)
	b = strconv.AppendBool(append(b, `,"discoverable":`...), a.Discoverable)
	b = strconv.AppendBool(append(b, `,"indexable":`...), a.Indexable)
	b = strconv.AppendBool(append(b, `,"group":`...), a.Group)
	b = appendText(append(b, `,"created_at":`...), string(a.CreatedAt))
	b = appendText(append(b, `,"note":`...), a.Note)
	b = appendText(append(b, `,"url":`...), a.URL)
	b = appendText(append(b, `,"uri":`...), a.URI)
	b = appendText(append(b, `,"avatar":`...), a.Avatar)
	b = appendText(append(b, `,"avatar_static":`...), a.AvatarStatic)
	b = appendText(append(b, `,"header":`...), a.Header)
	b = appendText(append(b, `,"header_static":`...), a.HeaderStatic)
	b = appendText(append(b, `,"avatar_description":`...), a.AvatarAlt)
	b = appendText(append(b, `,"header_description":`...), a.HeaderAlt)
	b = strconv.AppendInt(append(b, `,"followers_count":`...), a.FollowersCount, 10)
	b = strconv.AppendInt(append(b, `,"following_count":`...), a.FollowingCount, 10)
	b = strconv.AppendInt(append(b, `,"statuses_count":`...), a.StatusesCount, 10)
	b = appendTextOrNull(append(b, `,"last_status_at":`...), a.LastStatusAt)
	b = strconv.AppendBool(append(b, `,"hide_collections":`...), a.HideCollections)
	b = strconv.AppendBool(append(b, `,"noindex":`...), a.Noindex)
	b = appendList(append(b, `,"emojis":`...), a.Emojis, (*Emoji).appendJSON)
	b = appendList(append(b, `,"fields":`...), a.Fields, (*Field).appendJSON)
	b = appendList(append(b, `,"roles":`...), a.Roles, func(_ *struct{}, b []byte) []byte { return append(b, '{', '}') })
	if a.Suspended {
		b = append(b, `,"suspended":true`...)
	}
	if a.Limited {
		b = append(b, `,"limited":true`...)
	}
	if a.Moved != nil {
		b = a.Moved.appendJSON(append(b, `,"moved":`...))
	}
	if a.Source != nil {
		b = appendOther(append(b, `,"source":`...), a.Source)
	}
	if a.Role != nil {
		b = appendOther(append(b, `,"role":`...), a.Role)
	}
	if a.Chalkring != nil {
		b = a.Chalkring.appendJSON(append(b, `,"chalkring":`...))
	}
	return append(b, '}')
}

func (m *Mention) appendJSON(b []byte) []byte {
	b = appendID(append(b, `{"id":`...), m.ID)
	b = appendText(append(b, `,"username":`...), m.Username)
	b = appendText(append(b, `,"url":`...), m.URL)
	b = appendText(append(b, `,"acct":`...), m.Acct)
	return append(b, '}')
}

func (t *StatusTag) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"name":`...), t.Name)
	b = appendText(append(b, `,"url":`...), t.URL)
	return append(b, '}')
}

func (a *Attachment) appendJSON(b []byte) []byte {
	b = appendID(append(b, `{"id":`...), a.ID)
	b = appendText(append(b, `,"type":`...), a.Type)
	b = appendText(append(b, `,"url":`...), a.URL)
	b = appendText(append(b, `,"preview_url":`...), a.PreviewURL)
	b = appendTextOrNull(append(b, `,"remote_url":`...), a.RemoteURL)
	b = append(b, `,"meta":`...)
	if a.Meta == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, a.Meta...) // as encoding/json made it
	}
	b = appendTextOrNull(append(b, `,"description":`...), a.Description)
	b = appendTextOrNull(append(b, `,"blurhash":`...), a.Blurhash)
	return append(b, '}')
}

func (q *QuoteApproval) appendJSON(b []byte) []byte {
	b = appendTexts(append(b, `{"automatic":`...), q.Automatic)
	b = appendTexts(append(b, `,"manual":`...), q.Manual)
	b = appendText(append(b, `,"current_user":`...), q.CurrentUser)
	return append(b, '}')
}

func (x *SectionExtras) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"name":`...), x.Name)
	b = appendText(append(b, `,"heading":`...), x.Heading)
	b = appendText(append(b, `,"text":`...), x.Text)
	return append(b, '}')
}

func (x *StatusExtras) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"kind":`...), string(x.Kind))
	b = appendText(append(b, `,"audience":`...), string(x.Audience))
	b = appendText(append(b, `,"audience_words":`...), x.AudienceWords)
	b = x.School.appendJSON(append(b, `,"school":`...))
	if x.Title != "" {
		b = appendText(append(b, `,"title":`...), x.Title)
	}
	if x.Subject != "" {
		b = appendText(append(b, `,"subject":`...), x.Subject)
	}
	if x.Level != "" {
		b = appendText(append(b, `,"level":`...), x.Level)
	}
	if x.Licence != "" {
		b = appendText(append(b, `,"licence":`...), x.Licence)
	}
	if len(x.Sections) > 0 {
		b = appendList(append(b, `,"sections":`...), x.Sections, (*SectionExtras).appendJSON)
	}
	if x.AcceptedAnswerID != nil {
		b = appendID(append(b, `,"accepted_answer_id":`...), *x.AcceptedAnswerID)
	}
	if x.UsesCount != 0 {
		b = strconv.AppendInt(append(b, `,"uses_count":`...), x.UsesCount, 10)
	}
	return append(b, '}')
}

func (s *Status) appendJSON(b []byte) []byte {
	if s.drawn != nil {
		b = append(b, s.drawn.opened...)
	} else {
		b = s.appendOpening(b)
	}
	b = strconv.AppendInt(append(b, `,"replies_count":`...), s.RepliesCount, 10)
	b = strconv.AppendInt(append(b, `,"reblogs_count":`...), s.ReblogsCount, 10)
	b = strconv.AppendInt(append(b, `,"favourites_count":`...), s.FavouritesCount, 10)
	if s.drawn != nil {
		b = append(b, s.drawn.told...)
	} else {
		b = s.appendTold(b)
	}
	if s.Text != nil {
		b = appendText(append(b, `,"text":`...), *s.Text)
	}
	b = appendOrNull(append(b, `,"reblog":`...), s.Reblog, (*Status).appendJSON)
	b = append(b, `,"application":`...)
	if s.Application == nil {
		b = append(b, "null"...)
	} else {
		b = appendOther(b, s.Application)
	}
	b = s.Account.appendJSON(append(b, `,"account":`...))
	b = appendList(append(b, `,"media_attachments":`...), s.MediaAttachments, (*Attachment).appendJSON)
	b = appendList(append(b, `,"mentions":`...), s.Mentions, (*Mention).appendJSON)
	b = appendList(append(b, `,"tags":`...), s.Tags, (*StatusTag).appendJSON)
	b = appendList(append(b, `,"emojis":`...), s.Emojis, (*Emoji).appendJSON)
	b = append(b, `,"card":`...)
	if s.Card == nil {
		b = append(b, "null"...)
	} else {
		b = appendOther(b, s.Card)
	}
	b = append(b, `,"poll":`...)
	if s.Poll == nil {
		b = append(b, "null"...)
	} else {
		b = appendOther(b, s.Poll)
	}
	b = append(b, `,"quote":`...)
	switch q := s.Quote.(type) {
	case nil:
		b = append(b, "null"...)
	case *Quote:
		if q == nil {
			b = append(b, "null"...)
			break
		}
		b = appendText(append(b, `{"state":`...), q.State)
		b = appendOrNull(append(b, `,"quoted_status":`...), q.Status, (*Status).appendJSON)
		b = append(b, '}')
	default:
		b = appendOther(b, q)
	}
	b = strconv.AppendInt(append(b, `,"quotes_count":`...), s.QuotesCount, 10)
	b = s.QuoteApproval.appendJSON(append(b, `,"quote_approval":`...))
	for _, mark := range []struct {
		name string
		set  *bool
	}{
		{`,"favourited":`, s.Favourited}, {`,"reblogged":`, s.Reblogged}, {`,"muted":`, s.Muted},
		{`,"bookmarked":`, s.Bookmarked}, {`,"pinned":`, s.Pinned},
	} {
		if mark.set != nil {
			b = strconv.AppendBool(append(b, mark.name...), *mark.set)
		}
	}
	if s.Filtered != nil {
		b = append(b, `,"filtered":`...)
		if list := *s.Filtered; list != nil && len(list) == 0 {
			b = append(b, '[', ']')
		} else {
			b = appendOther(b, list)
		}
	}
	switch {
	case s.drawn != nil && s.Chalkring == &s.drawn.extras:
		b = append(append(b, `,"chalkring":`...), s.drawn.closed...)
	case s.Chalkring != nil:
		b = s.Chalkring.appendJSON(append(b, `,"chalkring":`...))
	}
	return append(b, '}')
}

// appendOpening begins a status.
func (s *Status) appendOpening(b []byte) []byte {
	b = appendID(append(b, `{"id":`...), s.ID)
	b = appendText(append(b, `,"created_at":`...), string(s.CreatedAt))
	b = appendIDOrNull(append(b, `,"in_reply_to_id":`...), s.InReplyToID)
	b = appendIDOrNull(append(b, `,"in_reply_to_account_id":`...), s.InReplyToAccountID)
	b = strconv.AppendBool(append(b, `,"sensitive":`...), s.Sensitive)
	b = appendText(append(b, `,"spoiler_text":`...), s.SpoilerText)
	b = appendText(append(b, `,"visibility":`...), s.Visibility)
	b = strconv.AppendBool(append(b, `,"local_only":`...), s.LocalOnly)
	b = appendTextOrNull(append(b, `,"language":`...), s.Language)
	b = appendText(append(b, `,"uri":`...), s.URI)
	return appendTextOrNull(append(b, `,"url":`...), s.URL)
}

// appendTold writes what stands behind the figures.
func (s *Status) appendTold(b []byte) []byte {
	b = appendTextOrNull(append(b, `,"edited_at":`...), s.EditedAt)
	return appendText(append(b, `,"content":`...), s.Content)
}

func (n *Notification) appendJSON(b []byte) []byte {
	b = appendID(append(b, `{"id":`...), n.ID)
	b = appendText(append(b, `,"type":`...), n.Type)
	b = appendText(append(b, `,"created_at":`...), string(n.CreatedAt))
	b = appendText(append(b, `,"group_key":`...), n.GroupKey)
	b = n.Account.appendJSON(append(b, `,"account":`...))
	if n.Status != nil {
		b = n.Status.appendJSON(append(b, `,"status":`...))
	}
	if n.Event != nil {
		b = appendOther(append(b, `,"event":`...), n.Event)
	}
	if n.Report != nil {
		b = appendOther(append(b, `,"report":`...), n.Report)
	}
	if n.Fallback != nil {
		b = appendOther(append(b, `,"fallback":`...), n.Fallback)
	}
	if n.Emoji != "" {
		b = appendText(append(b, `,"emoji":`...), n.Emoji)
	}
	if n.EmojiURL != "" {
		b = appendText(append(b, `,"emoji_url":`...), n.EmojiURL)
	}
	return append(b, '}')
}
