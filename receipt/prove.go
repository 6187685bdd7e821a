package receipt

import (
	"errors"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// Proof is what the proof itself says: which log, which place, which key,
// which witnesses.
func Proof(r *evidence.Receipt, p evidence.Proved) []Fact {
	facts := []Fact{
		{say("日志", "Log"), same(p.Checkpoint.Origin)},
		{say("位置", "Place"), say(fmt.Sprintf("第 %d 条，检查点共 %d 条", r.Index, p.Checkpoint.Size),
			fmt.Sprintf("entry %d of the %d under the checkpoint", r.Index, p.Checkpoint.Size))},
		{say("存证编号", "Entry"), same(string(p.Entry.ID))},
		{say("签名公钥", "Signed by key"), same(p.Key)},
	}
	if n := len(r.KeyChanges); n > 0 {
		facts = append(facts, Fact{say("密钥更换", "Changes of keys"), say(fmt.Sprintf("%d 次，每次均由新旧密钥共同签字", n), fmt.Sprintf("%d, each signed by the old key and the new one", n))})
	}
	for _, w := range p.Cosigned {
		facts = append(facts, Fact{say("见证联署", "Cosigned by"), say(w.Name+"，"+When(w.At).ZH, w.Name+", "+When(w.At).EN)})
	}
	return facts
}

// Trusted says whose word the result rests on.
func Trusted(p evidence.Proved) mianmi.Text {
	if p.Believed {
		return say("签名公钥与您给出的日志公钥相符，或由其依次交接而来。",
			"The signing key is one that you gave, or one that it handed over to.")
	}
	return say("注意：没有给出日志公钥，使用的是凭证自带的公钥。这证明凭证完整未改，但不证明由谁出具；请把公钥与对方公布的公钥核对。",
		"Note: no key of the log was given, so the receipt's own was used. That proves that the receipt is whole, but not who issued it: compare the key with the published one.")
}

// Proves and ProvesNot say what a receipt is good for.
var (
	Proves = say("本凭证证明：上述内容是该日志中的一条，自检查点签署后未被改动一个字节；今后若有人改动或删除它，凭本凭证即可揭穿。",
		"This receipt proves that the above is an entry of that log and that not one byte of it has changed since the checkpoint was signed. Should somebody change or remove it later, this receipt shows it.")
	ProvesNot = say("本凭证不证明：编号背后是谁；日志运营方没有另外向他人出示过别的日志（有见证人联署时可排除）；记录的时间由运营方的时钟给出。",
		"It does not prove who is behind an identifier; nor that the operator of the log shows everybody the same log, unless witnesses have cosigned; and the time recorded is that of the operator's clock.")
)

// faultParts name the parts of a receipt for people.
var faultParts = map[string]mianmi.Text{
	"receipt":        say("文件格式", "the form of the file"),
	"mianmi_receipt": say("凭证版本", "the version of the receipt"),
	"entry":          say("存证内容", "the entry"),
	"record":         say("批次中的记录", "the record"),
	"record_index":   say("记录在批次中的位置", "the record's place in its batch"),
	"record_proof":   say("从记录到批次的证明", "the proof from the record to its batch"),
	"index":          say("在日志中的位置", "the place in the log"),
	"proof":          say("从存证到日志根的证明", "the proof from the entry to the root of the log"),
	"checkpoint":     say("检查点及其签名", "the checkpoint and its signatures"),
	"key":            say("日志公钥", "the log's key"),
	"key_changes":    say("密钥更换声明", "the statements of changed keys"),
	"witness_keys":   say("见证人公钥", "the witnesses' keys"),
}

// Fault says what of a receipt does not fit, in words.
func Fault(err error) mianmi.Text {
	var e *mianmi.Error
	if !errors.As(err, &e) || e.Kind != mianmi.Invalid {
		return say("无法核对："+err.Error(), "could not be checked: "+err.Error())
	}
	field, _, _ := cut(e.Field)
	part, known := faultParts[field]
	if !known {
		part = same(e.Field)
	}
	return say("不符之处："+part.ZH+"（"+e.Field+"）", "what does not fit: "+part.EN+" ("+e.Field+" "+e.Msg+")")
}

// cut takes the index off a field's name.
func cut(field string) (name, rest string, found bool) {
	for i, c := range field {
		if c == '[' || c == '.' {
			return field[:i], field[i:], true
		}
	}
	return field, "", false
}
