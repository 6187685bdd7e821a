-- +goose Up
-- +goose StatementBegin
-- One text for all: looking for the ends of statements takes longer than running them.
-- Rows that belong to a payer carry bucket, a fixed hash of the payer (0 to
-- 255), as the first part of their key, so that they can be spread over
-- database nodes. Text is compared byte by byte, as in Go and SQLite: keys and
-- pages depend on it. Times are microseconds since 1970 UTC. Money is minor
-- units.

-- Indexes beside a key do not begin with bucket: against an empty table the
-- planner takes one of those in place of the key, and keeps to it.

CREATE TABLE payer (
  bucket          smallint NOT NULL,
  id              text COLLATE "C" NOT NULL,
  created_at      bigint   NOT NULL,
  version         bigint   NOT NULL,
  pin_free        smallint NOT NULL,
  since           bigint   NOT NULL,
  currency        text COLLATE "C" NOT NULL,
  per_payment     bigint,
  day_amount      bigint,
  day_count       bigint,
  quiet_from      smallint NOT NULL,
  quiet_to        smallint NOT NULL,
  pending         text COLLATE "C",
  pending_at      bigint,
  frozen_at       bigint,
  hold            text COLLATE "C",
  allowance       text COLLATE "C",
  verifiable_from bigint,
  balance         bigint   NOT NULL CHECK (balance >= 0),
  counters        text COLLATE "C" NOT NULL,
  agreements      smallint NOT NULL DEFAULT 0,
  PRIMARY KEY (bucket, id)
) WITH (fillfactor = 70);

-- What names a payer, and the key of the digests that the log holds of a payer:
-- a row that goes leaves the log whole and nobody who could be named.
CREATE TABLE payer_person (
  bucket smallint NOT NULL,
  payer  text COLLATE "C" NOT NULL,
  phone  text COLLATE "C" NOT NULL,
  name   text COLLATE "C" NOT NULL,
  lang   smallint NOT NULL,
  key    bytea    NOT NULL,
  PRIMARY KEY (bucket, payer)
);

-- bucket is that of the digest: a login knows the phone number alone.
CREATE TABLE payer_login (
  bucket smallint NOT NULL,
  digest bytea    NOT NULL,
  payer  text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, digest)
);

CREATE TABLE payer_password (
  bucket       smallint NOT NULL,
  payer        text COLLATE "C" NOT NULL,
  hash         text COLLATE "C" NOT NULL,
  tries        smallint NOT NULL,
  locked_until bigint,
  renew        smallint NOT NULL,
  reset_digest bytea,
  reset_until  bigint,
  PRIMARY KEY (bucket, payer)
);

-- Up to where a payer has read the inbox (docs/adr/0023): what follows the prefix
-- of a notice's identifier. What is in it is read from the record.
CREATE TABLE payer_inbox (
  bucket smallint NOT NULL,
  payer  text COLLATE "C" NOT NULL,
  seen   text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, payer)
);

CREATE TABLE agreement (
  bucket          smallint NOT NULL,
  payer           text COLLATE "C" NOT NULL,
  merchant        text COLLATE "C" NOT NULL,
  id              text COLLATE "C" NOT NULL,
  open            smallint NOT NULL,
  consent_version text COLLATE "C" NOT NULL,
  per_payment     bigint,
  version         bigint   NOT NULL,
  opened_at       bigint   NOT NULL,
  closed_at       bigint,
  PRIMARY KEY (bucket, payer, merchant)
);

-- PIN-free contracts at channels over a network, each of one agreement
-- (docs/adr/0018). standing is the channel's last clear word; revoked_at is since
-- when we want it ended.
CREATE TABLE channel_contract (
  bucket         smallint NOT NULL,
  id             text COLLATE "C" NOT NULL,
  payer          text COLLATE "C" NOT NULL,
  merchant       text COLLATE "C" NOT NULL,
  agreement      text COLLATE "C" NOT NULL,
  channel        text COLLATE "C" NOT NULL,
  kind           text COLLATE "C" NOT NULL,
  service        text COLLATE "C" NOT NULL,
  standing       smallint NOT NULL,
  number         text COLLATE "C" NOT NULL,
  opened_at      bigint NOT NULL,
  until          bigint NOT NULL,
  signed_at      bigint,
  ended_at       bigint,
  ended_by       text COLLATE "C" NOT NULL,
  revoked_at     bigint,
  revoked_by     text COLLATE "C" NOT NULL,
  asked_at       bigint,
  told_at        bigint,
  due_at         bigint,
  tries          integer NOT NULL,
  version        bigint NOT NULL,
  PRIMARY KEY (bucket, id)
);
CREATE INDEX channel_contract_payer ON channel_contract (bucket, payer, id);
CREATE INDEX channel_contract_merchant ON channel_contract (merchant, opened_at, id);
CREATE INDEX channel_contract_opened ON channel_contract (opened_at, id);
CREATE INDEX channel_contract_due ON channel_contract (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX channel_contract_unconfirmed ON channel_contract (revoked_at) WHERE revoked_at IS NOT NULL AND standing = 2;

-- Whom a name that a channel over a network has for a payer leads to: a keyed
-- digest of channel, merchant and name. bucket is that of the digest.
CREATE TABLE channel_name (
  bucket   smallint NOT NULL,
  digest   bytea    NOT NULL,
  payer    text COLLATE "C" NOT NULL,
  channel  text COLLATE "C" NOT NULL,
  merchant text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, digest, payer)
);
CREATE INDEX channel_name_payer ON channel_name (payer, channel, merchant);

CREATE TABLE instrument (
  bucket     smallint NOT NULL,
  id         text COLLATE "C" NOT NULL,
  payer      text COLLATE "C" NOT NULL,
  scheme     text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  domestic   smallint NOT NULL,
  issuer     text COLLATE "C" NOT NULL,
  last4      text COLLATE "C" NOT NULL,
  created_at bigint   NOT NULL,
  PRIMARY KEY (bucket, id)
);
CREATE INDEX instrument_payer ON instrument (payer);

-- A code that was used is gone.
CREATE TABLE payment_code (
  bucket     smallint NOT NULL,
  digest     bytea    NOT NULL,
  payer      text COLLATE "C" NOT NULL,
  expires_at bigint   NOT NULL,
  PRIMARY KEY (bucket, digest)
);
CREATE INDEX payment_code_payer ON payment_code (payer);

CREATE TABLE payment (
  bucket         smallint NOT NULL,
  id             text COLLATE "C" NOT NULL,
  payer          text COLLATE "C" NOT NULL,
  merchant       text COLLATE "C" NOT NULL,
  store          text COLLATE "C" NOT NULL,
  terminal       text COLLATE "C" NOT NULL,
  order_no       text COLLATE "C" NOT NULL,
  amount         bigint   NOT NULL CHECK (amount > 0),
  currency       text COLLATE "C" NOT NULL,
  method         smallint NOT NULL,
  entry          smallint NOT NULL,
  cvm            smallint NOT NULL,
  instrument     text COLLATE "C" NOT NULL,
  channel        text COLLATE "C" NOT NULL,
  outcome        smallint NOT NULL,
  state          smallint NOT NULL,
  failure        smallint NOT NULL,
  step_up        smallint NOT NULL,
  tries          smallint NOT NULL,
  reasons        text COLLATE "C" NOT NULL,
  rules          text COLLATE "C" NOT NULL,
  epoch          bigint   NOT NULL,
  payer_version  bigint   NOT NULL,
  actor          text COLLATE "C" NOT NULL,
  created_at     bigint   NOT NULL,
  state_at       bigint   NOT NULL,
  expires_at     bigint,
  refunded       bigint   NOT NULL CHECK (refunded >= 0 AND refunded <= amount),
  version        bigint   NOT NULL,
  PRIMARY KEY (bucket, id)
);
CREATE INDEX payment_payer ON payment (payer, id);
CREATE INDEX payment_terminal ON payment (terminal, id);
-- The few that are under way: those that wait for a step-up.
CREATE INDEX payment_open ON payment (expires_at) WHERE expires_at IS NOT NULL;

