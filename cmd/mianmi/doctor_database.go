package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/store"
)

const (
	// reachMax is how long the doctor waits for a database.
	reachMax = 5 * time.Second
	// clockMax is how far two clocks may be apart: half of the shortest time
	// that a payment code or a lease is good for has room for it.
	clockMax = 2 * time.Second
	// postgresMin is the oldest PostgreSQL that mianmi is tried on.
	postgresMin = 15
	// connsSpare are connections that PostgreSQL keeps for its superuser.
	connsSpare = 3
)

// examine runs every check.
func (a *app) examine(ctx context.Context) []finding {
	return append(a.examineDatabase(ctx), a.examineHost()...)
}

func (a *app) examineDatabase(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, reachMax)
	defer cancel()
	dsn := a.shared.dsn()
	if file, sqlite := strings.CutPrefix(dsn, "sqlite:"); sqlite {
		// Opening would make the file: the doctor changes nothing.
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return []finding{but(fail, "database.reachable", "数据库文件 %s 不存在", "the database file %s is not there", file).
				then("运行 mianmi migrate 创建，或用 --db 指定正确的文件", "make it with mianmi migrate, or name the right one with --db")}
		}
	}
	db, err := store.Open(ctx, dsn, a.shared.storeOptions())
	if err != nil {
		return []finding{unreachable(dsn, err)}
	}
	defer db.Close() //nolint:errcheck // nothing was written
	before := a.clock.Now()
	f, err := db.Facts(ctx)
	after := a.clock.Now()
	if err != nil {
		return []finding{unreachable(dsn, err)}
	}
	findings := []finding{
		good("database.reachable", "%s %s 已应答", "%s %s answers", engineNames[f.Engine], f.Version),
		checkWritable(f), checkSchema(f), checkClock(f, before, after),
	}
	if f.Have == f.Want {
		findings = append(append(findings, a.checkRules(ctx, db)), a.examineLog(ctx, db)...)
		findings = append(append(findings, examineOutbox(ctx, db)...), a.examineChannels(ctx, db)...)
	}
	if f.Engine == "postgres" {
		return append(findings, checkPostgres(f, a.shared.DBConns)...)
	}
	return append(findings, checkSQLite(f)...)
}

var engineNames = map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}

func unreachable(dsn string, err error) finding {
	const check = "database.reachable"
	if mianmi.KindOf(err) == mianmi.Invalid {
		return but(fail, check, "--db 的写法不对", "--db is not an address of a database").
			then("写成 sqlite:文件 或 postgres://用户:密码@主机/库名", "write sqlite:FILE or postgres://user:password@host/name")
	}
	return but(fail, check, "数据库 %s 没有应答", "the database %s does not answer", publicAddress(dsn)).
		then("检查地址、用户、密码、网络和防火墙，并确认数据库正在运行", "check address, user, password, network and firewall, and that the database runs")
}

func checkWritable(f store.Facts) finding {
	const check = "database.writable"
	if !f.Writable {
		return but(fail, check, "数据库不可写", "the database takes no write").
			then("PostgreSQL：连接到主库而不是备库。SQLite：检查文件和目录的权限，以及是否有其他进程长期占用写锁",
				"PostgreSQL: connect to the primary, not to a standby. SQLite: check who may write the file and its folder, and that no other process sits on it")
	}
	return good(check, "数据库可写", "the database takes writes")
}

func checkSchema(f store.Facts) finding {
	const check = "database.schema"
	switch {
	case f.Have < f.Want:
		return but(fail, check, "数据库结构版本 %d，本程序需要 %d", "the schema is at version %d, this program needs %d", max(f.Have, 0), f.Want).
			then("运行 mianmi migrate", "run mianmi migrate")
	case f.Have == f.Want+1:
		return but(warn, check, "数据库结构版本 %d 比本程序的 %d 新一版：可以运行，但应升级", "the schema is at version %d, one newer than this program's %d: it runs, and should be upgraded", f.Have, f.Want).
			then("升级本节点的程序", "upgrade the program on this node")
	case f.Have > f.Want:
		return but(fail, check, "数据库结构版本 %d 比本程序的 %d 新得多", "the schema is at version %d, much newer than this program's %d", f.Have, f.Want).
			then("升级本节点的程序后再启动", "upgrade the program on this node before it serves")
	}
	return good(check, "数据库结构为最新版本 %d", "the schema is the newest, version %d", f.Have)
}

