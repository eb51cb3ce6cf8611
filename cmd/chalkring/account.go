package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/store"
)

// accountCommand looks after the people who sign in here. It acts on the
// database, so it works while the server runs and takes effect at once.
type accountCommand struct {
	Create     accountCreate     `cmd:"" help:"Make an account."`
	List       accountList       `cmd:"" help:"List the accounts of this server, the newest first."`
	Role       accountRole       `cmd:"" help:"Give somebody another role."`
	Password   accountPassword   `cmd:"" help:"Give somebody a new password; they are signed out everywhere."`
	RotateKeys accountRotateKeys `cmd:"" help:"Give somebody new keys to sign with; other servers are told."`
	Delete     accountDelete     `cmd:"" help:"Delete an account with all that is in it, here and on other servers."`
	Disable    accountDisable    `cmd:"" help:"End somebody's access; what they wrote stays."`
	Enable     accountEnable     `cmd:"" help:"Give somebody access again."`
}

// ends is when a placement ends.
type ends struct {
	Ends string `placeholder:"YYYY-MM-DD" help:"Last day of a placement."`
}

func (e ends) time() (*time.Time, error) {
	if e.Ends == "" {
		return nil, nil
	}
	day, err := time.Parse(time.DateOnly, e.Ends)
	if err != nil {
		return nil, fmt.Errorf("ends: %q is not a day; write it as 2026-12-18", e.Ends)
	}
	last := day.Add(24*time.Hour - time.Second)
	return &last, nil
}

type password struct {
	PasswordStdin bool `help:"Read the password from standard input. Without it, one is made and printed."`
}

// take returns the password and whether it was made here.
func (p password) take(io streams) (secret string, made bool, err error) {
	if !p.PasswordStdin {
		return app.NewPassword(), true, nil
	}
	line, err := bufio.NewReader(io.in).ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", false, errors.Join(errors.New("no password on standard input"), err)
	}
	return line, false, nil
}

type accountCreate struct {
	Username string `arg:"" help:"Name to sign in with: small letters, digits, - and _."`
	Name     string `help:"Name to be shown, such as \"Ana Lima\"."`
	Email    string `help:"Mail address; can be used to sign in, too."`
	Role     string `enum:"owner,it_admin,moderator,member,placement" default:"member" help:"Role: owner, it_admin, moderator, member or placement."`
	Token    string `placeholder:"SCOPES" help:"Print an access token for the API too, with these scopes, such as \"read write follow\"."`
	JSON     bool   `name:"json" help:"Print JSON."`
	ends
	password
}

// Run makes an account.
func (a accountCreate) Run(ctx context.Context, c *config.Config, io streams) error {
	last, err := a.time()
	if err != nil {
		return err
	}
	secret, made, err := a.take(io)
	if err != nil {
		return err
	}
	return withDB(ctx, c, io, func(db *store.DB) error {
		account, err := app.CreatePerson(ctx, db, app.NewPerson{Username: a.Username, DisplayName: a.Name, Email: a.Email, Password: secret,
			Role: community.Role(a.Role), EndsAt: last})
		if err != nil {
			return err
		}
		token := ""
		if a.Token != "" {
			if token, err = app.IssueToken(ctx, db, account.ID, commandLine, a.Token); err != nil {
				return fmt.Errorf("the account was made, but no token: %w", err)
			}
		}
		if a.JSON {
			out := map[string]string{"id": fmt.Sprint(account.ID), "handle": account.Handle(c.Host), "role": a.Role}
			if made {
				out["password"] = secret
			}
			if token != "" {
				out["token"] = token
			}
			return printJSON(io.out, out)
		}
		fmt.Fprintf(io.out, "Made %s as %s. Sign in at %s/sign-in\n", account.Handle(c.Host), a.Role, c.BaseURL())
		if made {
			fmt.Fprintf(io.out, "password: %s\n", secret)
		}
		if token != "" {
			fmt.Fprintf(io.out, "token: %s\n", token)
		}
		return nil
	})
}

type accountList struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists everybody who signs in here.
func (l accountList) Run(ctx context.Context, c *config.Config, io streams) error {
	var people []community.Person
	err := read(ctx, c, io, func(tx *store.Tx) error {
		page := store.Page{Limit: store.MaxLimit}
		for {
			some, err := community.ListPeople(tx, "", page)
			if err != nil {
				return err
			}
			people = append(people, some...)
			if len(some) < page.Size() {
				return nil
			}
			page.MaxID = some[len(some)-1].ID
		}
	})
	if err != nil {
		return err
	}
	if l.JSON {
		type person struct {
			ID       int64               `json:"id,string"`
			Username string              `json:"username"`
			Name     string              `json:"name"`
			Email    string              `json:"email"`
			Role     community.Role      `json:"role"`
			State    community.UserState `json:"state"`
			Created  time.Time           `json:"created_at"`
		}
		out := make([]person, len(people))
		for i, p := range people {
			out[i] = person{p.ID, p.Username, p.DisplayName, p.User.Email, p.User.Role, p.User.State, p.CreatedAt}
		}
		return printJSON(io.out, out)
	}
	return table(io.out, "USERNAME\tNAME\tROLE\tSTATE\tSINCE", func(row func(string, ...any)) {
		for _, p := range people {
			row("%s\t%s\t%s\t%s\t%s", p.Username, p.DisplayName, p.User.Role, p.User.State, p.CreatedAt.Format(time.DateOnly))
		}
	})
}

