package main

import (
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/api/client"
)

// The doctor says when nothing can be attached: the folder is away, or the scanner.
func TestDoctorOfFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "migrate")
	w.keys(t)
	if got, code := w.doctor(t, "--files="+t.TempDir()); got["cases.files"] != "ok" || got["cases.scanner"] != "" || code != exitOK {
		t.Errorf("as it should be: %d, %v", code, got)
	}
	got, code := w.doctor(t, "--files="+filepath.Join(w.dir, "not mounted"), "--scan-clamd="+filepath.Join(w.dir, "no.socket"))
	if got["cases.files"] != "fail" || got["cases.scanner"] != "fail" || code != exitFailed {
		t.Errorf("away: %d, %v", code, got)
	}
	wantRun(t, "no address", w.run(t, "serve", "--scan-clamd=clamd", "--lang=en"), exitUsage, "--scan-clamd")
}

// A server whose folder is away goes on and takes no file; the next one, with the
// default folder, does, and a third reads it.
func TestServeWithoutFiles(t *testing.T) {
	t.Parallel()
	shop, srv := newShop(t)
	srv.stop()
	away := shop.serve(t, "--files="+filepath.Join(shop.dir, "not mounted"))
	c := must(away.As(shop.operators[0]).OpenCase(t.Context(), client.NewCase{Kind: "help", Payer: shop.payers[0], Text: "来电"}))(t)
	if _, err := away.As(shop.operators[0]).AttachFile(t.Context(), c.ID, "n", "payer", []byte("小票")); client.Code(err) != "files_away" {
		t.Errorf("without its folder: %v", err)
	}
	away.stop()
	takes := shop.serve(t)
	c = must(takes.As(shop.operators[0]).AttachFile(t.Context(), c.ID, "n", "payer", []byte("小票")))(t)
	takes.stop()
	if b, err := shop.serve(t).As(shop.operators[1]).CaseFileContent(t.Context(), c.ID, c.Files[0].ID); err != nil || string(b) != "小票" {
		t.Errorf("read back: %q, %v", b, err)
	}
}
