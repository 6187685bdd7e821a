package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/bench"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// benchCmd measures; each run loads a world of its own into a database that
// holds nothing else.
type benchCmd struct {
	Authorize benchAuthorizeCmd `cmd:"" help:"Measure payments inside this process." zh:"在本进程内测量支付性能。"`
	Signals   benchSignalsCmd   `cmd:"" help:"Measure what looking for signals costs payments: with and without it in turns, at the maximum and at half of it." zh:"测量查找风险信号给支付带来的开销：有无交替，分别在最大负载和其一半下测量。"`
	HTTP      benchHTTPCmd      `cmd:"" name:"http" help:"Measure payments over HTTP from a separate load process, beside an empty handler." zh:"由独立的负载进程经 HTTP 测量支付性能，并与空处理器对照。"`
	Webhooks  benchWebhooksCmd  `cmd:"" help:"Measure how fast messages are sent and what they cost payments." zh:"测量消息投递速度，以及它给支付带来的开销。"`
	Search    benchSearchCmd    `cmd:"" help:"Measure how fast payments and cases are found." zh:"测量支付与工单的查询速度。"`
	Fleet     benchFleetCmd     `cmd:"" help:"Measure an OFF over many simulated terminals, from its acknowledgement to the last proof." zh:"用大量模拟终端测量一次关闭：从确认到最后一台终端证实。"`

	FleetServer benchFleetServerCmd `cmd:"" name:"fleet-server" hidden:"" help:"The server of bench fleet." zh:"bench fleet 的服务进程。"`
	FleetSwarm  benchFleetSwarmCmd  `cmd:"" name:"fleet-swarm" hidden:"" help:"The terminals of bench fleet." zh:"bench fleet 的终端进程。"`
	Load        benchLoadCmd        `cmd:"" hidden:"" help:"The load process of bench http." zh:"bench http 的负载进程。"`
}

// benchFlags are those of both runs.
type benchFlags struct {
	Payers   int     `placeholder:"N" default:"10000" help:"Payers to choose from." zh:"付款人数量。"`
	Callers  int     `placeholder:"N" default:"512" help:"Callers that each wait for their answer." zh:"并发调用者数量。"`
	Seconds  float64 `placeholder:"S" default:"8" help:"Length of a run." zh:"每次运行的秒数。"`
	Warmup   float64 `placeholder:"S" default:"2" help:"Length of the warm-up." zh:"预热秒数。"`
	Zipf     float64 `placeholder:"S" default:"0" help:"Exponent of Zipf's law above 1, by which payers are chosen; 0: each alike." zh:"按齐夫定律选择付款人的指数（大于 1）；0 表示均匀。"`
	Compare  bool    `help:"Run one transaction for each payment as well and print the ratio." zh:"同时测量每笔支付单独一个事务的方式，并给出比值。"`
	Ready    int     `placeholder:"N" default:"60000" help:"Payment codes to make ready for each second of a run." zh:"每秒预备的付款码数量。"`
	BLanes   int     `name:"bench-lanes" placeholder:"N" default:"2" help:"Batches under way at once (SQLite: always 1)." zh:"同时进行的批次数（SQLite 固定为 1）。"`
	TempPG   bool    `name:"temporary-postgres" help:"Start a PostgreSQL for this run, with durable commits, and remove it afterwards (needs PostgreSQL's programs, not a server)." zh:"为本次运行启动一个临时 PostgreSQL（提交仍落盘），结束后删除；只需安装 PostgreSQL 程序。"`
	NoFollow bool    `name:"no-follower" help:"Do not read the log for signals, to see what that costs." zh:"不读日志查找风险信号，以便对比其开销。"`
	NoSeq    bool    `name:"no-sequencer" help:"Leave the transparency log's sequencer off, to see what it costs." zh:"不做透明日志的排序入列，以便对比其开销。"`
	Profile  string  `placeholder:"FILE" help:"Write a CPU profile of the batched run." zh:"写入批量运行的 CPU 剖析文件。"`
}

