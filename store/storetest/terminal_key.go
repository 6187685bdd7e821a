package storetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/terminal"
)

// TerminalKeys is the contract of enrolment codes and terminals' keys.
func TerminalKeys(t *testing.T, nodes func(*testing.T) Nodes) {
	tests := map[string]func(*testing.T, Nodes){
		"a code is used once, by whoever is first":           codeIsUsedOnce,
		"a code ends with its time, a newer one, revocation": codeEnds,
		"a code that ends while it is used brings no key":    codeEndsMeanwhile,
		"a key is live until it is revoked or ends":          keyEnds,
		"who may not manage terminals gets no code":          codesNeedTheRight,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, nodes(t))
		})
	}
}

type keyWorld struct {
	*merchantWorld
	enrol *terminal.Enrol
	ring  *terminal.Service
}

func newKeyWorld(t *testing.T, node Nodes) *keyWorld {
	t.Helper()
	db := node()
	w := &keyWorld{merchantWorld: newMerchantWorld(t, db)}
	keys := must(secret.New(w.random))(t)
	w.enrol = &terminal.Enrol{Records: db, Keys: keys, Clock: w.clock, Random: w.random}
	w.ring = w.terminals
	return w
}

// key is one of a certificate that holds for some time.
func (w *keyWorld) key(t *testing.T, life time.Duration) terminal.Key {
	t.Helper()
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	k := must(keyOf(&private.PublicKey, w.clock.Now()))(t)
	k.NotAfter = w.clock.Now().Add(life)
	return k
}

func codeIsUsedOnce(t *testing.T, node Nodes) {
	w := newKeyWorld(t, node)
	code := must(w.enrol.Issue(t.Context(), w.operator, w.terminal.ID))(t)
	other := *w.enrol
	other.Records = node()
	var got atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		k := w.key(t, time.Hour)
		all.Go(func() {
			e, err := []*terminal.Enrol{w.enrol, &other}[i%2].Enrolment(t.Context(), code.Secret)
			if err == nil {
				err = w.ring.AddKey(t.Context(), e, k)
			}
			switch {
			case err == nil && e.Terminal == w.terminal.ID:
				got.Add(1)
			case !errors.Is(err, terminal.ErrCode):
				t.Errorf("%s, %v", e.Terminal, err)
			}
		})
	}
	all.Wait()
	if keys := must(w.ring.Keys(t.Context(), w.support, w.terminal.ID))(t); got.Load() != 1 || len(keys) != 1 {
		t.Errorf("the code was used %d times, for %d keys", got.Load(), len(keys))
	}
}

// codeEndsMeanwhile: a machine has shown a good code, and the terminal is
// revoked, or gets another code, before its key is kept. The key of a stolen
// machine must not come to life again.
func codeEndsMeanwhile(t *testing.T, node Nodes) {
	w, ctx := newKeyWorld(t, node), t.Context()
	shown := func() terminal.Enrolment { return must(enrolment(ctx, w.enrol, w.terminal.ID))(t) }
	refused := func(when string, e terminal.Enrolment) {
		t.Helper()
		if err := w.ring.AddKey(ctx, e, w.key(t, time.Hour)); !errors.Is(err, terminal.ErrCode) {
			t.Errorf("%s: %v", when, err)
		}
	}
	first := shown()
	if err := w.ring.Revoke(ctx, w.manager, w.terminal.ID); err != nil {
		t.Fatal(err)
	}
	refused("revoked", first)
	early := shown()
	if err := w.ring.Revoke(ctx, w.manager, w.terminal.ID); err != nil {
		t.Fatal(err)
	}
	refused("revoked again", early)
	good := shown()
	refused("another code was made", first)
	refused("without a code", terminal.Enrolment{Terminal: w.terminal.ID})
	if n := len(must(w.ring.Keys(ctx, w.support, w.terminal.ID))(t)); n != 0 {
		t.Errorf("%d keys", n)
	}
	k := w.key(t, time.Hour)
	over := k
	over.NotAfter = w.clock.Now()
	wantKind(t, w.ring.AddKey(ctx, good, over), mianmi.Invalid, "not_after")
	if err := w.ring.AddKey(ctx, good, k); err != nil {
		t.Errorf("a code that a bad key was shown with: %v", err)
	}
	refused("used", good)
}

