package storetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Device is a terminal as the host meets it: a key, a boot, and what it runs.
// It does what a test tells it, honest or not.
type Device struct {
	ID     mianmi.TerminalID
	Key    *ecdsa.PrivateKey
	Clock  mianmi.Clock
	Boot   protocol.Boot
	Number int64

	Config  *protocol.Config // that runs; nil: none
	Running *protocol.Setting
	Saved   *protocol.Setting
	saved   *protocol.Config
	Local   *protocol.Local // set in its menu
	Menu    []protocol.Local
	Checks  []protocol.Check
	Device  protocol.Device
	Network protocol.Network
	// Change alters a report before it is signed.
	Change func(*protocol.Report)
}

// NewDevice makes a terminal's machine and enrols it.
func NewDevice(ctx context.Context, db *store.DB, id mianmi.TerminalID, clock mianmi.Clock) (*Device, error) {
	d := &Device{ID: id, Clock: clock, Device: protocol.Device{Model: "linux_countertop", OS: "linux 6.1", Firmware: "1.2.0", App: "0.4.0", Keypad: true},
		Network: protocol.Network{Kind: "ethernet", DNS: true, TLS: true, RTTms: 4}}
	var err error
	if d.Key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	d.Reboot()
	return d, d.Enrol(ctx, db)
}

// Enrol makes the machine's key one that counts, by a code.
func (d *Device) Enrol(ctx context.Context, db *store.DB) error {
	k, err := keyOf(&d.Key.PublicKey, d.Clock.Now())
	if err != nil {
		return err
	}
	keys, err := secret.New(rand.Reader)
	if err != nil {
		return err
	}
	e, err := enrolment(ctx, &terminal.Enrol{Records: db, Keys: keys, Clock: d.Clock, Random: rand.Reader}, d.ID)
	if err != nil {
		return err
	}
	return terminal.New(db, d.Clock, rand.Reader).AddKey(ctx, e, k)
}

// enrolment is what a new code of the terminal's is good for.
func enrolment(ctx context.Context, s *terminal.Enrol, id mianmi.TerminalID) (terminal.Enrolment, error) {
	code, err := s.Issue(ctx, Operator, id)
	if err != nil {
		return terminal.Enrolment{}, err
	}
	return s.Enrolment(ctx, code.Secret)
}

func keyOf(public *ecdsa.PublicKey, now time.Time) (terminal.Key, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return terminal.Key{}, err
	}
	id, err := protocol.KeyID(public)
	return terminal.Key{ID: id, Public: der, Serial: "01", IssuedAt: now, NotAfter: now.Add(90 * 24 * time.Hour)}, err
}

// Reboot begins another boot: what was saved runs.
func (d *Device) Reboot() {
	d.Boot = protocol.Boot{ID: fmt.Sprintf("%016x", d.Boot.Count+1), Count: d.Boot.Count + 1, At: d.Clock.Now()}
	d.Number = 0
	if d.Saved != nil {
		d.Running, d.Config, d.Saved, d.saved = d.Saved, d.saved, nil, nil
	}
}

// Fetch asks for a newer config and saves it; with run it runs at once.
func (d *Device) Fetch(ctx context.Context, s *terminal.Service, run bool) (bool, error) {
	have := int64(0)
	for _, x := range []*protocol.Setting{d.Running, d.Saved} {
		if x != nil {
			have = max(have, x.Version)
		}
	}
	config, _, err := s.Deliver(ctx, d.ID, have)
	if err != nil || config == nil {
		return false, err
	}
	c, err := protocol.DecodeConfig(config)
	if err != nil {
		return false, err
	}
	d.Saved, d.saved = &protocol.Setting{Version: c.Version, Hash: protocol.HashOf(config)}, &c
	if run {
		d.Running, d.Config, d.Saved, d.saved = d.Saved, d.saved, nil, nil
	}
	return true, nil
}

// PinFree is what an honest machine does: its config and its menu together.
func (d *Device) PinFree() bool {
	return d.Config != nil && d.Config.Allows(d.Clock.Now()) && (d.Local == nil || d.Local.PinFree)
}

// Sign makes the next report.
func (d *Device) Sign() ([]byte, error) {
	d.Number++
	now := d.Clock.Now()
	r := protocol.Report{Form: protocol.Form, Terminal: d.ID, Boot: d.Boot, Number: d.Number, At: now, Running: d.Running, Saved: d.Saved,
		PinFree: d.PinFree(), Local: d.Local, Device: d.Device, Network: d.Network, Proposals: d.Menu, Checks: d.Checks}
	if d.Config != nil {
		r.Tightening = d.Config.Tightened
	}
	if d.Change != nil {
		d.Change(&r)
	}
	return r.Sign(rand.Reader, d.Key)
}

// Report sends the next report.
func (d *Device) Report(ctx context.Context, s *terminal.Service) (protocol.Receipt, error) {
	signed, err := d.Sign()
	if err != nil {
		return protocol.Receipt{}, err
	}
	return s.Report(ctx, d.ID, signed)
}

// Sync fetches, runs and proves what the host wants: what a good machine does
// when it is told of something newer.
func (d *Device) Sync(ctx context.Context, s *terminal.Service, reboot bool) (protocol.Receipt, error) {
	fresh, err := d.Fetch(ctx, s, !reboot)
	if err != nil {
		return protocol.Receipt{}, err
	}
	if fresh && reboot {
		if _, err := d.Report(ctx, s); err != nil { // saved, and not in force
			return protocol.Receipt{}, err
		}
		d.Reboot()
	}
	return d.Report(ctx, s)
}

// Renew gives the machine another key, as over a connection by the present one.
func (d *Device) Renew(ctx context.Context, s *terminal.Service) error {
	fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	k, err := keyOf(&fresh.PublicKey, d.Clock.Now())
	if err != nil {
		return err
	}
	if err := s.RenewKey(ctx, d.ID, k); err != nil {
		return err
	}
	d.Key = fresh
	return nil
}

// check is a terminal's word that its test payment asked for a PIN.
func check(id mianmi.PaymentID, at time.Time) protocol.Check {
	return protocol.Check{Kind: terminal.CheckTestPayment, Method: "card_tap", Payment: id, Passed: true, Detail: "step_up_required", At: at}
}

// methodCheck is a terminal's word that another method works.
func methodCheck(at time.Time) protocol.Check {
	return protocol.Check{Kind: terminal.CheckMethod, Method: "card_insert", Passed: true, Detail: "reader_ready", At: at}
}
