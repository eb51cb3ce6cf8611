package app

import (
	"context"
	"fmt"
	"net/url"

	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// remotePicture fetches a picture of another server for our copy of it. The
// federation policy is asked at that moment, as for every fetch: from a server
// that is not admitted nothing is fetched, so that it learns of no reader here.
func (s *Server) remotePicture(ctx context.Context, address string) (body []byte, contentType string, err error) {
	if err := s.admits(ctx, address); err != nil {
		return nil, "", err
	}
	res, err := s.egress.Get(ctx, egress.Request{
		URL: address, Accept: "image/*", MaxBody: media.Pictures().Bytes,
		Follow: func(to *url.URL) error { return s.admits(ctx, to.String()) },
	})
	if err != nil {
		return nil, "", err
	}
	if res.Status != 200 {
		return nil, "", fault.Wrap(fault.NotFound, fmt.Errorf("picture answered %d", res.Status), "This picture cannot be shown.").WithKey("media.not_shown", nil)
	}
	return res.Body, res.Header.Get("Content-Type"), nil
}

func (s *Server) admits(ctx context.Context, address string) error {
	host, err := iri.HostOf(address)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "This picture cannot be shown.").WithKey("media.not_shown", nil)
	}
	return s.db.Read(ctx, func(tx *store.Tx) error { return peers.Check(tx, host) })
}
