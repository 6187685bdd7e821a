package agent

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// BeginTest begins a test payment of one minor unit. Whatever comes of it is
// called off or undone at once, and recorded.
func (l *Till) BeginTest() error {
	s := l.t.Setting()
	if s.Running == nil {
		return &mianmi.Error{Kind: mianmi.Unavailable, Code: "no_config", Msg: "no settings from the host yet"}
	}
	if err := l.Begin(money.Of(1, money.Currency(s.Running.Currency))); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order.Test = true
	l.tell()
	return nil
}

// CheckMethods looks after a change whether every other method still works as
// far as that can be seen without a customer: it is accepted here, the machine
// has what it needs, and the host answers for it.
func (t *Terminal) CheckMethods(ctx context.Context) ([]protocol.Check, error) {
	accepted := map[string]bool{}
	for _, m := range t.Methods() {
		accepted[m] = true
	}
	up := t.current().Echo(ctx) == nil
	list := make([]protocol.Check, 0, len(t.Model.Methods))
	for _, m := range t.Model.Methods {
		c := protocol.Check{Kind: "method", Method: m, At: t.Clock.Now()}
		switch {
		case !accepted[m]:
			c.Detail = "not_accepted"
		case !up:
			c.Detail = "host_unreachable"
		case m == dynamicQR:
			c.Detail = t.checkQR(ctx)
		case m != cash && t.Till.keyFault(ctx) != nil:
			c.Detail = "no_host_key"
		}
		c.Passed = c.Detail == ""
		list = append(list, c)
	}
	return list, t.record(list)
}

// checkQR opens a QR order that is shown to nobody and lapses by itself.
func (t *Terminal) checkQR(ctx context.Context) string {
	s := t.Setting()
	no, err := mianmi.NewID("ck", t.Clock.Now(), t.Random)
	if err != nil || s.Running == nil {
		return "no_config"
	}
	api, err := t.api()
	if err == nil {
		_, err = api.Once(no).OpenQR(ctx, client.QRRequest{Terminal: t.ID(), OrderNo: no, Amount: money.Of(1, money.Currency(s.Running.Currency))})
	}
	if err != nil {
		if code := client.Code(err); code != "" {
			return code
		}
		return "host_unreachable"
	}
	return ""
}

// keyFault fetches the key that PINs are encrypted to: without it no card
// payment could be verified here.
func (l *Till) keyFault(ctx context.Context) error {
	api, err := l.t.api()
	if err != nil {
		return err
	}
	_, err = api.HostKey(ctx)
	return err
}
