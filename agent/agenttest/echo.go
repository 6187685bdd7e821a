package agenttest

import (
	"net/http"

	"github.com/mianmi/mianmi/terminal/protocol"
)

// TellChannels has the host say this of the payment systems outside; before, it
// says nothing, as an older host.
func (h *Host) TellChannels(list ...protocol.ChannelState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.channels = list
}

func (h *Host) echo(w http.ResponseWriter, r *http.Request) {
	e := protocol.Echo{Terminal: Terminal, Nonce: r.FormValue("nonce")}
	if r.FormValue("channels") == "1" {
		h.mu.Lock()
		e.Channels = h.channels
		h.mu.Unlock()
	}
	write(w, e)
}
