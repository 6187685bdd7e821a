package files

import (
	"bytes"
	"regexp"
	"strings"
)

// active are names in a PDF of what runs, sends something, or hides a file. What
// opens a page or a size of view (OpenAction) is in most bank statements.
var active = []string{"/JavaScript", "/JS", "/Launch", "/EmbeddedFile", "/RichMedia", "/AA", "/SubmitForm", "/ImportData", "/XFA", "/Encrypt"}

// hidden is a name that is written in part by numbers of letters, which nobody
// does who has nothing to hide (ISO 32000-1, 7.3.5).
var hidden = regexp.MustCompile(`/[A-Za-z]*#(4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])`)

// document refuses a PDF with anything in it that acts, or that is an archive or a
// page too. What hides in packed streams is the scanner's; a file that is handed out
// is saved, not opened here.
func document(content []byte) error {
	if !bytes.Contains(content[max(0, len(content)-2048):], []byte("%%EOF")) || page(content) {
		return errKind
	}
	// Programs look for an archive's directory in the last 64 KiB (APPNOTE.TXT, 4.3.16).
	if bytes.Contains(content[max(0, len(content)-1<<16-22):], []byte("PK\x05\x06")) {
		return errKind
	}
	text := withoutStreams(string(content))
	for _, a := range active {
		for rest := text; ; {
			at := strings.Index(rest, a)
			if at < 0 {
				break
			}
			if rest = rest[at+len(a):]; rest == "" || !letter(rest[0]) {
				return errKind
			}
		}
	}
	if hidden.MatchString(text) {
		return errKind
	}
	return nil
}

// withoutStreams is a PDF without its pictures and drawings, in whose bytes short
// names occur by chance.
func withoutStreams(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "stream")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		if strings.HasPrefix(after, "\n") || strings.HasPrefix(after, "\r\n") {
			_, behind, ends := strings.Cut(after, "endstream")
			if !ends { // nor does any later one: all of it is looked at
				out.WriteString(after)
				return out.String()
			}
			after = behind
		}
		text = after
	}
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
