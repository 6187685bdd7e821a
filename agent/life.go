package agent

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Times of the terminal's life. The host's config says how often to report;
// these hold where it says nothing.
const (
	reportEvery = 5 * time.Minute
	retryMin    = 2 * time.Second
	retryMax    = time.Minute
	checkEvery  = 5 * time.Minute // of the network
	firstLook   = 3 * time.Second // how long the first report waits for it
	lookAgain   = time.Second     // when it was unsafe and the host answers
	tickEvery   = 15 * time.Second
)

// Run lives until ctx ends: hints, configs, reports, checks of the network,
// renewal, restarts and payments that were left open.
func (t *Terminal) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, part := range []func(context.Context){t.runLink, t.runConfigs, t.runReports, t.runTicks, t.runUpdates, t.watchTrial, t.Till.run} {
		all.Go(func() { part(ctx) })
	}
	all.Wait()
	t.current().Close()
	return nil
}

// runLink keeps the connection for hints, and another one after each renewal.
func (t *Terminal) runLink(ctx context.Context) {
	for ctx.Err() == nil {
		t.mu.Lock()
		l, replaced := t.link, t.relink
		t.mu.Unlock()
		inner, stop := context.WithCancel(ctx)
		go l.Run(inner)
		select {
		case <-replaced:
		case <-ctx.Done():
		}
		stop()
	}
}

// runConfigs fetches configs: when a hint or a receipt says so, and by long
// poll while no hints can come.
func (t *Terminal) runConfigs(ctx context.Context) {
	retry := retryMin
	for ctx.Err() == nil {
		l := t.current()
		wait := time.Duration(0)
		if !l.Live() {
			wait = protocol.WaitMax
		} else if !t.hinted(ctx, l) {
			continue
		}
		err := t.fetchConfig(ctx, l, wait)
		if err == nil {
			retry = retryMin
			continue
		}
		if ctx.Err() != nil {
			return
		}
		t.Log.DebugContext(ctx, "asking for settings failed", "error", err)
		l.Pause(ctx, retry)
		retry = min(2*retry, retryMax)
	}
}

