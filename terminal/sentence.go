package terminal

import (
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
)

// Zone puts an instant into the zone in which people read it.
type Zone func(time.Time) time.Time

// Sentence is one line that tells how far an OFF is.
func (w *Watched) Sentence(zone Zone) mianmi.Text {
	at := moment(zone(w.At))
	name := mianmi.Text{ZH: "小额免密已关闭", EN: "PIN-free payment is off"}
	if w.Stop != "" {
		name = mianmi.Text{ZH: "小额免密已紧急停用", EN: "PIN-free payment is stopped"}
	}
	switch w.Outcome {
	case OffReopened:
		return mianmi.Text{ZH: "小额免密曾于 " + at.ZH + " 关闭，后已重新开启", EN: "PIN-free payment was switched off at " + at.EN + " and has been switched on again"}
	case OffLifted, OffOver:
		return mianmi.Text{ZH: "小额免密曾于 " + at.ZH + " 紧急停用，现已结束", EN: "PIN-free payment was stopped at " + at.EN + "; the stop is over"}
	}
	t := mianmi.Text{ZH: fmt.Sprintf("%s，%s 起，%d 台终端中 %d 台已生效", name.ZH, at.ZH, w.Total, w.InForce),
		EN: fmt.Sprintf("%s since %s, in force on %d of %d terminals", name.EN, at.EN, w.InForce, w.Total)}
	if w.HostAlone > 0 {
		t.ZH += fmt.Sprintf("，%d 台不作证实、仅由主机执行", w.HostAlone)
		t.EN += fmt.Sprintf("; %d prove nothing and are held by the host alone", w.HostAlone)
	}
	if w.Late {
		t.ZH += "，已超过期限"
		t.EN += "; the deadline has passed"
	}
	return t
}

// Because says why an OFF waits for the terminal.
func (o *LeftOut) Because(zone Zone) mianmi.Text {
	t := o.Stage.Words()
	switch {
	case o.Offline && o.SeenAt.IsZero() && o.Enrolled:
		t.ZH += "；从未联机"
		t.EN += "; never seen"
	case o.Offline && o.Enrolled:
		at := moment(zone(o.SeenAt))
		t.ZH += "；" + at.ZH + " 起离线"
		t.EN += "; offline since " + at.EN
	}
	return t
}

func moment(t time.Time) mianmi.Text {
	return mianmi.Text{ZH: t.Format("1 月 2 日 15:04"), EN: t.Format("15:04 on 2 January")}
}
