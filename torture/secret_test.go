package torture

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store/storetest"
)

// No password, PIN, payment code, API key, QR token or one-time code comes to
// a log, an error or the database, in whatever form.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dsn := newDatabase(t, engine)
			s := newStory(t, dsn)
			s.tell()
			where := map[string][]byte{"log": s.log.bytes(), "errors": []byte(strings.Join(s.errs, "\n"))}
			if engine == "postgres" {
				where["database"] = everyRow(t, dsn)
			} else {
				for _, suffix := range []string{"", "-wal"} {
					text, err := os.ReadFile(strings.TrimPrefix(dsn, "sqlite:") + suffix)
					if err != nil {
						t.Fatal(err)
					}
					where["file"+suffix] = text
				}
			}
			for place, text := range where {
				if len(text) == 0 {
					t.Errorf("%s is empty: nothing was looked at", place)
				}
				for what, value := range s.secrets {
					for form, needle := range forms(value) {
						if bytes.Contains(bytes.ToLower(text), bytes.ToLower([]byte(needle))) {
							t.Errorf("the %s is in the %s (%s)", what, place, form)
						}
					}
				}
			}
			// The search finds what is there.
			db := append(where["database"], append(where["file"], where["file-wal"]...)...)
			if !bytes.Contains(db, []byte(s.seen)) {
				t.Errorf("%s is not found where it must be", s.seen)
			}
			if len(s.errs) < 8 {
				t.Errorf("%d errors: too few to prove anything", len(s.errs))
			}
		})
	}
}

