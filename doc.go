// Package mianmi holds the words that every other package speaks: identifiers,
// actors and their roles, kinds of error, the clock and bilingual text.
//
// mianmi (免密, "PIN-free") lets people switch small-amount PIN-free payment
// off at a POS terminal and prove that it is off. The map of the house:
//
//	money/      Amount: an integer of minor units and a currency
//	pinfree/    the decision: PIN-free, step-up or refusal, with reasons; pure
//	  packs/    rule packs (YAML) by jurisdiction and scheme, with sources
//	  compare/  two sets of packs: field by field, and on a log of payments
//	  emv/      bytes of card terminals; the values that their EMV configuration needs
//	evidence/   the record of who changed what, when; opaque typed entries
//	  witnesstest/ a witness of logs, for tests
//	secret/     keys, password hashing, sealed values, keyed digests
//	access/     who is calling: staff, sessions, API keys, roles and rights
//	idempotency/ the first answer to a request, kept sealed for a repeat
//	payer/      payers: switch, own limits, agreements, payment password
//	rollout/    how a loosening comes to terminals in stages: plan, reach, judgement; pure
//	merchant/   merchants, stores, policies, approvals, rollouts, emergency stops
//	terminal/   models and terminals with their settings
//	  protocol/ what host and terminal say to each other: configs, signed reports
//	fleet/      settings out and reports in: certificates, MQTT, the listener for terminals; natstest/ a NATS server to kill
//	update/     programs for terminals: signed repositories (TUF), their client
//	channel/    the contract with a payment system; wallet/ is the built-in one, and
//	            channeltest/ the contract of one over a network as a test
//	  wechatpay/ WeChat Pay through its official SDK; wechatpaytest/ a small one for tests
//	payment/    the life of one payment; batching of authorizations
//	contract/   PIN-free contracts that payers signed at channels, each for an agreement
//	asof/       what was in force at a moment, rebuilt from the log alone
//	receipt/    what a receipt says in words and on paper; who may have it
//	pdf/        pages of Chinese and English text with QR codes
//	support/    what payers complain of, read at every channel, and what is said to that
//	  desk/     cases: from what a person reports to the decision and its end
//	  files/    what is attached to cases: made anew, sealed, beside the database
//	  pack/     the proof pack of a case: facts and receipts in one file
//	  liability/ who is to bear what of them, from what was recorded
//	  help/     help articles and notices in both languages; finding them
//	privacy/    all that is kept on a person: handed out, and erased for good
//	risk/       what looks wrong in the log: rules as data, over windows of events
//	wechat/     what mianmi keeps to be WeChat Pay to merchants' software
//	notice/     who is told of what has happened: webhooks
//	  inbox/    what a payer is told: a view over payments and the record
//	store/      every SQL statement, for SQLite and PostgreSQL
//	api/        JSON over HTTP (OpenAPI 3.1); client/ is the Go client
//	  wechatv3/ the wallet in the form of WeChat Pay's APIv3
//	web/check/  the page at which anybody verifies a receipt; web/payer/ pages of a payer's phone
//	torture/    real servers, killed and worse, held to the promises
//	agent/      the program in a POS terminal: settings, proof, payments, its screen
//	  disk/     files that survive the loss of power; disktest/ cuts it; slot/ which program runs
//	  link/     the way to the host
//	  model/    families of terminals as data; screen/ pages; agenttest/ a small host
//	web/        ui/ what all pages share; site/ sessions, forms and headers of those with a login;
//	            static/ their files, named by their hash; webtest/ a browser, for tests
//	cmd/mianmi/ flags, configuration, wiring
//
// A package may import only what layout_test.go allows.
package mianmi
