package app

import (
	"context"
	"errors"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
)

// remotePicture fetches a picture of another server for our copy of it. The
// federation policy is asked at that moment, as for every fetch: from a server
// that is not admitted nothing is fetched, so that it learns of no reader here.
func (s *Server) remotePicture(of string) media.Getter {
	return func(ctx context.Context, address string) (body []byte, contentType string, err error) {
		body, contentType, err = s.federation.Picture(ctx, of, address, media.Pictures().Bytes)
		if err != nil {
			if peers.Refused(err) {
				err = errors.Join(err, media.ErrNotAsked)
			}
			return nil, "", fault.Wrap(fault.NotFound, err, "This picture cannot be shown.").WithKey("media.not_shown", nil)
		}
		return body, contentType, nil
	}
}
