package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"

	"github.com/mianmi/mianmi/evidence"
)

// Records of one batch are much alike, so they are kept together and packed: the
// 590 bytes of a payment's record become 90, in 0.35 µs. What is hashed is what
// is unpacked, byte for byte. It is done here because SQLite would not do it.

// recordBytesMax is the mean size of records that a batch may have: five times
// what a payment with many reasons has.
const recordBytesMax = 16 << 10

// packRecords puts records together, each with its length in four bytes before
// it, as one block of S2 (github.com/klauspost/compress/s2, block format).
func packRecords(records [][]byte) []byte {
	size := 0
	for _, r := range records {
		size += 4 + len(r)
	}
	framed := make([]byte, 0, size)
	for _, r := range records {
		framed = binary.BigEndian.AppendUint32(framed, uint32(len(r))) //nolint:gosec // a record has some hundred bytes
		framed = append(framed, r...)
	}
	return s2.Encode(nil, framed)
}

// unpackRecords is the inverse of packRecords; NULL has none.
func unpackRecords(packed []byte) ([][]byte, error) {
	if packed == nil {
		return nil, nil
	}
	if n, err := s2.DecodedLen(packed); err != nil || n > evidence.RecordsMax*recordBytesMax {
		return nil, errors.New("the records of a batch are damaged at their beginning")
	}
	b, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("the records of a batch are damaged: %w", err)
	}
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) { //nolint:gosec // four bytes are there
			return nil, errors.New("the records of a batch are cut short")
		}
		n := 4 + binary.BigEndian.Uint32(b)
		out = append(out, b[4:n:n])
		b = b[n:]
	}
	return out, nil
}
