package federation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// probeWithin bounds a whole test of a connection.
const probeWithin = 25 * time.Second

// Clocks that differ by this much are told of; by more than sig takes, other
// servers refuse what is signed.
const (
	skewTold    = 2 * time.Minute
	skewRefused = time.Hour
)

// mostDays is for how many days a certificate must count still, or it is told.
const mostDays = 10 * 24 * time.Hour

// Probe tries, step by step, whether this server and another can talk, and says
// where it ends: our policy, the name, the connection, the certificate, the
// clocks, what answers there, whether it takes our signature and has let us in,
// and what is known of the way back. After a step that fails, those that hang
// on it are not tried. A host that is blocked or is no server's name is asked
// nothing; from one that is not admitted nothing is asked but what it is.
func (f *Federation) Probe(ctx context.Context, host string) ([]peers.ProbeStep, error) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	p, err := f.probeOf(ctx, host)
	if err != nil {
		return nil, err
	}
	p.run(ctx)
	return p.steps, ctx.Err()
}

// askWhetherLetIn has it noted whether a server that is connected still shows
// this one what it shows only to servers that it admits.
func (f *Federation) askWhetherLetIn(ctx context.Context, host string) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	p, err := f.probeOf(ctx, host)
	if err != nil {
		f.log.Error("server not asked whether it lets this one in", "host", host, "err", err)
		return
	}
	if p.decision.Admitted {
		p.signed(ctx)
	}
}

// probeOf reads what a test begins with.
func (f *Federation) probeOf(ctx context.Context, host string) (*probe, error) {
	p := &probe{f: f, host: host}
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		if host, err = peers.Normalise(tx, host); err != nil {
			return err
		}
		p.host = host
		if p.decision, err = peers.DecideOne(tx, host); err != nil {
			return err
		}
		if p.known, err = peers.HostByName(tx, host); fault.Is(err, fault.NotFound) {
			p.known, err = peers.Host{Host: host}, nil
		}
		if err != nil {
			return err
		}
		if err := tx.Raw("SELECT uri FROM accounts WHERE host = ? AND deleted_at IS NULL AND uri IS NOT NULL AND actor_type <> 'Application' ORDER BY id DESC LIMIT 1", host).Scan(&p.someone).Error; err != nil {
			return err
		}
		return tx.Raw(`SELECT COALESCE(MAX(failures), 0) AS failures, COALESCE(MAX(error), '') AS error,
			(SELECT COUNT(*) FROM (SELECT 1 AS one FROM deliveries WHERE host = ? AND state = 'waiting' LIMIT 1000) AS waits) AS waiting
			FROM lanes WHERE queue = 'deliveries' AND host = ?`, host, host).Scan(&p.lane).Error
	})
	return p, err
}

// probe is a test of one connection.
type probe struct {
	f        *Federation
	host     string
	decision peers.Decision
	known    peers.Host
	someone  string // an account there, whose document only servers that it admits get
	lane     struct {
		Failures, Waiting int64
		Error             string
	}
	steps []peers.ProbeStep
}

func (p *probe) say(step string, state peers.ProbeState, outcome string, args ...any) bool {
	s := peers.ProbeStep{Step: step, State: state, Key: "probe." + step + "_" + outcome, Args: map[string]any{"Host": p.host}}
	for i := 0; i+1 < len(args); i += 2 {
		s.Args[args[i].(string)] = args[i+1]
	}
	p.steps = append(p.steps, s)
	return state != peers.ProbeBad
}

func (p *probe) run(ctx context.Context) {
	on := p.policy()
	if p.decision.Standing == peers.Blocked {
		return
	}
	if p.way(ctx) {
		if p.server(ctx) && on {
			p.signed(ctx)
		}
	}
	p.back()
}

