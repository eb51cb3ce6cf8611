package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm/schema"
)

// Columns read a struct's table for questions: which columns there are, and how
// each is put into its field. They are worked out once, from what gorm knows of
// the struct.
type Columns[T any] struct {
	lite, pg string
	steps    []step
}

// step puts one column into its field.
type step struct {
	field int
	put   func(r *Row, into reflect.Value)
}

// ColumnsOf works out the columns of a struct: all of them, or those of some
// fields. It is for variables of packages and panics if the struct has a field
// that cannot be read.
func ColumnsOf[T any](only ...string) *Columns[T] {
	s, err := schema.Parse(new(T), &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		panic(err)
	}
	var c Columns[T]
	var lite, pg []string
	for _, name := range s.DBNames {
		f := s.FieldsByDBName[name]
		if len(only) > 0 && !slices.Contains(only, f.Name) {
			continue
		}
		put := putter(f)
		if put == nil || len(f.StructField.Index) != 1 {
			panic(fmt.Sprintf("%s.%s cannot be read", s.Name, f.Name))
		}
		c.steps = append(c.steps, step{f.StructField.Index[0], put})
		column := s.Table + "." + name
		pg = append(pg, column)
		if f.IndirectFieldType == reflect.TypeFor[time.Time]() {
			// Not by its name alone: the driver would then try one format of times
			// after the other, which costs more than the rest of the row.
			column = "+" + column
		}
		lite = append(lite, column)
	}
	if len(only) > 0 && len(c.steps) != len(only) {
		panic(fmt.Sprintf("%s has not all of the fields %v", s.Name, only))
	}
	c.lite, c.pg = strings.Join(lite, ", "), strings.Join(pg, ", ")
	return &c
}

// In returns the columns for a SELECT, each with its table's name.
func (c *Columns[T]) In(d Dialect) string {
	if d == SQLite {
		return c.lite
	}
	return c.pg
}

// Read takes the columns of a row.
func (c *Columns[T]) Read(r *Row, into *T) {
	v := reflect.ValueOf(into).Elem()
	for _, s := range c.steps {
		s.put(r, v.Field(s.field))
	}
}

// Skip passes over the columns, as where a LEFT JOIN found nothing.
func (c *Columns[T]) Skip(r *Row) { r.Skip(len(c.steps)) }

// putter returns how a column is put into a field like this; nil: in no way.
func putter(f *schema.Field) func(r *Row, into reflect.Value) {
	if f.Serializer != nil {
		if _, ok := f.Serializer.(schema.JSONSerializer); ok {
			return putJSON
		}
		return nil
	}
	switch reflect.Zero(f.FieldType).Interface().(type) {
	case time.Time:
		return func(r *Row, into reflect.Value) { *into.Addr().Interface().(*time.Time) = r.Time() }
	case *time.Time:
		return func(r *Row, into reflect.Value) { *into.Addr().Interface().(**time.Time) = r.TimePtr() }
	case *int64:
		return func(r *Row, into reflect.Value) { *into.Addr().Interface().(**int64) = r.IntPtr() }
	case *string:
		return func(r *Row, into reflect.Value) { *into.Addr().Interface().(**string) = r.TextPtr() }
	}
	switch f.FieldType.Kind() {
	case reflect.String:
		return func(r *Row, into reflect.Value) { into.SetString(r.Text()) }
	case reflect.Bool:
		return func(r *Row, into reflect.Value) { into.SetBool(r.Bool()) }
	case reflect.Int, reflect.Int64:
		return func(r *Row, into reflect.Value) { into.SetInt(r.Int()) }
	case reflect.Float64:
		return func(r *Row, into reflect.Value) { into.SetFloat(r.Float()) }
	}
	return nil
}

// putJSON takes a column that is kept as JSON, which mostly says that there is
// nothing.
func putJSON(r *Row, into reflect.Value) {
	switch text := r.Text(); text {
	case "", "null":
		into.SetZero()
	case "[]":
		if into.Kind() == reflect.Slice {
			into.Set(reflect.MakeSlice(into.Type(), 0, 0))
			return
		}
		fallthrough
	default:
		if err := json.Unmarshal([]byte(text), into.Addr().Interface()); err != nil {
			r.Fail(err)
		}
	}
}
