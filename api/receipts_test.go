package api_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/evidence"
)

// sequence puts all that waits into the log.
func (w *world) sequence() {
	w.t.Helper()
	for more := true; more; {
		r, err := w.log.Sequence(w.t.Context())
		must(w.t, err)
		more = r.Entries > 0
	}
}

// newestEntry is the identifier of the newest entry about a payer.
func (w *world) newestEntry(p *person) string {
	w.t.Helper()
	list := get[client.List[client.Entry]](w.t)(p.app.Entries(w.t.Context(), client.Me, client.Page{Limit: 200}))
	return string(list.Items[len(list.Items)-1].ID)
}

// logVerifier is the key that the server publishes.
func (w *world) logVerifier() note.Verifier {
	w.t.Helper()
	keys := get[client.LogKeys](w.t)(w.anyone.LogKeys(w.t.Context()))
	v, err := evidence.ParseKey(keys.Keys[0].Key)
	must(w.t, err)
	return v
}

// A closing and a payment have receipts that verify with the published key;
// before they are in the log the answer says to ask again.
func TestReceipts(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		s, p := w.shop("晨光超市"), w.person("+8613800000001")
		paid := get[client.Payment](t)(s.pos.Authorize(t.Context(), w.scan(s, p, "A1", 18_00)))
		get[client.Status](t)(p.app.ClosePinFree(t.Context(), client.Me, nil))
		closing := w.newestEntry(p)
		if _, err := p.app.Receipt(t.Context(), closing); client.Code(err) != "receipt_not_ready" {
			t.Errorf("before it is in the log: %v", err)
		}
		w.sequence()
		trust := evidence.Trust{Log: []note.Verifier{w.logVerifier()}}
		for id, want := range map[string]string{closing: `"payer.pin_free.closed"`, string(paid.ID): `"outcome":"pin_free"`} {
			text := get[[]byte](t)(p.app.Receipt(t.Context(), id))
			r, err := evidence.ParseReceipt(text)
			must(t, err)
			proved, err := r.Verify(trust)
			must(t, err)
			if said := r.Entry + r.Record; !proved.Believed || !strings.Contains(said, want) {
				t.Errorf("receipt of %s says %s", id, said)
			}
			paper := get[[]byte](t)(p.app.ReceiptPDF(t.Context(), id))
			if !bytes.HasPrefix(paper, []byte("%PDF-")) {
				t.Errorf("the paper of %s is no PDF", id)
			}
			link := get[string](t)(p.app.ReceiptLink(t.Context(), id))
			if !strings.HasPrefix(link, "/check/"+id+".") {
				t.Errorf("link %s", link)
			}
		}
	})
}

// Each gets the receipts of what they may see: a payer the own ones, merchants
// those of their places, our own people all; the record of a payment names
// its payer and is for neither cashiers nor merchants.
func TestWhoseReceipts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	s, other, p, q := w.shop("晨光超市"), w.shop("别家"), w.person("+8613800000001"), w.person("+8613800000002")
	paid := get[client.Payment](t)(s.pos.Authorize(t.Context(), w.scan(s, p, "A1", 18_00)))
	get[client.Status](t)(p.app.ClosePinFree(t.Context(), client.Me, nil))
	closing := w.newestEntry(p)
	get[client.PolicyResult](t)(w.operator.CloseScope(t.Context(), client.OfTerminal(s.terminal.ID)))
	w.sequence()
	leaves, err := w.db.Leaves(t.Context(), 0, 1000)
	must(t, err)
	policy, login := "", ""
	for _, l := range leaves {
		switch e, err := evidence.Decode(l.Bytes); {
		case err != nil:
			t.Fatal(err)
		case e.Type == "merchant.policy.tightened" && e.Subject == string(s.terminal.ID):
			policy = string(e.ID)
		case e.Type == "staff.login":
			login = string(e.ID)
		}
	}
	auditor := w.staff(client.NewStaff{Login: "audit.one", Name: "审计", Role: "auditor"})
	cashier := w.staff(client.NewStaff{Login: "till.one", Name: "收银", Role: "cashier", Merchant: s.merchant.ID, Store: s.store.ID})
	for _, tt := range []struct {
		who  string
		as   *client.Client
		sees []string
	}{
		{"the payer", p.app, []string{closing, string(paid.ID)}},
		{"another payer", q.app, nil},
		{"the merchant's admin", s.admin, []string{policy}},
		{"the merchant's software", s.pos, []string{policy}},
		{"its cashier", cashier, []string{policy}},
		{"another merchant", other.admin, nil},
		{"an operator", w.operator, []string{closing, string(paid.ID), policy, login}},
		{"an auditor", auditor, []string{closing, string(paid.ID), policy, login}},
	} {
		for _, id := range []string{closing, string(paid.ID), policy, login, "en0", "pm0", "x", strings.Repeat("en", 100)} {
			_, err := tt.as.Receipt(t.Context(), id)
			may := false
			for _, s := range tt.sees {
				may = may || s == id
			}
			if code := client.Code(err); (err == nil) != may || err != nil && code != "not_found" && code != "invalid" {
				t.Errorf("%s, receipt of %q: %v", tt.who, id, err)
			}
			if _, err := tt.as.ReceiptLink(t.Context(), id); (err == nil) != may {
				t.Errorf("%s, link of %q: %v", tt.who, id, err)
			}
		}
	}
}

