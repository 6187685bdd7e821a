package main

import (
	"archive/zip"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/api/client"
)

// A person is exported and erased by an operator who proves who that is, beside a
// running server; what is wrong is told, and leaves the person.
func TestPrivacyByCommandLine(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	p := must(srv.As(s.wallet).CreatePayer(t.Context(), client.NewPayer{Phone: "+8613912345678", Name: "司马清", Currency: "CNY"}))(t)
	file := filepath.Join(t.TempDir(), "person.zip")
	wantRun(t, "nobody exports", s.run(t, "privacy", "export", string(p.ID), "--out="+file, "--lang=en"), exitFailed, "may not do this")
	one, two, three := s.member(t, "privacy.one", "operator"), s.member(t, "privacy.two", "operator"), s.member(t, "agent.one", "support_agent")
	wantRun(t, "exported", s.as(t, one, "privacy", "export", string(p.ID), "--out="+file, "--lang=zh"), exitOK, "已写入", "导出已存证")
	z := must(zip.OpenReader(file))(t)
	defer z.Close() //nolint:errcheck // a test's
	if _, err := z.Open("person.json"); err != nil || len(z.File) < 20 {
		t.Errorf("%d files, %v", len(z.File), err)
	}
	erase := []string{"privacy", "erase", string(p.ID), "--basis=DSR-2026-7", "--lang=en"}
	wantRun(t, "nobody erases", s.run(t, erase...), exitFailed, "may not do this")
	wantRun(t, "nor does support", s.as(t, three, erase...), exitFailed, "may not do this")
	wantRun(t, "a time that is too short", s.run(t, append(erase, "--keep-persons=1h")...), exitFailed, "--keep-persons")
	wantRun(t, "no basis", s.run(t, "privacy", "erase", string(p.ID)), exitUsage)
	wantRun(t, "erased", s.as(t, two, erase...), exitOK, "erased the person of "+string(p.ID))
}
