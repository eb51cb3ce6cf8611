package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
	"time"
)

// postgres is a PostgreSQL cluster of our own in a temporary folder: started
// for one run of the suite, gone afterwards, in nobody's way.
type postgres struct {
	url string
	dir string
	cmd *exec.Cmd
}

// startPostgres makes a cluster and starts it. PostgreSQL does not run as
// root, so as root it is given to another user.
func startPostgres(ctx context.Context) (_ *postgres, err error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "chalkring-pg-")
	if err != nil {
		return nil, err
	}
	pg := &postgres{dir: dir}
	defer func() {
		if err != nil {
			pg.stop()
		}
	}()
	as := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		uid, gid, err := unprivileged()
		if err != nil {
			return nil, err
		}
		as.Credential = &syscall.Credential{Uid: uid, Gid: gid}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	pg.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-c", "fsync=off", "-c", "full_page_writes=off")
	pg.cmd.SysProcAttr, pg.cmd.Dir, pg.cmd.Stdout, pg.cmd.Stderr = as, dir, log, log
	if err := pg.cmd.Start(); err != nil {
		return nil, err
	}
	pg.url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	for deadline := time.Now().Add(30 * time.Second); ; {
		probe := exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(port))
		out, err := probe.CombinedOutput()
		if err == nil {
			return pg, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			said, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("PostgreSQL does not answer: %w %s\n%s", err, out, said)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// stop ends the cluster at once and removes it.
func (pg *postgres) stop() {
	if pg.cmd != nil && pg.cmd.Process != nil {
		_ = pg.cmd.Process.Signal(syscall.SIGQUIT) // "immediate shutdown": nothing in it is worth keeping
		_ = pg.cmd.Wait()                          // it ends with a status that says it was told to
	}
	if err := os.RemoveAll(pg.dir); err != nil {
		fmt.Fprintln(os.Stderr, "suite: remove the test database:", err)
	}
}

// postgresBin finds the newest PostgreSQL's programs: where Debian keeps them,
// or where initdb on PATH really is.
func postgresBin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is valid
	if len(found) == 0 {
		p, err := exec.LookPath("initdb")
		if err == nil {
			p, err = filepath.EvalSymlinks(p)
		}
		if err != nil {
			return "", errors.New("not installed (Debian: apt-get install postgresql); tests on it are left out")
		}
		return filepath.Dir(p), nil
	}
	version := func(p string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(p)))) // anything else sorts first
		return n
	}
	sort.Slice(found, func(i, j int) bool { return version(found[i]) < version(found[j]) })
	return filepath.Dir(found[len(found)-1]), nil
}

func unprivileged() (uid, gid uint32, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		id, err1 := strconv.ParseUint(u.Uid, 10, 32)
		group, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return 0, 0, err
		}
		return uint32(id), uint32(group), nil
	}
	return 0, 0, errors.New("no user postgres or nobody to run the database as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
