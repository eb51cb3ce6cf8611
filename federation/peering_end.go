package federation

import "context"

// sayPeeringEnded tells a server that the connection with it has ended, in the
// name of this server, once: the last of what is said to it.
func (f *Federation) sayPeeringEnded(ctx context.Context, host string) error {
	return nil
}
