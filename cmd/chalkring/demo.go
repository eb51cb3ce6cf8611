package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/config"
)

// demoCommand runs a ring of schools on this machine: real servers in one
// process, each with its own database and its own name under localhost, which
// browsers find by themselves. Between the servers the command says where the
// names are; the rest is as on the internet.
type demoCommand struct {
	Dir     string `default:"chalkring-demo" help:"Folder for the servers' data."`
	Port    int    `default:"8080" help:"Port that all of them answer on. It is part of their names, so it cannot be changed without --fresh."`
	Schools int    `default:"3" help:"How many schools, 3 to 6. The sixth is connected with nobody yet: try how one joins."`
	Fresh   bool   `help:"Start the story over."`
}

// Run shows the ring until the process is told to stop.
func (d demoCommand) Run(ctx context.Context, c *config.Config, io streams) error {
	if c.Data != "" && c.Data != config.DefaultData {
		return fmt.Errorf("data: the demo keeps its three servers in --dir (now %s); leave data out", d.Dir)
	}
	if most := len(demoRing()); d.Schools < 3 || d.Schools > most {
		return fmt.Errorf("schools: choose 3 to %d; the story is that of the first three", most)
	}
	tuneMemory()
	story, err := openStory(d.Dir, d.Port, d.Schools, d.Fresh)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", fmt.Sprintf("localhost:%d", d.Port))
	if err != nil {
		return fmt.Errorf("%w: choose another port with --port, and --fresh if there was a demo before", err)
	}
	level := slog.LevelError
	if c.LogLevel == "debug" {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: level}))
	ring, err := openRing(ctx, d, l, story.clock(), log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := ring.run(running, l)
	if err := story.tell(ctx, ring, io.out); err == nil {
		introduce(d, ring.schools, io)
	} else {
		stop()
		return errors.Join(err, <-ended)
	}
	return <-ended
}

// ring is the servers.
type ring struct {
	schools []school
	servers map[string]*app.Server // by school
	byHost  map[string]*app.Server
	log     *slog.Logger
}

// demoHost is a school's name.
func demoHost(school string, port int) string { return fmt.Sprintf("%s.localhost:%d", school, port) }

func openRing(ctx context.Context, d demoCommand, l net.Listener, now func() time.Time, log *slog.Logger) (_ *ring, err error) {
	r := &ring{schools: demoRing()[:d.Schools], servers: map[string]*app.Server{}, byHost: map[string]*app.Server{}, log: log}
	defer func() {
		if err != nil {
			for _, s := range r.servers {
				err = errors.Join(err, s.Close(ctx))
			}
		}
	}()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	resolve := func(_ context.Context, host string) ([]netip.AddrPort, bool) {
		if strings.HasSuffix(host, ".localhost") {
			return []netip.AddrPort{at}, true
		}
		return nil, true // the demo reaches nobody else
	}
	for _, school := range r.schools {
		host := demoHost(school.key, d.Port)
		cfg, err := config.Parse([]string{"--host", host, "--data", filepath.Join(d.Dir, school.key),
			"--egress-allow", "127.0.0.0/8,::1/128", "--no-rate-limits", "--http-listen", "off"})
		if err != nil {
			return r, err
		}
		s, err := app.New(ctx, cfg, app.Options{Log: log.With("school", school.key), Resolve: resolve, External: true, Now: now})
		if err != nil {
			return r, fmt.Errorf("%s: %w", school.name, err)
		}
		r.servers[school.key], r.byHost[host] = s, s
	}
	return r, nil
}

// ServeHTTP passes a request to the school that it names.
func (r *ring) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if s, ok := r.byHost[strings.ToLower(req.Host)]; ok {
		s.ServeHTTP(w, req)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusMisdirectedRequest)
	fmt.Fprintln(w, "Several schools answer here, each under its own name:")
	for _, school := range r.schools {
		for host, s := range r.byHost {
			if s == r.servers[school.key] {
				fmt.Fprintf(w, "http://%s  %s\n", host, school.name)
			}
		}
	}
}

// run starts the servers and, on one listener for all of them, the door. The
// returned channel gets the outcome once everything has stopped.
func (r *ring) run(ctx context.Context, l net.Listener) <-chan error {
	base, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	door := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	var all sync.WaitGroup
	errs := make(chan error, len(r.servers)+1)
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	for _, s := range r.servers {
		all.Go(func() { errs <- s.Run(work) })
	}
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		streams := time.AfterFunc(time.Second, endStreams)
		defer streams.Stop()
		errs <- door.Shutdown(grace)
		stopWork()
		all.Wait()
		close(errs)
		var err error
		for e := range errs {
			err = errors.Join(err, e)
		}
		endStreams()
		ended <- err
	}()
	go func() { _ = door.Serve(l) }() // ends with Shutdown
	return ended
}

// introduce says where to go and who to be.
func introduce(d demoCommand, schools []school, io streams) {
	fmt.Fprintf(io.out, "\nThe ring is ready. It goes on until you stop it with Ctrl-C; the next start continues from there.\n\n")
	for _, school := range schools {
		var names []string
		for _, p := range school.people {
			names = append(names, p.username)
		}
		fmt.Fprintf(io.out, "  %-28s http://%-24s sign in as %s\n", school.name, demoHost(school.key, d.Port), strings.Join(names, ", "))
	}
	fmt.Fprintf(io.out, `
The password of all of them is: %s
The first of each school looks after its server (see "Administration").

To see it work: sign in as maia at Kauri Flat and, in a second window, as
leilani at Harbour View. Answer a post in one, and watch the other.
`, demoPassword)
	for _, school := range schools {
		if school.alone {
			fmt.Fprintf(io.out, "\n%s is connected with nobody yet. Its owner can ask the others: Administration, Servers.\n", school.name)
		}
	}
}

// openStory finds how far the story was told in a folder, or begins it.
func openStory(dir string, port, schools int, fresh bool) (*story, error) {
	s := &story{file: filepath.Join(dir, "story.json"), port: port}
	known, err := s.load()
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 && !known {
		return nil, fmt.Errorf("%s holds something else than a demo; choose another folder with --dir", dir)
	}
	if fresh && known {
		for _, name := range demoRing() {
			if err := os.RemoveAll(filepath.Join(dir, name.key)); err != nil {
				return nil, err
			}
		}
		s.progress = progress{}
	}
	if known && !fresh && s.Port != port {
		return nil, fmt.Errorf("this demo was begun with --port %d, which is part of its servers' names; start it so, or over with --fresh", s.Port)
	}
	if known && !fresh && max(s.Schools, 3) < schools { // the new ones are founded as well
		s.Founded = false
	}
	s.Port, s.Schools = port, max(s.Schools, schools)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return s, s.save()
}
