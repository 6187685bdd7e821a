package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/idempotency"
)

// problemResponses are the answers that are problems, by status.
func problemResponses(schemas huma.Registry) map[string]*huma.Response {
	out := map[string]*huma.Response{}
	for _, status := range []int{400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503} {
		out[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[Problem](), true, "")}}}
	}
	return out
}

// newDocument is the framework with our errors, our JSON and our mux.
func newDocument(s *Server) huma.API {
	format := huma.Format{Marshal: encode, Unmarshal: decodeForDocument}
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return huma.NewAPI(huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "mianmi", Version: "1", Description: aboutAPI,
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}},
			Components: &huma.Components{
				Schemas: schemas, Responses: problemResponses(schemas),
				SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer",
					Description: "A session token (ms_…) from a login, or an API key (mk_…)."},
					"terminal": {Type: "mutualTLS", Description: "A terminal's own certificate, at the listener for terminals. The terminal is the caller: it takes payments and looks after its own."}},
			},
			Tags: tags,
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format}, // "json": what problem+json is made of
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers: []huma.Transformer{func(ctx huma.Context, status string, v any) (any, error) {
			m, ok := v.(*huma.ErrorModel)
			if !ok {
				return v, nil
			}
			n, err := strconv.Atoi(status)
			if err != nil {
				n = http.StatusInternalServerError
			}
			c := callOf(ctx.Context())
			c.err = m
			return refined(c, n, m), nil
		}},
	}, document{s})
}

const aboutAPI = `Switch PIN-free payment off, and prove it. 免密支付的关闭与证明。

Money is {"minor", "currency"}: minor units and an ISO 4217 code, never a decimal. Times are RFC 3339 in UTC.
Errors are problem documents (RFC 9457); their code is stable, their title follows Accept-Language (zh or en).
401 always means the bearer: log in again. A wrong payment password is 403 with the code password_wrong.

Repeats. Payments, refunds and top-ups carry a number of their own (order_no, refund_no, key): sending the same again
returns the first answer. Other POST routes that create take an Idempotency-Key header; routes that switch something
off run again each time, so that their answer is what is in force now.`

var tags = []*huma.Tag{
	{Name: "payments", Description: "Take, confirm, undo and look at payments · 支付"},
	{Name: "qr-orders", Description: "Dynamic QR codes · 动态二维码"},
	{Name: "login", Description: "Sessions · 登录"},
	{Name: "payers", Description: "The people who pay: PIN-free switch, limits, agreements, password · 付款人"},
	{Name: "merchants", Description: "Merchants and stores · 商户与门店"},
	{Name: "terminals", Description: "Models and terminals · 机型与终端"},
	{Name: "policies", Description: "PIN-free policies, approvals, emergency stops · 策略、复核与紧急停用"},
	{Name: "staff", Description: "Staff and API keys · 员工与密钥"},
	{Name: "wechat", Description: "Credentials in WeChat Pay's form · 微信支付兼容凭据"},
	{Name: "webhooks", Description: "Being told of what happens · 事件通知"},
	{Name: "evidence", Description: "Receipts and the transparency log · 凭证与透明日志"},
	{Name: "help", Description: "Help articles and notices · 帮助与公告"},
	{Name: "rules", Description: "Rule packs in force, keys, health · 规则与运行状态"},
}

// decodeStrict refuses unknown members and duplicate names.
var decodeStrict = jsonv2.JoinOptions(jsonv2.RejectUnknownMembers(true))

func decode(b []byte, v any) error { return jsonv2.Unmarshal(b, v, decodeStrict) }

// decodeForDocument is decode for the framework, which takes the text of an
// error alone: the field stands in it, apart by a character that is in neither.
func decodeForDocument(b []byte, v any) error {
	err := decode(b, v)
	if err == nil {
		return nil
	}
	var e *mianmi.Error
	if !errors.As(bodyFault(err), &e) {
		return errors.New("not JSON")
	}
	return errors.New(e.Field + fieldMark + e.Msg)
}

const fieldMark = "\x00"

func encode(w io.Writer, v any) error {
	return jsonv2.MarshalWrite(w, v, jsontext.EscapeForHTML(false))
}

