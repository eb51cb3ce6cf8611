package web

import (
	"html/template"
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// notificationsPage lists what happened that concerns the reader.
type notificationsPage struct {
	Head  PageHead
	Items []NotificationItem
	Pager Pager
	Empty EmptyState
}

// notifications shows the list and, from its first page, counts it as read.
func (p *Pages) notifications(h *here, w http.ResponseWriter, r *http.Request) error {
	page := pageOf(r)
	var list []community.Notification
	var told []NotificationItem
	var read int64
	apart := 0
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if apart, _, err = community.CountNotificationRequests(tx, h.me.ID); err != nil {
			return err
		}
		if read, err = community.ReadUpTo(tx, h.me.ID); err != nil {
			return err
		}
		if list, err = community.Notifications(tx, h.me.ID, page); err != nil {
			return err
		}
		told, err = p.told(tx, h, list, read)
		return err
	})
	if err != nil {
		return err
	}
	if len(list) > 0 && list[0].ID > read && page.MaxID == 0 && r.Method == http.MethodGet {
		err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.MarkRead(tx, h.me.ID, list[0].ID) })
		if err != nil {
			return err
		}
		h.frame.Unread = 0
	}
	view := notificationsPage{Head: PageHead{Title: h.l.T("nav.notifications")}, Items: told,
		Empty: EmptyState{Icon: "bell", Title: h.l.T("notification.empty_title"), Words: h.l.T("notification.empty")}}
	if apart > 0 {
		view.Head.Actions = []Action{{Words: h.l.T("apart.waiting", "Count", apart), Icon: "users", URL: apartPath}}
	}
	if n := len(list); n > 0 {
		view.Pager = pager(r, page, n, list[0].ID, list[n-1].ID)
	}
	h.frame.Here = Notifications
	if page.MaxID == 0 && page.MinID == 0 {
		h.frame.Live = "notifications"
	}
	return p.render(h, w, http.StatusOK, "notifications", view.Head.Title, view)
}

// notificationFilters brings the posts with which of the reader's filters are
// about them; none for who has no filters.
func notificationFilters(tx *store.Tx, h *here, posts map[int64]community.Post) (map[int64]community.View, error) {
	if len(posts) == 0 {
		return nil, nil
	}
	filtering, err := community.HasFilters(tx, h.me.ID)
	if err != nil || !filtering {
		return nil, err
	}
	list := make([]community.Post, 0, len(posts))
	for _, p := range posts {
		list = append(list, p)
	}
	views, err := community.Load(tx, h.viewer, list)
	found := make(map[int64]community.View, len(views))
	for _, v := range views {
		found[v.ID] = v
	}
	return found, err
}

