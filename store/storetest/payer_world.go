package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
)

// password is the payment password of a payerWorld's payers.
const password = "274951"

// payerNode is the services of one process.
type payerNode struct {
	payers *payer.Service
	access *access.Service
}

// payerWorld is merchants, and payers on several nodes with the same keys.
type payerWorld struct {
	*merchantWorld
	payerNode
	open   Nodes
	keys   *secret.Keys
	config payer.Config
	// failures is what the rules let fail in a row.
	failures int64
	// hashing of the nodes; cheap, for what is under test is who may try, not
	// how long it takes.
	hashing secret.HasherConfig

	client mianmi.Actor // the wallet's back end
	phones atomic.Int64
}

func newPayerWorld(t *testing.T, nodes Nodes, c payer.Config) *payerWorld {
	t.Helper()
	w := &payerWorld{merchantWorld: newMerchantWorld(t, nodes()), open: nodes, config: c, keys: must(secret.New(rand.Reader))(t),
		hashing: secret.HasherConfig{Cost: secret.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}}}
	w.client = mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak1", Scopes: mianmi.ScopePayers, Via: "ak1"}
	w.payerNode = w.node(t)
	return w
}

// node starts another process on the same database.
func (w *payerWorld) node(t *testing.T) payerNode {
	t.Helper()
	db := w.open()
	hasher := must(w.keys.Hasher(rand.Reader, w.hashing))(t)
	who := access.New(access.Parts{Store: db, Keys: w.keys, Hasher: hasher, Clock: w.clock, Random: rand.Reader}, access.Config{})
	payers := must(payer.New(payer.Parts{Store: db, Access: who, Keys: w.keys, Hasher: hasher, Clock: w.clock, Random: rand.Reader,
		FailuresMax: func(context.Context) (int64, error) { return w.failures, nil }}, w.config))(t)
	return payerNode{payers: payers, access: who}
}

// payer creates a payer with a password and, if so, PIN-free open.
func (w *payerWorld) payer(t *testing.T, pinFree bool) mianmi.Actor {
	t.Helper()
	v := must(w.payers.Create(t.Context(), w.client, payer.NewPayer{Phone: fmt.Sprintf("+86138%08d", w.phones.Add(1)), Name: "张三",
		Password: password, PinFree: pinFree, RiskVersion: payer.RiskText.Version}))(t)
	return mianmi.Actor{Role: mianmi.RolePayer, ID: string(v.Status.Payer)}
}

func idOf(a mianmi.Actor) mianmi.PayerID { return mianmi.PayerID(a.ID) }

func (w *payerWorld) status(t *testing.T, who mianmi.Actor) payer.Status {
	t.Helper()
	return must(w.payers.Show(t.Context(), w.support, idOf(who)))(t).Status
}

// checked is a basis of support's.
var checked = payer.Basis{Method: payer.ByCallback, Ref: "CASE-7"}

// risked accepts the current risk text.
func risked() payer.ReopenInput {
	return payer.ReopenInput{Password: password, RiskVersion: payer.RiskText.Version}
}

// all is everything that is stored of a payer, for comparisons.
type all struct {
	Payer       payer.Payer
	Person      payer.Person
	Agreements  []payer.Agreement
	Instruments []payer.Instrument
}

func (w *payerWorld) all(t *testing.T, who mianmi.Actor) all {
	t.Helper()
	ctx, id := t.Context(), idOf(who)
	return all{
		Payer:       must(w.db.Payer(ctx, id))(t),
		Person:      must(w.db.Person(ctx, id))(t),
		Agreements:  must(w.db.Agreements(ctx, id))(t),
		Instruments: must(w.db.Instruments(ctx, id))(t),
	}
}

// recorded is what tests read of an entry.
type recorded struct {
	Type    string
	Version int64
}

// history is the record of the payer's settings.
func (w *payerWorld) history(t *testing.T, who mianmi.Actor) []recorded {
	t.Helper()
	var list []recorded
	for _, e := range w.entries(t, who) {
		if e.Type != "payer.password.failed" && e.Type != "payer.password.verified" {
			list = append(list, recorded{e.Type, must(payer.ReadRecord(e))(t).Version})
		}
	}
	return list
}

// guesses are the numbers of the wrong passwords in the record, in order, and
// how many right ones there are. Each entry leaves the settings as they were.
func (w *payerWorld) guesses(t *testing.T, who mianmi.Actor) (wrong []float64, right int) {
	t.Helper()
	for _, e := range w.entries(t, who) {
		if e.Type != "payer.password.failed" && e.Type != "payer.password.verified" {
			continue
		}
		r := must(payer.ReadRecord(e))(t)
		if d := cmp.Diff(r.Before, r.After, amounts); d != "" {
			t.Errorf("%s changes the settings:\n%s", e.Type, d)
		}
		if tries, ok := r.Detail["tries"].(float64); ok {
			wrong = append(wrong, tries)
		} else {
			right++
		}
	}
	slices.Sort(wrong)
	return wrong, right
}

func (w *payerWorld) entries(t *testing.T, who mianmi.Actor) (list []evidence.Entry) {
	t.Helper()
	var page payer.EntryQuery
	for {
		more := must(w.payers.History(t.Context(), w.support, idOf(who), page))(t)
		if len(more) == 0 {
			return list
		}
		list, page.After = append(list, more...), more[len(more)-1].ID
	}
}

// samePayer compares all that is stored.
func samePayer(t *testing.T, what string, got, want all) {
	t.Helper()
	counters := cmp.Comparer(func(a, b pinfree.Counters) bool { return a.String() == b.String() })
	if d := cmp.Diff(want, got, amounts, counters); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func ptr(n int64) *int64 { return &n }
