package api

// List is a page of things. Next is empty on the last page; else it goes into
// the query parameter after (before, for payments) of the next request.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitzero"`
}

// PageInput asks for a page.
type PageInput struct {
	After string `query:"after" doc:"next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// listOf shows a page. A full page may have a next one.
func listOf[T, V any](rows []T, limit int, show func(*T) V, id func(*T) string) *struct{ Body List[V] } {
	out := List[V]{Items: make([]V, len(rows))}
	for i := range rows {
		out.Items[i] = show(&rows[i])
	}
	if n := len(rows); n > 0 && n >= limit {
		out.Next = id(&rows[n-1])
	}
	return &struct{ Body List[V] }{out}
}