// told turns notifications into sentences.
func (p *Pages) told(tx *store.Tx, h *here, list []community.Notification, read int64) ([]NotificationItem, error) {
	var people, ids []int64
	for _, n := range list {
		people = append(people, n.FromID)
		if n.PostID != nil {
			ids = append(ids, *n.PostID)
		}
	}
	accounts, err := community.AccountsByID(tx, people)
	if err != nil {
		return nil, err
	}
	schools, err := community.SchoolNames(tx, accounts)
	if err != nil {
		return nil, err
	}
	posts, err := community.PostsByID(tx, h.viewer, ids)
	if err != nil {
		return nil, err
	}
	filtered, err := notificationFilters(tx, h, posts)
	if err != nil {
		return nil, err
	}
	emoji, err := community.EmojiOf(tx, ids, people)
	if err != nil {
		return nil, err
	}
	peering, err := community.PeeringOf(tx, list)
	if err != nil {
		return nil, err
	}
	severed, err := community.SeveredBy(tx, idsOfKind(list, community.NotifySevered))
	if err != nil {
		return nil, err
	}
	items := make([]NotificationItem, 0, len(list))
	for _, n := range list {
		from := accounts[n.FromID]
		item := NotificationItem{ID: digits(n.ID), Person: p.person(h, from, schools[from.Host]), At: n.CreatedAt, Unread: n.ID > read}
		name := "<bdi>" + item.Person.Shown() + "</bdi>"
		title := ""
		if n.PostID != nil {
			if post, ok := posts[*n.PostID]; ok {
				item.URL, title = postPath(post.ID), post.Title
				if post.BoostOfID != nil {
					item.URL = postPath(*post.BoostOfID)
				}
				if title == "" {
					item.Excerpt = text.Excerpt(post.HTML, 140)
				} else {
					item.Excerpt = title
				}
				action, filter := filtered[post.ID].FilteredIn(community.FilterNotifications)
				if action == community.FilterHide {
					continue
				}
				if action != "" {
					item.Excerpt = h.l.T("post.filtered", "Title", filter)
				}
			}
		}
		item.Icon, item.Words = p.sentence(h.l, n.Kind, name)
		if n.Kind == community.NotifyPeering && n.PeerRequestID == nil {
			item.Icon, item.URL, item.Words = "waypoints", "/admin/peers", template.HTML(template.HTMLEscapeString(h.l.T("notification.peers_due")))
			items = append(items, item)
			continue
		}
		switch n.Kind {
		case community.NotifyLike:
			if n.PostID == nil {
				break
			}
			if given, ok := emoji[[2]int64{*n.PostID, n.FromID}]; ok {
				item.Words = h.l.HTML("notification.react", "Name", name, "Emoji", faceOfReaction(*n.PostID, n.FromID, given).line(given.Emoji))
			}
		case community.NotifyPoll:
			if n.FromID == h.me.ID {
				item.Words = template.HTML(template.HTMLEscapeString(h.l.T("notification.poll_mine")))
			}
		case community.NotifyFollow, community.NotifyMove:
			item.URL = personPath(from)
		case community.NotifySevered:
			item.URL, item.Words = lostPath(n.ID), template.HTML(template.HTMLEscapeString(severedWords(h.l, severed[n.ID])))
		case community.NotifyReport:
			item.URL = "/admin/reports"
		case community.NotifyPeering:
			icon, words := p.peeringNotice(h.l, peering[peerRequestOf(n)])
			item.Icon, item.Words, item.URL = icon, template.HTML(template.HTMLEscapeString(words)), peerRequestsPath+"#request-"+digits(peerRequestOf(n))
		case community.NotifyFollowRequest:
			item.URL, item.Actions = "/follow-requests", requestActions(h.l, n.FromID)
		case community.NotifyRequest:
			item.URL = "/admin/requests"
		}
		items = append(items, item)
	}
	return items, nil
}

// idsOfKind lists the notifications of one kind.
func idsOfKind(list []community.Notification, kind community.NotificationKind) []int64 {
	var ids []int64
	for _, n := range list {
		if n.Kind == kind {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// sentence says what somebody did.
func (p *Pages) sentence(l *Locale, kind community.NotificationKind, name template.HTML) (icon string, words template.HTML) {
	switch kind {
	case community.NotifyFollow:
		return "user-plus", l.HTML("notification.follow", "Name", name)
	case community.NotifyFollowRequest:
		return "user-round-check", l.HTML("notification.follow_request", "Name", name)
	case community.NotifyMention:
		return "at-sign", l.HTML("notification.mention", "Name", name)
	case community.NotifyReply:
		return "reply", l.HTML("notification.reply", "Name", name)
	case community.NotifyAcknowledgement:
		return "hand-heart", l.HTML("notification.acknowledgement", "Name", name)
	case community.NotifyLike:
		return "heart", l.HTML("notification.like", "Name", name)
	case community.NotifyBoost:
		return "send", l.HTML("notification.boost", "Name", name)
	case community.NotifyAnswer:
		return "circle-check", l.HTML("notification.answer", "Name", name)
	case community.NotifyPeering:
		return "waypoints", l.HTML("notification.peering")
	case community.NotifyReport:
		return "triangle-alert", l.HTML("notification.report", "Name", name)
	case community.NotifyQuote:
		return "messages-square", l.HTML("notification.quote", "Name", name)
	case community.NotifyPoll:
		return "list", l.HTML("notification.poll", "Name", name)
	case community.NotifyMove:
		return "arrow-right", l.HTML("notification.move", "Name", name)
	case community.NotifySevered:
		return "ban", ""
	case community.NotifyEdit:
		return "pencil", l.HTML("notification.edit", "Name", name)
	case community.NotifyPost:
		return "pen-line", l.HTML("notification.post", "Name", name)
	case community.NotifyQuotedEdit:
		return "pencil", l.HTML("notification.quoted_edit", "Name", name)
	}
	return "user-plus", l.HTML("notification.request", "Name", name)
}