// checkClock compares the database's clock with ours: its reading must lie
// between our two, give or take clockMax, and neither may run backwards.
func checkClock(f store.Facts, before, after time.Time) finding {
	const check = "clock"
	ahead := max(f.Later.Sub(after), before.Sub(f.Now)).Round(time.Millisecond)
	switch {
	case after.Before(before) || f.Later.Before(f.Now):
		return but(fail, check, "时钟发生倒退", "a clock ran backwards").
			then("用 chrony 或 NTP 平滑校时，不要跳变", "keep time with chrony or NTP, which slews and does not step")
	case ahead > clockMax:
		return but(fail, check, "本机与数据库的时钟相差 %v，最多允许 %v", "this machine's clock and the database's are %v apart, at most %v is allowed", ahead, clockMax).
			then("在两台机器上启用 NTP 校时", "keep both machines' time with NTP")
	}
	return good(check, "本机与数据库的时钟相差不超过 %v", "this machine's clock and the database's agree within %v", clockMax)
}

func checkPostgres(f store.Facts, conns int) []finding {
	var findings []finding
	if f.Major < postgresMin {
		findings = append(findings, but(fail, "database.version", "PostgreSQL %d 过旧", "PostgreSQL %d is too old", f.Major).
			then("升级到 %d 或更高版本", "upgrade to %d or newer", postgresMin))
	} else {
		findings = append(findings, good("database.version", "PostgreSQL 主版本 %d，不低于 %d", "PostgreSQL's major version is %d, at least %d", f.Major, postgresMin))
	}
	findings = append(findings,
		checkSetting(f, "fsync", fail, lostOnPowerCut, "on"),
		checkSetting(f, "full_page_writes", warn, mianmi.Text{
			ZH: "除非文件系统保证整页写入，断电可能损坏数据页",
			EN: "unless the file system writes pages whole, a power cut can tear one"}, "on"),
		checkSetting(f, "synchronous_commit", fail, lostOnPowerCut, "on", "remote_write", "remote_apply"))
	if conns > f.ConnsMax-connsSpare {
		return append(findings, but(warn, "database.connections", "--db-conns 为 %d，而服务器一共只接受 %d 个连接", "--db-conns is %d, and the server takes %d connections in all", conns, f.ConnsMax).
			then("调高 max_connections，或调低 --db-conns（每个节点各占一份）", "raise max_connections or lower --db-conns, which each node takes for itself"))
	}
	return append(findings, good("database.connections", "--db-conns 为 %d，服务器接受 %d 个连接", "--db-conns is %d, the server takes %d connections", conns, f.ConnsMax))
}

func checkSQLite(f store.Facts) []finding {
	return []finding{
		checkSetting(f, "journal_mode", fail, mianmi.Text{
			ZH: "读写会互相阻塞", EN: "readers and the writer block each other"}, "wal"),
		checkSetting(f, "synchronous", fail, lostOnPowerCut, "2", "3"), // FULL, EXTRA
		checkSetting(f, "foreign_keys", fail, mianmi.Text{
			ZH: "引用关系不受检查", EN: "references are not checked"}, "1"),
	}
}

var lostOnPowerCut = mianmi.Text{
	ZH: "断电会丢失已应答的支付", EN: "a power cut loses payments that were answered",
}

// checkSetting checks one setting of durability. Without one of the wanted
// values what so says happens; the first is what the remedy asks for.
func checkSetting(f store.Facts, name string, gravity status, so mianmi.Text, want ...string) finding {
	check, have := "durability."+name, f.Settings[name]
	if slices.Contains(want, have) {
		return good(check, "%s = %s", "%s = %s", name, have)
	}
	bad := finding{check: check, status: gravity, found: mianmi.Text{
		ZH: fmt.Sprintf("%s = %s：%s", name, have, so.ZH),
		EN: fmt.Sprintf("%s = %s: %s", name, have, so.EN),
	}}
	if f.Engine == "sqlite" {
		return bad.then("把数据库文件放在本地磁盘上：网络盘和某些文件系统不支持该设置", "put the file on a local disk: network shares and some file systems refuse this setting")
	}
	return bad.then("执行 ALTER SYSTEM SET %[1]s = '%[2]s'，再执行 SELECT pg_reload_conf()",
		"run ALTER SYSTEM SET %[1]s = '%[2]s', then SELECT pg_reload_conf()", name, want[0])
}
