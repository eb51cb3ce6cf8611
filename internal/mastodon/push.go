package mastodon

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	prose "github.com/chalkring/chalkring/internal/text"
	"github.com/chalkring/chalkring/internal/webpush"
)

// PushText says how much a pushed notification tells.
type PushText string

// What is pushed. The device alone can read it, whatever it is.
const (
	PushWords PushText = "words" // who did what, and the words it is about
	PushBare  PushText = "bare"  // that there is something new
	PushOff   PushText = "off"   // nothing: apps cannot subscribe
)

// alertNames are the types of notification that a subscription can name, as
// Mastodon's documentation lists them.
var alertNames = []string{"mention", "status", "reblog", "follow", "follow_request", "favourite", "poll", "update", "quote", "quoted_update",
	"admin.sign_up", "admin.report"}

func (a *API) pushRoutes(r *routes) {
	const path = "/api/v1/push/subscription"
	r.HandleFunc(path, a.members("push", a.subscribe)).Methods(http.MethodPost)
	r.HandleFunc(path, a.members("push", a.subscription)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc(path, a.members("push", a.changeAlerts)).Methods(http.MethodPut, http.MethodPatch)
	r.HandleFunc(path, a.members("push", a.unsubscribe)).Methods(http.MethodDelete)
}

// WebPushSubscription is Mastodon's entity of that name.
type WebPushSubscription struct {
	ID        int64                `json:"id,string"`
	Endpoint  string               `json:"endpoint"`
	Standard  bool                 `json:"standard"`
	Alerts    map[string]bool      `json:"alerts"`
	Policy    community.PushPolicy `json:"policy"`
	ServerKey string               `json:"server_key"`
}

func pushSubscription(tx *store.Tx, s community.PushSubscription) (WebPushSubscription, error) {
	key, err := community.VapidKey(tx)
	if err != nil {
		return WebPushSubscription{}, err
	}
	out := WebPushSubscription{ID: s.ID, Endpoint: s.Endpoint, Standard: s.Standard, Alerts: map[string]bool{}, Policy: s.Policy, ServerKey: key.Public()}
	for _, name := range alertNames {
		out.Alerts[name] = s.Wants(name)
	}
	return out, nil
}

// alerts reads data[alerts] and data[policy].
func (c *call) alerts() (alerts string, policy community.PushPolicy, err error) {
	var wanted []string
	for _, name := range alertNames {
		if c.flag("data[alerts]["+name+"]", false) {
			wanted = append(wanted, name)
		}
	}
	policy = community.PushPolicy(c.Get("data[policy]"))
	switch policy {
	case "":
		policy = community.PushAll
	case community.PushAll, community.PushFollowed, community.PushFollower, community.PushNone:
	default:
		err = fault.Invalidf("data[policy]", "Validation failed: the policy must be all, followed, follower or none.")
	}
	return strings.Join(wanted, " "), policy, err
}

// subscribe answers POST /api/v1/push/subscription.
func (a *API) subscribe(c *call) (any, error) {
	if a.Push == PushOff {
		return nil, fault.New(fault.Forbidden, "This server pushes no notifications.")
	}
	alerts, policy, err := c.alerts()
	if err != nil {
		return nil, err
	}
	var out WebPushSubscription
	err = a.deed(c, func(tx *store.Tx) error {
		s, err := community.Subscribe(tx, community.PushSubscription{TokenID: c.access.Token.ID, AccountID: c.me.ID, Token: bearerToken(c.r),
			Endpoint: c.Get("subscription[endpoint]"), P256dh: c.Get("subscription[keys][p256dh]"), Auth: c.Get("subscription[keys][auth]"),
			Standard: c.flag("subscription[standard]", false), Alerts: alerts, Policy: policy})
		if err == nil {
			out, err = pushSubscription(tx, s)
		}
		return err
	})
	return out, err
}

// subscription answers GET /api/v1/push/subscription.
func (a *API) subscription(c *call) (any, error) {
	var out WebPushSubscription
	err := a.read(c, func(tx *store.Tx) error {
		s, err := community.SubscriptionOf(tx, c.access.Token.ID)
		if err == nil {
			out, err = pushSubscription(tx, s)
		}
		return err
	})
	if fault.Is(err, fault.NotFound) {
		err = notFound()
	}
	return out, err
}

// changeAlerts answers PUT /api/v1/push/subscription.
func (a *API) changeAlerts(c *call) (any, error) {
	alerts, policy, err := c.alerts()
	if err != nil {
		return nil, err
	}
	var out WebPushSubscription
	err = a.deed(c, func(tx *store.Tx) error {
		s, err := community.ChangeAlerts(tx, c.access.Token.ID, alerts, policy)
		if err == nil {
			out, err = pushSubscription(tx, s)
		}
		return err
	})
	if fault.Is(err, fault.NotFound) {
		err = notFound()
	}
	return out, err
}

// unsubscribe answers DELETE /api/v1/push/subscription.
func (a *API) unsubscribe(c *call) (any, error) {
	return none, a.deed(c, func(tx *store.Tx) error { return community.Unsubscribe(tx, c.access.Token.ID) })
}

// vapid is the key that apps are told, "" where nothing is pushed.
func (a *API) vapid(c *call) (string, error) {
	site, err := a.siteOf(c)
	return a.vapidKey(site), err
}

const (
	pushLanes = 16 // push services that are spoken to at once
	pushBatch = 8  // messages to one of them at once
	pushLease = time.Minute
	pushLasts = 48 * time.Hour // a notification older than that is no news
	pushTries = 10
	// pushLook is how often lanes are looked for without news of any.
	pushLook = 30 * time.Second
	bodyMost = 140
)

// pushPauses are the waits after the first, second, … failure in a row.
var pushPauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour}

