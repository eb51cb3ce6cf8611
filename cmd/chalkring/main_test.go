package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/config"
)

// said is what a command answered.
type said struct {
	code     int
	out, err string
}

// runner runs commands on one folder of data.
func runner(t *testing.T) func(in string, args ...string) said {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir) // no file of settings but the test's
	cfg := config.Config{Host: config.DefaultHost, Data: filepath.Join(dir, "data"), Database: filepath.Join(dir, "data", "chalkring.db")}
	db, err := app.OpenDB(t.Context(), cfg, slog.New(slog.DiscardHandler), nil) // as the first start does
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func(in string, args ...string) said {
		t.Helper()
		var out, err bytes.Buffer
		code := run(t.Context(), append([]string{"--data", filepath.Join(dir, "data")}, args...), streams{strings.NewReader(in), &out, &err})
		return said{code, out.String(), err.String()}
	}
}

func (s said) want(t *testing.T, code int, contains ...string) said {
	t.Helper()
	all := s.out + s.err
	if s.code != code {
		t.Fatalf("exit status %d, want %d: %s", s.code, code, all)
	}
	for _, c := range contains {
		if !strings.Contains(all, c) {
			t.Errorf("does not say %q: %s", c, all)
		}
	}
	return s
}

func TestAccounts(t *testing.T) {
	c := runner(t)
	c("", "account", "create", "ana", "--role", "owner", "--name", "Ana Lima").want(t, 0, "Made @ana@localhost:8080 as owner", "password: ")
	c("a long secret of bo's\n", "account", "create", "bo", "--password-stdin", "--token", "read write follow").want(t, 0, "Made @bo@", "token: ")
	c("", "account", "create", "ana").want(t, exitFailed, "already")
	c("short\n", "account", "create", "cy", "--password-stdin").want(t, exitFailed, "at least 10")
	c("", "account", "create", "cy", "--role", "emperor").want(t, exitUsage, "--role")
	c("", "account", "create", "di", "--role", "placement").want(t, exitFailed, "day on which the placement ends")
	c("", "account", "create", "di", "--role", "placement", "--ends", time.Now().AddDate(0, 3, 0).Format(time.DateOnly)).want(t, 0, "placement")
	var people []struct{ Username, Role, State string }
	if err := json.Unmarshal([]byte(c("", "account", "list", "--json").want(t, 0).out), &people); err != nil || len(people) != 3 {
		t.Errorf("listed %+v (%v)", people, err)
	}
	c("", "account", "role", "bo", "moderator").want(t, 0, "@bo@localhost:8080 is now moderator")
	c("", "account", "role", "ana", "member").want(t, exitFailed)
	c("", "account", "disable", "bo", "--reason", "left").want(t, 0, "cannot sign in")
	c("", "account", "enable", "bo").want(t, 0, "can sign in again")
	c("another long secret\n", "account", "password", "bo", "--password-stdin").want(t, 0, "new password")
	c("", "account", "disable", "nobody").want(t, exitFailed, "nobody")
}

// The demo has a folder of its own: another one named beside it would be a
// misunderstanding.
func TestDemoTakesNoDataFolder(t *testing.T) {
	var out, problems bytes.Buffer
	code := run(t.Context(), []string{"demo", "--data", t.TempDir(), "--dir", filepath.Join(t.TempDir(), "ring")}, streams{strings.NewReader(""), &out, &problems})
	if code != exitFailed || !strings.Contains(problems.String(), "--dir") {
		t.Errorf("%d, %s", code, problems.String())
	}
}

func TestTokens(t *testing.T) {
	c := runner(t)
	c("", "account", "create", "bo", "--role", "moderator").want(t, 0)
	token := c("", "token", "create", "bo", "--scopes", "read write admin:read:reports", "--label", "Weekly report").want(t, 0).out
	if len(strings.TrimSpace(token)) < 40 || strings.Count(token, "\n") != 1 {
		t.Errorf("the token alone should be printed, not %q", token)
	}
	c("", "token", "create", "bo", "--scopes", "everything").want(t, exitFailed, "everything")
	c("", "token", "create", "nobody").want(t, exitFailed, "nobody signs in by this name")
	var made []struct {
		ID, Name string
		Scopes   []string
	}
	listed := c("", "token", "list", "bo", "--json").want(t, 0).out
	if err := json.Unmarshal([]byte(listed), &made); err != nil || len(made) != 1 || made[0].Name != "Weekly report" || !slices.Contains(made[0].Scopes, "admin:read:reports") {
		t.Fatalf("listed %s (%v)", listed, err)
	}
	if strings.Contains(listed, strings.TrimSpace(token)) {
		t.Error("the list holds the token itself")
	}
	c("", "token", "revoke", "bo", "12").want(t, exitFailed, "has no token 12")
	c("", "token", "revoke", "bo", made[0].ID).want(t, 0, "counts no more")
	if left := c("", "token", "list", "bo").want(t, 0).out; strings.Contains(left, "Weekly report") {
		t.Errorf("still listed:\n%s", left)
	}
}

