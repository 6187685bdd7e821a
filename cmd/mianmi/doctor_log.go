package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

// Bounds of what waits for the log: a server needs less than a second.
const (
	lagWarn = 10 * time.Second
	lagFail = 10 * time.Minute
)

// examineLog looks at the transparency log: whether this node could sign it,
// and whether somebody does.
func (a *app) examineLog(ctx context.Context, db *store.DB) []finding {
	keys, err := secret.Load(a.shared.keysFile())
	if err != nil {
		return nil // keys.file says so
	}
	log, err := a.openLog(ctx, db, keys)
	if err != nil {
		return []finding{checkLogKey(nil, err)}
	}
	err = log.CheckKey(ctx)
	list, listErr := log.Keys(ctx)
	s, stateErr := log.State(ctx)
	if listErr != nil || stateErr != nil {
		return []finding{but(fail, "log.sequenced", "无法读取透明日志", "the transparency log cannot be read").then("检查数据库", "check the database")}
	}
	findings := []finding{checkLogKey(list, err), checkLag(s, a.clock.Now()), a.examineMemory(ctx, db, log), a.examineFollower(ctx, db, s.Size)}
	findings = append(findings, a.examineMeasures(ctx, db, keys)...)
	if cosigned, err := log.Cosigned(ctx); err == nil && len(log.Witnesses()) > 0 {
		findings = append(findings, checkWitnesses(log.Witnesses(), cosigned, s.Newest, a.clock.Now()))
	}
	if err != nil {
		return findings // the check would say the same
	}
	got, err := log.Check(ctx, evidence.Check{From: max(0, s.Newest.Size-tailEntries)})
	return append(findings, checkTail(got, err))
}

func (a *app) examineMemory(ctx context.Context, db *store.DB, log *evidence.Log) finding {
	v, err := (&guard{memory: memory{a.shared.seenFile()}, log: log, db: db}).compare(ctx)
	if err == nil && v.known != nil && v.stands != evidence.Grown {
		list, err := setBacks(ctx, db, log)
		return checkMemory(v, acknowledged(list, v.known), err)
	}
	return checkMemory(v, false, err)
}

// checkMemory judges whether the database has all that this node has seen; said
// is that the log itself says that it has not.
func checkMemory(v view, said bool, err error) finding {
	const check = "log.memory"
	switch {
	case err != nil:
		return but(fail, check, "无法与本节点记下的检查点对照：%v", "what this node noted of the log cannot be compared: %v", err).
			then("不要启动服务；见 docs/backup.md", "start no server; see docs/backup.md")
	case v.known == nil:
		return good(check, "本节点没有记下这份日志的检查点", "this node has noted no checkpoint of this log")
	case v.stands == evidence.Grown:
		return good(check, "日志包含本节点记下的检查点（%d 条存证）", "the log has the checkpoint that this node noted, of %d entries", v.known.Size)
	}
	if said {
		return good(check, "日志已载明它曾经倒退", "the log says itself that it went back")
	}
	m := v.missing()
	bad := but(fail, check, "", "")
	bad.found = mianmi.Text{ZH: "数据库倒退了：" + m.ZH, EN: "the database went back: " + m.EN}
	return bad.then("按 docs/backup.md 处理；服务启动时会对所有付款关闭免密", "do what docs/backup.md says; a server that starts closes PIN-free payment for everything")
}

// tailEntries is how much of the log's end the doctor looks at: some tenths of
// a second.
const tailEntries = 1000

func checkTail(got evidence.Checked, err error) finding {
	const check = "log.tail"
	if err == nil && got.Fault == nil {
		return good(check, "透明日志末尾 %d 条存证、%d 个检查点核对无误", "the last %d entries of the transparency log and %d checkpoints fit", got.Entries, got.Checkpoints)
	}
	bad := but(fail, check, "无法核对透明日志：%v", "the transparency log could not be checked: %v", err)
	if err == nil {
		w := got.Fault.Words()
		bad.found = mianmi.Text{ZH: "透明日志不符：" + w.ZH, EN: "the transparency log does not fit: " + w.EN}
	}
	return bad.then("运行 mianmi evidence check 核对整份日志；保留现场，查明谁能写数据库，必要时从备份恢复",
		"check the whole log with mianmi evidence check; keep the database as it is, find out who can write to it, restore a backup if need be")
}

func checkLogKey(list []evidence.KeyInForce, err error) finding {
	const check = "log.key"
	if err != nil {
		zh, en := "透明日志的名称或签名密钥与本节点不符", "the transparency log's name or key is not this node's"
		switch field := fieldOf(err); {
		case field == "witness":
			return but(fail, check, "见证人设置有误：%v", "the setting of witnesses is wrong: %v", err).
				then("每个 --witness 写作 公钥=地址", "write each --witness as KEY=URL")
		case mianmi.KindOf(err) == mianmi.Invalid:
			zh, en = "--log-name 不能作为日志名称", "--log-name is no name for a log"
		}
		return but(fail, check, zh+"：%v", en+": %v", err).
			then("所有节点使用同一份密钥文件和同一个 --log-name", "give every node the same keys file and the same --log-name")
	}
	if len(list) == 0 {
		return good(check, "透明日志尚未开始", "the transparency log has not begun yet")
	}
	return good(check, "透明日志的密钥在本节点：%s", "the transparency log's key is on this node: %s", list[len(list)-1].Public)
}

func fieldOf(err error) string {
	var e *mianmi.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

// cosignedWarn is how old the last cosignature may be while the log grows: a
// witness is asked four times a minute.
const cosignedWarn = 10 * time.Minute

// checkWitnesses judges how far those who were asked have cosigned.
func checkWitnesses(asked []evidence.WitnessAt, have []evidence.StoredCosigned, newest evidence.StoredCheckpoint, now time.Time) finding {
	const check = "log.witnesses"
	var behind []string
	for _, w := range asked {
		i := slices.IndexFunc(have, func(c evidence.StoredCosigned) bool { return c.Key == w.Public() })
		if newest.Size > 0 && (i < 0 || have[i].Size < newest.Size && now.Sub(have[i].At) > cosignedWarn) {
			behind = append(behind, w.Name())
		}
	}
	if len(behind) == 0 {
		return good(check, "%d 位见证人为透明日志联署", "%d witnesses cosign the transparency log", len(asked))
	}
	names := strings.Join(behind, ", ")
	return but(warn, check, "见证人没有联署透明日志的新检查点：%s", "witnesses do not cosign the log's new checkpoints: %s", names).
		then("查看 mianmi serve 日志中 worker=witness 的错误；请见证人登记 mianmi evidence keys 给出的公钥", "look for errors of worker=witness in the log of mianmi serve; have the witness add the key that mianmi evidence keys shows")
}

// checkLag judges how long entries wait for the log.
func checkLag(s evidence.State, now time.Time) finding {
	const check = "log.sequenced"
	age := now.Sub(s.Oldest).Round(time.Second)
	gravity := fail
	switch {
	case s.Waiting == 0 || s.Oldest.IsZero() || age < lagWarn:
		return good(check, "透明日志有 %d 条存证，%d 条待写入", "the transparency log has %d entries, and %d wait", s.Size, s.Waiting)
	case age < lagFail:
		gravity = warn
	}
	return but(gravity, check, "%d 条存证待写入透明日志，最早的已等待 %v，其凭证尚不可用", "%d entries wait for the transparency log, the oldest for %v: they have no receipts yet", s.Waiting, age).
		then("确认 mianmi serve 正在运行，并查看其日志中 worker=sequence 的错误", "check that mianmi serve runs, and look for errors of worker=sequence in its log")
}
