package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// commandLine is what the list of apps calls a token that was made here.
const commandLine = "Command line"

// tokenCommand looks after the access tokens with which programs act in
// somebody's name.
type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Make an access token for a script, and print it."`
	List   tokenList   `cmd:"" help:"List what may act in somebody's name: apps and scripts."`
	Revoke tokenRevoke `cmd:"" help:"End a token. It counts no more at once."`
}

// owner is whose tokens are meant.
type owner struct {
	Login string `arg:"" name:"name" help:"Whose: user name or mail address."`
}

func (o owner) find(tx *store.Tx) (community.Person, error) {
	who, err := community.PersonByLogin(tx, o.Login)
	if fault.Is(err, fault.NotFound) {
		return who, fmt.Errorf("%s: nobody signs in by this name; see: chalkring account list", o.Login)
	}
	return who, err
}

type tokenCreate struct {
	owner
	Scopes string `default:"read" help:"What it may be used for, such as \"read write follow\". For moderation: \"admin:read admin:write\"."`
	Label  string `default:"Command line" help:"What the owner's list of apps calls it."`
}

// Run prints a token and nothing else, so that a script can take it.
func (t tokenCreate) Run(ctx context.Context, c *config.Config, io streams) error {
	return withDB(ctx, c, io, func(db *store.DB) error {
		var who community.Person
		err := db.Read(ctx, func(tx *store.Tx) (err error) {
			who, err = t.find(tx)
			return err
		})
		if err != nil {
			return err
		}
		token, err := app.IssueToken(ctx, db, who.ID, t.Label, t.Scopes)
		if err == nil {
			fmt.Fprintln(io.out, token)
		}
		return err
	})
}

type tokenList struct {
	owner
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists somebody's tokens, never the secret part.
func (t tokenList) Run(ctx context.Context, c *config.Config, io streams) error {
	var grants []auth.Access
	err := read(ctx, c, io, func(tx *store.Tx) error {
		who, err := t.find(tx)
		if err != nil {
			return err
		}
		grants, err = auth.Grants(tx, who.ID)
		return err
	})
	if err != nil {
		return err
	}
	if t.JSON {
		type token struct {
			ID      int64      `json:"id,string"`
			Name    string     `json:"name"`
			Scopes  []string   `json:"scopes"`
			Created time.Time  `json:"created_at"`
			Used    *time.Time `json:"used_on"`
		}
		out := make([]token, len(grants))
		for i, g := range grants {
			out[i] = token{g.Token.ID, g.App.Name, g.Scopes, g.Token.CreatedAt, g.Token.UsedOn}
		}
		return printJSON(io.out, out)
	}
	return table(io.out, "ID\tNAME\tSCOPES\tSINCE\tUSED", func(row func(string, ...any)) {
		for _, g := range grants {
			used := "never"
			if g.Token.UsedOn != nil {
				used = g.Token.UsedOn.Format(time.DateOnly)
			}
			row("%d\t%s\t%s\t%s\t%s", g.Token.ID, g.App.Name, g.Scopes, g.Token.CreatedAt.Format(time.DateOnly), used)
		}
	})
}

type tokenRevoke struct {
	owner
	ID int64 `arg:"" help:"Its number in the list."`
}

// Run ends a token.
func (t tokenRevoke) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		who, err := t.find(tx)
		if err != nil {
			return err
		}
		grants, err := auth.Grants(tx, who.ID)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if g.Token.ID == t.ID {
				return auth.EndGrant(tx, who.ID, t.ID)
			}
		}
		return fmt.Errorf("%s has no token %d; see: chalkring token list %s", t.Login, t.ID, t.Login)
	})
	if err == nil {
		fmt.Fprintf(io.out, "Token %d counts no more.\n", t.ID)
	}
	return err
}