func (f *benchFlags) check() error {
	switch {
	case f.Payers < 2 || f.Payers > 100_000_000:
		return errors.New("--payers: want 2 to 100000000")
	case f.Callers < 1 || f.Callers > 10_000:
		return errors.New("--callers: want 1 to 10000")
	case f.Seconds < 0.1 || f.Seconds > 600 || f.Warmup < 0 || f.Warmup > 600:
		return errors.New("--seconds, --warmup: want at most 600")
	case f.Zipf != 0 && f.Zipf <= 1 || f.Zipf > 10:
		return errors.New("--zipf: want 0, or more than 1 and at most 10")
	case f.Ready < 1 || f.Ready > 1_000_000:
		return errors.New("--ready: want 1 to 1000000")
	case f.BLanes < 1 || f.BLanes > 16:
		return errors.New("--bench-lanes: want 1 to 16")
	}
	return nil
}

// database is the run's: the one that is named, or a temporary one.
func (f *benchFlags) database(ctx context.Context, a *app) (dsn string, stop func() error, err error) {
	if !f.TempPG {
		return a.shared.dsn(), func() error { return nil }, os.MkdirAll(a.shared.Data, 0o700)
	}
	// As a small server would be set: no checkpoint falls into a short run.
	c, err := pgtest.Start(pgtest.Options{Durable: true, Set: []string{"shared_buffers=2GB", "wal_compression=lz4", "max_wal_size=8GB",
		"checkpoint_timeout=15min"}})
	if err != nil {
		return "", nil, err
	}
	dsn, err = c.NewDatabase(ctx)
	if err != nil {
		return "", nil, errors.Join(err, c.Stop())
	}
	return dsn, c.Stop, nil
}

