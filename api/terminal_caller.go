package api

import (
	"context"
	"net/http"

	"github.com/mianmi/mianmi"
)

type terminalKey struct{}

// ForTerminal answers the requests of a terminal whose certificate was checked:
// those routes that name the role, for that terminal alone, and nothing else.
// A bearer in such a request counts for nothing.
func (s *Server) ForTerminal(a mianmi.Actor) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.Is(mianmi.RoleTerminal) {
			panic("api: " + a.String() + " is no terminal") // a bug of whoever mounts this
		}
		s.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), terminalKey{}, a)))
	})
}

func terminalOf(ctx context.Context) (mianmi.Actor, bool) {
	a, known := ctx.Value(terminalKey{}).(mianmi.Actor)
	return a, known
}

// admitTerminal lets a terminal come to its own routes. What is open to anybody
// on the other listener, logins above all, is not open here.
func (s *Server) admitTerminal(c *call, a mianmi.Actor) error {
	c.actor = a
	if c.route == s.elsewhere || c.route == s.otherMethod || c.route.may.allows(a) {
		return nil
	}
	return mianmi.Forbidden("not_allowed", "a terminal may not do this")
}
