package payer

import (
	"time"

	"github.com/mianmi/mianmi"
)

// DayZone is the zone of the payer's day.
const DayZone = "Asia/Shanghai"

// dayZone is fixed at UTC+8, so that no machine needs a zone database: China
// has had no daylight saving time since 1991 (IANA tz, Asia/Shanghai).
var dayZone = time.FixedZone(DayZone, 8*60*60)

// Local returns the instant as the payer's clock shows it. It is the one
// place where the payer's day is made.
func Local(t time.Time) time.Time { return t.In(dayZone) }

// Day returns the payer's day ("2026-07-03") and the minute of it, 0 to 1439.
func Day(t time.Time) (day string, minute int) {
	l := Local(t)
	return l.Format(time.DateOnly), l.Hour()*60 + l.Minute()
}

// When says an instant in words, with the day when it is not today's.
func When(t, now time.Time) mianmi.Text {
	at, today := Local(t), Local(now)
	switch {
	case at.Year() == today.Year() && at.YearDay() == today.YearDay():
		return mianmi.Text{ZH: at.Format("15:04"), EN: at.Format("15:04")}
	case at.Year() == today.Year():
		return mianmi.Text{ZH: at.Format("1月2日 15:04"), EN: at.Format("15:04 on 2 January")}
	}
	return mianmi.Text{ZH: at.Format("2006年1月2日 15:04"), EN: at.Format("15:04 on 2 January 2006")}
}
