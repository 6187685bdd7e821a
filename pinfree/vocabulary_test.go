package pinfree_test

import (
	"testing"

	"github.com/mianmi/mianmi/pinfree"
)

// Every name that packs may use has its meaning in both languages.
func TestVocabularyHasMeanings(t *testing.T) {
	t.Parallel()
	for _, v := range pinfree.Variables() {
		if v.About.ZH == "" || v.About.EN == "" || v.Kind == "" {
			t.Errorf("%s: %+v", v.Name, v)
		}
	}
	for i, w := range pinfree.FigureWords() {
		figure, ok := pinfree.ParseFigure(w.Name)
		if w.About.ZH == "" || w.About.EN == "" || !ok || int(figure) != i {
			t.Errorf("figure %d: %+v", i, w)
		}
	}
	for field, words := range pinfree.ClosedWords() {
		if len(words) < 2 {
			t.Errorf("%s: %v", field, words)
		}
	}
}
