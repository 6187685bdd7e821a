package api_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/api"
)

var update = flag.Bool("update", false, "rewrite openapi.yaml")

// The committed document is the one that the server makes from its types.
func TestOpenAPICommitted(t *testing.T) {
	t.Parallel()
	front := httptest.NewServer(newParts(t, "sqlite", api.Config{}).server)
	defer front.Close()
	text := rawTo(t, front.URL, "GET", "/openapi.yaml", "", "").body
	if *update {
		must(t, os.WriteFile("openapi.yaml", text, 0o644))
	}
	want, err := os.ReadFile("openapi.yaml")
	must(t, err)
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("the API has changed: run go test ./api -run OpenAPI -update and look at the difference (-committed +made):\n%s", diff)
	}
}

// document is the part of an OpenAPI document that tests look at.
type document struct {
	OpenAPI string                          `json:"openapi"`
	Paths   map[string]map[string]operation `json:"paths"`
}

type operation struct {
	ID          string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Description string                `json:"description"`
	Tags        []string              `json:"tags"`
	Security    []map[string][]string `json:"security"`
	Roles       []string              `json:"x-roles"`
	Scopes      []string              `json:"x-api-key-scopes"`
	Parameters  []struct {
		Name string `json:"name"`
		In   string `json:"in"`
	} `json:"parameters"`
	RequestBody *json.RawMessage           `json:"requestBody"`
	Responses   map[string]json.RawMessage `json:"responses"`
}

func readDocument(t *testing.T, url string) document {
	t.Helper()
	var d document
	must(t, json.Unmarshal(rawTo(t, url, "GET", "/openapi.json", "", "").body, &d))
	return d
}

var inPath = regexp.MustCompile(`\{(\w+)\}`)

// Every operation says what it is, who may call it, how it fails, and which
// parameters its path has.
func TestOpenAPIOperations(t *testing.T) {
	t.Parallel()
	front := httptest.NewServer(newParts(t, "sqlite", api.Config{}).server)
	defer front.Close()
	d := readDocument(t, front.URL)
	if d.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %q", d.OpenAPI)
	}
	ids := map[string]bool{}
	for path, item := range d.Paths {
		for method, op := range item {
			at := strings.ToUpper(method) + " " + path
			if op.ID == "" || ids[op.ID] {
				t.Errorf("%s: operationId %q is empty or taken", at, op.ID)
			}
			ids[op.ID] = true
			if op.Summary == "" || op.Description == "" || len(op.Tags) != 1 {
				t.Errorf("%s: no summary, description or tag: %+v", at, op)
			}
			if len(op.Security) > 0 && len(op.Roles) == 0 && len(op.Scopes) == 0 {
				t.Errorf("%s: nobody may call it", at)
			}
			var want, got []string
			for _, m := range inPath.FindAllStringSubmatch(path, -1) {
				want = append(want, m[1])
			}
			for _, p := range op.Parameters {
				if p.In == "path" {
					got = append(got, p.Name)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: parameters of the path (-want +got):\n%s", at, diff)
			}
			for _, status := range []string{"422", "500", "503"} {
				if op.Responses[status] == nil {
					t.Errorf("%s: does not say how it fails with %s", at, status)
				}
			}
			if len(op.Security) > 0 && (op.Responses["401"] == nil || op.Responses["403"] == nil) {
				t.Errorf("%s: does not say 401 and 403", at)
			}
			if method == "post" && op.RequestBody != nil && op.Responses["415"] == nil {
				t.Errorf("%s: does not say 415", at)
			}
		}
	}
	if len(ids) < 80 {
		t.Errorf("only %d operations", len(ids))
	}
}

// The pages and the document are served to anybody, and ask nobody else for
// anything.
func TestPages(t *testing.T) {
	t.Parallel()
	front := httptest.NewServer(newParts(t, "sqlite", api.Config{}).server)
	defer front.Close()
	for _, tt := range []struct{ path, contentType, has string }{
		{"/", "text/html; charset=utf-8", "/openapi.yaml"},
		{"/problems", "text/html; charset=utf-8", `id="order_conflict"`},
		{"/openapi.json", "application/openapi+json", `"openapi": "3.1.0"`},
		{"/openapi.yaml", "application/openapi+yaml", "openapi: 3.1.0"},
	} {
		res := rawTo(t, front.URL, "GET", tt.path, "", "")
		if res.status != http.StatusOK || res.header.Get("Content-Type") != tt.contentType || !strings.Contains(string(res.body), tt.has) {
			t.Errorf("%s: status %d, type %q, or without %q", tt.path, res.status, res.header.Get("Content-Type"), tt.has)
		}
		if strings.HasPrefix(tt.contentType, "text/html") && regexp.MustCompile(`(src|href)="(https?:)?//`).Match(res.body) {
			t.Errorf("%s asks another host", tt.path)
		}
	}
}