// hinted waits until there is a reason to ask; it is false when the connection
// for hints may have gone.
func (t *Terminal) hinted(ctx context.Context, l *link.Link) bool {
	timer := time.NewTimer(tickEvery)
	defer timer.Stop()
	select {
	case h := <-l.Hints():
		if h.Update { // all of them were told at once
			time.AfterFunc(l.Jitter(updateFirst), func() { kick(t.seek) })
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		return h.Version == 0 || h.Version > t.have()
	case <-t.fetch:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// errConfigRefused says that the host has nothing that can be run here. It is
// asked again after a while: the next program may understand the same.
var errConfigRefused = errors.New("the newest setting is refused")

// fetchConfig asks for a newer config. While it is asked by long poll, a word
// that there is one ends the question: it is asked again at once.
func (t *Terminal) fetchConfig(ctx context.Context, l *link.Link, wait time.Duration) error {
	t.mu.Lock()
	have := t.have()
	t.mu.Unlock()
	b, err := l.Config(ctx, have, wait)
	if err != nil || b == nil {
		return err
	}
	known, err := t.delivered(b)
	if err == nil && !known {
		err = t.event()
	}
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.Refused != nil {
		return errConfigRefused
	}
	return nil
}

// runReports reports at once after each start and change, and by itself, with
// jitter, as often as the host wants.
func (t *Terminal) runReports(ctx context.Context) {
	t.waitLook(ctx)
	t.mu.Lock()
	t.begun = true
	t.mu.Unlock()
	if err := t.event(); err != nil {
		t.Log.ErrorContext(ctx, "the first report could not be kept", "error", err)
	}
	retry, due := retryMin, time.Duration(0)
	for {
		timer := time.NewTimer(due)
		fresh := false
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-t.report:
			timer.Stop()
		case <-timer.C:
			fresh = true
		}
		if err := t.flush(ctx, fresh); err != nil {
			due = t.current().Jitter(retry)
			retry = min(2*retry, retryMax)
			t.Log.DebugContext(ctx, "a report did not get through", "again_in", due.String(), "error", err)
			continue
		}
		retry, due = retryMin, t.current().Jitter(t.reportEvery())
	}
}

// waitLook waits before a boot's first report until that can say how the
// network is, or that it cannot be told: else each start would look unsafe to
// the host for a moment.
func (t *Terminal) waitLook(ctx context.Context) {
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	select {
	case <-t.looked:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (t *Terminal) reportEvery() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	every := reportEvery
	if n := t.running.ReportSeconds; n > 0 {
		every = min(every, time.Duration(n)*time.Second)
	}
	if left := t.lease - t.Up(); left > 0 {
		every = min(every, max(left/2, time.Second)) // a lease is renewed before it ends
	}
	return every
}

// runTicks looks after what time alone brings: the network's check, renewal,
// a restart of a terminal that nobody uses, leases that end.
func (t *Terminal) runTicks(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	checked := t.Up() - checkEvery
	for {
		if t.Up()-checked >= checkEvery {
			checked = t.Up()
			t.CheckNetwork(ctx)
		}
		t.renew(ctx)
		t.restartIdle()
		t.tell()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-t.look:
			pause(ctx, lookAgain)
			checked = t.Up() - checkEvery
		}
	}
}

// CheckNetwork looks at the network; another verdict is reported at once.
func (t *Terminal) CheckNetwork(ctx context.Context) link.Finding {
	f := t.current().Check(ctx)
	t.mu.Lock()
	other := t.begun && f.Verdict != t.finding.Verdict
	if t.finding.At.IsZero() {
		close(t.looked)
	}
	t.finding = f
	t.tellLocked()
	t.mu.Unlock()
	if other && ctx.Err() == nil {
		if err := t.event(); err != nil {
			t.Log.ErrorContext(ctx, "a report could not be kept", "error", err)
		}
	}
	if f.TLS { // last: no report waits for it
		t.askChannels(ctx)
	}
	return f
}

// askChannels asks the host whether the payment systems outside answer. What it
// does not say stays as it was, until that is too old.
func (t *Terminal) askChannels(ctx context.Context) {
	list, err := t.current().Channels(ctx)
	if err != nil {
		t.Log.DebugContext(ctx, "the host did not say whether channels answer", "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outside, t.outsideUp = list, t.Up()
	t.tellLocked()
}

// channelFresh is how long what was said of a channel says something of now.
const channelFresh = 5 * time.Minute

// Channels are the payment systems outside that can pay here, and whether they
// answer the host. It is for people: nothing is decided by it.
func (t *Terminal) Channels() []protocol.ChannelState {
	t.mu.Lock()
	defer t.mu.Unlock()
	list, passed := slices.Clone(t.outside), t.Up()-t.outsideUp
	for i, c := range list {
		age := time.Duration(min(c.AgeSeconds, int64(2*channelFresh/time.Second)))*time.Second + passed
		if list[i].AgeSeconds = int64(age / time.Second); c.State == protocol.ChannelUnknown || age > channelFresh {
			list[i] = protocol.ChannelState{Channel: c.Channel, State: protocol.ChannelUnknown}
		}
	}
	return list
}

// Network returns the last finding; its time is zero before the first check.
func (t *Terminal) Network() link.Finding {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.finding
}

// renew gets another certificate once two thirds of the present one's life are
// over.
func (t *Terminal) renew(ctx context.Context) {
	t.mu.Lock()
	l, now := t.link, t.identity
	t.mu.Unlock()
	leaf, err := now.Leaf()
	if err != nil {
		return
	}
	if t.Clock.Now().Before(leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) * 2 / 3)) {
		return
	}
	id, err := l.Renew(ctx)
	if err == nil {
		err = saveIdentity(t.Folder, id)
	}
	var next *link.Link
	if err == nil {
		next, err = link.New(id, t.Parts.Link)
	}
	if err != nil {
		t.Log.WarnContext(ctx, "the certificate could not be renewed", "until", leaf.NotAfter, "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.identity, t.link = id, next
	close(t.relink)
	t.relink = make(chan struct{})
}

// Until is the end of the certificate.
func (t *Terminal) Until() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	leaf, err := t.identity.Leaf()
	if err != nil {
		return time.Time{}
	}
	return leaf.NotAfter
}

// ID is who the terminal is.
func (t *Terminal) ID() mianmi.TerminalID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.identity.Terminal
}

// Host is the host's address.
func (t *Terminal) Host() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.identity.Host
}

// Used notes that somebody is at the terminal.
func (t *Terminal) Used() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastUsed = t.Clock.Now()
}

// restartIdle restarts a terminal that nobody uses, where its model says so
// and a setting or a program waits for it. Without any config it restarts for
// the first one.
func (t *Terminal) restartIdle() {
	s := t.Setting()
	setting := s.RestartNeeded()
	if !setting && !t.updateWaits() || t.Till.Busy() {
		return
	}
	t.mu.Lock()
	idle := t.Clock.Now().Sub(t.lastUsed)
	t.mu.Unlock()
	after := time.Duration(t.Model.Restart.IdleMinutes) * time.Minute
	if (s.Running != nil || !setting) && (after == 0 || idle < after) {
		return
	}
	if err := t.Reboot(); err != nil {
		t.Log.Error("the restart failed", "error", err)
	}
}

// Reboot restarts the program: another boot, in which what was saved runs. It
// is refused during a payment.
func (t *Terminal) Reboot() error {
	if t.Till.Busy() {
		return mianmi.Conflicts("payment_under_way", "a payment is under way")
	}
	return t.Restart()
}
