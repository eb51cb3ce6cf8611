package storetest

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm/schema"

	"github.com/chalkring/chalkring/internal/store"
)

// SameColumns holds structs against their tables: each field must have a
// column and each column a field, of the same kind, and a field must be able
// to hold NULL if and only if its column can (a field with a conversion of its
// own is trusted with that). Models are pointers to structs.
func SameColumns(t testing.TB, db *store.DB, models ...any) {
	t.Helper()
	var tables []store.Table
	if err := db.Read(t.Context(), func(tx *store.Tx) (err error) {
		tables, err = tx.Tables()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, model := range models {
		s, err := schema.Parse(model, &sync.Map{}, schema.NamingStrategy{})
		if err != nil {
			t.Errorf("%T: %v", model, err)
			continue
		}
		i := slices.IndexFunc(tables, func(table store.Table) bool { return table.Name == s.Table })
		if i < 0 {
			t.Errorf("%T: there is no table %s", model, s.Table)
			continue
		}
		for _, problem := range differences(s, tables[i]) {
			t.Errorf("%T: %s", model, problem)
		}
	}
}

func differences(s *schema.Schema, table store.Table) (out []string) {
	for _, name := range s.DBNames {
		if !slices.ContainsFunc(table.Columns, func(c store.Column) bool { return c.Name == name }) {
			out = append(out, fmt.Sprintf("field %s: %s has no column %s", s.FieldsByDBName[name].Name, table.Name, name))
		}
	}
	for _, c := range table.Columns {
		f := s.FieldsByDBName[c.Name]
		if f == nil {
			out = append(out, fmt.Sprintf("column %s.%s has no field", table.Name, c.Name))
			continue
		}
		kind, known := kindOf(f)
		if known && kind != c.Kind {
			out = append(out, fmt.Sprintf("field %s holds %s, column %s.%s holds %s", f.Name, kind, table.Name, c.Name, c.Kind))
		}
		nullable := f.FieldType.Kind() == reflect.Pointer || f.FieldType.Kind() == reflect.Slice
		if c.Null && !nullable {
			out = append(out, fmt.Sprintf("field %s cannot be NULL, column %s.%s can: make it a pointer", f.Name, table.Name, c.Name))
		}
		if !c.Null && known && f.FieldType.Kind() == reflect.Pointer {
			out = append(out, fmt.Sprintf("field %s can be NULL, column %s.%s cannot", f.Name, table.Name, c.Name))
		}
		if slices.Contains(table.Key, c.Name) != f.PrimaryKey {
			out = append(out, fmt.Sprintf("field %s and column %s.%s differ about the primary key", f.Name, table.Name, c.Name))
		}
	}
	return out
}

// kindOf returns what a field holds; a field with a conversion of its own, such
// as a struct kept as JSON, has no known kind.
func kindOf(f *schema.Field) (store.ValueKind, bool) {
	if _, own := reflect.New(f.FieldType).Elem().Interface().(driver.Valuer); own || f.Serializer != nil {
		return "", false
	}
	switch f.GORMDataType {
	case schema.Bool:
		return store.Bool, true
	case schema.Int, schema.Uint:
		return store.Int, true
	case schema.Float:
		return store.Float, true
	case schema.String:
		return store.Text, true
	case schema.Time:
		return store.Time, true
	case schema.Bytes:
		return store.Bytes, true
	}
	return "", false
}
