package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/mianmi/mianmi/evidence"
)

const (
	// witnessEvery is how long a witness is left alone by all nodes together: so old
	// a change is at most before its receipt can bear cosignatures. Witnesses serve
	// many logs.
	witnessEvery = 15 * time.Second
	// witnessMax bounds one question.
	witnessMax = 10 * time.Second
)

// witnesses are the workers that ask for cosignatures: one for each, so that one
// that hangs keeps no other waiting.
func witnesses(log *evidence.Log) []worker {
	via := &http.Client{Timeout: witnessMax, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var list []worker
	for _, w := range log.Witnesses() {
		list = append(list, worker{"witness " + w.Name(), time.Second, func(ctx context.Context) (bool, error) {
			_, err := log.AskWitness(ctx, via, w, witnessEvery)
			return false, err
		}})
	}
	return list
}

// nameOfWitness is the name in a verifier key.
func nameOfWitness(key string) string {
	name, _, _ := strings.Cut(key, "+")
	return name
}
