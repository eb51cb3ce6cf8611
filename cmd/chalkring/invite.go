package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/store"
)

// inviteCommand looks after invitations.
type inviteCommand struct {
	Create inviteCreate `cmd:"" help:"Make an invitation and print its link."`
	List   inviteList   `cmd:"" help:"List invitations, the newest first."`
	Revoke inviteRevoke `cmd:"" help:"End an invitation; accounts made with it stay."`
}

type inviteCreate struct {
	Role  string        `enum:"owner,it_admin,moderator,member,placement" default:"member" help:"Role of the accounts: owner, it_admin, moderator, member or placement."`
	Uses  int64         `default:"1" help:"How often it can be used."`
	Lasts time.Duration `default:"336h" help:"How long it can be used."`
	Note  string        `help:"Whom it is for."`
	JSON  bool          `name:"json" help:"Print JSON."`
	ends
}

// Run makes an invitation.
func (i inviteCreate) Run(ctx context.Context, c *config.Config, io streams) error {
	last, err := i.time()
	if err != nil {
		return err
	}
	var code string
	var made auth.Invite
	err = write(ctx, c, io, func(tx *store.Tx) (err error) {
		code, made, err = auth.NewInvite(tx, 0, auth.InviteForm{Role: community.Role(i.Role), Note: i.Note, MaxUses: i.Uses, EndsAt: last, Lasts: i.Lasts})
		return err
	})
	if err != nil {
		return err
	}
	link := c.BaseURL() + "/join/" + code
	if i.JSON {
		return printJSON(io.out, map[string]any{"id": fmt.Sprint(made.ID), "link": link, "role": made.Role, "uses": made.MaxUses, "expires_at": made.ExpiresAt})
	}
	_, err = fmt.Fprintf(io.out, "%s\nFor %d account(s) as %s, until %s. The link is shown only now.\n", link, made.MaxUses, made.Role, made.ExpiresAt.Format(time.DateTime))
	return err
}

type inviteList struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists invitations.
func (l inviteList) Run(ctx context.Context, c *config.Config, io streams) error {
	var invites []auth.Invite
	var now time.Time
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		now = tx.Now
		invites, err = auth.Invites(tx, store.Page{Limit: store.MaxLimit})
		return err
	})
	if err != nil {
		return err
	}
	if l.JSON {
		type invite struct {
			ID      int64          `json:"id,string"`
			Role    community.Role `json:"role"`
			Note    string         `json:"note"`
			Uses    int64          `json:"uses"`
			MaxUses int64          `json:"max_uses"`
			Open    bool           `json:"open"`
			Expires time.Time      `json:"expires_at"`
		}
		out := make([]invite, len(invites))
		for i, v := range invites {
			out[i] = invite{v.ID, v.Role, v.Note, v.Uses, v.MaxUses, v.Open(now), v.ExpiresAt}
		}
		return printJSON(io.out, out)
	}
	return table(io.out, "ID\tROLE\tUSED\tSTATE\tUNTIL\tNOTE", func(row func(string, ...any)) {
		for _, i := range invites {
			state := "closed"
			if i.Open(now) {
				state = "open"
			}
			row("%d\t%s\t%d of %d\t%s\t%s\t%s", i.ID, i.Role, i.Uses, i.MaxUses, state, i.ExpiresAt.Format(time.DateTime), i.Note)
		}
	})
}

type inviteRevoke struct {
	ID int64 `arg:"" help:"Number of the invitation, as invite list shows it."`
}

// Run ends an invitation.
func (i inviteRevoke) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error { return auth.RevokeInvite(tx, 0, i.ID) })
	if err == nil {
		fmt.Fprintln(io.out, "The invitation counts no more.")
	}
	return err
}