// somebody names a person by what they sign in with.
type somebody struct {
	Login string `arg:"" name:"account" help:"User name or mail address."`
}

// change finds the person and does something about them.
func (s somebody) change(ctx context.Context, c *config.Config, io streams, said string, fn func(tx *store.Tx, p community.Person) error) error {
	var who community.Person
	err := write(ctx, c, io, func(tx *store.Tx) (err error) {
		if who, err = community.PersonByLogin(tx, s.Login); err != nil {
			return fmt.Errorf("%s: %w", s.Login, err)
		}
		return fn(tx, who)
	})
	if err == nil {
		fmt.Fprintf(io.out, said+"\n", who.Handle(c.Host))
	}
	return err
}

type accountRotateKeys struct{ somebody }

// Run gives somebody new keys.
func (a accountRotateKeys) Run(ctx context.Context, c *config.Config, io streams) error {
	pair, err := community.NewKeyPair()
	if err != nil {
		return err
	}
	return a.change(ctx, c, io, "%s has new keys. Other servers are told.", func(tx *store.Tx, p community.Person) error {
		return community.RotateKeys(tx, 0, p.ID, pair)
	})
}

type accountDelete struct {
	somebody
	Confirm string `required:"" placeholder:"NAME" help:"The user name once more, for this cannot be undone."`
	Reason  string `help:"Why, for the log of decisions."`
}

// Run deletes an account.
func (a accountDelete) Run(ctx context.Context, c *config.Config, io streams) error {
	return a.change(ctx, c, io, "%s is deleted. Other servers are told.", func(tx *store.Tx, p community.Person) error {
		if a.Confirm != p.Username {
			return fmt.Errorf("confirm: %q is not the user name of this account", a.Confirm)
		}
		return community.DeleteAccount(tx, 0, p.ID, a.Reason)
	})
}

type accountRole struct {
	somebody
	Role string `arg:"" enum:"owner,it_admin,moderator,member,placement" help:"Role: owner, it_admin, moderator, member or placement."`
	ends
}

// Run changes a role.
func (a accountRole) Run(ctx context.Context, c *config.Config, io streams) error {
	last, err := a.time()
	if err != nil {
		return err
	}
	return a.change(ctx, c, io, "%s is now "+a.Role+".", func(tx *store.Tx, p community.Person) error {
		return community.SetRole(tx, 0, p.ID, community.Role(a.Role), last)
	})
}

type accountPassword struct {
	somebody
	password
}

// Run sets a password.
func (a accountPassword) Run(ctx context.Context, c *config.Config, io streams) error {
	secret, made, err := a.take(io)
	if err != nil {
		return err
	}
	return withDB(ctx, c, io, func(db *store.DB) error {
		var who community.Person
		err := db.Read(ctx, func(tx *store.Tx) (err error) {
			who, err = community.PersonByLogin(tx, a.Login)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", a.Login, err)
		}
		if err := auth.New(db).SetPassword(ctx, 0, who.ID, secret); err != nil {
			return err
		}
		fmt.Fprintf(io.out, "%s has a new password and is signed out everywhere.\n", who.Handle(c.Host))
		if made {
			fmt.Fprintf(io.out, "password: %s\n", secret)
		}
		return nil
	})
}

type accountDisable struct {
	somebody
	Reason string `help:"Why, for the log."`
}

// Run ends an access.
func (a accountDisable) Run(ctx context.Context, c *config.Config, io streams) error {
	return a.change(ctx, c, io, "%s cannot sign in any more.", func(tx *store.Tx, p community.Person) error {
		return community.Disable(tx, 0, p.ID, a.Reason)
	})
}

type accountEnable struct {
	somebody
	Reason string `help:"Why, for the log."`
}

// Run gives access again.
func (a accountEnable) Run(ctx context.Context, c *config.Config, io streams) error {
	return a.change(ctx, c, io, "%s can sign in again.", func(tx *store.Tx, p community.Person) error {
		return community.Enable(tx, 0, p.ID, a.Reason)
	})
}
