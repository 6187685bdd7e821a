package mianmi_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// module is the path that every import of ours starts with.
const module = "github.com/mianmi/mianmi"

// domain is who holds the business: transports and the store speak to these.
var domain = []string{"mianmi", "money", "pinfree", "pinfree/emv", "evidence", "secret", "access", "idempotency", "rollout", "payer", "merchant",
	"terminal", "terminal/protocol", "terminal/posture", "rules", "settings", "payment", "asof", "receipt", "support", "support/desk", "support/files", "support/help", "support/liability", "support/pack", "support/redress", "risk", "notice", "notice/inbox", "wechat", "contract", "privacy"}

// mayImport says which packages of this module a package may import, tests
// apart. "mianmi" is the root, "*" everything. A package that is not here may
// not exist: add it with the reason in the commit.
var mayImport = map[string][]string{
	"mianmi":               {},
	"money":                {},
	"pinfree":              {"mianmi", "money"}, // the root for bilingual text
	"pinfree/packs":        {"mianmi", "money", "pinfree"},
	"pinfree/cases":        {"mianmi", "money", "pinfree", "pinfree/packs"}, // foreign words mapped onto packs; its own conventions are one
	"pinfree/compare":      {"mianmi", "money", "pinfree"},
	"pinfree/emv":          {"mianmi", "money", "pinfree"},
	"evidence":             {"mianmi"},
	"evidence/witnesstest": {}, // a witness of logs, for tests
	"secret":               {"mianmi"},
	"access":               {"mianmi", "evidence", "secret"},
	"rollout":              {"mianmi"},           // pure: plan, reach and judgement
	"idempotency":          {"mianmi", "secret"}, // first answers: every transport needs them, and store keeps them
	"payer":                {"mianmi", "money", "pinfree", "evidence", "secret", "access"},
	"merchant":             {"mianmi", "money", "pinfree", "evidence", "secret", "access", "rollout", "terminal/posture"}, // the second person for a looser policy on terminals
	"terminal":             {"mianmi", "money", "pinfree", "evidence", "secret", "access", "rollout", "terminal/protocol", "terminal/posture"},
	"terminal/posture":     {"mianmi", "money", "terminal/protocol"},                                                 // conditions on what terminals report, in CEL
	"terminal/protocol":    {"mianmi", "money"},                                                                      // the words between host and terminal: both sides speak them
	"rules":                {"mianmi", "money", "pinfree", "pinfree/compare", "pinfree/packs", "evidence", "access"}, // the life of rule packs
	"settings":             {"mianmi", "money", "pinfree", "pinfree/emv", "rollout", "merchant", "terminal", "terminal/protocol", "terminal/posture", "rules"},
	"channel":              {"mianmi", "money"},
	"channel/channeltest":  {"mianmi", "money", "channel"},
	"channel/wallet":       {"mianmi", "money", "channel"},
	"channel/wechatpay":    {"mianmi", "money", "channel"},
	"channel/iso8583":      {"mianmi", "money", "channel"},
	"payment":              {"mianmi", "money", "pinfree", "pinfree/compare", "evidence", "payer", "merchant", "terminal", "settings", "channel", "secret"},
	"asof":                 {"mianmi", "money", "rollout", "pinfree", "evidence", "access", "payer", "merchant", "terminal", "rules", "settings", "payment"},         // what was in force, read back from what each of them recorded
	"receipt":              {"mianmi", "money", "rollout", "pinfree", "evidence", "secret", "access", "payer", "merchant", "terminal", "payment", "contract", "pdf"}, // what receipts say, and who may have them
	"pdf":                  {"mianmi"},
	"support":              {"mianmi", "money", "evidence", "secret", "access", "payment", "payer", "merchant", "terminal"},                                                                       // rights, digests of words
	"support/pack":         {"mianmi", "money", "pinfree", "evidence", "access", "asof", "payment", "payer", "terminal", "receipt", "pdf", "support/desk", "support/liability"},                   // the file for those who have no login here
	"support/desk":         {"mianmi", "money", "evidence", "secret", "access", "channel", "payment", "payer", "support", "support/files"},                                                        // cases; support acts through the payers' own service
	"support/liability":    {"mianmi", "money", "pinfree", "evidence", "access", "asof", "payment", "payer", "terminal", "support/desk"},                                                          // who bears what, from what was recorded
	"support/redress":      {"mianmi", "payment", "risk", "support/desk"},                                                                                                                         // alarms of broken promises lead to refunds
	"support/files":        {"mianmi", "secret", "payer"},                                                                                                                                         // what is attached; what looks like a card number
	"support/help":         {"mianmi", "payer"},                                                                                                                                                   // the payer's day, by which notices hold
	"risk":                 {"mianmi", "money", "pinfree", "evidence", "secret", "access", "payment", "payer", "merchant", "terminal"},                                                            // names of outcomes and reasons; rights, digests of words
	"notice":               {"mianmi", "money", "rollout", "evidence", "payment", "payer", "merchant", "terminal", "access", "secret", "settings", "pinfree", "contract", "support/desk", "risk"}, // rights, sealed secrets, who listens; names of methods
	"privacy":              {"mianmi", "evidence", "secret", "access", "payer"},                                                                                                                   // what is kept on a person; what looks like a card number
	"notice/inbox":         {"mianmi", "money", "pinfree", "evidence", "access", "payer", "payment", "settings", "channel"},                                                                       // a view over what was recorded; names of failures
	"wechat":               {"mianmi", "money", "pinfree", "channel", "evidence", "secret", "access", "settings", "payer", "payment", "notice", "support"},                                        // payments, agreements, keys and queues in WeChat Pay's form
	"contract":             {"mianmi", "evidence", "access", "payer", "channel"},                                                                                                                  // what payers signed at channels, for an agreement here
	"store":                append([]string{"channel"}, domain...),                                                                                                                                // postings are written as they are
	"store/pgtest":         {},
	"store/storetest":      append([]string{"store", "store/pgtest", "channel", "channel/wallet", "channel/channeltest", "pinfree/packs", "pinfree/compare"}, domain...),
	"torture":              {"*"}, // drives whole servers and looks into their databases; run by cmd
	"fleet":                {"mianmi", "money", "secret", "evidence", "terminal", "terminal/protocol", "payment", "update"},
	"fleet/natstest":       {},                                                                                                                        // NATS servers for tests, to be killed
	"agent":                {"mianmi", "money", "terminal/protocol", "api/client", "update", "agent/disk", "agent/link", "agent/model", "agent/slot"}, // payments are the API's, so is their client
	"agent/disk":           {},                                                                                                                        // files that survive the loss of power
	"agent/disk/disktest":  {"agent/disk"},
	"agent/slot":           {"agent/disk", "update"}, // which program runs
	"agent/model":          {"mianmi"},
	"agent/link":           {"mianmi", "terminal/protocol", "api/client"}, // the way to the host and its check
	"agent/screen":         {"mianmi", "money", "terminal/protocol", "api/client", "agent", "agent/link", "agent/model", "web/ui", "web/static"},
	"agent/agenttest":      {"mianmi", "money", "terminal/protocol", "api/client"}, // a small working host
	"update":               {"mianmi", "terminal/protocol"},                        // TUF repositories and their client: host and terminal
	"api":                  domain,
	"api/client":           {"mianmi", "money"},
	"api/wechatv3":         domain,
	"web":                  append([]string{"web/payer", "web/console", "web/ui", "web/static"}, domain...),
	"web/payer":            append([]string{"web/site", "web/ui", "web/static"}, domain...),
	"web/console":          append([]string{"web/site", "web/ui", "web/static"}, domain...),
	"web/site/sitetest":    {"mianmi", "secret", "web/site"},
	"web/site":             {"mianmi", "secret", "access", "web/ui"}, // sessions in cookies, forms, headers: what pages with a login share
	"web/check":            {"mianmi", "evidence", "receipt"},        // for anybody, without a session: it knows nothing else
	"web/ui":               {"mianmi", "money"},
	"web/webtest":          {}, // a real browser and axe-core, for tests
	"web/static":           {},
	"bench":                {"*"}, // drives everything; run by cmd
	"demo":                 {"*"}, // the story; run by cmd
	"cmd/mianmi":           {"*"},

	"channel/wechatpay/wechatpaytest": {}, // a small WeChat Pay for tests
}

