package demo

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// operatorPassword is what the operator of every till of this world types.
const operatorPassword = "40517263"

// till is a terminal that runs, with somebody at its screen: pages by links and
// forms, as a browser without scripts.
type till struct {
	Machine
	at   *Terminal
	http *http.Client
	csrf string
}

// screenMax bounds one page of a screen.
const (
	screenMax  = 20 * time.Second
	screenBody = 1 << 20
)

func newTill(m Machine, at *Terminal) (till, error) {
	jar, err := cookiejar.New(nil)
	return till{Machine: m, at: at, http: &http.Client{Jar: jar, Timeout: screenMax}}, err
}

var csrfField = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

// get reads a page.
func (t *till) get(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Screen()+path, nil)
	if err != nil {
		return "", err
	}
	return t.read(r)
}

// post sends a form that stands on the page at from.
func (t *till) post(ctx context.Context, from, path string, pairs ...string) (string, error) {
	if _, err := t.get(ctx, from); err != nil {
		return "", err
	}
	form := url.Values{"csrf": {t.csrf}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Screen()+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return t.read(r)
}

func (t *till) read(r *http.Request) (string, error) {
	res, err := t.http.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(io.LimitReader(res.Body, screenBody))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the screen answered %s to %s", res.Status, r.URL.Path)
	}
	if m := csrfField.FindSubmatch(b); m != nil {
		t.csrf = string(m[1])
	}
	return string(b), err
}

var (
	statusHead = regexp.MustCompile(`<p class="status-head">([^<]*)</p>`)
	statusMore = regexp.MustCompile(`<p class="status-more">([^<]*)</p>`)
)

// says is the sentence on the screen that tells whether PIN-free is off, with
// what stands below it.
func (t *till) says(ctx context.Context) (head, more string, err error) {
	page, err := t.get(ctx, "/")
	if err != nil {
		return "", "", err
	}
	if m := statusHead.FindStringSubmatch(page); m != nil {
		head = html.UnescapeString(m[1])
	}
	if m := statusMore.FindStringSubmatch(page); m != nil {
		more = html.UnescapeString(m[1])
	}
	return head, more, nil
}

// signIn lets the operator into the menu.
func (t *till) signIn(ctx context.Context) error {
	_, err := t.post(ctx, "/signin", "/signin", "number", "7", "password", operatorPassword)
	return err
}

// restart restarts the terminal by its menu.
func (t *till) restart(ctx context.Context) error {
	if err := t.signIn(ctx); err != nil {
		return err
	}
	_, err := t.post(ctx, "/menu/restart", "/menu/restart")
	return err
}

// next waits for the outcome of a payment and makes room for the next customer.
func (t *till) next(ctx context.Context) error {
	const form = "/pay/next"
	ok, err := eventually(ctx, func(ctx context.Context) (bool, error) {
		page, err := t.get(ctx, "/pay")
		return strings.Contains(page, form), err
	})
	if err == nil && !ok {
		err = errors.New("the screen shows no outcome")
	}
	if err == nil {
		_, err = t.post(ctx, "/pay", form)
	}
	return err
}

// waitMax is how long the story waits for a terminal.
const waitMax = time.Minute

// eventually asks until it is so; false after waitMax.
func eventually(ctx context.Context, so func(context.Context) (bool, error)) (bool, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(waitMax)
	defer end.Stop()
	for {
		if ok, err := so(ctx); ok || err != nil {
			return ok, err
		}
		select {
		case <-tick.C:
		case <-end.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
