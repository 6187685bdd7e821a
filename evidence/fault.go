package evidence

import (
	"fmt"

	"github.com/mianmi/mianmi"
)

// FaultKind is what a check can find. Its text is stable.
type FaultKind string

// The kinds of faults.
const (
	FaultMissing   FaultKind = "entry_missing"   // entry At of the log is not there
	FaultEntry     FaultKind = "entry_malformed" // entry At is no entry, or that of another identifier
	FaultChanged   FaultKind = "entry_changed"   // entry At is not what was hashed
	FaultRecords   FaultKind = "records_changed" // the records of batch At are not what was hashed
	FaultHash      FaultKind = "hash_changed"    // a stored hash that entry At completes is missing or another one
	FaultSignature FaultKind = "checkpoint_signature"
	FaultRoot      FaultKind = "checkpoint_root" // the checkpoint of size At is over other entries
	FaultAgainst   FaultKind = "checkpoint_kept" // the same, of one that was kept elsewhere
	FaultCosigned  FaultKind = "cosignature"     // a checkpoint of size At, as a witness is said to have cosigned it
	FaultKey       FaultKind = "key_change"
	FaultStray     FaultKind = "entry_unlogged" // an entry is neither in the log nor waiting for it
)

// Fault is the first thing in a log that does not fit.
type Fault struct {
	Kind FaultKind
	At   int64          // number of the entry, from 0, or size of the checkpoint
	ID   mianmi.EntryID // of the entry, where there is one
}

// faultWords has %d for At and then %s for ID.
var faultWords = map[FaultKind]mianmi.Text{
	FaultMissing: {ZH: "日志第 %d 条存证不见了（序号从 0 起）",
		EN: "entry %d of the log is missing (the first one is 0)"},
	FaultEntry: {ZH: "日志第 %d 条存证的内容无法识别，或与其编号 %s 不符",
		EN: "entry %d of the log cannot be read, or is not the one with the identifier %s"},
	FaultChanged: {ZH: "日志第 %d 条存证（%s）与写入日志时存下的哈希不符：内容被改动，或哈希被改动",
		EN: "entry %d of the log (%s) does not fit the hash that was stored when it was put into the log: one of the two was changed"},
	FaultRecords: {ZH: "日志第 %d 条存证（%s）所代表的记录与写入日志时不同：有记录被改动、增加或删除",
		EN: "the records behind entry %d of the log (%s) are not what was put into the log: one was changed, added or removed"},
	FaultHash: {ZH: "第 %d 条存证（%s）处存储的哈希缺失或不符：哈希表被改动",
		EN: "at entry %d (%s) a stored hash is missing or another one: the table of hashes was changed"},
	FaultSignature: {ZH: "大小为 %d 的检查点签名不符：它被改动，或不是当时的现用密钥所签",
		EN: "the checkpoint of size %d bears no good signature by the key that was in force: it was changed, or another key signed it"},
	FaultRoot: {ZH: "大小为 %d 的检查点与存证不符：它签署之后，日志被整体改写过",
		EN: "the checkpoint of size %d is over other entries: the log was rewritten after it was signed"},
	FaultAgainst: {ZH: "另行保存的检查点（大小 %d）与本日志不符：日志被改写，或它属于另一份日志",
		EN: "the checkpoint of size %d that was kept elsewhere is not of this log: the log was rewritten, or it is another log's"},
	FaultCosigned: {ZH: "见证人对大小为 %d 的检查点的联署不符：联署或检查点被改动",
		EN: "the cosignature of the checkpoint of size %d does not fit: it or the checkpoint was changed"},
	FaultKey: {ZH: "日志大小为 %d 处的密钥更换没有完整的双方签名或存证",
		EN: "the change of keys at size %d of the log lacks a signature of either key, or its entry"},
	FaultStray: {ZH: "日志（大小 %d）之外有一条存证 %s，既未入日志，也不在等待：队列被改动",
		EN: "beside the log (size %d) there is entry %s, which is neither in it nor waits for it: the queue was changed"},
}

// Words says what is wrong, in both languages.
func (f *Fault) Words() mianmi.Text {
	say := func(form string) string {
		// Forms name the number first; those without an identifier leave it out.
		return fmt.Sprintf(form+"%.0[2]s", f.At, string(f.ID))
	}
	t := faultWords[f.Kind]
	return mianmi.Text{ZH: say(t.ZH), EN: say(t.EN)}
}
