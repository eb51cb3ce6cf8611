package main

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
	"github.com/chalkring/chalkring/internal/testnet"
)

// TestCosts measures what the documentation quotes: what a real process and
// its database spend, in units of one RSA-2048 verify (v) or sign (s) on the
// same machine in the same run. "make bench" runs it and prints the table.
// CHALKRING_TEST_BENCH names the file for the table, CHALKRING_TEST_BENCH_POSTS
// the largest number of posts to read among. CHALKRING_TEST_BENCH_READS, an
// expression such as "home" or ".", leaves all out but the reads whose names
// match; CHALKRING_TEST_BENCH_PROFILE is a folder for CPU profiles of the server
// while it answers them.
func TestCosts(t *testing.T) {
	file := os.Getenv("CHALKRING_TEST_BENCH")
	if file == "" {
		t.Skip("measures costs, with CHALKRING_TEST_BENCH set; make bench does")
	}
	most := 100_000
	if n, err := strconv.Atoi(os.Getenv("CHALKRING_TEST_BENCH_POSTS")); err == nil {
		most = n
	}
	binary := filepath.Join(t.TempDir(), "chalkring")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	profiles, reads := os.Getenv(profileVariable), os.Getenv("CHALKRING_TEST_BENCH_READS")
	if profiles != "" { // the program that runs the tests can be the server, and profile itself
		if binary, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	only, err := regexp.Compile(reads)
	if err != nil {
		t.Fatal(err)
	}
	verify, sign := rsaFloor(t)
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	fmt.Fprintf(out, "v, one RSA-2048 verify: %s CPU; s, one sign: %s CPU; binary, stripped: %d MiB\n\n", verify, sign, info.Size()>>20)
	fmt.Fprintln(out, "| database | what | figure |\n| --- | --- | --- |")
	databases := map[string]func() string{"SQLite": func() string { return "" }}
	if os.Getenv("CHALKRING_TEST_POSTGRES") != "" {
		databases["Postgres"] = func() string { return storetest.Postgres(t) }
	}
	for name, database := range databases {
		say := func(what, format string, args ...any) {
			fmt.Fprintf(out, "| %s | %s | %s |\n", name, what, fmt.Sprintf(format, args...))
		}
		begin := func() *bench {
			return &bench{victim: newVictim(t, binary, database()), verify: verify, sign: sign, say: say, only: only, profiles: profiles}
		}
		if reads == "" {
			begin().exchange()
		}
		begin().reading(most)
	}
}

// profileVariable names the setting that makes the program that runs the tests
// a server, and says where its profiles go.
const profileVariable = "CHALKRING_TEST_BENCH_PROFILE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(profileVariable); dir != "" && len(os.Args) > 1 && os.Args[1] == "serve" {
		go profile(dir)
		main()
	}
	os.Exit(m.Run())
}

// profile begins a CPU profile at each SIGUSR1 and ends it at the next.
func profile(dir string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	for n := 1; ; n++ {
		<-signals
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d-%d.pprof", os.Getpid(), n)))
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		<-signals
		pprof.StopCPUProfile()
		f.Close()
	}
}

// rsaFloor measures the two operations that no server of the fediverse can do
// without: the least of several rounds, in CPU time.
func rsaFloor(t *testing.T) (verify, sign time.Duration) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("floor"))
	var signature []byte
	least := func(n int, do func()) time.Duration {
		best := time.Duration(math.MaxInt64)
		for range 5 {
			start := ownCPU(t)
			for range n {
				do()
			}
			best = min(best, (ownCPU(t)-start)/time.Duration(n))
		}
		return best
	}
	sign = least(100, func() { signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]) })
	if err != nil {
		t.Fatal(err)
	}
	verify = least(2000, func() { err = rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature) })
	if err != nil {
		t.Fatal(err)
	}
	return verify, sign
}