// newContext gives the framework the call as its writer.
func newContext(op *huma.Operation, c *call, ctx context.Context) huma.Context {
	return humago.NewContext(op, c.r.WithContext(ctx), c)
}

// operation is what the document says about a route, besides its types.
func (rt *route) operation() *huma.Operation {
	op := &huma.Operation{Method: rt.method, Path: rt.path, OperationID: rt.name, Tags: []string{rt.tag}, Summary: rt.summary,
		DefaultStatus: rt.status, Responses: map[string]*huma.Response{}}
	op.Description = rt.description()
	roles, scopes := rt.may.names()
	op.Extensions = map[string]any{}
	if len(roles) > 0 {
		op.Extensions["x-roles"] = roles
	}
	if len(scopes) > 0 {
		op.Extensions["x-api-key-scopes"] = scopes
	}
	op.Security = []map[string][]string{}
	if !rt.may.public {
		op.Security = append(op.Security, map[string][]string{"bearer": {}})
	}
	if slices.Contains(rt.may.roles, mianmi.RoleTerminal) {
		op.Security = append(op.Security, map[string][]string{"terminal": {}})
	}
	for _, status := range rt.failures() {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + strconv.Itoa(status)}
	}
	if rt.repeat == firstAnswer {
		op.Parameters = append(op.Parameters, &huma.Param{Name: "Idempotency-Key", In: "header",
			Description: "1 to 64 letters, digits, '.', '_', '-', ':'. For 24 hours the same request with it gets the first answer; another request is a conflict.",
			Schema:      &huma.Schema{Type: huma.TypeString, MaxLength: new(idempotency.KeyMax), Pattern: `^[A-Za-z0-9._:-]+$`}})
	}
	return op
}

func (rt *route) description() string {
	text := rt.about
	roles, scopes := rt.may.names()
	var who []string
	if len(roles) > 0 {
		who = append(who, strings.Join(roles, ", "))
	}
	if len(scopes) > 0 {
		who = append(who, "API keys with the scope "+strings.Join(scopes, " or "))
	}
	if len(who) > 0 {
		text += "\n\nFor: " + strings.Join(who, "; ") + "."
	}
	return strings.TrimSpace(text)
}

// failures are the statuses of problems that the route can answer with.
func (rt *route) failures() []int {
	out := []int{http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusUnprocessableEntity}
	if !rt.may.public {
		out = append(out, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(rt.path, "{") {
		out = append(out, http.StatusNotFound)
	}
	if rt.login {
		out = append(out, http.StatusUnauthorized, http.StatusTooManyRequests)
	}
	if rt.measured {
		out = append(out, http.StatusTooManyRequests)
	}
	if rt.method == http.MethodPost || rt.method == http.MethodPut {
		out = append(out, http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return out
}

// spec is the finished document.
type spec struct{ json, yaml []byte }

func (d *spec) render(o *huma.OpenAPI) error {
	relax(o)
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("render the OpenAPI document: %w", err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		return fmt.Errorf("render the OpenAPI document: %w", err)
	}
	d.json = append(pretty.Bytes(), '\n')
	d.yaml, err = o.YAML()
	return err
}

// relax lets answers grow new members: only what a request is made of is
// closed. The framework closes every object.
func relax(o *huma.OpenAPI) {
	closed := map[string]bool{}
	var mark func(*huma.Schema)
	mark = func(sc *huma.Schema) {
		if sc == nil {
			return
		}
		if name, ok := strings.CutPrefix(sc.Ref, "#/components/schemas/"); ok && !closed[name] {
			closed[name] = true
			mark(o.Components.Schemas.Map()[name])
		}
		mark(sc.Items)
		for _, p := range sc.Properties {
			mark(p)
		}
	}
	for _, item := range o.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil && op.RequestBody != nil {
				for _, media := range op.RequestBody.Content {
					mark(media.Schema)
				}
			}
		}
	}
	for name, sc := range o.Components.Schemas.Map() {
		if !closed[name] {
			sc.AdditionalProperties = nil
		}
	}
}
