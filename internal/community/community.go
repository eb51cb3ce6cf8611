// Package community is the room behind the three doors: accounts, follows,
// posts, reactions, notifications and timelines, as types, rules, questions
// and deeds. A deed is one transaction with all its effects, whichever door
// it came through.
package community

import "github.com/chalkring/chalkring/internal/store"

// News of what a committed transaction changed. The key is the id named here.
const (
	PostLanded          store.Topic = "post.landed"          // post
	PostEdited          store.Topic = "post.edited"          // post
	PostDeleted         store.Topic = "post.deleted"         // post
	PostReacted         store.Topic = "post.reacted"         // post: a like, boost, answer or acknowledgement changed its figures
	NotificationArrived store.Topic = "notification"         // account that is notified
	NotificationMade    store.Topic = "notification.made"    // notification
	AccountChanged      store.Topic = "account"              // account
	OutgoingQueued      store.Topic = "outgoing"             // outgoing row
	FiltersChanged      store.Topic = "filters"              // account whose filters changed
	ConversationChanged store.Topic = "conversation"         // conversation, as one of its people has it
	AnnouncementPosted  store.Topic = "announcement"         // announcement, new or changed
	AnnouncementReacted store.Topic = "announcement.reacted" // announcement
	AnnouncementGone    store.Topic = "announcement.gone"    // announcement
	NotificationsMerged store.Topic = "notification.merged"  // account whose held notifications joined the others
	SiteChanged         store.Topic = "site"                 // what this server says of itself
)
