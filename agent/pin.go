package agent

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// pinMax bounds a PIN (ISO 9564-1: 4 to 12 digits).
const (
	pinMin = 4
	pinMax = 12
)

// pinInfo is HPKE's info for a PIN; the host's key names the same.
const pinInfo = "mianmi pin v1"

// Digit takes one digit of the PIN; anything else takes the last one back.
func (l *Till) Digit(d byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stage != Waiting:
	case d >= '0' && d <= '9':
		if len(l.pin) < pinMax {
			next := append(make([]byte, 0, pinMax), l.pin...)
			l.wipe()
			l.pin = append(next, d)
		}
	case len(l.pin) > 0:
		l.pin[len(l.pin)-1] = 0
		l.pin = l.pin[:len(l.pin)-1]
	}
	l.note = mianmi.Text{}
	l.tell()
}

// What becomes of a PIN, by the code of the problem.
var pinNotes = map[string]mianmi.Text{
	"password_wrong":   {ZH: "密码不对，请重新输入", EN: "Wrong PIN; type it again"},
	"password_locked":  {ZH: "密码多次输错已锁定，请换一种付款方式", EN: "The PIN is locked after wrong tries; offer another way to pay"},
	"step_up_expired":  {ZH: "输入超时，请重新收款", EN: "The time is over; start again"},
	"no_terminal_pin":  {ZH: "这笔付款不能在本机输入密码，请顾客在手机上确认", EN: "No PIN can be typed here for this payment; the customer confirms on the phone"},
	"password_not_set": {ZH: "顾客没有设置支付密码，请换一种付款方式", EN: "The customer has set no payment password; offer another way to pay"},
}

var (
	noteShort   = mianmi.Text{ZH: "密码为 4 到 12 位数字", EN: "A PIN has 4 to 12 digits"}
	noteNetwork = mianmi.Text{ZH: "没有送达主机，请重新输入密码", EN: "It did not reach the host; type it again"}
)

// EnterPIN sends the PIN to the host, encrypted at this terminal for this one
// payment, and forgets it whatever comes back. The text is what was typed in a
// field at once; empty: the digits so far.
func (l *Till) EnterPIN(ctx context.Context, text string) {
	l.mu.Lock()
	if l.stage != Waiting || l.pay == nil || l.sealed == l.order.No || !l.t.PINAllowed(l.order.Amount) {
		l.mu.Unlock()
		return // a second press would make one wrong PIN two wrong tries
	}
	l.sealed = l.order.No
	pin, id, no := append([]byte(nil), l.pin...), l.pay.ID, l.order.No
	l.wipe()
	l.mu.Unlock()
	if text != "" {
		pin = []byte(text)
	}
	defer clear(pin)
	note := noteShort
	if digits(pin) {
		note = mianmi.Text{}
		// A second press ends the first one's request.
		if err := l.sendPIN(context.WithoutCancel(ctx), id, pin); err != nil {
			var known bool
			if note, known = pinNotes[client.Code(err)]; !known {
				note = noteNetwork
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sealed == no {
		l.sealed = ""
	}
	if l.order.No == no && l.stage == Waiting {
		l.note = note
		l.tell()
	}
}

func digits(pin []byte) bool {
	if len(pin) < pinMin || len(pin) > pinMax {
		return false
	}
	for _, d := range pin {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}

// sendPIN encrypts with HPKE (RFC 9180), the payment's id as associated data.
func (l *Till) sendPIN(ctx context.Context, id mianmi.PaymentID, pin []byte) error {
	api, err := l.t.api()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	key, err := api.HostKey(ctx)
	if err != nil {
		return err
	}
	public, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(key.Public)
	if err != nil {
		return fmt.Errorf("the host's key: %w", err)
	}
	enc, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(pinInfo))
	if err != nil {
		return err
	}
	sealed, err := sender.Seal([]byte(id), pin)
	if err != nil {
		return err
	}
	_, err = api.ConfirmPIN(ctx, id, client.SealedPIN{KeyID: key.KeyID, Enc: enc, Ciphertext: sealed})
	return err
}
