package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// requestCommands ask other servers to connect, and answer those that ask. What
// is said to them is sent by the server that runs.
type requestCommands struct {
	Request  peerRequest  `cmd:"" help:"Look at a server, and ask it to connect."`
	Requests peerRequests `cmd:"" help:"List the requests to connect, of this server and of others."`
	Accept   peerAccept   `cmd:"" help:"Connect with a server that asks."`
	Reject   peerReject   `cmd:"" help:"Tell a server that asks that this one does not connect."`
	Withdraw peerWithdraw `cmd:"" help:"Take back that this server asked."`
	Invite   peerInvite   `cmd:"" help:"Make a code by which a server is connected as soon as it asks."`
}

type peerRequest struct {
	Host    string `arg:"" help:"Name of the server, such as school.example."`
	Purpose string `help:"Why, in a sentence for the administrators there. Without it the server is only looked at."`
	Contact string `help:"How they can reach somebody here, best by telephone."`
	Preset  string `enum:"partner,network,trial,friendly,listen" default:"network" help:"What holds for the server once it accepts: partner, network, trial, friendly or listen."`
	Code    string `help:"The code of an invitation of theirs."`
}

// Run looks at a server and shows it; with a purpose it asks.
func (q peerRequest) Run(ctx context.Context, c *config.Config, io streams) error {
	return withDB(ctx, c, io, func(db *store.DB) error {
		out, done, err := app.Outwards(*c, db, logger(c, io.err))
		if err != nil {
			return err
		}
		defer done()
		seen, err := out.LookAt(ctx, q.Host)
		if err != nil {
			return err
		}
		fmt.Fprintf(io.out, "Server:      %s\nName:        %s\nSoftware:    %s\n", seen.Host, seen.Name, seen.Software)
		if seen.KeyHash != "" {
			fmt.Fprintf(io.out, "Fingerprint: %s\nSix words:   %s\n", peers.Fingerprint(seen.KeyHash), seen.Phrase)
		}
		if !seen.Understood {
			fmt.Fprintf(io.out, "Its software is not known to take requests. Write to its administrators, and: chalkring peer allow %s\n", seen.Host)
		}
		if q.Purpose == "" {
			return nil
		}
		var r peers.Request
		err = db.Write(ctx, func(tx *store.Tx) (err error) {
			r, err = peers.Ask(tx, 0, seen, peers.Form{Purpose: q.Purpose, Contact: q.Contact, Preset: peers.Preset(q.Preset), Code: q.Code})
			return err
		})
		if err != nil {
			return err
		}
		if r.Connected() {
			_, err = fmt.Fprintf(io.out, "It had asked already: the two are connected.\n")
			return err
		}
		_, err = fmt.Fprintf(io.out, "It is asked, until %s. Compare the six words with the people there.\n", r.ExpiresAt.Format(time.DateTime))
		return err
	})
}

