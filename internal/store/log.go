package store

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm/logger"
)

// ormLog writes gorm's slow queries to the log. Values never appear in it: they
// are people's words and names. Errors are returned, so they are not logged
// here too.
type ormLog struct {
	log  *slog.Logger
	slow time.Duration
}

func (l *ormLog) LogMode(logger.LogLevel) logger.Interface { return l }

func (l *ormLog) Info(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "database: "+fmt.Sprintf(format, args...))
}

func (l *ormLog) Warn(ctx context.Context, format string, args ...any) {
	l.log.WarnContext(ctx, "database: "+fmt.Sprintf(format, args...))
}

func (l *ormLog) Error(ctx context.Context, format string, args ...any) {
	l.log.ErrorContext(ctx, "database: "+fmt.Sprintf(format, args...))
}

func (l *ormLog) Trace(ctx context.Context, begin time.Time, query func() (string, int64), err error) {
	if took := time.Since(begin); took >= l.slow {
		sql, rows := query()
		l.log.WarnContext(ctx, "slow query", "took", took.Round(time.Millisecond), "rows", rows, "sql", sql)
	}
}

// ParamsFilter keeps values out of what Trace is given.
func (l *ormLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}
