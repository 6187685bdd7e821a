package payment

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
)

// forQR is the purpose of the digests of QR tokens; it is in stored data.
const forQR secret.Purpose = "qr_order"

// QRRequest opens an order that the terminal shows as a QR code.
type QRRequest struct {
	Terminal mianmi.TerminalID
	OrderNo  string
	Amount   money.Amount
	// ExpiresAt ends the time in which a payer can confirm; zero: Config.QRLife from now.
	ExpiresAt time.Time
}

// qrLifeMax bounds what a merchant may ask for.
const qrLifeMax = 7 * 24 * time.Hour

// OpenQR opens a QR order and returns it with the token that goes into the
// QR code: 128 random bits, of which only a digest is kept. The order is
// charged when a payer confirms it, at most once by its order number.
func (s *Service) OpenQR(ctx context.Context, actor mianmi.Actor, r QRRequest) (QR, string, error) {
	req := Request{Terminal: r.Terminal, OrderNo: r.OrderNo, Amount: r.Amount, Method: pinfree.DynamicQR, payer: "nobody yet"}
	if err := req.validate(); err != nil {
		return QR{}, "", err
	}
	if err := mayPay(actor, &Request{Terminal: r.Terminal}); err != nil {
		return QR{}, "", err
	}
	snap, err := s.Books.Settings(ctx)
	if err != nil {
		return QR{}, "", err
	}
	site, ok := snap.Site(r.Terminal)
	switch {
	case !ok || site.Merchant.ID != actor.Merchant || actor.Store != "" && actor.Store != site.Store.ID:
		return QR{}, "", mianmi.InvalidField("terminal", "no such terminal of this merchant")
	case !site.Model.Display:
		return QR{}, "", mianmi.Conflicts("no_display", "this terminal cannot show a QR code")
	case !site.Accepts(s.Wallet.Name(), pinfree.DynamicQR):
		return QR{}, "", mianmi.InvalidField("terminal", "this terminal does not take dynamic_qr")
	}
	var raw [16]byte
	if _, err := io.ReadFull(s.Random, raw[:]); err != nil {
		return QR{}, "", fmt.Errorf("read randomness for a QR order: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(raw[:])
	now := s.now()
	q := QR{Digest: s.Keys.Digest(forQR, token), Merchant: site.Merchant.ID, Store: site.Store.ID, Terminal: r.Terminal,
		OrderNo: r.OrderNo, Amount: r.Amount, Actor: actor.String(), CreatedAt: now, ExpiresAt: now.Add(s.cfg.QRLife)}
	if !r.ExpiresAt.IsZero() {
		q.ExpiresAt = r.ExpiresAt.UTC().Truncate(time.Microsecond)
	}
	if !now.Before(q.ExpiresAt) || q.ExpiresAt.Sub(now) > qrLifeMax {
		return QR{}, "", mianmi.InvalidField("expires_at", "a time within the next seven days")
	}
	return q, token, s.Books.AddQR(ctx, q)
}

// QROrder shows the order behind a token to the payer who scanned it.
func (s *Service) QROrder(ctx context.Context, actor mianmi.Actor, token string) (*QR, error) {
	if !actor.Is(mianmi.RolePayer) {
		return nil, mianmi.Forbidden("not_allowed", "a QR order is confirmed by a payer")
	}
	q, err := s.Books.QR(ctx, s.Keys.Digest(forQR, token))
	if err != nil {
		return nil, err
	}
	if q.Payment == "" && !s.now().Before(q.ExpiresAt) {
		return nil, mianmi.Conflicts("qr_expired", "this QR code has run out; ask for a new one")
	}
	return q, nil
}

// PayQR confirms a QR order with the payment password and takes the payment.
// A repeat by the same payer returns the payment again.
func (s *Service) PayQR(ctx context.Context, actor mianmi.Actor, token, password string) (*Payment, error) {
	q, err := s.QROrder(ctx, actor, token)
	if err != nil {
		return nil, err
	}
	if err := s.Verifier.Verify(ctx, mianmi.PayerID(actor.ID), password); err != nil {
		return nil, err
	}
	// The order was opened by the merchant: the payment runs in its name.
	house := mianmi.System("qr")
	house.Merchant = q.Merchant
	p, err := s.Authorize(ctx, house, Request{Terminal: q.Terminal, OrderNo: q.OrderNo, Amount: q.Amount,
		Method: pinfree.DynamicQR, CVM: pinfree.PhonePassword, payer: mianmi.PayerID(actor.ID)})
	if err != nil {
		return nil, err
	}
	if err := s.Books.SetQRPayment(ctx, q.Digest, p.ID); err != nil {
		// The payment stands; it is found by its order number.
		s.Log.Error("a QR order could not be marked as paid", "payment", string(p.ID), "error", err)
	}
	return p, nil
}
