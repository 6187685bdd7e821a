package torture

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// Target is a database to work on.
type Target struct {
	DSN string
	// Cluster is the server of DSN when it is ours to stop.
	Cluster *pgtest.Cluster
	// Small is the file system that the database lies on, when it is ours to fill.
	Small *SmallDisk
	// BoundFiles fills the disk by a bound on the files of the server, where no
	// small file system can be had. For SQLite on Linux.
	BoundFiles bool

	proxy *proxy // between servers and database; nil: none
}

// sqlite reports whether the database is a file.
func (t *Target) sqlite() bool { return strings.HasPrefix(t.DSN, "sqlite:") }

// through puts a proxy of ours before a PostgreSQL server and returns the
// address that servers are to use.
func (t *Target) through(ctx context.Context) (dsn string, err error) {
	u, err := url.Parse(t.DSN)
	if err != nil || u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "/") {
		return "", mianmi.InvalidField("db", "faults of the database need a postgres:// address with a host")
	}
	port := u.Port()
	if port == "" {
		port = "5432"
	}
	if t.proxy, err = newProxy(ctx, net.JoinHostPort(u.Hostname(), port)); err != nil {
		return "", err
	}
	u.Host = t.proxy.addr()
	return u.String(), nil
}

func (t *Target) stop() {
	if t.proxy != nil {
		t.proxy.stop()
	}
}

// open opens the store past proxy and service, for a look.
func (t *Target) open(ctx context.Context) (*store.DB, error) {
	return store.Open(ctx, t.DSN, store.Options{ConnsMax: 4, CacheKiB: 16 << 10})
}

// rows opens the database as a stranger does, past proxy and service.
func (t *Target) rows() (*sql.DB, error) {
	if file, ok := strings.CutPrefix(t.DSN, "sqlite:"); ok {
		return sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=query_only(ON)")
	}
	return sql.Open("pgx", t.DSN)
}

// count runs a query that counts rows.
func count(ctx context.Context, db *sql.DB, query string) (n int64, err error) {
	err = db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

// NewCluster makes a PostgreSQL of its own with durable commits, in a folder
// ("" for one of its own) and with settings. exec.ErrNotFound: it is not installed.
func NewCluster(ctx context.Context, dir string, set ...string) (t *Target, stop func() error, err error) {
	c, err := pgtest.Start(pgtest.Options{Durable: true, Dir: dir, Set: append([]string{"shared_buffers=128MB"}, set...)})
	if err != nil {
		return nil, nil, err
	}
	dsn, err := c.NewDatabase(ctx)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make a database: %w", err), c.Stop())
	}
	return &Target{DSN: dsn, Cluster: c}, c.Stop, nil
}
