package community

// Draft is what an author wrote, before it is a post.
type Draft struct {
	Kind         Kind
	Audience     Audience
	Title        string
	Source       string // Markdown; for practice posts the sections are used instead
	Sections     *Sections
	Warning      string
	Sensitive    bool
	Language     string // BCP 47
	Subject      string
	Level        string
	Licence      string
	Contributors []string // handles
	MediaIDs     []int64
	InReplyToID  int64
	To           []int64 // accounts addressed besides those mentioned in the text
	FormID       string  // number of the form or the client's Idempotency-Key: the same one publishes once
}
