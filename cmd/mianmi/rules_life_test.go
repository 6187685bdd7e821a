package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/mianmi/mianmi/store/pgtest"
)

// member is a person of staff as the command line made them.
type member struct{ login, password, secret string }

func (w world) member(t *testing.T, login, role string) member {
	t.Helper()
	got := w.run(t, "staff", "create", login, "--role="+role)
	find := func(what string) string {
		m := regexp.MustCompile(what + `\s+(\S+)`).FindStringSubmatch(got.stdout)
		if m == nil {
			t.Fatalf("no %s in %+v", what, got)
		}
		return m[1]
	}
	return member{login, find("password"), find("one-time-password secret")}
}

// as runs a subcommand that asks for the member's password and code.
func (w world) as(t *testing.T, m member, args ...string) result {
	t.Helper()
	code, err := totp.GenerateCode(m.secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, stdout, stderr := w.app()
	a.stdin = strings.NewReader(m.password + "\n" + code + "\n")
	status := run(t.Context(), append(args, "--login="+m.login), a)
	return result{status, stdout.String(), stderr.String()}
}

// codesPack is a pack that permits payment codes in CNY up to a limit.
func (w world) codesPack(t *testing.T, name string, version, atMost int) string {
	t.Helper()
	return w.file(t, name, fmt.Sprintf(`id: codes
version: %d
edition: "1"
layer: regulation
title: {zh: 付款码, en: Payment codes}
zone: Asia/Shanghai
permits: true
sources: [{title: t, url: "https://example.org", read: "2026-01-01", quality: primary}]
when: {methods: [payment_code], currencies: [CNY]}
limits:
  - {id: each, title: {zh: 单笔, en: Each}, amount: {at_most: %d}, above: step_up}
`, version, atMost))
}

func wantRun(t *testing.T, what string, got result, code int, want ...string) {
	t.Helper()
	if got.code != code {
		t.Errorf("%s: status %d, want %d; %s%s", what, got.code, code, got.stdout, got.stderr)
	}
	for _, w := range want {
		if !strings.Contains(got.stdout+got.stderr, w) {
			t.Errorf("%s: told %q %q, want %q in it", what, got.stdout, got.stderr, w)
		}
	}
}

var changeID = regexp.MustCompile(`rc[0-9a-z]{26}`)

// On the command line a tightening takes one, everything else two persons who
// prove who they are, on both engines.
func TestRulesLife(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if engine == "postgres" {
				w.environ = append(w.environ, "MIANMI_DB="+pgtest.Open(t))
			}
			w.run(t, "migrate")
			first, second := w.member(t, "first", "operator"), w.member(t, "second", "operator")
			auditor := w.member(t, "auditor", "auditor")
			if s, _ := w.doctor(t); s["rules"] != "ok" {
				t.Errorf("the doctor before the first start: %v", s)
			}

			pack := w.codesPack(t, "codes.yaml", 1, 1000)
			got := w.run(t, "rules", "propose", pack, "--note=先试用")
			wantRun(t, "a new pack", got, exitOK, "codes@1", "waits for a second person", "mianmi rules approve rc")
			id := changeID.FindString(got.stdout)
			wantRun(t, "what waits", w.run(t, "rules", "changes"), exitOK, id, "system:command-line", "codes@1", "先试用")
			wantRun(t, "the whole of it", w.run(t, "rules", "changes", id), exitOK, "at_most: 1000", "先试用", "sha256:")
			if s, _ := w.doctor(t); s["rules"] != "ok" && s["rules"] != "warn" {
				t.Errorf("the doctor: %v", s)
			}
			wantRun(t, "nobody approves", w.run(t, "rules", "approve", id), exitFailed, "login")
			wantRun(t, "an auditor approves", w.as(t, auditor, "rules", "approve", id), exitFailed, "not")
			wrong := first
			wrong.password = "wrong"
			wantRun(t, "a wrong password", w.as(t, wrong, "rules", "approve", id), exitFailed, "password")
			wantRun(t, "a person approves", w.as(t, first, "rules", "approve", id), exitOK, "in force", "codes@1")
			if s, _ := w.doctor(t); s["rules"] != "ok" {
				t.Errorf("the doctor with a pack in force: %v", s)
			}

			lower, higher := w.codesPack(t, "lower.yaml", 2, 500), w.codesPack(t, "higher.yaml", 3, 5000)
			wantRun(t, "a dry run of less", w.run(t, "rules", "dry-run", lower), exitOK, "a tightening", "codes/each/amount.at_most", "1000 → 500")
			wantRun(t, "less", w.run(t, "rules", "propose", lower), exitOK, "in force", "codes@2")
			wantRun(t, "a dry run of more", w.run(t, "rules", "dry-run", higher), exitOK, "second person", "codes/limits[each]", "500 → 5000")
			got = w.as(t, second, "rules", "propose", higher)
			wantRun(t, "more", got, exitOK, "waits for a second person")
			if s, _ := w.doctor(t); s["rules"] != "warn" {
				t.Errorf("the doctor while a change waits: %v", s)
			}
			wantRun(t, "it is taken back by nobody", w.run(t, "rules", "take-back", changeID.FindString(got.stdout)), exitFailed, "only who proposed it")
			wantRun(t, "it goes", w.run(t, "rules", "withdraw", "codes"), exitOK, "in force", "-codes")
			wantRun(t, "the rest", w.run(t, "rules", "changes", "--all"), exitOK, "lapsed", "codes@3")
			wantRun(t, "history", w.run(t, "rules", "history", "codes"), exitOK, "codes@2", "replaced", "withdrawn", "-codes")
			wantRun(t, "a text", w.run(t, "rules", "history", "codes", "--version=1"), exitOK, "at_most: 1000")
			wantRun(t, "a version that is not there", w.run(t, "rules", "history", "codes", "--version=7"), exitFailed, "version 7")
		})
	}
}

