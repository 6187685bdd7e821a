package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/store"
)

// Exit statuses of the program.
const (
	exitOK     = 0
	exitFailed = 1 // the work could not be done, or a check failed
	exitUsage  = 2 // flags, environment or file are wrong
)

// app is what a subcommand is handed: the world outside, and what all
// subcommands share.
type app struct {
	clock   mianmi.Clock
	random  io.Reader
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	environ []string // "NAME=value"

	shared *shared // flags of every subcommand
	lang   mianmi.Lang
	log    *slog.Logger
}

// cli is the whole command line. Help stands in both languages beside each
// flag: help is English, zh Chinese.
type cli struct {
	shared

	Serve     serveCmd      `cmd:"" help:"Run the server." zh:"运行服务。"`
	Terminal  terminalCmd   `cmd:"" help:"Run the program of a POS terminal: its settings, its proof, its payments and its own screen." zh:"运行 POS 终端程序：设置、证明、收款和终端自己的屏幕。"`
	Demo      demoCmd       `cmd:"" help:"Run the server with an example world and tell its story." zh:"启动服务，装入示例世界并演示全过程。"`
	Migrate   migrateCmd    `cmd:"" help:"Bring the database's schema up to this program's version." zh:"把数据库结构升级到本程序的版本。"`
	Doctor    doctorCmd     `cmd:"" help:"Check this deployment; exit status 1 when a check fails." zh:"检查部署情况；有检查未通过时退出码为 1。"`
	Staff     staffCmd      `cmd:"" help:"Create members of staff." zh:"创建员工账户。"`
	Merchant  merchantCmd   `cmd:"" help:"Merchants: WeChat Pay credentials." zh:"商户：微信支付兼容凭据。"`
	Contract  contractCmd   `cmd:"" help:"PIN-free contracts of payers: list them, show one, end one." zh:"付款人的免密协议：列出、查看、解约。"`
	Guarantee guaranteeCmd  `cmd:"" help:"The guarantee account that compensation of cases is paid from." zh:"赔付准备金账户：工单赔付的资金来源。"`
	Case      caseCmd       `cmd:"" help:"The support desk: find cases, work on them, decide them." zh:"客服工单：查找、处理、决定。"`
	Complaint complaintsCmd `cmd:"" name:"complaints" help:"What payers complain of at channels: list it, show one." zh:"付款人在渠道上的投诉：列出、查看。"`
	Wechat    wechatCmd     `cmd:"" help:"The front in WeChat Pay's form: its platform keys." zh:"微信支付兼容接口：平台密钥。"`
	Fleet     fleetCmd      `cmd:"" help:"Look after terminals: enrol them, revoke them, see what they run." zh:"管理终端：登记、吊销、查看其运行的设置。"`
	Rules     rulesCmd      `cmd:"" help:"Rule packs: try them, put them in force." zh:"规则包：试算与启用。"`
	Privacy   privacyCmd    `cmd:"" help:"What is kept on a person: hand it out, erase it." zh:"个人信息：导出与删除。"`
	Risk      riskCmd       `cmd:"" help:"Signals: rules, backtests, alarms." zh:"风险信号：规则、回测与告警。"`
	Pack      packCmd       `cmd:"" help:"Proof packs of cases: verify them offline." zh:"工单证据包：离线核对。"`
	Receipt   receiptCmd    `cmd:"" help:"Receipts: fetch them, verify them offline." zh:"凭证：取得与离线核对。"`
	Evidence  evidenceCmd   `cmd:"" help:"The transparency log: check it." zh:"透明日志：核对。"`
	Webhook   webhookCmd    `cmd:"" help:"Webhooks: how they stand, and a receiver for trying out." zh:"webhook：查看投递情况，调试接收。"`
	Update    updateCmd     `cmd:"" help:"Programs for terminals: sign them, offer them, renew what expires." zh:"终端程序：签发、提供与续签。"`
	Bench     benchCmd      `cmd:"" help:"Measure payments on a database made for it." zh:"在专用数据库上测量支付性能。"`
	Backup    backupCmd     `cmd:"" help:"Write a consistent, checked copy of an SQLite database to a file, also while the server runs." zh:"把 SQLite 数据库写成一份一致且经过核对的备份文件，服务运行时也可以。"`
	Restore   restoreCmd    `cmd:"" help:"Put a backup in the place of an SQLite database; names what would be lost, and refuses to lose it unless told so." zh:"用备份替换 SQLite 数据库；先说明会丢失什么，未经明示不予执行。"`
	CloseAll  closeAllCmd   `cmd:"" help:"Close PIN-free payment everywhere: for everything, and every policy, payer's switch and agreement by itself." zh:"关闭一切免密：全局，以及每一项策略、付款人开关和签约。"`
	Version   versionCmd    `cmd:"" help:"Print the version." zh:"显示版本。"`

	Torture     tortureCmd     `cmd:"" help:"Start servers of this program on an empty database, ill-treat them and check the promises; exit status 1 when one was broken." zh:"在空数据库上启动本程序的服务，施加各种故障并检验各项承诺；有承诺被破坏时退出码为 1。"`
	TortureNode tortureNodeCmd `cmd:"" hidden:"" help:"A server of torture with a wrong clock or bounded files." zh:"torture 使用的服务：时钟错误或文件大小受限。"`
}

