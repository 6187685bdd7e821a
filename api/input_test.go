package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// badInput is a request that must be refused, and the field at fault.
type badInput struct {
	name, method, path string
	body               string
	status             int
	code, field        string
}

const goodPayment = `{"terminal":"{terminal}","order_no":"B1","amount":{"minor":1800,"currency":"CNY"},"method":"payment_code","code":"{code}","entry":"scanned"}`

// with returns goodPayment with one part replaced.
func with(old, new string) string { return strings.Replace(goodPayment, old, new, 1) }

var badInputs = []badInput{
	{"no JSON", "POST", "/v1/payments", `{`, 400, "malformed_json", ""},
	{"a list", "POST", "/v1/payments", `[]`, 422, "invalid", ""},
	{"two documents", "POST", "/v1/payments", goodPayment + goodPayment, 400, "malformed_json", ""},
	{"an unknown member", "POST", "/v1/payments", with(`"order_no"`, `"pin":"1","order_no"`), 422, "invalid", "pin"},
	{"a member in other letters", "POST", "/v1/payments", with(`"order_no"`, `"Order_No"`), 422, "invalid", "Order_No"},
	{"a member twice", "POST", "/v1/payments", with(`"order_no":"B1"`, `"order_no":"B1","order_no":"B2"`), 400, "malformed_json", "order_no"},
	{"a decimal amount", "POST", "/v1/payments", with(`1800`, `18.00`), 422, "invalid", "amount.minor"},
	{"an amount as text", "POST", "/v1/payments", with(`1800`, `"1800"`), 422, "invalid", "amount.minor"},
	{"an amount past 64 bits", "POST", "/v1/payments", with(`1800`, `9223372036854775808`), 422, "invalid", "amount.minor"},
	{"no amount", "POST", "/v1/payments", with(`"amount":{"minor":1800,"currency":"CNY"},`, ``), 422, "invalid", "amount.currency"},
	{"a negative amount", "POST", "/v1/payments", with(`1800`, `-1`), 422, "invalid", "amount.minor"},
	{"no currency of this world", "POST", "/v1/payments", with(`CNY`, `yuan`), 422, "invalid", "amount.currency"},
	{"no terminal", "POST", "/v1/payments", with(`"terminal":"{terminal}",`, ``), 422, "invalid", "terminal"},
	{"another's terminal", "POST", "/v1/payments", with(`{terminal}`, `{other terminal}`), 422, "invalid", "terminal"},
	{"no order number", "POST", "/v1/payments", with(`"order_no":"B1",`, ``), 422, "invalid", "order_no"},
	{"an unknown method", "POST", "/v1/payments", with(`"payment_code"`, `"cheque"`), 422, "invalid", "method"},
	{"no method", "POST", "/v1/payments", with(`"method":"payment_code",`, ``), 422, "invalid", "method"},
	{"an unknown way to read a code", "POST", "/v1/payments", with(`"scanned"`, `"guessed"`), 422, "invalid", "entry"},
	{"an unknown verification", "POST", "/v1/payments", with(`"entry"`, `"cvm":"smile","entry"`), 422, "invalid", "cvm"},
	{"a short code", "POST", "/v1/payments", with(`{code}`, `123`), 422, "invalid", "code"},
	{"a code that was never issued", "POST", "/v1/payments", with(`{code}`, `880010000000000000`), 422, "code_invalid", "code"},
	{"a card number as instrument", "POST", "/v1/payments", with(`"payment_code","code":"{code}"`, `"card_tap","instrument":"4111111111111111"`), 422, "invalid", "instrument"},
	{"no payments in a batch", "POST", "/v1/payment-batches", `{"payments":[]}`, 422, "invalid", "payments"},
	{"too many payments in a batch", "POST", "/v1/payment-batches", `{"payments":[` + strings.Repeat(`{},`, 100) + `{}]}`, 422, "invalid", "payments"},
	{"an unknown member deep in a batch", "POST", "/v1/payment-batches", `{"payments":[{},{"amount":{"major":1}}]}`, 422, "invalid", "payments[1].amount.major"},
	{"a body that is too large", "POST", "/v1/payments", `{"code":"` + strings.Repeat("1", 64<<10) + `"}`, 413, "body_too_large", ""},
	{"a batch that is too large", "POST", "/v1/payment-batches", `{"code":"` + strings.Repeat("1", 1<<20) + `"}`, 413, "body_too_large", ""},

	{"a large body elsewhere", "POST", "/v1/stores/{store}/terminals", `{"name":"` + strings.Repeat("a", 64<<10) + `"}`, 413, "body_too_large", ""},
	{"no body where there must be one", "POST", "/v1/stores/{store}/terminals", ``, 400, "malformed_json", ""},
	{"no JSON elsewhere", "POST", "/v1/stores/{store}/terminals", `{"name"`, 400, "malformed_json", "name"},
	{"an unknown member elsewhere", "POST", "/v1/stores/{store}/terminals", `{"name":"a","model":"{model}","serial":"1"}`, 422, "invalid", "serial"},
	{"a member in other letters elsewhere", "POST", "/v1/stores/{store}/terminals", `{"NAME":"a","model":"{model}"}`, 422, "invalid", "NAME"},
	{"a missing member", "POST", "/v1/stores/{store}/terminals", `{"name":"a"}`, 422, "invalid", "model"},
	{"a name of spaces", "POST", "/v1/stores/{store}/terminals", `{"name":" ","model":"{model}"}`, 422, "invalid", "name"},
	{"a model that is not there", "POST", "/v1/stores/{store}/terminals", `{"name":"a","model":"md0"}`, 422, "invalid", "model"},
	{"a store that is not there", "POST", "/v1/stores/st0/terminals", `{"name":"a","model":"{model}"}`, 422, "invalid", "store"},
	{"a number where a text must be", "PATCH", "/v1/terminals/{terminal}", `{"name":1}`, 422, "invalid", "name"},
	{"an unknown method of a policy", "PUT", "/v1/terminals/{terminal}/policy", `{"pin_free":false,"methods":["cash","cheque"]}`, 422, "invalid", "methods[1]"},
	{"a policy in another currency", "PUT", "/v1/merchants/{merchant}/policy", `{"pin_free":true,"per_payment":{"minor":1,"currency":"EUR"}}`, 422, "invalid", "per_payment.currency"},
	{"a stop of no scope", "POST", "/v1/emergency-stops", `{"scope":"galaxy","reason":"x","seconds":60}`, 422, "invalid", "scope"},
	{"a stop that lasts too long", "POST", "/v1/emergency-stops", `{"scope":"everything","reason":"x","seconds":9999999}`, 422, "invalid", "seconds"},
	{"a refund of nothing", "POST", "/v1/payments/{payment}/refunds", `{"refund_no":"R1","amount":{"minor":0,"currency":"CNY"}}`, 422, "invalid", "amount"},
	{"a payment that is not there", "GET", "/v1/payments/pm0001j9zqk4x8b2c3d4e5f6g7h8j9", ``, 404, "not_found", ""},
	{"an identifier of another kind", "GET", "/v1/payments/xx", ``, 404, "not_found", ""},
	{"an unknown query parameter", "GET", "/v1/merchants/{merchant}/stores?limits=5", ``, 422, "invalid", "limits"},
	{"a page that is too long", "GET", "/v1/merchants/{merchant}/stores?limit=201", ``, 422, "invalid", "limit"},
	{"a page of letters", "GET", "/v1/merchants/{merchant}/stores?limit=many", ``, 422, "invalid", "limit"},
	{"an address that is not there", "GET", "/v1/nothing", ``, 404, "not_found", ""},
	{"a method that the address has not", "DELETE", "/v1/payments", ``, 405, "method_not_allowed", ""},
}

