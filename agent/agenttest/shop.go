package agenttest

import (
	"crypto/ecdh"
	"crypto/hpke"
	"net/http"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// PIN is the payer's.
const PIN = "246810"

// Codes of payers: one with money, one without.
const (
	CodeRich = "280001234567890123"
	CodePoor = "280001234567890000"
	Card     = mianmi.InstrumentID("ci01j9zqcard0000000000000000ab")
)

// shop takes payments, by simple rules. Its fields are guarded by Host.mu.
type shop struct {
	byOrder  map[string]*client.Payment
	codes    map[string]string // code by order
	qr       map[string]client.QROrder
	private  hpke.PrivateKey
	closed   bool // by the terminal's own menu
	ignoring bool // lets PIN-free pass although the terminal has closed it
	lose     int  // answers to lose
	cutting  bool // the network goes with the next answer
	looked   int  // times that orders were asked for
	keep     int  // reversals to lose
	taken    bool // they are lost on the way back
	asked    []string
	wrong    int
	holding  *held // the next PIN
	stepUp   time.Duration
}

func newShop(t testing.TB) shop {
	t.Helper()
	key, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return shop{byOrder: map[string]*client.Payment{}, codes: map[string]string{}, qr: map[string]client.QROrder{}, private: key, stepUp: 90 * time.Second}
}

func (h *Host) routes(mux *http.ServeMux) {
	for route, fn := range map[string]func(http.ResponseWriter, *http.Request){
		"POST /v1/payments":                 h.authorize,
		"GET /v1/payments/{id}":             h.payment,
		"GET /v1/merchants/{m}/orders/{no}": h.order,
		"POST /v1/payments/{id}/pin":        h.pin,
		"POST /v1/payments/{id}/cancel":     h.cancel,
		"POST /v1/payments/{id}/reverse":    h.reverse,
		"POST /v1/qr-orders":                h.openQR,
		"GET /v1/host-key":                  h.hostKey,
	} {
		mux.HandleFunc(route, h.known(func(w http.ResponseWriter, r *http.Request) {
			h.mu.Lock()
			defer h.mu.Unlock()
			defer h.tell()
			fn(w, r)
		}))
	}
}

// LoseAnswers loses the next n answers to payments, after they were taken.
func (h *Host) LoseAnswers(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shop.lose = n
}

// CutAtAnswer cuts the terminal off when the next payment was taken, before it
// hears so.
func (h *Host) CutAtAnswer() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shop.cutting = true
}

// held is a message that has come and is not answered yet.
type held struct{ came, release chan struct{} }

// HoldPIN holds the next PIN: came is closed when it is there, and closing
// release lets it be answered.
func (h *Host) HoldPIN() (came <-chan struct{}, release chan<- struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := &held{make(chan struct{}), make(chan struct{})}
	h.shop.holding = x
	return x.came, x.release
}

// WrongPINs is how many PINs were wrong.
func (h *Host) WrongPINs() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shop.wrong
}

// LoseReversals loses the next n reversals: on the way here, or, when taken,
// the answers to them.
func (h *Host) LoseReversals(n int, taken bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shop.keep, h.shop.taken = n, taken
}

// Looked is how often orders were asked for.
func (h *Host) Looked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shop.looked
}

// Ignore lets PIN-free payments pass whatever the terminal says of itself.
func (h *Host) Ignore() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shop.ignoring = true
}

// StepUpFor sets how long the payer has.
func (h *Host) StepUpFor(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shop.stepUp = d
}

// Confirm is the payer's password on the phone, for whatever waits.
func (h *Host) Confirm() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.shop.byOrder {
		if p.State == "step_up_required" {
			h.approve(p, "phone_password")
		}
	}
	for no, q := range h.shop.qr {
		if h.shop.byOrder[no] == nil && time.Now().Before(q.ExpiresAt) {
			p := h.newPayment(client.Authorization{OrderNo: no, Amount: q.Amount, Method: "dynamic_qr"})
			p.Outcome = "step_up"
			h.approve(p, "phone_password")
		}
	}
	h.tell()
}

// Orders returns the order numbers that were asked for, in order, and the
// payments by them.
func (h *Host) Orders() ([]string, map[string]client.Payment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]client.Payment{}
	for no, p := range h.shop.byOrder {
		out[no] = *p
	}
	return append([]string(nil), h.shop.asked...), out
}