func ownCPU(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bench is a victim that is measured instead of killed.
type bench struct {
	*victim
	verify, sign time.Duration
	say          func(what, format string, args ...any)
	only         *regexp.Regexp // the reads that are wanted
	profiles     string
	cmd          *exec.Cmd
	token        string
}

// exchange starts a server twice and has it take and give.
func (b *bench) exchange() {
	b.t.Helper()
	start := time.Now()
	b.cmd = b.start()
	first := time.Since(start)
	time.Sleep(2 * time.Second)
	b.say("start to first answer, first start; memory idle", "%d ms; %d MiB", first.Milliseconds(), b.memory("VmRSS"))
	b.kill(b.cmd)
	start = time.Now()
	b.cmd = b.start()
	b.say("start to first answer", "%d ms", time.Since(start).Milliseconds())
	defer func() { b.kill(b.cmd) }()

	b.befriend()
	b.opener = b.publish("Everybody answers this")
	b.decideAbout(500, 20_000)
	b.inbound(5000)
	b.outbound(20, 50)
}

// inbound has the friend send notes, 16 at once, signed beforehand.
func (b *bench) inbound(n int) {
	b.t.Helper()
	requests := make(chan *http.Request, n)
	for range n {
		req, err := b.friend.Request(b.inbox(), b.friend.Note("pat", "A note of about the usual length, with a few words more than a line holds, since teachers explain what they mean."))
		if err != nil {
			b.t.Fatal(err)
		}
		requests <- req
	}
	close(requests)
	asked := b.figure(decisions)
	before, start := b.cpu(), time.Now()
	var all sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	for range 16 {
		all.Go(func() {
			for req := range requests {
				res, err := client.Do(req)
				if err != nil {
					b.t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode != http.StatusAccepted {
					b.t.Errorf("answered %s", res.Status)
				}
			}
		})
	}
	all.Wait()
	accepted := time.Since(start)
	b.until("all notes are visible", func(tx *store.Tx) (bool, error) {
		var have int
		err := tx.Raw("SELECT count(*) FROM home_entries JOIN posts ON posts.id = home_entries.post_id WHERE posts.author_host <> ''").Scan(&have).Error
		return have >= n, err
	})
	visible := time.Since(start)
	each := (b.cpu() - before) / time.Duration(n)
	b.say("CPU per inbound Create(Note), visible in home", "%d µs = %.1f v", each.Microseconds(), float64(each)/float64(b.verify))
	asked = b.figure(decisions) - asked
	question := b.question()
	b.say("asking the policy, of that", "%.2f questions an activity at %.1f µs among 20,500 entries = %.1f%%",
		asked/float64(n), float64(question)/1e3, 100*asked*float64(question)/(float64(n)*float64(each)))
	b.say(fmt.Sprintf("%d activities, 16 at once", n), "%.0f accepted/s, %.0f visible/s, peak memory %d MiB",
		float64(n)/accepted.Seconds(), float64(n)/visible.Seconds(), b.memory("VmHWM"))
}

// decisions is the figure of how often the policy was asked.
const decisions = "chalkring_federation_decisions_total"

// figure reads one of the server's figures.
func (b *bench) figure(name string) float64 {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.cfg.BaseURL()+"/metrics", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+metricsToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				b.t.Fatal(err)
			}
			return value
		}
	}
	b.t.Fatalf("there is no figure %s: %s", name, res.Status)
	return 0
}

// decideAbout fills the policy as that of a large region is: so many peers, and
// so many servers refused.
func (b *bench) decideAbout(allowed, blocked int) {
	b.t.Helper()
	b.write(func(tx *store.Tx) error {
		for i := range allowed + blocked {
			host, standing := fmt.Sprintf("s%d.schools.example", i), peers.Allowed
			if i >= allowed {
				host, standing = fmt.Sprintf("s%d.spam.example", i), peers.Blocked
			}
			err := tx.Exec("INSERT INTO peers (host, id, standing, created_at, changed_at) VALUES (?, ?, ?, ?, ?)", host, i+1, standing, tx.Now, tx.Now).Error
			if err != nil {
				return err
			}
			err = tx.Exec("INSERT INTO peer_hosts (host, peer_id, role, seen_at, confirmed_at) VALUES (?, ?, 'main', ?, ?)", host, i+1, tx.Now, tx.Now).Error
			if err != nil {
				return err
			}
		}
		if b.db.Dialect() == store.Postgres { // as it does by itself within a minute
			return tx.Exec("ANALYZE peers, peer_hosts").Error
		}
		return nil
	})
}

