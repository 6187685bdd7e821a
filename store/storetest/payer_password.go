package storetest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/secret"
)

// together runs fn n times at once.
func together(n int, fn func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	group.Wait()
}

// However many guesses come at once, on two nodes, five are evaluated: the
// others hear of the lock, the one with the right password too.
func fiveGuesses(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	second := w.node(t)
	who := w.payer(t, true)
	id := idOf(who)
	const callers = 24
	errs := make([]error, callers)
	together(callers, func(i int) {
		errs[i] = []payerNode{w.payerNode, second}[i%2].payers.Verify(ctx, id, "000001")
	})
	left := map[int]int{}
	locked := 0
	for _, err := range errs {
		var p *payer.PasswordError
		if !errors.As(err, &p) {
			t.Fatalf("a wrong password: %v", err)
		}
		switch mianmi.KindOf(err) {
		case mianmi.Unauthenticated:
			left[p.TriesLeft]++
		case mianmi.Denied:
			locked++
			if !p.LockedUntil.Equal(w.clock.Now().Add(3 * time.Hour)) {
				t.Errorf("locked until %v", p.LockedUntil)
			}
		default:
			t.Errorf("a wrong password: %v", err)
		}
	}
	same(t, "tries left after each guess", left, map[int]int{4: 1, 3: 1, 2: 1, 1: 1, 0: 1})
	if locked != callers-5 {
		t.Errorf("%d callers heard of the lock, want %d", locked, callers-5)
	}
	wantKind(t, w.payers.Verify(ctx, id, password), mianmi.Denied, "password_locked")
	if v := w.status(t, who); !v.LockedUntil.Equal(w.clock.Now().Add(3*time.Hour)) || v.State != payer.Open {
		t.Errorf("status %+v", v)
	}
	if wrong, right := w.guesses(t, who); !slices.Equal(wrong, []float64{1, 2, 3, 4, 5}) || right != 0 {
		t.Errorf("in the record: wrong passwords %v, right ones %d", wrong, right)
	}
	// A tightening asks for no password, so a lock is no obstacle.
	must(w.payers.Close(ctx, who, id, payer.Basis{}))(t)
}

// Three in a row under rules that say so, then the lock, twice as long each
// time. Rules that come while guesses are counted hold for the next one, and
// rules that allow more loosen nothing.
func rulesLockEarlier(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	id := idOf(w.payer(t, true))
	w.failures = 3
	guess := func(left ...int) {
		t.Helper()
		for _, want := range left {
			err := w.payers.Verify(ctx, id, "000001")
			var p *payer.PasswordError
			if !errors.As(err, &p) || p.TriesLeft != want || p.LockedUntil.IsZero() != (want > 0) {
				t.Errorf("%v, want %d tries left", err, want)
			}
		}
	}
	locked := func(d time.Duration) {
		t.Helper()
		w.clock.Add(d - time.Microsecond)
		wantKind(t, w.payers.Verify(ctx, id, password), mianmi.Denied, "password_locked")
		w.clock.Add(time.Microsecond)
	}
	guess(2, 1, 0)
	locked(3 * time.Hour)
	guess(2, 1, 0)
	locked(6 * time.Hour)
	w.failures = 0
	guess(4, 3, 2, 1)
	w.failures = 3
	guess(0)
	locked(12 * time.Hour)
	if err := w.payers.Verify(ctx, id, password); err != nil {
		t.Error(err)
	}
	w.failures = 9
	guess(4, 3, 2, 1, 0)
	locked(3 * time.Hour)
}

