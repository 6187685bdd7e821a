package main

import (
	"net/http"

	"github.com/mianmi/mianmi/store"
)

// newHandler is the API over the services.
func newHandler(*app, *services, *store.DB, *tuning) (http.Handler, error) {
	return http.NotFoundHandler(), nil
}
