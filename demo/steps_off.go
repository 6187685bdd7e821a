package demo

import (
	"context"

	"github.com/mianmi/mianmi/api/client"
)

// annexOff closes the store: the PIN pad proves it at once, the others wait for
// a restart.
func (s *story) annexOff(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		if _, err := s.office.CloseScope(ctx, client.OfStore(s.annex.ID)); err != nil {
			return err
		}
		return s.coverage(ctx, 1, o)
	}()
	s.step(t("安福路店整店关闭免密", "The store in Anfu Road closes PIN-free payment"),
		t("主机立即生效；终端逐台证实，先是 1 / 3", "the host heeds it at once; the terminals prove it one by one, 1 of 3 first"), o, err)
	return err
}

// coverage waits until so many terminals have proved the OFF of the store, and
// says who has not, and why.
func (s *story) coverage(ctx context.Context, want int, o *outcome) error {
	var off client.SwitchOff
	ok, err := eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := s.office.SwitchOffs(ctx, client.TerminalQuery{Scope: client.OfStore(s.annex.ID)})
		if err != nil || len(list.Items) == 0 {
			return false, err
		}
		off = list.Items[0]
		return off.InForce == want && (want < off.Total || off.State == "in_force"), nil
	})
	if err != nil {
		return err
	}
	o.saw = off.Sentence
	o.must(ok && off.Total == len(s.tills), tf("应为 %d / %d", "should be %d of %d", want, len(s.tills)))
	if want == off.Total {
		o.must(off.State == "in_force", t("应已全部生效", "should be in force everywhere"))
		return nil
	}
	left, err := s.office.Outstanding(ctx, off.ID, client.Page{})
	for _, l := range left.Items {
		o.quotes = append(o.quotes, t(l.Name+"："+l.Because.ZH, l.Name+": "+l.Because.EN))
	}
	o.must(len(left.Items) == off.Total-want, t("应列出其余终端", "the others should be listed"))
	return err
}

func (s *story) annexProved(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		for i := range 2 {
			if err := s.tills[i].restart(ctx); err != nil {
				return err
			}
		}
		return s.coverage(ctx, len(s.tills), o)
	}()
	s.step(t("另外两台重启", "The two others restart"), t("3 / 3，逐台有签名为证", "3 of 3, each with a signature to show for it"), o, err)
	return err
}
