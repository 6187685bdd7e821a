package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Receipt returns the receipt of an entry (en…) or of a payment's decision
// (pm…), byte for byte as it must be kept. The code receipt_not_ready of a
// problem means: in a second.
func (c *Client) Receipt(ctx context.Context, id string) ([]byte, error) {
	return c.bytes(ctx, "/v1/receipts/"+seg(id))
}

// ReceiptPDF returns a receipt as a page of paper.
func (c *Client) ReceiptPDF(ctx context.Context, id string) ([]byte, error) {
	return c.bytes(ctx, "/v1/receipts/"+seg(id)+"/pdf")
}

// Checkpoint returns the log's newest checkpoint, a signed note.
func (c *Client) Checkpoint(ctx context.Context) (string, error) {
	b, err := c.bytes(ctx, "/v1/log/checkpoint")
	return string(b), err
}

// CosignedCheckpoint returns the checkpoint that most witnesses have cosigned, a
// signed note with their cosignatures.
func (c *Client) CosignedCheckpoint(ctx context.Context) (string, error) {
	b, err := c.bytes(ctx, "/v1/log/checkpoint/cosigned")
	return string(b), err
}

// bytes fetches an answer that is no JSON, or must not be read as such.
func (c *Client) bytes(ctx context.Context, path string) ([]byte, error) {
	res, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to the end
	if res.StatusCode != http.StatusOK {
		return nil, problem(res)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, answerMax+1))
	if err == nil && len(b) > answerMax {
		err = fmt.Errorf("GET %s: the answer has more than %d bytes", path, answerMax)
	}
	return b, err
}

// ReceiptLink returns the address, on the server, that leads to a receipt's
// check without logging in.
func (c *Client) ReceiptLink(ctx context.Context, id string) (string, error) {
	out, err := call[struct {
		Path string `json:"path"`
	}](ctx, c, http.MethodGet, "/v1/receipts/"+seg(id)+"/link", nil)
	return out.Path, err
}

// LogKeys are the keys of the transparency log, the first one first.
type LogKeys struct {
	Origin string   `json:"origin"`
	Keys   []LogKey `json:"keys"`
}

// LogKey is one of them.
type LogKey struct {
	Key       string    `json:"key"`
	Size      int64     `json:"size"`
	Since     time.Time `json:"since"`
	Statement string    `json:"statement"`
}

// LogKeys returns the log's public keys.
func (c *Client) LogKeys(ctx context.Context) (LogKeys, error) {
	return call[LogKeys](ctx, c, http.MethodGet, "/v1/log/keys", nil)
}

// Consistency returns the hashes that prove that the log of the size to begins
// with that of the size from.
func (c *Client) Consistency(ctx context.Context, from, to int64) ([][]byte, error) {
	out, err := call[struct {
		Proof [][]byte `json:"proof"`
	}](ctx, c, http.MethodGet, "/v1/log/consistency"+Page{}.query("from", strconv.FormatInt(from, 10), "to", strconv.FormatInt(to, 10)), nil)
	return out.Proof, err
}
