package api

import (
	"bytes"
	_ "embed"
	"html/template"
	"maps"
	"net/http"
	"slices"

	"github.com/mianmi/mianmi"
)

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
