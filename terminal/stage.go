package terminal

import (
	"time"

	"github.com/mianmi/mianmi"
)

// Stage is how far a terminal has come with a setting, or what stands in the
// way. The zero Stage is the farthest from in force.
type Stage uint8

// Stages, from the one where most is left to be done.
const (
	StageNotEnrolled Stage = iota // no machine stands there, as far as the host knows
	StageRevoked                  // its keys were taken back
	StageDrifted                  // it runs what nobody asked for
	StageRefused                  // it does not run the setting, as it says itself
	StageFellBack                 // it runs an older setting than it has proved before
	StageWanted                   // it has not fetched the setting
	StageDelivered                // it has fetched it
	StageSaved                    // it waits for a reboot
	StageRebooted                 // it has booted since, and has not proved it
	StageAttested                 // in force: proved
	StageHostAlone                // of a model that proves nothing: by the host's word alone
)

var stageNames = [...]string{"not_enrolled", "revoked", "drifted", "refused", "fell_back", "wanted", "delivered", "saved", "rebooted",
	"attested", "host_alone"}

// String is the stage's name as it stands in the API.
func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return ""
}

var stageWords = [...]mianmi.Text{
	{ZH: "尚未登记", EN: "not enrolled yet"},
	{ZH: "证书已吊销", EN: "its certificate was revoked"},
	{ZH: "运行的设置无人要求", EN: "runs a setting that nobody asked for"},
	{ZH: "终端拒绝了这项设置", EN: "the terminal has refused the setting"},
	{ZH: "退回了更旧的设置", EN: "has fallen back to an older setting"},
	{ZH: "尚未取走设置", EN: "has not fetched the setting yet"},
	{ZH: "已取走，尚未保存", EN: "has fetched the setting and not saved it yet"},
	{ZH: "已保存，等待重启", EN: "saved, waiting for a reboot"},
	{ZH: "已重启，尚未证实", EN: "rebooted, not proved yet"},
	{ZH: "已生效", EN: "in force"},
	{ZH: "仅由主机执行，终端不作证实", EN: "enforced by the host alone; the terminal proves nothing"},
}

// Words is the stage for people.
func (s Stage) Words() mianmi.Text {
	if int(s) < len(stageWords) {
		return stageWords[s]
	}
	return mianmi.Text{}
}

// Done reports whether nothing is left to be done by the terminal.
func (s Stage) Done() bool { return s == StageAttested || s == StageHostAlone }

// Progress is what a stage is told from.
type Progress struct {
	Proven
	Proof     Proof
	Enrolled  bool  // has a key that counts
	Delivered int64 // newest version that it has fetched
	Saved     int64 // version on its disk that runs after the next boot; 0: none
	Refused   int64 // version that it does not run, as it says; 0: none
	// Rebooted says that it has booted since it saved what it fetched last.
	Rebooted bool
	SeenAt   time.Time // last sign of life; zero: never
}

// Stage says how far the terminal is with the version or a newer one.
func (p *Progress) Stage(version int64) Stage {
	version = max(version, 1) // the first that there is
	switch {
	case p.Proof == ByHost:
		return StageHostAlone
	case !p.RevokedAt.IsZero():
		return StageRevoked
	case !p.Enrolled:
		return StageNotEnrolled
	case p.Drift != "":
		return StageDrifted
	case p.Runs(version):
		return StageAttested
	case p.Refused >= version && p.Refused > 0:
		return StageRefused
	case p.Floor > 0 && p.Attested > 0 && p.Attested < p.Floor:
		return StageFellBack
	case p.Delivered < version:
		return StageWanted
	case p.Rebooted:
		return StageRebooted
	case p.Saved >= version:
		return StageSaved
	}
	return StageDelivered
}

// Offline reports whether the terminal has given no sign of life for longer
// than a lease.
func (p *Progress) Offline(lease time.Duration, now time.Time) bool { return now.Sub(p.SeenAt) > lease }