func codeEnds(t *testing.T, node Nodes) {
	w := newKeyWorld(t, node)
	issue := func() string { return must(w.enrol.Issue(t.Context(), w.manager, w.terminal.ID))(t).Secret }
	refused := func(code string) {
		t.Helper()
		_, err := w.enrol.Enrolment(t.Context(), code)
		wantKind(t, err, mianmi.Unauthenticated, "enrolment_code_invalid")
	}
	old := issue()
	w.clock.Add(terminal.EnrolLife)
	refused(old)
	old = issue()
	now := issue()
	refused(old)
	refused("")
	refused(now[1:])
	if err := w.ring.Revoke(t.Context(), w.manager, w.terminal.ID); err != nil {
		t.Fatal(err)
	}
	refused(now)
	if e, err := w.enrol.Enrolment(t.Context(), issue()); err != nil || e.Terminal != w.terminal.ID {
		t.Errorf("%+v, %v", e, err)
	}
}

func keyEnds(t *testing.T, node Nodes) {
	w, ctx := newKeyWorld(t, node), t.Context()
	live := func(k terminal.Key) bool {
		t.Helper()
		return must(w.ring.KeyLive(ctx, w.terminal.ID, k.ID))(t)
	}
	add := func(k terminal.Key) error {
		return w.ring.AddKey(ctx, must(enrolment(ctx, w.enrol, w.terminal.ID))(t), k)
	}
	first, second, third := w.key(t, time.Hour), w.key(t, 2*time.Hour), w.key(t, time.Hour)
	if err := add(first); err != nil {
		t.Fatal(err)
	}
	if err := w.ring.RenewKey(ctx, w.terminal.ID, second); err != nil {
		t.Fatal(err)
	}
	if !live(first) || !live(second) || live(third) || must(w.ring.KeyLive(ctx, "tmnobody", first.ID))(t) {
		t.Error("a key of its own is not live, or one that is not its own is")
	}
	w.clock.Add(time.Hour)
	if live(first) || !live(second) {
		t.Error("the first has ended and the second has not")
	}
	first.NotAfter = w.clock.Now().Add(2 * time.Hour)
	if err := w.ring.RenewKey(ctx, w.terminal.ID, first); err != nil || !live(first) { // another certificate of it
		t.Error(err)
	}
	if err := w.ring.Revoke(ctx, w.cashier, w.terminal.ID); mianmi.KindOf(err) != mianmi.Denied {
		t.Errorf("a cashier revokes: %v", err)
	}
	if err := w.ring.Revoke(ctx, w.admin, w.terminal.ID); err != nil {
		t.Fatal(err)
	}
	if live(first) || live(second) {
		t.Error("a revoked key is live")
	}
	wantKind(t, add(first), mianmi.Conflict, "terminal_key_revoked")
	wantKind(t, add(terminal.Key{ID: first.ID, Public: second.Public, Serial: "a", NotAfter: first.NotAfter}), mianmi.Invalid, "key")
	for _, k := range must(w.ring.Keys(ctx, w.support, w.terminal.ID))(t) {
		if k.RevokedAt.IsZero() {
			t.Errorf("key %s is shown as not revoked", k.ID)
		}
	}
}

func codesNeedTheRight(t *testing.T, node Nodes) {
	w := newKeyWorld(t, node)
	stranger := w.admin
	stranger.Merchant = "mcother"
	for _, a := range []mianmi.Actor{w.cashier, w.support, stranger, {}} {
		_, err := w.enrol.Issue(t.Context(), a, w.terminal.ID)
		wantKind(t, err, mianmi.Denied, "")
	}
}