// shared are the flags that every subcommand takes.
type shared struct {
	Config string `placeholder:"FILE" help:"YAML file with any of these settings; flags and environment win over it." zh:"YAML 配置文件，可写入下列任何设置；命令行参数和环境变量优先于文件。"`
	DB     string `name:"db" placeholder:"ADDRESS" help:"Database: sqlite:FILE or postgres://user:password@host/name; default is the file mianmi.db in the data folder." zh:"数据库：sqlite:文件 或 postgres://用户:密码@主机/库名；默认为数据目录中的 mianmi.db。"`
	Data   string `placeholder:"DIR" default:"mianmi-data" help:"Folder of the keys file and of the default database." zh:"数据目录，存放密钥文件和默认数据库。"`

	DBConns      int           `name:"db-conns" placeholder:"N" default:"32" help:"Most connections to PostgreSQL for changes; half as many more are for reading and 16 for payments." zh:"用于写入的 PostgreSQL 连接数上限；另有一半数量用于读取，16 个用于支付。"`
	DBWriteLimit time.Duration `name:"db-write-limit" placeholder:"TIME" default:"10s" help:"Longest time of a write that has begun." zh:"已开始的写操作的最长时间。"`

	LogName string `name:"log-name" placeholder:"NAME" help:"Name of the transparency log, like a host name with a path (pay.example.com/mianmi); default is the name that the log has, or one made from the keys file. It cannot be changed once the log has begun." zh:"透明日志的名称，形如带路径的域名（pay.example.com/mianmi）；默认沿用已有名称，没有则由密钥文件生成。日志开始后不可更改。"`

	Witness []string `placeholder:"KEY=URL,…" help:"Witnesses that cosign the log: verifier key and address of each (c2sp.org/tlog-witness)." zh:"为日志联署的见证人：各自的验证公钥和地址（c2sp.org/tlog-witness）。"`

	LogLevel  string `placeholder:"LEVEL" enum:"debug,info,warn,error" default:"info" help:"Least level that is logged: debug, info, warn or error." zh:"日志级别下限：debug、info、warn 或 error。"`
	LogFormat string `placeholder:"FORMAT" enum:"text,json" default:"text" help:"Form of the log on standard error: text or json." zh:"标准错误输出的日志格式：text 或 json。"`
	Lang      string `placeholder:"zh|en" enum:"zh,en," default:"" help:"Language of help and findings: zh or en; default is that of LANG." zh:"帮助与检查结果的语言：zh 或 en；默认取自 LANG。"`
}

