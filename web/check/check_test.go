package check_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/web/check"
)

type still struct{}

func (still) Now() time.Time { return time.Date(2026, 3, 1, 4, 4, 31, 0, time.UTC) }

// world is the page over a real log of nine entries whose key changed once.
type world struct {
	url     string
	service *receipt.Service
	log     *evidence.Log
}

// id is the entry that the tests look at.
const id = "en06cxs2j8k0t9m5n3q7r1v4w8x3"

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "mianmi.db"), store.Options{})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.Migrate(t.Context())
	must(t, err)
	keys, err := secret.New(rand.Reader)
	must(t, err)
	old, next := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{8}, 32)
	w := &world{}
	for i := range 8 {
		seeds := [][]byte{old}
		if i >= 4 {
			seeds = [][]byte{next, old}
		}
		key, err := evidence.NewKey("pay.example.com/mianmi", seeds...)
		must(t, err)
		w.log = evidence.NewLog(db, key, still{})
		if i == 4 {
			_, err := w.log.ChangeKey(t.Context(), mianmi.System("command-line"), rand.Reader)
			must(t, err)
		}
		name := id[:len(id)-1] + string(rune('0'+i))
		body, err := json.Marshal(map[string]any{"note": "<off> & \u2028 关", "n": i})
		must(t, err)
		must(t, db.CreateModel(t.Context(), terminal.Model{ID: mianmi.ModelID("md" + name), Name: "m", CreatedAt: still{}.Now()},
			evidence.Entry{ID: mianmi.EntryID(name), At: still{}.Now(), Type: "payer.pin_free.closed", Subject: "py1", Actor: "payer:py1", Body: body}))
		_, err = w.log.Sequence(t.Context())
		must(t, err)
	}
	w.service = &receipt.Service{Log: w.log, Keys: keys}
	front := httptest.NewServer(check.Handler(check.Parts{Receipts: w.service, Log: w.log, Random: rand.Reader, Errors: slog.New(slog.DiscardHandler)}))
	t.Cleanup(front.Close)
	w.url = front.URL
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) text(t *testing.T) []byte {
	t.Helper()
	r, err := w.log.Receipt(t.Context(), id)
	must(t, err)
	text, err := r.Text()
	must(t, err)
	return text
}

func fetch(t *testing.T, r *http.Request) (int, http.Header, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(r.WithContext(t.Context()))
	must(t, err)
	b, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	return res.StatusCode, res.Header, string(b)
}

// upload posts a file as the form does without script.
func (w *world) upload(t *testing.T, text []byte) (int, string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	f, err := form.CreateFormFile("file", "receipt.json")
	must(t, err)
	_, err = f.Write(text)
	must(t, err)
	must(t, form.Close())
	r, err := http.NewRequest("POST", w.url+"/check?lang=en", &b)
	must(t, err)
	r.Header.Set("Content-Type", form.FormDataContentType())
	status, _, body := fetch(t, r)
	return status, body
}

// A link leads to its receipt without a session, and no other text does.
func TestLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.service.Token(id)
	for path, want := range map[string]int{
		"/check": 200, "/check/" + token: 200, "/check/" + id: 404, "/check/" + id + ".": 404, "/check/" + token + "0": 404, "/check/" + token[:len(token)-1]: 404,
		"/check/" + strings.Replace(token, "x3.", "x2.", 1): 404, "/check/" + w.service.Token("en0"): 404,
	} {
		r, err := http.NewRequest("GET", w.url+path+"?lang=zh", nil)
		must(t, err)
		status, h, body := fetch(t, r)
		if status != want || (path == "/check/"+token) != strings.Contains(body, "付款人 py1 关闭了付款人 py1 的小额免密支付。") {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
		nonce := regexp.MustCompile(`script-src 'nonce-([\w-]{22})'`).FindStringSubmatch(h.Get("Content-Security-Policy"))
		if nonce == nil || strings.Count(body, `nonce="`+nonce[1]+`"`) != 4 || strings.Contains(body, "style=") || regexp.MustCompile(`(src|href)="(https?:)?//`).MatchString(body) {
			t.Errorf("%s: a page with another nonce, inline style or another host; %s", path, h.Get("Content-Security-Policy"))
		}
	}
}

// Without script the server checks what is sent: the receipt holds, and with
// a byte changed it does not, and the page says what does not fit.
func TestFormWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := w.text(t)
	if status, body := w.upload(t, text); status != 200 || !strings.Contains(body, "The receipt holds") || !strings.Contains(body, "publishes for its log") {
		t.Errorf("%d", status)
	}
	for i := 0; i < len(text); i += 61 {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if status, body := w.upload(t, bad); status != http.StatusUnprocessableEntity || !strings.Contains(body, "does not hold") || strings.Contains(body, ">✓ The receipt holds</h2>") {
			t.Errorf("byte %d changed: %d", i, status)
		}
	}
	if status, _ := w.upload(t, bytes.Repeat([]byte("x"), 1<<20)); status != http.StatusUnprocessableEntity {
		t.Errorf("a file that is too large: %d", status)
	}
}
