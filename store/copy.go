package store

import (
	"bytes"
	"encoding/binary"
	"io"
)

// copyRows are payments in the binary form of PostgreSQL's COPY (PostgreSQL
// documentation, COPY, "Binary Format"), in the order of paymentColumns. Zero
// is empty.
type copyRows struct{ b []byte }

// copyHeader is the signature, no flags and no extension.
var copyHeader = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")

// copyRowSize is a little more than a row takes.
const copyRowSize = 640

const paymentColumnCount = 29

func (c *copyRows) add(r *paymentRow) {
	if c.b == nil {
		c.b = append(make([]byte, 0, 64*copyRowSize), copyHeader...)
	}
	c.b = binary.BigEndian.AppendUint16(c.b, paymentColumnCount)
	c.small(r.bucket)
	c.text(r.id, r.payer, r.merchant, r.store, r.terminal, r.orderNo)
	c.big(r.amount)
	c.text(r.currency)
	c.small(r.method, r.entry, r.cvm)
	c.text(r.instrument, r.channel)
	c.small(r.outcome, r.state, r.failure, r.stepUp, r.tries)
	c.text(r.reasons, r.rules)
	c.big(r.epoch, r.payerVersion)
	c.text(r.actor)
	c.big(r.createdAt, r.stateAt)
	if r.expiresAt == nil {
		c.b = binary.BigEndian.AppendUint32(c.b, 1<<32-1) // -1: NULL
	} else {
		c.big(*r.expiresAt)
	}
	c.big(r.refunded, r.version)
}

func (c *copyRows) text(list ...string) {
	for _, s := range list {
		c.b = binary.BigEndian.AppendUint32(c.b, uint32(len(s))) //nolint:gosec // columns are short
		c.b = append(c.b, s...)
	}
}

func (c *copyRows) small(list ...int16) {
	for _, n := range list {
		c.b = binary.BigEndian.AppendUint32(c.b, 2)
		c.b = binary.BigEndian.AppendUint16(c.b, uint16(n)) //nolint:gosec // two's complement
	}
}

func (c *copyRows) big(list ...int64) {
	for _, n := range list {
		c.b = binary.BigEndian.AppendUint32(c.b, 8)
		c.b = binary.BigEndian.AppendUint64(c.b, uint64(n)) //nolint:gosec // two's complement
	}
}

// reader ends the rows; nil when there are none.
func (c *copyRows) reader() io.Reader {
	if c.b == nil {
		return nil
	}
	return bytes.NewReader(binary.BigEndian.AppendUint16(c.b, 1<<16-1)) // -1: the end
}
