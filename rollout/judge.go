package rollout

import (
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
)

// Figures are what a stage has come to.
type Figures struct {
	For time.Duration // since it began, or since it was resumed

	Total     int // terminals in scope
	Reached   int // of them
	HostAlone int // of the reached ones: of models that prove nothing
	Delivered int // have fetched it, and not proved that it runs
	Attested  int // have proved it
	Refused   int // of a program: did not take it, or went back from it

	Payments int // at reached terminals since then, cash apart; the newest
	Declined int // of them
	Unknown  int // ended without a result: nobody finished their step-up in time
}

// Outstanding are the reached terminals that have to prove it.
func (f *Figures) Outstanding() int { return f.Reached - f.HostAlone - f.Attested }

// Step is what is to be done with a stage.
type Step uint8

// Steps. The zero Step is to wait.
const (
	Wait Step = iota
	GoOn
	Pause
)

// Reason is why a rollout does not run. The names are recorded.
type Reason string

// Reasons.
const (
	ByPerson      Reason = "person"    // somebody paused or stopped it
	FewAttested   Reason = "attested"  // too few terminals have proved in time that they run it
	ManyRefused   Reason = "refused"   // too many terminals did not take the program, or went back from it
	ManyDeclined  Reason = "declined"  // too many payments were declined
	ManyUnknown   Reason = "unknown"   // too many payments ended without a result
	ClosedBetween Reason = "closed"    // PIN-free was switched off in the scope
	Overtaken     Reason = "tightened" // a tightening left nothing to be rolled out
	NoReason      Reason = ""          // it runs, or has finished
)

// Because is a reason with the figures that it rests on.
type Because struct {
	Reason Reason `json:"reason,omitempty"`
	Count  int    `json:"count,omitempty"`
	Of     int    `json:"of,omitempty"`
}

// Threshold reports whether a threshold of the plan is the reason.
func (b Because) Threshold() bool {
	return b.Reason == FewAttested || b.Reason == ManyRefused || b.Reason == ManyDeclined || b.Reason == ManyUnknown
}

// Judge says what is to be done with a running stage. What speaks against it
// comes first, then what is missing. A share counts exactly: 1 of 20 is more
// than 49 thousandths.
func (p *Plan) Judge(f Figures) (Step, Because) {
	prove := f.Reached - f.HostAlone
	if above(f.Refused, prove, p.RefusedMax) {
		return Pause, Because{ManyRefused, f.Refused, prove}
	}
	if f.Payments >= p.PaymentsMin && f.Payments > 0 {
		if above(f.Unknown, f.Payments, p.UnknownMax) {
			return Pause, Because{ManyUnknown, f.Unknown, f.Payments}
		}
		if above(f.Declined, f.Payments, p.DeclinedMax) {
			return Pause, Because{ManyDeclined, f.Declined, f.Payments}
		}
	}
	if int64(f.Attested)*All < int64(prove)*int64(p.AttestedMin) {
		if f.For >= time.Duration(p.AttestSeconds)*time.Second {
			return Pause, Because{FewAttested, f.Attested, prove}
		}
		return Wait, Because{}
	}
	if f.For < time.Duration(p.SoakSeconds)*time.Second {
		return Wait, Because{}
	}
	return GoOn, Because{}
}

func above(n, of, permille int) bool { return int64(n)*All > int64(of)*int64(permille) }

// Words is the reason for people; p is the plan that it was judged by.
func (b Because) Words(p *Plan) mianmi.Text {
	switch b.Reason {
	case ByPerson:
		return mianmi.Text{ZH: "由人工操作", EN: "by a person"}
	case FewAttested:
		return mianmi.Text{ZH: fmt.Sprintf("%s内，%d 台终端中只有 %d 台证实已在运行，要求至少 %s", lasting(p.AttestSeconds).ZH, b.Of, b.Count, percent(p.AttestedMin)),
			EN: fmt.Sprintf("after %s only %d of %d terminals have proved that they run it; at least %s are wanted", lasting(p.AttestSeconds).EN, b.Count, b.Of, percent(p.AttestedMin))}
	case ManyRefused:
		return mianmi.Text{ZH: fmt.Sprintf("%d 台终端中有 %d 台未采用这个程序或已退回原版本，上限为 %s", b.Of, b.Count, percent(p.RefusedMax)),
			EN: fmt.Sprintf("%d of %d terminals did not take the program, or went back from it; at most %s may", b.Count, b.Of, percent(p.RefusedMax))}
	case ManyDeclined:
		return mianmi.Text{ZH: fmt.Sprintf("%d 笔付款中有 %d 笔被拒付，上限为 %s", b.Of, b.Count, percent(p.DeclinedMax)),
			EN: fmt.Sprintf("%d of %d payments were declined; at most %s are allowed", b.Count, b.Of, percent(p.DeclinedMax))}
	case ManyUnknown:
		return mianmi.Text{ZH: fmt.Sprintf("%d 笔付款中有 %d 笔没有结果，上限为 %s", b.Of, b.Count, percent(p.UnknownMax)),
			EN: fmt.Sprintf("%d of %d payments ended without a result; at most %s are allowed", b.Count, b.Of, percent(p.UnknownMax))}
	case ClosedBetween:
		return mianmi.Text{ZH: "该范围的小额免密已关闭", EN: "PIN-free payment was switched off there"}
	case Overtaken:
		return mianmi.Text{ZH: "策略已收紧，没有可推行的内容", EN: "the policy was tightened, and nothing is left to be rolled out"}
	}
	return mianmi.Text{}
}

// percent is a share in thousandths for people: "95%", "2.5%".
func percent(permille int) string {
	if permille%10 == 0 {
		return fmt.Sprintf("%d%%", permille/10)
	}
	return fmt.Sprintf("%d.%d%%", permille/10, permille%10)
}

func lasting(seconds int64) mianmi.Text {
	if seconds%3600 == 0 {
		return mianmi.Text{ZH: fmt.Sprintf("%d 小时", seconds/3600), EN: fmt.Sprintf("%d h", seconds/3600)}
	}
	if seconds%60 != 0 {
		return mianmi.Text{ZH: fmt.Sprintf("%d 秒", seconds), EN: fmt.Sprintf("%d s", seconds)}
	}
	return mianmi.Text{ZH: fmt.Sprintf("%d 分钟", seconds/60), EN: fmt.Sprintf("%d min", seconds/60)}
}
