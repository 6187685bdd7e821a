package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"

	"github.com/mianmi/mianmi/bench"
	"github.com/mianmi/mianmi/fleet"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

type benchFleetCmd struct {
	Terminals int    `placeholder:"N" default:"500" help:"Simulated terminals, each with its own key, certificate and connection." zh:"模拟终端数量，每台各有密钥、证书和连接。"`
	Rounds    int    `placeholder:"N" default:"3" help:"OFFs, one after the other; the median is printed last." zh:"依次执行的关闭次数；最后显示中位数。"`
	TempPG    bool   `name:"temporary-postgres" help:"Start a PostgreSQL for this run, with durable commits, and remove it afterwards (needs PostgreSQL's programs, not a server)." zh:"为本次运行启动一个临时 PostgreSQL（提交仍落盘），结束后删除；只需安装 PostgreSQL 程序。"`
	Profiles  string `placeholder:"DIR" help:"Write CPU and heap profiles of the server during each OFF into this folder." zh:"把每次关闭期间服务进程的 CPU 与堆剖析文件写入此目录。"`
}

// Validate is called by kong once every flag is set.
func (c *benchFleetCmd) Validate() error {
	switch {
	case c.Terminals < 1 || c.Terminals > 25_000:
		return errors.New("--terminals: want 1 to 25000, for one address has no more ports")
	case c.Rounds < 1 || c.Rounds > 1000:
		return errors.New("--rounds: want 1 to 1000")
	}
	return nil
}

