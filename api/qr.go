package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

func (s *Server) registerQROrders() {
	add(s, route{method: "POST", path: "/v1/qr-orders", name: "openQROrder", tag: "qr-orders", status: 201, repeat: firstAnswer,
		may: only(shopPeople...).and(mianmi.RoleTerminal).keys(mianmi.ScopePay), summary: "Open an order that the terminal shows as a QR code",
		about: "The payer scans it and confirms with the payment password on the phone. The order is charged at most once, by its order number; find the payment by it."}, s.openQR)
	add(s, route{method: "GET", path: "/v1/qr-orders/{token}", name: "qrOrder", tag: "qr-orders", may: only(mianmi.RolePayer),
		summary: "Show a scanned order", about: "What the payer sees before confirming: who asks, where, how much."}, s.qrOrder)
	add(s, route{method: "POST", path: "/v1/qr-orders/{token}/confirm", name: "confirmQROrder", tag: "qr-orders", may: only(mianmi.RolePayer),
		summary: "Pay a scanned order", about: "With the payment password. A repeat returns the payment again."}, s.confirmQR)
}

// QROrderBody opens a QR order.
type QROrderBody struct {
	Terminal string `json:"terminal"`
	OrderNo  string `json:"order_no"`
	Amount   Amount `json:"amount"`
}

// QROrder is an order behind a QR code.
type QROrder struct {
	Token     string    `json:"token,omitzero" doc:"Shown once, to whoever opened the order"`
	QR        string    `json:"qr,omitzero" doc:"The text to show as a QR code"`
	OrderNo   string    `json:"order_no"`
	Amount    Amount    `json:"amount"`
	Where     Where     `json:"where"`
	Payment   string    `json:"payment,omitzero" doc:"Once it is paid"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (s *Server) showQR(ctx context.Context, q *payment.QR) QROrder {
	site, known := s.Payments.Site(ctx, q.Terminal)
	where := whereOf(&payment.Payment{Merchant: q.Merchant, Store: q.Store, Terminal: q.Terminal}, &site, known)
	return QROrder{OrderNo: q.OrderNo, Amount: amountOf(q.Amount), Where: where, Payment: string(q.Payment), ExpiresAt: q.ExpiresAt}
}

func (s *Server) openQR(ctx context.Context, a mianmi.Actor, in *struct{ Body QROrderBody }) (*struct{ Body QROrder }, error) {
	q, token, err := s.Payments.OpenQR(ctx, a, payment.QRRequest{Terminal: mianmi.TerminalID(in.Body.Terminal),
		OrderNo: in.Body.OrderNo, Amount: in.Body.Amount.money()})
	if err != nil {
		return nil, err
	}
	out := s.showQR(ctx, &q)
	out.Token, out.QR = token, s.cfg.QRPrefix+"qr:"+token
	return &struct{ Body QROrder }{out}, nil
}

type QRInput struct {
	Token string `path:"token"`
}

func (s *Server) qrOrder(ctx context.Context, a mianmi.Actor, in *QRInput) (*struct{ Body QROrder }, error) {
	q, err := s.Payments.QROrder(ctx, a, in.Token)
	if err != nil {
		return nil, err
	}
	return &struct{ Body QROrder }{s.showQR(ctx, q)}, nil
}

func (s *Server) confirmQR(ctx context.Context, a mianmi.Actor, in *struct {
	QRInput
	Body PasswordBody
}) (*PaymentOutput, error) {
	p, err := s.Payments.PayQR(ctx, a, in.Token, in.Body.Password)
	if err == nil {
		s.metrics.payment(p)
	}
	return s.one(ctx, a, p, err)
}