// question measures what one question to the policy adds to a transaction that
// is under way, in this process and its database.
func (b *bench) question() time.Duration {
	b.t.Helper()
	const n = 4000
	along := store.Question{SQL: "SELECT 1 WHERE 1 = ?", Args: []any{1}} // as the door asks it together with another
	run := func(decide bool) time.Duration {
		start := ownCPU(b.t) + b.backends()
		for range n {
			err := b.db.Ask(b.t.Context(), func(tx *store.Tx) error {
				if !decide {
					return tx.Ask(along)
				}
				_, err := peers.DecideWith(tx, []string{b.friend.Host}, along)
				return err
			})
			if err != nil {
				b.t.Fatal(err)
			}
		}
		return ownCPU(b.t) + b.backends() - start
	}
	without, with := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range 8 { // in turns, since a machine is faster at one time than at another
		without, with = min(without, run(false)), min(with, run(true))
	}
	return (with - without) / n
}

// backends is what Postgres has spent for this process and the server.
func (b *bench) backends() time.Duration {
	b.t.Helper()
	var sum time.Duration
	for name, spent := range b.spent() {
		if !strings.HasPrefix(name, fmt.Sprintf("/proc/%d/", b.cmd.Process.Pid)) {
			sum += spent
		}
	}
	return sum
}

// outbound has many hosts follow ana and counts what it costs to tell them.
func (b *bench) outbound(hosts, posts int) {
	b.t.Helper()
	var strangers []*testnet.Stranger
	for range hosts {
		x := testnet.PlainStranger(b.t)
		strangers = append(strangers, x)
		b.write(func(tx *store.Tx) error {
			_, err := peers.Allow(tx, 0, x.Host, peers.Entry{})
			return err
		})
		if status, body, err := x.Post(b.inbox(), x.Follows("reader", b.ana.IRI(b.db.Site()))); err != nil || status != http.StatusAccepted {
			b.t.Fatalf("%d %s %v", status, body, err)
		}
	}
	b.settle()
	b.publish("A warm-up")
	b.settle()
	b.deliveries(strangers, posts, "RSA")
	b.write(func(tx *store.Tx) error { // from here on they are known to accept it
		for _, x := range strangers {
			if err := peers.NoteSignatures(tx, x.Host, peers.SignsEd25519); err != nil {
				return err
			}
		}
		return nil
	})
	b.deliveries(strangers, posts, "Ed25519")
}

// deliveries measures what it costs to tell all of them of posts.
func (b *bench) deliveries(to []*testnet.Stranger, posts int, algorithm string) {
	b.t.Helper()
	had := 0
	for _, x := range to {
		had += len(x.Taken("Create"))
	}
	before, start := b.cpu(), time.Now()
	for n := range posts {
		b.publish(fmt.Sprintf("For %d hosts, %d, by %s", len(to), n, algorithm))
	}
	b.settle()
	count := (len(to) + 1) * posts // pat's host too
	each := (b.cpu() - before) / time.Duration(count)
	missing := had + posts*len(to)
	for _, x := range to {
		missing -= len(x.Taken("Create"))
	}
	b.say(fmt.Sprintf("CPU per delivery signed with %s, %d posts to %d hosts", algorithm, posts, len(to)+1), "%d µs = %.2f s; %.0f/s; %d missing",
		each.Microseconds(), float64(each)/float64(b.sign), float64(count)/time.Since(start).Seconds(), missing)
}

