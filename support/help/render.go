package help

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// markdown is CommonMark with tables. Raw HTML stays off, which is its default.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table))

// render makes HTML and plain text of a body. It refuses what has no place in
// an article, so that its HTML can stand in a page as it is: HTML of its own,
// pictures, a heading of the first rank (the title is one), links that lead
// anywhere but to articles, to https, or to a telephone. links are the articles
// that it leads to.
func render(body, lang string) (html, plain string, links []string, err error) {
	source := []byte(body)
	tree := markdown.Parser().Parse(text.NewReader(source))
	var out strings.Builder
	err = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock && n.Kind() != ast.KindList {
				out.WriteByte('\n')
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.RawHTML, *ast.HTMLBlock:
			return ast.WalkStop, errors.New("HTML is not allowed; write Markdown")
		case *ast.Image:
			return ast.WalkStop, errors.New("pictures are not allowed")
		case *ast.Heading:
			if n.Level == 1 {
				return ast.WalkStop, errors.New("begin headings with ##: the title stands in the front matter")
			}
		case *ast.Link:
			to, article, err := target(string(n.Destination), lang)
			if err != nil {
				return ast.WalkStop, err
			}
			if article {
				links = append(links, to)
			}
			n.Destination = []byte(to)
		case *ast.AutoLink:
			if _, _, err := target(string(n.URL(source)), lang); err != nil {
				return ast.WalkStop, err
			}
			out.Write(n.Label(source))
		case *ast.Text:
			out.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				out.WriteByte('\n')
			}
		case *ast.String:
			out.Write(n.Value)
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				out.Write(line.Value(source))
			}
		case *extast.TableCell:
			out.WriteByte(' ')
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", "", nil, err
	}
	var page bytes.Buffer
	if err := markdown.Renderer().Render(&page, source, tree); err != nil {
		return "", "", nil, err
	}
	return page.String(), strings.TrimSpace(out.String()), links, nil
}

// target reads where a link leads. An article is named by its file of the same
// language, so that links work where the files are read, and becomes a relative
// link, so that they work wherever the articles are served side by side.
func target(to, lang string) (out string, article bool, err error) {
	if id, ok := strings.CutSuffix(to, "."+lang+".md"); ok && idForm.MatchString(id) {
		return id, true, nil
	}
	u, err := url.Parse(to)
	switch {
	case err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil, err == nil && u.Scheme == "tel" && u.Opaque != "":
		return to, false, nil
	}
	return "", false, fmt.Errorf("the link to %q: want another article (its-name.%s.md), or an address of https or tel", to, lang)
}
