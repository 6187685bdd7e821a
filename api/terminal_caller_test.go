package api_test

import (
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// certificate stands for a terminal's certificate where others have a token.
const certificate = "certificate"

// terminalURL is where the terminal is the caller, as behind its certificate.
func (w *world) terminalURL(id mianmi.TerminalID) string {
	w.t.Helper()
	tm := get[client.Terminal](w.t)(w.operator.Terminal(w.t.Context(), id))
	front := httptest.NewServer(w.server.ForTerminal(mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(id), Merchant: tm.Merchant, Store: tm.Store}))
	w.t.Cleanup(front.Close)
	return front.URL
}

// A terminal takes payments, looks after them and undoes them as itself, with
// what a bearer in its request might say left aside; and it does not see or
// touch those of another terminal of its own shop.
func TestTerminalAsCaller(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, s, p := t.Context(), w.shop("晨光超市"), w.person("+8613800000001")
		next := get[client.Terminal](t)(w.operator.CreateTerminal(ctx, s.store.ID, client.NewTerminal{Name: "收银台 2", Model: s.model.ID}))
		caller := func(id mianmi.TerminalID) *client.Client {
			return get[*client.Client](t)(client.New(w.terminalURL(id), client.Options{Lang: mianmi.EN})).As("mk_nobodys")
		}
		own, other := caller(s.terminal.ID), caller(next.ID)

		free := get[client.Payment](t)(own.Authorize(ctx, w.scan(s, p, "T1", 18_00)))
		if free.State != "approved" || free.Outcome != "pin_free" || free.Payer != "" {
			t.Errorf("a PIN-free payment by a terminal: %+v", free)
		}
		if found := get[client.Payment](t)(own.PaymentByOrder(ctx, s.merchant.ID, "T1")); found.ID != free.ID {
			t.Errorf("found %s by its order, want %s", found.ID, free.ID)
		}
		typed := w.scan(s, p, "T2", 18_00)
		typed.Entry = "typed"
		waits := get[client.Payment](t)(own.Authorize(ctx, typed))
		key := get[client.HostKey](t)(own.HostKey(ctx))
		paid := get[client.Payment](t)(own.ConfirmPIN(ctx, waits.ID, w.seal(key, waits.ID, pin)))
		if paid.State != "approved" || paid.CVM != "online_pin" {
			t.Errorf("after the PIN: %+v", paid)
		}
		again := w.scan(s, p, "T3", 18_00)
		again.Entry = "typed"
		open := get[client.Payment](t)(own.Authorize(ctx, again))
		qr := get[client.QROrder](t)(own.OpenQR(ctx, client.QRRequest{Terminal: s.terminal.ID, OrderNo: "T4", Amount: money.Of(1, "CNY")}))
		if qr.QR == "" || !qr.ExpiresAt.After(w.clock.Now().Add(time.Minute)) {
			t.Errorf("a QR order: %+v", qr)
		}

		w.strangers(other, s, paid.ID, open.ID)

		if called := get[client.Payment](t)(own.Cancel(ctx, open.ID)); called.State != "declined" {
			t.Errorf("called off: %+v", called)
		}
		if back := get[client.Payment](t)(own.Reverse(ctx, free.ID)); back.State != "reversed" {
			t.Errorf("undone: %+v", back)
		}
		if _, err := own.Refund(ctx, paid.ID, client.RefundRequest{RefundNo: "R1", Amount: money.Of(1, "CNY")}); client.Code(err) != "not_allowed" {
			t.Errorf("a terminal refunds: %v", err)
		}
	})
}

// seal encrypts a PIN as a keypad does.
func (w *world) seal(key client.HostKey, id mianmi.PaymentID, pin string) client.SealedPIN {
	w.t.Helper()
	public, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(key.Public)
	must(w.t, err)
	enc, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(key.Info))
	must(w.t, err)
	text, err := sender.Seal([]byte(id), []byte(pin))
	must(w.t, err)
	return client.SealedPIN{KeyID: key.KeyID, Enc: enc, Ciphertext: text}
}

// strangers tries what another terminal of the same shop may not do.
func (w *world) strangers(other *client.Client, s *shop, paid, open mianmi.PaymentID) {
	w.t.Helper()
	ctx := w.t.Context()
	for name, try := range map[string]func() error{
		"see a payment": func() error { _, err := other.Payment(ctx, paid); return err },
		"find an order": func() error { _, err := other.PaymentByOrder(ctx, s.merchant.ID, "T2"); return err },
		"call off":      func() error { _, err := other.Cancel(ctx, open); return err },
		"undo":          func() error { _, err := other.Reverse(ctx, paid); return err },
		"send a PIN": func() error {
			_, err := other.ConfirmPIN(ctx, open, client.SealedPIN{KeyID: "pk0", Enc: []byte{1}, Ciphertext: []byte{1}})
			return err
		},
		"list refunds": func() error { _, err := other.Refunds(ctx, paid); return err },
	} {
		var p *client.Problem
		if err := try(); !errors.As(err, &p) || p.Status != http.StatusNotFound {
			w.t.Errorf("%s of another terminal: %v", name, err)
		}
	}
	if _, err := other.Authorize(ctx, client.Authorization{Terminal: s.terminal.ID, OrderNo: "X1", Amount: money.Of(1, "CNY"), Method: "cash"}); client.Code(err) != "not_allowed" {
		w.t.Errorf("take a payment as another terminal: %v", err)
	}
	if _, err := other.OpenQR(ctx, client.QRRequest{Terminal: s.terminal.ID, OrderNo: "X2", Amount: money.Of(1, "CNY")}); client.Code(err) != "not_allowed" {
		w.t.Errorf("open a QR order as another terminal: %v", err)
	}
}
