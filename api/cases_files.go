package api

import (
	"context"
	"mime"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support/desk"
)

// CaseFile is something that was attached to a case.
type CaseFile struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Type     string    `json:"type" doc:"By its content"`
	Size     int64     `json:"size" doc:"Bytes, as it is kept"`
	Audience string    `json:"audience" enum:"inside,payer,merchant"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
}

func (s *Server) attachFile(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Name     string `query:"name" required:"true" doc:"As it is called, 1 to 100 characters; an ending that is not of its kind gets one that is"`
	Audience string `query:"audience" required:"true" enum:"inside,payer,merchant"`
	RawBody  []byte `contentType:"application/octet-stream"`
}) (*struct{ Body Case }, error) {
	return s.whole(s.Cases.Attach(ctx, a, in.id(), desk.NewFile{Name: in.Name, Audience: desk.ParseAudience(in.Audience), Content: in.RawBody}))
}

func describeFile(_ huma.Registry, op *huma.Operation) {
	for _, name := range []string{"case", "file"} {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(64)}})
	}
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString}}}}
}

// caseFile hands a file out to be saved. A stranger made it: no browser may show it
// as a page of ours.
func (s *Server) caseFile(c *call) {
	f, content, err := s.Cases.File(c.r.Context(), c.actor, mianmi.CaseID(c.r.PathValue("case")), c.r.PathValue("file"))
	if err != nil {
		s.fail(c, err)
		return
	}
	h := c.Header()
	h.Set("Content-Type", string(f.Type))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = c.Write(content) // the caller has gone: nobody to tell
}
