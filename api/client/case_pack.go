package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/mianmi/mianmi"
)

// packMax bounds a proof pack, in bytes.
const packMax = 128 << 20

// CasePack is the proof pack of a case.
type CasePack struct {
	Zip   []byte
	Entry mianmi.EntryID // that records the handing out
}

// PackCase makes the proof pack of a case; confirmed: the fraud has been confirmed.
func (c *Client) PackCase(ctx context.Context, id mianmi.CaseID, confirmed bool) (CasePack, error) {
	res, err := c.send(ctx, http.MethodPost, "/v1/cases/"+seg(id)+"/pack?confirmed="+strconv.FormatBool(confirmed), nil)
	if err != nil {
		return CasePack{}, err
	}
	defer res.Body.Close() //nolint:errcheck // read to the end
	if res.StatusCode != http.StatusOK {
		return CasePack{}, problem(res)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, packMax+1))
	if err == nil && len(b) > packMax {
		err = fmt.Errorf("the proof pack has more than %d bytes", packMax)
	}
	return CasePack{Zip: b, Entry: mianmi.EntryID(res.Header.Get("Mianmi-Entry"))}, err
}