// forms are the ways in which a text may be written down.
func forms(s string) map[string]string {
	return map[string]string{"plain": s, "hex": hex.EncodeToString([]byte(s)), "base64": base64.RawStdEncoding.EncodeToString([]byte(s))}
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// story plays with recognisable secrets, and keeps every error.
type story struct {
	t       *testing.T
	node    *storetest.Node
	log     *logBuffer
	errs    []string
	secrets map[string]string
	seen    string // not a secret: is in the database
}

func newStory(t *testing.T, dsn string) *story {
	s := &story{t: t, log: &logBuffer{}, secrets: map[string]string{"password": "904816", "wrong password": "318275", "new password": "650392"}}
	noTime := func(_ []string, a slog.Attr) slog.Attr { // its digits may be a password's by chance
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: noTime}))
	keysFile := filepath.Join(t.TempDir(), "keys")
	keys, _, err := secret.LoadOrCreate(keysFile, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// A commit that fails with a telling error, so that lanes have to log.
	db := open(t, dsn)
	ledger, err := db.Ledger(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	faulty := &storetest.Faulty{Ledger: ledger, OnCommit: func(ctx context.Context, b payment.Batch, w []payment.Write, decided evidence.Bundle) error {
		for i := range w {
			if p := w[i].Payment; p != nil && strings.HasPrefix(p.OrderNo, "fail") {
				return fmt.Errorf("refused: %+v", *p)
			}
		}
		return b.Commit(ctx, w, decided)
	}}
	s.node, err = storetest.NewNode(context.WithoutCancel(t.Context()), storetest.NodeConfig{DB: db, Keys: keys, Log: log, Ledger: faulty,
		Payer: payer.Config{NoCoolingOff: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.node.Payments.Stop)
	return s
}

// fail keeps an error that must be there.
func (s *story) fail(what string, err error) {
	s.t.Helper()
	if err == nil {
		s.t.Errorf("%s passed", what)
		return
	}
	s.errs = append(s.errs, err.Error(), fmt.Sprintf("%+v", err))
}

func (s *story) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) tell() {
	ctx, n := s.t.Context(), s.node
	shop, err := n.NewShop(ctx, merchant.Facts{})
	s.must(err)
	s.seen = string(shop.Terminal)
	view, err := n.Payers.Create(ctx, storetest.Backend, payer.NewPayer{Phone: "+8613900112233", Name: "李四", Password: s.secrets["password"],
		PinFree: true, RiskVersion: payer.RiskText.Version})
	s.must(err)
	p := storetest.Person{ID: view.Status.Payer}
	in, err := n.Payers.AddInstrument(ctx, storetest.Backend, p.ID, payer.NewInstrument{Scheme: "unionpay", Kind: "debit", Domestic: true, Last4: "0005"})
	s.must(err)
	p.Card = in.ID
	_, err = n.Payments.TopUp(ctx, storetest.Operator, payment.TopUpRequest{Payer: p.ID, Key: "k1", Amount: amount(1000_00, "CNY")})
	s.must(err)
	key, token, err := n.Access.CreateKey(ctx, storetest.Operator, access.NewKey{Name: "till", Merchant: shop.Merchant,
		Scopes: mianmi.ScopePay | mianmi.ScopeRefund})
	s.must(err)
	s.secrets["API key"] = token
	s.pay(shop, p, key.Actor())
	s.stepUps(shop, p, key.Actor())
	s.newPassword(p)
}

func (s *story) pay(shop storetest.Shop, p storetest.Person, till mianmi.Actor) {
	ctx, pay := s.t.Context(), s.node.Payments
	for i, order := range []string{"o1", "fail1", "fail2"} {
		code, err := s.node.Payers.IssueCode(ctx, p.Actor(), p.ID)
		s.must(err)
		s.secrets[fmt.Sprintf("payment code %d", i)] = code.Digits
		req := storetest.Code(shop.Terminal, order, 18_00, code.Digits)
		_, err = pay.Authorize(ctx, till, req)
		if order == "o1" {
			s.must(err)
			req.OrderNo = "o2"
			_, err = pay.Authorize(ctx, till, req) // used
			s.fail("a used code", err)
			req.Code += "1"
			_, err = pay.Authorize(ctx, till, req)
			s.fail("a long code", err)
			req.Code, req.Terminal = code.Digits[:17]+"x", "tm0"
			_, err = pay.Authorize(ctx, till, req)
			s.fail("a bad code", err)
			continue
		}
		s.fail("a commit that fails", err)
	}
	got, err := pay.AuthorizeMany(ctx, till, []payment.Request{p.Tap(shop.Terminal, "fail3", 1), p.Tap(shop.Terminal, "o3", 1)})
	s.must(err)
	s.fail("the poison of a batch", got[0].Err)
	s.must(got[1].Err)
	stranger := till
	stranger.Via = "ak0"
	_, err = pay.Authorize(ctx, stranger, p.Tap(shop.Terminal, "o4", 1))
	s.fail("an unknown key", err)
	bad := p.Tap(shop.Terminal, "o5", 1)
	bad.Instrument = "6222020000000000003"
	s.secrets["card number"] = string(bad.Instrument)
	_, err = pay.Authorize(ctx, till, bad)
	s.fail("a card number", err)
}

func (s *story) stepUps(shop storetest.Shop, p storetest.Person, till mianmi.Actor) {
	ctx, pay := s.t.Context(), s.node.Payments
	wait := func(order string) mianmi.PaymentID {
		w, err := pay.Authorize(ctx, till, p.Tap(shop.Terminal, order, 2000_00))
		s.must(err)
		return w.ID
	}
	id := wait("s1")
	_, err := pay.Confirm(ctx, p.Actor(), id, s.secrets["wrong password"])
	s.fail("a wrong password", err)
	_, err = pay.Confirm(ctx, p.Actor(), id, s.secrets["password"])
	s.must(err)
	id = wait("s2")
	for _, pin := range []string{"wrong password", "password"} {
		sealed, err := secret.SealPIN(s.node.Keys.PINKey(), string(id), s.secrets[pin])
		s.must(err)
		if _, err = pay.ConfirmPIN(ctx, till, id, sealed); pin == "wrong password" {
			s.fail("a wrong PIN", err)
		}
		broken := sealed
		broken.Ciphertext = append([]byte{1}, sealed.Ciphertext...)
		_, err = pay.ConfirmPIN(ctx, till, id, broken)
		s.fail("a broken PIN", err)
	}
	_, token, err := pay.OpenQR(ctx, till, payment.QRRequest{Terminal: shop.Terminal, OrderNo: "q1", Amount: amount(1_00, "CNY")})
	s.must(err)
	s.secrets["QR token"] = token
	_, err = pay.PayQR(ctx, p.Actor(), token, s.secrets["wrong password"])
	s.fail("a QR with a wrong password", err)
	_, err = pay.PayQR(ctx, p.Actor(), token, s.secrets["password"])
	s.must(err)
	_, err = pay.QROrder(ctx, p.Actor(), token[:21])
	s.fail("half a token", err)
}

func (s *story) newPassword(p storetest.Person) {
	ctx, n := s.t.Context(), s.node
	basis := payer.Basis{Method: payer.ByVideo, Ref: "CASE-1"}
	reset, err := n.Payers.ResetPassword(ctx, storetest.Support, p.ID, basis)
	s.must(err)
	s.secrets["one-time code"] = reset.Code
	_, err = n.Payers.RedeemReset(ctx, payer.RedeemInput{Phone: "+8613900112233", Code: "wrong" + reset.Code, NewPassword: s.secrets["new password"]})
	s.fail("a wrong one-time code", err)
	_, err = n.Payers.RedeemReset(ctx, payer.RedeemInput{Phone: "+8613900112233", Code: reset.Code, NewPassword: s.secrets["new password"]})
	s.must(err)
	for range 5 {
		err = n.Payers.Verify(ctx, p.ID, s.secrets["wrong password"])
		s.fail("a wrong password", err)
	}
}

// everyRow is all tables as text; binary columns are in hexadecimal.
func everyRow(t *testing.T, dsn string) []byte {
	t.Helper()
	db := storetest.Inspect(t, dsn)
	var all bytes.Buffer
	for _, table := range texts(t, db, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`) {
		for _, row := range texts(t, db, `SELECT t::text FROM "`+table+`" t`) {
			all.WriteString(table + " " + row + "\n")
		}
	}
	return all.Bytes()
}

func texts(t *testing.T, db *sql.DB, query string) (list []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
