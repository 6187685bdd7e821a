package terminal

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// publicKeys are keys that were read before. A key's name is its digest and it
// is one terminal's for ever, so what stands here never changes; whether it
// counts is another matter, which is read each time.
type publicKeys struct {
	mu sync.RWMutex
	of map[keyName]*protocol.Verifier
}

type keyName struct {
	terminal mianmi.TerminalID
	id       string
}

// publicKeysMax is one for each terminal of a node, at half a kilobyte.
const publicKeysMax = 20_000

// verifier is of the key of a name; nil: it is not one of the terminal's.
func (s *Service) verifier(ctx context.Context, id mianmi.TerminalID, keyID string) (*protocol.Verifier, error) {
	c, name := &s.publics, keyName{id, keyID}
	c.mu.RLock()
	known := c.of[name]
	c.mu.RUnlock()
	if known != nil || keyID == "" {
		return known, nil
	}
	k, err := s.records.TerminalKey(ctx, id, keyID)
	switch {
	case errors.Is(err, mianmi.NotFound):
		return nil, nil //nolint:nilnil // there is none
	case err != nil:
		return nil, err
	}
	public, err := publicKey(k.Public)
	if err != nil {
		return nil, err
	}
	v, err := protocol.NewVerifier(public)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil || len(c.of) >= publicKeysMax {
		c.of = map[keyName]*protocol.Verifier{}
	}
	c.of[name] = v
	return v, nil
}

func publicKey(der []byte) (*ecdsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("read a terminal's key: %w", err)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a terminal's key is a %T", key)
	}
	return public, nil
}
