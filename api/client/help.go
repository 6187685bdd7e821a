package client

import (
	"context"
	"net/http"
)

// HelpTitle is a help article in a list, in the client's language.
type HelpTitle struct {
	ID         string      `json:"id"`
	Kind       string      `json:"kind"` // article, faq, notice
	Title      string      `json:"title"`
	Summary    string      `json:"summary"`
	Audience   []string    `json:"audience"`
	Models     []HelpModel `json:"models"` // none: all
	Reviewed   string      `json:"reviewed"`
	ValidFrom  string      `json:"valid_from"` // of notices: days in UTC+8
	ValidUntil string      `json:"valid_until"`
	Valid      bool        `json:"valid"`
}

// HelpModel is a family of terminals, and versions of the program there.
type HelpModel struct {
	Family string `json:"family"`
	From   string `json:"from"`
	Before string `json:"before"`
}

// HelpArticle is a help article with its text.
type HelpArticle struct {
	HelpTitle
	Markdown string   `json:"markdown"`
	HTML     string   `json:"html"` // may stand in a page as it is
	Related  []string `json:"related"`
}

// HelpQuery says which help articles are asked for; its zero value, all.
type HelpQuery struct {
	Words          string
	Kind, Audience string
	Model, Version string // family of the terminal, version of its program
	Expired        bool
	Page
}

// HelpArticles finds help articles, the best match first.
func (c *Client) HelpArticles(ctx context.Context, q HelpQuery) (List[HelpTitle], error) {
	return call[List[HelpTitle]](ctx, c, http.MethodGet, "/v1/help"+query(map[string]any{
		"q": q.Words, "kind": q.Kind, "audience": q.Audience, "model": q.Model, "version": q.Version, "after": q.After,
		"expired": q.Expired, "limit": q.Limit,
	}), nil)
}

// HelpArticle returns a help article.
func (c *Client) HelpArticle(ctx context.Context, id string) (HelpArticle, error) {
	return call[HelpArticle](ctx, c, http.MethodGet, "/v1/help/"+seg(id), nil)
}
