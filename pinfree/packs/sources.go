package packs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// Sources draws the page that says of every pack where its rules are written,
// how they were read, and what is not certain: docs/rules-sources.md. The text
// is Markdown in one language.
func Sources(list []pinfree.Pack, lang mianmi.Lang) string {
	w := &page{lang: lang}
	list = slices.SortedFunc(slices.Values(list), func(a, b pinfree.Pack) int { return strings.Compare(a.ID, b.ID) })
	w.line("# %s\n", w.say(sourcesTitle))
	w.line("%s\n", w.say(sourcesIntro))
	w.line("## %s\n", w.say(qualityTitle))
	w.line("| %s | %s |\n|---|---|", w.say(wordQuality), w.say(wordMeaning))
	for _, q := range qualities {
		w.line("| `%s` | %s |", q.word, w.say(q.meaning))
	}
	w.line("\n## %s\n", w.say(allTitle))
	w.line("| %s | %s | %s | %s |\n|---|---|---|---|", w.say(wordPack), w.say(wordTitle), w.say(wordDates), w.say(wordDefault))
	for i := range list {
		p := &list[i]
		w.line("| [`%s`](#%s) | %s | %s | %s |", p.ID, p.ID, w.say(p.Title), w.dates(p), w.say(inDefault(p.ID).word))
	}
	for i := range list {
		w.pack(&list[i])
	}
	return w.text.String()
}

// page collects the text.
type page struct {
	lang mianmi.Lang
	text strings.Builder
}

func (w *page) say(t mianmi.Text) string { return t.In(w.lang) }

func (w *page) line(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

// item is a line "- **name**: text" of a pack's section.
func (w *page) item(name mianmi.Text, text string) {
	w.line("- **%s**%s%s", w.say(name), w.say(colon), text)
}

func (w *page) pack(p *pinfree.Pack) {
	w.line("\n## %s\n\n%s\n", p.ID, w.say(p.Title))
	w.item(wordEdition, fmt.Sprintf(w.say(editionAndVersion), p.Edition, p.Version))
	w.item(wordDates, w.dates(p))
	w.item(wordKind, w.say(layers[p.Layer])+w.say(comma)+p.Jurisdiction+w.say(comma)+w.say(permits[p.Permits]))
	if len(p.Beside) > 0 {
		w.item(wordBeside, "`"+strings.Join(p.Beside, "`, `")+"`")
	}
	d := inDefault(p.ID)
	because := ""
	if d.why != (mianmi.Text{}) {
		because = fmt.Sprintf(w.say(inBrackets), w.say(d.why))
	}
	w.item(wordDefault, w.say(d.word)+because)
	w.sources(p)
	w.readings(p)
	w.list(wordAssumes, p.Assumes)
	w.list(wordOpen, p.Open)
	w.rules(p)
}

func (w *page) sources(p *pinfree.Pack) {
	w.line("\n%s%s\n", w.say(wordSources), strings.TrimSpace(w.say(colon)))
	for _, s := range p.Sources {
		id := ""
		if s.ID != "" {
			id = fmt.Sprintf("`%s` ", s.ID)
		}
		w.line("- %s[%s](%s) · `%s` · %s", id, s.Title, s.URL, s.Quality, fmt.Sprintf(w.say(wordRead), s.Read))
	}
}

func (w *page) readings(p *pinfree.Pack) {
	if len(p.Readings) == 0 {
		return
	}
	taken := func(r pinfree.Reading) bool { return r.ID == p.Reading }
	if i := slices.IndexFunc(p.Readings, taken); i >= 0 {
		w.line("\n%s `%s`%s%s", w.say(wordTaken), p.Reading, w.say(colon), w.say(p.Readings[i].Text))
	}
	for _, r := range p.Readings {
		if !taken(r) {
			w.line("\n%s `%s`%s%s", w.say(wordOther), r.ID, w.say(colon), w.say(r.Text))
		}
	}
}

func (w *page) list(name mianmi.Text, texts []mianmi.Text) {
	if len(texts) == 0 {
		return
	}
	w.line("\n%s%s\n", w.say(name), strings.TrimSpace(w.say(colon)))
	for _, t := range texts {
		w.line("- %s", w.say(t))
	}
}

// rules lists what the pack says, in the reading taken.
func (w *page) rules(p *pinfree.Pack) {
	var lines []string
	taken := func(readings []string) bool { return len(readings) == 0 || slices.Contains(readings, p.Reading) }
	for i := range p.Limits {
		l := &p.Limits[i]
		what := above[l.Above]
		if l.Always {
			what = always[l.Above]
		}
		if taken(l.Readings) {
			lines = append(lines, fmt.Sprintf("- `%s` %s · %s%s", l.ID, w.say(l.Title), w.say(what), w.written(l.Sources)))
		}
	}
	for i := range p.Answers {
		lines = append(lines, fmt.Sprintf("- `%s` %s%s", p.Answers[i].ID, w.say(p.Answers[i].Title), w.written(p.Answers[i].Sources)))
	}
	for i := range p.Compensation {
		if taken(p.Compensation[i].Readings) {
			lines = append(lines, fmt.Sprintf("- `%s` %s%s", p.Compensation[i].ID, w.say(p.Compensation[i].Title), w.written(p.Compensation[i].Sources)))
		}
	}
	if a := p.Authentication; a != nil && a.FailuresMax > 0 {
		lines = append(lines, "- "+fmt.Sprintf(w.say(failuresMax), a.FailuresMax))
	}
	if a := p.Authentication; a != nil && a.CodeOnce {
		lines = append(lines, "- "+w.say(codeOnce))
	}
	if len(lines) > 0 {
		w.line("\n%s%s\n\n%s", w.say(wordRules), strings.TrimSpace(w.say(colon)), strings.Join(lines, "\n"))
	}
}

// written names the sources of a rule; nothing where the pack has only one.
func (w *page) written(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return " · " + w.say(wordWritten) + w.say(colon) + "`" + strings.Join(ids, "`, `") + "`"
}

// dates are the pack's first and last day.
func (w *page) dates(p *pinfree.Pack) string {
	from, to := p.Effective.From, p.Effective.To
	switch {
	case from == "" && to == "":
		return w.say(noDates)
	case from == "":
		return fmt.Sprintf(w.say(datesTo), to)
	case to == "":
		return fmt.Sprintf(w.say(datesFrom), from)
	}
	return fmt.Sprintf(w.say(datesBoth), from, to)
}

// standing says whether a pack is in force by default, and when not, why.
type standing struct{ word, why mianmi.Text }

func inDefault(id string) standing {
	if slices.Contains(defaults, id) {
		return standing{word: wordYes}
	}
	return standing{wordNo, leftOut[id]}
}
