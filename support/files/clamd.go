package files

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Clamd asks a ClamAV daemon (clamd(8), command INSTREAM), over TCP or a Unix
// socket.
type Clamd struct {
	Network, Address string        // "tcp" or "unix"
	Time             time.Duration // for one file
}

// answerMax bounds what the daemon says.
const answerMax = 4096

// Scan implements Scanner.
func (c Clamd) Scan(ctx context.Context, content []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Time)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, c.Network, c.Address)
	if err != nil {
		return "", fmt.Errorf("ask clamd: %w", err)
	}
	defer conn.Close() //nolint:errcheck // what it said counts
	end, _ := ctx.Deadline()
	if err := conn.SetDeadline(end); err != nil {
		return "", fmt.Errorf("ask clamd: %w", err)
	}
	// One chunk with its length, and an empty one that ends the stream.
	message := append([]byte("zINSTREAM\x00"), binary.BigEndian.AppendUint32(nil, uint32(len(content)))...) //nolint:gosec // at most SizeMax
	message = append(append(message, content...), 0, 0, 0, 0)
	if _, err := conn.Write(message); err != nil {
		return "", fmt.Errorf("ask clamd: %w", err)
	}
	said, err := io.ReadAll(io.LimitReader(conn, answerMax))
	if err != nil {
		return "", fmt.Errorf("ask clamd: %w", err)
	}
	answer := strings.TrimPrefix(strings.TrimRight(string(said), "\x00\n"), "stream: ")
	if answer == "OK" {
		return "", nil
	}
	if name, ok := strings.CutSuffix(answer, " FOUND"); ok && name != "" {
		return name, nil
	}
	return "", fmt.Errorf("clamd did not say what it found in %d bytes", len(content))
}