func pushPause(failures int64) time.Duration {
	d := pushPauses[min(max(failures, 1), int64(len(pushPauses)))-1]
	return d - d/10 + rand.N(d/5)
}

// RunPushes pushes what waits until ctx ends: one lane for each push service,
// several services at once.
func (a *API) RunPushes(ctx context.Context) error {
	if a.Push == PushOff { // what was subscribed to before is forgotten
		return a.DB.Write(ctx, func(tx *store.Tx) error { return tx.Exec("DELETE FROM push_subscriptions").Error })
	}
	news := a.DB.Subscribe(community.PushQueued)
	defer news.Close()
	var lanes sync.WaitGroup
	defer lanes.Wait()
	done := make(chan struct{}, pushLanes)
	free := pushLanes
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-news.C:
			if !ok {
				return nil
			}
		case <-done:
			free++
		case <-timer.C:
		}
		wait := pushLook
		if free > 0 {
			var got []community.PushLane
			err := a.DB.Write(ctx, func(tx *store.Tx) (err error) {
				if got, err = community.ClaimPushLanes(tx, free, tx.Now.Add(pushLease)); err != nil {
					return err
				}
				next, err := community.NextPush(tx)
				if !next.IsZero() {
					wait = min(max(next.Sub(tx.Now), time.Second), pushLook)
				}
				return err
			})
			if err != nil && ctx.Err() == nil {
				a.Log.Error("push lanes not claimed", "err", err)
			}
			for _, l := range got {
				free--
				lanes.Go(func() {
					defer func() { done <- struct{}{} }()
					if err := a.pushLane(ctx, l); err != nil && ctx.Err() == nil {
						a.Log.Error("push lane failed", "err", err)
					}
				})
			}
		}
		timer.Reset(wait)
	}
}

