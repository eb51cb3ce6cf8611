package as2

// languages gathers the tongues that a document says one thing in, from its
// contentMap, nameMap or summaryMap or from tagged values, until the text itself
// is known too.
type languages []struct{ tag, text string }

// fallback is the language that is taken of several when a document does not
// say which one it was written in: the one that every page of ours can be read in.
const fallback = "en"

func (ls *languages) add(tag, text string) {
	if isLanguage(tag) && text != "" && len(*ls) < maxLanguages {
		*ls = append(*ls, struct{ tag, text string }{tag, text})
	}
}

// maxLanguages is how many languages of one text are told apart.
const maxLanguages = 20

func (s *scanner) languages(in *languages) {
	if s.peek() != '{' {
		s.skip()
		return
	}
	s.object(func(key []byte) { in.add(string(key), s.text()) })
}

// settle completes a text out of the languages it is given in and returns its
// language, or "" if that is not told. A text that stands by itself says itself
// which one of them it is; otherwise it is the one that is preferred, else the
// fallback, else the first.
func (ls languages) settle(text *string, preferred string) string {
	if *text != "" {
		for _, l := range ls {
			if *text == l.text {
				return l.tag
			}
		}
		if len(ls) == 1 { // the same with other markup
			return ls[0].tag
		}
		return ""
	}
	for _, want := range [...]string{preferred, fallback} {
		for _, l := range ls {
			if want != "" && (l.tag == want || primary(l.tag) == primary(want)) {
				*text = l.text
				return l.tag
			}
		}
	}
	if len(ls) > 0 {
		*text = ls[0].text
		return ls[0].tag
	}
	return ""
}

// others are the languages besides one.
func (ls languages) others(than string) []string {
	var out []string
	for _, l := range ls {
		if l.tag != than {
			out = append(out, l.tag)
		}
	}
	return out
}

// primary is the language of a tag without script and region.
func primary(tag string) string {
	for i := range len(tag) {
		if tag[i] == '-' {
			return tag[:i]
		}
	}
	return tag
}