// plain is the part of the standard library that gives the same answer to the
// same question, for ever.
var plain = []string{"bytes", "cmp", "crypto/sha256", "encoding/hex", "encoding/json", "errors", "fmt", "io", "iter", "maps", "math", "math/big", "math/bits",
	"slices", "sort", "strconv", "strings", "time", "time/tzdata", "unicode", "unicode/utf8"}

// outside lists all that a pure package may import from outside this module;
// "/…" ends a prefix. Packages that are not here are free.
var outside = map[string][]string{
	"money":       plain,
	"pinfree/emv": plain,
	"rollout":     append([]string{"encoding/binary"}, plain...), // SHA-256 as a number
	"pinfree":     append([]string{"cel.dev/cel-go/…", "sync"}, plain...),

	"pinfree/compare": append([]string{"bufio"}, plain...), // reads a log by lines
}

// The tree keeps to the layout and to the limits of style that a machine can
// see: who imports whom, clock and chance in cmd alone, sizes, comments.
func TestLayout(t *testing.T) {
	t.Parallel()
	faults, err := checkTree(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

// Each rule finds the fault that it is there for, and no rule objects to a
// tree that keeps to them: a check that cannot fail proves nothing.
func TestLayoutRulesCanFail(t *testing.T) {
	t.Parallel()
	const doc = "// Package p is for the test.\n"
	long := strings.Repeat("\t_ = 0\n", 70)
	tests := []struct {
		name, path, source string
		want               string // part of the only fault; empty: none
	}{
		{"an allowed arrow", "payer/p.go", doc + `package payer; import _ "github.com/mianmi/mianmi/money"`, ""},
		{"an arrow to the store", "payer/p.go", doc + `package payer; import _ "github.com/mianmi/mianmi/store"`, "payer may not import store"},
		{"an arrow to the root from money", "money/p.go", doc + `package money; import _ "github.com/mianmi/mianmi"`, "money may not import mianmi"},
		{"an arrow to cmd", "cmd/mianmi/p.go", doc + `package main; import _ "github.com/mianmi/mianmi/cmd/mianmi"`, "may not import cmd/mianmi"},
		{"a test imports more", "payer/p_test.go", `package payer; import _ "github.com/mianmi/mianmi/store"`, ""},
		{"a package that nobody planned", "util/p.go", doc + `package util`, "not in the table"},
		{"a package below a planned one", "payer/internal/p.go", doc + `package internal`, "not in the table"},
		{"a log in money", "money/p.go", doc + `package money; import _ "log/slog"`, `money may not import "log/slog"`},
		{"a context in pinfree", "pinfree/p.go", doc + `package pinfree; import _ "context"`, `pinfree may not import "context"`},
		{"conditions in pinfree", "pinfree/p.go", doc + `package pinfree; import _ "cel.dev/cel-go/cel"`, ""},
		{"a stranger in pinfree", "pinfree/p.go", doc + `package pinfree; import _ "example.org/x"`, `pinfree may not import "example.org/x"`},
		{"the clock in a service", "payer/p.go", doc + `package payer; import "time"; var t = time.Now()`, "time.Now"},
		{"the clock as a value", "payer/p.go", doc + `package payer; import "time"; var t = time.Now`, "time.Now"},
		{"the clock under another name", "payer/p.go", doc + `package payer; import x "time"; var t = x.Since(x.Time{})`, "time.Since"},
		{"the clock without a name", "payer/p.go", doc + `package payer; import . "time"; var t = Until(Time{})`, "dot import"},
		{"something else called time", "payer/p.go", doc + `package payer; type c struct{ Now int }; func f(time c) int { return time.Now }`, ""},
		{"the clock in cmd", "cmd/mianmi/p.go", doc + `package main; import "time"; var t = time.Now()`, ""},
		{"the clock in a test", "payer/p_test.go", `package payer; import "time"; var t = time.Now()`, ""},
		{"chance in a service", "secret/p.go", doc + `package secret; import _ "crypto/rand"`, `"crypto/rand"`},
		{"weak chance in a service", "payment/p.go", doc + `package payment; import _ "math/rand/v2"`, `"math/rand/v2"`},
		{"chance in a test", "payment/p_test.go", `package payment; import _ "math/rand/v2"`, ""},
		{"a root context in a service", "payment/p.go", doc + `package payment; import "context"; var c = context.Background()`, "context.Background"},
		{"a test that sleeps", "payment/p_test.go", `package payment; import "time"; func f() { time.Sleep(1) }`, "time.Sleep"},
		{"a file of 400 lines", "payer/p.go", doc + "package payer\n" + strings.Repeat("\n", 398), ""},
		{"a file of 401 lines", "payer/p.go", doc + "package payer\n" + strings.Repeat("\n", 399), "401 lines"},
		{"a long generated file", "payer/p.go", "// Code generated by x. DO NOT EDIT.\n\n" + doc + "package payer\n" + strings.Repeat("\n", 500), ""},
		{"a function of 70 lines", "payer/p.go", doc + "package payer\nfunc f() {\n" + long[:68*7] + "}\n", ""},
		{"a function of 71 lines", "payer/p.go", doc + "package payer\nfunc f() {\n" + long[:69*7] + "}\n", "f has 71 lines"},
		{"a package without comment", "payer/p.go", "package payer\n", "no package comment"},
		{"a package of tests only", "payer/p_test.go", "package payer\n", ""},
		{"work left without an issue", "payer/p.go", doc + "package payer\n// TO" + "DO: later\n", "without its issue"},
		{"work left with its issue", "payer/p.go", doc + "package payer\n// TO" + "DO(#12): later\n", ""},
		{"a registry", "docs/p.md", "get it from " + "registry" + ".npmjs.org", "names a host"},
		{"a folder of one machine", "scripts/p.sh", "cd " + "/root" + "/src", "names a folder"},
		{"a file that does not parse", "payer/p.go", "packag payer", "expected 'package'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			faults, err := checkTree(fstest.MapFS{tt.path: {Data: []byte(tt.source)}})
			if err != nil {
				faults = append(faults, err.Error())
			}
			switch {
			case tt.want == "" && len(faults) > 0:
				t.Errorf("faults in a good tree: %q", faults)
			case tt.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], tt.want)):
				t.Errorf("faults %q, want one with %q", faults, tt.want)
			}
		})
	}
}

// The table itself holds no arrow to a package that it does not know, and the
// arrows make no circle.
func TestLayoutTableIsSound(t *testing.T) {
	t.Parallel()
	var visit func(path []string)
	visit = func(path []string) {
		last := path[len(path)-1]
		for _, to := range mayImport[last] {
			if _, known := mayImport[to]; !known && to != "*" {
				t.Errorf("%s may import %s, which is not in the table", last, to)
			}
			if slices.Contains(path, to) {
				t.Errorf("a circle: %s", strings.Join(append(path, to), " → "))
				continue
			}
			visit(append(slices.Clone(path), to))
		}
	}
	for name := range mayImport {
		visit([]string{name})
	}
}