type peerRequests struct {
	All  bool `help:"Also those that do not wait any more."`
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists requests.
func (q peerRequests) Run(ctx context.Context, c *config.Config, io streams) error {
	var list []peers.Request
	err := read(ctx, c, io, func(tx *store.Tx) error {
		for _, way := range []peers.RequestDirection{peers.In, peers.Out} {
			waiting, err := peers.WaitingRequests(tx, way)
			if err != nil {
				return err
			}
			list = append(list, waiting...)
		}
		if !q.All {
			return nil
		}
		past, err := peers.PastRequests(tx, store.Page{Limit: store.MaxLimit})
		list = append(list, past...)
		return err
	})
	if err != nil {
		return err
	}
	if q.JSON {
		type request struct {
			Direction   peers.RequestDirection `json:"direction"`
			Host        string                 `json:"host"`
			State       peers.RequestState     `json:"state"`
			Name        string                 `json:"name"`
			Purpose     string                 `json:"purpose"`
			Contact     string                 `json:"contact"`
			Phrase      string                 `json:"phrase"`
			Fingerprint string                 `json:"fingerprint"`
			Answer      string                 `json:"answer,omitempty"`
			Created     time.Time              `json:"created_at"`
			Expires     time.Time              `json:"expires_at"`
		}
		out := make([]request, len(list))
		for i, r := range list {
			out[i] = request{r.Direction, r.Host, r.State, r.Name, r.Purpose, r.Contact, r.Phrase, r.KeyHash, r.Answer, r.CreatedAt, r.ExpiresAt}
		}
		return printJSON(io.out, out)
	}
	return table(io.out, "WAY\tHOST\tSTATE\tSIX WORDS\tUNTIL\tCONTACT\tPURPOSE", func(row func(string, ...any)) {
		for _, r := range list {
			row("%s\t%s\t%s\t%s\t%s\t%s\t%s", r.Direction, r.Host, r.State, r.Phrase, r.ExpiresAt.Format(time.DateOnly), r.Contact, r.Purpose)
		}
	})
}

type peerAccept struct {
	Host   string `arg:"" help:"Name of the server that asks."`
	Preset string `enum:"partner,network,trial,friendly,listen" default:"network" help:"What holds for the server: partner, network, trial, friendly or listen."`
	Phrase string `help:"The six words that you have compared; others are refused."`
}

// Run accepts a request, if the server still has the key that it asked with.
func (a peerAccept) Run(ctx context.Context, c *config.Config, io streams) error {
	return withDB(ctx, c, io, func(db *store.DB) error {
		out, done, err := app.Outwards(*c, db, logger(c, io.err))
		if err != nil {
			return err
		}
		defer done()
		var r peers.Request
		err = db.Read(ctx, func(tx *store.Tx) (err error) {
			r, err = waitingWith(tx, peers.In, a.Host)
			return err
		})
		if err != nil {
			return err
		}
		if words := strings.Join(strings.Fields(strings.ToLower(a.Phrase)), " "); words != "" && words != r.Phrase {
			return fault.New(fault.Conflict, "The six words are not these: %s", r.Phrase)
		}
		if err := out.Recheck(ctx, r.ID); err != nil {
			return err
		}
		err = db.Write(ctx, func(tx *store.Tx) (err error) {
			r, err = peers.Accept(tx, 0, r.ID, peers.Acceptance{Preset: peers.Preset(a.Preset), KeyHash: r.KeyHash})
			return err
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(io.out, "Connected with %s; it is told.\n", r.Host)
		return err
	})
}

// waitingWith returns the request of a host that waits.
func waitingWith(tx *store.Tx, way peers.RequestDirection, typed string) (peers.Request, error) {
	host, err := peers.Normalise(tx, typed)
	if err != nil {
		return peers.Request{}, err
	}
	return peers.RequestWith(tx, way, host)
}

type peerReject struct {
	Host   string `arg:"" help:"Name of the server that asks."`
	Reason string `help:"Why; the administrators there read it."`
}

// Run rejects a request.
func (a peerReject) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		r, err := waitingWith(tx, peers.In, a.Host)
		if err == nil {
			_, err = peers.Reject(tx, 0, r.ID, a.Reason)
		}
		return err
	})
	if err == nil {
		_, err = fmt.Fprintf(io.out, "The request of %s is rejected; it is told.\n", a.Host)
	}
	return err
}

type peerWithdraw struct {
	Host   string `arg:"" help:"Name of the server that was asked."`
	Reason string `help:"Why; the administrators there read it."`
}

// Run withdraws a request of this server.
func (a peerWithdraw) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		r, err := waitingWith(tx, peers.Out, a.Host)
		if err == nil {
			_, err = peers.Withdraw(tx, 0, r.ID, a.Reason)
		}
		return err
	})
	if err == nil {
		_, err = fmt.Fprintf(io.out, "The request to %s is withdrawn; it is told.\n", a.Host)
	}
	return err
}

type peerInvite struct {
	Host   string `arg:"" help:"Name of the server that may use the code."`
	Preset string `enum:"partner,network,trial,friendly,listen" default:"network" help:"What holds for the server: partner, network, trial, friendly or listen."`
	Note   string `help:"A note for administrators."`
}

// Run makes an invitation.
func (v peerInvite) Run(ctx context.Context, c *config.Config, io streams) error {
	var code string
	var made peers.Invitation
	err := write(ctx, c, io, func(tx *store.Tx) (err error) {
		code, made, err = peers.Invite(tx, 0, v.Host, peers.Preset(v.Preset), v.Note)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%s\nFor %s alone, once, until %s. The code is shown only now.\n", code, made.Host, made.ExpiresAt.Format(time.DateTime))
	return err
}