// Anybody can follow the log by what it publishes, as a client of tiled logs
// does: checkpoint, keys, tiles of hashes and consistency. What the entries say
// is for operators and auditors.
func TestPublicLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	w.sequence()
	old, err := evidence.OpenCheckpoint(get[string](t)(w.anyone.Checkpoint(t.Context())), w.logVerifier())
	must(t, err)
	w.shop("晨光超市")
	w.sequence()
	c, err := evidence.OpenCheckpoint(get[string](t)(w.anyone.Checkpoint(t.Context())), w.logVerifier())
	must(t, err)
	var proof tlog.TreeProof
	for _, h := range get[[][]byte](t)(w.anyone.Consistency(t.Context(), old.Size, c.Size)) {
		proof = append(proof, tlog.Hash(h))
	}
	must(t, tlog.CheckTree(proof, c.Size, c.Root, old.Size, old.Root))
	leaves, err := w.db.Leaves(t.Context(), 0, int(c.Size))
	must(t, err)
	hashes := tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, tiles{w})
	for _, leaf := range leaves {
		p, err := tlog.ProveRecord(c.Size, leaf.Index, hashes)
		must(t, err)
		must(t, tlog.CheckRecord(p, c.Size, c.Root, leaf.Index, tlog.RecordHash(leaf.Bytes)))
	}
	entries := "/v1/log/" + evidence.TilePath(tlog.Tile{H: evidence.TileHeight, L: evidence.EntriesLevel, N: 0, W: int(c.Size)})
	token := w.token(mianmi.RoleAuditor)
	got := w.raw("GET", entries, token, "")
	bundle, err := evidence.SplitBundle(got.body)
	must(t, err)
	if len(bundle) != len(leaves) || !bytes.Equal(bundle[2], leaves[2].Bytes) {
		t.Errorf("%d entries in the tile, %d in the log", len(bundle), len(leaves))
	}
	for path, want := range map[string]int{
		entries: http.StatusUnauthorized, "/v1/log/tile/entries/001": http.StatusUnauthorized,
		"/v1/log/tile/0/001": 404, "/v1/log/tile/0/000.p/0": 404, "/v1/log/tile/1/000": 404, "/v1/log/tile/9/000": 404, "/v1/log/tile/x/000": 404,
		"/v1/log/tile/0/0": 404, "/v1/log/tile/0/000.p/256": 404, "/v1/log/tile/data/000": 404, "/v1/log/tile/-1/000": 404,
		"/v1/log/consistency?from=0&to=1": 422, "/v1/log/consistency?from=2&to=1": 422, "/v1/log/consistency?from=1&to=999999": 422,
	} {
		if got := w.raw("GET", path, "", ""); got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
	if got := w.raw("GET", entries, w.token(mianmi.RoleSupport), ""); got.status != http.StatusForbidden {
		t.Errorf("support reads every entry: %d", got.status)
	}
}

// token is that of a fresh session of a role.
func (w *world) token(role mianmi.Role) string {
	w.t.Helper()
	e := get[client.Enrolment](w.t)(w.operator.CreateStaff(w.t.Context(), client.NewStaff{Login: role.String() + ".token", Name: "员工", Role: role.String()}))
	n, err := w.access.StartSession(w.t.Context(), mianmi.Actor{Role: role, ID: string(e.Staff.ID)})
	must(w.t, err)
	return n.Token
}

// tiles reads the server's tiles of hashes for tlog's own reader.
type tiles struct{ w *world }

func (r tiles) Height() int { return evidence.TileHeight }

func (r tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range list {
		got := r.w.raw("GET", "/v1/log/"+evidence.TilePath(t), "", "")
		if got.status != http.StatusOK {
			return nil, context.DeadlineExceeded
		}
		out = append(out, got.body)
	}
	return out, nil
}

func (r tiles) SaveTiles([]tlog.Tile, [][]byte) {}
