package api

import (
	"mime"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mianmi/mianmi"
)

// entryHeader names the entry of the log that records what was done.
const entryHeader = "Mianmi-Entry"

func describePack(_ huma.Registry, op *huma.Operation) {
	op.Parameters = append(op.Parameters, &huma.Param{Name: "case", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(64)}},
		&huma.Param{Name: "confirmed", In: "query", Description: "The fraud has been confirmed", Schema: &huma.Schema{Type: huma.TypeBoolean}})
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/zip": {Schema: &huma.Schema{Type: huma.TypeString}}},
		Headers: map[string]*huma.Param{entryHeader: {Schema: &huma.Schema{Type: huma.TypeString}, Description: "en…, whose receipt shows later that this is the file"}}}
}

func (s *Server) packCase(c *call) {
	confirmed := false
	if text := c.r.URL.Query().Get("confirmed"); text != "" {
		var err error
		if confirmed, err = strconv.ParseBool(text); err != nil {
			s.fail(c, mianmi.InvalidField("confirmed", "want true or false"))
			return
		}
	}
	p, err := s.Packs.Make(c.r.Context(), c.actor, mianmi.CaseID(c.r.PathValue("case")), confirmed)
	if err != nil {
		s.fail(c, err)
		return
	}
	h := c.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": p.Name}))
	h.Set("Cache-Control", "no-store")
	h.Set(entryHeader, string(p.Entry))
	h.Set("Content-Length", strconv.Itoa(len(p.Zip)))
	c.WriteHeader(http.StatusOK)
	_, _ = c.Write(p.Zip) // the caller has gone: nobody to tell
}
