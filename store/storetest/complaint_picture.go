package storetest

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support"
)

// somePicture is a picture, each n another one.
func somePicture(t *testing.T, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, n, 1))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Pictures are known by what they are; those of others are not to be had; those
// that nobody uses go after a week, the others after a year, and however many upload
// at once, a merchant's keep their bound.
func ownPictures(t *testing.T, w *complaintWorld) {
	o, ctx := newOwnWorld(t, w), t.Context()
	c := o.complain(t, o.about("k"))
	used := must(o.a.AddPicture(ctx, o.admin(), o.shop.Merchant, somePicture(t, 1)))(t)
	left := must(o.b.AddPicture(ctx, o.admin(), o.shop.Merchant, somePicture(t, 2)))(t)
	if again := must(o.b.AddPicture(ctx, o.admin(), o.shop.Merchant, somePicture(t, 1)))(t); again != used || used == left {
		t.Errorf("%s and %s", again, used)
	}
	bmp := append([]byte("BM"), make([]byte, 60)...)
	bmp[10], bmp[14], bmp[18], bmp[22] = 54, 40, 1, 1
	must(o.a.AddPicture(ctx, o.admin(), o.shop.Merchant, bmp))(t)
	huge := bytes.Clone(bmp)
	huge[20] = 1 // 65537 wide
	for name, bad := range map[string][]byte{"a page": []byte("<html><script>"), "a drawing": []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "nothing": nil,
		"a GIF": []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00"), "BM alone": []byte("BM"), "a bitmap without points": bmp[:54], "a bitmap that is too wide": huge,
		"too long": append(somePicture(t, 3), make([]byte, support.PictureMax)...)} {
		if _, err := o.a.AddPicture(ctx, o.admin(), o.shop.Merchant, bad); mianmi.KindOf(err) != mianmi.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: "mc2"}
	if _, err := o.a.AddPicture(ctx, stranger, o.shop.Merchant, somePicture(t, 1)); mianmi.KindOf(err) != mianmi.Denied {
		t.Errorf("another merchant uploads: %v", err)
	}
	if _, err := o.a.MerchantPicture(ctx, stranger, "mc2", used); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("another merchant has it: %v", err)
	}
	if _, err := o.a.Answer(ctx, o.admin(), c.ID, support.Order{Key: "a0", Kind: support.Reply, Text: "见图", Images: []string{"0"}}); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("an answer with a picture that is not there: %v", err)
	}
	must(o.a.Answer(ctx, o.admin(), c.ID, support.Order{Key: "a1", Kind: support.Reply, Text: "见图", Images: []string{used}}))(t)
	forStaff, err := o.a.Picture(ctx, Support, c.ID, used)
	forPayer, perr := o.a.PayerPicture(ctx, o.who.Actor(), o.who.ID, c.ID, used)
	if err != nil || perr != nil || !bytes.Equal(forStaff, somePicture(t, 1)) || !bytes.Equal(forPayer, forStaff) {
		t.Errorf("the picture has %d bytes for staff, %v, and %d for the payer, %v", len(forStaff), err, len(forPayer), perr)
	}
	if _, err := o.a.PayerPicture(ctx, o.who.Actor(), o.who.ID, c.ID, left); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("a picture that no step names: %v", err)
	}
	w.clock.Add(time.Second)
	now := w.clock.Now()
	var all sync.WaitGroup
	var kept atomic.Int64
	for i := range 8 {
		all.Go(func() {
			p := support.Picture{Merchant: o.shop.Merchant, ID: fmt.Sprintf("%064d", i), Bytes: make([]byte, 1000), At: now}
			switch err := o.node.DB.PutPicture(ctx, p, support.PictureRoom{Bytes: 3500, Unused: now}); {
			case err == nil:
				kept.Add(1)
			case answerCode(err) != "too_many_pictures":
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := kept.Load(); n != 3 {
		t.Errorf("%d of 1000 bytes each are kept, where 3500 may be", n)
	}
	_, err = o.a.MerchantPicture(ctx, o.admin(), o.shop.Merchant, left)
	if _, uerr := o.a.MerchantPicture(ctx, o.admin(), o.shop.Merchant, used); mianmi.KindOf(err) != mianmi.NotFound || uerr != nil {
		t.Errorf("unused: %v, used: %v", err, uerr)
	}
	w.clock.Add(361 * 24 * time.Hour)
	must(o.a.AddPicture(ctx, o.admin(), o.shop.Merchant, somePicture(t, 3)))(t)
	if _, err := o.a.PayerPicture(ctx, o.who.Actor(), o.who.ID, c.ID, used); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("after a year: %v", err)
	}
}

// A merchant's page has those of its days that were made here, newest first, and
// nobody else's.
func ownPages(t *testing.T, w *complaintWorld) {
	o, ctx := newOwnWorld(t, w), t.Context()
	w.there.merchants = []mianmi.MerchantID{o.shop.Merchant}
	w.there.complain("elsewhere", w.clock.Now())
	sweep(t, w.a)
	drain(t, w.a)
	begun := w.clock.Now()
	for i := range 3 {
		n := o.about(fmt.Sprint("k", i))
		n.Payment = o.pay(t, 12_50).ID
		o.complain(t, n)
		w.clock.Add(24 * time.Hour)
	}
	page := func(from, to, offset, limit int) (days []int) {
		t.Helper()
		list, all, err := o.a.WalletComplaints(ctx, o.admin(), support.WalletQuery{Merchant: o.shop.Merchant, From: begun.AddDate(0, 0, from), To: begun.AddDate(0, 0, to), Offset: offset, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			days = append(days, int(c.At.Sub(begun).Hours()/24))
		}
		return append(days, int(all))
	}
	for _, tt := range []struct{ got, want []int }{{page(0, 9, 0, 2), []int{2, 1, 3}}, {page(0, 9, 2, 2), []int{0, 3}}, {page(1, 2, 0, 9), []int{1, 1}}, {page(3, 9, 0, 9), []int{0}}} {
		if fmt.Sprint(tt.got) != fmt.Sprint(tt.want) {
			t.Errorf("got %v, want %v", tt.got, tt.want)
		}
	}
	_, _, err := o.a.WalletComplaints(ctx, mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: "mc2"}, support.WalletQuery{Merchant: o.shop.Merchant, To: begun.AddDate(1, 0, 0)})
	if mianmi.KindOf(err) != mianmi.Denied {
		t.Errorf("another merchant's page: %v", err)
	}
}
