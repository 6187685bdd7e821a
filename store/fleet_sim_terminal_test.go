package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// simTerminal is a machine and what the host must have heard of it. One
// goroutine at a time lets it act; its mail may be written meanwhile.
type simTerminal struct {
	*storetest.Device                   // of the machine that is there now
	ID                mianmi.TerminalID // stays: others read it while a new machine comes
	shop              int
	store             mianmi.StoreID
	model             mianmi.ModelID
	host              bool // proves nothing
	reboot            bool

	cut    bool            // off the network: nothing gets through but payments
	got    map[int64]int64 // version that it has fetched → when the fetch had ended
	images []simImage      // that it can start
	kept   []simLetter     // reports that wait, or that somebody repeats

	proof simProof

	mu   sync.Mutex
	mail []int64 // hints that are on their way
}

type simImage struct {
	running protocol.Setting
	config  protocol.Config
}

type simLetter struct {
	text   []byte
	report protocol.Report
}

// simProof is what the newest report that was taken says.
type simProof struct {
	version int64 // 0: nothing
	floor   int64 // newest that this machine has proved
	fetched int64 // when it had the setting
	pinFree bool
	lease   time.Time
}

func (s *fleetSim) newTerminal(i int, m terminal.Model) *simTerminal {
	shop := i % len(s.shops)
	st := s.shops[shop].stores[i/7%len(s.shops[shop].stores)]
	x, err := patiently(func() (terminal.Terminal, error) {
		return s.nodes[0].Terminals.Create(s.t.Context(), storetest.Operator, terminal.Terminal{Store: st, Model: m.ID, Name: fmt.Sprint("台", i)})
	})
	if err != nil {
		s.fail("create terminal %d: %v", i, err)
	}
	d := &simTerminal{ID: x.ID, shop: shop, store: st, model: m.ID, host: m.Proof == terminal.ByHost, reboot: m.Reboot}
	d.anew(s, s.nodes[i%2], x.ID)
	return d
}

// anew puts another machine there, which has proved nothing.
func (d *simTerminal) anew(s *fleetSim, n *storetest.Node, id mianmi.TerminalID) {
	fresh, err := patiently(func() (*storetest.Device, error) { return storetest.NewDevice(s.t.Context(), n.DB, id, s.clock) })
	if err != nil {
		s.fail("enrol %s: %v", id, err)
	}
	d.Device, d.got, d.images, d.kept, d.proof, d.cut = fresh, map[int64]int64{}, nil, nil, simProof{}, false
}

// in reports whether the terminal lies in a scope.
func (d *simTerminal) in(s *fleetSim, scope merchant.Scope) bool {
	return slices.Contains([]merchant.Scope{merchant.Everything(), merchant.OfMerchant(s.shops[d.shop].merchant), merchant.OfStore(d.store),
		merchant.OfModel(d.model), merchant.OfTerminal(d.ID)}, scope)
}

func (d *simTerminal) post(version int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mail = append(d.mail, version)
}

// doubt is why no payment may have passed without a PIN, as far as it depends
// on the terminal; empty: it may have.
func (d *simTerminal) doubt(s *fleetSim, p *simPayment) string {
	switch {
	case d.host:
		return ""
	case d.proof.version == 0:
		return "the terminal has proved nothing"
	case d.proof.version < d.proof.floor:
		return "it runs an older setting than it has proved before"
	case !s.clock.Now().Before(d.proof.lease):
		return "its proof is over"
	case !d.proof.pinFree:
		return "it says itself that it asks for a PIN"
	}
	for _, off := range s.offs {
		// What it runs cannot hold a change that began after it was fetched.
		if off.acked != 0 && off.acked < p.began && off.began > d.proof.fetched && d.in(s, off.scope) {
			return fmt.Sprintf("it has not proved the OFF of %s", off.scope)
		}
	}
	return ""
}

// simAct is something that one terminal does.
type simAct struct {
	of   *simTerminal
	node *storetest.Node
	kind int
	r    *rand.Rand
}

// drawActs chooses terminals, each once, and what they do.
func (s *fleetSim) drawActs(n int) []simAct {
	acts := make([]simAct, n)
	for i, k := range s.rand.Perm(len(s.all))[:n] {
		acts[i] = simAct{of: s.all[k], node: s.nodes[s.rand.IntN(2)], kind: s.rand.IntN(100), r: rand.New(rand.NewPCG(s.seed, s.rand.Uint64()))}
	}
	return acts
}

