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
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// maxPart bounds one part of a backup: media files and table parts are far
// smaller, and a forged length must not take the memory.
const maxPart = 1 << 30

// CheckBackup reads a whole backup and fails unless it is complete and
// unchanged: every part that the manifest names is there with its hash, and
// nothing else.
func CheckBackup(name string) (Manifest, error) {
	found := map[string]Part{}
	var order []string
	var m Manifest
	complete := false
	err := eachPart(name, func(part string, body []byte) error {
		if complete {
			return fmt.Errorf("%s follows the manifest, which comes last", part)
		}
		if part == "manifest.json" {
			complete = true
			return json.Unmarshal(body, &m)
		}
		if _, twice := found[part]; twice {
			return fmt.Errorf("%s is in it twice", part)
		}
		if !validPart(part) {
			return fmt.Errorf("%q does not belong in a backup", part)
		}
		sum := sha256.Sum256(body)
		found[part] = Part{part, int64(len(body)), hex.EncodeToString(sum[:])}
		order = append(order, part)
		return nil
	})
	switch {
	case err != nil:
		return m, fmt.Errorf("%s is damaged or no backup: %w", name, err)
	case !complete:
		return m, fmt.Errorf("%s is cut off: it has no manifest", name)
	case m.Format != backupFormat:
		return m, fmt.Errorf("%s has format %d, and this program reads format %d: use the chalkring that made it (%s) or a newer one", name, m.Format, backupFormat, m.Version)
	}
	for _, want := range m.Parts {
		have, ok := found[want.Name]
		if !ok {
			return m, fmt.Errorf("%s lacks %s", name, want.Name)
		}
		if have != want {
			return m, fmt.Errorf("%s is damaged: %s is not what was backed up", name, want.Name)
		}
		delete(found, want.Name)
	}
	for _, part := range order {
		if _, extra := found[part]; extra {
			return m, fmt.Errorf("%s holds %s, which its manifest does not name", name, part)
		}
	}
	return m, nil
}

func validPart(name string) bool {
	if path.Clean(name) != name || path.IsAbs(name) || strings.HasPrefix(name, "..") || strings.Contains(name, "\\") {
		return false
	}
	if table, ok := strings.CutPrefix(path.Dir(name), "tables/"); ok {
		return slices.Contains(backupTables(), table)
	}
	return strings.HasPrefix(name, "media/files/")
}

// Restore checks a backup and then builds the server that it was made of, in a
// database and a folder that must be empty. Until everything has been checked
// nothing is touched; the rows arrive in one transaction.
func Restore(ctx context.Context, cfg config.Config, log *slog.Logger, name string) (m Manifest, err error) {
	if m, err = CheckBackup(name); err != nil {
		return m, err
	}
	if m.Host != cfg.Host {
		return m, fmt.Errorf("this is a backup of %s and the settings say host %s: other servers know it by its old name, so restore it with host %s", m.Host, cfg.Host, m.Host)
	}
	if err := emptyFolder(filepath.Join(cfg.MediaDir(), "files")); err != nil {
		return m, err
	}
	if store.DialectOf(cfg.Database) == store.SQLite {
		if _, err := os.Stat(cfg.Database); err == nil {
			return m, fmt.Errorf("%s exists already; restore into an empty place, or move it away", cfg.Database)
		}
	}
	newest, err := newestSchema(ctx)
	if err != nil {
		return m, err
	}
	if m.Schema != newest {
		return m, fmt.Errorf("its tables are of version %d, and this program's of version %d: restore it with chalkring %s, and update then", m.Schema, newest, m.Version)
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return m, fmt.Errorf("make the data folder: %w", err)
	}
	db, err := store.Open(ctx, store.Options{Database: cfg.Database, Site: iri.Site{Host: cfg.Host, Scheme: cfg.Scheme()},
		Log: log, Conns: cfg.Conns, WriteTimeout: 12 * time.Hour})
	if err != nil {
		return m, fmt.Errorf("open the database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close(ctx)) }()
	if err := db.Read(ctx, emptyTables); err != nil {
		return m, err
	}
	// Files first: a server whose rows are there has everything.
	if err := restoreMedia(name, cfg.MediaDir()); err != nil {
		return m, err
	}
	return m, db.Write(ctx, func(tx *store.Tx) error { return restoreRows(tx, name, m) })
}

// newestSchema returns the version of the tables that this program makes.
func newestSchema(ctx context.Context) (int64, error) {
	dir, err := os.MkdirTemp("", "chalkring-")
	if err != nil {
		return 0, err
	}
	_, newest, err := store.Versions(ctx, filepath.Join(dir, "schema.db"))
	return newest, errors.Join(err, os.RemoveAll(dir))
}

func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s holds files already; restore into an empty folder, or move it away", dir)
	}
	return err
}

