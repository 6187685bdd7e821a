package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// visitor is a browser without scripts.
type visitor struct {
	t      *testing.T
	at     string
	client http.Client
	csrf   string // of the page that was read last
	origin string // another site's, when it is one that asks
}

func newVisitor(t *testing.T, address string) *visitor {
	t.Helper()
	jar := must(cookiejar.New(nil))(t)
	return &visitor{t: t, at: address, client: http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

var csrfOf = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (v *visitor) ask(method, path string, form url.Values, want int) string {
	v.t.Helper()
	r := must(http.NewRequestWithContext(v.t.Context(), method, v.at+path, strings.NewReader(form.Encode())))(v.t)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if v.origin != "" {
		r.Header.Set("Origin", v.origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	res, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body := string(must(io.ReadAll(res.Body))(v.t))
	if res.StatusCode != want {
		v.t.Fatalf("%s %s: %d, want %d\n%s", method, path, res.StatusCode, want, body)
	}
	return body
}

// get reads a page, and the token of its forms.
func (v *visitor) get(path string, want int) string {
	v.t.Helper()
	body := v.ask(http.MethodGet, path, nil, want)
	if m := csrfOf.FindStringSubmatch(body); m != nil {
		v.csrf = m[1]
	}
	return body
}

// post sends a form with the token of the page that was read last.
func (v *visitor) post(path string, fields map[string]string, want int) {
	v.t.Helper()
	form := url.Values{"csrf": {v.csrf}}
	for k, x := range fields {
		form.Set(k, x)
	}
	v.ask(http.MethodPost, path, form, want)
}

func (v *visitor) logIn(phone string) {
	v.t.Helper()
	v.get("/my/login", 200)
	v.post("/my/login", map[string]string{"phone": phone, "password": shopPassword}, 303)
	v.get("/my/pin-free", 200)
}