// reading asks a new server for pages at growing numbers of posts.
func (b *bench) reading(most int) {
	b.t.Helper()
	b.cmd = b.start()
	defer func() { b.kill(b.cmd) }()
	b.befriend()
	b.opener = b.publish("Everybody answers this")
	token, err := app.IssueToken(b.t.Context(), b.db, b.ana.ID, "Measurement", "read")
	if err != nil {
		b.t.Fatal(err)
	}
	b.token = token
	var pat community.Account
	b.read(func(tx *store.Tx) (err error) {
		pat, err = community.AccountByURI(tx, b.friend.Actor("pat"))
		return err
	})
	first := map[string]time.Duration{}
	for size := 1000; size <= most; size *= 10 {
		b.fill(pat, size)
		b.mix(first, size, pat)
		if b.only.MatchString("start") {
			b.afterRestart(first, size)
		}
	}
	b.say("database, per post", "%d bytes", b.databaseBytes()/int64(most))
}

// mix asks for what clients ask for, each many times.
func (b *bench) mix(first map[string]time.Duration, size int, pat community.Account) {
	b.t.Helper()
	opener, author := strconv.FormatInt(b.opener.ID, 10), strconv.FormatInt(pat.ID, 10)
	for _, read := range []struct{ what, path string }{
		{"home of 20", "/api/v1/timelines/home"},
		{"home of 40", "/api/v1/timelines/home?limit=40"},
		{"thread of 50", "/api/v1/statuses/" + opener + "/context"},
		{"single status", "/api/v1/statuses/" + opener},
		{"notifications", "/api/v1/notifications"},
		{"account statuses", "/api/v1/accounts/" + author + "/statuses"},
		{"public timeline", "/api/v1/timelines/public"},
		{"account", "/api/v1/accounts/" + author},
		{"instance", "/api/v2/instance"},
	} {
		if !b.only.MatchString(read.what) {
			continue
		}
		b.get(read.path, 100)
		b.toggleProfile()
		each := time.Duration(math.MaxInt64)
		for range 30 { // whatever else the machine does is in some rounds only
			const n = 25
			before := b.spent()
			b.get(read.path, n)
			each = min(each, since(before, b.spent())/n)
		}
		b.toggleProfile()
		if first[read.what] == 0 {
			first[read.what] = each
		}
		b.say(fmt.Sprintf("%s at %d posts", read.what, size), "%.2f ms; %.0f requests per CPU second; %.2f of the cost at the first size",
			float64(each)/float64(time.Millisecond), 1/each.Seconds(), float64(each)/float64(first[read.what]))
	}
}

// toggleProfile begins or ends a profile where profiles are wanted.
func (b *bench) toggleProfile() {
	b.t.Helper()
	if b.profiles == "" {
		return
	}
	if err := b.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		b.t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // the profile's own pace is 200 ms
}

// afterRestart measures the first pages of home that a server gives after it
// was started, over several starts.
func (b *bench) afterRestart(first map[string]time.Duration, size int) {
	b.t.Helper()
	const starts, pages = 10, 5
	var spent time.Duration
	for range starts {
		b.kill(b.cmd)
		b.cmd = b.start()
		before := b.cpu()
		b.get("/api/v1/timelines/home", pages)
		spent += b.cpu() - before
	}
	each := spent / (starts * pages)
	if first["restart"] == 0 {
		first["restart"] = each
	}
	b.say(fmt.Sprintf("home at %d posts, the first %d pages after a start", size, pages), "%.1f ms each; %.2f of the cost at the first size",
		float64(each)/float64(time.Millisecond), float64(each)/float64(first["restart"]))
}

// fill adds posts by pat until there are so many: notes, every twentieth with
// a mention of ana.
func (b *bench) fill(pat community.Account, size int) {
	b.t.Helper()
	var have int
	b.read(func(tx *store.Tx) error { return tx.Raw("SELECT count(*) FROM posts").Scan(&have).Error })
	for have < size {
		n := min(500, size-have)
		b.write(func(tx *store.Tx) error {
			notes := make([]community.RemotePost, n)
			for i := range notes {
				note := community.RemotePost{Author: pat, URI: b.friend.URL(fmt.Sprintf("/filled/%d", have+i)), Kind: community.Note, Audience: community.Public,
					HTML: "<p>" + strings.Repeat("A line about a lesson. ", 12) + "</p>", Published: tx.Now.Add(-time.Hour)}
				if (have+i)%20 == 0 {
					note.Mentions = []int64{b.ana.ID}
				}
				if (have + i) < 50 {
					note.InReplyToURI, note.Parent = b.opener.IRI(tx.Site), &b.opener
				}
				notes[i] = note
			}
			_, err := community.ReceiveAll(tx, notes)
			return err
		})
		have += n
	}
	if b.db.Dialect() == store.Postgres { // as it does by itself within a minute
		b.write(func(tx *store.Tx) error { return tx.Exec("ANALYZE").Error })
	}
}