func (f *benchFlags) options(a *app, dsn string) bench.Options {
	return bench.Options{DSN: dsn, Payers: f.Payers, Callers: f.Callers, Zipf: f.Zipf, Lanes: f.BLanes, CodesPerSecond: f.Ready, NoSequencer: f.NoSeq, NoFollower: f.NoFollow,
		Length: seconds(f.Seconds), Warmup: seconds(f.Warmup), Clock: a.clock, Random: a.random, Log: a.log}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// profiled runs fn under the CPU profiler when a file is named.
func (f *benchFlags) profiled(fn func() error) (err error) {
	if f.Profile == "" {
		return fn()
	}
	file, err := os.Create(f.Profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return fn()
}

// benchResult is the last line of a run, for programs.
type benchResult struct {
	PaymentsPerSecond   float64       `json:"payments_per_second"`
	P50ms               float64       `json:"p50_ms"`
	P99ms               float64       `json:"p99_ms"`
	CPU                 float64       `json:"cpu_us_per_payment"`
	RatioToSingle       *float64      `json:"ratio_to_single"`
	RatioToEmptyHandler *float64      `json:"ratio_to_empty_handler,omitempty"`
	Run                 bench.Figures `json:"run"`
}

func newBenchResult(f bench.Figures) benchResult {
	return benchResult{PaymentsPerSecond: f.PerSec, P50ms: f.P50ms, P99ms: f.P99ms, CPU: f.CPU(), Run: f}
}

func ratio(f, of bench.Figures) *float64 {
	if of.PerSec == 0 {
		return nil
	}
	r := f.PerSec / of.PerSec
	return &r
}

func (a *app) printResult(r benchResult) error {
	text, err := json.Marshal(r)
	if err == nil {
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
	}
	return err
}

type benchAuthorizeCmd struct{ benchFlags }

// Run measures the batch, and the single transactions when asked to.
func (b *benchAuthorizeCmd) Run(ctx context.Context, a *app) (err error) {
	if err := b.check(); err != nil {
		return err
	}
	dsn, stop, err := b.database(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	o := b.options(a, dsn)
	var batch, single bench.Figures
	err = b.profiled(func() (err error) { batch, err = bench.Authorize(ctx, o); return err })
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(a.stdout, batch)
	r := newBenchResult(batch)
	if b.Compare {
		o.Single = true
		if single, err = bench.Authorize(ctx, o); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(a.stdout, single)
		r.RatioToSingle = ratio(batch, single)
	}
	return a.printResult(r)
}

type benchHTTPCmd struct {
	benchFlags
	Batch int `placeholder:"N" default:"0" help:"Payments in a request to the batch route, up to 100; 0: one payment a request." zh:"批量接口每个请求的支付笔数，最多 100；0 表示每个请求一笔。"`
}

// Run measures the API beside an empty handler, and the single transactions
// when asked to.
func (b *benchHTTPCmd) Run(ctx context.Context, a *app) (err error) {
	if err := b.check(); err != nil {
		return err
	}
	if b.Batch < 0 || b.Batch > 100 {
		return errors.New("--batch: want 0 to 100")
	}
	dsn, stop, err := b.database(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	o := bench.HTTPOptions{Options: b.options(a, dsn), Batch: b.Batch,
		Access: a.benchAccess, Handler: func(db *store.DB, p *payment.Service) (http.Handler, error) { return a.benchHandler(ctx, db, p) },
		Load: loadProcess,
	}
	var none, pay bench.Figures
	err = b.profiled(func() (err error) { none, pay, err = bench.HTTP(ctx, o); return err })
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.stdout, "%s\n%s\n", none, pay)
	r := newBenchResult(pay)
	r.RatioToEmptyHandler = ratio(pay, none)
	if b.Compare {
		o.Single = true
		_, single, err := bench.HTTP(ctx, o)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(a.stdout, single)
		r.RatioToSingle = ratio(pay, single)
	}
	return a.printResult(r)
}

// loadProcess is this program again, as the load process.
func loadProcess(ctx context.Context) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, "bench", "load") //nolint:gosec // this very program
}

// benchAccess is who may call during a run; its keys live as long as the run.
func (a *app) benchAccess(db *store.DB, keys *secret.Keys) (*access.Service, error) {
	hasher, err := keys.Hasher(a.random, hashing)
	if err != nil {
		return nil, err
	}
	return access.New(access.Parts{Store: db, Keys: keys, Hasher: hasher, Clock: a.clock, Random: a.random}, access.Config{}), nil
}

// benchHandler is the real API over the service that is measured.
func (a *app) benchHandler(ctx context.Context, db *store.DB, p *payment.Service) (http.Handler, error) {
	acc, err := a.benchAccess(db, p.Keys)
	if err != nil {
		return nil, err
	}
	s := &services{access: acc, keys: p.Keys, rules: a.rules(db), payments: p, metrics: prometheus.NewRegistry(),
		merchants: merchant.New(db, a.clock, a.random)}
	if err := s.withTerminals(a, db); err != nil {
		return nil, err
	}
	s.payers, err = payer.New(payer.Parts{Store: db, Access: acc, Keys: p.Keys, Hasher: acc.Hasher, Clock: a.clock, Random: a.random,
		FailuresMax: p.FailuresMax}, payer.Config{})
	if err != nil {
		return nil, err
	}
	if s.log, err = a.openLog(ctx, db, s.keys); err != nil {
		return nil, err
	}
	if s.webhooks, err = a.webhooks(s, db, &webhookTuning{}); err != nil {
		return nil, err
	}
	s.withContracts(a, db, &tuning{})
	if err := errors.Join(s.withComplaints(a, db, &tuning{}), s.withCases(a, db, &tuning{}), s.withRisk(a, db, &tuning{})); err != nil {
		return nil, err
	}
	if err = s.withWechat(a, db, &tuning{}); err != nil {
		return nil, err
	}
	if err = s.withHelp(&tuning{}); err != nil {
		return nil, err
	}
	s.receipts = &receipt.Service{Log: s.log, Payments: s.payments, Merchants: s.merchants, Terminals: s.terminals, Keys: s.keys}
	return newHandler(a, s, db, &tuning{LoginsMax: 20})
}

type benchLoadCmd struct{}

// Run is the other end of bench http.
func (benchLoadCmd) Run(ctx context.Context, a *app) error {
	return bench.LoadProcess(ctx, os.Stdin, a.stdout, a.clock)
}
