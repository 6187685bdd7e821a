package update

import (
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/mianmi/mianmi"
)

// Kind is why something was refused. Its text is what a terminal keeps and
// reports, so none is ever renamed.
type Kind string

// The kinds that there are.
const (
	Unsigned   Kind = "unsigned"    // not signed by the keys that the trusted root names
	Expired    Kind = "expired"     // root or targets are past their time
	Frozen     Kind = "frozen"      // nothing newer than what is past its time: somebody holds news back, or nobody signs any more
	RolledBack Kind = "rolled_back" // older metadata than were there already
	WrongModel Kind = "wrong_model" // for other terminals than its name says, or for another model
	WrongHash  Kind = "wrong_hash"  // other bytes than were signed
	TooLarge   Kind = "too_large"
	Malformed  Kind = "malformed"
	Unmet      Kind = "unmet" // the terminal lacks what the program needs

	// What a terminal itself finds later.
	NotAttested Kind = "not_attested" // ran, and the host accepted no report of it in time
	NotStarted  Kind = "not_started"  // did not start
	Damaged     Kind = "damaged"      // no longer what was verified, on the terminal's disk
)

var words = map[Kind]mianmi.Text{
	Unsigned:    {ZH: "签名不被信任", EN: "its signature is not trusted"},
	Expired:     {ZH: "签名的发布信息已过期，请管理方重新签发", EN: "what was signed has expired; the operator has to sign anew"},
	Frozen:      {ZH: "更新信息停在过期的旧状态：可能被人扣住，或管理方没有续签", EN: "the news are stuck at an expired state: somebody holds them back, or the operator no longer signs"},
	RolledBack:  {ZH: "更新信息比已见过的旧", EN: "it is older than what was seen before"},
	WrongModel:  {ZH: "不是给本机型的程序", EN: "it is for another model"},
	WrongHash:   {ZH: "内容与签名的不一致", EN: "its bytes are not those that were signed"},
	TooLarge:    {ZH: "超过允许的大小", EN: "it is larger than allowed"},
	Malformed:   {ZH: "发布信息无法读懂", EN: "what was published cannot be read"},
	Unmet:       {ZH: "本机的程序、系统或固件版本还不够新", EN: "the program, system or firmware here is too old for it"},
	NotAttested: {ZH: "启动后没能在限期内得到主机证实，已退回原版本", EN: "the host did not confirm it in time; the former version runs again"},
	NotStarted:  {ZH: "无法启动，已退回原版本", EN: "it did not start; the former version runs again"},
	Damaged:     {ZH: "存储中的文件损坏，已退回原版本", EN: "its file was damaged on the disk; the former version runs again"},
}

// Words says a kind to people.
func (k Kind) Words() mianmi.Text {
	if t, ok := words[k]; ok {
		return t
	}
	return mianmi.Text{ZH: "被拒绝", EN: "it was refused"}
}

// Refusal is an update that was refused.
type Refusal struct {
	Kind    Kind
	Version string // of the program; empty: of all that is there
	Err     error  // for the log
}

// Error implements error.
func (r *Refusal) Error() string {
	what := "the update repository"
	if r.Version != "" {
		what = "program " + r.Version
	}
	return fmt.Sprintf("%s is refused (%s): %v", what, r.Kind, r.Err)
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// refuse says why metadata of a role are not taken.
func refuse(role string, err error) error {
	kind := Malformed
	var expired *metadata.ErrExpiredMetadata
	var version *metadata.ErrBadVersionNumber
	var unsigned *metadata.ErrUnsignedMetadata
	var hash *metadata.ErrLengthOrHashMismatch
	switch {
	case errors.As(err, &expired):
		kind = Expired
		if role == metadata.TIMESTAMP || role == metadata.SNAPSHOT {
			kind = Frozen
		}
	case errors.As(err, &version):
		kind = RolledBack
	case errors.As(err, &unsigned):
		kind = Unsigned
	case errors.As(err, &hash):
		kind = WrongHash
	}
	return &Refusal{Kind: kind, Err: fmt.Errorf("%s: %w", role, err)}
}
