package contract

import (
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
)

var stateNames = [...]string{"", "signing", "signed", "ending", "ended", "lapsed"}

// String is the state's name in the API.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

var stateWords = map[State]mianmi.Text{
	Signing: {ZH: "等待付款人在{channel}签约", EN: "Waits for the payer to sign at {channel}"},
	Signed:  {ZH: "已在{channel}签约", EN: "Signed at {channel}"},
	Ending:  {ZH: "已关闭，{channel}侧尚未确认", EN: "Closed; not yet confirmed by {channel}"},
	Ended:   {ZH: "已关闭，{channel}侧已确认", EN: "Closed, confirmed by {channel}"},
	Lapsed:  {ZH: "未在时限内签约", EN: "Was not signed in time"},
}

// channelWords are channels as people call them.
var channelWords = map[string]mianmi.Text{"wechatpay": {ZH: "微信", EN: "WeChat Pay"}, Front: {ZH: "签约页面", EN: "our signing page"}}

// ParseState is the inverse of String; false: there is no such state.
func ParseState(name string) (State, bool) {
	for s := Signing; s <= Lapsed; s++ {
		if stateNames[s] == name {
			return s, true
		}
	}
	return 0, false
}

// Words say how the contract stands.
func (c *Contract) Words(now time.Time) mianmi.Text {
	name, known := channelWords[c.Channel]
	if !known {
		name = mianmi.Text{ZH: "渠道", EN: "the payment system"}
	}
	t := stateWords[c.State(now)]
	if c.Channel == Front && c.State(now) == Ended { // there is nobody who has to confirm it
		t = closedWords
	}
	return mianmi.Text{ZH: strings.ReplaceAll(t.ZH, "{channel}", name.ZH), EN: strings.ReplaceAll(t.EN, "{channel}", name.EN)}
}

// Sentence says how an agreement stands, here and at the channels: closed is not
// closed everywhere before they have confirmed it.
func Sentence(a *payer.Agreement, list []Contract, now time.Time) mianmi.Text {
	if a.Open {
		return mianmi.Text{ZH: "免密签约有效", EN: "The agreement is open"}
	}
	for i := range list {
		if c := &list[i]; c.Merchant == a.Merchant && c.State(now) == Ending {
			return c.Words(now)
		}
	}
	return closedWords
}

var closedWords = mianmi.Text{ZH: "已关闭", EN: "Closed"}
