package peers

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// Subscribed is news that a list which this server follows is to be looked at;
// the key is the subscription's number.
const Subscribed store.Topic = "subscribed"

// SubState is how it stands with a subscription.
type SubState string

// The states.
const (
	SubAsked   SubState = "asked"   // it was never fetched
	SubConfirm SubState = "confirm" // its publisher's key waits for a person to compare it
	SubActive  SubState = "active"
	SubStopped SubState = "stopped" // a person must look: see the reasons
	SubEnded   SubState = "ended"   // kept for what came of it
)

// Why a subscription is stopped.
const (
	StopKey  = "key_changed"
	StopMass = "mass_change"
	StopHand = "by_hand"
)

// OnRetract is what follows when a list takes a server back.
type OnRetract string

// What follows.
const (
	RetractReview OnRetract = "review" // a person decides
	RetractRemove OnRetract = "remove" // the connection ends
	RetractIgnore OnRetract = "ignore"
)

// How often lists are looked at. One that is signed can tell of an emergency,
// which must be known within a minute.
const (
	pollSigned   = 45 * time.Second
	pollUnsigned = time.Hour
	pollFailing  = 5 * time.Minute // a signed one at most
	pollSilent   = 6 * time.Hour   // any other at most
	claimFor     = 5 * time.Minute
)

// lookAgain stands for the ETag of a list of which also what it says as before
// is to be judged by other rules.
const lookAgain = "!"

// Conditional are the ETag and the date with which the list is asked for again.
func (s Subscription) Conditional() (etag, modified string) {
	if s.ETag == lookAgain {
		return "", ""
	}
	return s.ETag, s.Modified
}

// Mass changes: a list of which a greater part changes or goes at once, or within
// a week, stops its subscription. A few are never a mass, however short the list.
const (
	massPercent = 20
	massLeast   = 3
	massAdded   = 50 // that are added by themselves; more become drafts
	massWithin  = 7 * 24 * time.Hour
)

// Subscription is a list of another server that this one follows.
type Subscription struct {
	ID          int64
	URL         string `gorm:"column:url"`
	Host        string
	Name        string
	About       string
	Format      Format
	Publisher   string // the actor that signs it
	KeyPEM      string `gorm:"column:key_pem"` // its key, "" for a list without signature
	NewKeyPEM   string `gorm:"column:new_key_pem"`
	Pin         string // the fingerprint that was given with the address
	State       SubState
	Why         string
	AutoAccept  bool
	AutoResume  bool
	Adopt       bool
	TierCap     Preset
	QuorumGroup string
	Quorum      int64
	Priority    int64
	OnRetract   OnRetract
	ETag        string `gorm:"column:etag"`
	Modified    string
	ListedAt    *time.Time // what the list says of when it was changed
	HeldDigest  string     // of the document that changes too much
	LetDigest   string     // of the one that a person let through
	LetAt       *time.Time // when such a one had last had its effect
	HeldChanged int64
	HeldGone    int64
	Entries     int64
	Todo        int64
	Done        int64
	Failures    int64
	Error       string // message key
	NextAt      *time.Time
	TriedAt     *time.Time
	OKAt        *time.Time `gorm:"column:ok_at"`
	CreatedBy   *int64
	CreatedAt   time.Time
}

// TableName names the table of subscriptions.
func (Subscription) TableName() string { return "list_subs" }

// Signed reports whether the list must be signed by a key that a person compared.
func (s Subscription) Signed() bool { return s.KeyPEM != "" }

// Title is what the list is called: as it calls itself, or by its address.
func (s Subscription) Title() string {
	if s.Name != "" {
		return s.Name
	}
	return s.Host
}

// Source is what the list is called and which server gives it out: who answers
// for what comes of it.
func (s Subscription) Source() string {
	if s.Name == "" {
		return s.Host
	}
	return s.Name + " (" + s.Host + ")"
}

// Address is where the list is, without what is secret in it.
func (s Subscription) Address() string {
	at, _, _ := strings.Cut(s.URL, "?")
	return at
}

// SubForm is what an administrator decides about a list.
type SubForm struct {
	AutoAccept bool // what it adds and changes takes effect by itself
	AutoResume bool // what it paused in an emergency goes on by itself when that is over
	Adopt      bool // servers from lists that are followed no more count as from this one
	TierCap    Preset
	Group      string // of lists that are counted together
	Quorum     int64  // how many of the group must name a server
	Priority   int64  // of lists that name the same server the highest counts
	OnRetract  OnRetract
}

