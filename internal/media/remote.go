package media

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
)

// Getter fetches the bytes of a picture from another server. The door that
// fills it in asks the federation policy and goes out through egress. An error
// that is ErrNotAsked is no failure of the picture's, and is not remembered.
type Getter func(ctx context.Context, url string) (body []byte, contentType string, err error)

// ErrNotAsked is why a picture is missing that nobody was asked for, such as
// one of a server that is not admitted: it may be asked for the moment that is.
var ErrNotAsked = errors.New("the other server was not asked")

const (
	remoteFor = 7 * 24 * time.Hour // a copy that nobody looked at is kept so long
	failedFor = 24 * time.Hour     // after which failures in a row are forgotten
)

// pause is how long a picture that could not be had so many times in a row is
// not asked for again: briefly at first, since its server may just have been
// busy, and a quarter of a day at most, since it may come to be there.
func pause(failures int64) time.Duration {
	switch failures {
	case 0:
		return 0
	case 1:
		return time.Minute
	case 2:
		return 5 * time.Minute
	case 3:
		return 30 * time.Minute
	}
	return 6 * time.Hour
}

// Variant says which rendering of a remote picture is wanted.
type Variant string

// The renderings of remote pictures.
const (
	Whole    Variant = "whole"
	Preview  Variant = "preview"
	Portrait Variant = "portrait" // the middle square, for people and groups
	Sign     Variant = "sign"     // as small as letters, for emoji
)

// FetchRemote opens this server's copy of a picture on another server, made
// with get when there is none. Readers never fetch from that server themselves,
// so it does not learn who they are; and what they see is made from pixels, as
// an upload is. Several who ask at once wait for one fetch.
func (l *Library) FetchRemote(ctx context.Context, url string, v Variant, get Getter) (*File, error) {
	for try := 0; ; try++ {
		if f, err := l.copyOf(url, v); err != nil || f != nil {
			return f, err
		}
		_, err, shared := l.fetching.Do(string(v)+" "+url, func() (any, error) { return nil, l.fetch(ctx, url, v, get) })
		left := shared && errors.Is(err, context.Canceled) && ctx.Err() == nil // the one who fetched for all of us went away
		switch {
		case err != nil && !left:
			return nil, err
		case try == 2: // left alone thrice, or swept at once
			return nil, notFound(err)
		}
	}
}

// copyOf opens a copy that is there. It is nil if one has to be fetched, and
// NotFound if that was tried a short while ago.
func (l *Library) copyOf(url string, v Variant) (*File, error) {
	for _, ext := range []string{".jpg", ".png"} {
		at := remotePath(url, v, ext)
		f, err := l.open(at, path.Base(at))
		if fault.Is(err, fault.NotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		if now := time.Now(); now.Sub(f.ModTime) > 24*time.Hour {
			_ = l.root.Chtimes(at, now, now) // somebody looked; losing this costs one fetch
		}
		return f, nil
	}
	if failures, last := l.failures(url); time.Since(last) < pause(failures) {
		return nil, notFound(nil)
	}
	return nil, nil
}

// failures returns how often in a row a picture could not be had, and when last.
// It is the length of a file and its time.
func (l *Library) failures(url string) (int64, time.Time) {
	info, err := l.root.Stat(remotePath(url, Whole, ".none"))
	if err != nil || time.Since(info.ModTime()) > failedFor {
		return 0, time.Time{}
	}
	return max(1, info.Size()), info.ModTime()
}

// failed remembers that a picture could not be had, but for readers who left
// before it could be known.
func (l *Library) failed(ctx context.Context, url string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	failures, _ := l.failures(url)
	return errors.Join(err, l.write(remotePath(url, Whole, ".none"), make([]byte, min(failures+1, 4))))
}

func (l *Library) fetch(ctx context.Context, url string, v Variant, get Getter) error {
	body, _, err := get(ctx, url)
	if err != nil {
		if !errors.Is(err, ErrNotAsked) {
			err = l.failed(ctx, url, err)
		}
		return fmt.Errorf("fetch remote picture: %w", err)
	}
	limits := Pictures()
	switch v {
	case Portrait:
		limits = Portraits()
	case Sign:
		limits = Signs()
	}
	if int64(len(body)) > limits.Bytes {
		err = fmt.Errorf("%d bytes are more than is taken", len(body))
	}
	var p Processed
	if err == nil {
		p, err = l.process(ctx, body, limits)
	}
	if err != nil {
		return fault.Wrap(fault.NotFound, l.failed(ctx, url, err), "This picture cannot be shown.").WithKey("media.not_shown", nil)
	}
	if err := l.root.Remove(remotePath(url, Whole, ".none")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if v == Portrait || v == Sign {
		return l.write(remotePath(url, v, extension(p.Full.Mime)), p.Full.Bytes)
	}
	if err := l.write(remotePath(url, Preview, extension(p.Preview.Mime)), p.Preview.Bytes); err != nil {
		return err
	}
	return l.write(remotePath(url, Whole, extension(p.Full.Mime)), p.Full.Bytes)
}

// Forget removes the copies of pictures at these addresses, whatever is left of
// them: they are not wanted again.
func (l *Library) Forget(urls ...string) error {
	for _, url := range urls {
		for _, v := range []Variant{Whole, Preview, Portrait, Sign} {
			for _, ext := range []string{".jpg", ".png", ".none"} {
				if err := l.root.Remove(remotePath(url, v, ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("forget a remote picture: %w", err)
				}
			}
		}
	}
	return nil
}

// remotePath is where the copy lies: named after the address, not after the
// attachment, so that a picture in many posts is fetched once.
func remotePath(url string, v Variant, ext string) string {
	sum := sha256.Sum256([]byte(url))
	name := encoding.EncodeToString(sum[:16])
	return "remote/" + name[:2] + "/" + name + "-" + string(v) + ext
}

// SweepRemote removes copies that nobody looked at for a week, and then the
// longest unseen ones until the rest take no more than most bytes. It returns
// how many went; a copy that is wanted again is fetched again.
func (l *Library) SweepRemote(ctx context.Context, now time.Time, most int64) (int, error) {
	type file struct {
		at   string
		seen time.Time
		size int64
	}
	var files []file
	var total int64
	err := l.each(ctx, "remote", now.Add(time.Hour), func(at string, info fs.FileInfo) error {
		files = append(files, file{at, info.ModTime(), info.Size()})
		total += info.Size()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep remote media: %w", err)
	}
	slices.SortFunc(files, func(a, b file) int { return a.seen.Compare(b.seen) })
	removed := 0
	for _, f := range files {
		age := now.Sub(f.seen)
		stale := age > remoteFor || strings.HasSuffix(f.at, ".none") && age > failedFor || strings.Contains(f.at, ".part-") && age > Grace
		if !stale && total <= most {
			continue
		}
		if err := l.root.Remove(f.at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("sweep remote media: %w", err)
		}
		total -= f.size
		removed++
	}
	return removed, nil
}
