package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// dialer opens connections. The guard sees each address just before the
// connection is made, after every name has been resolved.
type dialer struct {
	net.Dialer
	resolve func(ctx context.Context, host string) ([]netip.AddrPort, bool)
}

func newDialer(opts Options) *dialer {
	var v4, v6 []netip.Prefix
	for _, p := range opts.Allow {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	// Ports are checked in the address that is asked for, since Resolve may
	// send us to another.
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	d := &dialer{resolve: opts.Resolve}
	d.Timeout = min(8*time.Second, opts.Timeout)
	d.KeepAlive = 30 * time.Second
	d.Control = func(network, address string, conn syscall.RawConn) error {
		if err := guard.Safe(network, address, conn); err != nil {
			return fmt.Errorf("%w: %s; list its range among the allowed ones if it is meant to be reached (%v)", ErrPrivateAddress, address, err)
		}
		return nil
	}
	return d
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.resolve == nil {
		return d.DialContext(ctx, network, address)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	places, ok := d.resolve(ctx, host)
	if !ok {
		return d.DialContext(ctx, network, address)
	}
	failed := errors.New("the name has no address")
	for _, at := range places {
		var conn net.Conn
		if conn, err = d.DialContext(ctx, network, at.String()); err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}