// pushLane sends what is due for one push service, some at a time, and gives
// the lane back.
func (a *API) pushLane(ctx context.Context, l community.PushLane) error {
	failures, wait := l.Failures, time.Duration(0)
	for ctx.Err() == nil && wait == 0 {
		var due []community.Push
		held := false
		err := a.DB.Write(ctx, func(tx *store.Tx) (err error) {
			if held, err = community.HoldPushLane(tx, l.Host, tx.Now.Add(pushLease)); err != nil || !held {
				return err
			}
			due, err = community.Pushes(tx, l.Host, pushBatch)
			return err
		})
		if err != nil || !held {
			return err
		}
		if len(due) == 0 {
			break
		}
		results := make([]pushResult, len(due))
		var all sync.WaitGroup
		for i, p := range due {
			all.Go(func() { results[i] = a.push(ctx, p) })
		}
		all.Wait()
		if ctx.Err() != nil {
			break // what was not answered is sent again
		}
		failed := slices.ContainsFunc(results, func(r pushResult) bool { return r.trouble })
		if !failed {
			failures = 0
		} else {
			failures++
			wait = pushPause(failures)
		}
		err = a.DB.Write(ctx, func(tx *store.Tx) error {
			for i, p := range due {
				wait = max(wait, results[i].after)
				if err := results[i].note(tx, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, r := range results {
			a.figures.pushed(r.outcome)
		}
	}
	return a.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error { return community.LeavePushLane(tx, l.Host, failures, wait) })
}

// pushResult is what became of one attempt.
type pushResult struct {
	outcome string        // sent, moot, gone, refused, late
	trouble bool          // of the service as a whole: it is left alone for a while
	after   time.Duration // for how long it asks to be
}

// note writes what became of an attempt.
func (r pushResult) note(tx *store.Tx, p community.Push) error {
	switch r.outcome {
	case "gone":
		return community.EndSubscription(tx, p.SubscriptionID)
	case "late":
		if p.Tries+1 < pushTries && tx.Now.Sub(p.CreatedAt) < pushLasts {
			return community.PutOffPush(tx, p, tx.Now.Add(max(r.after, pushPause(p.Tries+1))))
		}
	}
	return community.EndPush(tx, p)
}

// push makes one attempt.
//
// RFC 8030, section 5.
func (a *API) push(ctx context.Context, p community.Push) pushResult {
	message, endpoint, err := a.pushMessage(ctx, p)
	switch {
	case fault.Is(err, fault.NotFound):
		return pushResult{outcome: "moot"}
	case errors.Is(err, webpush.ErrKeys):
		return pushResult{outcome: "gone"}
	case err != nil:
		if ctx.Err() == nil {
			a.Log.Error("push not made", "err", err)
		}
		return pushResult{outcome: "late"}
	}
	res, err := a.Egress.Post(ctx, egress.Request{URL: endpoint, ContentType: "application/octet-stream", Body: message.Body, MaxBody: 64 << 10,
		Sign: func(r *http.Request) error {
			for name, values := range message.Header {
				r.Header[name] = values
			}
			return nil
		}})
	switch {
	case errors.Is(err, egress.ErrURL), errors.Is(err, egress.ErrPrivateAddress):
		return pushResult{outcome: "gone"} // an address that is never asked
	case errors.Is(err, egress.ErrTooLarge):
		return pushResult{outcome: "sent"} // it said much, and that is not needed
	case err != nil:
		return pushResult{outcome: "late", trouble: true}
	}
	return pushOutcome(res.Status, egress.RetryAfter(res.Header, a.DB.Now()))
}

// pushOutcome is what an answer of a push service means.
//
// RFC 8030, sections 5, 7.2 and 8.4; as in Mastodon, what is refused for no
// passing reason will be so for ever.
func pushOutcome(status int, after time.Duration) pushResult {
	switch {
	case status >= 200 && status < 300:
		return pushResult{outcome: "sent"}
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return pushResult{outcome: "late", trouble: true, after: after}
	case status == http.StatusRequestTimeout, status >= 500:
		return pushResult{outcome: "late", trouble: true}
	case status == http.StatusRequestEntityTooLarge:
		return pushResult{outcome: "refused"}
	case status >= 400:
		return pushResult{outcome: "gone"}
	}
	return pushResult{outcome: "refused"}
}

// pushMessage makes what is pushed, as things are at this moment. If there is
// nothing to tell any more it is fault.NotFound.
func (a *API) pushMessage(ctx context.Context, p community.Push) (m webpush.Message, endpoint string, err error) {
	var s community.PushSubscription
	var key webpush.Key
	var payload pushPayload
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		var n community.Notification
		var user community.User
		if s, n, user, err = p.Due(tx); err != nil {
			return err
		}
		if key, err = community.VapidKey(tx); err != nil {
			return err
		}
		payload, err = a.pushPayload(tx, s, n, user)
		return err
	})
	if err != nil {
		return m, "", err
	}
	device, err := s.Device()
	if err != nil {
		return m, "", err
	}
	plain, err := json.Marshal(payload)
	if err != nil {
		return m, "", err
	}
	contact, now := a.site.Base()+"/", a.DB.Now()
	if s.Standard {
		if m, err = webpush.Encrypt(device, plain); err == nil {
			err = key.Sign(m, s.Endpoint, contact, now)
		}
	} else {
		if m, err = webpush.EncryptLegacy(device, plain); err == nil {
			err = key.SignLegacy(m, s.Endpoint, contact, now)
		}
	}
	if err == nil {
		m.Header.Set("TTL", "172800")
		m.Header.Set("Urgency", "normal")
	}
	return m, s.Endpoint, err
}

// pushPayload is what apps find in a message, as Mastodon writes it.
type pushPayload struct {
	AccessToken      string `json:"access_token"`
	PreferredLocale  string `json:"preferred_locale"`
	NotificationID   int64  `json:"notification_id"`
	NotificationType string `json:"notification_type"`
	Icon             string `json:"icon"`
	Title            string `json:"title"`
	Body             string `json:"body"`
}

// pushPayload tells of a notification as its reader would be shown it now.
func (a *API) pushPayload(tx *store.Tx, s community.PushSubscription, n community.Notification, user community.User) (pushPayload, error) {
	viewer := community.Viewer{ID: s.AccountID, Local: true}
	me, err := community.AccountByID(tx, s.AccountID)
	if err != nil {
		return pushPayload{}, err
	}
	c := &call{me: me, viewer: viewer}
	c.access.Person = community.Person{Account: me, User: user}
	told, err := a.told(tx, c, []community.Notification{n})
	if err != nil {
		return pushPayload{}, err
	}
	if len(told) == 0 || !s.Wants(told[0].Type) {
		return pushPayload{}, fault.New(fault.NotFound, "This is not wanted.")
	}
	locale := user.Locale
	if locale == "" {
		locale = "en"
	}
	out := pushPayload{AccessToken: s.Token, PreferredLocale: locale, NotificationID: n.ID, NotificationType: told[0].Type,
		Icon: a.site.URL("/assets/icon.png"), Title: a.words(locale, "push.new")}
	if a.Push == PushBare {
		return out, nil
	}
	from := told[0].Account
	name := from.DisplayName
	if name == "" {
		name = from.Username
	}
	out.Icon, out.Title, out.Body = from.AvatarStatic, prose.PlainLine(a.words(locale, "notification."+string(n.Kind), "Name", name), 200), prose.Plain(from.Note)
	if n.Kind == community.NotifyPoll && n.FromID == s.AccountID {
		out.Title = a.words(locale, "notification.poll_mine")
	}
	if n.Kind == community.NotifySevered || n.Kind == community.NotifyReport || n.Kind == community.NotifyRequest || n.Kind == community.NotifyPeering { // these say more than who did it
		out.Title, out.Body = a.words(locale, "push.new"), ""
	}
	if status := told[0].Status; status != nil {
		switch {
		case status.SpoilerText != "":
			out.Body = status.SpoilerText
		case hidden(status):
			out.Body = ""
		default:
			out.Body = prose.Plain(status.Content)
		}
	}
	if r := []rune(out.Body); len(r) > bodyMost {
		out.Body = string(r[:bodyMost-1]) + "…"
	}
	return out, nil
}

// hidden reports whether the reader's filters keep a status from being shown at
// once among notifications.
func hidden(s *Status) bool {
	return s.Filtered != nil && len(*s.Filtered) > 0
}

// words says something in a reader's language.
func (a *API) words(locale, key string, args ...any) string {
	if a.Words != nil {
		return a.Words(locale, key, args...)
	}
	return key
}
