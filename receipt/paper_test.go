package receipt_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

var noon = time.Date(2026, 3, 1, 4, 4, 31, 0, time.UTC)

type still struct{}

func (still) Now() time.Time { return noon }

// closing is the receipt of a payer's closing, from a real log.
func closing(t *testing.T) (*evidence.Receipt, evidence.Proved) {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "mianmi.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	limit := int64(200_00)
	before := payer.Snapshot{Settings: payer.Settings{PinFree: true, Currency: "CNY", PerPayment: &limit}, Since: noon}
	after := before
	after.Settings.PinFree = false
	body, err := json.Marshal(payer.Record{Version: 7, Before: before, After: after})
	if err != nil {
		t.Fatal(err)
	}
	const id, who = "en06cxs2j8k0t9m5n3q7r1v4w8xy", "py06cxs2j8k0t9m5n3q7r1v4w8xy"
	err = db.CreateModel(t.Context(), terminal.Model{ID: "md1", Name: "m", CreatedAt: noon},
		evidence.Entry{ID: id, At: noon, Type: "payer.pin_free.closed", Subject: who, Actor: "payer:" + who, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	key, err := evidence.NewKey("pay.example.com/mianmi", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	log := evidence.NewLog(db, key, still{})
	if _, err := log.Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := log.Receipt(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Verify(evidence.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	return r, p
}

// Paper has one page and the receipt itself inside, and is the same to the byte
// each time, so that two people can compare theirs.
func TestPaper(t *testing.T) {
	t.Parallel()
	r, p := closing(t)
	const address = "https://pay.example.com/check/en06cxs2j8k0t9m5n3q7r1v4w8xy.9f2k3m4n5p6q7r8s9t0v1w2x3y#0123456789abcdef0123456789abcdef"
	one, err := receipt.Paper(r, p, address)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		two, err := receipt.Paper(r, p, address)
		if err != nil || !bytes.Equal(one, two) {
			t.Fatalf("two papers of one receipt differ, %v", err)
		}
	}
	if n := bytes.Count(one, []byte("/Type /Page\n")); n != 1 || bytes.Count(one, []byte("/EmbeddedFile")) == 0 {
		t.Errorf("%d pages, or no attachment", n)
	}
	if len(one) > 200_000 {
		t.Errorf("%d bytes: the font is not cut down", len(one))
	}
	if dir := os.Getenv("MIANMI_TEST_PAPER"); dir != "" { // to be looked at
		if err := os.WriteFile(filepath.Join(dir, "receipt.pdf"), one, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What is told of a closing is what its entry says, in both languages.
func TestTell(t *testing.T) {
	t.Parallel()
	r, p := closing(t)
	told := receipt.Tell(p)
	var lines []string
	for _, f := range append(told.Facts, receipt.Proof(r, p)...) {
		lines = append(lines, f.Label.EN+": "+f.Value.EN, f.Label.ZH+"："+f.Value.ZH)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{"PIN-free payment before: on", "PIN-free payment after: off", "免密支付（变更后）：关闭", "Limit per payment: ¥200.00",
		"Version of the settings: 7", "Log: pay.example.com/mianmi", "第 0 条，检查点共 1 条"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !told.Known || told.At != noon || receipt.When(told.At) != (mianmi.Text{ZH: "2026年3月1日 12:04:31（北京时间）", EN: "1 March 2026, 12:04:31 (UTC+8)"}) {
		t.Errorf("%+v, %v", told, receipt.When(told.At))
	}
}
