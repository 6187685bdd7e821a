package api_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/support/files"
)

// scanner finds the word "virus", until it is told to be away.
type scanner struct{ away atomic.Bool }

func (s *scanner) Scan(_ context.Context, content []byte) (string, error) {
	switch {
	case s.away.Load():
		return "", errors.New("nobody answers")
	case bytes.Contains(content, []byte("virus")):
		return "Test.Virus", nil
	}
	return "", nil
}

// photograph is a JPEG with its place, and an archive behind it.
func photograph(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30)), nil))
	place := "Exif\x00\x00GPS 31.23N 121.47E"
	head := append([]byte("\xff\xd8\xff\xe1\x00"), byte(len(place)+2))
	return append(append(append(head, place...), b.Bytes()[2:]...), "PK\x03\x04 and a page: <script>alert(1)</script>"...)
}

// Files of a case over HTTP: each reads those of its audience, a picture comes back
// without its place, to be saved and never shown; what may harm is refused by what it
// is, and nothing is written.
func TestCaseFiles(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, s, p, q := t.Context(), w.shop("晨光超市"), w.person("+8613800000001"), w.person("+8613800000002")
		agent := w.staff(client.NewStaff{Login: "agent.one", Name: "客服", Role: mianmi.RoleSupport.String()})
		auditor := w.staff(client.NewStaff{Login: "auditor.one", Name: "审计", Role: mianmi.RoleAuditor.String()})
		paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00)))
		c := get[client.Case](t)(p.app.OpenCase(ctx, client.NewCase{Kind: "fraud", Text: "这笔不是我付的", Links: []client.CaseLink{{Kind: "payment", Ref: string(paid.ID)}}}))
		c = get[client.Case](t)(agent.Case(ctx, c.ID))
		c = get[client.Case](t)(agent.MoveCase(ctx, c.ID, client.CaseMove{To: "waiting_merchant", Version: c.Version}))
		get[client.Case](t)(agent.AttachFile(ctx, c.ID, "notes.txt", "inside", []byte("疑似盗刷团伙")))
		get[client.Case](t)(s.admin.AttachFile(ctx, c.ID, "小票.txt", "merchant", []byte("小票 8812")))
		for range 2 { // a repeat is no other
			c = get[client.Case](t)(p.app.AttachFile(ctx, c.ID, "../IMG 1.html", "payer", photograph(t)))
		}
		if len(c.Files) != 1 || c.Files[0].Name != "IMG 1.html.jpg" || c.Files[0].Type != "image/jpeg" || c.Files[0].By != "payer:"+string(p.ID) {
			t.Fatalf("attached: %+v", c.Files)
		}
		picture := get[[]byte](t)(agent.CaseFileContent(ctx, c.ID, c.Files[0].ID))
		if back, err := jpeg.Decode(bytes.NewReader(picture)); err != nil || back.Bounds().Dx() != 40 || int64(len(picture)) != c.Files[0].Size {
			t.Errorf("read back: %d bytes, %v", len(picture), err)
		}
		for _, gone := range []string{"GPS", "Exif", "PK", "script"} {
			if bytes.Contains(picture, []byte(gone)) {
				t.Errorf("%s was kept", gone)
			}
		}

		token := w.token(mianmi.RoleSupport)
		w.caseFilesRead(c.ID, token, map[string]*client.Client{"desk": agent, "auditor": auditor, "payer": p.app, "merchant": s.admin, "another payer": q.app})
		w.caseFilesRefused(p.app, c.ID, token)
		if c = get[client.Case](t)(agent.Case(ctx, c.ID)); len(c.Files) != 3 {
			t.Errorf("after refusals the case has %d files", len(c.Files))
		}
	})
}

