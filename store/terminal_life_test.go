package store_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// For random histories of changes, deliveries, reports that are lost, kept
// back, repeated and reordered, reboots, older images, lies, and revocations, a
// terminal is believed exactly when its newest word that got through is signed
// by its key, names what was delivered to it, is no older than the newest
// tightening nor than what it proved before, and its lease lasts (P3).
func TestInForceIsNeverClaimedWithoutProof(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db := nodes(engine)(t)()
			rapid.Check(t, func(t *rapid.T) { newLife(t, db).run() })
		})
	}
}

// life is one terminal, what it does, and what has to be true of it.
type life struct {
	t         *rapid.T
	ctx       context.Context //nolint:containedctx // of one history
	db        *store.DB
	clock     *storetest.Clock
	merchants *merchant.Service
	terminals *terminal.Service
	scopes    []merchant.Scope
	device    *storetest.Device

	kept []letter // reports on their way, or held by somebody

	// What has to be true.
	delivered map[int64]protocol.Hash
	on        map[int64]bool
	last      *letter // newest that was taken
	revoked   bool
	floor     int64
	lease     time.Time
}

// letter is a signed report and what it says.
type letter struct {
	text   []byte
	report protocol.Report
	key    int // which of the terminal's keys
	made   time.Time
}

var operators = []mianmi.Actor{{Role: mianmi.RoleOperator, ID: "sf1"}, {Role: mianmi.RoleOperator, ID: "sf2"}}

func newLife(t *rapid.T, db *store.DB) *life {
	l := &life{t: t, ctx: context.Background(), db: db, clock: storetest.NewClock(), delivered: map[int64]protocol.Hash{}, on: map[int64]bool{}}
	l.merchants, l.terminals = merchant.New(db, l.clock, rand.Reader), terminal.New(db, l.clock, rand.Reader)
	m, err := l.merchants.CreateMerchant(l.ctx, operators[0], merchant.Merchant{Name: "茶店", Currency: "CNY", Facts: merchant.Facts{Country: "CN"}})
	l.must(err)
	st, err := l.merchants.CreateStore(l.ctx, operators[0], merchant.Store{Merchant: m.ID, Name: "店"})
	l.must(err)
	md, err := l.terminals.CreateModel(l.ctx, operators[0], terminal.Model{Name: "L1", Methods: pinfree.Methods(0).Set(pinfree.PaymentCode)})
	l.must(err)
	x, err := l.terminals.Create(l.ctx, operators[0], terminal.Terminal{Store: st.ID, Model: md.ID, Name: "台"})
	l.must(err)
	l.scopes = []merchant.Scope{merchant.OfMerchant(m.ID), merchant.OfStore(st.ID), merchant.OfModel(md.ID), merchant.OfTerminal(x.ID)}
	l.set(l.scopes[0], true)
	l.device, err = storetest.NewDevice(l.ctx, l.db, x.ID, l.clock)
	l.must(err)
	return l
}

func (l *life) must(err error) {
	if err != nil {
		l.t.Helper()
		l.t.Fatal(err)
	}
}

func (l *life) set(s merchant.Scope, on bool) {
	res, err := l.merchants.SetPolicy(l.ctx, operators[0], merchant.PolicyOrder{Scope: s, Terms: merchant.Terms{PinFree: on}})
	l.must(err)
	if res.Proposal != nil {
		_, err = l.merchants.Approve(l.ctx, operators[1], res.Proposal.ID)
		l.must(err)
	}
}

