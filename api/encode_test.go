package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
)

// The hand-written encoder writes what the types say, for any payment.
func TestPaymentIsWrittenAsItsTypeSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var p Payment
		draw(t, "payment", reflect.ValueOf(&p).Elem())
		want, err := jsonv2.Marshal(&p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(p.appendTo(nil))); diff != "" {
			t.Fatalf("(-by its type +by hand):\n%s", diff)
		}
	})
}

// draw fills a value with anything.
func draw(t *rapid.T, name string, v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, name)).UTC()))
	case v.Kind() == reflect.String:
		v.SetString(rapid.OneOf(rapid.Just(""), rapid.String(), rapid.Just("小额免密 \"\\\n\t\u2028<&>")).Draw(t, name))
	case v.Kind() == reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case v.CanInt():
		v.SetInt(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(-1<<31, 1<<31-1)).Draw(t, name))
	case v.Kind() == reflect.Pointer:
		if rapid.Bool().Draw(t, name) {
			v.Set(reflect.New(v.Type().Elem()))
			draw(t, name, v.Elem())
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 3).Draw(t, name), 3))
		for i := range v.Len() {
			draw(t, name, v.Index(i))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			draw(t, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	default:
		t.Fatalf("%s: nobody taught me %s", name, v.Type())
	}
}

// Whatever is sent, the decoder of an authorization neither panics nor accepts
// what another JSON parser reads differently.
func FuzzAuthorizationBody(f *testing.F) {
	for _, seed := range []string{`{}`, `[]`, `{"terminal":"tm1","order_no":"A","amount":{"minor":1,"currency":"CNY"},"method":"cash"}`,
		`{"amount":{"minor":1.0}}`, `{"amount":{"minor":1e3}}`, `{"method":"cash","method":"card_tap"}`, "{\"order_no\":\"\xff\"}", `{"Terminal":"x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fuzzDecode(t, body, new(Authorization), new(Authorization), bodyMaxDefault)
	})
}

// The same for a batch.
func FuzzBatchBody(f *testing.F) {
	for _, seed := range []string{`{"payments":[]}`, `{"payments":[{}]}`, `{"payments":[{"amount":{"minor":1,"currency":"CNY"}},{}]}`, `{"payments":null}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fuzzDecode(t, body, new(AuthorizationBatch), new(AuthorizationBatch), batchBodyMax)
	})
}

func fuzzDecode[T any](t *testing.T, body string, got, want *T, bodyMax int64) {
	t.Helper()
	c := &call{route: &route{bodyMax: bodyMax}, r: httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))}
	err := new(Server).read(c, got)
	if err != nil {
		p := problem(c, err)
		if p.Status < 400 || p.Status > 422 || p.Code == "internal" || len(p.Field) > 2000 {
			t.Fatalf("%q: %+v", body, p)
		}
		return
	}
	if int64(len(body)) > bodyMax {
		t.Fatalf("%d bytes were read", len(body))
	}
	strict := json.NewDecoder(strings.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(want); err != nil {
		t.Fatalf("accepted %q, which encoding/json refuses: %v", body, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q is read differently (-encoding/json +ours):\n%s", body, diff)
	}
}

// A bearer token that passes is a plain word, whatever the header holds.
func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer ", "Bearer mk_x", "bearer ms_y", "Basic eDp5", "Bearer  two", "Bearer a b", "Bearer \x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, err := bearer(http.Header{"Authorization": {header}})
		if err != nil {
			if mianmi.KindOf(err) != mianmi.Unauthenticated || token != "" {
				t.Fatalf("%q: %q, %v", header, token, err)
			}
			return
		}
		if !tokenText(token, tokenMax) || len(header) != len("Bearer ")+len(token) || !strings.HasSuffix(header, " "+token) {
			t.Fatalf("%q gives %q", header, token)
		}
	})
}

// An idempotency key that passes is what the caller sent, and harmless.
func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", "k", "a b", strings.Repeat("a", 65), "\r\n", "键"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		key, err := idempotencyKey(http.Header{"Idempotency-Key": {header}})
		if err != nil {
			return
		}
		if key != header || !tokenText(key, 64) {
			t.Fatalf("%q gives %q", header, key)
		}
	})
}

// Times of day in, the same out; nothing else passes.
func FuzzTimeOfDay(f *testing.F) {
	for _, seed := range []string{"00:00", "24:00", "23:59", "24:01", "7:00", "+7:00", "aa:bb", "", "12:60"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := minuteOf("from", text)
		if err == nil && (m < 0 || m > 1440 || clockText(m) != text) {
			t.Fatalf("%q is minute %d, which is %q", text, m, clockText(m))
		}
	})
}

// A request id is a plain word, whatever the caller proposes.
func FuzzRequestID(f *testing.F) {
	f.Add("abc")
	f.Add("\x00")
	f.Add(strings.Repeat("x", 65))
	f.Fuzz(func(t *testing.T, in string) {
		s := &Server{idPrefix: "p"}
		r := &http.Request{Header: http.Header{"X-Request-Id": {in}}}
		if id := s.requestID(r); !tokenText(id, requestIDMax) {
			t.Fatalf("%q gives %q", in, id)
		}
	})
}

// Field names in problems are bounded, whatever was sent.
func TestFieldNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"body.amount.minor": "amount.minor", "path.id": "id", "query.limit": "limit", "body": "", "header.X": "X", "x": "x"} {
		if got := fieldName(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if got := bounded(strings.Repeat("长", 100)); len(got) > 104 || !strings.HasSuffix(got, "…") {
		t.Errorf("not bounded: %d bytes", len(got))
	}
}