// Whoever finds too many passwords being checked is told to come again, and
// has lost no try by it: a burst of right passwords ends without a lock.
func busyCostsNoTry(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	w.hashing = secret.HasherConfig{Cost: secret.Cost{MemoryKiB: 32 << 10, Passes: 8, Lanes: 1}, AtOnce: 1, WaitingMax: 1}
	slow := w.node(t)
	// Its hash takes long and it has room for one: the next find it busy.
	slowID := must(slow.payers.Create(ctx, w.client, payer.NewPayer{Phone: "+8613911111111", Name: "慢", Password: password}))(t).Status.Payer
	errs := make([]error, 5)
	together(len(errs), func(i int) { errs[i] = slow.payers.Verify(ctx, slowID, password) })
	busy := 0
	for _, err := range errs {
		if err != nil {
			wantKind(t, err, mianmi.Unavailable, "busy")
			busy++
		}
	}
	if busy == 0 || busy == len(errs) {
		t.Errorf("%d of %d callers were turned away", busy, len(errs))
	}
	v := must(slow.payers.Show(ctx, w.support, slowID))(t).Status
	if !v.LockedUntil.IsZero() {
		t.Errorf("locked by right passwords: %+v", v)
	}
	if err := w.payers.Verify(ctx, slowID, password); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func unlocks(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, false)
	id := idOf(who)
	guess := func(n int) error {
		var err error
		for range n {
			err = w.payers.Verify(ctx, id, "000001")
		}
		return err
	}
	var p *payer.PasswordError
	err := guess(4)
	if wantKind(t, err, mianmi.Unauthenticated, "password_wrong"); !errors.As(err, &p) || p.TriesLeft != 1 ||
		!strings.Contains(p.Words().ZH, "1 次") || !strings.Contains(p.Words().EN, "One try") {
		t.Errorf("before the last try: %v", err)
	}
	wantKind(t, w.payers.Verify(ctx, id, "12345"), mianmi.Invalid, "password") // no guess
	if err := w.payers.Verify(ctx, id, password); err != nil {
		t.Fatal(err)
	}
	wantKind(t, guess(5), mianmi.Unauthenticated, "password_locked") // the count began again
	w.clock.Add(3*time.Hour - time.Microsecond)
	wantKind(t, w.payers.Verify(ctx, id, password), mianmi.Denied, "password_locked")
	w.clock.Add(time.Microsecond)
	err = guess(5)
	if wantKind(t, err, mianmi.Unauthenticated, "password_locked"); !errors.As(err, &p) || !p.LockedUntil.Equal(w.clock.Now().Add(6*time.Hour)) {
		t.Errorf("the second lock in a row: %v, want twice as long", err)
	}
	_, err = w.payers.Unlock(ctx, w.support, id, payer.Basis{})
	wantKind(t, err, mianmi.Invalid, "basis.method")
	_, err = w.payers.Unlock(ctx, who, id, checked)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	if v := must(w.payers.Unlock(ctx, w.support, id, checked))(t); !v.LockedUntil.IsZero() {
		t.Errorf("unlocked: %+v", v)
	}
	if err := w.payers.Verify(ctx, id, password); err != nil {
		t.Errorf("after the unlock: %v", err)
	}
	must(w.payers.ChangePassword(ctx, who, id, password, "318206"))(t)
	wantKind(t, w.payers.Verify(ctx, id, password), mianmi.Unauthenticated, "password_wrong")
	if err := w.payers.Verify(ctx, id, "318206"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	_, err = w.payers.SetPassword(ctx, w.client, id, "318207")
	wantKind(t, err, mianmi.Conflict, "password_exists")
	bare := must(w.payers.Create(ctx, w.client, payer.NewPayer{Phone: "+8613911111111", Name: "无密"}))(t).Status.Payer
	wantKind(t, w.payers.Verify(ctx, bare, password), mianmi.Conflict, "password_missing")
	if v := must(w.payers.SetPassword(ctx, w.client, bare, password))(t); !v.HasPassword {
		t.Errorf("first password: %+v", v)
	}
	if err := w.payers.Verify(ctx, bare, password); err != nil {
		t.Error(err)
	}
}

func loginTellsNothing(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, false)
	phone := must(w.db.Person(ctx, idOf(who)))(t).Phone
	login := func(phone, password string) (access.Started, error) {
		return w.payers.Login(ctx, payer.LoginInput{Phone: phone, Password: password})
	}
	in := must(login(phone, password))(t)
	actor := must(w.access.Authenticate(ctx, in.Token))(t)
	same(t, "the session's actor", actor, mianmi.Actor{Role: mianmi.RolePayer, ID: who.ID, Via: string(in.Session.ID)})

	bare := must(w.payers.Create(ctx, w.client, payer.NewPayer{Phone: "+8613911111111", Name: "无密"}))(t)
	_, unknown := login("+8613999999999", password)
	_, unset := login("+8613911111111", password)
	texts := map[string]bool{unknown.Error(): true, unset.Error(): true}
	for range 6 { // wrong, wrong and locked, locked
		_, err := login(phone, "000001")
		texts[err.Error()] = true
	}
	_, locked := login(phone, password)
	texts[locked.Error()] = true
	if len(texts) != 1 {
		t.Errorf("logins fail in %d ways: %v", len(texts), texts)
	}
	wantKind(t, locked, mianmi.Unauthenticated, "login_failed")
	var e *mianmi.Error
	if errors.As(locked, &e) && e.RetryAfter != 0 {
		t.Error("the delay tells that the number exists")
	}
	_, err := login("13800000000", password)
	wantKind(t, err, mianmi.Invalid, "phone")
	must(w.payers.SetPassword(ctx, w.client, bare.Status.Payer, password))(t)
	must(login("+8613911111111", password))(t)
}