// policy says what was decided here.
func (p *probe) policy() (admitted bool) {
	switch d := p.decision; {
	case d.Admitted && d.Standing == peers.Unknown:
		return p.say("policy", peers.ProbeOK, "open")
	case d.Admitted:
		return p.say("policy", peers.ProbeOK, "allowed", "Ceiling", string(d.Ceiling))
	case d.Standing == peers.Unknown:
		return p.say("policy", peers.ProbeBad, "unknown")
	default:
		return p.say("policy", peers.ProbeBad, string(d.Standing))
	}
}

// way looks at the name, the connection and the certificate.
func (p *probe) way(ctx context.Context) bool {
	l := p.f.egress.Look(ctx, p.host)
	now := p.f.db.Now()
	if l.Resolved != nil {
		return p.say("dns", peers.ProbeBad, "none")
	}
	var addresses []string
	for _, a := range l.Addresses {
		addresses = append(addresses, a.String())
	}
	p.say("dns", peers.ProbeOK, "ok", "Addresses", strings.Join(addresses, ", "))
	switch err := l.Connected; {
	case err == nil:
		p.say("connect", peers.ProbeOK, "ok")
	case errors.Is(err, egress.ErrPrivateAddress):
		return p.say("connect", peers.ProbeBad, "private")
	case errors.Is(err, egress.ErrTimeout):
		return p.say("connect", peers.ProbeBad, "timeout")
	default:
		return p.say("connect", peers.ProbeBad, "refused")
	}
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var noTLS tls.RecordHeaderError
	switch err := l.Secured; {
	case l.Plain:
		return p.say("tls", peers.ProbeWarn, "plain")
	case err == nil && l.To.Sub(now) < mostDays:
		return p.say("tls", peers.ProbeWarn, "soon", "Until", l.To)
	case err == nil:
		return p.say("tls", peers.ProbeOK, "ok", "Until", l.To)
	case !l.To.IsZero() && now.After(l.To):
		return p.say("tls", peers.ProbeBad, "expired", "Until", l.To)
	case !l.From.IsZero() && now.Before(l.From):
		return p.say("tls", peers.ProbeBad, "not_yet", "From", l.From, "Now", now)
	case errors.As(err, &name):
		return p.say("tls", peers.ProbeBad, "name", "Names", strings.Join(l.Names, ", "))
	case errors.As(err, &authority):
		return p.say("tls", peers.ProbeBad, "authority")
	case errors.As(err, &noTLS):
		return p.say("tls", peers.ProbeBad, "none")
	case errors.Is(err, egress.ErrTimeout):
		return p.say("tls", peers.ProbeBad, "timeout")
	default:
		return p.say("tls", peers.ProbeBad, "other", "Error", err.Error())
	}
}

// server asks what answers there, and compares the clocks. The question is
// unsigned and about nothing but the server itself, so it is also put to one
// that is not admitted, for an administrator who means to connect with it.
func (p *probe) server(ctx context.Context) bool {
	res, err := p.f.egress.Get(ctx, egress.Request{URL: p.f.site.Scheme + "://" + p.host + "/.well-known/nodeinfo", Accept: "application/json", MaxBody: 64 << 10})
	switch {
	case errors.Is(err, egress.ErrRedirect):
		return p.say("server", peers.ProbeBad, "redirect")
	case errors.Is(err, egress.ErrTimeout):
		return p.say("server", peers.ProbeBad, "timeout")
	case err != nil:
		return p.say("server", peers.ProbeBad, "none")
	}
	p.clock(res)
	switch {
	case res.Status == http.StatusNotFound || res.Status == http.StatusGone:
		return p.say("server", peers.ProbeBad, "no_nodeinfo")
	case res.Status != http.StatusOK:
		return p.say("server", peers.ProbeBad, "status", "Status", res.Status)
	}
	if p.known.Software != "" {
		return p.say("server", peers.ProbeOK, "software", "Software", strings.TrimSpace(p.known.Software+" "+p.known.Version))
	}
	return p.say("server", peers.ProbeOK, "ok")
}