// tiers are the presets that a list can give, the narrowest first.
var tiers = []Preset{PresetListen, PresetTrial, PresetFriendly, PresetNetwork, PresetPartner}

// TierCaps are the presets that a list may give at most; never more than a trusted network.
func TierCaps() []Preset { return []Preset{PresetNetwork, PresetFriendly, PresetTrial, PresetListen} }

func tierRank(p Preset) int {
	for i, t := range tiers {
		if t == p {
			return i
		}
	}
	return -1
}

// capped is the preset that a list gives to a server, as far as it may.
func capped(tier, most Preset) Preset {
	if tierRank(tier) < 0 || tierRank(tier) > tierRank(most) {
		return most
	}
	return tier
}

func (f *SubForm) check(form *fault.Check) {
	if f.TierCap == "" {
		f.TierCap = PresetNetwork
	}
	if f.OnRetract == "" {
		f.OnRetract = RetractReview
	}
	if tierRank(f.TierCap) < 0 || f.TierCap == PresetPartner {
		form.Add("tier_cap", "peerlist.cap_invalid", "A list can give a trusted network at most.", nil)
	}
	if f.OnRetract != RetractReview && f.OnRetract != RetractRemove && f.OnRetract != RetractIgnore {
		form.Add("on_retract", "peers.policy_invalid", "Choose one of the values that are offered.", nil)
	}
	f.Group = clipped(f.Group, 60)
	if f.Group == "" {
		f.Quorum = 0
	} else if f.Quorum < 1 || f.Quorum > 20 {
		form.Add("quorum", "peerlist.quorum_invalid", "Say how many lists of the group must name a server: 1 to 20.", nil)
	}
	if f.Priority < -1000 || f.Priority > 1000 {
		form.Add("priority", "peerlist.priority_invalid", "Choose a number from -1000 to 1000.", nil)
	}
}

func (f SubForm) columns() map[string]any {
	return map[string]any{"auto_accept": f.AutoAccept, "auto_resume": f.AutoResume, "adopt": f.Adopt, "tier_cap": f.TierCap, "quorum_group": f.Group,
		"quorum": f.Quorum, "priority": f.Priority, "on_retract": f.OnRetract}
}

// Form is what was decided about the list.
func (s Subscription) Form() SubForm {
	return SubForm{AutoAccept: s.AutoAccept, AutoResume: s.AutoResume, Adopt: s.Adopt, TierCap: s.TierCap, Group: s.QuorumGroup, Quorum: s.Quorum,
		Priority: s.Priority, OnRetract: s.OnRetract}
}

// listAddress checks the address of a list and returns it with its host.
func listAddress(tx *store.Tx, address string) (string, string, error) {
	bad := fault.Invalidf("url", "Type the whole address of the list, with https:// at its front.").WithKey("peerlist.url_invalid", nil)
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || len(address) > 1500 || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !iri.IsDev(tx.Site.Host)) {
		return "", "", bad
	}
	u.Fragment = ""
	host, err := iri.HostOf(u.String())
	if err != nil {
		return "", "", bad
	}
	// a port or an address, for which nothing could be decided, is none
	if h, err := iri.NormaliseHost(host, iri.IsDev(tx.Site.Host)); err != nil || h != host {
		return "", "", bad
	}
	if host == tx.Site.Host {
		return "", "", fault.Invalidf("url", "This is a list of this server itself.").WithKey("peerlist.url_own", nil)
	}
	return u.String(), host, nil
}

