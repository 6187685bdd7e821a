package access

import (
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// keyBody is the body of facts about an API key.
type keyBody struct {
	Merchant  mianmi.MerchantID `json:"merchant,omitempty"`
	Scopes    mianmi.Scope      `json:"scopes"`
	ExpiresAt *time.Time        `json:"expires_at,omitempty"` // none: never
}

func (k Key) body() keyBody {
	b := keyBody{Merchant: k.Merchant, Scopes: k.Scopes}
	if !k.ExpiresAt.IsZero() {
		b.ExpiresAt = &k.ExpiresAt
	}
	return b
}

// staffBody is the body of facts about a member's account.
type staffBody struct {
	Role     string            `json:"role"`
	Merchant mianmi.MerchantID `json:"merchant,omitempty"`
	Store    mianmi.StoreID    `json:"store,omitempty"`
	Active   bool              `json:"active"`
}

func (m Staff) body() staffBody {
	return staffBody{Role: m.Role.String(), Merchant: m.Merchant, Store: m.Store, Active: m.Active}
}

// Recorded is what an entry left in force: at most one part is set, none when
// the entry changed nobody's rights (a login, a new password).
type Recorded struct {
	Key   *Key   // without digest, name and origin
	Staff *Staff // without login, name and origin
}

// ReadEntry reads an entry that this package wrote. A type that it does not
// know is an error: what another program recorded must not be passed over.
func ReadEntry(e evidence.Entry) (Recorded, error) {
	switch e.Type {
	case "staff.login", "staff.login_failed", "staff.locked", "staff.password.changed":
		return Recorded{}, nil
	case "staff.created", "staff.deactivated", "staff.reset":
		return recordedStaff(e)
	case "api_key.created", "api_key.revoked":
		return recordedKey(e)
	}
	return Recorded{}, fmt.Errorf("entry %s is of type %s, which this program does not know", e.ID, e.Type)
}

func recordedStaff(e evidence.Entry) (Recorded, error) {
	var b staffBody
	if err := e.ReadBody(&b); err != nil {
		return Recorded{}, err
	}
	return Recorded{Staff: &Staff{ID: mianmi.StaffID(e.Subject), Role: mianmi.ParseRole(b.Role), Merchant: b.Merchant, Store: b.Store, Active: b.Active}}, nil
}

func recordedKey(e evidence.Entry) (Recorded, error) {
	var b keyBody
	if err := e.ReadBody(&b); err != nil {
		return Recorded{}, err
	}
	k := Key{ID: mianmi.KeyID(e.Subject), Merchant: b.Merchant, Scopes: b.Scopes}
	if b.ExpiresAt != nil {
		k.ExpiresAt = *b.ExpiresAt
	}
	if e.Type == "api_key.revoked" {
		k.RevokedAt = e.At
	}
	return Recorded{Key: &k}, nil
}