func TestInvites(t *testing.T) {
	c := runner(t)
	var made struct{ ID, Link string }
	if err := json.Unmarshal([]byte(c("", "invite", "create", "--uses", "3", "--note", "Staff day", "--json").want(t, 0).out), &made); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(made.Link, "http://localhost:8080/join/") {
		t.Errorf("the link is %q", made.Link)
	}
	c("", "invite", "list").want(t, 0, made.ID, "0 of 3", "open", "Staff day")
	c("", "invite", "revoke", made.ID).want(t, 0, "counts no more")
	c("", "invite", "list").want(t, 0, "closed")
	c("", "invite", "revoke", "1").want(t, exitFailed)
}

func TestPeers(t *testing.T) {
	c := runner(t)
	c("", "peer", "mode").want(t, 0, "allowlist")
	c("", "peer", "allow", "Elm.Example", "fir.example", "--label", "Two schools", "--ceiling", "public").want(t, 0, "elm.example is allowed, up to public", "fir.example")
	c("", "peer", "allow", "10.0.0.1").want(t, exitFailed, "IP address")
	c("", "peer", "allow", "oak.example", "10.0.0.1").want(t, exitFailed) // all or none
	c("", "peer", "block", "bad.example", "--reason", "spam").want(t, 0, "every name below it is blocked")
	list := c("", "peer", "list").want(t, 0, "elm.example", "one_sided", "bad.example", "blocked").out
	if strings.Contains(list, "oak.example") {
		t.Error("of two peers, one of them wrong, one was allowed")
	}
	c("", "peer", "remove", "fir.example").want(t, 0, "off the list")
	c("", "peer", "remove", "fir.example").want(t, exitFailed)
	c("", "peer", "log", "bad.example").want(t, 0, "peer.block", "command line", "spam")
	c("", "peer", "mode", "open").want(t, exitFailed, "localhost:8080")
	c("", "peer", "mode", "open", "--confirm", "localhost:8080").want(t, 0, "The mode is open")
	c("", "peer", "mode").want(t, 0, "open")
}

// What the pages can set the subcommands can, by the same words.
func TestPeerPolicies(t *testing.T) {
	c := runner(t)
	review := time.Now().AddDate(1, 0, 0).Format(time.DateOnly)
	c("", "peer", "allow", "elm.example", "--preset", "partner", "--label", "Elm", "--kind", "school", "--public-note", "Next door", "--review-on", review).want(t, 0, "up to group")
	c("", "peer", "allow", "trial.example", "--preset", "trial").want(t, 0, "until ")
	c("", "peer", "allow", "region.example", "--subtree", "--preset", "network", "--expires", review).want(t, 0, "with every name below", "until "+review)
	c("", "peer", "allow", "sch.uk", "--subtree").want(t, exitFailed, "Anybody can register a name below sch.uk")
	c("", "peer", "allow", "ash.example", "--preset", "best").want(t, exitFailed, "partner")
	c("", "peer", "allow", "ash.example", "--expires", "2001-01-01").want(t, exitFailed, "has passed")
	c("", "peer", "allow", "ash.example", "--kind", "zoo").want(t, exitFailed, "school")
	c("", "peer", "set", "elm.example", "hold=links", "inbound=posts,replies", "note=Ask Ana", "--reason", "Agreed").want(t, 0, "elm.example is changed")
	c("", "peer", "set", "elm.example", "hold=some").want(t, exitFailed, "hold can be: none, first")
	c("", "peer", "set", "elm.example", "colour=red").want(t, exitFailed, "There is no setting")
	c("", "peer", "set", "elm.example", "colour").want(t, exitFailed, "key=value")
	c("", "peer", "set", "none.example", "hold=all").want(t, exitFailed, "no entry")
	c("", "peer", "allow", "elm.example").want(t, 0) // what is on record and not named stays
	c("", "peer", "show", "elm.example").want(t, 0, "label        Elm", "public_note  Next door", "hold         links  (not as the preset)", "review_on    "+review, "note         Ask Ana")
	c("", "peer", "show", "none.example").want(t, exitFailed, "no entry")
	c("", "peer", "hosts", "elm.example", "add", "cdn.example", "--role", "media").want(t, 0, "a name of elm.example now")
	c("", "peer", "hosts", "elm.example", "add", "trial.example", "--role", "actor").want(t, exitFailed, "entry of its own")
	c("", "peer", "hosts", "elm.example", "confirm", "other.example").want(t, exitFailed)
	var one struct {
		State, Preset, Match string
		Policy               map[string]string
		Differs              []string
		Hosts                []struct{ Host, Role string }
	}
	if err := json.Unmarshal([]byte(c("", "peer", "show", "elm.example", "--json").want(t, 0).out), &one); err != nil || one.State != "one_sided" || one.Preset != "partner" ||
		one.Policy["inbound"] != "posts,replies" || strings.Join(one.Differs, " ") != "inbound hold" || len(one.Hosts) != 2 || one.Hosts[1].Role != "media" {
		t.Errorf("shown %+v (%v)", one, err)
	}
	c("", "peer", "hosts", "elm.example", "remove", "cdn.example").want(t, 0, "no name of elm.example any more")
	c("", "peer", "block", "bad.example", "--reason", "spam").want(t, 0)
	var all []struct{ Host, State, Preset string }
	if err := json.Unmarshal([]byte(c("", "peer", "list", "--json").want(t, 0).out), &all); err != nil || len(all) != 4 {
		t.Errorf("listed %+v (%v)", all, err)
	}
	for args, want := range map[string]string{"--state trial": "trial.example", "--preset network": "region.example", "--find next": "elm.example", "--state blocked": "bad.example"} {
		out := c("", append([]string{"peer", "list", "--json"}, strings.Fields(args)...)...).want(t, 0).out
		if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 || all[0].Host != want {
			t.Errorf("list %s: %+v (%v)", args, all, err)
		}
	}
}

