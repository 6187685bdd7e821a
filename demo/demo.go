package demo

import (
	"context"
	"fmt"
	"strconv"

	"github.com/mianmi/mianmi/api/client"
)

// Demo is a world with everything that its story needs.
type Demo struct {
	*loader
	*teller
	guest *person // whose tokens the user gets
	tills []till  // terminals that run
	run   string  // leads this run's numbers of orders and refunds
}

// Open takes up the world of the folder, or makes a new one: when there is
// none, when loading it was cut off, and when it is that of another database.
// The bookshop of the world is there already: the server knows it.
func Open(ctx context.Context, st Stage) (*Demo, error) {
	api, err := client.New(st.URL, client.Options{Lang: st.Lang})
	if err != nil {
		return nil, err
	}
	d := &Demo{loader: &loader{Stage: st, api: api}, teller: &teller{out: st.Out, lang: st.Lang}}
	if d.world, err = Claim(st.Dir, st.Database); err != nil {
		return nil, err
	}
	if d.fits(ctx) {
		d.say(tf("沿用数据目录中的示例世界：%d 家商户、%d 位付款人、%d 笔历史付款。", "The example world in the data folder goes on: %d merchants, %d payers, %d payments.",
			len(d.world.Merchants), len(d.world.Payers), d.world.Payments))
		err = d.enter(ctx)
	} else {
		err = d.make(ctx)
	}
	if err == nil {
		err = d.bookshop(ctx)
	}
	if err != nil {
		return nil, err
	}
	d.run = "S" + strconv.FormatInt(st.Clock.Now().UnixMilli(), 36)
	return d, d.invite(ctx)
}

// fits reports whether the world that was read is whole and that of this
// database. It does not log in: the server counts logins by its clock, which
// may be about to go back.
func (d *Demo) fits(ctx context.Context) bool {
	w := d.world
	if !w.Whole || w.Merchants[0].Spare == nil {
		return false
	}
	for _, key := range []string{w.WalletKey, w.Merchants[0].POS, w.Merchants[0].Office} {
		if _, err := d.api.As(key).Me(ctx); err != nil {
			return false
		}
	}
	d.wallet = d.api.As(w.WalletKey)
	return true
}

// make loads a new world, in the past, and lets it live up to yesterday.
func (d *Demo) make(ctx context.Context) error {
	d.world = &World{Database: d.Database, Bookshop: &Merchant{ID: d.world.Bookshop.ID, Name: bookshop.name}}
	if err := d.world.Save(d.Dir); err != nil {
		return err
	}
	d.say(t("装入示例世界：三家商户、十二位付款人、三周的付款……", "Loading the example world: three merchants, twelve payers, three weeks of payments …"))
	begin := d.Clock.Now()
	first := firstDay(begin)
	d.Clock.JumpTo(Begins(begin))
	defer d.Clock.CatchUp()
	for _, do := range []func(context.Context) error{
		d.enter, d.load, func(ctx context.Context) error { return d.history(ctx, first) },
	} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	d.Clock.CatchUp()
	d.world.Whole = true
	if err := d.world.Save(d.Dir); err != nil {
		return err
	}
	d.say(tf("完成：%d 笔付款，用时 %.1f 秒。", "Done: %d payments in %.1f seconds.", d.world.Payments, d.Clock.Now().Sub(begin).Seconds()))
	return d.logIn(ctx)
}

// guestLeast is what the guest should have on the balance, minor units.
const guestLeast = 500_00

// invite lets the guest, whose tokens the user gets, log in with PIN-free
// payment open. When the user has changed the guest's password or reported a
// loss in an earlier run, there is a new guest.
func (d *Demo) invite(ctx context.Context) error {
	d.guest = &person{Payer: d.world.Payers[0], name: payers[0].name}
	err := d.guest.logIn(ctx, d.api)
	var me client.Payer
	if err == nil {
		me, err = d.guest.phone.Payer(ctx, client.Me)
	}
	if err == nil && me.Balance.Minor() < guestLeast {
		_, err = d.wallet.TopUp(ctx, d.guest.ID, client.NewTopUp{Key: d.run, Amount: yuan(2 * guestLeast)})
	}
	switch {
	case err != nil || me.Status.State == "frozen":
		if d.guest.Payer, err = d.register(ctx, &payers[0]); err != nil {
			return err
		}
		d.world.Payers[0] = d.guest.Payer
		if err := d.world.Save(d.Dir); err != nil {
			return err
		}
		return d.guest.logIn(ctx, d.api)
	case me.Status.State == "closed":
		_, err = d.guest.phone.ReopenPinFree(ctx, client.Me, password, d.texts.Risk.Version)
	}
	return err
}

// Tell plays the story and returns the numbers of the steps that were not as
// expected. An error says that the story could not go on.
func (d *Demo) Tell(ctx context.Context) ([]int, error) {
	coffee := &d.world.Merchants[0]
	s := &story{loader: d.loader, teller: d.teller, pos: d.api.As(coffee.POS), office: d.api.As(coffee.Office),
		yuyuan: &coffee.Stores[0], yongkang: &coffee.Stores[1], annex: coffee.Annex, run: d.run, wx: d.newWeChatStory()}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare the story: %w", err)
	}
	err := s.tell(ctx)
	d.tills = s.tills
	switch {
	case err == nil && len(d.failed) == 0:
		d.say(tf("\n故事讲完：%d 步全部符合预期。", "\nThe story is over: all %d steps as expected.", d.number))
	case len(d.failed) > 0:
		d.say(tf("\n第 %v 步不符合预期，故事中止。", "\nStep %v was not as expected; the story ends here.", d.failed))
	}
	return d.failed, err
}
