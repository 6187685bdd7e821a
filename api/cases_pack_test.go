package api_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/support/pack"
)

// The proof pack of a stolen phone: the same bytes again while the case is the same,
// also with a longer log, another file once it has changed; verified without the
// server by the log's key, with the receipt of its handing out. Nothing of the desk's
// own is in it.
func TestCasePack(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, s, p := t.Context(), w.shop("晨光超市"), w.person("+8613800000001")
		agent := w.staff(client.NewStaff{Login: "agent.one", Name: "客服小李", Role: mianmi.RoleSupport.String()})
		paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00)))
		w.clock.step(10 * time.Minute)
		c := get[client.Case](t)(p.app.OpenCase(ctx, client.NewCase{Kind: "fraud", Text: "这笔不是我付的", Links: []client.CaseLink{{Kind: "payment", Ref: string(paid.ID)}}}))
		get[client.CaseActed](t)(agent.ActForPayer(ctx, c.ID, client.CaseAct{Act: "close_pin_free"}))
		get[client.Case](t)(agent.NoteCase(ctx, c.ID, client.NewCaseNote{Key: "n1", Audience: "inside", Text: "疑似盗刷团伙"}))
		get[client.Case](t)(agent.AttachFile(ctx, c.ID, "内部.txt", "inside", []byte("疑似盗刷团伙")))
		get[client.Case](t)(p.app.AttachFile(ctx, c.ID, "IMG 1.jpg", "payer", photograph(t)))
		_, err := agent.PackCase(ctx, c.ID, false)
		wantProblem(t, err, http.StatusServiceUnavailable, "receipt_not_ready", "")
		w.sequence()

		first := get[client.CasePack](t)(agent.PackCase(ctx, c.ID, false))
		w.sequence()
		again := get[client.CasePack](t)(agent.PackCase(ctx, c.ID, false))
		if !bytes.Equal(first.Zip, again.Zip) || first.Entry == again.Entry || first.Entry == "" {
			t.Errorf("the same case packed twice: %d and %d bytes, entries %s and %s", len(first.Zip), len(again.Zip), first.Entry, again.Entry)
		}
		key := w.logVerifier()
		got := get[*pack.Verified](t)(pack.Verify(first.Zip, evidence.Trust{Log: []note.Verifier{key}}))
		if len(got.Payments) != 1 || got.Payments[0].ID != string(paid.ID) || got.Payments[0].Outcome != "pin_free" || !got.Believed || got.Receipts < 5 {
			t.Errorf("verified: %+v", got)
		}
		var line []string
		for _, e := range got.Events {
			line = append(line, e.Type)
		}
		if said := strings.Join(line, " "); !strings.Contains(said, "payment case.opened ") || !strings.Contains(said, "payer.pin_free.closed") || strings.Contains(said, "case.packed") {
			t.Errorf("timeline: %s", said)
		}
		w.sequence()
		handed := get[[]byte](t)(agent.Receipt(ctx, string(first.Entry)))
		must(t, got.CheckReceipt(handed, evidence.Trust{Log: []note.Verifier{key}}))

		get[client.Case](t)(agent.NoteCase(ctx, c.ID, client.NewCaseNote{Key: "n2", Audience: "payer", Text: "已关闭免密"}))
		w.sequence()
		other := get[client.CasePack](t)(agent.PackCase(ctx, c.ID, false))
		changed := get[*pack.Verified](t)(pack.Verify(other.Zip, evidence.Trust{}))
		if changed.Digest == got.Digest || changed.Believed {
			t.Error("a case that has changed, without a key")
		}
		if changed.CheckReceipt(handed, evidence.Trust{}) == nil {
			t.Error("the receipt of another pack fits")
		}
		files := unzip(t, other.Zip)
		for name, text := range files {
			if bytes.Contains(text, []byte("盗刷团伙")) || bytes.Contains(text, []byte("客服小李")) || bytes.Contains(text, []byte("138000000")) {
				t.Errorf("%s holds what is the desk's own, or who the payer is", name)
			}
		}
		if !bytes.Contains(files["messages.txt"], []byte("这笔不是我付的")) || !bytes.HasPrefix(files["summary.pdf"], []byte("%PDF-")) || len(files["attachments/02.jpg"])+len(files["attachments/01.jpg"]) == 0 {
			t.Errorf("what was written and attached is missing")
		}
		get[client.Case](t)(agent.NoteCase(ctx, c.ID, client.NewCaseNote{Key: "n3", Audience: "payer", Text: "请等待银行答复"}))
		w.sequence()
		w.packedAtOnce(agent, c.ID)
		_, err = p.app.PackCase(ctx, c.ID, false)
		wantProblem(t, err, http.StatusForbidden, "not_allowed", "")
		tampered(t, other.Zip)
	})
}

