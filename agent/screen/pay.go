package screen

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/web/ui"
)

// Frame is what every page of the screen has.
type Frame struct {
	speaker
	ui.Page
	CSRF   string
	Path   string
	Name   string
	Store  string
	Online bool
	View   string
}

// Other is the language that is not shown.
func (f Frame) Other() (tag, name string) {
	if f.Page.Lang == mianmi.EN {
		return "zh", "中文"
	}
	return "en", "English"
}

// IdlePage is the screen between two customers.
type IdlePage struct {
	Frame
	Status   Status
	Digits   string
	Amount   string
	Exponent int
	Symbol   string
	Fault    string
	Open     int
	Unsafe   string // what is wrong with the network; empty: nothing
	Ready    bool
}

// digitsMax is the longest amount: 9,999,999.99.
const digitsMax = 9

func (s *Server) idle(q *request) { q.showIdle(http.StatusOK, "") }

func (q *request) showIdle(status int, fault string) {
	v := q.s.Terminal.Till.View()
	if v.Stage != agent.Idle && status == http.StatusOK && q.r.Method == http.MethodGet {
		q.to("/pay")
		return
	}
	currency := money.Currency(q.set.Effective.Currency)
	d := typed(q.r.FormValue("d"), q.r.FormValue("key"))
	minor, _ := strconv.ParseInt("0"+d, 10, 64) // digits alone, and few
	p := IdlePage{Frame: q.frame(q.T("收款", "Take a payment")), Status: q.status(q.set, q.s.Terminal.Model.Restart.Needed), Digits: d, Fault: fault,
		Exponent: currency.Exponent(), Symbol: "¥", Open: len(v.Open), Ready: q.set.Running != nil}
	if currency != "CNY" {
		p.Symbol = string(currency)
	}
	p.Amount = strings.TrimLeft(strings.TrimSuffix(q.amount(money.Of(minor, currency)), " "+string(currency)), "¥")
	if f := q.s.Terminal.Network(); !f.At.IsZero() && !f.Verdict.Safe() {
		p.Unsafe = verdicts[f.Verdict].head.In(q.lang)
	}
	q.draw(status, idlePage(p))
}

// typed is the digits after one more key, for a browser without scripts.
func typed(d, key string) string {
	if len(d) > digitsMax || strings.Trim(d, "0123456789") != "" {
		return ""
	}
	switch {
	case key == "back":
		return d[:max(0, len(d)-1)]
	case key == "clear":
		return ""
	case key != "" && len(key) <= 2 && strings.Trim(key, "0123456789") == "" && len(d)+len(key) <= digitsMax:
		d += key
	}
	return strings.TrimLeft(d, "0")
}

func (s *Server) begin(q *request) {
	d := typed(q.form("d"), "")
	minor, err := strconv.ParseInt(d, 10, 64)
	if err == nil {
		err = s.Terminal.Till.Begin(money.Of(minor, money.Currency(q.set.Effective.Currency)))
	}
	if err != nil {
		q.showIdle(http.StatusUnprocessableEntity, q.T("请输入大于 0 的金额", "Type an amount above 0"))
		return
	}
	q.to("/pay")
}

// PayPage is a payment on its way.
type PayPage struct {
	Frame
	agent.View
	Amount  string
	Method  method
	Choices []choice
	QR      *ui.QR
	Seconds int // left for the payer
	Note    string
	Why     []string // why a password is wanted
	Screen  bool     // digits on the screen
	Keys    bool     // on keys of its own
	Phone   bool     // the phone can confirm
	Said    string   // of a payment at another payment system: how it stands
	Slip    *slipView
	Slow    bool // it takes longer than usual
}

type choice struct {
	method
	Value string
	Key   string
	Tried bool
}

// slowAfter is when the screen says that it takes longer than usual.
const slowAfter = 4 * time.Second