func (b *bench) get(path string, n int) {
	b.t.Helper()
	for range n {
		req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.cfg.BaseURL()+path, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+b.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			b.t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			b.t.Fatalf("%s: %s %s %v", path, res.Status, body, err)
		}
	}
}

// cpu is what the process and, with Postgres, its database have spent.
func (b *bench) cpu() time.Duration {
	b.t.Helper()
	ticks := cpuOf(b.t, b.cmd.Process.Pid, false)
	if b.db.Dialect() == store.Postgres {
		var backend int
		b.read(func(tx *store.Tx) error { return tx.Raw("SELECT pg_backend_pid()").Scan(&backend).Error })
		ticks += familyCPU(b.t, parentOf(b.t, backend))
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100
}

// spent is cpu to the nanosecond, for what is short: of each thread of the
// process, and of those of Postgres's that serve it.
func (b *bench) spent() map[string]time.Duration {
	b.t.Helper()
	threads := map[string]time.Duration{}
	pids := []int{b.cmd.Process.Pid}
	if b.db.Dialect() == store.Postgres {
		var backends []int
		b.read(func(tx *store.Tx) error {
			return tx.Raw("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(&backends).Error
		})
		pids = append(pids, backends...)
	}
	for _, pid := range pids {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			b.t.Fatal(err)
		}
		for _, thread := range files {
			text, err := os.ReadFile(thread)
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // it has ended
				continue
			}
			if err != nil {
				b.t.Fatal(err)
			}
			threads[thread] = time.Duration(number(b.t, strings.Fields(string(text))[0]))
		}
	}
	return threads
}

// since is what was spent between two looks. A thread that ended in between
// counts for nothing, not for what it had spent before.
func since(before, after map[string]time.Duration) (sum time.Duration) {
	for thread, spent := range after {
		sum += spent - before[thread]
	}
	return sum
}

// stat reads /proc/PID/stat behind the name, which may hold spaces. See proc(5).
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])), nil
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cpuOf returns a process's ticks, with those of its ended children if wanted.
func cpuOf(t *testing.T, pid int, ended bool) int64 {
	t.Helper()
	fields, err := stat(pid)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := number(t, fields[11]) + number(t, fields[12])
	if ended {
		sum += number(t, fields[13]) + number(t, fields[14])
	}
	return sum
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	fields, err := stat(pid)
	if err != nil {
		t.Fatal(err)
	}
	return int(number(t, fields[1]))
}

// familyCPU is a postmaster's ticks with those of all its children.
func familyCPU(t *testing.T, postmaster int) int64 {
	t.Helper()
	sum := cpuOf(t, postmaster, true)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields, err := stat(pid); err == nil && fields[1] == strconv.Itoa(postmaster) {
			sum += cpuOf(t, pid, false)
		}
	}
	return sum
}

// memory returns a figure of /proc/PID/status in MiB.
func (b *bench) memory(name string) int64 {
	b.t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			return number(b.t, strings.TrimSpace(strings.TrimSuffix(value, "kB"))) >> 10
		}
	}
	b.t.Fatalf("no %s", name)
	return 0
}

func (b *bench) databaseBytes() (size int64) {
	b.t.Helper()
	if b.db.Dialect() == store.Postgres {
		b.read(func(tx *store.Tx) error {
			return tx.Raw("SELECT pg_database_size(current_database())").Scan(&size).Error
		})
		return size
	}
	info, err := os.Stat(b.cfg.Database)
	if err != nil {
		b.t.Fatal(err)
	}
	return info.Size()
}
