package update

import (
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"time"
)

// served are the only names that leave a repository's folder.
var served = regexp.MustCompile(`^(timestamp\.json|[1-9][0-9]{0,17}\.(root|snapshot|targets)\.json|targets/[a-z][a-z0-9_]{1,39}/[0-9.]{1,40}/[0-9a-f]{64}\.[a-z0-9]{1,16}-[a-z0-9]{1,16})$`)

// Handler serves the repository in dir, read only and with ranges, at the
// paths of TUF: /timestamp.json, /2.targets.json, /targets/….
func Handler(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "read only", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		if !served.MatchString(name) {
			http.NotFound(w, r)
			return
		}
		// Opened anew each time: a publisher may replace the folder as a whole.
		root, err := os.OpenRoot(dir)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer root.Close() //nolint:errcheck // read only
		file, err := root.Open(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer file.Close() //nolint:errcheck // read only
		if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Cache-Control", "no-store")
		if path.Ext(name) == ".json" {
			h.Set("Content-Type", "application/json")
		}
		http.ServeContent(w, r, "", time.Time{}, file)
	})
}
