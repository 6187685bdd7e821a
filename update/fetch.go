package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// heldMax bounds how many versions one look asks for: few come in stages at once.
const heldMax = 8

// ErrHeld says that the host gives this terminal the program later.
var ErrHeld = errors.New("the program comes to this terminal later")

// held asks whether the host holds an offer back.
func (c *Client) held(ctx context.Context, o *Offer) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, c.Base+o.path(), nil)
	if err != nil {
		return false, err
	}
	res, err := c.HTTP.Do(r)
	if err != nil {
		return false, err
	}
	if err := res.Body.Close(); err != nil {
		return false, err
	}
	switch res.StatusCode {
	case http.StatusOK:
		return false, nil
	case http.StatusTooEarly:
		return true, nil
	}
	return false, fmt.Errorf("program %s: the host answers %s", o.Version, res.Status)
}

func (o *Offer) path() string {
	return "/targets/" + o.Model + "/" + o.Version + "/" + o.Sum + "." + o.Platform
}

// Store is where programs lie on the terminal's disk.
type Store interface {
	// Append opens what there is of a program for writing on.
	Append(sum string) (part io.WriteCloser, size int64, err error)
	// Drop removes what there is of it.
	Drop(sum string) error
	// Finish gives it its name when it has that length and SHA-256; otherwise it
	// removes it and whole is false.
	Finish(sum string, length int64) (whole bool, err error)
}

// Pieces keep what is lost with a connection small, and bound the time of one
// request: 4 KiB a second is the slowest link that gets a program through.
const (
	pieceBytes = 256 << 10
	pieceTime  = time.Minute
)

// Fetch brings an offered program onto the disk. After an error, ErrHeld among
// them, it goes on where it stopped; a Refusal is final.
func (c *Client) Fetch(ctx context.Context, o *Offer, into Store) error {
	for done := false; !done; {
		var err error
		if done, err = c.piece(ctx, o, into); err != nil {
			return err
		}
	}
	whole, err := into.Finish(o.Sum, o.Size)
	if err != nil {
		return err
	}
	if !whole {
		return &Refusal{Kind: WrongHash, Version: o.Version, Err: errors.New("what came has another length or SHA-256")}
	}
	return nil
}

// piece fetches the next piece; done says that there is none.
func (c *Client) piece(ctx context.Context, o *Offer, into Store) (done bool, err error) {
	part, have, err := into.Append(o.Sum)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	want := min(o.Size-have, pieceBytes)
	if want <= 0 {
		return true, nil // too much is found by Finish
	}
	ctx, cancel := context.WithTimeout(ctx, pieceTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+o.path(), nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", have, have+want-1))
	res, err := c.HTTP.Do(r)
	if err != nil {
		return false, err
	}
	defer res.Body.Close() //nolint:errcheck // as far as it is wanted
	switch {
	case res.StatusCode == http.StatusTooEarly: // meanwhile it was paused or stopped
		return false, fmt.Errorf("program %s: %w", o.Version, ErrHeld)
	case res.StatusCode == http.StatusRequestedRangeNotSatisfiable: // the host has less than was signed
		return false, errors.Join(into.Drop(o.Sum), &Refusal{Kind: WrongHash, Version: o.Version, Err: errors.New("the host has fewer bytes than were signed")})
	case res.StatusCode != http.StatusPartialContent || !strings.HasPrefix(res.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(have, 10)+"-"):
		return false, fmt.Errorf("the host does not serve the piece from %d on: %s", have, res.Status)
	}
	if _, err := io.CopyN(part, res.Body, want); err != nil {
		return false, fmt.Errorf("a piece of program %s was cut off: %w", o.Version, err)
	}
	return false, nil
}
