package pinfree

import "github.com/mianmi/mianmi"

func words(w Why, _ Audience, _ string) mianmi.Text {
	return mianmi.Text{ZH: w.Reason.String(), EN: w.Reason.String()}
}