func (h *Host) approve(p *client.Payment, cvm string) {
	p.State, p.CVM, p.StepUp, p.StateAt = "approved", cvm, nil, time.Now().UTC()
	p.Sentence = mianmi.Text{ZH: "收款成功 " + p.Amount.String() + "，顾客已验证。", EN: "Paid " + p.Amount.String() + "; the customer was verified."}
}

func (h *Host) newPayment(in client.Authorization) *client.Payment {
	now := time.Now().UTC()
	p := &client.Payment{ID: mianmi.PaymentID("pm" + random(14)), OrderNo: in.OrderNo, Amount: in.Amount, Method: in.Method, Entry: in.Entry,
		CVM: "none", CreatedAt: now, StateAt: now, DecidedBy: client.DecidedBy{Rules: "test", SettingsEpoch: h.config.Version}}
	p.Where.Merchant.Name, p.Where.Store.Name, p.Where.Store.Address, p.Where.Terminal.Name = h.config.Merchant, h.config.Store, h.config.Address, h.config.Name
	h.shop.byOrder[in.OrderNo] = p
	return p
}

func (h *Host) authorize(w http.ResponseWriter, r *http.Request) {
	var in client.Authorization
	if !read(w, r, &in) {
		return
	}
	p := h.shop.byOrder[in.OrderNo]
	if p == nil {
		h.shop.asked = append(h.shop.asked, in.OrderNo)
		p = h.newPayment(in)
		h.decidePayment(p, in)
	}
	if h.shop.cutting {
		h.shop.cutting, h.cut = false, true
		panic(http.ErrAbortHandler)
	}
	if h.shop.lose > 0 {
		h.shop.lose--
		panic(http.ErrAbortHandler)
	}
	write(w, p)
}

func (h *Host) decidePayment(p *client.Payment, in client.Authorization) {
	verified := in.CVM == "cdcvm" || in.CVM == "offline_pin"
	free := h.config.Allows(time.Now()) && (!h.shop.closed || h.shop.ignoring) && (in.Method != "payment_code" || in.Entry == "scanned") &&
		(h.config.PerPayment == nil || in.Amount.Minor() <= h.config.PerPayment.Minor())
	switch {
	case in.Method == "cash":
		h.approve(p, "none")
		p.Sentence = mianmi.Text{ZH: "已记录现金 " + p.Amount.String() + "。", EN: "Cash recorded: " + p.Amount.String() + "."}
	case in.Code == CodeOutside:
		p.Outcome = "pin_free"
		h.outside(p, "verifying")
	case in.Code == CodePoor:
		p.State, p.Outcome, p.Failure = "declined", "pin_free", "insufficient_funds"
		p.Sentence = mianmi.Text{ZH: "余额不足，未扣款，请换一种付款方式。", EN: "Not enough money on the account; nothing was taken. Offer another way to pay."}
	case verified:
		p.Outcome = "authenticated"
		h.approve(p, in.CVM)
	case free:
		p.State, p.Outcome = "approved", "pin_free"
		p.Sentence = mianmi.Text{ZH: "收款成功 " + p.Amount.String() + "，免密通过。", EN: "Paid " + p.Amount.String() + " without a PIN."}
		p.Reasons = []client.Reason{reason(200, "within_limit", mianmi.Text{ZH: "金额在小额免密限额之内", EN: "the amount is within the PIN-free limit"})}
	default:
		p.State, p.Outcome = "step_up_required", "step_up"
		p.StepUp = &client.StepUp{Methods: []string{"terminal_pin", "phone_password", "dynamic_qr"}, ExpiresAt: time.Now().Add(h.shop.stepUp).UTC(), QR: "mianmi:payment:" + string(p.ID)}
		p.Reasons = []client.Reason{reason(112, "terminal_closed", mianmi.Text{ZH: "本终端已关闭小额免密，请顾客输入密码", EN: "PIN-free is closed at this terminal; ask the customer for the password"})}
		p.Sentence = p.Reasons[0].Words.Cashier
	}
}

func reason(code int, name string, words mianmi.Text) client.Reason {
	r := client.Reason{Code: code, Name: name, Layer: "terminal"}
	r.Words.Payer, r.Words.Cashier, r.Words.Support = words, words, words
	return r
}

func (h *Host) find(w http.ResponseWriter, id string) *client.Payment {
	for _, p := range h.shop.byOrder {
		if string(p.ID) == id {
			if p.State == "step_up_required" && time.Now().After(p.StepUp.ExpiresAt) {
				p.State, p.StepUp = "expired", nil
				p.Sentence = mianmi.Text{ZH: "验证超时，未扣款，请重新收款。", EN: "The customer did not verify in time; nothing was taken. Start again."}
			}
			return p
		}
	}
	fail(w, http.StatusNotFound, "not_found")
	return nil
}

