package static_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/web/static"
)

// A file is served under the name that URL gives, for ever, and under no
// other; each that comes from others has its licence beside it.
func TestFiles(t *testing.T) {
	t.Parallel()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		static.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	for name, kind := range map[string]string{"htmx.js": "text/javascript", "weui.css": "text/css", "pos.css": "text/css", "pos.js": "text/javascript",
		"htmx.LICENSE": "text/plain", "weui.LICENSE": "text/plain"} {
		url := static.URL(name)
		w := get(url)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", url, w.Code, w.Header())
		}
		if url == static.Prefix+name || get(static.Prefix+name).Code != http.StatusNotFound {
			t.Errorf("%s is served without its hash", name)
		}
	}
	if get(static.Prefix+"../static.go").Code != http.StatusNotFound {
		t.Error("a file that is not one of them")
	}
}