// caseFilesRead lets each read each.
func (w *world) caseFilesRead(id mianmi.CaseID, token string, callers map[string]*client.Client) {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	reads := map[string]string{"inside": "desk auditor", "payer": "desk auditor payer", "merchant": "desk auditor merchant"}
	c := get[client.Case](t)(callers["desk"].Case(ctx, id))
	for _, f := range c.Files {
		for name, caller := range callers {
			content, err := caller.CaseFileContent(ctx, id, f.ID)
			if strings.Contains(" "+reads[f.Audience]+" ", " "+name+" ") {
				must(t, err)
				if int64(len(content)) != f.Size {
					t.Errorf("%s reads %d bytes of %d", name, len(content), f.Size)
				}
				continue
			}
			wantProblem(t, err, http.StatusNotFound, "not_found", "")
		}
		a := w.raw(http.MethodGet, "/v1/cases/"+string(id)+"/files/"+f.ID, token, "")
		if a.status != http.StatusOK || a.header.Get("Content-Type") != f.Type || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment; filename") ||
			a.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(a.header.Get("Content-Security-Policy"), "sandbox") || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("handed out with %v", a.header)
		}
	}
	_, err := callers["payer"].AttachFile(ctx, id, "x", "merchant", []byte("x"))
	wantProblem(t, err, http.StatusForbidden, "not_allowed", "")
	_, err = callers["another payer"].AttachFile(ctx, id, "x", "payer", []byte("x"))
	wantProblem(t, err, http.StatusNotFound, "not_found", "")
	_, err = callers["desk"].CaseFileContent(ctx, id, strings.Repeat("0", 32))
	wantProblem(t, err, http.StatusNotFound, "not_found", "")
}

// caseFilesRefused sends what is refused.
func (w *world) caseFilesRefused(who *client.Client, id mianmi.CaseID, token string) {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	for _, tt := range map[string]struct {
		content string
		status  int
		code    string
	}{
		"nothing":              {"", 400, "body_missing"},
		"a page":               {"<!DOCTYPE html><p>hi", 422, "file_kind"},
		"a picture that acts":  {`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, 422, "file_kind"},
		"an archive":           {"PK\x03\x04\x14\x00", 422, "file_kind"},
		"a page and a picture": {"\xff\xd8\xff<script>alert(1)</script>", 422, "file_kind"},
		"a bomb":               {bombPNG, 422, "file_size"},
		"a PDF that runs":      {"%PDF-1.7\n<</S /JavaScript>>\n%%EOF\n", 422, "file_kind"},
		"malware":              {"a virus", 422, "file_malware"},
		"too much":             {strings.Repeat("a", files.SizeMax+1), 413, "body_too_large"},
	} {
		_, err := who.AttachFile(ctx, id, "x.txt", "payer", []byte(tt.content))
		field := ""
		if tt.status == http.StatusUnprocessableEntity {
			field = "file"
		}
		wantProblem(t, err, tt.status, tt.code, field)
	}
	_, err := who.AttachFile(ctx, id, "a<b", "payer", []byte("x"))
	wantProblem(t, err, http.StatusUnprocessableEntity, "invalid", "name")
	_, err = who.AttachFile(ctx, id, "x", "everybody", []byte("x"))
	wantProblem(t, err, http.StatusUnprocessableEntity, "invalid", "audience")
	w.scanner.away.Store(true)
	_, err = who.AttachFile(ctx, id, "x", "payer", []byte("harmless"))
	wantProblem(t, err, http.StatusServiceUnavailable, "scanner_away", "")
	w.scanner.away.Store(false)

	// A file is declared as one, and nothing else is.
	path := "/v1/cases/" + string(id)
	for _, tt := range []struct{ path, kind string }{
		{path + "/files?name=x&audience=payer", "application/json"},
		{path + "/files?name=x&audience=payer", "text/plain"},
		{path + "/files?name=x&audience=payer", "multipart/form-data; boundary=b"},
		{path + "/notes", "application/octet-stream"},
	} {
		if a := w.raw(http.MethodPost, tt.path, token, "{}", "Content-Type", tt.kind); a.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s as %s: %d %s", tt.path, tt.kind, a.status, a.body)
		}
	}
}

// bombPNG says that it has 256 million points.
const bombPNG = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x3e\x80\x00\x00\x3e\x80\x08\x06\x00\x00\x00\x41\x7e\xdf\xde"
