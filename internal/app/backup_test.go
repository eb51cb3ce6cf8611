package app

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// Every table must be in a backup, and after those it refers to.
func TestBackupHasEveryTable(t *testing.T) {
	db := storetest.Open(t)
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		var tables []string
		if err := tx.Raw("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'goose_db_version'").Scan(&tables).Error; err != nil {
			return err
		}
		ours := backupTables()
		for _, table := range tables {
			at := slices.Index(ours, table)
			if at < 0 {
				t.Errorf("table %s is in no backup", table)
				continue
			}
			var refers []struct{ Table string }
			if err := tx.Raw("SELECT \"table\" FROM pragma_foreign_key_list('" + table + "')").Scan(&refers).Error; err != nil {
				return err
			}
			for _, r := range refers {
				if before := slices.Index(ours, r.Table); r.Table != table && before > at {
					t.Errorf("table %s is restored before %s, to which it refers", table, r.Table)
				}
			}
		}
		if len(tables) != len(ours) {
			t.Errorf("%d tables in the schema, %d in a backup", len(tables), len(ours))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRowsSurvive(t *testing.T) {
	at := time.Date(2026, 11, 25, 3, 4, 5, 678e6, time.UTC)
	row := []any{int64(1<<62 + 1), "te reo: āēīōū <&> \u2028", true, false, nil, 0.25, at, []byte{0, 255, 10}, ""}
	line, err := encodeRow(row)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsRune(line, '\n') {
		t.Errorf("a row is more than a line: %s", line)
	}
	got, err := decodeRow(line, len(row))
	if err != nil {
		t.Fatal(err)
	}
	for i := range row {
		same := false
		switch want := row[i].(type) {
		case []byte:
			b, ok := got[i].([]byte)
			same = ok && bytes.Equal(b, want)
		case time.Time:
			g, ok := got[i].(time.Time)
			same = ok && g.Equal(want)
		default:
			same = got[i] == want
		}
		if !same {
			t.Errorf("value %d was %#v and is %#v (%s)", i, row[i], got[i], line)
		}
	}
	for _, bad := range []string{`[1]`, `[1,2,3]`, `{"a":1}`, `[{"x":1},2]`, `[[1],2]`, `[{"b":"%%"},2]`, ``} {
		if _, err := decodeRow([]byte(bad), 2); err == nil {
			t.Errorf("%s is taken for a row of two", bad)
		}
	}
}

// furnish fills a server with a little of everything and returns its settings.
func furnish(t *testing.T, dialect store.Dialect) config.Config {
	t.Helper()
	cfg := settings(t, "--host", "oak.test:8080", "--trusted-proxies", "127.0.0.1")
	if dialect == store.Postgres {
		cfg.Database = storetest.Postgres(t)
	}
	db, err := OpenDB(t.Context(), cfg, discard(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ana, err := CreatePerson(t.Context(), db, NewPerson{Username: "ana", Password: "three words and more", Role: community.Owner})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := IssueToken(t.Context(), db, ana.ID, "Script", "read write"); err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		if err := community.EnsureSite(tx); err != nil {
			return err
		}
		_, err := community.Publish(tx, ana, community.Draft{Kind: community.Practice, Audience: community.Public, Title: "Kept #safe",
			Sections: &community.Sections{Tried: "This", Happened: "That"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(cfg.MediaDir(), "files", "ab", "abcdefgh.jpg")
	if err := os.MkdirAll(filepath.Dir(picture), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(picture, []byte("a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// contents are a backup's rows by table, sorted.
func contents(t *testing.T, backup string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := eachPart(backup, func(part string, body []byte) error {
		if strings.HasPrefix(part, "tables/") {
			lines := strings.Split(string(body), "\n")
			slices.Sort(lines)
			out[part] = strings.Join(lines, "\n")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func backedUp(t *testing.T, cfg config.Config) string {
	t.Helper()
	db, err := OpenDB(t.Context(), cfg, discard(), nil)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "backup.tar.gz")
	if _, err := BackupFile(t.Context(), cfg, db, name); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return name
}

// A backup of either database can be restored into either.
func TestBackupAndRestore(t *testing.T) {
	dialects := []store.Dialect{store.SQLite}
	if os.Getenv("CHALKRING_TEST_POSTGRES") != "" {
		dialects = append(dialects, store.Postgres)
	}
	for _, from := range dialects {
		for _, to := range dialects {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				cfg := furnish(t, from)
				name := backedUp(t, cfg)
				if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("the backup holds keys and has the mode %v (%v)", info.Mode(), err)
				}
				again := settings(t, "--host", cfg.Host, "--trusted-proxies", "127.0.0.1")
				if to == store.Postgres {
					again.Database = storetest.Empty(t, store.Postgres)
				}
				m, err := Restore(t.Context(), again, discard(), name)
				if err != nil {
					t.Fatal(err)
				}
				if m.Rows["posts"] != 1 || m.Rows["account_keys"] == 0 || m.Host != cfg.Host {
					t.Errorf("restored %+v", m.Rows)
				}
				want, got := contents(t, name), contents(t, backedUp(t, again))
				for table := range want {
					if want[table] != got[table] {
						t.Errorf("table %s was\n%s\nand is\n%s", table, want[table], got[table])
					}
				}
				b, err := os.ReadFile(filepath.Join(again.MediaDir(), "files", "ab", "abcdefgh.jpg"))
				if err != nil || string(b) != "a picture" {
					t.Errorf("the picture: %q, %v", b, err)
				}
				if _, err := Restore(t.Context(), again, discard(), name); err == nil {
					t.Error("restored over a server that is there")
				}
			})
		}
	}
}

// Whatever is wrong with a backup, nothing is touched.
func TestDamagedBackupsTouchNothing(t *testing.T) {
	cfg := furnish(t, store.SQLite)
	whole, err := os.ReadFile(backedUp(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		body func(t *testing.T) []byte
		says string
	}{
		{"cut off", func(*testing.T) []byte { return whole[:len(whole)/2] }, "damaged"},
		{"a bit has flipped", func(*testing.T) []byte {
			b := slices.Clone(whole)
			b[len(b)/2] ^= 1
			return b
		}, "damaged"},
		{"no backup at all", func(*testing.T) []byte { return []byte("hello") }, "no backup"},
		{"a changed row", func(t *testing.T) []byte {
			return repacked(t, whole, func(name string, body []byte) (string, []byte) {
				return name, bytes.Replace(body, []byte("Kept #safe"), []byte("Kept #sade"), 1)
			})
		}, "tables/posts"},
		{"a part is missing", func(t *testing.T) []byte {
			return repacked(t, whole, func(name string, body []byte) (string, []byte) {
				if strings.HasPrefix(name, "media/") {
					return "", nil
				}
				return name, body
			})
		}, "lacks media/"},
		{"a path that leads out", func(t *testing.T) []byte {
			return repacked(t, whole, func(name string, body []byte) (string, []byte) {
				if strings.HasPrefix(name, "media/") {
					return "media/files/../../../evil", body
				}
				return name, body
			})
		}, "does not belong"},
		{"a newer format", func(t *testing.T) []byte { return remanifested(t, whole, func(m *Manifest) { m.Format++ }) }, "format"},
		{"newer tables", func(t *testing.T) []byte { return remanifested(t, whole, func(m *Manifest) { m.Schema++ }) }, "version"},
		{"another host", func(t *testing.T) []byte { return remanifested(t, whole, func(m *Manifest) { m.Host = "elm.test" }) }, "elm.test"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "backup.tar.gz")
			if err := os.WriteFile(name, tt.body(t), 0o600); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "data")
			to := settings(t, "--host", cfg.Host, "--trusted-proxies", "127.0.0.1", "--data", dir)
			_, err := Restore(t.Context(), to, discard(), name)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want a failure that says %q", err, tt.says)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the data folder was touched (%v)", err)
			}
		})
	}
}

// repacked is a backup with each part changed; a part without a name is left out.
func repacked(t *testing.T, whole []byte, change func(name string, body []byte) (string, []byte)) []byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(unzipped)
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	a := &archive{tar: tar.NewWriter(zip)}
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		name, body := change(h.Name, body)
		if name == "" {
			continue
		}
		if err := a.file(name, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(a.tar.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func remanifested(t *testing.T, whole []byte, change func(*Manifest)) []byte {
	t.Helper()
	return repacked(t, whole, func(name string, body []byte) (string, []byte) {
		if name != "manifest.json" {
			return name, body
		}
		var m Manifest
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		change(&m)
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return name, body
	})
}
