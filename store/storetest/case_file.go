package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	cases "github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/files"
)

// kept counts what lies in the folder of files.
func (w *caseWorld) kept(t *testing.T) (n int) {
	t.Helper()
	err := filepath.WalkDir(w.folder.Dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sweep lets both nodes look at once, until nothing is due.
func (w *caseWorld) sweep(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	for _, s := range []*cases.Service{w.a, w.b} {
		all.Go(func() {
			for n := 1; n > 0; {
				var err error
				if n, err = s.SweepFiles(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// Ten that attach the same at once, on two nodes, attach it once; the other node
// hands it out; a case is full in the end, and an end takes nothing more.
func caseFiles(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	o := must(w.a.Open(ctx, w.p.Actor(), fraud(w.pay(t, w.p))))(t)
	receipt := cases.NewFile{Name: `C:\pictures\小票.TXT`, Audience: cases.ForPayer, Content: []byte("小票 8812")}
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if _, err := []*cases.Service{w.a, w.b}[i%2].Attach(ctx, w.p.Actor(), o.ID, receipt); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	v := must(w.b.Case(ctx, Support, o.ID))(t)
	if len(v.Files) != 1 || w.kept(t) != 1 || v.Version != o.Version+1 {
		t.Fatalf("%d rows, %d files, version %d", len(v.Files), w.kept(t), v.Version)
	}
	f, content, err := w.b.File(ctx, w.agent, o.ID, v.Files[0].ID)
	if err != nil || f.Name != "小票.TXT" || f.Type != files.Text || f.Actor != w.p.Actor().String() || !bytes.Equal(content, receipt.Content) {
		t.Errorf("handed out: %+v, %q, %v", f, content, err)
	}
	w.clock.Add(2 * time.Hour)
	w.sweep(t)
	if w.kept(t) != 1 {
		t.Error("what a case has was swept")
	}
	for i := range 19 {
		must(w.a.Attach(ctx, Support, o.ID, cases.NewFile{Name: "n", Audience: cases.Inside, Content: fmt.Append(nil, "第 ", i)}))(t)
	}
	_, err = w.a.Attach(ctx, w.p.Actor(), o.ID, cases.NewFile{Name: "n", Audience: cases.ForPayer, Content: []byte("一份太多")})
	wantCode(t, err, "too_many_files")
	v = must(w.b.Attach(ctx, w.p.Actor(), o.ID, receipt))(t) // a repeat is no other
	if len(v.Files) != 1 || w.kept(t) != 20 {
		t.Errorf("the payer sees %d files, there are %d", len(v.Files), w.kept(t))
	}
	must(w.a.Move(ctx, w.p.Actor(), o.ID, cases.Move{To: cases.Closed, Version: v.Version}))(t)
	_, err = w.a.Attach(ctx, Support, o.ID, receipt)
	wantCode(t, err, "case_over")
}

// Fifty megabytes are what a case may have, whoever has sent them.
func caseFilesSize(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	o := must(w.a.Open(ctx, w.p.Actor(), fraud(w.pay(t, w.p))))(t)
	for i := range 6 {
		who, to := w.p.Actor(), cases.ForPayer
		if i%2 == 0 {
			who, to = Support, cases.Inside
		}
		large := append(bytes.Repeat([]byte{'a'}, files.SizeMax-1), byte('a'+i))
		_, err := w.a.Attach(ctx, who, o.ID, cases.NewFile{Name: "n", Audience: to, Content: large})
		if i < 5 && err != nil {
			t.Fatal(err)
		}
		if i == 5 {
			wantCode(t, err, "too_many_files")
		}
	}
	if w.kept(t) != 5 {
		t.Errorf("%d files are kept", w.kept(t))
	}
}

// Who may read a note of an audience may read its files, and nobody else; what is
// wrong is named.
func caseFilesRights(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	o := must(w.a.Open(ctx, w.p.Actor(), fraud(w.pay(t, w.p))))(t)
	v := must(w.a.Case(ctx, Support, o.ID))(t)
	must(w.a.Move(ctx, Support, o.ID, cases.Move{To: cases.WaitingMerchant, Version: v.Version}))(t)
	attach := func(a mianmi.Actor, to cases.Audience, text string) error {
		_, err := w.a.Attach(ctx, a, o.ID, cases.NewFile{Name: text, Audience: to, Content: []byte(text)})
		return err
	}
	cashier := mianmi.Actor{Role: mianmi.RoleCashier, ID: "sf7", Merchant: w.shop.Merchant, Store: w.shop.Store}
	may := map[mianmi.Actor]map[string]bool{
		Support:     {"desk": true, "payer": true, "merchant": true},
		w.p.Actor(): {"payer": true},
		w.admin():   {"merchant": true},
		w.q.Actor(): {},
		cashier:     {},
	}
	for _, err := range []error{attach(Support, cases.Inside, "desk"), attach(w.p.Actor(), cases.ForPayer, "payer"), attach(w.admin(), cases.ForMerchant, "merchant")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	v = must(w.a.Case(ctx, Support, o.ID))(t)
	for who, reads := range may {
		for _, f := range v.Files {
			_, content, err := w.b.File(ctx, who, o.ID, f.ID)
			if reads[string(content)] != (err == nil) || err != nil && mianmi.KindOf(err) != mianmi.NotFound {
				t.Errorf("%s reads %s: %v", who, f.Name, err)
			}
		}
		seen, err := w.b.Case(ctx, who, o.ID)
		if len(seen.Files) != len(reads) {
			t.Errorf("%s sees %d files, %v", who, len(seen.Files), err)
		}
	}
	for _, err := range []error{attach(w.p.Actor(), cases.Inside, "x"), attach(w.p.Actor(), cases.ForMerchant, "x"), attach(w.admin(), cases.ForPayer, "x"), attach(w.admin(), cases.Inside, "x")} {
		if mianmi.KindOf(err) != mianmi.Denied {
			t.Errorf("attached for others: %v", err)
		}
	}
	if err := attach(w.q.Actor(), cases.ForPayer, "x"); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("attached to somebody else's: %v", err)
	}
	wantField(t, attach(Support, cases.NoAudience, "x"), "audience")
	for _, name := range []string{"", " ", "..", "/", "a<b", "a\nb", "a\xff", "a\u202efdp.exe"} {
		_, err := w.a.Attach(ctx, Support, o.ID, cases.NewFile{Name: name, Audience: cases.Inside, Content: []byte("x")})
		wantField(t, err, "name")
	}
	for name, want := range map[string]string{"4111 1111 1111 1111.txt": "file.txt", "付款\u3000截图\u202f2.TXT": "付款 截图 2.TXT", ".a&b's.hta": "a&b's.hta.txt"} {
		w.clock.Add(time.Second) // so that it is the last
		v = must(w.a.Attach(ctx, Support, o.ID, cases.NewFile{Name: name, Audience: cases.Inside, Content: []byte(name[:3] + "x")}))(t)
		if got := v.Files[len(v.Files)-1].Name; got != want {
			t.Errorf("%q is called %q", name, got)
		}
	}
	if w.kept(t) != 6 {
		t.Errorf("%d files are kept", w.kept(t))
	}
}

// failing is a folder whose disk fails.
type failing struct{ *files.Folder }

var errCut = errors.New("killed")

func (failing) Write(files.Clean) error { return errCut }

// An upload that was cut off at any step leaves nothing for long, takes nothing that
// a case has, and can be done again; so can a sweep.
func caseFilesCut(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	o := must(w.a.Open(ctx, w.p.Actor(), fraud(w.pay(t, w.p))))(t)
	n := cases.NewFile{Name: "n", Audience: cases.ForPayer, Content: []byte("小票")}
	id := must(w.folder.Clean(ctx, n.Content))(t).ID
	half := filepath.Join(w.folder.Dir, id[:2], id+".new-1")

	// Half written, then whole without a row.
	dies := *w.a
	dies.Files = failing{w.folder}
	if _, err := dies.Attach(ctx, w.p.Actor(), o.ID, n); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if err := w.folder.Write(must(w.folder.Clean(ctx, n.Content))(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(half, []byte("se"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.sweep(t)
	if w.kept(t) != 2 {
		t.Error("swept before it was due")
	}
	w.clock.Add(2 * time.Hour)

	// A sweep that dies holds the file for a while, and an upload waits.
	claimed, needed, err := w.node.DB.ClaimLooseFile(ctx, id, w.clock.Now(), w.clock.Now().Add(time.Minute))
	if !claimed || needed || err != nil {
		t.Fatalf("%v, %v, %v", claimed, needed, err)
	}
	w.sweep(t)
	if _, err := w.b.Attach(ctx, w.p.Actor(), o.ID, n); mianmi.KindOf(err) != mianmi.Unavailable || w.kept(t) != 2 {
		t.Errorf("attached what is being removed: %v", err)
	}
	w.clock.Add(time.Minute)
	w.sweep(t)
	if w.kept(t) != 0 {
		t.Errorf("%d files are left", w.kept(t))
	}

	// Done again, with a half beside it: the half goes, the file stays.
	must(w.b.Attach(ctx, w.p.Actor(), o.ID, n))(t)
	if err := os.WriteFile(half, []byte("se"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.clock.Add(2 * time.Hour)
	w.sweep(t)
	if _, content, err := w.a.File(ctx, w.p.Actor(), o.ID, id); err != nil || !bytes.Equal(content, n.Content) || w.kept(t) != 1 {
		t.Errorf("%q, %v, %d files", content, err, w.kept(t))
	}
	if left := must(w.node.DB.LooseFiles(ctx, w.clock.Now().Add(24*time.Hour), 10))(t); len(left) > 0 {
		t.Errorf("still noted: %q", left)
	}
}