// Subscribe begins to follow a list. Nothing follows from it before it was
// fetched and, if it is signed, a person has compared its publisher's key; pin
// is the key's fingerprint if they were given it together with the address.
func Subscribe(tx *store.Tx, by int64, address, pin string, f SubForm) (Subscription, error) {
	var form fault.Check
	f.check(&form)
	address, host, err := listAddress(tx, address)
	if !form.Take(err) && err != nil {
		return Subscription{}, err
	}
	if pin = tidyPrint(pin); pin != "" && len(pin) != 2*sha256.Size {
		form.Add("pin", "peerlist.pin_invalid", "A fingerprint has 64 digits and letters from a to f.", nil)
	}
	if err := form.Err(); err != nil {
		return Subscription{}, err
	}
	var there int64
	if err := tx.Raw("SELECT COUNT(*) FROM list_subs WHERE url = ? AND state <> ?", address, SubEnded).Scan(&there).Error; err != nil {
		return Subscription{}, err
	}
	if there > 0 {
		return Subscription{}, fault.Invalidf("url", "This list is followed already.").WithKey("peerlist.url_taken", nil)
	}
	standing, err := StandingOf(tx, host)
	if err != nil {
		return Subscription{}, err
	}
	if standing == Blocked {
		return Subscription{}, fault.Invalidf("url", "The server %s is blocked.", host).WithKey("peerlist.url_blocked", map[string]any{"Host": host})
	}
	s := Subscription{ID: tx.NewID(), URL: address, Host: host, Pin: pin, State: SubAsked, AutoAccept: f.AutoAccept, AutoResume: f.AutoResume, Adopt: f.Adopt,
		TierCap: f.TierCap, QuorumGroup: f.Group, Quorum: f.Quorum, Priority: f.Priority, OnRetract: f.OnRetract, NextAt: &tx.Now,
		CreatedBy: actor(by), CreatedAt: tx.Now}
	if err := tx.Create(&s).Error; err != nil {
		return s, err
	}
	tx.Announce(Subscribed, s.ID)
	return s, Record(tx, Line{ActorID: actor(by), Action: "subscription.make", Subject: s.Address()})
}

// SubscriptionByID returns a subscription, or fault.NotFound.
func SubscriptionByID(tx *store.Tx, id int64) (Subscription, error) {
	var s Subscription
	err := tx.Where("id = ?", id).Take(&s).Error
	return s, noSubscription(err)
}

// SubscriptionByURL returns the subscription to an address that has not ended.
func SubscriptionByURL(tx *store.Tx, address string) (Subscription, error) {
	var s Subscription
	err := tx.Where("url = ? AND state <> ?", strings.TrimSpace(address), SubEnded).Take(&s).Error
	return s, noSubscription(err)
}

// ListOf returns the list of which the latest decision about a peer came;
// fault.NotFound if it came of none.
func ListOf(tx *store.Tx, host string) (Subscription, error) {
	var s Subscription
	err := tx.Table("list_subs").Select("list_subs.*").Joins("JOIN list_drafts d ON d.sub_id = list_subs.id JOIN peers p ON p.host = d.host AND p.changed_at = d.applied_at").
		Where("d.host = ? AND d.state = ?", host, DraftAccepted).Order("d.id DESC").Take(&s).Error
	return s, noSubscription(err)
}

func noSubscription(err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.Keyed(fault.NotFound, "peerlist.no_subscription", "No such list is followed.", nil)
	}
	return err
}

// Subscriptions returns the lists that are followed, those that count most first.
func Subscriptions(tx *store.Tx) ([]Subscription, error) {
	var all []Subscription
	err := tx.Where("state <> ?", SubEnded).Order("priority DESC, id").Limit(200).Find(&all).Error
	return all, err
}

// SubscriptionsByID returns subscriptions by their numbers, also ended ones.
func SubscriptionsByID(tx *store.Tx, ids []int64) (map[int64]Subscription, error) {
	var all []Subscription
	byID := map[int64]Subscription{}
	if len(ids) == 0 {
		return byID, nil
	}
	err := tx.Where("id IN ?", ids).Find(&all).Error
	for _, s := range all {
		byID[s.ID] = s
	}
	return byID, err
}

// SetSubscription changes what follows from a list from now on.
func SetSubscription(tx *store.Tx, by, id int64, f SubForm) (Subscription, error) {
	s, err := SubscriptionByID(tx, id)
	if err != nil {
		return s, err
	}
	var form fault.Check
	f.check(&form)
	if f.AutoAccept && !s.Signed() && s.State != SubAsked && s.State != SubConfirm {
		form.Add("auto_accept", "peerlist.auto_unsigned", "This list is not signed. What it says is only ever proposed.", nil)
	}
	if err := form.Err(); err != nil {
		return s, err
	}
	before := s.Form()
	if err := tx.Model(&Subscription{}).Where("id = ?", id).Updates(f.columns()).Error; err != nil {
		return s, err
	}
	// what was left out for the rules before is looked at again
	if err := tx.Exec("UPDATE list_subs SET etag = ?, modified = '', next_at = CASE WHEN state = 'active' THEN ? ELSE next_at END WHERE id = ? OR quorum_group <> '' AND quorum_group IN ?",
		lookAgain, tx.Now, id, []string{before.Group, f.Group}).Error; err != nil {
		return s, err
	}
	tx.Announce(Subscribed, id)
	if err := s.record(tx, by, "subscription.change", fmt.Sprintf("%+v", before), fmt.Sprintf("%+v", f), ""); err != nil {
		return s, err
	}
	return SubscriptionByID(tx, id)
}