// A command that was not told which server it is for makes none of its own.
func TestCommandsWithoutAServer(t *testing.T) {
	c := runner(t)
	for _, command := range []string{"peer allow elm.example", "peer list", "invite create", "account list", "backup b.tar.gz"} {
		args := append([]string{"--data", "nowhere"}, strings.Fields(command)...)
		c("", args...).want(t, exitFailed, "there is no server in", "--config")
	}
	if _, err := os.Stat("nowhere"); !os.IsNotExist(err) {
		t.Errorf("a folder of data was made: %v", err)
	}
}

func TestBackupRestoreAndMigrate(t *testing.T) {
	c := runner(t)
	c("", "--data", "fresh", "migrate").want(t, 0, "are now of version")
	c("", "migrate").want(t, 0, "Nothing to do")
	c("", "migrate", "--check").want(t, 0)
	c("", "account", "create", "ana", "--role", "owner").want(t, 0)
	c("", "backup", "b.tar.gz").want(t, 0, "localhost:8080 is backed up", "1 accounts")
	c("", "backup", "b.tar.gz").want(t, exitFailed, "exists already")
	c("", "restore", "--check", "b.tar.gz").want(t, 0, "Nothing was restored")
	c("", "restore", "b.tar.gz").want(t, exitFailed, "exists already")
	c("", "--data", "elsewhere", "--host", "oak.test", "--trusted-proxies", "127.0.0.1", "restore", "b.tar.gz").want(t, exitFailed, "localhost:8080")
	c("", "--data", "elsewhere", "restore", "b.tar.gz").want(t, 0, "localhost:8080 is restored", "1 accounts")
	c("", "--data", "elsewhere", "account", "list").want(t, 0, "ana")
	c("", "--data", "elsewhere", "migrate", "--to", "0").want(t, 0, "of version 0")
	c("", "--data", "elsewhere", "migrate", "--check").want(t, exitFailed, "not up to date")
}

func TestSettingsAreRefusedByName(t *testing.T) {
	c := runner(t)
	c("", "serve", "--host", "school.example").want(t, exitUsage, "host:", "https")
	c("", "serve", "--no-such-thing").want(t, exitUsage, "no-such-thing")
	c("", "version").want(t, 0, "chalkring")
	c("", "config").want(t, 0, "# Name this server answers as", "host = localhost:8080")
	c("", "config", "--markdown").want(t, 0, "| `host` |")
	if err := os.WriteFile("chalkring.conf", []byte("hostt = school.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := c("", "serve").want(t, exitUsage, "hostt", "did you mean")
	if strings.Contains(said.err, "--help") {
		t.Errorf("blames a flag that nobody wrote: %s", said.err)
	}
}

// A server without any settings answers, prints the link for setting up, and
// takes notice of what commands do beside it.
func TestServeAndCommandsBesideIt(t *testing.T) {
	c := runner(t)
	if err := os.RemoveAll("data"); err != nil { // this server has a host of its own
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	host := "localhost:" + strings.TrimPrefix(l.Addr().String(), "127.0.0.1:")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var out, log safeBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"--data", "data", "--host", host, "serve"}, streams{strings.NewReader(""), &out, &log})
	}()
	defer func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("serve ended with %d: %s", code, log.String())
		}
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		res, err := http.Get("http://" + host + "/healthz")
		if err == nil {
			res.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no answer: %v\n%s", err, log.String())
		}
	}
	if !strings.Contains(out.String(), "http://"+host+"/setup/") {
		t.Errorf("no link for setting up: %s", out.String())
	}
	c("", "--host", host, "account", "create", "ana", "--role", "owner").want(t, 0, "Made @ana@")
	c("", "--host", host, "peer", "allow", "elm.test").want(t, 0)
	c("", "--host", host, "backup", "while-it-runs.tar.gz").want(t, 0, "1 accounts")
	c("", "--host", "localhost:1", "account", "list").want(t, exitFailed, host)
}

// safeBuffer can be read while a server writes to it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
