// Package secret is what must not be readable: server keys, password hashes,
// sealed values and keyed digests of bearer secrets.
//
// It leaves to others what a secret opens. Nothing here logs.
package secret

// Keys are the server's keys, loaded from a file that only the server may
// read (made on first start, mode 0600) or from the environment.
//
//	Digest(purpose, text) []byte             HMAC-SHA-256, 16 bytes: codes, sessions, API keys, phone numbers
//	Seal(purpose, plain) / Open              AES-256-GCM with the purpose as associated data: TOTP secrets
//	HPKE private key                         PINs from terminals
type Keys struct{}