// packedAtOnce packs what was not packed before from several sides while the log
// grows: all get the same file.
func (w *world) packedAtOnce(agent *client.Client, id mianmi.CaseID) {
	w.t.Helper()
	packs := make([]client.CasePack, 4)
	var all sync.WaitGroup
	for i := range packs {
		all.Go(func() {
			_, err := w.log.Sequence(w.t.Context())
			if err != nil {
				w.t.Error(err)
			}
			if packs[i], err = agent.PackCase(w.t.Context(), id, false); err != nil {
				w.t.Error(err)
			}
		})
	}
	all.Wait()
	for _, p := range packs[1:] {
		if !bytes.Equal(p.Zip, packs[0].Zip) {
			w.t.Error("packed at once, and not the same")
		}
	}
}

func unzip(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, f := range get[*zip.Reader](t)(zip.NewReader(bytes.NewReader(content), int64(len(content)))).File {
		out[f.Name] = get[[]byte](t)(io.ReadAll(get[io.ReadCloser](t)(f.Open())))
	}
	return out
}

// tampered changes a pack in each way that somebody might, makes its manifest fit
// again, and wants it refused, by the name of the file.
func tampered(t *testing.T, content []byte) {
	t.Helper()
	for name, tt := range map[string]struct {
		change func(files map[string][]byte) (fits bool) // whether the manifest is made to fit
		field  string
	}{
		"a file changed": {func(f map[string][]byte) bool { f["messages.txt"] = []byte("other"); return false }, "messages.txt"},
		"a file missing": {func(f map[string][]byte) bool { delete(f, "messages.txt"); return false }, "manifest.json"},
		"a file more":    {func(f map[string][]byte) bool { f["a.txt"] = nil; return false }, "manifest.json"},
		"no manifest":    {func(f map[string][]byte) bool { delete(f, "manifest.json"); return false }, "manifest.json"},
		"an outcome": {func(f map[string][]byte) bool {
			return swap(f, "payments/", `"outcome": "pin_free"`, `"outcome": "step_up"`)
		}, "payments/"},
		"an amount": {func(f map[string][]byte) bool { return swap(f, "payments/", `"minor": 1800`, `"minor": 8800`) }, "payments/"},
		"a switch": {func(f map[string][]byte) bool {
			return swap(f, "timeline.json", `"pin_free": false`, `"pin_free": true`)
		}, "timeline.json"},
		"a receipt":              {func(f map[string][]byte) bool { return swap(f, "receipts/pm", `\"amount\"`, `\"amonut\"`) }, "receipts/"},
		"a receipt left out":     {func(f map[string][]byte) bool { return without(f, "receipts/pm") }, "payments/"},
		"an entry's left out":    {func(f map[string][]byte) bool { return without(f, "receipts/en") }, ""},
		"without any receipt":    {func(f map[string][]byte) bool { return without(f, "receipts/") }, "manifest.json"},
		"a name out of it":       {func(f map[string][]byte) bool { f["../a"] = nil; return true }, "pack"},
		"one that is no receipt": {func(f map[string][]byte) bool { f["receipts/en1.json"] = []byte("{}"); return true }, "receipts/en1.json"},
	} {
		files := unzip(t, content)
		if tt.change(files) {
			refit(t, files)
		}
		_, err := pack.Verify(rezip(t, files), evidence.Trust{})
		var f *pack.Fault
		if !errors.As(err, &f) || !strings.HasPrefix(f.File, tt.field) || f.Words.ZH == "" || f.Words.EN == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, short := range []int{0, 1, 100, len(content) / 2, len(content) - 1} {
		if _, err := pack.Verify(content[:short], evidence.Trust{}); !errors.As(err, new(*pack.Fault)) {
			t.Errorf("cut after %d bytes: %v", short, err)
		}
	}
}

func swap(files map[string][]byte, prefix, old, with string) bool {
	for name, text := range files {
		if strings.HasPrefix(name, prefix) {
			files[name] = bytes.Replace(text, []byte(old), []byte(with), 1)
		}
	}
	return true
}

func without(files map[string][]byte, prefix string) bool {
	for name := range files {
		if strings.HasPrefix(name, prefix) {
			delete(files, name)
		}
	}
	return true
}

// refit writes a manifest that fits the files, as a forger would.
func refit(t *testing.T, files map[string][]byte) {
	t.Helper()
	var m pack.Manifest
	must(t, json.Unmarshal(files["manifest.json"], &m))
	delete(files, "manifest.json")
	m.Files = nil
	for _, name := range slices.Sorted(maps.Keys(files)) {
		m.Files = append(m.Files, pack.Listed{Name: name, Size: int64(len(files[name])), SHA256: fmt.Sprintf("%x", sha256.Sum256(files[name]))})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	must(t, e.Encode(m))
	files["manifest.json"] = b.Bytes()
}

func rezip(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		at := get[io.Writer](t)(z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store}))
		_, err := at.Write(text)
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}
