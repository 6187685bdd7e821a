package agenttest

// Deaf takes no reports of a program of that version; empty: of all.
func (h *Host) Deaf(app string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaf = app
}
