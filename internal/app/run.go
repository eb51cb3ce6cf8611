package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
)

// How long a stop waits for what is under way: streams are told after
// streamGrace, and what has not ended after stopGrace is cut off.
const (
	streamGrace = time.Second
	stopGrace   = 20 * time.Second
)

// Run answers requests and works the queues until ctx ends. Then it stops
// taking requests, finishes those under way, lets every worker end with the
// row it holds, and closes the database. It returns early only when a listener
// or a worker fails.
func (s *Server) Run(ctx context.Context) (err error) {
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		err = errors.Join(err, s.Close(closing))
	}()
	for _, line := range s.cfg.Loud() {
		s.log.Warn("setting", "in force", line)
	}
	if err := s.db.Write(ctx, peers.Chain); err != nil {
		return fmt.Errorf("chain the log: %w", err)
	}
	if err := s.openListeners(ctx); err != nil {
		return err
	}
	failed := make(chan error, len(s.listeners)+8)
	var serving, working sync.WaitGroup
	for _, l := range s.listeners {
		serving.Go(func() { failed <- l.serve() })
	}
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	for name, run := range s.workers() {
		working.Go(func() {
			if err := run(work); err != nil && work.Err() == nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	s.log.Info("ready", "address", s.cfg.BaseURL(), "version", Version(), "database", string(s.db.Dialect()))

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.log.Info("stopping")
	s.stopping.Store(true)
	err = errors.Join(err, s.stopListeners(ctx))
	serving.Wait()
	stopWork()
	working.Wait()
	s.log.Info("stopped")
	return err
}

// workers are what runs beside the listeners, by name.
func (s *Server) workers() map[string]func(context.Context) error {
	all := map[string]func(context.Context) error{
		"federation": s.federation.Run,
		"sweeps":     s.runSweeps,
		"watch":      s.watchCommands,
		"pushes":     s.api.RunPushes,
	}
	if f, ok := s.certs.(*fetched); ok {
		all["certificate"] = f.run
	}
	return all
}

func (s *Server) openCertificates() (err error) {
	switch s.cfg.TLS() {
	case config.Files:
		s.certs, err = newCertFiles(s.cfg.CertFile, s.cfg.KeyFile, s.log)
	case config.ACME:
		s.authority, err = newEgress(s.cfg, s.opts, true) // the directory and its ports are the administrator's choice
		if err == nil {
			s.certs = newFetched(s.db, s.cfg.Name(), s.cfg.ACMEEmail, s.cfg.ACMEDirectory, s.authority, s.log)
		}
	}
	return err
}

// openListeners opens every address before any is served, so that a server
// that cannot have one of them does not start at all.
func (s *Server) openListeners(ctx context.Context) error {
	add := func(l net.Listener, h http.Handler) {
		server := newHTTPServer(h, s.log)
		server.BaseContext = func(net.Listener) context.Context { return s.base }
		s.listeners = append(s.listeners, listener{l, server})
	}
	open := func(setting, addr string, tls bool, h http.Handler) error {
		if addr == "" {
			return nil
		}
		l, err := listen(ctx, addr)
		if err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
		if tls {
			l = overTLS(l, s.certs)
		}
		add(l, h)
		return nil
	}
	switch {
	case s.opts.Listener != nil:
		l := s.opts.Listener
		if s.certs != nil {
			l = overTLS(l, s.certs)
		}
		add(l, s.handler)
	case !s.opts.External:
		if err := open("listen", s.cfg.Listen, s.certs != nil, s.handler); err != nil {
			return err
		}
	}
	if s.cfg.HTTPListen != "" {
		if err := open("http-listen", s.cfg.HTTPListen, false, s.plainHandler()); err != nil {
			return err
		}
	}
	return open("metrics-listen", s.cfg.MetricsListen, false, s.metricsHandler())
}

// plainHandler is what the address for plain http answers. Making it lets the
// authority be offered the challenge by http, so it is made only to be served.
func (s *Server) plainHandler() http.Handler {
	if f, ok := s.certs.(*fetched); ok {
		return f.manager.HTTPHandler(redirect(s.cfg.Host)) // RFC 8555, section 8.3
	}
	return redirect(s.cfg.Host)
}

// stopListeners lets the requests under way end. Streams never do by
// themselves, so after a moment their contexts are ended.
func (s *Server) stopListeners(ctx context.Context) error {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	streams := time.AfterFunc(streamGrace, s.endStreams)
	defer streams.Stop()
	errs := make([]error, len(s.listeners))
	var all sync.WaitGroup
	for i, l := range s.listeners {
		all.Go(func() { errs[i] = l.shutdown(grace) })
	}
	all.Wait()
	return errors.Join(errs...)
}
