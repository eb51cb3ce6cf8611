package app

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/store"
)

// backupFormat is the version of a backup's layout:
//
//	tables/<table>/<nnnnnn>.jsonl   a line of columns, then a line for each row
//	media/<path>                    uploaded files, as in the media folder
//	manifest.json                   last: what must be there, with hashes
//
// all in a tar, packed with gzip. Rows are written as values and not as either
// database keeps them, so that a backup of one can be restored into the other.
const backupFormat = 1

// Manifest says what a backup holds. Whoever restores it checks all of it
// before anything is touched.
type Manifest struct {
	Format  int              `json:"format"`
	Host    string           `json:"host"`
	Schema  int64            `json:"schema"` // number of the newest migration
	Version string           `json:"version"`
	From    string           `json:"from"` // "sqlite" or "postgres", for the reader
	Made    time.Time        `json:"made"`
	Rows    map[string]int64 `json:"rows"`
	Parts   []Part           `json:"parts"`
}

// Part is one file of a backup but the manifest.
type Part struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// chunkBytes is when a table's part is closed and the next begun, so that
// neither writing nor reading needs a whole table in memory.
const chunkBytes = 4 << 20

// Backup writes everything that a server is made of to w: one state of the
// database, with keys, and the media. The server may run meanwhile.
func Backup(ctx context.Context, cfg config.Config, db *store.DB, w io.Writer) (Manifest, error) {
	schema, _, err := store.Versions(ctx, cfg.Database)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Format: backupFormat, Host: cfg.Host, Schema: schema, Version: Version(),
		From: string(db.Dialect()), Made: db.Now(), Rows: map[string]int64{}}
	zip := gzip.NewWriter(w)
	out := &archive{tar: tar.NewWriter(zip), made: m.Made}
	err = db.Read(ctx, func(tx *store.Tx) error {
		for _, table := range backupTables() {
			n, err := out.table(ctx, tx, table)
			if err != nil {
				return fmt.Errorf("back up table %s: %w", table, err)
			}
			m.Rows[table] = n
		}
		return nil
	})
	if err != nil {
		return m, err
	}
	if err := out.media(ctx, cfg.MediaDir()); err != nil {
		return m, fmt.Errorf("back up media: %w", err)
	}
	m.Parts = out.parts
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return m, err
	}
	if err := out.file("manifest.json", text); err != nil {
		return m, err
	}
	return m, errors.Join(out.tar.Close(), zip.Close())
}

// BackupFile is Backup into a file that only its owner can read, for it holds
// keys. It appears under its name when it is whole; a file of that name is
// never replaced.
func BackupFile(ctx context.Context, cfg config.Config, db *store.DB, name string) (m Manifest, err error) {
	if _, err := os.Lstat(name); err == nil {
		return m, fmt.Errorf("%s exists already; choose another name or move it away", name)
	}
	f, err := os.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return m, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	buffered := bufio.NewWriterSize(f, 1<<20)
	if m, err = Backup(ctx, cfg, db, buffered); err != nil {
		return m, err
	}
	if err = errors.Join(buffered.Flush(), f.Sync(), f.Close()); err != nil {
		return m, err
	}
	return m, os.Rename(f.Name(), name)
}

// archive writes parts and remembers what it wrote.
type archive struct {
	tar   *tar.Writer
	made  time.Time
	parts []Part
}

func (a *archive) header(name string, size int64) error {
	return a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: a.made, Format: tar.FormatPAX})
}

func (a *archive) file(name string, body []byte) error {
	if err := a.header(name, int64(len(body))); err != nil {
		return err
	}
	_, err := a.tar.Write(body)
	return err
}

func (a *archive) part(name string, body []byte) error {
	sum := sha256.Sum256(body)
	a.parts = append(a.parts, Part{name, int64(len(body)), hex.EncodeToString(sum[:])})
	return a.file(name, body)
}

// table writes a table's rows in parts of about chunkBytes.
func (a *archive) table(ctx context.Context, tx *store.Tx, table string) (int64, error) {
	rows, err := tx.WithContext(ctx).Raw("SELECT * FROM " + table).Rows()
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	kinds, err := rows.ColumnTypes()
	if err != nil {
		return 0, err
	}
	head, err := json.Marshal(columns)
	if err != nil {
		return 0, err
	}
	var chunk bytes.Buffer
	chunk.Write(append(head, '\n'))
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var n int64
	number := 0
	flush := func() error {
		number++
		err := a.part(fmt.Sprintf("tables/%s/%06d.jsonl", table, number), chunk.Bytes())
		chunk.Truncate(len(head) + 1)
		return err
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		for i, k := range kinds {
			if values[i], err = plainValue(values[i], k.DatabaseTypeName()); err != nil {
				return n, err
			}
		}
		line, err := encodeRow(values)
		if err != nil {
			return n, err
		}
		chunk.Write(append(line, '\n'))
		n++
		if chunk.Len() >= chunkBytes {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return n, err
	}
	return n, flush()
}

// media copies the uploaded files. Files are written before the rows that name
// them and removed a day after, so whatever the rows already read name is
// there; copies of other servers' pictures can be fetched again and stay out.
func (a *archive) media(ctx context.Context, dir string) error {
	files := filepath.Join(dir, "files")
	return filepath.WalkDir(files, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // no upload yet, or gone meanwhile
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !d.Type().IsRegular():
			return nil
		}
		body, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return a.part(path.Join("media", filepath.ToSlash(rel)), body)
	})
}