// Bad input gets a clear error that names the field, and nothing is written.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	s, other, p := w.shop("晨光超市"), w.shop("别家"), w.person("+8613800000001")
	paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00)))
	key := get[client.APIKey](t)(s.admin.CreateAPIKey(ctx, client.NewAPIKey{Name: "k", Merchant: s.merchant.ID, Scopes: []string{"pay", "refund", "tighten", "manage", "read"}}))
	fill := strings.NewReplacer("{terminal}", string(s.terminal.ID), "{other terminal}", string(other.terminal.ID), "{store}", string(s.store.ID),
		"{model}", string(s.model.ID), "{merchant}", string(s.merchant.ID), "{payment}", string(paid.ID), "{code}", w.code(p))
	before := w.counts()
	for _, tt := range badInputs {
		res := w.raw(tt.method, fill.Replace(tt.path), key.Token, fill.Replace(tt.body))
		var got client.Problem
		if err := json.Unmarshal(res.body, &got); err != nil {
			t.Errorf("%s: no problem document: %v", tt.name, err)
			continue
		}
		if res.status != tt.status || got.Status != tt.status || got.Code != tt.code || got.Field != tt.field {
			t.Errorf("%s: %d %s at %q (%s), want %d %s at %q", tt.name, res.status, got.Code, got.Field, got.Detail, tt.status, tt.code, tt.field)
		}
		if got.Title == "" || got.RequestID == "" || got.RequestID != res.header.Get("X-Request-Id") || res.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: an incomplete problem: %+v, %v", tt.name, got, res.header)
		}
	}
	if after := w.counts(); after != before {
		t.Errorf("bad input was written: %+v, then %+v", before, after)
	}
	if got := get[client.Payer](t)(p.app.Payer(ctx, client.Me)).Balance; got != money.Of(1000_00-18_00, "CNY") {
		t.Errorf("balance %v", got)
	}
}

