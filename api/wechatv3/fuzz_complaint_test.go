package wechatv3

import (
	"bytes"
	"io"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/wechat"
)

// refused fails the test unless an error is the caller's fault.
func refused(t *testing.T, from []byte, err error) {
	t.Helper()
	if p := problemOf(mianmi.EN, err); p.status != 400 || p.Code == "" || p.Message == "" {
		t.Errorf("%q is answered with %+v", from, p)
	}
}

// Whatever a body holds that answers a complaint, it is read into an answer of a
// kind that software may give, or refused as the caller's fault.
func FuzzComplaintAnswer(f *testing.F) {
	for _, text := range []string{
		`{"complainted_mchid":"1900000001","response_content":"您好","response_images":["a"],"jump_url":"https://example.com"}`, `{"complainted_mchid":1}`,
		`{"action":"APPROVE","launch_refund_day":1}`, `{"action":"REJECT","reject_reason":"x","reject_media_list":["a"],"remark":"y"}`, `{"action":"approve"}`, `[]`, `null`, `{"action":`,
	} {
		f.Add([]byte(text))
	}
	c := &wechat.Caller{Identity: wechat.Identity{MchID: "1900000001"}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var in answerIn
		if err := decode(text, &in); err != nil {
			refused(t, text, err)
			return
		}
		if a, err := in.reply(c); err != nil {
			refused(t, text, err)
		} else if a.Kind != support.Reply || in.MchID != c.Identity.MchID {
			t.Errorf("%q was read as %+v", text, a)
		}
		if a, err := in.decision(); err != nil {
			refused(t, text, err)
		} else if a.Kind != support.Promise && a.Kind != support.Refuse || a.Kind == support.Promise && a.Text != "" {
			t.Errorf("%q was read as %+v", text, a)
		}
	})
}

// Whatever a query asks for, it is days and a page within their bounds, or the
// caller's fault.
func FuzzComplaintList(f *testing.F) {
	for _, text := range []string{"begin_date=2026-01-01&end_date=2026-01-30&limit=50&offset=10&complainted_mchid=1900000001", "begin_date=2026-02-30&end_date=x", "limit=0", "limit=9999999999999999999", "%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, _ := url.ParseQuery(text)
		l, err := complaintList(q, "1900000001")
		if err != nil {
			refused(t, []byte(text), err)
			return
		}
		if days := l.To.Sub(l.From).Hours() / 24; l.Limit < 1 || l.Limit > 50 || l.Offset < 0 || days < 1 || days > 30 {
			t.Errorf("%q was read as %+v", text, l)
		}
	})
}

// Whatever a form holds, no more of it than its part meta is read before the
// signature is checked, and what is none is the caller's fault.
func FuzzForm(f *testing.F) {
	const meta = "--b\r\nContent-Disposition: form-data; name=\"meta\";\r\n\r\n{\"filename\":\"x\",\"sha256\":\"00\"}\r\n"
	for _, text := range []string{meta + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n\x89PNG\r\n--b--\r\n", meta, "--b--", "", "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\r\n--b--"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := httptest.NewRequest("POST", "/v3/merchant-service/images/upload", bytes.NewReader(text))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		c := &call{r: r}
		form, err := formOf(c)
		if err != nil {
			refused(t, text, err)
			return
		}
		if len(c.body) > metaMax {
			t.Errorf("the part meta has %d bytes", len(c.body))
		}
		var in metaIn
		if err := decode(c.body, &in); err == nil {
			if err := in.check(); err != nil {
				refused(t, text, err)
			}
		}
		if part, err := form.NextRawPart(); err == nil {
			_, _ = io.Copy(io.Discard, part)
		}
	})
}
