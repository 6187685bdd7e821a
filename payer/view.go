package payer

import (
	"context"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/secret"
)

// State is a payer's PIN-free state in one word, as it stands in the API.
type State string

// The states. Frozen is above all others.
const (
	Closed     State = "closed"
	CoolingOff State = "cooling_off" // closed, and will open when the cooling-off is over
	Open       State = "open"
	Held       State = "held"   // open, but for a hold that has an end
	Frozen     State = "frozen" // loss report
)

// Status is what the phone shows: the settings in force at one time, what
// waits, and a sentence.
type Status struct {
	Payer     mianmi.PayerID
	State     State
	Since     time.Time // of State
	Settings  Settings  // in force
	Pending   *Pending  // nil: nothing waits
	Hold      *Hold     // in force, beside any State; nil: none
	Allowance *Allowance
	Version   int64
	Sentence  mianmi.Text

	HasPassword bool
	LockedUntil time.Time // of the payment password; zero: not locked
}

// Status returns the payer's state at now.
func (p *Payer) Status(now time.Time) Status {
	st := Status{Payer: p.ID, State: Closed, Since: p.Since, Settings: p.At(now), Pending: p.Pending, Hold: p.Held(now), Version: p.Version}
	if p.Pending != nil && !now.Before(p.Pending.At) {
		st.Since, st.Pending = p.Pending.At, nil
	}
	if p.Allowance != nil && now.Before(p.Allowance.ExpiresAt) {
		st.Allowance = p.Allowance
	}
	if v := p.VerifiableFrom; v != nil {
		st.HasPassword = true
		if now.Before(*v) {
			st.LockedUntil = *v
		}
	}
	switch {
	case !p.Frozen.IsZero():
		st.State, st.Since = Frozen, p.Frozen
	case st.Settings.PinFree && st.Hold != nil:
		st.State = Held
		if st.Hold.Since.After(st.Since) {
			st.Since = st.Hold.Since
		}
	case st.Settings.PinFree:
		st.State = Open
	case st.Pending != nil && st.Pending.Settings.PinFree:
		st.State = CoolingOff
	}
	st.Sentence = st.sentence(now)
	if st.Hold != nil && (st.State == Closed || st.State == CoolingOff) {
		until := When(st.Hold.Until, now)
		st.Sentence.ZH += "；另有保护性暂停，至 " + until.ZH + " 止"
		st.Sentence.EN += "; a hold stands besides, until " + until.EN
	}
	return st
}

func (st Status) sentence(now time.Time) mianmi.Text {
	since := When(st.Since, now)
	switch st.State {
	case Held:
		until, why := When(st.Hold.Until, now), st.Hold.Because.Words()
		return mianmi.Text{ZH: "小额免密已暂停（" + why.ZH + "），至 " + until.ZH + " 止每笔付款都须验证；您的设置不变",
			EN: "PIN-free payment is on hold (" + why.EN + "): every payment asks for authentication until " + until.EN + "; your settings stay as they are"}
	case Frozen:
		return text("已挂失，全部小额免密已冻结，%s 起", since.ZH, "Reported lost: all PIN-free payment has been frozen since %s", since.EN)
	case Open:
		return text("小额免密已开启，%s 起", since.ZH, "PIN-free payment has been on since %s", since.EN)
	case CoolingOff:
		at := When(st.Pending.At, now)
		return text("小额免密目前关闭，将于 %s 重新开启", at.ZH, "PIN-free payment is off and will be on again from %s", at.EN)
	}
	return text("小额免密已关闭，%s 起", since.ZH, "PIN-free payment has been off since %s", since.EN)
}

func text(zh, zhArg, en, enArg string) mianmi.Text {
	return mianmi.Text{ZH: fmt.Sprintf(zh, zhArg), EN: fmt.Sprintf(en, enArg)}
}

// View is a payer as the actor may see them.
type View struct {
	Status  Status
	Phone   string // whole for the payer, else masked
	Name    string
	Lang    mianmi.Lang
	Balance money.Amount
}

func view(actor mianmi.Actor, p Payer, person Person, now time.Time) View {
	phone := person.MaskedPhone()
	if actor.Role == mianmi.RolePayer {
		phone = person.Phone
	}
	return View{Status: p.Status(now), Phone: phone, Name: person.Name, Lang: person.Lang, Balance: p.Balance}
}

// Show returns the payer's settings, status and balance.
func (s *Service) Show(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) (View, error) {
	if err := s.mayShow(actor, id); err != nil {
		return View{}, err
	}
	p, err := s.Store.Payer(ctx, id)
	if err != nil {
		return View{}, err
	}
	person, err := s.Store.Person(ctx, id)
	if err != nil {
		return View{}, err
	}
	return view(actor, p, person, s.now()), nil
}

func (s *Service) mayShow(actor mianmi.Actor, id mianmi.PayerID) error {
	if err := access.Allow(actor, access.PayerShow, target(id)); err != nil {
		return err
	}
	return checkID(id)
}

// FindByPhone returns the payer with the phone number (E.164).
func (s *Service) FindByPhone(ctx context.Context, actor mianmi.Actor, phone string) (mianmi.PayerID, error) {
	if err := access.Allow(actor, access.PayerFind, access.Target{}); err != nil {
		return "", err
	}
	if err := checkPhone("phone", phone); err != nil {
		return "", err
	}
	return s.Store.PayerByPhone(ctx, s.Keys.Digest(secret.ForPhone, phone))
}

// historyMax bounds a page of the record.
const historyMax = 200

// History returns a page of the payer's record, oldest first, after the entry
// given; limit is at most 200.
func (s *Service) History(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, page EntryQuery) ([]evidence.Entry, error) {
	if err := s.mayShow(actor, id); err != nil {
		return nil, err
	}
	if page.Limit <= 0 || page.Limit > historyMax {
		page.Limit = historyMax
	}
	page.Bucket, page.Subject = id.Bucket(), string(id)
	return s.Store.Entries(ctx, page)
}
