package federation_test

import (
	"fmt"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// rows runs a query and calls fn with each row, as texts.
func (s *scene) rows(sql string, args []any, fn func(row []string)) {
	s.t.Helper()
	err := s.oak.DB().Read(s.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Raw(sql, args...).Rows()
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			row := make([]string, len(columns))
			for i, v := range values {
				switch v := v.(type) {
				case nil:
				case []byte:
					row[i] = string(v)
				default:
					row[i] = fmt.Sprint(v)
				}
			}
			fn(row)
		}
		return rows.Err()
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// one runs a query for one value, as text; "" when there is none.
func (s *scene) one(sql string, args ...any) string {
	s.t.Helper()
	out := ""
	s.rows(sql, args, func(row []string) { out = row[0] })
	return out
}

// contextOf is the address of the conversation that one of our posts opens.
func (s *scene) contextOf(p testnet.Post) string {
	s.t.Helper()
	var address string
	err := s.oak.DB().Read(s.t.Context(), func(tx *store.Tx) error {
		post, err := community.PostByURI(tx, p.IRI)
		address = tx.Site.Context(post.ThreadID)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return address
}
