package screen

import (
	"strconv"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// channelNames are the payment systems outside as people call them; others go by
// the host's name for them.
var channelNames = map[string]mianmi.Text{"wechatpay": {ZH: "微信支付", EN: "WeChat Pay"}}

// channelView is what the check says of a payment system outside.
type channelView struct {
	Fact fact   // its name, and whether it answers
	Says string // what it means for the cashier
}

func (q *request) channels() (list []channelView) {
	for _, c := range q.s.Terminal.Channels() {
		list = append(list, q.channel(c))
	}
	return list
}

// channel words what the host said. Nothing here is red: no harm is done, and
// other ways to pay go on.
func (p speaker) channel(c protocol.ChannelState) channelView {
	name := c.Channel
	if n, known := channelNames[name]; known {
		name = n.In(p.lang)
	}
	view := func(tone, value, says string) channelView {
		return channelView{Fact: fact{Name: name, Value: value, Tone: tone}, Says: says}
	}
	age := strconv.FormatInt(c.AgeSeconds, 10)
	switch c.State {
	case protocol.ChannelAnswers:
		took := strconv.FormatInt(c.TookMS, 10)
		return view("safe", p.T(took+" ms（"+age+" 秒前）", took+" ms ("+age+" s ago)"),
			p.T(name+"有应答，照常收款。", name+" answers; take payments as usual."))
	case protocol.ChannelSilent:
		since := p.when(c.Since)
		return view("wait", p.T(since+" 起无应答（"+age+" 秒前）", "silent since "+since+" ("+age+" s ago)"),
			p.T(name+"现在可能付不成，请顾客换一种付款方式。", "Payments by "+name+" may fail now; take another method."))
	}
	return view("plain", p.T("暂不清楚", "not known"),
		p.T("暂不清楚"+name+"是否有应答：照常收款即可，付不成就换一种方式。", "It is not known whether "+name+" answers; take payments as usual, and another method if one fails."))
}

// silent reports whether a payment system outside is known not to answer.
func (q *request) silent() bool {
	for _, c := range q.s.Terminal.Channels() {
		if c.State == protocol.ChannelSilent {
			return true
		}
	}
	return false
}

// channelsKey changes when the states of channels do; that they grow older changes
// nothing to see.
func (s *Server) channelsKey() (key string) {
	for _, c := range s.Terminal.Channels() {
		key += c.Channel + "=" + c.State + " "
	}
	return key
}
