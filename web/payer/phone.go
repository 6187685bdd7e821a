package payer

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/notice/inbox"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/web/site"
	"github.com/mianmi/mianmi/web/static"
)

// Payers is what the phone asks of payer.Service.
type Payers interface {
	Login(ctx context.Context, in payer.LoginInput) (access.Started, error)
	Show(ctx context.Context, a mianmi.Actor, id mianmi.PayerID) (payer.View, error)
	Close(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, b payer.Basis) (payer.Status, error)
	Reopen(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, in payer.ReopenInput) (payer.Status, error)
	Agreements(ctx context.Context, a mianmi.Actor, id mianmi.PayerID) ([]payer.Agreement, error)
	CloseAgreement(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, agreement mianmi.AgreementID) (payer.Agreement, error)
	IssueCode(ctx context.Context, a mianmi.Actor, id mianmi.PayerID) (payer.IssuedCode, error)
	Risk() payer.Document
}

// Payments is what the phone asks of payment.Service.
type Payments interface {
	Payment(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	Payments(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, before mianmi.PaymentID, limit int) ([]payment.Payment, error)
	StepUps(ctx context.Context, a mianmi.Actor, id mianmi.PayerID) ([]payment.Payment, error)
	Confirm(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID, password string) (*payment.Payment, error)
	Cancel(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	DryRun(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, req payment.Request) (payment.Preview, error)
	Site(ctx context.Context, id mianmi.TerminalID) (settings.Site, bool)
	UndoUntil(p *payment.Payment) time.Time
}

// Inbox is what the phone asks of inbox.Service.
type Inbox interface {
	Notices(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, before string, limit int) (inbox.Page, error)
	See(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, upto string) error
}

// Receipts is what the phone asks of receipt.Service.
type Receipts interface {
	Token(id string) string
}

// PhoneParts are what the pages of a payer's wallet work with; all are required.
type PhoneParts struct {
	Payers   Payers
	Payments Payments
	Inbox    Inbox
	Receipts Receipts
	Names    Names
	Site     site.Parts // its services; name, paths and files are set here
}

// Base is where the wallet's pages lie.
const Base = "/my/"

// phone draws the wallet's pages.
type phone struct{ PhoneParts }

// Phone is the wallet on a payer's phone.
func Phone(p PhoneParts) (*site.Site, error) {
	p.Site.Name, p.Site.Base, p.Site.Login = "phone", Base, Base+"login"
	p.Site.Style = []string{static.URL("weui.css"), static.URL("phone.css")}
	p.Site.Script = []string{static.URL("htmx.js"), static.URL("phone.js")}
	h := &phone{p}
	own := []mianmi.Role{mianmi.RolePayer}
	page := func(pattern string, fn func(*site.Visit) error) site.Route {
		return site.Route{Pattern: pattern, May: own, Handle: fn}
	}
	anybody := func(pattern string, fn func(*site.Visit) error) site.Route {
		return site.Route{Pattern: pattern, Public: true, Handle: fn}
	}
	login := anybody("POST "+Base+"login", h.login)
	login.LoggingIn = true
	return site.New(p.Site, []site.Route{
		anybody("GET "+Base+"login", h.loginPage),
		login,
		page("POST "+Base+"logout", h.logout),
		page("GET "+Base+"{$}", h.home),
		page("GET "+Base+"waiting", h.waiting),
		page("POST "+Base+"code", h.code),
		page("GET "+Base+"me", h.me),
		page("GET "+Base+"pin-free", h.pinFree),
		page("POST "+Base+"pin-free/close", h.closePinFree),
		page("GET "+Base+"pin-free/closed", h.closed),
		page("GET "+Base+"pin-free/reopen", h.reopenPage),
		page("POST "+Base+"pin-free/reopen", h.reopen),
		page("POST "+Base+"agreements/{agreement}/close", h.closeAgreement),
		page("GET "+Base+"payments", h.payments),
		page("GET "+Base+"payments/{payment}", h.payment),
		page("POST "+Base+"payments/{payment}/confirm", h.confirm),
		page("POST "+Base+"payments/{payment}/cancel", h.cancel),
		page("GET "+Base+"notices", h.notices),
		page("POST "+Base+"notices/seen", h.seen),
	})
}

// who is the payer whose session it is.
func who(v *site.Visit) mianmi.PayerID { return mianmi.PayerID(v.Actor.ID) }

// loginView is what the page to log in shows.
type loginView struct {
	*site.Visit
	Phone, To, Fault string
}

func (h *phone) loginPage(v *site.Visit) error {
	if v.Actor.Is(mianmi.RolePayer) {
		return v.See(v.Within(v.Query("to")))
	}
	return v.Draw(http.StatusOK, loginPage(loginView{Visit: v, To: v.Query("to")}))
}

func (h *phone) login(v *site.Visit) error {
	in := payer.LoginInput{Phone: phoneNumber(v.Value("phone")), Password: v.R.PostFormValue("password")}
	started, err := h.Payers.Login(v.R.Context(), in)
	if _, words, bad := v.Fault(err); bad {
		if t := byCode["login_failed"]; mianmi.KindOf(err) == mianmi.Unauthenticated {
			words = t.In(v.Lang)
		}
		return v.Draw(http.StatusUnprocessableEntity, loginPage(loginView{Visit: v, Phone: v.Value("phone"), To: v.Value("to"), Fault: words}))
	}
	if err != nil {
		return err
	}
	v.Enter(started)
	return v.See(v.Within(v.Value("to")))
}

func (h *phone) logout(v *site.Visit) error {
	v.Leave()
	return v.See(Base + "login")
}

// place is where a payment was made, as far as it is known.
type place struct{ Shop, Store, Address, Terminal string }

func (h *phone) place(ctx context.Context, p *payment.Payment) place {
	s, known := h.Payments.Site(ctx, p.Terminal)
	if !known {
		return place{}
	}
	out := place{Terminal: s.Terminal.Name}
	if s.Merchant.ID == p.Merchant {
		out.Shop = s.Merchant.Name
	}
	if s.Store.ID == p.Store {
		out.Store, out.Address = s.Store.Name, s.Store.Address
	}
	return out
}

// name is the shop as the payer knows it.
func (p place) name(v *site.Visit) string {
	switch {
	case p.Shop == "":
		return v.T("未知商户", "a shop that is not known any more")
	case p.Store == "" || strings.Contains(p.Shop, p.Store):
		return p.Shop
	case strings.Contains(p.Store, p.Shop):
		return p.Store
	}
	return p.Shop + " · " + p.Store
}

// when is an instant on the payer's clock.
func when(v *site.Visit, t time.Time) string { return payer.When(t, v.Now()).In(v.Lang) }
