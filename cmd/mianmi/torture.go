package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/torture"
)

// tortureCmd starts servers of this program and ill-treats them.
type tortureCmd struct {
	Minutes float64  `placeholder:"M" help:"Length of the run; by default as long as the rounds take, or 5 minutes." zh:"运行的分钟数；默认到规定的轮数跑完为止，未规定轮数时为 5 分钟。"`
	Rounds  int      `placeholder:"N" help:"End after that many rounds, each with one fault." zh:"运行多少轮（每轮一次故障）后结束。"`
	Seed    uint64   `placeholder:"N" default:"0" help:"Seed of everything that is drawn by chance; 0 takes a new one. It is printed." zh:"所有随机选择的种子；0 表示另取一个。种子会显示出来。"`
	Nodes   int      `placeholder:"K" default:"1" help:"Servers on one PostgreSQL, up to 8." zh:"共用一个 PostgreSQL 的服务个数，最多 8。"`
	Faults  []string `placeholder:"NAME,…" help:"Faults to choose from; by default all that this machine and database allow: kill, kill-all, pause, clock, second, database-cut, database-slow, database-away, database-stop, disk-full." zh:"从哪些故障中选择；默认为本机和数据库允许的全部：kill、kill-all、pause、clock、second、database-cut、database-slow、database-away、database-stop、disk-full。"`
	TempPG  bool     `name:"temporary-postgres" help:"Start a PostgreSQL for this run, with durable commits, and remove it afterwards (needs PostgreSQL's programs, not a server)." zh:"为本次运行启动一个临时 PostgreSQL（提交仍落盘），结束后删除；只需安装 PostgreSQL 程序。"`

	chosen []torture.Fault
}

// Validate is called by kong once every flag is set.
func (c *tortureCmd) Validate() error {
	switch {
	case c.Minutes < 0 || c.Minutes > 7*24*60:
		return errors.New("--minutes: want at most a week, 10080")
	case c.Rounds < 0 || c.Rounds > 1_000_000:
		return errors.New("--rounds: want 0 to 1000000")
	case c.Nodes < 1 || c.Nodes > 8:
		return errors.New("--nodes: want 1 to 8")
	}
	if c.Minutes == 0 && c.Rounds == 0 {
		c.Minutes = 5
	}
	c.chosen = torture.AllFaults
	if len(c.Faults) > 0 {
		c.chosen = nil
	}
	for _, name := range c.Faults {
		f := torture.Fault(name)
		if f.Text() == (mianmi.Text{}) {
			return fmt.Errorf("--faults: there is no %q", name)
		}
		c.chosen = append(c.chosen, f)
	}
	return nil
}