func (s Subscription) record(tx *store.Tx, by int64, action, before, after, reason string) error {
	return Record(tx, Line{ActorID: actor(by), Action: action, Subject: s.Address(), Before: before, After: after, Reason: reason})
}

// ConfirmKey says that a person has compared the fingerprint of the publisher's
// key, which they give again, so that it is the one they saw.
func ConfirmKey(tx *store.Tx, by, id int64, print string) (Subscription, error) {
	s, err := SubscriptionByID(tx, id)
	if err != nil {
		return s, err
	}
	if s.NewKeyPEM == "" || s.State != SubConfirm && s.Why != StopKey {
		return s, fault.Keyed(fault.Conflict, "peerlist.nothing_to_confirm", "There is no key to confirm.", nil)
	}
	if tidyPrint(print) != tidyPrint(KeyPrint(s.NewKeyPEM)) {
		return s, fault.Invalidf("print", "This is not the fingerprint of the key that the list is signed with.").WithKey("peerlist.print_differs", nil)
	}
	before, after := KeyPrint(s.KeyPEM), KeyPrint(s.NewKeyPEM)
	err = tx.Exec("UPDATE list_subs SET key_pem = new_key_pem, new_key_pem = '', state = ?, why = '', etag = '', modified = '', error = '', failures = 0, next_at = ? WHERE id = ?",
		SubActive, tx.Now, id).Error
	if err != nil {
		return s, err
	}
	tx.Announce(Subscribed, id)
	if err := s.record(tx, by, "subscription.key", before, after, ""); err != nil {
		return s, err
	}
	return SubscriptionByID(tx, id)
}

// LetThrough lets the change through that stopped a list, this one alone: if
// the list has changed again meanwhile it is judged anew.
func LetThrough(tx *store.Tx, by, id int64) (Subscription, error) {
	s, err := SubscriptionByID(tx, id)
	if err != nil {
		return s, err
	}
	if s.State != SubStopped || s.Why != StopMass {
		return s, fault.Keyed(fault.Conflict, "peerlist.nothing_held", "Nothing of this list waits to be let through.", nil)
	}
	err = tx.Exec("UPDATE list_subs SET let_digest = held_digest, held_digest = '', state = ?, why = '', etag = '', modified = '', next_at = ? WHERE id = ?",
		SubActive, tx.Now, id).Error
	if err != nil {
		return s, err
	}
	tx.Announce(Subscribed, id)
	return s, s.record(tx, by, "subscription.let", "", fmt.Sprintf("%d changed, %d gone", s.HeldChanged, s.HeldGone), "")
}

// StopSubscription leaves a list alone for now, or goes on with it. What was
// stopped for its key or for a mass change has deeds of its own.
func StopSubscription(tx *store.Tx, by, id int64, stop bool) (Subscription, error) {
	s, err := SubscriptionByID(tx, id)
	if err != nil {
		return s, err
	}
	switch {
	case stop && s.State == SubActive:
		err = tx.Exec("UPDATE list_subs SET state = ?, why = ?, next_at = NULL WHERE id = ?", SubStopped, StopHand, id).Error
	case !stop && s.State == SubStopped && s.Why == StopHand:
		err = tx.Exec("UPDATE list_subs SET state = ?, why = '', next_at = ? WHERE id = ?", SubActive, tx.Now, id).Error
		tx.Announce(Subscribed, id)
	default:
		return s, nil
	}
	if err != nil {
		return s, err
	}
	action := "subscription.go_on"
	if stop {
		action = "subscription.stop"
	}
	return s, s.record(tx, by, action, "", "", "")
}

// FetchNow has a list looked at as soon as possible.
func FetchNow(tx *store.Tx, id int64) error {
	tx.Announce(Subscribed, id)
	return tx.Exec("UPDATE list_subs SET next_at = ? WHERE id = ? AND state IN ?", tx.Now, id, []SubState{SubAsked, SubActive}).Error
}