func (s *Server) pay(q *request) {
	v := s.Terminal.Till.View()
	if v.Stage == agent.Idle {
		q.to("/")
		return
	}
	p := PayPage{Frame: q.frame(q.T("收款", "Payment")), View: v, Amount: q.amount(v.Order.Amount), Method: q.method(v.Order.Method), Note: v.Note.In(q.lang),
		Seconds: int(v.Left / time.Second), Slow: v.Asked > slowAfter}
	p.Page.Refresh = map[agent.Stage]int{agent.Asking: 1, agent.Waiting: 3, agent.ShowingQR: 3, agent.Unknown: 2}[v.Stage]
	for i, m := range v.Methods {
		p.Choices = append(p.Choices, choice{method: q.method(m), Value: m, Key: strconv.Itoa(i + 1), Tried: slices.Contains(v.Failed, m)})
	}
	if v.QR != "" {
		if code, err := ui.NewQR(v.QR); err == nil {
			p.QR = &code
		}
	}
	if v.Payment != nil {
		for _, r := range v.Payment.Reasons[:min(2, len(v.Payment.Reasons))] {
			p.Why = append(p.Why, mianmi.Text{ZH: r.Words.Cashier.ZH, EN: r.Words.Cashier.EN}.In(q.lang))
		}
		if v.Payment.StepUp == nil {
			p.Said = v.Payment.Sentence.In(q.lang)
		}
		p.Phone = v.Payment.StepUp != nil && slices.Contains(v.Payment.StepUp.Methods, "phone_password")
	}
	p.Keys = v.TakePIN && s.Terminal.Model.Keypad == "physical"
	p.Screen = v.TakePIN && s.Terminal.Model.Keypad == "screen"
	if v.Slip != nil {
		sv := q.slipOf(*v.Slip)
		p.Slip = &sv
	}
	q.draw(http.StatusOK, payPage(p))
}

func (s *Server) choose(q *request) {
	_ = s.Terminal.Till.Choose(q.form("method")) // what is not possible is not shown, and the page says what is
	q.to("/pay")
}

func (s *Server) read(q *request) {
	_ = s.Terminal.Till.Read(q.form("text")) // the page shows what is wrong with it
	q.to("/pay")
}

func (s *Server) digit(q *request) {
	if k := q.form("digit"); len(k) == 1 {
		s.Terminal.Till.Digit(k[0])
	} else {
		s.Terminal.Till.Digit(0)
	}
	q.to("/pay")
}

func (s *Server) pin(q *request) {
	s.Terminal.Till.EnterPIN(q.r.Context(), q.form("pin"))
	q.to("/pay")
}

func (s *Server) cancel(q *request) {
	s.Terminal.Till.Cancel()
	q.to("/pay")
}

func (s *Server) next(q *request) {
	s.Terminal.Till.Next()
	q.to("/")
}

func (s *Server) leave(q *request) {
	_ = s.Terminal.Till.Leave() // else the page shows where it stands
	q.to("/pay")
}

func (s *Server) reverse(q *request) {
	no := q.form("no")
	if err := s.Terminal.Till.Reverse(q.r.Context(), no); err != nil {
		s.Log.Info("a payment could not be undone", "order", no, "error", err)
	}
	q.to("/slips/" + no)
}

// slipView is a slip as it is shown.
type slipView struct {
	No, Payment, Amount, Method, State, Sentence     string
	Verified, At, Short, Merchant, Place, Terminal   string
	Reasons                                          []string
	Good, Safe, Harm, CanUndo, Failed, Test, Resumed bool
}

