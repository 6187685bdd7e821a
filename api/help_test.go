package api_test

import (
	"strings"
	"testing"

	"github.com/mianmi/mianmi/api/client"
)

// TestHelp proves that anybody finds and reads help articles without a login,
// each in the own language, page by page.
func TestHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	found := get[client.List[client.HelpTitle]](t)(w.anyone.HelpArticles(ctx, client.HelpQuery{Words: "手机被偷", Audience: "payer"}))
	if len(found.Items) == 0 || found.Items[0].ID != "lost-phone" || found.Items[0].Title != "Your phone was lost or stolen" || !found.Items[0].Valid {
		t.Errorf("%+v", found)
	}
	var n int
	q := client.HelpQuery{Model: "qr_box", Version: "1.0.0", Page: client.Page{Limit: 5}}
	for {
		page := get[client.List[client.HelpTitle]](t)(w.anyone.HelpArticles(ctx, q))
		for _, a := range page.Items {
			if a.ID == "close-at-android-smart" {
				t.Errorf("a guide for another family: %+v", a)
			}
		}
		if n += len(page.Items); page.Next == "" {
			break
		}
		q.After = page.Next
	}
	if n < 15 {
		t.Errorf("%d articles", n)
	}
	english := get[client.HelpArticle](t)(w.anyone.HelpArticle(ctx, "lost-phone"))
	chinese := w.raw("GET", "/v1/help/lost-phone", "", "", "Accept-Language", "zh-CN,en;q=0.5")
	if !strings.Contains(english.HTML, `<a href="not-me">`) || !strings.Contains(english.Markdown, "## First") || len(english.Related) == 0 {
		t.Errorf("%+v", english)
	}
	if !strings.Contains(string(chinese.body), "手机丢了或被盗") || chinese.header.Get("Content-Language") != "zh" {
		t.Errorf("%v %s", chinese.header, chinese.body)
	}
	_, err := w.anyone.HelpArticle(ctx, "nothing")
	wantProblem(t, err, 404, "not_found", "")
	_, err = w.anyone.HelpArticles(ctx, client.HelpQuery{Page: client.Page{After: "nothing"}})
	wantProblem(t, err, 422, "invalid", "after")
}
