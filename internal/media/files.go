package media

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/chalkring/chalkring/internal/fault"
)

// Library is a directory of pictures and the work that fills it. One server
// has one; its methods may be called from many goroutines.
type Library struct {
	root     *os.Root
	slots    chan struct{} // decoding takes much memory: so many at once
	fetching singleflight.Group
}

// Open opens the library in a directory, made if it is missing. At most atOnce
// pictures are decoded at one time; the others wait.
func Open(dir string, atOnce int) (*Library, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make media directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open media directory: %w", err)
	}
	return &Library{root: root, slots: make(chan struct{}, max(1, atOnce))}, nil
}

// Close closes the directory.
func (l *Library) Close() error { return l.root.Close() }

// Stored is a processed picture on disk, under names that nobody can guess.
type Stored struct {
	Name, Preview string
	Mime          string
	Bytes         int64 // of both files
	Width, Height int
	Blurhash      string
}

// Store processes an upload and writes its files. It is done before the
// transaction that records them: if that fails, the files belong to nobody and
// the next Sweep takes them.
func (l *Library) Store(ctx context.Context, r io.Reader, limits Limits) (Stored, error) {
	data, err := read(r, limits) // a slow sender waits outside of the slots
	if err != nil {
		return Stored{}, err
	}
	p, err := l.process(ctx, data, limits)
	if err != nil {
		return Stored{}, err
	}
	s := Stored{Mime: p.Full.Mime, Bytes: int64(len(p.Full.Bytes) + len(p.Preview.Bytes)),
		Width: p.Full.Width, Height: p.Full.Height, Blurhash: p.Blurhash}
	s.Name, s.Preview = newName(p.Full.Mime), newName(p.Preview.Mime)
	if err := l.write(shard(s.Name), p.Full.Bytes); err != nil {
		return Stored{}, err
	}
	return s, l.write(shard(s.Preview), p.Preview.Bytes)
}

// process waits for a slot and processes.
func (l *Library) process(ctx context.Context, data []byte, limits Limits) (Processed, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return Processed{}, ctx.Err()
	}
	return process(ctx, data, limits)
}

// File is a picture opened for reading.
type File struct {
	*os.File
	Name    string
	Mime    string
	ModTime time.Time
}

// Open opens a stored file by its name; any other name is NotFound.
func (l *Library) Open(name string) (*File, error) {
	if !IsName(name) {
		return nil, notFound(nil)
	}
	return l.open(shard(name), name)
}

func (l *Library) open(at, name string) (*File, error) {
	f, err := l.root.Open(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notFound(err)
	} else if err != nil {
		return nil, fmt.Errorf("open media file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open media file: %w", err)
	}
	return &File{File: f, Name: name, Mime: mimeOf(name), ModTime: info.ModTime()}, nil
}

func notFound(cause error) error {
	return fault.Wrap(fault.NotFound, cause, "There is no such picture here.").WithKey("media.not_found", nil)
}

// Remove deletes stored files; one that is gone already is no failure.
func (l *Library) Remove(names ...string) error {
	for _, name := range names {
		if !IsName(name) {
			continue
		}
		if err := l.root.Remove(shard(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove media file: %w", err)
		}
	}
	return nil
}

// Grace is how long a file may belong to nobody, and an attachment to no post.
const Grace = 24 * time.Hour

// Sweep removes files that were written before now less Grace and that no row
// names; known tells which of some names are still wanted (see Known). It
// returns how many went.
func (l *Library) Sweep(ctx context.Context, now time.Time, known func(ctx context.Context, names []string) (map[string]bool, error)) (int, error) {
	removed := 0
	var batch []string
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		wanted, err := known(ctx, batch)
		if err != nil {
			return err
		}
		for _, name := range batch {
			if wanted[name] {
				continue
			}
			if err := l.Remove(name); err != nil {
				return err
			}
			removed++
		}
		batch = batch[:0]
		return nil
	}
	err := l.each(ctx, "files", now.Add(-Grace), func(at string, info fs.FileInfo) error {
		name := path.Base(at)
		if !IsName(name) { // a write that was cut short
			return l.root.Remove(at)
		}
		if batch = append(batch, name); len(batch) < 500 {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return removed, fmt.Errorf("sweep media: %w", err)
	}
	return removed, nil
}

// each calls do for every file below dir last written before a moment.
func (l *Library) each(ctx context.Context, dir string, before time.Time, do func(at string, info fs.FileInfo) error) error {
	return fs.WalkDir(l.root.FS(), dir, func(at string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // not made yet, or gone meanwhile
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir():
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		if info.ModTime().Before(before) {
			return do(at, info)
		}
		return nil
	})
}

// write makes a file appear whole or not at all: it is written beside its
// place, brought to disk, and then renamed.
func (l *Library) write(at string, data []byte) (err error) {
	dir := path.Dir(at)
	if err := l.root.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write media file: %w", err)
	}
	part := at + ".part-" + rand.Text()
	f, err := l.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write media file: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = l.root.Rename(part, at)
	}
	if err != nil {
		l.root.Remove(part)
		return fmt.Errorf("write media file: %w", err)
	}
	if d, err := l.root.Open(dir); err == nil { // so that the name outlives a power cut as well
		d.Sync()
		d.Close()
	}
	return nil
}

var (
	encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	names    = regexp.MustCompile(`^[a-z2-7]{26}\.(jpg|png)$`)
)

// IsName reports whether s has the shape of a stored file's name.
func IsName(s string) bool { return names.MatchString(s) }

// newName is a name with 128 random bits: who may see a picture is decided when
// it is asked for, and nobody can ask for one that they were not shown.
func newName(mime string) string {
	var b [16]byte
	rand.Read(b[:])
	return encoding.EncodeToString(b[:]) + extension(mime)
}

// shard is where the file of that name lies.
func shard(name string) string { return "files/" + name[:2] + "/" + name }

func extension(mime string) string {
	if mime == "image/png" {
		return ".png"
	}
	return ".jpg"
}

func mimeOf(name string) string {
	if strings.HasSuffix(name, ".png") {
		return "image/png"
	}
	return "image/jpeg"
}
