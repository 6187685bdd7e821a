package update

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"time"
)

// served are the only names that leave a repository's folder. Of a program it
// says family and version: what is asked about is what is opened.
var served = regexp.MustCompile(`^(?:timestamp\.json|[1-9][0-9]{0,17}\.(?:root|snapshot|targets)\.json|` +
	`targets/([a-z][a-z0-9_]{1,39})/([0-9]{1,6}(?:\.[0-9]{1,6}){0,3})/[0-9a-f]{64}\.[a-z0-9]{1,16}-[a-z0-9]{1,16})$`)

// May says whether whoever asks may have a version of a family's program now.
type May func(ctx context.Context, family, version string) (bool, error)

// Handler serves the repository in dir, read only and with ranges, at the
// paths of TUF: /timestamp.json, /2.targets.json, /targets/…. A program that may
// not be had yet is answered with 425 and a problem document, one of which that is
// not known with 503; metadata are everybody's always, or holding a program back
// would hold back the news of the next. may nil: everybody may have everything.
func Handler(dir string, may May) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "read only", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		parts := served.FindStringSubmatch(name)
		if parts == nil {
			http.NotFound(w, r)
			return
		}
		if family, version := parts[1], parts[2]; family != "" && may != nil {
			ok, err := may(r.Context(), family, version)
			if err != nil {
				refuseFor(w, http.StatusServiceUnavailable, "unavailable", "it is not known whether this program may be had; ask again")
				return
			}
			if !ok {
				refuseFor(w, http.StatusTooEarly, CodeHeld, "this program comes to this terminal later: ask again after the next hint")
				return
			}
		}
		serveFile(w, r, dir, name)
	})
}

// CodeHeld is the code of the answer that a program comes later.
const CodeHeld = "program_held"

// refuseFor answers with a problem document (RFC 9457), as all of the terminals'
// listener does.
func refuseFor(w http.ResponseWriter, status int, code, title string) {
	body, err := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
	}{title, status, code})
	if err != nil {
		panic(err) // three plain fields
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever has gone asks again
}

func serveFile(w http.ResponseWriter, r *http.Request, dir, name string) {
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
}