// Run measures on a database of its own, with keys of its own.
func (c *benchFleetCmd) Run(ctx context.Context, a *app) (err error) {
	dir, err := os.MkdirTemp("", "mianmi-bench-fleet-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	inner, shared := *a, *a.shared
	shared.Data = dir
	inner.shared = &shared
	dsn, stop, err := c.database(ctx, &inner)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := inner.emptyDatabase(ctx, dsn); err != nil {
		return err
	}
	if c.Profiles != "" {
		if err := os.MkdirAll(c.Profiles, 0o700); err != nil {
			return err
		}
	}
	f, err := bench.Fleet(ctx, c.options(&inner, dsn))
	if err != nil {
		return err
	}
	return c.print(a, &f)
}

// database is a temporary PostgreSQL, the one that is named, or a file of the run.
func (c *benchFleetCmd) database(ctx context.Context, a *app) (dsn string, stop func() error, err error) {
	none := func() error { return nil }
	if !c.TempPG {
		return a.shared.dsn(), none, nil
	}
	p, err := pgtest.Start(pgtest.Options{Durable: true, Set: []string{"shared_buffers=1GB"}})
	if err != nil {
		return "", nil, err
	}
	if dsn, err = p.NewDatabase(ctx); err != nil {
		return "", nil, errors.Join(err, p.Stop())
	}
	return dsn, p.Stop, nil
}

func (c *benchFleetCmd) options(a *app, dsn string) bench.FleetOptions {
	again := func(ctx context.Context, args ...string) *exec.Cmd {
		self, err := os.Executable()
		if err != nil {
			self = os.Args[0]
		}
		cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // this very program
		// A password of the database is not for the list of processes.
		cmd.Env = append(foreign(a.environ), "MIANMI_DB="+dsn, "MIANMI_DATA="+a.shared.Data)
		return cmd
	}
	return bench.FleetOptions{
		Options: bench.Options{Clock: a.clock, Random: a.random, Log: a.log}, DSN: dsn, Terminals: c.Terminals, Rounds: c.Rounds, Profile: c.Profiles,
		Store: a.shared.storeOptions(),
		Server: func(ctx context.Context) *exec.Cmd {
			return again(ctx, "bench", "fleet-server", "--listen=127.0.0.1:0", "--terminals=127.0.0.1:0", "--mqtt=127.0.0.1:0", "--terminal-names=127.0.0.1",
				fmt.Sprintf("--terminal-conns-max=%d", c.Terminals+100), "--log-format=json", "--log-level=info")
		},
		Swarm: func(ctx context.Context) *exec.Cmd { return again(ctx, "bench", "fleet-swarm") },
		Authority: func(ctx context.Context, db *store.DB) (*fleet.CA, error) {
			keys, err := a.keys(ctx, db)
			if err != nil {
				return nil, err
			}
			return fleet.NewCA(keys.CASeed())
		},
		Operator: func(ctx context.Context) (bench.Operator, error) {
			e, err := a.passingOperator(ctx, dsn, "bench")
			return bench.Operator{Login: e.Staff.Login, Password: e.Password, TOTP: e.TOTP}, err
		},
	}
}

func (c *benchFleetCmd) print(a *app, f *bench.FleetFigures) error {
	out := func(format string, args ...any) { _, _ = fmt.Fprintf(a.stdout, format+"\n", args...) }
	out("%d terminals, %s, %d processors for server, terminals and database together", f.Terminals, f.Engine, runtime.NumCPU())
	out("connected and attested in %.1f s", f.Joined)
	out("server memory: %d KiB before, %d KiB with all connected (%.0f KiB a terminal), %d KiB after the OFFs (%.0f KiB a terminal)",
		f.RSSBefore, f.RSSJoined, f.JoinedEach, f.RSSAfter, f.AfterEach)
	for i := range f.Rounds {
		out("round %d", i+1)
		printFleetRound(out, &f.Rounds[i])
	}
	median := f.Median()
	out("median")
	printFleetRound(out, &median)
	text, err := json.Marshal(f)
	if err == nil {
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
	}
	return err
}

func printFleetRound(out func(string, ...any), r *bench.FleetRound) {
	out("  plain broadcast       %s", r.Broadcast)
	out("  OFF acknowledged in %.0f ms; from there on", r.Order)
	out("  delivered             %s", r.Delivered)
	out("  delivered, on record  %s", r.DeliveredHost)
	out("  attested              %s", r.Attested)
	out("  attested, on record   %s", r.AttestedHost)
	out("  last delivered / last of the plain broadcast  %.1f; server CPU %.0f ms; proved by the host's count %d; asked by themselves %d, again %d; connections lost %d",
		r.Delivered.Last/max(r.Broadcast.Last, 1e-3), r.CPU, r.Proved, r.Asked, r.Again, r.Broken)
}

// benchFleetServerCmd is mianmi serve, with orders on its standard input.
type benchFleetServerCmd struct{ serveCmd }

// Run serves until ctx or the orders end.
func (c *benchFleetServerCmd) Run(ctx context.Context, a *app) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n, err := c.open(ctx, a)
	if err != nil {
		return err
	}
	told := make(chan error, 1)
	go func() {
		told <- takeOrders(n.fleet, a.stdin, a.stdout)
		cancel()
	}()
	err = n.serve(ctx)
	select {
	case orders := <-told:
		return errors.Join(err, orders)
	default:
		return err
	}
}

// takeOrders does what bench fleet asks until in ends.
func takeOrders(f *fleet.Service, in io.Reader, out io.Writer) error {
	d, e := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var o bench.ServerOrder
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		did, err := takeOrder(f, o)
		if err != nil {
			did.Error = err.Error()
		}
		if err := e.Encode(did); err != nil {
			return err
		}
	}
}

func takeOrder(f *fleet.Service, o bench.ServerOrder) (did bench.ServerDid, err error) {
	did.Began = systemClock{}.Now()
	if o.Broadcast {
		did.Sent, err = f.Broadcast()
	}
	if o.Settle {
		debug.FreeOSMemory()
	}
	if o.Profile != "" {
		var file *os.File
		if file, err = os.Create(filepath.Clean(o.Profile)); err == nil {
			err = pprof.StartCPUProfile(file) // closed with the process
		}
	}
	if o.EndProfile {
		pprof.StopCPUProfile()
	}
	if o.Heap != "" {
		var file *os.File
		if file, err = os.Create(filepath.Clean(o.Heap)); err == nil {
			runtime.GC()
			err = errors.Join(pprof.Lookup("heap").WriteTo(file, 0), file.Close())
		}
	}
	return did, err
}

type benchFleetSwarmCmd struct{}

// Run is the process of the terminals.
func (benchFleetSwarmCmd) Run(ctx context.Context, a *app) error {
	return bench.SwarmProcess(ctx, a.stdin, a.stdout)
}