// Run ends with status 1 when a promise was broken.
func (c *tortureCmd) Run(ctx context.Context, a *app) (err error) {
	inner := *a
	shared := *a.shared
	// A folder of its own: keys of a deployment are never touched.
	shared.Data = filepath.Join(shared.Data, "torture")
	inner.shared = &shared
	if c.Seed == 0 {
		c.Seed = uint64(a.clock.Now().UnixMicro()) //nolint:gosec // after 1970
	}
	if err := os.MkdirAll(shared.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	target, done, err := c.target(ctx, &inner)
	if err != nil {
		return err
	}
	report, err := c.run(ctx, &inner, target)
	if stopErr := done(err == nil && report.OK()); err == nil {
		err = stopErr
	}
	if report != nil {
		c.print(a, report)
	}
	if err != nil {
		return err
	}
	if !report.OK() {
		return errFound
	}
	return nil
}

// run is the main part, and then the part on a disk that is full.
func (c *tortureCmd) run(ctx context.Context, a *app, t *torture.Target) (*torture.Report, error) {
	cfg := torture.Config{Target: t, Dir: a.shared.Data, Nodes: c.Nodes, Seed: c.Seed, Rounds: c.Rounds, Length: time.Duration(c.Minutes * float64(time.Minute)),
		Server: a.tortureServer, Operator: a.tortureOperator, Log: a.tortureLog, Tell: a.tell, Faults: torture.Possible(c.chosen, t, c.Nodes)}
	a.tell(mianmi.Text{ZH: fmt.Sprintf("种子 %d，服务 %d 个，数据库 %s", c.Seed, c.Nodes, publicAddress(t.DSN)),
		EN: fmt.Sprintf("seed %d, servers: %d, database %s", c.Seed, c.Nodes, publicAddress(t.DSN))})
	full := slices.Contains(c.chosen, torture.DiskFull)
	if len(cfg.Faults) == 0 && !full {
		return nil, errors.New("none of these faults can be done with this database and that many servers")
	}
	var report *torture.Report
	var err error
	if len(cfg.Faults) > 0 {
		report, err = torture.Run(ctx, cfg)
	}
	if !full || err != nil || report != nil && !report.OK() || ctx.Err() != nil {
		return report, err
	}
	disk, err := c.fullDisk(ctx, a, cfg)
	return report.With(disk), err
}

const (
	// fullRounds is how often a disk is filled in one run.
	fullRounds = 3
	// smallDisk takes an empty PostgreSQL, and SQLite's write-ahead log of 128 MiB.
	smallDisk = 224 << 20
)

// fullDisk runs on a database of its own of the same kind, on a small file
// system that can be filled; where none may be mounted, with files that cannot
// grow.
func (c *tortureCmd) fullDisk(ctx context.Context, a *app, cfg torture.Config) (_ *torture.Report, err error) {
	dir, err := os.MkdirTemp("", "mianmi-small-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sqlite := strings.HasPrefix(cfg.Target.DSN, "sqlite:")
	small, err := torture.NewSmallDisk(dir, smallDisk)
	switch {
	case errors.Is(err, torture.ErrNoMount) && sqlite:
		a.tell(mianmi.Text{ZH: "磁盘写满：无权挂载小文件系统，改为限制文件大小（RLIMIT_FSIZE）", EN: "disk full: may not mount a small file system, so the size of files is bounded instead (RLIMIT_FSIZE)"})
	case errors.Is(err, torture.ErrNoMount):
		a.tell(mianmi.Text{ZH: "磁盘写满：未查，挂载小文件系统需要 root", EN: "disk full: not checked, mounting a small file system needs root"})
		return nil, nil
	case err != nil:
		return nil, err
	default:
		defer func() { err = errors.Join(err, small.Close()) }()
		a.tell(mianmi.Text{ZH: fmt.Sprintf("磁盘写满：使用内存中的小文件系统（tmpfs，%d MiB）", smallDisk>>20), EN: fmt.Sprintf("disk full: on a small file system in memory (tmpfs, %d MiB)", smallDisk>>20)})
	}
	cfg.Target = &torture.Target{DSN: "sqlite:" + filepath.Join(dir, "small.db")}
	if !sqlite {
		var stop func() error
		if cfg.Target, stop, err = torture.NewCluster(ctx, dir, "max_wal_size=48MB", "min_wal_size=32MB"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	cfg.Target.Small, cfg.Target.BoundFiles, cfg.Faults, cfg.Rounds, cfg.Length = small, small == nil, []torture.Fault{torture.DiskFull}, fullRounds, 0
	if err := a.emptyDatabase(ctx, cfg.Target.DSN); err != nil {
		return nil, err
	}
	return torture.Run(ctx, cfg)
}

func (a *app) tell(t mianmi.Text) { _, _ = fmt.Fprintln(a.stdout, t.In(a.lang)) }

// target is the database of the run, which must hold nothing: the one that is
// named, a temporary PostgreSQL, or a new file. done removes what was made,
// unless it may be wanted to find a fault.
func (c *tortureCmd) target(ctx context.Context, a *app) (t *torture.Target, done func(well bool) error, err error) {
	done = func(bool) error { return nil }
	switch {
	case c.TempPG:
		var stop func() error
		if t, stop, err = torture.NewCluster(ctx, ""); err != nil {
			return nil, nil, err
		}
		done = func(bool) error { return stop() }
	case a.shared.DB != "":
		t = &torture.Target{DSN: a.shared.DB}
	default:
		file := filepath.Join(a.shared.Data, "run-"+a.clock.Now().Format("20060102-150405.000")+".db")
		t = &torture.Target{DSN: "sqlite:" + file}
		done = func(well bool) error {
			if !well {
				return nil
			}
			return errors.Join(os.Remove(file), removed(file+"-wal"), removed(file+"-shm"))
		}
	}
	if err := a.emptyDatabase(ctx, t.DSN); err != nil {
		return nil, nil, errors.Join(err, done(true))
	}
	return t, done, nil
}

// removed removes a file that may not be there.
func removed(file string) error {
	if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// emptyDatabase makes the schema, and refuses a database that somebody uses.
func (a *app) emptyDatabase(ctx context.Context, dsn string) (err error) {
	db, err := store.Open(ctx, dsn, a.shared.storeOptions())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	people, err := db.CountPayers(ctx)
	if err != nil {
		return err
	}
	places, err := db.Merchants(ctx, "", 1)
	if err == nil && people+len(places) > 0 {
		err = mianmi.Conflicts("in_use", "the database "+publicAddress(dsn)+" is in use: torture wants an empty one, for it switches PIN-free payment off and on for everybody; name another with --db, or leave it out")
	}
	return err
}

func (a *app) tortureOperator(ctx context.Context, dsn string) (torture.Operator, error) {
	e, err := a.passingOperator(ctx, dsn, "torture")
	return torture.Operator{Login: e.Staff.Login, Password: e.Password, TOTP: e.TOTP}, err
}

// passingOperator makes an operator of a run, as mianmi staff create does.
func (a *app) passingOperator(ctx context.Context, dsn, run string) (e access.Enrolment, err error) {
	db, err := store.Open(ctx, dsn, a.shared.storeOptions())
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := a.access(ctx, db)
	if err != nil {
		return e, err
	}
	return s.CreateStaff(ctx, mianmi.System(run), access.NewStaff{Login: fmt.Sprintf("%s-%x", run, a.clock.Now().UnixMicro()), Name: run, Role: mianmi.RoleOperator})
}

// tortureLog opens the log with the run's keys.
func (a *app) tortureLog(ctx context.Context, db *store.DB) (*evidence.Log, error) {
	keys, err := a.keys(ctx, db)
	if err != nil {
		return nil, err
	}
	return a.openLog(ctx, db, keys)
}

// tortureServer is this program again, as a server: serve, unless its clock or
// its files are to be tampered with.
func (a *app) tortureServer(o torture.NodeOrder) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	args := []string{"serve"}
	if o.Clock != 0 || o.FileBytesMax != 0 {
		args = []string{"torture-node", "--clock-offset=" + o.Clock.String(), fmt.Sprintf("--file-bytes-max=%d", o.FileBytesMax)}
	}
	args = append(args, "--listen=127.0.0.1:0", "--log-format=json", "--log-level=info", "--lang=en", "--cooling-off=1s", "--step-up-life=10s",
		"--logins-max=100000", "--webhook-allow=127.0.0.0/8", "--db-conns=8", "--db-write-limit=5s")
	cmd := exec.Command(self, args...) //nolint:gosec // this very program
	// A password of the database is not for the list of processes.
	cmd.Env = append(foreign(a.environ), "MIANMI_DB="+o.DB, "MIANMI_DATA="+o.Data)
	return cmd
}

// foreign is the environment without settings of this program, which are the
// run's and not its servers'.
func foreign(environ []string) []string {
	var out []string
	for _, kv := range environ {
		if !strings.HasPrefix(kv, "MIANMI_") || strings.HasPrefix(kv, "MIANMI_TEST_") {
			out = append(out, kv)
		}
	}
	return out
}
