package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Look is what stands between this server and another, from the name to the
// certificate. A later part is empty where an earlier one failed.
type Look struct {
	Addresses []netip.Addr // that the name leads to
	Resolved  error        // why it leads nowhere
	Connected error        // why none of them takes a connection
	Secured   error        // why no secured connection came about; nil also over plain http
	Plain     bool         // the other server is spoken to without TLS, as on a developer's machine
	From, To  time.Time    // when the certificate counts, also of one that does not
	Names     []string     // what it is for
}

// Look looks at the way to a host, which may name a port. It sends nothing but
// a greeting, and is bound by the same rules as a Request.
func (c *Client) Look(ctx context.Context, host string) Look {
	var l Look
	within, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "443"
		if c.opts.PlainHTTP {
			port = "80"
		}
	}
	l.Plain = c.opts.PlainHTTP
	d := newDialer(c.opts)
	if l.Addresses, l.Resolved = d.lookup(within, name); l.Resolved != nil {
		return l
	}
	conn, err := d.dial(within, "tcp", net.JoinHostPort(name, port))
	if err != nil {
		if within.Err() != nil || isTimeout(err) {
			err = errors.Join(ErrTimeout, err)
		}
		l.Connected = err
		return l
	}
	defer conn.Close()
	if l.Plain {
		return l
	}
	secured := tls.Client(conn, &tls.Config{RootCAs: c.opts.Roots, MinVersion: tls.VersionTLS12, ServerName: name})
	l.Secured = secured.HandshakeContext(within)
	var leaf *x509.Certificate
	var unverified *tls.CertificateVerificationError
	switch {
	case l.Secured == nil:
		leaf = secured.ConnectionState().PeerCertificates[0]
	case errors.As(l.Secured, &unverified) && len(unverified.UnverifiedCertificates) > 0:
		leaf = unverified.UnverifiedCertificates[0]
	case isTimeout(l.Secured):
		l.Secured = errors.Join(ErrTimeout, l.Secured)
	}
	if leaf != nil {
		l.From, l.To, l.Names = leaf.NotBefore, leaf.NotAfter, leaf.DNSNames
	}
	return l
}

func isTimeout(err error) bool {
	var slow net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout()
}

// lookup finds the addresses of a name, where dial would.
func (d *dialer) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if d.resolve != nil {
		if places, ok := d.resolve(ctx, name); ok {
			addresses := make([]netip.Addr, len(places))
			for i, at := range places {
				addresses[i] = at.Addr()
			}
			if len(addresses) == 0 {
				return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
			}
			return addresses, nil
		}
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	for i, a := range addresses {
		addresses[i] = a.Unmap()
	}
	return addresses, err
}