// clock compares the two clocks: a signature counts for a while only.
//
// RFC 9110, section 6.6.1 (Date).
func (p *probe) clock(res *egress.Response) {
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		p.say("clock", peers.ProbeWarn, "unknown")
		return
	}
	off := p.f.db.Now().Sub(theirs).Round(time.Second)
	switch by := off.Abs(); {
	case by > skewRefused:
		p.say("clock", peers.ProbeBad, "off", "By", by)
	case by > skewTold:
		p.say("clock", peers.ProbeWarn, "off", "By", by)
	default:
		p.say("clock", peers.ProbeOK, "ok")
	}
}

// signed asks, with our signature, for something that a closed server shows only
// to servers that it admits.
func (p *probe) signed(ctx context.Context) {
	address, err := p.someone, error(nil)
	switch {
	case address != "":
	case p.known.ActorURI != "":
		if actor, failed := p.f.instanceActor(ctx, p.host, p.known.ActorURI); failed == nil {
			address = actor.Outbox
		}
	default:
		address, err = p.itself(ctx)
	}
	if address == "" && err == nil {
		p.say("signed", peers.ProbeWarn, "nothing")
		return
	}
	if err == nil {
		_, err = p.f.get(ctx, address, acceptActivity)
	}
	status := 0
	var no *fault.Error
	if errors.As(err, &no) {
		status, _ = no.Args["Status"].(int)
	}
	switch {
	case err == nil:
		p.say("signed", peers.ProbeOK, "ok")
		p.f.letInBy(ctx, p.known)
	case no != nil && no.Key == "federation.not_connected":
		p.say("signed", peers.ProbeBad, "not_connected")
	case status == http.StatusUnauthorized:
		p.say("signed", peers.ProbeBad, "signature")
	case status == http.StatusForbidden:
		p.say("signed", peers.ProbeBad, "refused")
	case status == http.StatusNotFound || status == http.StatusGone || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone):
		p.say("signed", peers.ProbeWarn, "nothing") // what was asked for is gone; that says nothing of us
	default:
		p.say("signed", peers.ProbeBad, "other", "Status", status)
	}
}

// itself returns the outbox of the actor that a server's handle for itself,
// host@host, leads to. It is empty where there is no such actor; an actor that is
// shown to admitted servers only fails as its outbox would. GoToSocial 0.20 and
// Mastodon have such a handle, and GoToSocial says nowhere else where its own
// actor is.
func (p *probe) itself(ctx context.Context) (outbox string, err error) {
	res, err := p.f.get(ctx, p.f.site.Scheme+"://"+p.host+"/.well-known/webfinger?resource="+escapeQuery("acct:"+p.host+"@"+p.host), "application/jrd+json, application/json")
	if err != nil {
		return "", nil // most servers have none
	}
	address, err := readWebFinger(res.Body)
	if err != nil {
		return "", nil
	}
	if at, err := iri.HostOf(address); err != nil || at != p.host {
		return "", nil
	}
	actor, err := p.f.actorAt(ctx, address)
	return actor.Outbox, err
}

// back says what is known of the way from there to here, and of what waits.
func (p *probe) back() {
	switch k := p.known; {
	case k.LastInAt != nil:
		p.say("back", peers.ProbeOK, "ok", "When", *k.LastInAt)
	case k.RefusedInAt != nil && !p.decision.Admitted:
		p.say("back", peers.ProbeWarn, "knocked", "When", *k.RefusedInAt)
	default:
		p.say("back", peers.ProbeWarn, "never")
	}
	switch {
	case p.lane.Failures > 0:
		p.say("queue", peers.ProbeWarn, "failing", "Count", int(p.lane.Waiting), "Reason", p.lane.Error)
	case p.lane.Waiting > 0:
		p.say("queue", peers.ProbeOK, "waiting", "Count", int(p.lane.Waiting))
	default:
		p.say("queue", peers.ProbeOK, "empty")
	}
}