-- What a channel over a network is asked next about an order, or about one of
-- its refunds (docs/adr/0014); due_at: when, none: nothing. Whoever claims a row
-- puts due_at off. bucket is that of the payment. No payment code is kept.
CREATE TABLE channel_call (
  bucket         smallint NOT NULL,
  payment        text COLLATE "C" NOT NULL,
  refund         text COLLATE "C" NOT NULL,
  channel        text COLLATE "C" NOT NULL,
  merchant       text COLLATE "C" NOT NULL,
  way            smallint NOT NULL,
  task           smallint NOT NULL,
  due_at         bigint,
  tries          integer  NOT NULL,
  asked          smallint NOT NULL,
  began_at       bigint   NOT NULL,
  until          bigint   NOT NULL,
  busy           smallint NOT NULL,
  taken          smallint NOT NULL,
  ending         smallint NOT NULL,
  ended_at       bigint,
  late           smallint NOT NULL,
  counted        smallint NOT NULL,
  allowance      text COLLATE "C",
  return_no      text COLLATE "C" NOT NULL,
  refusals       smallint NOT NULL,
  transaction_no text COLLATE "C" NOT NULL,
  qr             text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, payment, refund)
) WITH (fillfactor = 50);
CREATE INDEX channel_call_due ON channel_call (channel, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX channel_call_stalled ON channel_call (channel) WHERE due_at IS NULL AND task >= 3;

-- One merchant order number is charged at most once, whoever pays. bucket is
-- that of the key; key and digest are 16-byte hashes of merchant + number and of
-- the request.
CREATE TABLE merchant_order (
  bucket  smallint NOT NULL,
  key     bytea    NOT NULL,
  digest  bytea    NOT NULL,
  payment text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, key)
);

-- A dynamic QR order waits for its payer. bucket is that of the digest.
CREATE TABLE qr_order (
  bucket     smallint NOT NULL,
  digest     bytea    NOT NULL,
  merchant   text COLLATE "C" NOT NULL,
  store      text COLLATE "C" NOT NULL,
  terminal   text COLLATE "C" NOT NULL,
  order_no   text COLLATE "C" NOT NULL,
  amount     bigint   NOT NULL CHECK (amount > 0),
  currency   text COLLATE "C" NOT NULL,
  actor      text COLLATE "C" NOT NULL,
  created_at bigint   NOT NULL,
  expires_at bigint   NOT NULL,
  payment    text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, digest)
);

-- Double entry: one row moves amount from debit to credit, so it balances by
-- its form. ref is a payment or top-up; line numbers its rows.
CREATE TABLE journal (
  bucket   smallint NOT NULL,
  ref      text COLLATE "C" NOT NULL,
  line     smallint NOT NULL,
  kind     smallint NOT NULL,
  debit    text COLLATE "C" NOT NULL,
  credit   text COLLATE "C" NOT NULL,
  amount   bigint   NOT NULL CHECK (amount > 0),
  currency text COLLATE "C" NOT NULL,
  at       bigint   NOT NULL,
  PRIMARY KEY (bucket, ref, line)
);

CREATE TABLE top_up (
  bucket   smallint NOT NULL,
  payer    text COLLATE "C" NOT NULL,
  key      text COLLATE "C" NOT NULL,
  id       text COLLATE "C" NOT NULL,
  amount   bigint   NOT NULL CHECK (amount > 0),
  currency text COLLATE "C" NOT NULL,
  at       bigint   NOT NULL,
  actor    text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, payer, key)
);

-- state: 1 pending, 2 done, 3 failed; asked and settled: the versions of the
-- payment in which it began to be pending and in which it ended, 0 for none.
CREATE TABLE refund (
  bucket    smallint NOT NULL,
  payment   text COLLATE "C" NOT NULL,
  refund_no text COLLATE "C" NOT NULL,
  id        text COLLATE "C" NOT NULL,
  amount    bigint   NOT NULL CHECK (amount > 0),
  currency  text COLLATE "C" NOT NULL,
  reason    text COLLATE "C" NOT NULL,
  actor     text COLLATE "C" NOT NULL,
  at        bigint   NOT NULL,
  state     smallint NOT NULL,
  asked     bigint   NOT NULL,
  settled   bigint   NOT NULL,
  PRIMARY KEY (bucket, payment, refund_no)
);

-- What merchants are called in WeChat Pay's form. api_key is sealed; webhook is
-- the queue of notifications.
CREATE TABLE wechat_identity (
  merchant   text COLLATE "C" NOT NULL PRIMARY KEY,
  mchid      text COLLATE "C" NOT NULL UNIQUE,
  appid      text COLLATE "C" NOT NULL UNIQUE,
  terminal   text COLLATE "C" NOT NULL,
  api_key    bytea NOT NULL,
  webhook    text COLLATE "C" NOT NULL,
  version    bigint NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  changed_at bigint NOT NULL,
  complaint_at bytea NOT NULL
);

