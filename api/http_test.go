package api_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/api/client"
)

// wantProblem checks that err is a problem document of this kind.
func wantProblem(t *testing.T, err error, status int, code, field string) {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) {
		t.Fatalf("error %v, want a problem", err)
	}
	if p.Status != status || p.Code != code || p.Field != field {
		t.Errorf("problem %d %s at %q (%s), want %d %s at %q", p.Status, p.Code, p.Field, p.Detail, status, code, field)
	}
	if p.Title == "" || p.RequestID == "" || p.Type != "/problems#"+p.Code {
		t.Errorf("an incomplete problem: %+v", p)
	}
}

// answer is an answer that has been read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// rawTo sends a request as it stands.
func rawTo(t testing.TB, url, method, path, token, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	must(t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	text, err := io.ReadAll(res.Body)
	must(t, errors.Join(err, res.Body.Close()))
	return answer{res.StatusCode, res.Header, text}
}
