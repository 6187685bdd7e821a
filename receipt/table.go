package receipt

import "github.com/mianmi/mianmi"

// Table is the words of this package in one language, for a page that tells a
// receipt by itself. Marks are {who}, {what} and {id}.
type Table struct {
	Sentences map[string]string `json:"sentences"`
	Unknown   string            `json:"unknown"`
	Roles     map[string]string `json:"roles"`
	Subjects  [][2]string       `json:"subjects"` // prefix, words; the first that fits
	Wide      map[string]string `json:"wide"`
	Parts     map[string]string `json:"parts"` // of a receipt that may not fit
}

// Words returns the table.
func Words(l mianmi.Lang) Table {
	in := func(m map[string]mianmi.Text) map[string]string {
		out := make(map[string]string, len(m))
		for k, t := range m {
			out[k] = t.In(l)
		}
		return out
	}
	t := Table{Sentences: in(sentences), Unknown: unknownSentence.In(l), Roles: in(roles), Wide: in(wide), Parts: in(faultParts)}
	for _, s := range subjects {
		t.Subjects = append(t.Subjects, [2]string{s.prefix, s.words.In(l)})
	}
	return t
}