-- Keys that merchants sign with there; each has the rights of an API key, and
-- ends with it.
CREATE TABLE wechat_serial (
  serial     text COLLATE "C" NOT NULL PRIMARY KEY,
  merchant   text COLLATE "C" NOT NULL,
  api_key    text COLLATE "C" NOT NULL,
  public     bytea NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX wechat_serial_merchant ON wechat_serial (merchant, created_at);

-- The keys that answers are signed with there, of the installation. The newest
-- that signs by now, and is not revoked, does; the others overlap with it.
CREATE TABLE wechat_platform (
  number     smallint NOT NULL PRIMARY KEY,
  key_id     text COLLATE "C" NOT NULL UNIQUE,
  serial     text COLLATE "C" NOT NULL,
  private    bytea NOT NULL,
  cert       bytea NOT NULL,
  signs_at   bigint NOT NULL,
  created_at bigint NOT NULL,
  revoked_at bigint
);

-- What WeChat Pay's form says of orders and refunds beyond their payments. key
-- is a hash of merchant and number, bucket its first byte. notify is sealed.
CREATE TABLE wechat_order (
  bucket     smallint NOT NULL,
  key        bytea NOT NULL,
  merchant   text COLLATE "C" NOT NULL,
  order_no   text COLLATE "C" NOT NULL,
  trade      smallint NOT NULL,
  terminal   text COLLATE "C" NOT NULL,
  device     text COLLATE "C" NOT NULL,
  amount     bigint NOT NULL CHECK (amount > 0),
  currency   text COLLATE "C" NOT NULL,
  attach     text COLLATE "C" NOT NULL,
  notify     bytea NOT NULL,
  fault      smallint NOT NULL,
  ended      smallint NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (bucket, key)
);

CREATE TABLE wechat_refund (
  bucket     smallint NOT NULL,
  key        bytea NOT NULL,
  merchant   text COLLATE "C" NOT NULL,
  refund_no  text COLLATE "C" NOT NULL,
  payment    text COLLATE "C" NOT NULL,
  notify     bytea NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (bucket, key)
);

-- What payers complain of, at any channel (docs/adr/0016). words is theirs, and
-- in no log; images are the channel's names of pictures, as JSON. Of one that was
-- made here payer is whose it is, and about the one payment that it is about.
-- case_id is the case that the desk keeps about it, none: none yet; case_due is when
-- the two are next made to agree (docs/adr/0029), none: they do.
CREATE TABLE complaint (
  id         text COLLATE "C"    NOT NULL PRIMARY KEY,
  channel    text COLLATE "C"    NOT NULL,
  account    text COLLATE "C"    NOT NULL,
  number     text COLLATE "C"    NOT NULL,
  merchant   text COLLATE "C"    NOT NULL,
  state      smallint NOT NULL,
  problem    smallint NOT NULL,
  flags      integer NOT NULL,
  title      text    NOT NULL,
  words      text    NOT NULL,
  asked      bigint NOT NULL,
  currency   text COLLATE "C"    NOT NULL,
  times      bigint NOT NULL,
  images     text    NOT NULL,
  at         bigint NOT NULL,
  changed_at bigint NOT NULL,
  seen_at    bigint NOT NULL,
  version    bigint NOT NULL,
  payer      text COLLATE "C"    NOT NULL,
  about      text COLLATE "C"    NOT NULL,
  case_id    text COLLATE "C"    NOT NULL DEFAULT '',
  case_due   bigint DEFAULT 0,
  case_tries bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX complaint_number ON complaint (channel, account, number);
CREATE INDEX complaint_merchant ON complaint (merchant, id);
CREATE INDEX complaint_payer ON complaint (payer, id) WHERE payer <> '';
CREATE INDEX complaint_case ON complaint (case_id) WHERE case_id <> '';
CREATE INDEX complaint_case_due ON complaint (case_due) WHERE case_due IS NOT NULL;
-- One of a payment is open.
CREATE UNIQUE INDEX complaint_open ON complaint (about) WHERE about <> '' AND state <> 3;

-- The payments that a complaint is about; payment is empty for one that is not known here.
CREATE TABLE complaint_payment (
  complaint      text COLLATE "C"    NOT NULL,
  n              integer NOT NULL,
  payment        text COLLATE "C"    NOT NULL,
  transaction_no text COLLATE "C"    NOT NULL,
  amount         bigint NOT NULL,
  currency       text COLLATE "C"    NOT NULL,
  PRIMARY KEY (complaint, n)
);
CREATE INDEX complaint_payment_payment ON complaint_payment (payment) WHERE payment <> '';

-- What went between payer, merchant and channel; number is the channel's.
CREATE TABLE complaint_step (
  complaint text COLLATE "C"    NOT NULL,
  number    text COLLATE "C"    NOT NULL,
  at        bigint NOT NULL,
  party     smallint NOT NULL,
  what      text COLLATE "C"    NOT NULL,
  words     text    NOT NULL,
  images    text    NOT NULL,
  PRIMARY KEY (complaint, number)
);

-- What is said to a payer about a complaint; due_at is when the channel is asked
-- again, none: it has ended. actor is who ordered it, as JSON.
CREATE TABLE complaint_answer (
  complaint text COLLATE "C"    NOT NULL,
  key       text COLLATE "C"    NOT NULL,
  id        text COLLATE "C"    NOT NULL,
  channel   text COLLATE "C"    NOT NULL,
  account   text COLLATE "C"    NOT NULL,
  number    text COLLATE "C"    NOT NULL,
  kind      smallint NOT NULL,
  words     text    NOT NULL,
  seen      bigint NOT NULL,
  payment   text COLLATE "C"    NOT NULL,
  amount    bigint NOT NULL,
  currency  text COLLATE "C"    NOT NULL,
  days      smallint NOT NULL,
  actor     text COLLATE "C"    NOT NULL,
  state     smallint NOT NULL,
  fault     text COLLATE "C"    NOT NULL,
  step      text COLLATE "C"    NOT NULL,
  tries     integer NOT NULL,
  began_at  bigint NOT NULL,
  ended_at  bigint,
  due_at    bigint,
  images    text    NOT NULL,
  PRIMARY KEY (complaint, key)
);
CREATE INDEX complaint_answer_due ON complaint_answer (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX complaint_answer_failed ON complaint_answer (ended_at) WHERE state = 3;

-- Pictures that a merchant has uploaded, by the hash of what they are. used: an
-- answer names it, so it stays.
CREATE TABLE complaint_picture (
  merchant text COLLATE "C" NOT NULL,
  hash     text COLLATE "C" NOT NULL,
  size     integer NOT NULL,
  bytes    bytea NOT NULL,
  used     smallint NOT NULL,
  at       bigint NOT NULL,
  PRIMARY KEY (merchant, hash)
);

-- Complaints that are to be read at their channel.
CREATE TABLE complaint_sync (
  channel text COLLATE "C"    NOT NULL,
  account text COLLATE "C"    NOT NULL,
  number  text COLLATE "C"    NOT NULL,
  due_at  bigint NOT NULL,
  tries   integer NOT NULL,
  PRIMARY KEY (channel, account, number)
);
CREATE INDEX complaint_sync_due ON complaint_sync (due_at);

-- How far the lists of an account were read; from_at is the window that is being read.
CREATE TABLE complaint_sweep (
  channel  text COLLATE "C"    NOT NULL,
  account  text COLLATE "C"    NOT NULL,
  due_at   bigint NOT NULL,
  tries    integer NOT NULL,
  from_at  bigint,
  skip     integer NOT NULL,
  began_at bigint,
  clean_at bigint,
  PRIMARY KEY (channel, account)
);

-- Where the one node that looks for signals stands in the log (docs/adr/0022).
CREATE TABLE risk_follow (
  id          smallint NOT NULL PRIMARY KEY,
  position    bigint NOT NULL,
  holder      text COLLATE "C" NOT NULL,
  lease_until bigint NOT NULL
);

-- Rules that look for signals: an operator's own, and what was changed of shipped ones,
-- whose body is empty. stage: 1 shadow, 2 live, 3 withdrawn; found is what one in shadow has.
CREATE TABLE risk_rule (
  id          text COLLATE "C" NOT NULL PRIMARY KEY,
  version     bigint NOT NULL,
  stage       smallint NOT NULL,
  body        text NOT NULL,
  since       bigint NOT NULL,
  actor       text COLLATE "C" NOT NULL,
  proposed_by text COLLATE "C" NOT NULL,
  proposed_at bigint,
  found       bigint NOT NULL,
  last_at     bigint,
  last_entry  text COLLATE "C" NOT NULL
);

-- What looks wrong. There is one of a rule and key that is not resolved (state 3);
-- due_at is when it is escalated, none: never. words is of who resolved it.
CREATE TABLE risk_alarm (
  id           text COLLATE "C" NOT NULL PRIMARY KEY,
  rule         text COLLATE "C" NOT NULL,
  key          text COLLATE "C" NOT NULL,
  severity     smallint NOT NULL,
  state        smallint NOT NULL,
  says_zh      text NOT NULL,
  says_en      text NOT NULL,
  payer        text COLLATE "C" NOT NULL,
  terminal     text COLLATE "C" NOT NULL,
  payment      text COLLATE "C" NOT NULL,
  merchant     text COLLATE "C" NOT NULL,
  store        text COLLATE "C" NOT NULL,
  found        bigint NOT NULL,
  first_entry  text COLLATE "C" NOT NULL,
  last_entry   text COLLATE "C" NOT NULL,
  first_at     bigint NOT NULL,
  last_at      bigint NOT NULL,
  due_at       bigint,
  escalated_at bigint,
  taken_by     text COLLATE "C" NOT NULL,
  taken_at     bigint,
  resolved_by  text COLLATE "C" NOT NULL,
  resolved_at  bigint,
  verdict      text COLLATE "C" NOT NULL,
  words        text NOT NULL,
  reporter     text COLLATE "C" NOT NULL, -- who reported it; empty: a rule found it
  said         text NOT NULL, -- what they wrote last
  version      bigint NOT NULL
);
CREATE UNIQUE INDEX risk_alarm_open ON risk_alarm (rule, key) WHERE state <> 3;
CREATE INDEX risk_alarm_due ON risk_alarm (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX risk_alarm_payer ON risk_alarm (payer, id) WHERE payer <> '';
CREATE INDEX risk_alarm_merchant ON risk_alarm (merchant, id) WHERE merchant <> '';

-- How many reports somebody may still make: level is when the allowance is whole again.
CREATE TABLE risk_reporter (
  reporter text COLLATE "C" NOT NULL PRIMARY KEY,
  level    bigint NOT NULL
);

-- What rules do about findings: one of a finding, rule, key and measure, about one payer or
-- place. state: 1 waits, 2 taken, 3 lapsed; due_at is when it is tried, or its answer is over
-- or followed, none: never again. answer to an ask: 0 none, 1 yes, 2 no, 3 in no time.
CREATE TABLE risk_measure (
  id           text COLLATE "C" NOT NULL PRIMARY KEY,
  measure      text COLLATE "C" NOT NULL,
  state        smallint NOT NULL,
  rule         text COLLATE "C" NOT NULL,
  rule_version bigint NOT NULL,
  rule_digest  text COLLATE "C" NOT NULL,
  key          text COLLATE "C" NOT NULL,
  alarm        text COLLATE "C" NOT NULL,
  finding      text COLLATE "C" NOT NULL,
  payer        text COLLATE "C" NOT NULL,
  terminal     text COLLATE "C" NOT NULL,
  store        text COLLATE "C" NOT NULL,
  merchant     text COLLATE "C" NOT NULL,
  payment      text COLLATE "C" NOT NULL,
  found_at     bigint NOT NULL,
  until        bigint NOT NULL,
  taken_at     bigint,
  due_at       bigint,
  tries        bigint NOT NULL,
  answer       smallint NOT NULL,
  answered_at  bigint
);
CREATE UNIQUE INDEX risk_measure_finding ON risk_measure (finding, rule, key, measure);
CREATE INDEX risk_measure_due ON risk_measure (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX risk_measure_alarm ON risk_measure (alarm);
CREATE INDEX risk_measure_payer ON risk_measure (payer, id) WHERE payer <> '';

-- Cases of the support desk (docs/adr/0021). number is for people; due_at is when
-- somebody has to be told of a deadline, none: of none; escalated are the
-- deadlines that were told of, as bits.
CREATE TABLE support_case (
  id          text COLLATE "C" NOT NULL,
  number      text COLLATE "C" NOT NULL,
  kind        smallint NOT NULL,
  category    text COLLATE "C" NOT NULL,
  rail        text COLLATE "C" NOT NULL,
  state       smallint NOT NULL,
  queue       smallint NOT NULL,
  assignee    text COLLATE "C" NOT NULL,
  payer       text COLLATE "C" NOT NULL,
  merchant    text COLLATE "C" NOT NULL,
  shared      smallint NOT NULL,
  opened_by   text COLLATE "C" NOT NULL,
  opened_at   bigint NOT NULL,
  changed_at  bigint NOT NULL,
  answered_at bigint,
  decided_at  bigint,
  closed_at   bigint,
  reopened    bigint NOT NULL,
  repeats     bigint NOT NULL,
  began_at    bigint NOT NULL,
  first_by    bigint NOT NULL,
  decide_by   bigint NOT NULL,
  waited_at   bigint,
  escalated   bigint NOT NULL,
  due_at      bigint,
  verdict     smallint NOT NULL,
  award       bigint NOT NULL,
  currency    text COLLATE "C" NOT NULL,
  version     bigint NOT NULL,
  PRIMARY KEY (id)
);
CREATE UNIQUE INDEX support_case_number ON support_case (number);
CREATE INDEX support_case_payer ON support_case (payer, id) WHERE payer <> '';
CREATE INDEX support_case_merchant ON support_case (merchant, id) WHERE shared = 1;
CREATE INDEX support_case_open ON support_case (queue, id) WHERE state <> 7;
CREATE INDEX support_case_mine ON support_case (assignee, id) WHERE state <> 7;
CREATE INDEX support_case_agent ON support_case (assignee, id);
CREATE INDEX support_case_kind ON support_case (kind, id);
CREATE INDEX support_case_state ON support_case (state, id) WHERE state <> 7;
CREATE INDEX support_case_due ON support_case (due_at) WHERE due_at IS NOT NULL;

-- What people wrote about a case; words are theirs, and in no log.
CREATE TABLE support_note (
  case_id  text COLLATE "C" NOT NULL,
  n        bigint NOT NULL,
  key      text COLLATE "C" NOT NULL,
  audience smallint NOT NULL,
  actor    text COLLATE "C" NOT NULL,
  words    text NOT NULL,
  at       bigint NOT NULL,
  PRIMARY KEY (case_id, n)
);
CREATE UNIQUE INDEX support_note_key ON support_note (case_id, key);

-- What a case is about.
CREATE TABLE support_link (
  case_id text COLLATE "C" NOT NULL,
  kind    smallint NOT NULL,
  ref     text COLLATE "C" NOT NULL,
  actor   text COLLATE "C" NOT NULL,
  at      bigint NOT NULL,
  PRIMARY KEY (case_id, kind, ref)
);
CREATE INDEX support_link_ref ON support_link (ref, case_id);

-- Identity checks: asked are names of what was asked, as JSON, never the answers.
CREATE TABLE support_check (
  case_id text COLLATE "C" NOT NULL,
  n       bigint NOT NULL,
  method  text COLLATE "C" NOT NULL,
  asked   text COLLATE "C" NOT NULL,
  passed  smallint NOT NULL,
  actor   text COLLATE "C" NOT NULL,
  at      bigint NOT NULL,
  PRIMARY KEY (case_id, n)
);

-- What was attached to cases; id is its name in the folder of files, a keyed digest.
CREATE TABLE support_file (
  case_id  text COLLATE "C" NOT NULL,
  id       text COLLATE "C" NOT NULL,
  audience smallint NOT NULL,
  name     text NOT NULL,
  type     text COLLATE "C" NOT NULL,
  size     bigint NOT NULL,
  actor    text COLLATE "C" NOT NULL,
  at       bigint NOT NULL,
  PRIMARY KEY (case_id, id, audience)
);

CREATE INDEX support_file_id ON support_file (id);

-- Proof packs that were handed out; stamp is the checkpoint that their receipts are
-- made under, so that the same can be made again.
CREATE TABLE support_pack (
  case_id text COLLATE "C" NOT NULL,
  n       bigint NOT NULL,
  content text NOT NULL,
  digest  text COLLATE "C" NOT NULL,
  size    bigint NOT NULL,
  stamp   text COLLATE "C" NOT NULL,
  actor   text COLLATE "C" NOT NULL,
  at      bigint NOT NULL,
  PRIMARY KEY (case_id, n)
);

-- Files in the folder that perhaps no case has: after due they are looked at, and
-- removed when none has. One that is leaving is being removed.
CREATE TABLE support_file_loose (
  id      text COLLATE "C" PRIMARY KEY,
  due     bigint NOT NULL,
  leaving smallint NOT NULL
);

CREATE INDEX support_file_loose_due ON support_file_loose (due);

-- Compensation of cases (docs/adr/0025). source: 1 merchant, 2 platform, 3 guarantee;
-- state: 1 waits for a second person, 2 due, 3 paid, 4 refused. due_at: when a worker
-- looks at it next.
CREATE TABLE payout (
  id          text COLLATE "C" NOT NULL,
  case_id     text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  payer       text COLLATE "C" NOT NULL,
  payment     text COLLATE "C" NOT NULL,
  source      smallint NOT NULL,
  state       smallint NOT NULL,
  amount      bigint NOT NULL CHECK (amount > 0),
  currency    text COLLATE "C" NOT NULL,
  basis       text COLLATE "C" NOT NULL,
  asked_by    text COLLATE "C" NOT NULL,
  asked_at    bigint NOT NULL,
  approved_by text COLLATE "C" NOT NULL,
  approved_at bigint,
  ended_at    bigint,
  failure     text COLLATE "C" NOT NULL,
  refund      text COLLATE "C" NOT NULL,
  due_at      bigint,
  PRIMARY KEY (id)
);
CREATE UNIQUE INDEX payout_key ON payout (case_id, key);
CREATE INDEX payout_payment ON payout (payment) WHERE payment <> '';
CREATE INDEX payout_due ON payout (due_at) WHERE due_at IS NOT NULL;

-- What a person ordered on a day, in minor units.
CREATE TABLE payout_day (
  actor    text COLLATE "C" NOT NULL,
  day      text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  spent    bigint NOT NULL,
  PRIMARY KEY (actor, day, currency)
);

-- What compensation is paid from, as the journal says of house:guarantee.
CREATE TABLE guarantee (
  currency text COLLATE "C" NOT NULL,
  balance  bigint NOT NULL CHECK (balance >= 0),
  PRIMARY KEY (currency)
);

CREATE TABLE guarantee_funding (
  reference text COLLATE "C" NOT NULL,
  id        text COLLATE "C" NOT NULL,
  amount    bigint NOT NULL CHECK (amount > 0),
  currency  text COLLATE "C" NOT NULL,
  actor     text COLLATE "C" NOT NULL,
  at        bigint NOT NULL,
  PRIMARY KEY (reference)
);

-- PIN-free contracts there. key is a hash of merchant, family, service and code,
-- bucket its first byte. openid is whom the merchant named, session a digest;
-- notify is sealed. Signed: agreement and opened_at say which opening of which
-- agreement it stands on, and ended_* what closed that, as the log has it.
CREATE TABLE wechat_contract (
  bucket        smallint NOT NULL,
  key           bytea NOT NULL,
  merchant      text COLLATE "C" NOT NULL,
  family        smallint NOT NULL,
  service       text COLLATE "C" NOT NULL,
  code          text COLLATE "C" NOT NULL,
  openid        text COLLATE "C" NOT NULL,
  shown         text COLLATE "C" NOT NULL,
  out_user      text COLLATE "C" NOT NULL,
  notify        bytea NOT NULL,
  session       bytea NOT NULL,
  session_until bigint NOT NULL,
  tries         bigint NOT NULL,
  created_at    bigint NOT NULL,
  payer         text COLLATE "C" NOT NULL,
  agreement     text COLLATE "C" NOT NULL,
  opened_at     bigint NOT NULL,
  signed_at     bigint,
  ended_at      bigint,
  ended_by      text COLLATE "C" NOT NULL,
  remark        text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, key)
);
CREATE INDEX wechat_contract_agreement ON wechat_contract (payer, agreement, opened_at);
CREATE INDEX wechat_contract_merchant ON wechat_contract (merchant, created_at, key);
CREATE INDEX wechat_contract_created ON wechat_contract (created_at, key);

-- Facts that somebody wants to be told of (docs/adr/0010). A row is removed
-- when it is dispatched, so the table is cleaned often. Of two facts of one
-- subject the later has the greater n, for its transaction began to write after
-- the other's was over. ref is the entry that records the fact; of a top-up, its
-- payer and key.
CREATE TABLE outbox (
  n        bigserial NOT NULL,
  bucket   smallint  NOT NULL,
  at       bigint    NOT NULL,
  subject  text COLLATE "C" NOT NULL,
  seq      bigint    NOT NULL,
  topic    smallint  NOT NULL,
  merchant text COLLATE "C" NOT NULL,
  ref      text COLLATE "C" NOT NULL,
  PRIMARY KEY (n, bucket)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- How far each webhook's deliveries have come, and which node sends them now.
-- due_at is when there is something to send, none: nothing waits. Times of
-- queues and deliveries are the database's own.
CREATE TABLE webhook_queue (
  webhook       text COLLATE "C" NOT NULL PRIMARY KEY,
  kind          smallint NOT NULL,
  numbered      bigint  NOT NULL,
  due_at        bigint,
  holder        text COLLATE "C" NOT NULL,
  lease_until   bigint  NOT NULL,
  failures      integer NOT NULL,
  failing_since bigint
) WITH (fillfactor = 50);
CREATE INDEX webhook_queue_due ON webhook_queue (due_at) WHERE due_at IS NOT NULL;

-- What a webhook is told, numbered without gaps; kept for a while as the log
-- of deliveries. bucket is that of the webhook. state: 1 waiting, 2 delivered,
-- 3 given up.
CREATE TABLE webhook_delivery (
  bucket    smallint NOT NULL,
  webhook   text COLLATE "C" NOT NULL,
  number    bigint   NOT NULL,
  subject   text COLLATE "C" NOT NULL,
  seq       bigint   NOT NULL,
  topic     smallint NOT NULL,
  ref       text COLLATE "C" NOT NULL,
  at        bigint   NOT NULL,
  state     smallint NOT NULL,
  attempts  integer  NOT NULL,
  queued_at bigint   NOT NULL,
  due_at    bigint   NOT NULL,
  tried_at  bigint,
  took_ms   integer  NOT NULL,
  status    smallint NOT NULL,
  fault     smallint NOT NULL,
  answer    text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket, webhook, number)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
-- What waits is asked for by (webhook || ''), which the key cannot answer: for a
-- webhook that the planner knows nothing of, it would walk all that was delivered.
CREATE INDEX webhook_delivery_due ON webhook_delivery (bucket, (webhook || ''), due_at, number) WHERE state = 1;
CREATE INDEX webhook_delivery_subject ON webhook_delivery (bucket, subject, number) WHERE state = 1;
CREATE INDEX webhook_delivery_dead ON webhook_delivery (bucket, (webhook || ''), number) WHERE state = 3;
-- Nor may bucket look selective: that of a new webhook would.
ALTER TABLE webhook_delivery ALTER COLUMN bucket SET STATISTICS 0;

-- number orders what is recorded about a subject, whatever the clocks of nodes:
-- the settings epoch of the change, or the payer's version; 0: neither.
CREATE TABLE entry (
  bucket  smallint NOT NULL,
  id      text COLLATE "C" NOT NULL,
  at      bigint   NOT NULL,
  type    text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  number  bigint   NOT NULL DEFAULT 0,
  bytes   bytea    NOT NULL,
  records bytea,
  PRIMARY KEY (id, bucket)
);
CREATE INDEX entry_subject ON entry (subject, id);
-- Records come packed; trying again would find nothing and cost much.
ALTER TABLE entry ALTER COLUMN records SET STORAGE EXTERNAL;
CREATE INDEX entry_number ON entry (subject, number, id) WHERE number > 0;

-- Entries that are not in the log yet. A row lives for a second, so the table
-- is cleaned often.
CREATE TABLE entry_waiting (
  n      bigserial NOT NULL,
  bucket smallint  NOT NULL,
  entry  text COLLATE "C" NOT NULL,
  PRIMARY KEY (n, bucket)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE log_leaf (
  n      bigint   NOT NULL PRIMARY KEY,
  entry_bucket smallint NOT NULL,
  entry  text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX log_leaf_entry ON log_leaf (entry);

CREATE TABLE log_hash (
  n    bigint NOT NULL PRIMARY KEY,
  hash bytea  NOT NULL
);

CREATE TABLE log_checkpoint (
  size bigint NOT NULL PRIMARY KEY,
  at   bigint NOT NULL,
  note text   NOT NULL
);

-- What each witness has cosigned last, by its verifier key. Line is empty
-- until it has answered for the first time.
CREATE TABLE log_witness (
  key    text COLLATE "C" NOT NULL PRIMARY KEY,
  due_at bigint NOT NULL,
  size   bigint NOT NULL,
  at     bigint NOT NULL,
  note   text NOT NULL,
  line   text NOT NULL
);

-- The keys that the log has had, by number: the newest is in force.
CREATE TABLE log_key (
  n         smallint NOT NULL PRIMARY KEY,
  size      bigint NOT NULL,
  at        bigint NOT NULL,
  public    text NOT NULL,
  statement text NOT NULL
);

CREATE TABLE session (
  bucket     smallint NOT NULL,
  digest     bytea    NOT NULL,
  id         text COLLATE "C" NOT NULL,
  role       text COLLATE "C" NOT NULL,
  actor      text COLLATE "C" NOT NULL,
  created_at bigint   NOT NULL,
  idle_at    bigint   NOT NULL,
  expires_at bigint   NOT NULL,
  PRIMARY KEY (bucket, digest)
);
CREATE INDEX session_actor ON session (actor);

CREATE TABLE idempotency (
  bucket     smallint NOT NULL,
  key        bytea    NOT NULL,
  digest     bytea    NOT NULL,
  status     smallint NOT NULL,
  answer     bytea    NOT NULL,
  expires_at bigint   NOT NULL,
  PRIMARY KEY (bucket, key)
);

CREATE INDEX payment_code_expiry ON payment_code (expires_at);
CREATE INDEX session_expiry ON session (expires_at);
CREATE INDEX qr_order_expiry ON qr_order (expires_at);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

-- Settings that every node may hold whole. Each change raises the one epoch
-- in its own transaction and marks its rows with it: a node that reads the
-- epoch inside a payment's transaction knows whether its copy is the newest.
CREATE TABLE settings_epoch (
  id    smallint NOT NULL PRIMARY KEY CHECK (id = 1),
  epoch bigint   NOT NULL
);
INSERT INTO settings_epoch (id, epoch) VALUES (1, 1);

-- Which server keys this database was filled with: a digest made with them.
CREATE TABLE installation (
  id    smallint NOT NULL PRIMARY KEY CHECK (id = 1),
  keys  bytea    NOT NULL
);

CREATE TABLE merchant (
  id                 text COLLATE "C" NOT NULL PRIMARY KEY,
  name               text COLLATE "C" NOT NULL,
  currency           text COLLATE "C" NOT NULL,
  country            text COLLATE "C" NOT NULL,
  mcc                smallint NOT NULL,
  no_pin             smallint NOT NULL,
  upgraded           smallint NOT NULL,
  agreement_required smallint NOT NULL,
  risk               text COLLATE "C" NOT NULL,
  version            bigint   NOT NULL,
  created_at         bigint   NOT NULL,
  epoch              bigint   NOT NULL
);

CREATE TABLE store (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  merchant   text COLLATE "C" NOT NULL REFERENCES merchant (id),
  name       text COLLATE "C" NOT NULL,
  address    text COLLATE "C" NOT NULL,
  lat_e6     bigint,
  lon_e6     bigint,
  created_at bigint   NOT NULL,
  epoch      bigint   NOT NULL
);

CREATE TABLE model (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  name       text COLLATE "C" NOT NULL,
  keypad     smallint NOT NULL,
  display    smallint NOT NULL,
  reboot     smallint NOT NULL,
  -- how one knows what its terminals run: 0 attestation, 1 the host's word alone
  proof      smallint NOT NULL CHECK (proof IN (0, 1)),
  methods    integer  NOT NULL,
  created_at bigint   NOT NULL,
  epoch      bigint   NOT NULL
);

CREATE TABLE terminal (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  store      text COLLATE "C" NOT NULL REFERENCES store (id),
  model      text COLLATE "C" NOT NULL REFERENCES model (id),
  name       text COLLATE "C" NOT NULL,
  unattended smallint NOT NULL,
  purpose    text COLLATE "C" NOT NULL,
  created_at bigint   NOT NULL,
  epoch      bigint   NOT NULL
);

-- One-time codes that enrol a terminal; a keyed digest, removed with the key that it is used for.
CREATE TABLE terminal_enrolment (
  terminal   text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES terminal (id),
  digest     bytea NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX terminal_enrolment_digest ON terminal_enrolment (digest);

-- Public keys of terminals; never removed, for reports that they signed are kept.
CREATE TABLE terminal_key (
  terminal   text COLLATE "C" NOT NULL REFERENCES terminal (id),
  id         text COLLATE "C" NOT NULL,
  public     bytea NOT NULL,
  serial     text COLLATE "C" NOT NULL,
  issued_at  bigint NOT NULL,
  not_after  bigint NOT NULL,
  revoked_at bigint,
  PRIMARY KEY (terminal, id)
);
-- One key is one terminal's.
CREATE UNIQUE INDEX terminal_key_id ON terminal_key (id);
-- Whose connections have to end.
CREATE INDEX terminal_key_revoked ON terminal_key (revoked_at) WHERE revoked_at IS NOT NULL;

-- scope: 1 everything, 2 channel, 3 merchant, 4 store, 5 model, 6 terminal.
CREATE TABLE policy (
  scope       smallint NOT NULL,
  subject     text COLLATE "C" NOT NULL,
  pin_free    smallint NOT NULL,
  per_payment bigint,
  currency    text COLLATE "C",
  methods     integer,
  version     bigint   NOT NULL,
  since       bigint   NOT NULL,
  actor       text COLLATE "C" NOT NULL,
  epoch       bigint   NOT NULL,
  rollout     text COLLATE "C" NOT NULL,
  PRIMARY KEY (scope, subject)
);

-- Loosened policies that come to terminals in stages (docs/adr/0013). state: 1
-- running, 2 paused, 3 stopped, 4 finished; body is the whole record, JSON. A
-- policy names the one of it that is open. Leases are the database's own time.
CREATE TABLE rollout (
  id          text COLLATE "C" NOT NULL PRIMARY KEY,
  scope       smallint NOT NULL,
  subject     text COLLATE "C" NOT NULL,
  merchant    text COLLATE "C" NOT NULL,
  store       text COLLATE "C" NOT NULL,
  state       smallint NOT NULL,
  revision    bigint   NOT NULL,
  body        text COLLATE "C" NOT NULL,
  lease_until bigint   NOT NULL
);
CREATE UNIQUE INDEX rollout_open ON rollout (scope, subject) WHERE state <= 2;

-- Versions of the terminals' program that come to a family of models in stages
-- (docs/adr/0013); as above. release is the version's one text: 1.4.0.0.
CREATE TABLE program_rollout (
  id          text COLLATE "C" NOT NULL PRIMARY KEY,
  family      text COLLATE "C" NOT NULL,
  release     text COLLATE "C" NOT NULL,
  state       smallint NOT NULL,
  revision    bigint   NOT NULL,
  body        text COLLATE "C" NOT NULL,
  lease_until bigint   NOT NULL,
  UNIQUE (family, release)
);

CREATE TABLE emergency_stop (
  id        text COLLATE "C" NOT NULL PRIMARY KEY,
  scope     smallint NOT NULL,
  subject   text COLLATE "C" NOT NULL,
  reason    text COLLATE "C" NOT NULL,
  placed_by text COLLATE "C" NOT NULL,
  placed_at bigint   NOT NULL,
  until     bigint   NOT NULL,
  lifted_by text COLLATE "C",
  lifted_at bigint,
  epoch     bigint   NOT NULL
);

-- Channels over a network that a merchant's payments can go through, as a server
-- that is connected there has recorded: all servers compute a terminal's config
-- alike, connected or not.
CREATE TABLE merchant_channel (
  merchant text COLLATE "C" NOT NULL REFERENCES merchant (id),
  channel  text COLLATE "C" NOT NULL,
  since    bigint   NOT NULL,
  epoch    bigint   NOT NULL,
  PRIMARY KEY (merchant, channel)
);

-- When what a scope holds changed last, and when it was last made stricter
-- (tightened 0: never). A tightening that was taken back stays one.
CREATE TABLE scope_change (
  scope        smallint NOT NULL,
  subject      text COLLATE "C" NOT NULL,
  at           bigint   NOT NULL,
  tightened    bigint   NOT NULL,
  tightened_at bigint   NOT NULL,
  epoch        bigint   NOT NULL,
  PRIMARY KEY (scope, subject)
);

-- The policy on terminals, each version that was in force; the newest one is.
-- terms is JSON of terminal/posture.
CREATE TABLE terminal_policy (
  version   bigint NOT NULL PRIMARY KEY,
  epoch     bigint NOT NULL,
  tightened bigint NOT NULL,
  since     bigint NOT NULL,
  actor     text COLLATE "C" NOT NULL,
  terms     text COLLATE "C" NOT NULL
);

-- OFFs that are watched until every terminal in scope has proved them; outcome
-- '' is one that is watched now.
CREATE TABLE off_watch (
  epoch     bigint NOT NULL PRIMARY KEY,
  scope     smallint NOT NULL,
  subject   text COLLATE "C" NOT NULL,
  merchant  text COLLATE "C" NOT NULL,
  store     text COLLATE "C" NOT NULL,
  stop      text COLLATE "C" NOT NULL,
  actor     text COLLATE "C" NOT NULL,
  at        bigint NOT NULL,
  until     bigint,
  deadline  bigint NOT NULL,
  late_at   bigint,
  late_to   text COLLATE "C" NOT NULL,
  closed_at bigint,
  outcome   text COLLATE "C" NOT NULL
);
CREATE INDEX off_watch_open ON off_watch (epoch) WHERE outcome = '';
CREATE INDEX off_watch_merchant ON off_watch (merchant, epoch);

CREATE TABLE approval (
  id          text COLLATE "C" NOT NULL PRIMARY KEY,
  scope       smallint NOT NULL,
  subject     text COLLATE "C" NOT NULL,
  merchant    text COLLATE "C" NOT NULL,
  proposal    text COLLATE "C" NOT NULL,
  based_on    bigint   NOT NULL,
  proposed_by text COLLATE "C" NOT NULL,
  proposed_at bigint   NOT NULL,
  expires_at  bigint   NOT NULL,
  state       smallint NOT NULL,
  decided_by  text COLLATE "C",
  decided_at  bigint
);

-- A change of the rule packs in force and its life. state: 1 proposed, 2 in
-- force, 3 rejected, 4 taken back, 5 lapsed.
CREATE TABLE rule_change (
  id          text COLLATE "C" NOT NULL PRIMARY KEY,
  tightening  smallint NOT NULL,
  based_on    text COLLATE "C" NOT NULL,
  note        text COLLATE "C" NOT NULL,
  state       smallint NOT NULL,
  proposed_by text COLLATE "C" NOT NULL,
  proposed_at bigint   NOT NULL,
  expires_at  bigint   NOT NULL,
  decided_by  text COLLATE "C",
  decided_at  bigint
);

-- The packs of each change, as text. A pack is in force from from_epoch until
-- until_epoch; withdrawn says that no other version took its place.
CREATE TABLE rule_pack (
  change      text COLLATE "C" NOT NULL REFERENCES rule_change (id),
  pack        text COLLATE "C" NOT NULL,
  version     bigint   NOT NULL,
  withdraws   smallint NOT NULL,
  yaml        text COLLATE "C" NOT NULL,
  digest      text COLLATE "C" NOT NULL,
  source      text COLLATE "C" NOT NULL,
  from_epoch  bigint,
  from_at     bigint,
  until_epoch bigint,
  until_at    bigint,
  withdrawn   smallint NOT NULL,
  epoch       bigint   NOT NULL,
  PRIMARY KEY (change, pack)
);

-- What is known of a terminal's settings now: written by its reports, read by
-- payments. A terminal without a row has never been heard of.
CREATE TABLE terminal_state (
  terminal      text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES terminal (id),
  attested      bigint   NOT NULL, -- version that it has proved to run; 0: none
  floor         bigint   NOT NULL, -- newest version that it has ever proved
  lease_until   bigint,
  pin_free      smallint NOT NULL,
  posture       text COLLATE "C" NOT NULL, -- rules that it fails, with commas between
  posture_epoch bigint   NOT NULL,
  drift         text COLLATE "C" NOT NULL,
  drift_since   bigint,
  revoked_at    bigint,
  boot_id       text COLLATE "C" NOT NULL,
  boot          bigint   NOT NULL,
  number        bigint   NOT NULL,
  running       bigint   NOT NULL,
  running_hash  bytea    NOT NULL,
  attested_at   bigint,
  run_from      bigint,
  delivered     bigint   NOT NULL,
  saved         bigint   NOT NULL,
  refused       bigint   NOT NULL,
  said          text COLLATE "C" NOT NULL,
  alarms        text COLLATE "C" NOT NULL,
  refusal_at    bigint,
  reported_at   bigint,
  seen_at       bigint
);

-- A config that a terminal has fetched, with the time of each state of its life.
-- The bytes are kept until a newer one is attested, the row for ever.
CREATE TABLE terminal_setting (
  terminal       text COLLATE "C" NOT NULL REFERENCES terminal (id),
  version        bigint   NOT NULL,
  hash           bytea    NOT NULL,
  config         bytea,
  pin_free       smallint NOT NULL,
  stops_until    bigint,
  tightened      bigint   NOT NULL,
  desired_at     bigint,
  delivered_at   bigint   NOT NULL,
  delivered_boot bigint   NOT NULL,
  saved_at       bigint,
  saved_boot     bigint   NOT NULL,
  rebooted_at    bigint,
  attested_at    bigint,
  refused_at     bigint,
  refused_reason text COLLATE "C" NOT NULL,
  superseded_at  bigint,
  PRIMARY KEY (terminal, version)
);

-- A span in which the proof of one setting held; until_at NULL: it lasts, to the
-- end of the lease in terminal_state.
CREATE TABLE terminal_run (
  terminal text COLLATE "C" NOT NULL REFERENCES terminal (id),
  from_at  bigint   NOT NULL,
  version  bigint   NOT NULL,
  hash     bytea    NOT NULL,
  pin_free smallint NOT NULL,
  boot     bigint   NOT NULL,
  until_at bigint,
  PRIMARY KEY (terminal, from_at)
);

-- Reports that were not taken; the newest few of each terminal.
CREATE TABLE terminal_refusal (
  terminal text COLLATE "C" NOT NULL REFERENCES terminal (id),
  id       text COLLATE "C" NOT NULL,
  at       bigint   NOT NULL,
  reason   text COLLATE "C" NOT NULL,
  key      text COLLATE "C" NOT NULL,
  boot     bigint   NOT NULL,
  number   bigint   NOT NULL,
  digest   bytea    NOT NULL,
  PRIMARY KEY (terminal, id)
);

-- Changes made in terminals' own menus, and what became of them.
CREATE TABLE terminal_menu (
  terminal    text COLLATE "C" NOT NULL REFERENCES terminal (id),
  id          text COLLATE "C" NOT NULL,
  version     bigint   NOT NULL,
  pin_free    smallint NOT NULL,
  author      text COLLATE "C" NOT NULL,
  based_on    bigint   NOT NULL,
  at          bigint   NOT NULL,
  received_at bigint   NOT NULL,
  state       text COLLATE "C" NOT NULL,
  approval    text COLLATE "C" NOT NULL,
  PRIMARY KEY (terminal, id)
);

-- Tests that terminals ran after a change, with the host's verdict.
CREATE TABLE terminal_check (
  id          text COLLATE "C" NOT NULL PRIMARY KEY,
  terminal    text COLLATE "C" NOT NULL REFERENCES terminal (id),
  version     bigint   NOT NULL,
  kind        text COLLATE "C" NOT NULL,
  method      text COLLATE "C" NOT NULL,
  payment     text COLLATE "C" NOT NULL,
  claimed     smallint NOT NULL,
  detail      text COLLATE "C" NOT NULL,
  at          bigint   NOT NULL,
  received_at bigint   NOT NULL,
  verdict     text COLLATE "C" NOT NULL,
  because     text COLLATE "C" NOT NULL
);
CREATE INDEX terminal_check_terminal ON terminal_check (terminal, received_at);
CREATE INDEX terminal_check_pending ON terminal_check (received_at) WHERE verdict = 'pending';

-- What somebody has to look at. One of a kind is open at a terminal.
CREATE TABLE terminal_alarm (
  id        text COLLATE "C" NOT NULL PRIMARY KEY,
  terminal  text COLLATE "C" NOT NULL REFERENCES terminal (id),
  kind      text COLLATE "C" NOT NULL,
  detail    text COLLATE "C" NOT NULL,
  opened_at bigint   NOT NULL,
  closed_at bigint
);
CREATE UNIQUE INDEX terminal_alarm_open ON terminal_alarm (terminal, kind) WHERE closed_at IS NULL;

CREATE TABLE staff (
  id           text COLLATE "C" NOT NULL PRIMARY KEY,
  login        text COLLATE "C" NOT NULL UNIQUE,
  name         text COLLATE "C" NOT NULL,
  role         text COLLATE "C" NOT NULL,
  merchant     text COLLATE "C" NOT NULL,
  store        text COLLATE "C" NOT NULL,
  hash         text COLLATE "C" NOT NULL,
  tries        smallint NOT NULL,
  locked_until bigint,
  totp         bytea    NOT NULL,
  totp_step    bigint   NOT NULL,
  active       smallint NOT NULL,
  created_at   bigint   NOT NULL,
  created_by   text COLLATE "C" NOT NULL,
  reset_by     text COLLATE "C" NOT NULL,
  epoch        bigint   NOT NULL
);

CREATE TABLE api_key (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  digest     bytea    NOT NULL UNIQUE,
  name       text COLLATE "C" NOT NULL,
  merchant   text COLLATE "C" NOT NULL,
  scopes     integer  NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  created_at bigint   NOT NULL,
  expires_at bigint,
  revoked_at bigint,
  epoch      bigint   NOT NULL
);
-- Who is told of facts, and of which: topics is a set of bits. target is
-- sealed: the address and the secrets that sign. state: 1 active, 2 paused, 3
-- gone (the receiver wants no more), 4 removed.
CREATE TABLE webhook (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  merchant   text COLLATE "C" NOT NULL,
  kind       smallint NOT NULL,
  topics     bigint   NOT NULL,
  parallel   integer  NOT NULL,
  state      smallint NOT NULL,
  target     bytea    NOT NULL,
  version    bigint   NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  created_at bigint   NOT NULL,
  changed_at bigint   NOT NULL,
  epoch      bigint   NOT NULL
);
CREATE INDEX webhook_epoch ON webhook (epoch);
CREATE INDEX webhook_merchant ON webhook (merchant, id);
CREATE INDEX policy_epoch ON policy (epoch);
CREATE INDEX merchant_channel_epoch ON merchant_channel (epoch);
CREATE INDEX scope_change_epoch ON scope_change (epoch);
CREATE INDEX terminal_policy_epoch ON terminal_policy (epoch);
CREATE INDEX emergency_stop_epoch ON emergency_stop (epoch);
CREATE INDEX terminal_epoch ON terminal (epoch);
CREATE INDEX store_epoch ON store (epoch);
CREATE INDEX terminal_store ON terminal (store, id);
CREATE INDEX store_merchant ON store (merchant, id);
CREATE INDEX merchant_epoch ON merchant (epoch);
CREATE INDEX model_epoch ON model (epoch);
CREATE INDEX api_key_epoch ON api_key (epoch);
CREATE INDEX emergency_stop_scope ON emergency_stop (scope, subject, id);
CREATE INDEX approval_scope ON approval (scope, subject, state);
CREATE INDEX approval_merchant ON approval (merchant, state, id);
CREATE INDEX rule_change_state ON rule_change (state, id);
CREATE INDEX rule_pack_epoch ON rule_pack (epoch);
CREATE INDEX rule_pack_pack ON rule_pack (pack, version);
-- One version of a pack is in force.
CREATE UNIQUE INDEX rule_pack_live ON rule_pack (pack) WHERE from_epoch IS NOT NULL AND until_epoch IS NULL AND withdraws = 0;

-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE webhook;
DROP TABLE api_key;
DROP TABLE staff;
DROP TABLE terminal_alarm;
DROP TABLE terminal_check;
DROP TABLE terminal_menu;
DROP TABLE terminal_refusal;
DROP TABLE terminal_run;
DROP TABLE terminal_setting;
DROP TABLE terminal_state;
DROP TABLE rule_pack;
DROP TABLE rule_change;
DROP TABLE approval;
DROP TABLE terminal_policy;
DROP TABLE scope_change;
DROP TABLE merchant_channel;
DROP TABLE emergency_stop;
DROP TABLE policy;
DROP TABLE terminal_enrolment;
DROP TABLE terminal_key;
DROP TABLE terminal;
DROP TABLE model;
DROP TABLE store;
DROP TABLE merchant;
DROP TABLE installation;
DROP TABLE settings_epoch;
DROP TABLE idempotency;
DROP TABLE session;
DROP TABLE log_key;
DROP TABLE log_witness;
DROP TABLE log_checkpoint;
DROP TABLE log_hash;
DROP TABLE log_leaf;
DROP TABLE entry_waiting;
DROP TABLE entry;
DROP TABLE webhook_delivery;
DROP TABLE webhook_queue;
DROP TABLE outbox;
DROP TABLE support_pack;
DROP TABLE guarantee_funding;
DROP TABLE guarantee;
DROP TABLE payout_day;
DROP TABLE payout;
DROP TABLE support_file_loose;
DROP TABLE support_file;
DROP TABLE support_check;
DROP TABLE support_link;
DROP TABLE support_note;
DROP TABLE risk_measure;
DROP TABLE risk_reporter;
DROP TABLE risk_alarm;
DROP TABLE risk_follow;
DROP TABLE risk_rule;
DROP TABLE support_case;
DROP TABLE wechat_contract;
DROP TABLE wechat_refund;
DROP TABLE wechat_order;
DROP TABLE wechat_platform;
DROP TABLE wechat_serial;
DROP TABLE wechat_identity;
DROP TABLE refund;
DROP TABLE top_up;
DROP TABLE journal;
DROP TABLE qr_order;
DROP TABLE merchant_order;
DROP TABLE payment;
DROP TABLE payment_code;
DROP TABLE instrument;
DROP TABLE channel_name;
DROP TABLE channel_contract;
DROP TABLE agreement;
DROP TABLE payer_password;
DROP TABLE payer_login;
DROP TABLE payer_inbox;
DROP TABLE payer_person;
DROP TABLE payer;
-- +goose StatementEnd