// brought runs serve until it serves or fails, and returns what it logged.
func (w world) brought(t *testing.T, args ...string) (code int, log string) {
	t.Helper()
	a, _, _ := w.app()
	var stderr bytes.Buffer
	a.stderr = &stderr
	// A port that cannot be listened on ends the start after the packs.
	code = run(t.Context(), append([]string{"serve", "--listen=127.0.0.1:99999"}, args...), a)
	return code, stderr.String()
}

// The start follows the folder: faults end it with file, line and field, and
// what is looser waits and is told.
func TestRulesStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(w.dir, "packs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	inFolder := func(name string, version, atMost int) string {
		text, err := os.ReadFile(w.codesPack(t, "x.yaml", version, atMost))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	starts := func(what string, want []string, args ...string) {
		t.Helper()
		code, log := w.brought(t, append(args, "--packs-dir="+dir)...)
		if code != exitFailed {
			t.Fatalf("%s: status %d", what, code)
		}
		for _, text := range want {
			if !strings.Contains(log, text) {
				t.Errorf("%s: told %s, want %q in it", what, log, text)
			}
		}
	}
	text := inFolder("codes.yaml", 1, 1000)
	bad := filepath.Join(dir, "codes.yaml")
	if err := os.WriteFile(bad, []byte(strings.Replace(text, "above: step_up", "above: ask", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	starts("a bad pack", []string{bad + ":11: limits[0].above"})
	starts("a pack that is not shipped", []string{`there is no pack "nope"`, "cn-unionpay-2018"}, "--packs=nope")
	inFolder("codes.yaml", 1, 1000)
	starts("the first start", []string{"rule packs are in force", "cn-unionpay-2018@", "codes@1", "listen"}, "--packs=cn-unionpay-2018")
	inFolder("codes.yaml", 2, 5000)
	starts("a looser file", []string{"wait for a second person", "codes@2", "mianmi rules approve rc"}, "--packs=cn-unionpay-2018")
	starts("the same again", []string{"wait for a second person", "codes@2", "mianmi rules approve rc"}, "--packs=cn-unionpay-2018")
	inFolder("codes.yaml", 3, 500)
	starts("a stricter file", []string{"rule packs were tightened", "codes@3"}, "--packs=cn-unionpay-2018")
	inFolder("codes.yaml", 3, 400)
	starts("a version twice", []string{bad + ": version", "greater version"}, "--packs=cn-unionpay-2018")
	inFolder("codes.yaml", 3, 500)
	starts("a shipped pack less", []string{"rule packs were tightened", "-cn-unionpay-2018"}, "--packs=cn-pboc-barcode-2018")
	wantRun(t, "what waits", w.run(t, "rules", "changes"), exitOK, "cn-pboc-barcode-2018@", "system:start")
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	starts("no file", []string{"rule packs were tightened", "-codes"}, "--packs=cn-pboc-barcode-2018")
	code, log := w.brought(t, "--packs-dir="+filepath.Join(w.dir, "nowhere"))
	if code != exitFailed || !strings.Contains(log, "--packs-dir") {
		t.Errorf("a folder that is not there: %d %s", code, log)
	}
}
