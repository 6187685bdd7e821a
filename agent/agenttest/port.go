package agenttest

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Port returns a free port of this machine, below those that systems give to
// connections (32768 and up): none of them takes it while a terminal restarts.
func Port(t testing.TB) string {
	t.Helper()
	var err error
	for range 100 { // far more than are taken in a row
		port := strconv.Itoa(10_000 + rand.IntN(20_000)) //nolint:gosec // any will do
		l, listenErr := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", port))
		if listenErr == nil {
			_ = l.Close() // nothing was accepted
			return port
		}
		err = listenErr
	}
	t.Fatal(err)
	return ""
}
