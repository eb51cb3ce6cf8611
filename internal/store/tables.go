package store

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ValueKind is what a column holds, in Go's terms and the same on both
// databases.
type ValueKind string

// The kinds of value: int64, float64, bool, string, time.Time and []byte.
const (
	Int   ValueKind = "int"
	Float ValueKind = "float"
	Bool  ValueKind = "bool"
	Text  ValueKind = "text"
	Time  ValueKind = "time"
	Bytes ValueKind = "bytes"
)

// Column is one column of a table.
type Column struct {
	Name string
	Kind ValueKind
	Null bool // it may be NULL
}

// Table is one table that holds data. What is derived from other tables, such
// as a search index, is not among them.
type Table struct {
	Name    string
	Columns []Column
	Key     []string // the primary key's columns

	refs []string // the tables its foreign keys point to
}

// Tables returns every table with data, each after those it refers to, so that
// filling them in this order breaks no foreign key.
func (tx *Tx) Tables() ([]Table, error) {
	read := tx.liteTables
	if tx.Dialect() == Postgres {
		read = tx.pgTables
	}
	tables, err := read()
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	return inOrder(tables)
}

// inOrder sorts tables so that none refers to a later one.
func inOrder(tables []Table) ([]Table, error) {
	slices.SortFunc(tables, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	placed := map[string]bool{}
	var out []Table
	for len(out) < len(tables) {
		before := len(out)
		for _, t := range tables {
			ready := !placed[t.Name] && !slices.ContainsFunc(t.refs, func(r string) bool { return r != t.Name && !placed[r] })
			if ready {
				placed[t.Name] = true
				out = append(out, t)
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("tables refer to each other in a circle")
		}
	}
	return out, nil
}

// liteColumn is a row of SQLite's table_xinfo. Pk is the column's place in the
// primary key, from 1, or 0.
type liteColumn struct {
	Name    string
	Type    string
	Notnull int
	Pk      int
}

func (tx *Tx) liteTables() ([]Table, error) {
	var names []string
	err := tx.Raw(`SELECT name FROM pragma_table_list
		WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'goose_db_version'`).Scan(&names).Error
	if err != nil {
		return nil, err
	}
	var out []Table
	for _, name := range names {
		t := Table{Name: name}
		var columns []liteColumn
		if err := tx.Raw(`SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid`, name).Scan(&columns).Error; err != nil {
			return nil, err
		}
		for place := 1; ; place++ {
			i := slices.IndexFunc(columns, func(c liteColumn) bool { return c.Pk == place })
			if i < 0 {
				break
			}
			t.Key = append(t.Key, columns[i].Name)
		}
		for _, c := range columns {
			kind, err := kindOf(c.Type)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", name, c.Name, err)
			}
			t.Columns = append(t.Columns, Column{Name: c.Name, Kind: kind, Null: c.Notnull == 0})
		}
		if err := tx.Raw(`SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)`, name).Scan(&t.refs).Error; err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func (tx *Tx) pgTables() ([]Table, error) {
	var columns []struct {
		Tab  string
		Name string
		Type string
		Null bool
		Pk   int
	}
	err := tx.Raw(`SELECT c.relname AS tab, a.attname AS name, format_type(a.atttypid, NULL) AS type, NOT a.attnotnull AS null,
			coalesce(array_position(k.conkey, a.attnum), 0) AS pk
		FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
		WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND c.relname <> 'goose_db_version'
		ORDER BY c.relname, a.attnum`).Scan(&columns).Error
	if err != nil {
		return nil, err
	}
	var refs []struct{ Tab, Ref string }
	err = tx.Raw(`SELECT DISTINCT c.relname AS tab, f.relname AS ref FROM pg_constraint k
		JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
		WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace`).Scan(&refs).Error
	if err != nil {
		return nil, err
	}
	var out []Table
	places := map[string]map[int]string{}
	for _, c := range columns {
		if len(out) == 0 || out[len(out)-1].Name != c.Tab {
			out = append(out, Table{Name: c.Tab})
			places[c.Tab] = map[int]string{}
		}
		kind, err := kindOf(c.Type)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", c.Tab, c.Name, err)
		}
		t := &out[len(out)-1]
		t.Columns = append(t.Columns, Column{Name: c.Name, Kind: kind, Null: c.Null})
		places[c.Tab][c.Pk] = c.Name
	}
	for i := range out {
		for place := 1; places[out[i].Name][place] != ""; place++ {
			out[i].Key = append(out[i].Key, places[out[i].Name][place])
		}
		for _, r := range refs {
			if r.Tab == out[i].Name {
				out[i].refs = append(out[i].refs, r.Ref)
			}
		}
	}
	return out, nil
}

// kindOf returns what a column of an SQL type holds. Only the types that the
// migrations use are known.
func kindOf(sqlType string) (ValueKind, error) {
	base, _, _ := strings.Cut(strings.ToUpper(sqlType), "(")
	switch strings.TrimSpace(base) {
	case "BIGINT", "INTEGER", "SMALLINT", "INT":
		return Int, nil
	case "DOUBLE PRECISION", "REAL", "FLOAT":
		return Float, nil
	case "BOOLEAN":
		return Bool, nil
	case "TEXT":
		return Text, nil
	case "TIMESTAMP", "TIMESTAMP WITHOUT TIME ZONE":
		return Time, nil
	case "BYTEA", "BLOB":
		return Bytes, nil
	}
	return "", fmt.Errorf("the column type %s is not one that both databases share", sqlType)
}

// ExportTable calls fn with every row of a table, ordered by its key: one value
// a column, nil for NULL, of the column's kind. The row is fn's to keep.
func (tx *Tx) ExportTable(t Table, fn func(row []any) error) error {
	query := "SELECT " + quoted(t.Columns) + " FROM " + quote(t.Name)
	if len(t.Key) > 0 {
		keys := make([]string, len(t.Key))
		for i, k := range t.Key {
			keys[i] = quote(k)
		}
		query += " ORDER BY " + strings.Join(keys, ", ")
	}
	rows, err := tx.Raw(query).Rows()
	if err != nil {
		return fmt.Errorf("read %s: %w", t.Name, err)
	}
	defer rows.Close()
	for rows.Next() {
		row := make([]any, len(t.Columns))
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read %s: %w", t.Name, err)
		}
		for i, c := range t.Columns {
			if row[i], err = ofKind(c.Kind, row[i]); err != nil {
				return fmt.Errorf("read %s.%s: %w", t.Name, c.Name, err)
			}
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ofKind brings what a driver returned into the kind's Go type.
func ofKind(k ValueKind, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case int64:
		switch k {
		case Int:
			return v, nil
		case Bool:
			return v != 0, nil
		case Float:
			return float64(v), nil
		}
	case int32:
		return ofKind(k, int64(v))
	case float64:
		if k == Float {
			return v, nil
		}
	case bool:
		if k == Bool {
			return v, nil
		}
	case string:
		switch k {
		case Text:
			return v, nil
		case Bytes:
			return []byte(v), nil
		}
	case []byte:
		switch k {
		case Bytes:
			return slices.Clone(v), nil
		case Text:
			return string(v), nil
		}
	case time.Time:
		if k == Time {
			return v.UTC(), nil
		}
	}
	return nil, fmt.Errorf("a %T where a value of kind %s belongs", v, k)
}

// ImportTable inserts rows, as ExportTable gave them, from either database.
// next returns each row in turn, and nil when there are no more.
func (tx *Tx) ImportTable(t Table, next func() ([]any, error)) (int64, error) {
	const most = 4000 // values in one statement
	perStatement := max(1, most/max(1, len(t.Columns)))
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(t.Columns)), ", ") + ")"
	head := "INSERT INTO " + quote(t.Name) + " (" + quoted(t.Columns) + ") VALUES "
	var count int64
	var values []any
	flush := func() error {
		n := len(values) / len(t.Columns)
		if n == 0 {
			return nil
		}
		query := head + strings.TrimSuffix(strings.Repeat(one+", ", n), ", ")
		if err := tx.Exec(query, values...).Error; err != nil {
			return fmt.Errorf("write %s: %w", t.Name, err)
		}
		count += int64(n)
		values = values[:0]
		return nil
	}
	for {
		row, err := next()
		if err != nil {
			return count, err
		}
		if row == nil {
			return count, flush()
		}
		if len(row) != len(t.Columns) {
			return count, fmt.Errorf("write %s: a row of %d values for %d columns", t.Name, len(row), len(t.Columns))
		}
		values = append(values, row...)
		if len(values) >= perStatement*len(t.Columns) {
			if err := flush(); err != nil {
				return count, err
			}
		}
	}
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoted(columns []Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = quote(c.Name)
	}
	return strings.Join(names, ", ")
}