func (q *request) slipOf(s agent.Slip) slipView {
	v := slipView{No: s.No, Payment: string(s.Payment), Amount: q.amount(s.Amount), Method: q.method(s.Method).Name, State: states[s.State].In(q.lang),
		Sentence: s.Sentence.In(q.lang), At: s.Ended.In(q.zone).Format("2006-01-02 15:04:05"), Merchant: s.Place[0], Terminal: s.Place[3],
		Place: strings.TrimSpace(s.Place[1] + " " + s.Place[2]), Good: s.State == "approved", Harm: s.Undone || strings.HasPrefix(s.Failure, "not_undone"),
		Failed: s.State != "approved", Test: s.Test}
	v.CanUndo = s.State == "approved" && s.Method != "cash" && q.now.Sub(s.Ended) < 24*time.Hour
	if s.State == "approved" {
		v.Verified = cvms[s.CVM].In(q.lang)
		v.Safe = s.CVM != "none" && s.CVM != "" // green is for protected: somebody was verified
	}
	v.Short = q.when(s.Ended)
	if s.Entry == "typed" {
		v.Method += q.T("（手输）", " (typed)")
	}
	for _, r := range s.Reasons {
		v.Reasons = append(v.Reasons, r.In(q.lang))
	}
	if v.Merchant == "" {
		v.Merchant, v.Place, v.Terminal = q.set.Effective.Merchant, strings.TrimSpace(q.set.Effective.Store+" "+q.set.Effective.Address), q.set.Effective.Name
	}
	return v
}

// SlipsPage lists the last payments.
type SlipsPage struct {
	Frame
	Slips []slipView
	Open  []slipView
}

func (s *Server) slips(q *request) {
	p := SlipsPage{Frame: q.frame(q.T("交易记录", "Payments"))}
	for _, x := range s.Terminal.Till.Slips() {
		p.Slips = append(p.Slips, q.slipOf(x))
	}
	for _, o := range s.Terminal.Till.View().Open {
		p.Open = append(p.Open, slipView{No: o.No, Amount: q.amount(o.Amount), Method: q.method(o.Method).Name, At: q.when(o.At)})
	}
	q.draw(http.StatusOK, slipsPage(p))
}

// SlipPage is one slip, for the screen and for paper.
type SlipPage struct {
	Frame
	Slip    slipView
	Printer bool
}

func (s *Server) slip(q *request) {
	x, ok := s.Terminal.Till.Slip(q.r.PathValue("no"))
	if !ok {
		q.to("/slips")
		return
	}
	q.draw(http.StatusOK, slipPage(SlipPage{Frame: q.frame(q.T("小票", "Slip")), Slip: q.slipOf(x), Printer: s.Terminal.Model.Printer}))
}

// TroublePage says that a trouble has been reported.
type TroublePage struct {
	Frame
	At      string
	Waiting int
	Kinds   []choice
	No      string
}

// trouble reports in one tap, and more precisely with a second one.
func (s *Server) trouble(q *request) {
	kind := q.form("kind")
	if !slices.ContainsFunc(troubles, func(t struct {
		Kind string
		Name mianmi.Text
	}) bool {
		return t.Kind == kind
	}) {
		kind = "other"
	}
	no := q.form("no")
	var id mianmi.PaymentID
	if x, ok := s.Terminal.Till.Slip(no); ok {
		id = x.Payment
	} else {
		no = ""
	}
	if err := s.Terminal.Trouble(kind, no, id); err != nil {
		s.Log.Error("a trouble could not be kept", "error", err)
	}
	s.mu.Lock()
	s.told = s.Clock.Now()
	s.mu.Unlock()
	q.to("/trouble?no=" + no)
}

func (s *Server) troubled(q *request) {
	s.mu.Lock()
	told := s.told
	s.mu.Unlock()
	p := TroublePage{Frame: q.frame(q.T("报告异常", "Report")), Waiting: s.Terminal.TroublesWaiting()}
	if _, ok := s.Terminal.Till.Slip(q.r.FormValue("no")); ok {
		p.No = q.r.FormValue("no")
	}
	if !told.IsZero() {
		p.At = q.when(told)
	}
	for i, t := range troubles {
		p.Kinds = append(p.Kinds, choice{method: method{Name: t.Name.In(q.lang)}, Value: t.Kind, Key: strconv.Itoa(i + 1)})
	}
	q.draw(http.StatusOK, troublePage(p))
}
