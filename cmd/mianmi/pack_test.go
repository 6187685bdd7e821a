package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/secret"
)

// The proof pack made by a command beside a running server and by that server is the
// same file; it is verified with the log's key, and with the receipt of its handing
// out; one byte more or less is told.
func TestPackByCommandLine(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	s.pay(t, srv, 0)
	found := must(srv.As(s.operators[0]).FindPayments(t.Context(), client.Find{Payer: s.payers[0]}))(t)
	c := must(srv.As(s.operators[0]).OpenCase(t.Context(), client.NewCase{Kind: "fraud", Payer: s.payers[0], Text: "来电：不是本人",
		Links: []client.CaseLink{{Kind: "payment", Ref: string(found.Items[0].ID)}}}))(t)
	agent := s.member(t, "agent.one", "support_agent")
	file := filepath.Join(t.TempDir(), "case.zip")
	made := s.as(t, agent, "case", "pack", c.Number, "--out="+file, "--lang=en")
	wantRun(t, "made", made, exitOK, "wrote", "SHA-256")
	wantRun(t, "who bears it", s.as(t, s.member(t, "agent.two", "support_agent"), "case", "liability", c.Number, "--lang=zh"), exitOK, "付款人报告", "缺口 ¥1.00")
	keys := must(secret.Load(s.keys(t)))(t)
	again := must(srv.As(s.operators[0]).PackCase(t.Context(), c.ID, false))(t)
	content := must(os.ReadFile(file))(t)
	if !bytes.Equal(again.Zip, content) {
		t.Error("the server makes another pack than the command line")
	}
	wantRun(t, "without a key", s.run(t, "pack", "verify", file, "--lang=zh"), exitOK, "✓ 证据包成立", "注意")
	receipt := file + ".receipt.json"
	wantRun(t, "with all", s.run(t, "pack", "verify", file, "--key="+logKey(t, keys), "--receipt="+receipt, "--lang=en"), exitOK, "holds", "is one that you gave", "this very file")
	wantRun(t, "another key", s.run(t, "pack", "verify", file, "--key="+logKey(t, must(secret.New(systemRandom))(t)), "--lang=en"), exitFailed, "does not hold")
	if err := os.WriteFile(file, append(content, 0), 0o600); err != nil {
		t.Fatal(err)
	}
	wantRun(t, "a byte more", s.run(t, "pack", "verify", file, "--receipt="+receipt, "--lang=en"), exitFailed, "does not hold")
	wantRun(t, "no such file", s.run(t, "pack", "verify", file+".no", "--lang=en"), exitFailed)
}