func (l *life) run() {
	keys := 0
	for range rapid.IntRange(5, 30).Draw(l.t, "steps") {
		switch rapid.IntRange(0, 14).Draw(l.t, "step") {
		case 0, 1:
			l.set(rapid.SampledFrom(l.scopes).Draw(l.t, "scope"), rapid.IntRange(0, 2).Draw(l.t, "on") > 0)
		case 2:
			_, err := l.merchants.Place(l.ctx, operators[0], merchant.StopOrder{Scope: rapid.SampledFrom(l.scopes).Draw(l.t, "scope"), Reason: "x", For: time.Minute})
			l.must(err)
		case 3:
			l.clock.Add(time.Duration(rapid.IntRange(1, 20).Draw(l.t, "minutes")) * time.Minute)
		case 4, 5, 6:
			l.fetch()
		case 7:
			l.device.Reboot()
		case 8:
			if l.device.Saved != nil {
				l.device.Reboot()
			}
		case 9:
			l.older()
			l.write(keys)
		case 11:
			l.fallBack(keys)
		case 10:
			if rapid.IntRange(0, 3).Draw(l.t, "revoke") == 0 {
				keys = l.anew(keys)
			}
		default:
			l.write(keys)
		}
		l.post()
		l.check()
	}
}

// fetch asks for what is newer; the answer may be lost, and it may run at once
// or lie on the disk.
func (l *life) fetch() {
	config, _, err := l.terminals.Deliver(l.ctx, l.device.ID, 0)
	if l.revoked {
		if mianmi.KindOf(err) != mianmi.Denied {
			l.t.Fatalf("a revoked terminal is delivered to: %v", err)
		}
		return
	}
	l.must(err)
	c, err := protocol.DecodeConfig(config)
	l.must(err)
	if h, known := l.delivered[c.Version]; known && h != protocol.HashOf(config) {
		l.t.Fatalf("version %d was delivered with two hashes", c.Version)
	}
	l.delivered[c.Version], l.on[c.Version] = protocol.HashOf(config), c.PinFree
	if rapid.Bool().Draw(l.t, "lost") {
		return
	}
	_, err = l.device.Fetch(l.ctx, l.terminals, rapid.Bool().Draw(l.t, "at once"))
	l.must(err)
}

// older starts an image of before.
func (l *life) older() {
	var versions []int64
	for v := range l.delivered {
		versions = append(versions, v)
	}
	if len(versions) == 0 {
		return
	}
	slices.Sort(versions)
	v := rapid.SampledFrom(versions).Draw(l.t, "image")
	l.device.Running = &protocol.Setting{Version: v, Hash: l.delivered[v]}
	l.device.Config = &protocol.Config{Form: protocol.Form, PinFree: l.on[v]}
}

// fallBack proves a newer version that tightens nothing, and then runs the one
// before it again.
func (l *life) fallBack(keys int) {
	before, config := l.device.Running, l.device.Config
	_, err := l.terminals.Rename(l.ctx, operators[0], l.device.ID, fmt.Sprint("台", l.clock.Now().UnixNano()))
	l.must(err)
	l.fetch()
	l.write(keys)
	l.send(len(l.kept)-1, true)
	l.check()
	if before != nil {
		l.device.Running, l.device.Config = before, config
		l.write(keys)
		l.send(len(l.kept)-1, true)
	}
}

// anew revokes the terminal, or lets another machine in.
func (l *life) anew(keys int) int {
	if !l.revoked {
		l.must(l.terminals.Revoke(l.ctx, operators[0], l.device.ID))
		l.revoked = true
		return keys
	}
	fresh, err := storetest.NewDevice(l.ctx, l.db, l.device.ID, l.clock)
	l.must(err)
	l.device, l.revoked, l.last, l.floor, l.lease = fresh, false, nil, 0, time.Time{}
	return keys + 1
}

// write makes a report, honest or not.
func (l *life) write(keys int) {
	d := l.device
	lie := rapid.IntRange(0, 9).Draw(l.t, "lie")
	var says protocol.Report
	d.Change = func(r *protocol.Report) {
		switch lie {
		case 0:
			r.Running = &protocol.Setting{Version: 1 + int64(rapid.IntRange(0, 99).Draw(l.t, "version")), Hash: protocol.Hash{1}}
		case 1:
			r.PinFree = r.Running != nil
		case 2:
			r.Network = protocol.Network{}
		}
		says = *r
	}
	text, err := d.Sign()
	l.must(err)
	l.kept = append(l.kept, letter{text, says, keys, l.clock.Now()})
}

