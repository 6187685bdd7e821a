package wechat

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi/notice"
)

// News of complaints has WeChat Pay's schedule of its own, and ends; that of
// orders is as it was.
func TestNewsOfComplaintsHasItsOwnSchedule(t *testing.T) {
	t.Parallel()
	var c Courier
	news := func(age time.Duration) *notice.Delivery {
		return &notice.Delivery{Fact: notice.Fact{Topic: notice.Test, Ref: ComplaintRef("1", "USER_RESPONSE")}, Age: age}
	}
	for _, tt := range []struct {
		attempts int
		age      time.Duration
		want     time.Duration
		again    bool
	}{
		{1, 0, 5 * time.Second, true}, {2, time.Minute, time.Minute, true}, {11, time.Hour, time.Minute, true}, {12, time.Hour, 5 * time.Minute, true},
		{999, 6 * 24 * time.Hour, 5 * time.Minute, true}, {1000, 6 * 24 * time.Hour, 0, false}, {500, 7*24*time.Hour - time.Minute, 0, false},
	} {
		wait, again := c.Wait(news(tt.age), tt.attempts)
		if again != tt.again || again && wait != tt.want {
			t.Errorf("after %d tries in %v: %v, %v", tt.attempts, tt.age, wait, again)
		}
	}
	if wait, again := c.Wait(&notice.Delivery{}, 1); wait != Waits[0] || !again {
		t.Errorf("of an order: %v, %v", wait, again)
	}
	if _, again := c.Wait(&notice.Delivery{}, len(Waits)+1); again {
		t.Error("of an order: without end")
	}
}
