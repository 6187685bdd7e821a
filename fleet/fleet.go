// Package fleet carries settings to terminals and their reports back: the
// certificate authority, enrolment, the MQTT broker with its hints, and the
// listener that terminals speak mutual TLS with.
//
// What a terminal is to run, and what its report is worth, is left to terminal;
// payments to the API's routes, which cmd mounts here behind a terminal's
// certificate.
package fleet