// dsn is the database's address.
func (s *shared) dsn() string {
	if s.DB != "" {
		return s.DB
	}
	return "sqlite:" + filepath.Join(s.Data, "mianmi.db")
}

// keysFile is where the server's secrets are.
func (s *shared) keysFile() string { return filepath.Join(s.Data, "keys.json") }

func (s *shared) storeOptions() store.Options {
	return store.Options{ConnsMax: s.DBConns, WriteLimit: s.DBWriteLimit}
}

// Validate is called by kong once every flag is set.
func (s *shared) Validate() error {
	switch {
	case s.Data == "":
		return errors.New("--data: want a folder")
	case s.DBConns < 1 || s.DBConns > 10_000:
		return errors.New("--db-conns: want 1 to 10000")
	case s.DBWriteLimit < 100*time.Millisecond || s.DBWriteLimit > 10*time.Minute:
		return errors.New("--db-write-limit: want 100ms to 10m")
	}
	return nil
}

// run runs the program and returns its exit status.
func run(ctx context.Context, args []string, a *app) int {
	a.lang = chooseLang(args, a.environ)
	var c cli
	settings, err := readSettings(args, a.environ)
	if err != nil {
		return a.usage(err)
	}
	k, err := newParser(&c, a, settings)
	if err != nil {
		return a.usage(err)
	}
	helped := false
	k.Exit = func(int) { helped = true; panic(errHelped) }
	kctx, err := parse(k, args)
	switch {
	case helped:
		return exitOK
	case err != nil:
		return a.usage(settings.place(err))
	}
	if c.Lang != "" {
		a.lang = mianmi.ParseLang(c.Lang)
	}
	a.shared = &c.shared
	a.log = newLog(a.stderr, c.LogLevel, c.LogFormat)
	kctx.BindTo(ctx, (*context.Context)(nil))
	if err := kctx.Run(a); err != nil {
		if !errors.Is(err, errFound) {
			_, _ = fmt.Fprintf(a.stderr, "mianmi %s: %v\n", kctx.Command(), err)
		}
		return exitFailed
	}
	return exitOK
}

// errHelped ends parsing once help has been printed; errFound says that a
// subcommand has already told what is wrong.
var (
	errHelped = errors.New("help was printed")
	errFound  = errors.New("told already")
)

func parse(k *kong.Kong, args []string) (ctx *kong.Context, err error) {
	defer func() {
		if r := recover(); r != nil && r != any(errHelped) {
			panic(r)
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	return k.Parse(args)
}

func newParser(c *cli, a *app, s *settings) (*kong.Kong, error) {
	about := mianmi.Text{
		ZH: "关闭 POS 终端的小额免密支付，并证明它确实已关闭。每个参数 --a-b 也可写成环境变量 MIANMI_A_B 或 YAML 键 a-b。",
		EN: "Switches PIN-free payment off at POS terminals and proves it. Each flag --a-b is also the environment variable MIANMI_A_B and the key a-b of the YAML file.",
	}
	return kong.New(c,
		kong.Name("mianmi"),
		kong.Description(about.In(a.lang)),
		kong.Writers(a.stdout, a.stderr),
		kong.Help(helpIn(a.lang)),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.PostBuild(func(k *kong.Kong) error {
			translate(k.Model.Node, a.lang)
			return s.check(k.Model)
		}),
		kong.Resolvers(s),
	)
}

// usage tells what is wrong with the command line, environment or file.
func (a *app) usage(err error) int {
	hint := mianmi.Text{ZH: "运行 mianmi --help 查看用法", EN: "mianmi --help tells how it is used"}
	_, _ = fmt.Fprintf(a.stderr, "mianmi: %v\n%s\n", err, hint.In(a.lang))
	return exitUsage
}

// env returns a variable of the environment.
func env(environ []string, name string) (string, bool) {
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}
