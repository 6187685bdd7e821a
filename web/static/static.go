// Package static holds the files that pages load: styles, scripts and their
// licences. Each is served under a name with its own hash in it, so that a
// browser may keep it for ever and still gets the next one at once. Nothing
// comes from elsewhere.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// Prefix is where the files are served.
const Prefix = "/static/"

//go:embed files
var files embed.FS

// file is one of them, with its name that has the hash in it.
type file struct {
	name    string
	kind    string
	content []byte
}

// byName and byHash find a file by its plain name and by its served one.
var byName, byHash = load()

func load() (plain, hashed map[string]*file) {
	plain, hashed = map[string]*file{}, map[string]*file{}
	entries, err := fs.ReadDir(files, "files")
	if err != nil {
		panic("static: " + err.Error()) // they are part of the program
	}
	for _, e := range entries {
		b, err := files.ReadFile("files/" + e.Name())
		if err != nil {
			panic("static: " + err.Error())
		}
		sum := sha256.Sum256(b)
		ext := path.Ext(e.Name())
		f := &file{content: b, kind: mime.TypeByExtension(ext), name: strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext}
		if f.kind == "" {
			f.kind = "text/plain; charset=utf-8"
		}
		plain[e.Name()], hashed[f.name] = f, f
	}
	return plain, hashed
}

// URL is where the file is served ("pos.css" is /static/pos.0a1b2c3d4e5f.css).
// A file that is not there is a fault of the program.
func URL(name string) string {
	f := byName[name]
	if f == nil {
		panic("static: no file " + name)
	}
	return Prefix + f.name
}

// Handler serves the files by their names with the hash.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := byHash[strings.TrimPrefix(r.URL.Path, Prefix)]
		if f == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(f.content) // the browser has gone: nobody to tell
	})
}