// counts is how much there is of what requests could have written.
type counts struct{ terminals, stores, payments, stops, refunds int }

func (w *world) counts() (n counts) {
	w.t.Helper()
	ctx, t := w.t.Context(), w.t
	for _, m := range get[client.List[client.Merchant]](t)(w.operator.Merchants(ctx, client.Page{})).Items {
		n.terminals += len(get[client.List[client.Terminal]](t)(w.operator.Terminals(ctx, m.ID, client.Page{})).Items)
		n.stores += len(get[client.List[client.Store]](t)(w.operator.Stores(ctx, m.ID, client.Page{})).Items)
	}
	n.stops = len(get[client.List[client.Stop]](t)(w.operator.Stops(ctx, "", false, client.Page{})).Items)
	payer := get[client.List[client.Payment]](t)(w.operator.PayerPayments(ctx, get[mianmi.PayerID](t)(w.operator.FindPayer(ctx, "+8613800000001")), "", 0))
	n.payments = len(payer.Items)
	for _, p := range payer.Items {
		n.refunds += len(get[[]client.Refund](t)(w.operator.Refunds(ctx, p.ID)))
	}
	return n
}

// What a body must be declared as.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	for _, tt := range []struct {
		contentType string
		status      int
	}{
		{"application/json", 401}, {"application/json; charset=utf-8", 401}, {"application/json;charset=UTF-8", 401},
		{"text/plain", 415}, {"application/x-www-form-urlencoded", 415}, {"application/json; charset=gbk", 415}, {"application/jsonp", 415}, {"", 415},
	} {
		for _, path := range []string{"/v1/payments", "/v1/payers"} {
			if res := w.raw("POST", path, "", "{}", "Content-Type", tt.contentType); res.status != tt.status {
				t.Errorf("%s as %q: %d, want %d", path, tt.contentType, res.status, tt.status)
			}
		}
	}
}

// Every code that an error of ours can carry has a title in both languages.
func TestEveryCodeHasATitle(t *testing.T) {
	t.Parallel()
	page := rawTo(t, newWorld(t, "sqlite").url, http.MethodGet, "/problems", "", "").body
	codes := map[string]string{}
	for _, dir := range []string{".", "../access", "../idempotency", "../merchant", "../payer", "../payment", "../secret", "../store", "../support", "../terminal"} {
		must(t, codesIn(dir, codes))
	}
	if len(codes) < 50 {
		t.Errorf("found only %d codes: the search is broken", len(codes))
	}
	for code, at := range codes {
		if !strings.Contains(string(page), `id="`+code+`"`) {
			t.Errorf("%s: the code %q has no title in problemTitles", at, code)
		}
	}
}

// codesIn collects the codes of a package: Code: "…", and the first argument
// of the functions that take one.
func codesIn(dir string, codes map[string]string) error {
	set := token.NewFileSet()
	files, err := fs.Glob(os.DirFS(dir), "*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, perr := parser.ParseFile(set, dir+"/"+name, nil, 0)
		if perr != nil {
			return perr
		}
		ast.Inspect(file, func(n ast.Node) bool {
			var value ast.Expr
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Code" {
					value = n.Value
				}
			case *ast.CallExpr:
				if f := calledName(n); len(n.Args) == 2 && (f == "Conflicts" || f == "Forbidden" || f == "codeError" || f == "transport") {
					value = n.Args[0]
				}
			}
			if lit, ok := value.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				code, _ := strconv.Unquote(lit.Value)
				codes[code] = set.Position(lit.Pos()).String()
			}
			return true
		})
	}
	return err
}

func calledName(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