func (a *simAct) do(s *fleetSim) {
	d := a.of
	switch k := a.kind; {
	case d.host:
	case k < 8:
		d.cut = !d.cut
	case k < 14:
		d.boot()
		d.report(s, a)
	case k < 18 && len(d.images) > 1: // a restored image
		was := d.images[a.r.IntN(len(d.images)-1)]
		d.Running, d.Config, d.Saved = &was.running, &was.config, nil
		d.Device.Reboot()
		d.report(s, a)
	case k < 20:
		d.anew(s, a.node, d.ID)
	case k < 22 && !d.cut:
		if _, err := patiently(func() (struct{}, error) { return struct{}{}, d.Renew(s.t.Context(), a.node.Terminals) }); err != nil {
			s.fail("renew: %v", err)
		}
		d.report(s, a)
	case k < 25: // its own menu
		if d.Local = nil; a.r.IntN(2) == 0 {
			d.Local = &protocol.Local{ID: "0123456789abcdef", Version: 1, Author: "店长", At: s.clock.Now()}
		}
		d.report(s, a)
	case k < 30: // repeated, or late
		if i := len(d.kept); i > 0 {
			d.send(s, a.node, d.kept[a.r.IntN(i)])
		}
	case k < 55:
		d.report(s, a)
	case d.hinted(a.r):
		d.fetch(s, a.node)
		d.report(s, a)
	}
}

// hinted reads the mail in any order; without a hint of something newer the
// terminal asks by itself now and then.
func (d *simTerminal) hinted(r *rand.Rand) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	have := int64(0)
	for v := range d.got {
		have = max(have, v)
	}
	asks := r.IntN(4) == 0 || slices.ContainsFunc(d.mail, func(v int64) bool { return v > have })
	if d.mail = d.mail[:0]; d.cut {
		return false
	}
	return asks
}

// sync is what a good machine does at its start.
func (d *simTerminal) sync(s *fleetSim) {
	if d.host {
		return
	}
	a := &simAct{of: d, node: s.nodes[0], r: rand.New(rand.NewPCG(s.seed, 1))}
	d.fetch(s, a.node)
	d.boot()
	d.report(s, a)
}

// fetch asks for what is newer, and saves it; where the model needs no reboot
// it runs.
func (d *simTerminal) fetch(s *fleetSim, n *storetest.Node) {
	if d.cut {
		return
	}
	fresh, err := patiently(func() (bool, error) { return d.Fetch(s.t.Context(), n.Terminals, !d.reboot) })
	if err != nil {
		s.fail("fetch: %v", err)
	}
	if !fresh {
		return
	}
	setting := d.Running
	if d.reboot {
		setting = d.Saved
	}
	if _, known := d.got[setting.Version]; !known {
		d.got[setting.Version] = s.tick.Add(1)
	}
	d.remember()
}

// remember keeps what runs as an image that can be started again.
func (d *simTerminal) remember() {
	if d.Running != nil && (len(d.images) == 0 || d.images[len(d.images)-1].running != *d.Running) {
		d.images = append(d.images, simImage{*d.Running, *d.Config})
	}
}

func (d *simTerminal) boot() {
	d.Device.Reboot()
	d.remember()
}

// report signs what is true now. It may be lost, or wait; a terminal that is
// cut keeps it.
func (d *simTerminal) report(s *fleetSim, a *simAct) {
	var says protocol.Report
	d.Change = func(r *protocol.Report) { says = *r }
	text, err := d.Sign()
	if err != nil {
		s.fail("sign: %v", err)
		return
	}
	x := simLetter{text, says}
	if d.kept = append(d.kept, x); len(d.kept) > 4 {
		d.kept = d.kept[1:]
	}
	if d.cut || a.r.IntN(10) == 0 {
		return
	}
	d.send(s, a.node, x)
	if d.Saved != nil && a.r.IntN(3) > 0 {
		d.boot()
		a.of.report(s, &simAct{of: d, node: a.node, r: a.r})
	}
}

// send lets a report arrive, and notes what follows when it is taken.
func (d *simTerminal) send(s *fleetSim, n *storetest.Node, x simLetter) {
	if d.cut {
		return
	}
	_, err := patiently(func() (protocol.Receipt, error) { return n.Terminals.Report(s.t.Context(), d.ID, x.text) })
	switch {
	case errors.Is(err, mianmi.Conflict) || errors.Is(err, mianmi.Denied): // older, again, or by a key of before
		return
	case err != nil:
		s.fail("report: %v", err)
		return
	case x.report.Running == nil:
		d.proof = simProof{floor: d.proof.floor}
		return
	}
	now := s.clock.Now()
	d.proof.version, d.proof.pinFree = x.report.Running.Version, x.report.PinFree
	d.proof.floor, d.proof.fetched = max(d.proof.floor, d.proof.version), d.got[d.proof.version]
	if x.report.At.Add(simLease).After(now) {
		d.proof.lease = now.Add(simLease)
	}
}
