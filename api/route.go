package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mianmi/mianmi"
)

// route is one method and path, with all that is said about it in one place:
// the document, the first gate and the metrics read it.
type route struct {
	method, path string
	name         string // operationId, label of metrics
	tag          string
	summary      string
	about        string
	may          rule
	status       int // of success, default 200
	bodyMax      int64

	cached   bool   // authenticate from the cache: payment checks the key again inside its transaction
	measured bool   // many a second: logged at Debug
	wait     bool   // waits for news: bounds its own time
	login    bool   // counts against the remote address
	raw      bool   // the body is a file, as application/octet-stream
	repeat   repeat // what an Idempotency-Key does here

	serve func(*call)
	*counters
}

// repeat says what a second request with the same Idempotency-Key gets.
type repeat uint8

const (
	// runsAgain: doing it twice is the same as doing it once. All that
	// switches off is of this kind: an acknowledged OFF must be one that is in
	// force now, not one that was when the key was new.
	runsAgain repeat = iota
	// firstAnswer: the first answer is given again.
	firstAnswer
)

// rule says who may call a route. The services decide for the thing that is
// meant; this is the first gate and what the document says.
type rule struct {
	public bool
	roles  []mianmi.Role
	scopes mianmi.Scope // an API key needs one of them
}

// Groups of roles.
var (
	ownPeople  = []mianmi.Role{mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator}
	readers    = append(slices.Clone(ownPeople), mianmi.RoleAuditor)
	shopPeople = []mianmi.Role{mianmi.RoleCashier, mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin}
	allStaff   = append(slices.Clone(shopPeople), readers...)
)

func anybody() rule { return rule{public: true} }

func only(roles ...mianmi.Role) rule { return rule{roles: roles} }

func (r rule) and(roles ...mianmi.Role) rule {
	r.roles = append(slices.Clone(r.roles), roles...)
	return r
}

// keys lets API keys in that have one of the scopes.
func (r rule) keys(scopes mianmi.Scope) rule {
	r.scopes = scopes
	return r
}

func (r rule) allows(a mianmi.Actor) bool {
	if a.Role == mianmi.RoleAPIClient {
		return a.Scopes&r.scopes != 0
	}
	return a.Is(r.roles...)
}

// names lists roles and scopes for the document.
func (r rule) names() (roles, scopes []string) {
	for _, role := range r.roles {
		roles = append(roles, role.String())
	}
	for name, scope := range mianmi.ScopeNames {
		if r.scopes.Has(scope) {
			scopes = append(scopes, name)
		}
	}
	slices.Sort(scopes)
	return roles, scopes
}

// bodyMaxDefault bounds a request: the longest legitimate one is a store with
// its address, below 4 KiB.
const bodyMaxDefault = 64 << 10

// add registers a route whose input and output are described by types. The
// handler gets who is calling; its error becomes a problem.
func add[I, O any](s *Server, rt route, h func(context.Context, mianmi.Actor, *I) (*O, error)) {
	p := s.prepare(rt)
	op := p.operation()
	op.Metadata = map[string]any{"route": p}
	op.MaxBodyBytes = p.bodyMax
	huma.Register(s.doc, *op, func(ctx context.Context, in *I) (*O, error) {
		c := callOf(ctx)
		out, err := h(ctx, c.actor, in)
		if err != nil {
			c.err = err
			pr := problem(c, err)
			pr.headers(c.Header())
			return nil, pr
		}
		return out, nil
	})
}

// plain registers a route that writes its own answer; op describes it.
func (s *Server) plain(rt route, describe func(huma.Registry, *huma.Operation), serve func(*call)) {
	p := s.prepare(rt)
	schemas := s.doc.OpenAPI().Components.Schemas
	op := p.operation()
	describe(schemas, op)
	s.doc.OpenAPI().AddOperation(op)
	s.mount(p, serve)
}

func (s *Server) prepare(rt route) *route {
	if rt.status == 0 {
		rt.status = http.StatusOK
	}
	if rt.bodyMax == 0 {
		rt.bodyMax = bodyMaxDefault
	}
	rt.counters = s.metrics.of(rt.name)
	s.routes = append(s.routes, &rt)
	return &rt
}

// mount puts the route on the mux.
func (s *Server) mount(rt *route, serve func(*call)) {
	rt.serve = serve
	if rt.repeat != runsAgain {
		rt.serve = func(c *call) { s.once(c, serve) }
	}
	s.mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) { s.handle(rt, w, r) })
}

// unknown answers what no route matches.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	rt := s.elsewhere
	if allowed := s.methodsAt(r); len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		rt = s.otherMethod
	}
	s.handle(rt, w, r)
}

// methodsAt lists the methods that the path has, when this one is not among them.
func (s *Server) methodsAt(r *http.Request) []string {
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			out = append(out, m)
		}
	}
	return out
}

// document is the framework's way to our mux.
type document struct{ s *Server }

// Handle mounts an operation that was registered with add.
func (d document) Handle(op *huma.Operation, h func(huma.Context)) {
	rt, ok := op.Metadata["route"].(*route)
	if !ok {
		panic("api: an operation without a route: " + op.OperationID)
	}
	d.s.mount(rt, func(c *call) {
		ctx := context.WithValue(c.r.Context(), callKey{}, c)
		h(newContext(op, c, ctx))
	})
}

// ServeHTTP is part of huma.Adapter.
func (d document) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.s.mux.ServeHTTP(w, r) }
