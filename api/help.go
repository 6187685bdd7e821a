package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support/help"
)

func (s *Server) registerHelp() {
	add(s, route{method: "GET", path: "/v1/help", name: "helpArticles", tag: "help", may: anybody(), summary: "Find help articles",
		about: "Guides, questions with their answers, and notices, in the language of Accept-Language (zh or en); the best match first, or in their own order. Words are looked for in both languages. " +
			"Of notices those that hold today."}, s.helpArticles)
	add(s, route{method: "GET", path: "/v1/help/{article}", name: "helpArticle", tag: "help", may: anybody(), summary: "Show a help article",
		about: "As Markdown, and as HTML that may stand in a page. Its links to other articles are relative: they are their identifiers."}, s.helpArticle)
}

// HelpTitle is a help article in a list.
type HelpTitle struct {
	ID         string      `json:"id" example:"lost-phone"`
	Kind       string      `json:"kind" enum:"article,faq,notice"`
	Title      string      `json:"title"`
	Summary    string      `json:"summary"`
	Audience   []string    `json:"audience" enum:"payer,cashier,merchant,support"`
	Models     []HelpModel `json:"models" doc:"Families of terminals that it holds for; none: all"`
	Reviewed   string      `json:"reviewed" doc:"The day on which it was last held against the product" example:"2026-12-01"`
	ValidFrom  string      `json:"valid_from,omitzero" doc:"First day of a notice, in UTC+8" example:"2026-12-01"`
	ValidUntil string      `json:"valid_until,omitzero" doc:"Its last day"`
	Valid      bool        `json:"valid" doc:"False: a notice whose last day has passed"`
}

// HelpModel is a family of terminals, and versions of the program there.
type HelpModel struct {
	Family string `json:"family" example:"android_smart"`
	From   string `json:"from,omitzero" doc:"First version that it holds for"`
	Before string `json:"before,omitzero" doc:"First version that it holds for no more"`
}

// HelpArticle is a help article with its text.
type HelpArticle struct {
	HelpTitle
	Markdown string   `json:"markdown"`
	HTML     string   `json:"html" doc:"Made of the Markdown; without scripts, pictures and headings of the first rank"`
	Related  []string `json:"related" doc:"Identifiers of other articles"`
}

func showHelpTitle(a *help.Article, lang mianmi.Lang, now time.Time) HelpTitle {
	c := a.In(lang)
	t := HelpTitle{ID: a.ID, Kind: string(a.Kind), Title: c.Title, Summary: c.Summary, Audience: []string{}, Models: []HelpModel{},
		Reviewed: a.Reviewed, ValidFrom: a.ValidFrom, ValidUntil: a.ValidUntil, Valid: a.At(now) == help.Valid}
	for _, who := range a.Audience {
		t.Audience = append(t.Audience, string(who))
	}
	for _, m := range a.Models {
		t.Models = append(t.Models, HelpModel(m))
	}
	return t
}

// spoken is the tag of a language, for the header that names it.
func spoken(l mianmi.Lang) string {
	if l == mianmi.EN {
		return "en"
	}
	return "zh"
}

// HelpTitles is a page of help articles.
type HelpTitles struct {
	ContentLanguage string `header:"Content-Language"`
	Body            List[HelpTitle]
}

func (s *Server) helpArticles(ctx context.Context, _ mianmi.Actor, in *struct {
	Q        string `query:"q" maxLength:"200" doc:"Words, or a question; left out: all articles"`
	Kind     string `query:"kind" enum:"article,faq,notice"`
	Audience string `query:"audience" enum:"payer,cashier,merchant,support"`
	Model    string `query:"model" maxLength:"100" doc:"Family of the terminal, as in its program (android_smart); one that no article names narrows nothing"`
	Version  string `query:"version" maxLength:"100" doc:"Of the program there; one that cannot be read narrows nothing"`
	Expired  bool   `query:"expired" doc:"With notices whose last day has passed"`
	PageInput
}) (*HelpTitles, error) {
	now, lang := s.Clock.Now(), callOf(ctx).lang
	list, err := s.Help.Search(help.Query{Words: in.Q, Kind: help.Kind(in.Kind), Audience: help.Audience(in.Audience), Family: in.Model, Version: in.Version,
		Expired: in.Expired, After: in.After, Limit: in.Limit}, now)
	if err != nil {
		return nil, err
	}
	show := func(a *help.Article) HelpTitle { return showHelpTitle(a, lang, now) }
	return &HelpTitles{spoken(lang), listOf(list, in.Limit, show, func(a *help.Article) string { return a.ID }).Body}, nil
}

// HelpText is one help article.
type HelpText struct {
	ContentLanguage string `header:"Content-Language"`
	Body            HelpArticle
}

func (s *Server) helpArticle(ctx context.Context, _ mianmi.Actor, in *struct {
	Article string `path:"article" maxLength:"64" example:"lost-phone"`
}) (*HelpText, error) {
	now, lang := s.Clock.Now(), callOf(ctx).lang
	a, err := s.Help.Article(in.Article, now)
	if err != nil {
		return nil, err
	}
	c := a.In(lang)
	return &HelpText{spoken(lang), HelpArticle{HelpTitle: showHelpTitle(a, lang, now), Markdown: c.Markdown, HTML: c.HTML, Related: append([]string{}, a.Related...)}}, nil
}
