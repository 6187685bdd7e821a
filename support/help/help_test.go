package help

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

var today = at("2026-12-01T12:00:00+08:00")

func library(t *testing.T, own fstest.MapFS) *Library {
	t.Helper()
	var l *Library
	var err error
	if own == nil {
		l, err = New(nil)
	} else {
		l, err = New(own)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// file is a good article with some lines of its front matter replaced.
func file(body string, lines ...string) *fstest.MapFile {
	front := []string{"id: own", "title: T", "summary: S", "kind: faq", "audience: [payer]", `reviewed: "2026-12-01"`}
	for _, l := range lines {
		key, _, _ := strings.Cut(l, ":")
		for i, have := range front {
			if strings.HasPrefix(have, key+":") {
				front[i] = ""
			}
		}
		front = append(front, l)
	}
	return &fstest.MapFile{Data: []byte("---\n" + strings.Join(front, "\n") + "\n---\n" + body)}
}

func both(body string, lines ...string) fstest.MapFS {
	return fstest.MapFS{"own.zh.md": file(body, lines...), "own.en.md": file(body, lines...)}
}

// TestFaultsAreNamed proves that an operator's article at fault is refused by
// file and field, and that nothing is loaded then.
func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	notice := func(from, until string) []string {
		return []string{"kind: notice", `valid_from: "` + from + `"`, `valid_until: "` + until + `"`}
	}
	for name, c := range map[string]struct {
		own  fstest.MapFS
		want string
	}{
		"one language alone":            {fstest.MapFS{"own.zh.md": file("x")}, "own.zh.md: own.en.md is missing"},
		"the other language alone":      {fstest.MapFS{"own.en.md": file("x")}, "own.en.md: own.zh.md is missing"},
		"facts that differ":             {fstest.MapFS{"own.zh.md": file("x"), "own.en.md": file("x", "order: 3")}, "own.en.md: order: "},
		"another name":                  {fstest.MapFS{"Own.md": file("x")}, "Own.md: want a name like"},
		"no front matter":               {fstest.MapFS{"own.zh.md": {Data: []byte("x")}}, "own.zh.md: front matter: "},
		"a field that nobody knows":     {both("x", "colour: red"), "own.en.md: front matter: "},
		"an identifier of another file": {both("x", "id: else"), "own.en.md: id: "},
		"no title":                      {both("x", "title: ''"), "own.en.md: title: "},
		"a title with HTML":             {both("x", "title: <b>x</b>"), "own.en.md: title: "},
		"no summary":                    {both("x", "summary: ''"), "own.en.md: summary: "},
		"an empty keyword":              {both("x", "keywords: ['']"), "own.en.md: keywords: "},
		"another kind":                  {both("x", "kind: news"), "own.en.md: kind: "},
		"nobody to read it":             {both("x", "audience: []"), "own.en.md: audience: "},
		"another reader":                {both("x", "audience: [cat]"), "own.en.md: audience: "},
		"a version that is none":        {both("x", "models: [{family: qr_box, from: new}]"), "own.en.md: models: "},
		"a range that is empty":         {both("x", "models: [{family: qr_box, from: 2.0.0, before: 1.0.0}]"), "own.en.md: models: "},
		"no day of review":              {both("x", "reviewed: '2026-02-30'"), "own.en.md: reviewed: "},
		"a notice without its end":      {both("x", "kind: notice", `valid_from: "2026-12-01"`), "own.en.md: valid_until: "},
		"a notice that ends first":      {both("x", notice("2026-12-02", "2026-12-01")...), "own.en.md: valid_until: "},
		"a guide with an end":           {both("x", `valid_until: "2026-12-01"`), "own.en.md: valid_until: "},
		"related to itself":             {both("x", "related: [own]"), "own.zh.md: related: "},
		"no body":                       {both(" \n"), "own.en.md: body: "},
		"HTML":                          {both("a <b>b</b>"), "own.en.md: body: HTML"},
		"a block of HTML":               {both("<script>alert(1)</script>"), "own.en.md: body: HTML"},
		"a picture":                     {both("![x](https://example.com/x.png)"), "own.en.md: body: pictures"},
		"a title in the body":           {both("# x"), "own.en.md: body: begin headings"},
		"a link that runs":              {both("[x](javascript:alert(1))"), "own.en.md: body: the link"},
		"a link in the open":            {both("[x](http://example.com)"), "own.en.md: body: the link"},
		"an automatic link":             {both("<ftp://example.com>"), "own.en.md: body: the link"},
		"a link to nowhere":             {both("[x](nowhere.en.md)"), `own.en.md: body: the link to "nowhere" leads nowhere`},
		"a link to another language":    {both("[x](credit.zh.md)"), "own.en.md: body: the link"},
		"a file without end":            {both(strings.Repeat("x", fileMax)), "own.en.md: file: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := New(c.own)
			if err == nil || l != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestOwnArticles proves that an operator's articles stand beside those that are
// shipped, and take the place of one with the same identifier.
func TestOwnArticles(t *testing.T) {
	t.Parallel()
	own := both("See <https://example.com/help>, [the guide](credit.LANG.md) and `a<b>`.", "order: 1")
	for name, f := range own {
		f.Data = []byte(strings.ReplaceAll(string(f.Data), "LANG", strings.Split(name, ".")[1]))
	}
	own["credit.zh.md"], own["credit.en.md"] = file("甲", "id: credit", "order: 2"), file("B", "id: credit", "order: 2")
	own["README.txt"] = &fstest.MapFile{Data: []byte("none of ours")}
	l := library(t, own)
	if plus := len(l.articles) - len(library(t, nil).articles); plus != 1 {
		t.Errorf("there are %d more articles, want 1", plus)
	}
	a, err := l.Article("own", today)
	if err != nil {
		t.Fatal(err)
	}
	want := `<p>See <a href="https://example.com/help">https://example.com/help</a>, <a href="credit">the guide</a> and <code>a&lt;b&gt;</code>.</p>` + "\n"
	if diff := cmp.Diff(want, a.EN.HTML); diff != "" {
		t.Error(diff)
	}
	if want := "See https://example.com/help, the guide and a<b>."; a.EN.Plain != want {
		t.Errorf("plain text is %q, want %q", a.EN.Plain, want)
	}
	if a, err = l.Article("credit", today); err != nil || a.In(mianmi.ZH).Plain != "甲" || a.In(mianmi.EN).Plain != "B" {
		t.Errorf("the operator's own article is not in place of the shipped one: %+v, %v", a, err)
	}
}

// TestNoticesHoldForTheirDays proves that a notice is served from its first day
// to its last, by the payer's clock; afterwards only to those who ask for old
// ones, and before to nobody.
func TestNoticesHoldForTheirDays(t *testing.T) {
	t.Parallel()
	l := library(t, both("x", "kind: notice", `valid_from: "2026-12-10"`, `valid_until: "2026-12-11"`))
	for _, c := range []struct {
		now                 string
		listed, old, served bool
	}{
		{"2026-12-09T15:59:59Z", false, false, false}, // 23:59:59 in China
		{"2026-12-09T16:00:00Z", true, true, true},
		{"2026-12-11T15:59:59Z", true, true, true},
		{"2026-12-11T16:00:00Z", false, true, true},
	} {
		now := at(c.now)
		listed, err := l.Search(Query{Kind: Notice}, now)
		old, err2 := l.Search(Query{Kind: Notice, Expired: true}, now)
		_, err3 := l.Article("own", now)
		if err != nil || err2 != nil || (len(listed) == 1) != c.listed || (len(old) == 1) != c.old || (err3 == nil) != c.served {
			t.Errorf("at %s: listed %d, with old ones %d, served: %v", c.now, len(listed), len(old), err3)
		}
	}
}

// TestFinds proves that questions as people put them, in both languages, lead
// to the article that answers them.
func TestFinds(t *testing.T) {
	t.Parallel()
	l := library(t, nil)
	for _, c := range []struct {
		q    Query
		want string // the first
	}{
		{Query{Words: "怎么关闭小额免密", Audience: Payer}, "close-on-phone"},
		{Query{Words: "关闭免密支付", Audience: Payer}, "close-on-phone"},
		{Query{Words: "How do I switch off PIN-free?", Audience: Payer}, "close-on-phone"},
		{Query{Words: "关闭免密", Family: "qr_box", Audience: Cashier}, "close-at-qr-box"},
		{Query{Words: "closing PIN-free", Family: "linux_countertop", Audience: Cashier}, "close-at-linux-countertop"},
		{Query{Words: "POS机关闭免密要重启吗", Family: "android_smart", Audience: Cashier}, "close-at-android-smart"},
		{Query{Words: "会影响我的信用吗"}, "credit"},
		{Query{Words: "Does it hurt my credit score"}, "credit"},
		{Query{Words: "还能重新开启吗"}, "reopen"},
		{Query{Words: "can it be turned on again"}, "reopen"},
		{Query{Words: "手机被偷了"}, "lost-phone"},
		{Query{Words: "My phone got stolen"}, "lost-phone"},
		{Query{Words: "这笔不是我付的"}, "not-me"},
		{Query{Words: "unknown charges"}, "not-me"},
		{Query{Words: "怎样确认真的关了"}, "check-it-is-off"},
		{Query{Words: "凭证 验真"}, "verify-receipt"},
		{Query{Words: "公共ＷＩＦＩ"}, "unsafe-network"}, // full width
		{Query{Words: "紧急停用"}, "rollouts-and-stops"},
		{Query{Words: "夜间 限额"}, "own-limits"},
		{Query{Words: "按时间 按金额", Audience: Support}, "find-a-payment"},
		{Query{Words: "微信免密"}, "other-wallets"},
	} {
		got, err := l.Search(c.q, today)
		if err != nil || len(got) == 0 || got[0].ID != c.want {
			t.Errorf("%+v: got %v, %v, want %s first", c.q, ids(got), err, c.want)
		}
	}
	for _, nothing := range []string{"zebra", "斑马", "???", "的"} {
		if got, err := l.Search(Query{Words: nothing}, today); err != nil || len(got) != 0 {
			t.Errorf("%q finds %v, %v", nothing, ids(got), err)
		}
	}
}

// TestFilters proves that a family and version narrow the guides that are made
// for some, that what is not known narrows nothing, and that articles for all
// stay.
func TestFilters(t *testing.T) {
	t.Parallel()
	l := library(t, both("x", "models: [{family: qr_box, from: 1.2.0, before: 2.0.0}]"))
	for _, c := range []struct {
		family, version           string
		own, android, box, credit bool
	}{
		{"", "", true, true, true, true},
		{"qr_box", "", true, false, true, true},
		{"qr_box", "nightly", true, false, true, true},
		{"qr_box", "1.1.9", false, false, true, true},
		{"qr_box", "1.2.0", true, false, true, true},
		{"qr_box", "v1.9.9", true, false, true, true},
		{"qr_box", "2.0.0", false, false, true, true},
		{"android_smart", "1.5.0", false, true, false, true},
		{"somebody_elses", "1.5.0", true, true, true, true},
	} {
		got, err := l.Search(Query{Family: c.family, Version: c.version, Limit: pageMax}, today)
		if err != nil {
			t.Fatal(err)
		}
		has := map[string]bool{}
		for _, a := range got {
			has[a.ID] = true
		}
		if has["own"] != c.own || has["close-at-android-smart"] != c.android || has["close-at-qr-box"] != c.box || has["credit"] != c.credit {
			t.Errorf("%s %s: %v", c.family, c.version, ids(got))
		}
	}
}

// TestPages proves that pages hold each article once, in an order that does not
// change, and that wrong questions are refused by field.
func TestPages(t *testing.T) {
	t.Parallel()
	l := library(t, nil)
	for _, words := range []string{"", "免密 PIN"} {
		all, err := l.Search(Query{Words: words, Limit: pageMax}, today)
		if err != nil || len(all) < 10 {
			t.Fatalf("%q finds %d articles, %v", words, len(all), err)
		}
		var paged []Article
		for after := ""; len(paged) < len(all); after = paged[len(paged)-1].ID {
			page, err := l.Search(Query{Words: words, After: after, Limit: 3}, today)
			if err != nil || len(page) == 0 {
				t.Fatalf("after %q: %v, %v", after, ids(page), err)
			}
			paged = append(paged, page...)
		}
		if diff := cmp.Diff(ids(all), ids(paged)); diff != "" {
			t.Errorf("%q: %s", words, diff)
		}
	}
	for field, q := range map[string]Query{
		"q": {Words: strings.Repeat("密", queryRunesMax+1)}, "kind": {Kind: "news"}, "audience": {Audience: "cat"}, "limit": {Limit: pageMax + 1}, "after": {After: "none"},
	} {
		_, err := l.Search(q, today)
		var e *mianmi.Error
		if !asError(err, &e) || e.Kind != mianmi.Invalid || e.Field != field {
			t.Errorf("%+v: got %v, want %s at fault", q, err, field)
		}
	}
}

// FuzzSearch proves that no question breaks the search.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{"关闭免密", "PIN-free", "ing", "ss", "ed", "的", "a\xff", "ＷＩＦＩ's"} {
		f.Add(s)
	}
	l, err := New(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, words string) {
		got, err := l.Search(Query{Words: words, Limit: pageMax}, today)
		again, err2 := l.Search(Query{Words: words, Limit: pageMax}, today)
		if (err == nil) != (err2 == nil) || !cmp.Equal(ids(got), ids(again)) {
			t.Errorf("%q is answered in two ways", words)
		}
	})
}