// Unsubscribe ends a subscription. What came of it stays as it is, without a
// list that speaks for it; what it only proposed is dropped.
func Unsubscribe(tx *store.Tx, by, id int64) error {
	s, err := SubscriptionByID(tx, id)
	if err != nil || s.State == SubEnded {
		return err
	}
	for _, sql := range []string{
		"DELETE FROM list_drafts WHERE sub_id = ? AND state IN ('open', 'accepting', 'failed')",
		"DELETE FROM list_sub_entries WHERE sub_id = ?",
		"UPDATE list_subs SET state = 'ended', next_at = NULL, why = '' WHERE id = ?",
	} {
		if err := tx.Exec(sql, id).Error; err != nil {
			return err
		}
	}
	return s.record(tx, by, "subscription.end", "", "", "")
}

// ListNews has the lists at an address looked at now: their publisher's server
// says that they have changed.
func ListNews(tx *store.Tx, publisher, address string) (bool, error) {
	var ids []int64
	err := tx.Raw(`SELECT id FROM list_subs WHERE publisher = ? AND state = ? AND (url = ? OR url LIKE ? ESCAPE '\')`, publisher, SubActive, address,
		literal(address)+"?%").Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return false, err
	}
	for _, id := range ids {
		if err := FetchNow(tx, id); err != nil {
			return false, err
		}
	}
	return true, nil
}

// DueSubscriptions returns lists whose time has come to be looked at.
func DueSubscriptions(tx *store.Tx, most int) ([]Subscription, error) {
	var due []Subscription
	err := tx.Where("next_at <= ?", tx.Now).Order("next_at").Limit(most).Find(&due).Error
	return due, err
}

// ClaimSubscription takes a list that is due to be looked at, so that no other
// node does, and reports whether it was to be had.
func ClaimSubscription(tx *store.Tx, s Subscription) (bool, error) {
	res := tx.Exec("UPDATE list_subs SET next_at = ?, tried_at = ? WHERE id = ? AND next_at <= ?", tx.Now.Add(claimFor), tx.Now, s.ID, tx.Now)
	return res.RowsAffected > 0, res.Error
}

// ListFailed remembers why a list could not be had, and when it is tried again.
func ListFailed(tx *store.Tx, s Subscription, key string) error {
	wait, most := pollUnsigned, pollSilent
	if s.Signed() || s.State == SubAsked {
		wait, most = pollSigned, pollFailing
	}
	wait = min(wait<<min(s.Failures, 10), most)
	return tx.Exec("UPDATE list_subs SET error = ?, failures = failures + 1, next_at = ? WHERE id = ? AND state IN ?", key, tx.Now.Add(wait), s.ID,
		[]SubState{SubAsked, SubActive}).Error
}

// Why a list is not asked for.
const (
	ListPublisherPaused = "peerlist.publisher_paused"
	ListPublisherEnded  = "peerlist.publisher_ended"
)

// NotAsked reports whether the list is not asked for, because of how it stands
// with its publisher's server.
func (s Subscription) NotAsked() bool {
	return s.Error == ListPublisherPaused || s.Error == ListPublisherEnded
}

// WakeLists has lists looked at now that were not asked for because of how it
// stood with their publisher, which is connected again.
func WakeLists(tx *store.Tx, host string) error {
	return tx.Exec("UPDATE list_subs SET next_at = ? WHERE error IN ? AND state IN ? AND host = ?", tx.Now,
		[]string{ListPublisherPaused, ListPublisherEnded}, []SubState{SubAsked, SubActive}, host).Error
}

// ListUnchanged remembers that a list was looked at and is as it was.
func ListUnchanged(tx *store.Tx, s Subscription) error {
	return tx.Exec("UPDATE list_subs SET error = '', failures = 0, ok_at = ?, next_at = ? WHERE id = ? AND state = ?", tx.Now, tx.Now.Add(s.poll()), s.ID, SubActive).Error
}

func (s Subscription) poll() time.Duration {
	if s.Signed() {
		return pollSigned
	}
	return pollUnsigned
}

// KeyPrint is the fingerprint of a public key, as people compare it: see KeyHash.
func KeyPrint(publicPEM string) string {
	hash, err := KeyHash(publicPEM)
	if err != nil {
		return ""
	}
	return Fingerprint(hash)
}

func tidyPrint(print string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'f' {
			return r
		}
		return -1
	}, strings.ToLower(print))
}

// Alone reports whether nothing was decided about any server yet.
func Alone(tx *store.Tx) (bool, error) {
	var alone bool
	err := tx.Raw("SELECT NOT EXISTS (SELECT 1 FROM peers)").Scan(&alone).Error
	return alone, err
}
