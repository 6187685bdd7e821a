package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
)

// elsewhere sends what is meant for WeChat Pay to a server of ours.
type elsewhere struct{ to *url.URL }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = e.to.Scheme, e.to.Host
	return http.DefaultTransport.RoundTrip(out)
}

// credentials are what the command line hands out.
type credentials struct {
	mchid, appid, serial, keyID, apiKey string
	dir                                 string
}

// handOut gives the shop's merchant credentials, with files.
func (s *shop) handOut(t *testing.T) credentials {
	t.Helper()
	c := credentials{dir: filepath.Join(t.TempDir(), "credentials")} // the program makes it
	taken := filepath.Join(s.dir, "taken")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.run(t, "merchant", "wechat-credentials", string(s.merchant), "--terminal", string(s.terminal), "--out", taken); got.code != exitFailed || !strings.Contains(got.stderr, "--out") || got.stdout != "" {
		t.Errorf("a folder that cannot be made: %+v", got)
	}
	got := s.run(t, "merchant", "wechat-credentials", string(s.merchant), "--terminal", string(s.terminal), "--out", c.dir)
	if got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	value := func(name string) string {
		found := regexp.MustCompile(`(?m)^` + name + ` +(\S+)$`).FindStringSubmatch(got.stdout)
		if found == nil {
			t.Fatalf("no %s in %s", name, got.stdout)
		}
		return found[1]
	}
	c.mchid, c.appid, c.serial = value("mchid"), value("appid"), value("merchant serial")
	c.keyID, c.apiKey = value("platform public key id"), value("APIv3 key")
	return c
}

func (c credentials) file(t *testing.T, name string) string {
	t.Helper()
	return string(must(os.ReadFile(filepath.Join(c.dir, name)))(t))
}

// Credentials made on the command line take a payment at once, through a server
// that runs already and keeps what it was told about payments' codes; what was
// shown once is nowhere afterwards, and a revoked serial is refused.
func TestWechatCredentials(t *testing.T) {
	t.Parallel()
	s, first := newShop(t)
	if code := first.stop(); code != exitOK {
		t.Fatalf("the first server ended with %d", code)
	}
	srv := s.serve(t, "--payment-code-prefix=13")
	c := s.handOut(t)
	for _, name := range []string{"apiclient_key.pem", "apiclient_cert.pem", "pub_key.pem", "wechatpay_cert.pem"} {
		info := must(os.Stat(filepath.Join(c.dir, name)))(t)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	sdk := officialClient(t, c, srv)
	pay := func() (state string, err error) {
		s.orders++
		code := must(srv.As(s.wallet).IssueCode(t.Context(), s.payers[0]))(t).Code
		if !strings.HasPrefix(code, "13") {
			t.Errorf("a payment code begins with %s", code[:2])
		}
		res, err := sdk.Post(context.WithoutCancel(t.Context()), "https://api.mch.weixin.qq.com/v3/pay/transactions/codepay", map[string]any{
			"appid": c.appid, "mchid": c.mchid, "description": "茶", "out_trade_no": fmt.Sprintf("wx%06d", s.orders), "payer": map[string]string{"auth_code": code},
			"amount": map[string]int{"total": 100}, "scene_info": map[string]any{"store_info": map[string]string{}}})
		if err != nil {
			return "", err
		}
		defer res.Response.Body.Close() //nolint:errcheck // read whole
		var out struct {
			TradeState string `json:"trade_state"`
		}
		err = json.Unmarshal(must(io.ReadAll(res.Response.Body))(t), &out)
		return out.TradeState, err
	}
	if state, err := pay(); state != "SUCCESS" || err != nil {
		t.Fatalf("a payment is %q, %v", state, err)
	}
	again := s.run(t, "merchant", "wechat-credentials", string(s.merchant))
	if again.code != exitOK || strings.Contains(again.stdout, c.apiKey) || strings.Contains(again.stdout, "PRIVATE KEY") || !strings.Contains(again.stdout, c.serial) {
		t.Errorf("shown again: %+v", again)
	}
	if got := s.run(t, "merchant", "wechat-credentials", string(s.merchant), "--revoke", c.serial); got.code != exitOK || !strings.Contains(got.stdout, "revoked serial") {
		t.Errorf("revoking: %+v", got)
	}
	if state, err := pay(); !core.IsAPIError(err, "SIGN_ERROR") {
		t.Errorf("a payment by a revoked serial is %q, %v", state, err)
	}
	if got := s.run(t, "merchant", "wechat-credentials", string(s.merchant), "--new-key"); got.code != exitOK || strings.Contains(got.stdout, c.apiKey) || !strings.Contains(got.stdout, "APIv3 key") {
		t.Errorf("a new APIv3 key: %+v", got)
	}
	if got := s.run(t, "merchant", "wechat-credentials", string(s.merchant), "--add-serial"); got.code != exitOK || strings.Count(got.stdout, "  new\n") != 1 {
		t.Errorf("a further serial: %+v", got)
	}
	if got := s.run(t, "merchant", "wechat-credentials", "mc0", "--add-serial"); got.code != exitFailed || !strings.Contains(got.stderr, "--terminal") {
		t.Errorf("a merchant that has none: %+v", got)
	}
	if said := srv.log(); strings.Contains(said, c.apiKey) || bytes.Contains([]byte(said), []byte("signature=")) {
		t.Error("the log holds a key or a signature")
	}
}

// The platform's keys on the command line: one is made, its public parts are
// written, a second change waits for the first, and the former is revoked.
func TestWechatKeys(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t), filepath.Join(t.TempDir(), "new-key")
	w.run(t, "migrate")
	first := regexp.MustCompile(`PUB_KEY_ID_\d+`).FindString(w.run(t, "wechat", "keys").stdout)
	if got := w.run(t, "wechat", "revoke", first); first == "" || got.code != exitFailed || !strings.Contains(got.stderr, "no other platform key signs") {
		t.Errorf("the only key %q is revoked: %+v", first, got)
	}
	got := w.run(t, "wechat", "rotate", "--signs-in=0s", "--out", dir)
	if got.code != exitOK || !strings.Contains(got.stdout, first+"  former") || strings.Count(got.stdout, "  signs\n") != 1 {
		t.Errorf("a new key: %+v", got)
	}
	if files := must(os.ReadDir(dir))(t); len(files) != 4 {
		t.Errorf("files: %v", files)
	}
	if got := w.run(t, "wechat", "rotate"); got.code != exitOK || !strings.Contains(got.stdout, "signs from ") {
		t.Errorf("one that signs later: %+v", got)
	}
	if got := w.run(t, "wechat", "rotate"); got.code != exitFailed || !strings.Contains(got.stderr, "waits already") {
		t.Errorf("another one meanwhile: %+v", got)
	}
	if got := w.run(t, "wechat", "revoke", first); got.code != exitOK || strings.Contains(got.stdout, first) {
		t.Errorf("the former is revoked: %+v", got)
	}
	if got := w.run(t, "wechat", "revoke", first); got.code != exitFailed {
		t.Errorf("and once more: %+v", got)
	}
}
