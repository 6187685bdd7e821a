package api

import (
	"bytes"
	"context"
	_ "embed"
	"html/template"
	"maps"
	"net/http"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

func (s *Server) registerRules() {
	add(s, route{method: "GET", path: "/v1/rules", name: "rules", tag: "rules", may: only(allStaff...).and(mianmi.RolePayer).keys(allScopes),
		summary: "The rule packs in force", about: "Each with its text's edition, its limits and its sources. version is in every decision."}, s.rules)
}

// Rules are the packs in force.
type Rules struct {
	Version string `json:"version"`
	Packs   []Pack `json:"packs"`
}

// Pack is a set of rules of a regulator or a scheme.
type Pack struct {
	ID           string   `json:"id" example:"cn-unionpay-2018"`
	Title        Text     `json:"title"`
	Edition      string   `json:"edition"`
	Layer        string   `json:"layer" enum:"regulation,scheme"`
	Jurisdiction string   `json:"jurisdiction"`
	From         string   `json:"from,omitzero" doc:"First day"`
	To           string   `json:"to,omitzero" doc:"Last day"`
	Permits      bool     `json:"permits" doc:"It allows payments to go without a PIN; otherwise it only restricts"`
	Reading      string   `json:"reading,omitzero" doc:"Which reading of the text was taken"`
	Limits       []Limit  `json:"limits"`
	Sources      []Source `json:"sources"`
}

// Limit is one bound of a pack.
type Limit struct {
	Rule  string `json:"rule" doc:"As in a reason" example:"cn-unionpay-2018/per-payment"`
	Title Text   `json:"title"`
	Above string `json:"above" enum:"step_up,refuse" doc:"What happens above it"`
}

// Source is where a rule is written.
type Source struct {
	Title   string `json:"title"`
	URL     string `json:"url"`
	Read    string `json:"read" doc:"Date on which it was read"`
	Quality string `json:"quality"`
}

func (s *Server) rules(context.Context, mianmi.Actor, *struct{}) (*struct{ Body Rules }, error) {
	out := Rules{Version: s.Rules.Version(), Packs: []Pack{}}
	for _, p := range s.Rules.Packs() {
		out.Packs = append(out.Packs, showPack(&p))
	}
	return &struct{ Body Rules }{out}, nil
}

func showPack(p *pinfree.Pack) Pack {
	out := Pack{ID: p.ID, Title: textOf(p.Title), Edition: p.Edition, Layer: p.Layer, Jurisdiction: p.Jurisdiction,
		From: p.Effective.From, To: p.Effective.To, Permits: p.Permits, Reading: p.Reading, Limits: []Limit{}, Sources: []Source{}}
	for i := range p.Limits {
		l := &p.Limits[i]
		out.Limits = append(out.Limits, Limit{Rule: p.ID + "/" + l.ID, Title: textOf(l.Title), Above: l.Above})
	}
	for _, so := range p.Sources {
		out.Sources = append(out.Sources, Source(so))
	}
	return out
}

// registerHouse serves what is not JSON of the API: the document, and two pages
// that say what this is.
func (s *Server) registerHouse() {
	s.static("openapiJSON", "/openapi.json", "application/openapi+json", func() []byte { return s.spec.json })
	s.static("openapiYAML", "/openapi.yaml", "application/openapi+yaml", func() []byte { return s.spec.yaml })
	home, problems := s.pages()
	s.static("home", "/{$}", "text/html; charset=utf-8", func() []byte { return home })
	s.static("problems", "/problems", "text/html; charset=utf-8", func() []byte { return problems })
}

// static serves fixed bytes to anybody.
func (s *Server) static(name, path, contentType string, text func() []byte) {
	p := s.prepare(route{method: http.MethodGet, path: path, name: name, may: anybody()})
	s.mount(p, func(c *call) {
		h := c.Header()
		h.Set("Content-Type", contentType)
		h.Set("Cache-Control", "no-cache")
		if contentType[:4] == "text" { // its own style and nothing else
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		}
		_, _ = c.Write(text()) // the caller has gone: nobody to tell
	})
}

//go:embed house.html
var houseHTML string

var house = template.Must(template.New("house").Parse(houseHTML))

// pages renders the two pages once: nothing in them depends on a request.
func (s *Server) pages() (home, problems []byte) {
	type row struct {
		Code   string
		Status int
		Title  mianmi.Text
	}
	var rows []row
	for _, code := range slices.Sorted(maps.Keys(problemTitles)) {
		rows = append(rows, row{code, transportStatus[code], problemTitles[code]})
	}
	draw := func(name string, data any) []byte {
		var b bytes.Buffer
		if err := house.ExecuteTemplate(&b, name, data); err != nil {
			panic("api: the page " + name + " cannot be drawn: " + err.Error()) // fixed text and data
		}
		return b.Bytes()
	}
	return draw("home", nil), draw("problems", rows)
}