// post sends some of the reports that are on their way, in any order; some are
// lost, some come again.
func (l *life) post() {
	for len(l.kept) > 0 && rapid.IntRange(0, 2).Draw(l.t, "post") > 0 {
		l.send(rapid.IntRange(0, len(l.kept)-1).Draw(l.t, "which"), rapid.IntRange(0, 2).Draw(l.t, "again") > 0)
	}
}

// send lets one of the reports arrive; the last time, or not yet.
func (l *life) send(i int, last bool) {
	x := l.kept[i]
	if last {
		l.kept = slices.Delete(l.kept, i, i+1)
	}
	_, err := l.terminals.Report(l.ctx, l.device.ID, x.text)
	if taken := l.takes(&x); (err == nil) != taken {
		l.t.Fatalf("a report of boot %d number %d is taken: %v, want %v", x.report.Boot.Count, x.report.Number, err, taken)
	}
}

// takes says whether the report is the newest word, and what follows.
func (l *life) takes(x *letter) bool {
	current := !l.revoked && l.ofThisMachine(x)
	if !current || l.last != nil && !x.report.Newer(l.last.report.Boot.Count, l.last.report.Number) {
		return false
	}
	kept := *x
	l.last = &kept
	if l.honest() {
		l.floor = max(l.floor, x.report.Running.Version)
		if x.made.Add(15 * time.Minute).After(l.clock.Now()) {
			l.lease = l.clock.Now().Add(15 * time.Minute)
		}
	}
	return true
}

func (l *life) ofThisMachine(x *letter) bool {
	s, err := protocol.ParseSigned(x.text)
	l.must(err)
	id, err := protocol.KeyID(&l.device.Key.PublicKey)
	l.must(err)
	return s.Key == id
}

// honest reports whether the newest word names what was delivered, and does
// nothing that this forbids.
func (l *life) honest() bool {
	r := &l.last.report
	return r.Running != nil && l.delivered[r.Running.Version] == r.Running.Hash && (!r.PinFree || l.stopFree(r.Running.Version))
}

// stopFree reports whether a setting lets PIN-free payments pass now. Stops here
// last a minute, less than clocks may differ, so they forbid nothing.
func (l *life) stopFree(version int64) bool { return l.on[version] }

// check compares what the host says with what has to be true, for the terminal
// and for a payment there.
func (l *life) check() {
	st, err := l.terminals.Status(l.ctx, operators[0], l.device.ID)
	l.must(err)
	inForce := !l.revoked && l.last != nil && l.honest() && l.last.report.Running.Version >= l.floor &&
		l.last.report.Running.Version >= st.Need.Tightened && l.clock.Now().Before(l.lease)
	if st.InForce != inForce {
		l.t.Fatalf("in force %v, want %v\nstate %+v\nneed %+v", st.InForce, inForce, st.State, st.Need)
	}
	safe := l.last != nil && l.last.report.Network.TLS && l.last.made.Add(5*time.Minute+time.Second).After(l.reportedAt())
	open := inForce && safe && l.last.report.PinFree
	if (len(st.Doubts) == 0) != open {
		l.t.Fatalf("doubts %+v, want none: %v", st.Doubts, open)
	}
	snap, err := l.db.Settings(l.ctx)
	l.must(err)
	site, _ := snap.Site(l.device.ID)
	layers := site.AppendLayers(nil, settings.Asked{Channel: "wallet", Method: pinfree.PaymentCode, Now: l.clock.Now(), Proven: &st.State.Proven})
	on := !slices.ContainsFunc(layers, func(x pinfree.Layer) bool { return x.State != pinfree.On })
	if on && !open {
		l.t.Fatal(fmt.Sprint("a payment passes at a terminal that is not believed: ", layers))
	}
}

// reportedAt is when the newest word came, by the host's record: what a
// terminal's clock is compared with.
func (l *life) reportedAt() time.Time {
	v, err := l.db.Look(l.ctx, terminal.VisitAsk{Terminal: l.device.ID})
	l.must(err)
	return v.State.ReportedAt
}