func emptyTables(tx *store.Tx) error {
	for _, table := range backupTables() {
		var used bool
		if err := tx.Raw("SELECT EXISTS (SELECT 1 FROM " + table + ")").Scan(&used).Error; err != nil {
			return err
		}
		if used {
			return fmt.Errorf("the database is not empty (table %s); restore into a new one", table)
		}
	}
	return nil
}

// restoreRows fills the empty tables, in the order in which they refer to
// each other.
func restoreRows(tx *store.Tx, name string, m Manifest) error {
	if err := emptyTables(tx); err != nil {
		return err
	}
	rows := map[string]int64{}
	err := eachPart(name, func(part string, body []byte) error {
		table, ok := strings.CutPrefix(path.Dir(part), "tables/")
		if !ok {
			return nil
		}
		n, err := insertRows(tx, table, body)
		rows[table] += n
		if err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for table, want := range m.Rows {
		if rows[table] != want {
			return fmt.Errorf("table %s has %d rows in the backup, its manifest says %d", table, rows[table], want)
		}
	}
	// No node of the old server holds anything any more.
	return tx.Exec("UPDATE lanes SET node = '', node_until = ?", time.Unix(0, 0).UTC()).Error
}

// maxVariables is below what both databases take in one statement.
const maxVariables = 30_000

func insertRows(tx *store.Tx, table string, body []byte) (n int64, err error) {
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, len(body)+1)
	if !lines.Scan() {
		return 0, errors.New("a part without columns")
	}
	var columns []string
	if err := json.Unmarshal(lines.Bytes(), &columns); err != nil {
		return 0, err
	}
	quoted := make([]string, len(columns))
	for i, c := range columns {
		if c == "" || strings.Trim(c, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return 0, fmt.Errorf("%q is no column", c)
		}
		quoted[i] = `"` + c + `"`
	}
	head := "INSERT INTO " + table + " (" + strings.Join(quoted, ", ") + ") VALUES "
	places := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ") + ")"
	most := min(200, maxVariables/len(columns))
	var values []any
	held := 0
	flush := func() error {
		if held == 0 {
			return nil
		}
		err := tx.Exec(head+strings.TrimSuffix(strings.Repeat(places+", ", held), ", "), values...).Error
		values, held = values[:0], 0
		return err
	}
	for lines.Scan() {
		row, err := decodeRow(lines.Bytes(), len(columns))
		if err != nil {
			return n, err
		}
		values = append(values, row...)
		n++
		if held++; held == most {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	return n, errors.Join(lines.Err(), flush())
}

func restoreMedia(name, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return eachPart(name, func(part string, body []byte) error {
		at, ok := strings.CutPrefix(part, "media/")
		if !ok {
			return nil
		}
		if err := root.MkdirAll(path.Dir(at), 0o700); err != nil {
			return err
		}
		f, err := root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(body)
		return errors.Join(err, f.Sync(), f.Close())
	})
}

// eachPart calls do with every file of a backup, in order.
func eachPart(name string, do func(part string, body []byte) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	zip, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return err
	}
	in := tar.NewReader(zip)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			// The packed stream's own checksum is read with its last byte.
			_, err := io.Copy(io.Discard, zip)
			return errors.Join(err, zip.Close())
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxPart {
			return fmt.Errorf("%q is not a file that belongs in a backup", h.Name)
		}
		body, err := io.ReadAll(in) // as much as is there, whatever its length says
		if err != nil {
			return err
		}
		if err := do(h.Name, body); err != nil {
			return err
		}
	}
}
