package access

import (
	"context"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pquerna/otp/totp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
)

// Staff is a member of a merchant's or of mianmi's own staff.
type Staff struct {
	ID        mianmi.StaffID
	Login     string
	Name      string
	Role      mianmi.Role
	Merchant  mianmi.MerchantID // cashiers, store managers, merchant admins
	Store     mianmi.StoreID    // cashiers, store managers
	Active    bool
	CreatedAt time.Time
	CreatedBy string // mianmi.Actor.String()
	ResetBy   string // who else gave out the password last, after the account was made; empty: nobody
}

// Actor is the member as a caller.
func (m Staff) Actor() mianmi.Actor {
	return mianmi.Actor{Role: m.Role, ID: string(m.ID), Merchant: m.Merchant, Store: m.Store}
}

// Credential is what a member proves the own identity with.
type Credential struct {
	Hash        string    // argon2id, PHC form
	Tries       int       // consecutive failures; each TriesMax of them make a lock
	LockedUntil time.Time // zero: not locked
	TOTP        []byte    // sealed for secret.ForTOTP and the member's identifier
	TOTPStep    int64     // the newest 30-second step that was accepted
}

// StaffInsert is a new row for the store.
type StaffInsert struct {
	Staff      Staff
	Credential Credential
	Entry      evidence.Entry
	OnlyFirst  bool
}

// StaffChange is a member under lock. What fn leaves in it is written.
type StaffChange struct {
	Staff       Staff
	Credential  Credential
	Operators   int // other active operators
	Entries     []evidence.Entry
	EndSessions bool
}

// StaffQuery chooses a page of staff, in the order of identifiers.
type StaffQuery struct {
	Merchant mianmi.MerchantID // empty: all
	Store    mianmi.StoreID    // empty: all
	After    mianmi.StaffID
	Limit    int // default and most 200
}

// NewStaff is a member to be created.
type NewStaff struct {
	Login    string // 3 to 64 of a-z, 0-9, ".", "_", "-", "@"
	Name     string // 1 to 64 characters
	Role     mianmi.Role
	Merchant mianmi.MerchantID
	Store    mianmi.StoreID
}

// Enrolment is shown once, to be handed to the member: it is not kept in
// clear.
type Enrolment struct {
	Staff    Staff
	Password string // to be changed at will with ChangePassword
	TOTP     string // base32, for a one-time-password app
	TOTPURL  string // otpauth://…, for a QR code
}

var loginForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{2,63}$`)

func (n NewStaff) check() error {
	if !loginForm.MatchString(n.Login) {
		return mianmi.InvalidField("login", "want 3 to 64 of a-z, 0-9, '.', '_', '-', '@', a letter or digit first")
	}
	if !printable(n.Name, 64) {
		return mianmi.InvalidField("name", "want 1 to 64 printable characters")
	}
	if !isStaff(n.Role) {
		return mianmi.InvalidField("role", "not a role of staff")
	}
	inShop := n.Role == mianmi.RoleCashier || n.Role == mianmi.RoleStoreManager || n.Role == mianmi.RoleMerchantAdmin
	if inShop != (n.Merchant != "") {
		return mianmi.InvalidField("merchant", "cashiers, store managers and merchant admins have one, others none")
	}
	if (inShop && n.Role != mianmi.RoleMerchantAdmin) != (n.Store != "") {
		return mianmi.InvalidField("store", "cashiers and store managers have one, others none")
	}
	return nil
}

// printable reports 1 to runesMax characters that people can read, without
// space at either end.
func printable(s string, runesMax int) bool {
	if s == "" || len(s) > 4*runesMax || !utf8.ValidString(s) || utf8.RuneCountInString(s) > runesMax || strings.TrimSpace(s) != s {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// CreateStaff creates a member with a password and a one-time-password secret
// that are shown once.
func (s *Service) CreateStaff(ctx context.Context, actor mianmi.Actor, n NewStaff) (Enrolment, error) {
	if err := Allow(actor, StaffManage, Target{Merchant: n.Merchant, Store: n.Store}); err != nil {
		return Enrolment{}, err
	}
	if err := n.check(); err != nil {
		return Enrolment{}, err
	}
	if !Makes(actor.Role, n.Role) {
		return Enrolment{}, mianmi.Forbidden("not_allowed", "a "+actor.Role.String()+" may not create a "+n.Role.String())
	}
	return s.insertStaff(ctx, actor, n, false)
}

// Bootstrap creates the first operator. It is a Conflict with the code
// "staff_exists" when there is any member already.
func (s *Service) Bootstrap(ctx context.Context, login, name string) (Enrolment, error) {
	n := NewStaff{Login: login, Name: name, Role: mianmi.RoleOperator}
	if err := n.check(); err != nil {
		return Enrolment{}, err
	}
	return s.insertStaff(ctx, mianmi.System("bootstrap"), n, true)
}

func (s *Service) insertStaff(ctx context.Context, actor mianmi.Actor, n NewStaff, onlyFirst bool) (Enrolment, error) {
	now := s.now()
	id, err := mianmi.NewID("sf", now, s.Random)
	if err != nil {
		return Enrolment{}, err
	}
	m := Staff{ID: mianmi.StaffID(id), Login: n.Login, Name: n.Name, Role: n.Role, Merchant: n.Merchant, Store: n.Store,
		Active: true, CreatedAt: now, CreatedBy: actor.String()}
	e, c, err := s.enrol(ctx, m)
	if err != nil {
		return Enrolment{}, err
	}
	record, err := s.entry(now, actor, "staff.created", id, m.body())
	if err != nil {
		return Enrolment{}, err
	}
	err = s.Store.InsertStaff(ctx, StaffInsert{Staff: m, Credential: c, Entry: record, OnlyFirst: onlyFirst})
	if err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

// enrol makes a fresh password (100 bits) and one-time-password secret (160).
func (s *Service) enrol(ctx context.Context, m Staff) (Enrolment, Credential, error) {
	password, err := secret.Letters(s.Random, 20)
	if err != nil {
		return Enrolment{}, Credential{}, err
	}
	hash, err := s.Hasher.Hash(ctx, password)
	if err != nil {
		return Enrolment{}, Credential{}, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: s.cfg.Issuer, AccountName: m.Login, Rand: s.Random})
	if err != nil {
		return Enrolment{}, Credential{}, err
	}
	sealed, err := s.Keys.Seal(secret.ForTOTP, []byte(key.Secret()), string(m.ID), s.Random)
	if err != nil {
		return Enrolment{}, Credential{}, err
	}
	return Enrolment{Staff: m, Password: password, TOTP: key.Secret(), TOTPURL: key.URL()},
		Credential{Hash: hash, TOTP: sealed}, nil
}

// Staff returns a page of members that the actor may see.
func (s *Service) Staff(ctx context.Context, actor mianmi.Actor, q StaffQuery) ([]Staff, error) {
	if actor.Is(mianmi.RoleMerchantAdmin, mianmi.RoleStoreManager) {
		q.Merchant = actor.Merchant
	}
	if actor.Is(mianmi.RoleStoreManager) {
		q.Store = actor.Store
	}
	if err := Allow(actor, StaffShow, Target{Merchant: q.Merchant, Store: q.Store}); err != nil {
		return nil, err
	}
	q.Limit = pageSize(q.Limit)
	return s.Store.ListStaff(ctx, q)
}

// DeactivateStaff ends the member's sessions and refuses every later login.
// Nobody deactivates themselves, so that an operator is always left. A second
// call changes nothing.
func (s *Service) DeactivateStaff(ctx context.Context, actor mianmi.Actor, id mianmi.StaffID) (Staff, error) {
	var left Staff
	err := s.changeStaff(ctx, actor, id, func(now time.Time, c *StaffChange) error {
		if actor.ID == string(id) {
			return mianmi.Conflicts("own_account", "another person must deactivate this account")
		}
		if c.Staff.Role == mianmi.RoleOperator && c.Operators == 0 {
			return mianmi.Conflicts("last_operator", "the last operator stays")
		}
		left = c.Staff
		if !c.Staff.Active {
			return nil
		}
		c.Staff.Active, c.EndSessions = false, true
		left = c.Staff
		return s.recordStaff(now, actor, "staff.deactivated", c)
	})
	return left, err
}

// ResetStaff gives a member a new password and one-time-password secret,
// lifts a lock and ends the sessions. It also activates a member again. Whoever
// resets sees the password, so from then on the two do not count as two
// persons.
func (s *Service) ResetStaff(ctx context.Context, actor mianmi.Actor, id mianmi.StaffID) (Enrolment, error) {
	m, err := s.Store.StaffByID(ctx, id)
	if err != nil {
		return Enrolment{}, err
	}
	if err := mayChange(actor, m); err != nil { // before the costly hash; again under the lock
		return Enrolment{}, err
	}
	e, fresh, err := s.enrol(ctx, m)
	if err != nil {
		return Enrolment{}, err
	}
	err = s.changeStaff(ctx, actor, id, func(now time.Time, c *StaffChange) error {
		c.Credential, c.Staff.Active, c.EndSessions = fresh, true, true
		if actor.ID != string(id) { // one's own reset hides nobody else's
			c.Staff.ResetBy = actor.String()
		}
		e.Staff = c.Staff
		return s.recordStaff(now, actor, "staff.reset", c)
	})
	if err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

func mayChange(actor mianmi.Actor, m Staff) error {
	if err := Allow(actor, StaffManage, Target{Merchant: m.Merchant, Store: m.Store}); err != nil {
		return err
	}
	if !Makes(actor.Role, m.Role) {
		return mianmi.Forbidden("not_allowed", "a "+actor.Role.String()+" may not change a "+m.Role.String())
	}
	return nil
}

func (s *Service) changeStaff(ctx context.Context, actor mianmi.Actor, id mianmi.StaffID, fn func(time.Time, *StaffChange) error) error {
	now := s.now()
	return s.Store.ChangeStaff(ctx, id, func(c *StaffChange) error {
		if err := mayChange(actor, c.Staff); err != nil {
			return err
		}
		return fn(now, c)
	})
}

func (s *Service) recordStaff(now time.Time, actor mianmi.Actor, kind string, c *StaffChange) error {
	m := c.Staff
	e, err := s.entry(now, actor, kind, string(m.ID), m.body())
	c.Entries = append(c.Entries, e)
	return err
}