func (h *Host) payment(w http.ResponseWriter, r *http.Request) {
	if p := h.find(w, r.PathValue("id")); p != nil {
		write(w, p)
	}
}

func (h *Host) order(w http.ResponseWriter, r *http.Request) {
	h.shop.looked++
	p := h.shop.byOrder[r.PathValue("no")]
	if p == nil {
		fail(w, http.StatusNotFound, "not_found")
		return
	}
	if p = h.find(w, string(p.ID)); p != nil {
		write(w, p)
	}
}

func (h *Host) cancel(w http.ResponseWriter, r *http.Request) {
	p := h.find(w, r.PathValue("id"))
	switch {
	case p == nil:
	case p.State == "step_up_required":
		p.State, p.Failure, p.StepUp = "declined", "cancelled", nil
		p.Sentence = mianmi.Text{ZH: "付款已取消，未扣款。", EN: "The payment was called off; nothing was taken."}
		write(w, p)
	case p.State == "verifying" || p.State == "unknown":
		h.outside(p, "undoing")
		write(w, p)
	default:
		fail(w, http.StatusConflict, "not_waiting")
	}
}

func (h *Host) reverse(w http.ResponseWriter, r *http.Request) {
	lose := h.shop.keep > 0
	h.shop.keep = max(0, h.shop.keep-1)
	if lose && !h.shop.taken {
		panic(http.ErrAbortHandler)
	}
	p := h.find(w, r.PathValue("id"))
	switch {
	case p == nil:
	case p.State == "approved" || p.State == "reversed":
		p.State = "reversed"
		if lose {
			panic(http.ErrAbortHandler)
		}
		p.Sentence = mianmi.Text{ZH: "已撤销，" + p.Amount.String() + " 已退回顾客。", EN: "Reversed: " + p.Amount.String() + " went back to the customer."}
		write(w, p)
	default:
		fail(w, http.StatusConflict, "not_approved")
	}
}

func (h *Host) pin(w http.ResponseWriter, r *http.Request) {
	var in client.SealedPIN
	if !read(w, r, &in) {
		return
	}
	if x := h.shop.holding; x != nil {
		h.shop.holding = nil
		close(x.came)
		h.mu.Unlock()
		<-x.release
		h.mu.Lock()
	}
	p := h.find(w, r.PathValue("id"))
	if p == nil {
		return
	}
	if p.State != "step_up_required" {
		fail(w, http.StatusConflict, "not_waiting")
		return
	}
	rec, err := hpke.NewRecipient(in.Enc, h.shop.private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("mianmi pin v1"))
	if err != nil {
		fail(w, http.StatusUnprocessableEntity, "invalid")
		return
	}
	text, err := rec.Open([]byte(p.ID), in.Ciphertext)
	switch {
	case err != nil:
		fail(w, http.StatusUnprocessableEntity, "invalid")
	case string(text) != PIN:
		h.shop.wrong++
		fail(w, http.StatusForbidden, "password_wrong")
	default:
		h.approve(p, "online_pin")
		write(w, p)
	}
}

func (h *Host) openQR(w http.ResponseWriter, r *http.Request) {
	var in client.QRRequest
	if !read(w, r, &in) {
		return
	}
	q, ok := h.shop.qr[in.OrderNo]
	if !ok {
		token := random(16)
		q = client.QROrder{Token: token, QR: "mianmi:qr:" + token, OrderNo: in.OrderNo, Amount: in.Amount, ExpiresAt: time.Now().Add(h.shop.stepUp).UTC()}
		h.shop.qr[in.OrderNo] = q
		h.shop.asked = append(h.shop.asked, in.OrderNo)
	}
	w.WriteHeader(http.StatusCreated)
	write(w, q)
}

func (h *Host) hostKey(w http.ResponseWriter, _ *http.Request) {
	write(w, client.HostKey{KeyID: "pk01", Public: h.shop.private.PublicKey().Bytes(), Info: "mianmi pin v1"})
}

// Approve makes an approved payment of an order that was lost on its way, as
// if it had arrived late.
func (h *Host) Approve(no string, amount money.Amount) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.approve(h.newPayment(client.Authorization{OrderNo: no, Amount: amount, Method: "card_tap"}), "cdcvm")
	h.tell()
}
