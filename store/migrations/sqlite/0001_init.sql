-- +goose Up
-- +goose StatementBegin
-- One text for all: looking for the ends of statements takes longer than running them.
-- Rows that belong to a payer carry bucket, a fixed hash of the payer (0 to
-- 255), as the first part of their key, so that they can be spread over
-- database nodes; SQLite is one node, and here tables that only grow are kept
-- in the order of time instead. Times are microseconds since 1970 UTC. Money is minor units.

CREATE TABLE payer (
  bucket          integer  NOT NULL,
  id              text     NOT NULL,
  created_at      integer  NOT NULL,
  version         integer  NOT NULL,
  pin_free        integer  NOT NULL,
  since           integer  NOT NULL,
  currency        text     NOT NULL,
  per_payment     integer,
  day_amount      integer,
  day_count       integer,
  quiet_from      integer  NOT NULL,
  quiet_to        integer  NOT NULL,
  pending         text,
  pending_at      integer,
  frozen_at       integer,
  hold            text,
  allowance       text,
  verifiable_from integer,
  balance         integer  NOT NULL CHECK (balance >= 0),
  counters        text     NOT NULL,
  agreements      integer  NOT NULL DEFAULT 0,
  PRIMARY KEY (bucket, id)
) WITHOUT ROWID;

-- What names a payer, and the key of the digests that the log holds of a payer:
-- a row that goes leaves the log whole and nobody who could be named.
CREATE TABLE payer_person (
  bucket integer  NOT NULL,
  payer  text     NOT NULL,
  phone  text     NOT NULL,
  name   text     NOT NULL,
  lang   integer  NOT NULL,
  key    blob     NOT NULL,
  PRIMARY KEY (bucket, payer)
) WITHOUT ROWID;

-- bucket is that of the digest: a login knows the phone number alone.
CREATE TABLE payer_login (
  bucket integer  NOT NULL,
  digest blob     NOT NULL,
  payer  text     NOT NULL,
  PRIMARY KEY (bucket, digest)
) WITHOUT ROWID;

CREATE TABLE payer_password (
  bucket       integer  NOT NULL,
  payer        text     NOT NULL,
  hash         text     NOT NULL,
  tries        integer  NOT NULL,
  locked_until integer,
  renew        integer  NOT NULL,
  reset_digest blob,
  reset_until  integer,
  PRIMARY KEY (bucket, payer)
) WITHOUT ROWID;

-- Up to where a payer has read the inbox (docs/adr/0023): what follows the prefix
-- of a notice's identifier. What is in it is read from the record.
CREATE TABLE payer_inbox (
  bucket integer NOT NULL,
  payer  text NOT NULL,
  seen   text NOT NULL,
  PRIMARY KEY (bucket, payer)
) WITHOUT ROWID;

CREATE TABLE agreement (
  bucket          integer  NOT NULL,
  payer           text     NOT NULL,
  merchant        text     NOT NULL,
  id              text     NOT NULL,
  open            integer  NOT NULL,
  consent_version text     NOT NULL,
  per_payment     integer,
  version         integer  NOT NULL,
  opened_at       integer  NOT NULL,
  closed_at       integer,
  PRIMARY KEY (bucket, payer, merchant)
) WITHOUT ROWID;

-- PIN-free contracts at channels over a network, each of one agreement
-- (docs/adr/0018). standing is the channel's last clear word; revoked_at is since
-- when we want it ended.
CREATE TABLE channel_contract (
  bucket         integer NOT NULL,
  id             text NOT NULL,
  payer          text NOT NULL,
  merchant       text NOT NULL,
  agreement      text NOT NULL,
  channel        text NOT NULL,
  kind           text NOT NULL,
  service        text NOT NULL,
  standing       integer NOT NULL,
  number         text NOT NULL,
  opened_at      integer NOT NULL,
  until          integer NOT NULL,
  signed_at      integer,
  ended_at       integer,
  ended_by       text NOT NULL,
  revoked_at     integer,
  revoked_by     text NOT NULL,
  asked_at       integer,
  told_at        integer,
  due_at         integer,
  tries          integer NOT NULL,
  version        integer NOT NULL,
  PRIMARY KEY (bucket, id)
) WITHOUT ROWID;
CREATE INDEX channel_contract_payer ON channel_contract (bucket, payer, id);
CREATE INDEX channel_contract_merchant ON channel_contract (merchant, opened_at, id);
CREATE INDEX channel_contract_opened ON channel_contract (opened_at, id);
CREATE INDEX channel_contract_due ON channel_contract (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX channel_contract_unconfirmed ON channel_contract (revoked_at) WHERE revoked_at IS NOT NULL AND standing = 2;

-- Whom a name that a channel over a network has for a payer leads to: a keyed
-- digest of channel, merchant and name. bucket is that of the digest.
CREATE TABLE channel_name (
  bucket   integer  NOT NULL,
  digest   blob     NOT NULL,
  payer    text     NOT NULL,
  channel  text     NOT NULL,
  merchant text     NOT NULL,
  PRIMARY KEY (bucket, digest, payer)
) WITHOUT ROWID;
CREATE INDEX channel_name_payer ON channel_name (payer, channel, merchant);

CREATE TABLE instrument (
  bucket     integer  NOT NULL,
  id         text     NOT NULL,
  payer      text     NOT NULL,
  scheme     text     NOT NULL,
  kind       text     NOT NULL,
  domestic   integer  NOT NULL,
  issuer     text     NOT NULL,
  last4      text     NOT NULL,
  created_at integer  NOT NULL,
  PRIMARY KEY (bucket, id)
) WITHOUT ROWID;
CREATE INDEX instrument_payer ON instrument (payer);

-- A code that was used is gone.
CREATE TABLE payment_code (
  bucket     integer  NOT NULL,
  digest     blob     NOT NULL,
  payer      text     NOT NULL,
  expires_at integer  NOT NULL,
  PRIMARY KEY (bucket, digest)
) WITHOUT ROWID;
CREATE INDEX payment_code_payer ON payment_code (payer);

CREATE TABLE payment (
  bucket         integer  NOT NULL,
  id             text     NOT NULL,
  payer          text     NOT NULL,
  merchant       text     NOT NULL,
  store          text     NOT NULL,
  terminal       text     NOT NULL,
  order_no       text     NOT NULL,
  amount         integer  NOT NULL CHECK (amount > 0),
  currency       text     NOT NULL,
  method         integer  NOT NULL,
  entry          integer  NOT NULL,
  cvm            integer  NOT NULL,
  instrument     text     NOT NULL,
  channel        text     NOT NULL,
  outcome        integer  NOT NULL,
  state          integer  NOT NULL,
  failure        integer  NOT NULL,
  step_up        integer  NOT NULL,
  tries          integer  NOT NULL,
  reasons        text     NOT NULL,
  rules          text     NOT NULL,
  epoch          integer  NOT NULL,
  payer_version  integer  NOT NULL,
  actor          text     NOT NULL,
  created_at     integer  NOT NULL,
  state_at       integer  NOT NULL,
  expires_at     integer,
  refunded       integer  NOT NULL CHECK (refunded >= 0 AND refunded <= amount),
  version        integer  NOT NULL,
  PRIMARY KEY (id)
) WITHOUT ROWID;
CREATE INDEX payment_payer ON payment (payer, id);
CREATE INDEX payment_terminal ON payment (terminal, id);
-- The few that are under way: those that wait for a step-up.
CREATE INDEX payment_open ON payment (expires_at) WHERE expires_at IS NOT NULL;

-- What a channel over a network is asked next about an order, or about one of
-- its refunds (docs/adr/0014); due_at: when, none: nothing. Whoever claims a row
-- puts due_at off. bucket is that of the payment. No payment code is kept.
CREATE TABLE channel_call (
  bucket         integer  NOT NULL,
  payment        text     NOT NULL,
  refund         text     NOT NULL,
  channel        text     NOT NULL,
  merchant       text     NOT NULL,
  way            integer  NOT NULL,
  task           integer  NOT NULL,
  due_at         integer,
  tries          integer  NOT NULL,
  asked          integer  NOT NULL,
  began_at       integer  NOT NULL,
  until          integer  NOT NULL,
  busy           integer  NOT NULL,
  taken          integer  NOT NULL,
  ending         integer  NOT NULL,
  ended_at       integer,
  late           integer  NOT NULL,
  counted        integer  NOT NULL,
  allowance      text,
  return_no      text     NOT NULL,
  refusals       integer  NOT NULL,
  transaction_no text     NOT NULL,
  qr             text     NOT NULL,
  PRIMARY KEY (bucket, payment, refund)
) WITHOUT ROWID;
CREATE INDEX channel_call_due ON channel_call (channel, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX channel_call_stalled ON channel_call (channel) WHERE due_at IS NULL AND task >= 3;

-- One merchant order number is charged at most once, whoever pays. bucket is
-- that of the key; key and digest are 16-byte hashes of merchant + number and of
-- the request.
CREATE TABLE merchant_order (
  bucket  integer  NOT NULL,
  key     blob     NOT NULL,
  digest  blob     NOT NULL,
  payment text     NOT NULL,
  PRIMARY KEY (bucket, key)
) WITHOUT ROWID;

-- A dynamic QR order waits for its payer. bucket is that of the digest.
CREATE TABLE qr_order (
  bucket     integer  NOT NULL,
  digest     blob     NOT NULL,
  merchant   text     NOT NULL,
  store      text     NOT NULL,
  terminal   text     NOT NULL,
  order_no   text     NOT NULL,
  amount     integer  NOT NULL CHECK (amount > 0),
  currency   text     NOT NULL,
  actor      text     NOT NULL,
  created_at integer  NOT NULL,
  expires_at integer  NOT NULL,
  payment    text     NOT NULL,
  PRIMARY KEY (bucket, digest)
) WITHOUT ROWID;

-- Double entry: one row moves amount from debit to credit, so it balances by
-- its form. ref is a payment or top-up; line numbers its rows.
CREATE TABLE journal (
  bucket   integer  NOT NULL,
  ref      text     NOT NULL,
  line     integer  NOT NULL,
  kind     integer  NOT NULL,
  debit    text     NOT NULL,
  credit   text     NOT NULL,
  amount   integer  NOT NULL CHECK (amount > 0),
  currency text     NOT NULL,
  at       integer  NOT NULL,
  PRIMARY KEY (ref, line)
) WITHOUT ROWID;

CREATE TABLE top_up (
  bucket   integer  NOT NULL,
  payer    text     NOT NULL,
  key      text     NOT NULL,
  id       text     NOT NULL,
  amount   integer  NOT NULL CHECK (amount > 0),
  currency text     NOT NULL,
  at       integer  NOT NULL,
  actor    text     NOT NULL,
  PRIMARY KEY (bucket, payer, key)
) WITHOUT ROWID;

-- state: 1 pending, 2 done, 3 failed; asked and settled: the versions of the
-- payment in which it began to be pending and in which it ended, 0 for none.
CREATE TABLE refund (
  bucket    integer  NOT NULL,
  payment   text     NOT NULL,
  refund_no text     NOT NULL,
  id        text     NOT NULL,
  amount    integer  NOT NULL CHECK (amount > 0),
  currency  text     NOT NULL,
  reason    text     NOT NULL,
  actor     text     NOT NULL,
  at        integer  NOT NULL,
  state     integer  NOT NULL,
  asked     integer  NOT NULL,
  settled   integer  NOT NULL,
  PRIMARY KEY (bucket, payment, refund_no)
) WITHOUT ROWID;

-- What merchants are called in WeChat Pay's form. api_key is sealed; webhook is
-- the queue of notifications.
CREATE TABLE wechat_identity (
  merchant   text NOT NULL PRIMARY KEY,
  mchid      text NOT NULL UNIQUE,
  appid      text NOT NULL UNIQUE,
  terminal   text NOT NULL,
  api_key    blob NOT NULL,
  webhook    text NOT NULL,
  version    integer NOT NULL,
  created_by text NOT NULL,
  created_at integer NOT NULL,
  changed_at integer NOT NULL,
  complaint_at blob NOT NULL
) WITHOUT ROWID;

-- Keys that merchants sign with there; each has the rights of an API key, and
-- ends with it.
CREATE TABLE wechat_serial (
  serial     text NOT NULL PRIMARY KEY,
  merchant   text NOT NULL,
  api_key    text NOT NULL,
  public     blob NOT NULL,
  created_at integer NOT NULL
) WITHOUT ROWID;
CREATE INDEX wechat_serial_merchant ON wechat_serial (merchant, created_at);

-- The keys that answers are signed with there, of the installation. The newest
-- that signs by now, and is not revoked, does; the others overlap with it.
CREATE TABLE wechat_platform (
  number     integer NOT NULL PRIMARY KEY,
  key_id     text NOT NULL UNIQUE,
  serial     text NOT NULL,
  private    blob NOT NULL,
  cert       blob NOT NULL,
  signs_at   integer NOT NULL,
  created_at integer NOT NULL,
  revoked_at integer
) WITHOUT ROWID;

-- What WeChat Pay's form says of orders and refunds beyond their payments. key
-- is a hash of merchant and number, bucket its first byte. notify is sealed.
CREATE TABLE wechat_order (
  bucket     integer NOT NULL,
  key        blob NOT NULL,
  merchant   text NOT NULL,
  order_no   text NOT NULL,
  trade      integer NOT NULL,
  terminal   text NOT NULL,
  device     text NOT NULL,
  amount     integer NOT NULL CHECK (amount > 0),
  currency   text NOT NULL,
  attach     text NOT NULL,
  notify     blob NOT NULL,
  fault      integer NOT NULL,
  ended      integer NOT NULL,
  created_at integer NOT NULL,
  PRIMARY KEY (bucket, key)
) WITHOUT ROWID;

CREATE TABLE wechat_refund (
  bucket     integer NOT NULL,
  key        blob NOT NULL,
  merchant   text NOT NULL,
  refund_no  text NOT NULL,
  payment    text NOT NULL,
  notify     blob NOT NULL,
  created_at integer NOT NULL,
  PRIMARY KEY (bucket, key)
) WITHOUT ROWID;

-- What payers complain of, at any channel (docs/adr/0016). words is theirs, and
-- in no log; images are the channel's names of pictures, as JSON. Of one that was
-- made here payer is whose it is, and about the one payment that it is about.
-- case_id is the case that the desk keeps about it, none: none yet; case_due is when
-- the two are next made to agree (docs/adr/0029), none: they do.
CREATE TABLE complaint (
  id         text    NOT NULL PRIMARY KEY,
  channel    text    NOT NULL,
  account    text    NOT NULL,
  number     text    NOT NULL,
  merchant   text    NOT NULL,
  state      integer NOT NULL,
  problem    integer NOT NULL,
  flags      integer NOT NULL,
  title      text    NOT NULL,
  words      text    NOT NULL,
  asked      integer NOT NULL,
  currency   text    NOT NULL,
  times      integer NOT NULL,
  images     text    NOT NULL,
  at         integer NOT NULL,
  changed_at integer NOT NULL,
  seen_at    integer NOT NULL,
  version    integer NOT NULL,
  payer      text    NOT NULL,
  about      text    NOT NULL,
  case_id    text    NOT NULL DEFAULT '',
  case_due   integer DEFAULT 0,
  case_tries integer NOT NULL DEFAULT 0
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
  complaint      text    NOT NULL,
  n              integer NOT NULL,
  payment        text    NOT NULL,
  transaction_no text    NOT NULL,
  amount         integer NOT NULL,
  currency       text    NOT NULL,
  PRIMARY KEY (complaint, n)
);
CREATE INDEX complaint_payment_payment ON complaint_payment (payment) WHERE payment <> '';

-- What went between payer, merchant and channel; number is the channel's.
CREATE TABLE complaint_step (
  complaint text    NOT NULL,
  number    text    NOT NULL,
  at        integer NOT NULL,
  party     integer NOT NULL,
  what      text    NOT NULL,
  words     text    NOT NULL,
  images    text    NOT NULL,
  PRIMARY KEY (complaint, number)
);

-- What is said to a payer about a complaint; due_at is when the channel is asked
-- again, none: it has ended. actor is who ordered it, as JSON.
CREATE TABLE complaint_answer (
  complaint text    NOT NULL,
  key       text    NOT NULL,
  id        text    NOT NULL,
  channel   text    NOT NULL,
  account   text    NOT NULL,
  number    text    NOT NULL,
  kind      integer NOT NULL,
  words     text    NOT NULL,
  seen      integer NOT NULL,
  payment   text    NOT NULL,
  amount    integer NOT NULL,
  currency  text    NOT NULL,
  days      integer NOT NULL,
  actor     text    NOT NULL,
  state     integer NOT NULL,
  fault     text    NOT NULL,
  step      text    NOT NULL,
  tries     integer NOT NULL,
  began_at  integer NOT NULL,
  ended_at  integer,
  due_at    integer,
  images    text    NOT NULL,
  PRIMARY KEY (complaint, key)
);
CREATE INDEX complaint_answer_due ON complaint_answer (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX complaint_answer_failed ON complaint_answer (ended_at) WHERE state = 3;

-- Pictures that a merchant has uploaded, by the hash of what they are. used: an
-- answer names it, so it stays.
CREATE TABLE complaint_picture (
  merchant text NOT NULL,
  hash     text NOT NULL,
  size     integer NOT NULL,
  bytes    blob NOT NULL,
  used     integer NOT NULL,
  at       integer NOT NULL,
  PRIMARY KEY (merchant, hash)
);

-- Complaints that are to be read at their channel.
CREATE TABLE complaint_sync (
  channel text    NOT NULL,
  account text    NOT NULL,
  number  text    NOT NULL,
  due_at  integer NOT NULL,
  tries   integer NOT NULL,
  PRIMARY KEY (channel, account, number)
);
CREATE INDEX complaint_sync_due ON complaint_sync (due_at);

-- How far the lists of an account were read; from_at is the window that is being read.
CREATE TABLE complaint_sweep (
  channel  text    NOT NULL,
  account  text    NOT NULL,
  due_at   integer NOT NULL,
  tries    integer NOT NULL,
  from_at  integer,
  skip     integer NOT NULL,
  began_at integer,
  clean_at integer,
  PRIMARY KEY (channel, account)
);

-- Where the one node that looks for signals stands in the log (docs/adr/0022).
CREATE TABLE risk_follow (
  id          integer NOT NULL PRIMARY KEY,
  position    integer NOT NULL,
  holder      text NOT NULL,
  lease_until integer NOT NULL
);

-- Rules that look for signals: an operator's own, and what was changed of shipped ones,
-- whose body is empty. stage: 1 shadow, 2 live, 3 withdrawn; found is what one in shadow has.
CREATE TABLE risk_rule (
  id          text NOT NULL PRIMARY KEY,
  version     integer NOT NULL,
  stage       integer NOT NULL,
  body        text NOT NULL,
  since       integer NOT NULL,
  actor       text NOT NULL,
  proposed_by text NOT NULL,
  proposed_at integer,
  found       integer NOT NULL,
  last_at     integer,
  last_entry  text NOT NULL
);

-- What looks wrong. There is one of a rule and key that is not resolved (state 3);
-- due_at is when it is escalated, none: never. words is of who resolved it.
CREATE TABLE risk_alarm (
  id           text NOT NULL PRIMARY KEY,
  rule         text NOT NULL,
  key          text NOT NULL,
  severity     integer NOT NULL,
  state        integer NOT NULL,
  says_zh      text NOT NULL,
  says_en      text NOT NULL,
  payer        text NOT NULL,
  terminal     text NOT NULL,
  payment      text NOT NULL,
  merchant     text NOT NULL,
  store        text NOT NULL,
  found        integer NOT NULL,
  first_entry  text NOT NULL,
  last_entry   text NOT NULL,
  first_at     integer NOT NULL,
  last_at      integer NOT NULL,
  due_at       integer,
  escalated_at integer,
  taken_by     text NOT NULL,
  taken_at     integer,
  resolved_by  text NOT NULL,
  resolved_at  integer,
  verdict      text NOT NULL,
  words        text NOT NULL,
  reporter     text NOT NULL, -- who reported it; empty: a rule found it
  said         text NOT NULL, -- what they wrote last
  version      integer NOT NULL
);
CREATE UNIQUE INDEX risk_alarm_open ON risk_alarm (rule, key) WHERE state <> 3;
CREATE INDEX risk_alarm_due ON risk_alarm (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX risk_alarm_payer ON risk_alarm (payer, id) WHERE payer <> '';
CREATE INDEX risk_alarm_merchant ON risk_alarm (merchant, id) WHERE merchant <> '';

-- How many reports somebody may still make: level is when the allowance is whole again.
CREATE TABLE risk_reporter (
  reporter text NOT NULL PRIMARY KEY,
  level    integer NOT NULL
);

-- What rules do about findings: one of a finding, rule, key and measure, about one payer or
-- place. state: 1 waits, 2 taken, 3 lapsed; due_at is when it is tried, or its answer is over
-- or followed, none: never again. answer to an ask: 0 none, 1 yes, 2 no, 3 in no time.
CREATE TABLE risk_measure (
  id           text NOT NULL PRIMARY KEY,
  measure      text NOT NULL,
  state        integer NOT NULL,
  rule         text NOT NULL,
  rule_version integer NOT NULL,
  rule_digest  text NOT NULL,
  key          text NOT NULL,
  alarm        text NOT NULL,
  finding      text NOT NULL,
  payer        text NOT NULL,
  terminal     text NOT NULL,
  store        text NOT NULL,
  merchant     text NOT NULL,
  payment      text NOT NULL,
  found_at     integer NOT NULL,
  until        integer NOT NULL,
  taken_at     integer,
  due_at       integer,
  tries        integer NOT NULL,
  answer       integer NOT NULL,
  answered_at  integer
);
CREATE UNIQUE INDEX risk_measure_finding ON risk_measure (finding, rule, key, measure);
CREATE INDEX risk_measure_due ON risk_measure (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX risk_measure_alarm ON risk_measure (alarm);
CREATE INDEX risk_measure_payer ON risk_measure (payer, id) WHERE payer <> '';

-- Cases of the support desk (docs/adr/0021). number is for people; due_at is when
-- somebody has to be told of a deadline, none: of none; escalated are the
-- deadlines that were told of, as bits.
CREATE TABLE support_case (
  id          text NOT NULL,
  number      text NOT NULL,
  kind        integer NOT NULL,
  category    text NOT NULL,
  rail        text NOT NULL,
  state       integer NOT NULL,
  queue       integer NOT NULL,
  assignee    text NOT NULL,
  payer       text NOT NULL,
  merchant    text NOT NULL,
  shared      integer NOT NULL,
  opened_by   text NOT NULL,
  opened_at   integer NOT NULL,
  changed_at  integer NOT NULL,
  answered_at integer,
  decided_at  integer,
  closed_at   integer,
  reopened    integer NOT NULL,
  repeats     integer NOT NULL,
  began_at    integer NOT NULL,
  first_by    integer NOT NULL,
  decide_by   integer NOT NULL,
  waited_at   integer,
  escalated   integer NOT NULL,
  due_at      integer,
  verdict     integer NOT NULL,
  award       integer NOT NULL,
  currency    text NOT NULL,
  version     integer NOT NULL,
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
  case_id  text NOT NULL,
  n        integer NOT NULL,
  key      text NOT NULL,
  audience integer NOT NULL,
  actor    text NOT NULL,
  words    text NOT NULL,
  at       integer NOT NULL,
  PRIMARY KEY (case_id, n)
);
CREATE UNIQUE INDEX support_note_key ON support_note (case_id, key);

-- What a case is about.
CREATE TABLE support_link (
  case_id text NOT NULL,
  kind    integer NOT NULL,
  ref     text NOT NULL,
  actor   text NOT NULL,
  at      integer NOT NULL,
  PRIMARY KEY (case_id, kind, ref)
);
CREATE INDEX support_link_ref ON support_link (ref, case_id);

-- Identity checks: asked are names of what was asked, as JSON, never the answers.
CREATE TABLE support_check (
  case_id text NOT NULL,
  n       integer NOT NULL,
  method  text NOT NULL,
  asked   text NOT NULL,
  passed  integer NOT NULL,
  actor   text NOT NULL,
  at      integer NOT NULL,
  PRIMARY KEY (case_id, n)
);

-- What was attached to cases; id is its name in the folder of files, a keyed digest.
CREATE TABLE support_file (
  case_id  text NOT NULL,
  id       text NOT NULL,
  audience integer NOT NULL,
  name     text NOT NULL,
  type     text NOT NULL,
  size     integer NOT NULL,
  actor    text NOT NULL,
  at       integer NOT NULL,
  PRIMARY KEY (case_id, id, audience)
);

CREATE INDEX support_file_id ON support_file (id);

-- Proof packs that were handed out; stamp is the checkpoint that their receipts are
-- made under, so that the same can be made again.
CREATE TABLE support_pack (
  case_id text NOT NULL,
  n       integer NOT NULL,
  content text NOT NULL,
  digest  text NOT NULL,
  size    integer NOT NULL,
  stamp   text NOT NULL,
  actor   text NOT NULL,
  at      integer NOT NULL,
  PRIMARY KEY (case_id, n)
);

-- Files in the folder that perhaps no case has: after due they are looked at, and
-- removed when none has. One that is leaving is being removed.
CREATE TABLE support_file_loose (
  id      text PRIMARY KEY,
  due     integer NOT NULL,
  leaving integer NOT NULL
);

CREATE INDEX support_file_loose_due ON support_file_loose (due);

-- Compensation of cases (docs/adr/0025). source: 1 merchant, 2 platform, 3 guarantee;
-- state: 1 waits for a second person, 2 due, 3 paid, 4 refused. due_at: when a worker
-- looks at it next.
CREATE TABLE payout (
  id          text NOT NULL,
  case_id     text NOT NULL,
  key         text NOT NULL,
  payer       text NOT NULL,
  payment     text NOT NULL,
  source      integer NOT NULL,
  state       integer NOT NULL,
  amount      integer NOT NULL CHECK (amount > 0),
  currency    text NOT NULL,
  basis       text NOT NULL,
  asked_by    text NOT NULL,
  asked_at    integer NOT NULL,
  approved_by text NOT NULL,
  approved_at integer,
  ended_at    integer,
  failure     text NOT NULL,
  refund      text NOT NULL,
  due_at      integer,
  PRIMARY KEY (id)
);
CREATE UNIQUE INDEX payout_key ON payout (case_id, key);
CREATE INDEX payout_payment ON payout (payment) WHERE payment <> '';
CREATE INDEX payout_due ON payout (due_at) WHERE due_at IS NOT NULL;

-- What a person ordered on a day, in minor units.
CREATE TABLE payout_day (
  actor    text NOT NULL,
  day      text NOT NULL,
  currency text NOT NULL,
  spent    integer NOT NULL,
  PRIMARY KEY (actor, day, currency)
);

-- What compensation is paid from, as the journal says of house:guarantee.
CREATE TABLE guarantee (
  currency text NOT NULL,
  balance  integer NOT NULL CHECK (balance >= 0),
  PRIMARY KEY (currency)
);

CREATE TABLE guarantee_funding (
  reference text NOT NULL,
  id        text NOT NULL,
  amount    integer NOT NULL CHECK (amount > 0),
  currency  text NOT NULL,
  actor     text NOT NULL,
  at        integer NOT NULL,
  PRIMARY KEY (reference)
);

-- PIN-free contracts there. key is a hash of merchant, family, service and code,
-- bucket its first byte. openid is whom the merchant named, session a digest;
-- notify is sealed. Signed: agreement and opened_at say which opening of which
-- agreement it stands on, and ended_* what closed that, as the log has it.
CREATE TABLE wechat_contract (
  bucket        integer NOT NULL,
  key           blob NOT NULL,
  merchant      text NOT NULL,
  family        integer NOT NULL,
  service       text NOT NULL,
  code          text NOT NULL,
  openid        text NOT NULL,
  shown         text NOT NULL,
  out_user      text NOT NULL,
  notify        blob NOT NULL,
  session       blob NOT NULL,
  session_until integer NOT NULL,
  tries         integer NOT NULL,
  created_at    integer NOT NULL,
  payer         text NOT NULL,
  agreement     text NOT NULL,
  opened_at     integer NOT NULL,
  signed_at     integer,
  ended_at      integer,
  ended_by      text NOT NULL,
  remark        text NOT NULL,
  PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE INDEX wechat_contract_agreement ON wechat_contract (payer, agreement, opened_at);
CREATE INDEX wechat_contract_merchant ON wechat_contract (merchant, created_at, key);
CREATE INDEX wechat_contract_created ON wechat_contract (created_at, key);

-- Facts that somebody wants to be told of (docs/adr/0010). A row is removed
-- when it is dispatched; a number is never used twice. Of two facts of one
-- subject the later has the greater n. ref is the entry that records the fact;
-- of a top-up, its payer and key.
CREATE TABLE outbox (
  n        integer PRIMARY KEY AUTOINCREMENT,
  bucket   integer NOT NULL,
  at       integer NOT NULL,
  subject  text    NOT NULL,
  seq      integer NOT NULL,
  topic    integer NOT NULL,
  merchant text    NOT NULL,
  ref      text    NOT NULL
);

-- How far each webhook's deliveries have come, and which node sends them now.
-- due_at is when there is something to send, none: nothing waits. Times of
-- queues and deliveries are the database's own.
CREATE TABLE webhook_queue (
  webhook       text    NOT NULL PRIMARY KEY,
  kind          integer NOT NULL,
  numbered      integer NOT NULL,
  due_at        integer,
  holder        text    NOT NULL,
  lease_until   integer NOT NULL,
  failures      integer NOT NULL,
  failing_since integer
) WITHOUT ROWID;
CREATE INDEX webhook_queue_due ON webhook_queue (due_at) WHERE due_at IS NOT NULL;

-- What a webhook is told, numbered without gaps; kept for a while as the log
-- of deliveries. bucket is that of the webhook. state: 1 waiting, 2 delivered,
-- 3 given up.
CREATE TABLE webhook_delivery (
  bucket    integer NOT NULL,
  webhook   text    NOT NULL,
  number    integer NOT NULL,
  subject   text    NOT NULL,
  seq       integer NOT NULL,
  topic     integer NOT NULL,
  ref       text    NOT NULL,
  at        integer NOT NULL,
  state     integer NOT NULL,
  attempts  integer NOT NULL,
  queued_at integer NOT NULL,
  due_at    integer NOT NULL,
  tried_at  integer,
  took_ms   integer NOT NULL,
  status    integer NOT NULL,
  fault     integer NOT NULL,
  answer    text    NOT NULL,
  PRIMARY KEY (webhook, number)
) WITHOUT ROWID;
-- What waits is asked for by (webhook || ''), which the key cannot answer: for a
-- webhook that the planner knows nothing of, it would walk all that was delivered.
CREATE INDEX webhook_delivery_due ON webhook_delivery ((webhook || ''), due_at, number) WHERE state = 1;
CREATE INDEX webhook_delivery_subject ON webhook_delivery (subject, number) WHERE state = 1;
CREATE INDEX webhook_delivery_dead ON webhook_delivery ((webhook || ''), number) WHERE state = 3;

-- number orders what is recorded about a subject, whatever the clocks of nodes:
-- the settings epoch of the change, or the payer's version; 0: neither.
CREATE TABLE entry (
  bucket  integer  NOT NULL,
  id      text     NOT NULL,
  at      integer  NOT NULL,
  type    text     NOT NULL,
  subject text     NOT NULL,
  number  integer  NOT NULL DEFAULT 0,
  bytes   blob     NOT NULL,
  records blob,
  PRIMARY KEY (id)
) WITHOUT ROWID;
CREATE INDEX entry_subject ON entry (subject, id);
CREATE INDEX entry_number ON entry (subject, number, id) WHERE number > 0;

-- Entries that are not in the log yet. A number is never used twice, so that a
-- round removes what it saw and nothing else.
CREATE TABLE entry_waiting (
  n      integer  PRIMARY KEY AUTOINCREMENT,
  bucket integer  NOT NULL,
  entry  text     NOT NULL
);

CREATE TABLE log_leaf (
  n      integer  NOT NULL PRIMARY KEY,
  entry_bucket integer  NOT NULL,
  entry  text     NOT NULL
);
CREATE UNIQUE INDEX log_leaf_entry ON log_leaf (entry);

CREATE TABLE log_hash (
  n    integer NOT NULL PRIMARY KEY,
  hash blob    NOT NULL
);

CREATE TABLE log_checkpoint (
  size integer NOT NULL PRIMARY KEY,
  at   integer NOT NULL,
  note text    NOT NULL
);

-- What each witness has cosigned last, by its verifier key. Line is empty
-- until it has answered for the first time.
CREATE TABLE log_witness (
  key    text NOT NULL PRIMARY KEY,
  due_at integer NOT NULL,
  size   integer NOT NULL,
  at     integer NOT NULL,
  note   text NOT NULL,
  line   text NOT NULL
);

-- The keys that the log has had, by number: the newest is in force.
CREATE TABLE log_key (
  n         integer NOT NULL PRIMARY KEY,
  size      integer NOT NULL,
  at        integer NOT NULL,
  public    text NOT NULL,
  statement text NOT NULL
);

CREATE TABLE session (
  bucket     integer  NOT NULL,
  digest     blob     NOT NULL,
  id         text     NOT NULL,
  role       text     NOT NULL,
  actor      text     NOT NULL,
  created_at integer  NOT NULL,
  idle_at    integer  NOT NULL,
  expires_at integer  NOT NULL,
  PRIMARY KEY (bucket, digest)
) WITHOUT ROWID;
CREATE INDEX session_actor ON session (actor);

CREATE TABLE idempotency (
  bucket     integer  NOT NULL,
  key        blob     NOT NULL,
  digest     blob     NOT NULL,
  status     integer  NOT NULL,
  answer     blob     NOT NULL,
  expires_at integer  NOT NULL,
  PRIMARY KEY (bucket, key)
) WITHOUT ROWID;

CREATE INDEX payment_code_expiry ON payment_code (expires_at);
CREATE INDEX session_expiry ON session (expires_at);
CREATE INDEX qr_order_expiry ON qr_order (expires_at);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

-- Settings that every node may hold whole. Each change raises the one epoch
-- in its own transaction and marks its rows with it: a node that reads the
-- epoch inside a payment's transaction knows whether its copy is the newest.
CREATE TABLE settings_epoch (
  id    integer  NOT NULL PRIMARY KEY CHECK (id = 1),
  epoch integer  NOT NULL
);
INSERT INTO settings_epoch (id, epoch) VALUES (1, 1);

-- Which server keys this database was filled with: a digest made with them.
CREATE TABLE installation (
  id    integer  NOT NULL PRIMARY KEY CHECK (id = 1),
  keys  blob     NOT NULL
);

CREATE TABLE merchant (
  id                 text     NOT NULL PRIMARY KEY,
  name               text     NOT NULL,
  currency           text     NOT NULL,
  country            text     NOT NULL,
  mcc                integer  NOT NULL,
  no_pin             integer  NOT NULL,
  upgraded           integer  NOT NULL,
  agreement_required integer  NOT NULL,
  risk               text     NOT NULL,
  version            integer  NOT NULL,
  created_at         integer  NOT NULL,
  epoch              integer  NOT NULL
) WITHOUT ROWID;

CREATE TABLE store (
  id         text     NOT NULL PRIMARY KEY,
  merchant   text     NOT NULL REFERENCES merchant (id),
  name       text     NOT NULL,
  address    text     NOT NULL,
  lat_e6     integer,
  lon_e6     integer,
  created_at integer  NOT NULL,
  epoch      integer  NOT NULL
) WITHOUT ROWID;

CREATE TABLE model (
  id         text     NOT NULL PRIMARY KEY,
  name       text     NOT NULL,
  keypad     integer  NOT NULL,
  display    integer  NOT NULL,
  reboot     integer  NOT NULL,
  -- how one knows what its terminals run: 0 attestation, 1 the host's word alone
  proof      integer  NOT NULL CHECK (proof IN (0, 1)),
  methods    integer  NOT NULL,
  created_at integer  NOT NULL,
  epoch      integer  NOT NULL
) WITHOUT ROWID;

CREATE TABLE terminal (
  id         text     NOT NULL PRIMARY KEY,
  store      text     NOT NULL REFERENCES store (id),
  model      text     NOT NULL REFERENCES model (id),
  name       text     NOT NULL,
  unattended integer  NOT NULL,
  purpose    text     NOT NULL,
  created_at integer  NOT NULL,
  epoch      integer  NOT NULL
) WITHOUT ROWID;

-- One-time codes that enrol a terminal; a keyed digest, removed with the key that it is used for.
CREATE TABLE terminal_enrolment (
  terminal   text NOT NULL PRIMARY KEY REFERENCES terminal (id),
  digest     blob NOT NULL,
  expires_at integer NOT NULL
);
CREATE INDEX terminal_enrolment_digest ON terminal_enrolment (digest);

-- Public keys of terminals; never removed, for reports that they signed are kept.
CREATE TABLE terminal_key (
  terminal   text NOT NULL REFERENCES terminal (id),
  id         text NOT NULL,
  public     blob NOT NULL,
  serial     text NOT NULL,
  issued_at  integer NOT NULL,
  not_after  integer NOT NULL,
  revoked_at integer,
  PRIMARY KEY (terminal, id)
);
-- One key is one terminal's.
CREATE UNIQUE INDEX terminal_key_id ON terminal_key (id);
-- Whose connections have to end.
CREATE INDEX terminal_key_revoked ON terminal_key (revoked_at) WHERE revoked_at IS NOT NULL;

-- scope: 1 everything, 2 channel, 3 merchant, 4 store, 5 model, 6 terminal.
CREATE TABLE policy (
  scope       integer  NOT NULL,
  subject     text     NOT NULL,
  pin_free    integer  NOT NULL,
  per_payment integer,
  currency    text,
  methods     integer,
  version     integer  NOT NULL,
  since       integer  NOT NULL,
  actor       text     NOT NULL,
  epoch       integer  NOT NULL,
  rollout     text     NOT NULL,
  PRIMARY KEY (scope, subject)
) WITHOUT ROWID;

-- Loosened policies that come to terminals in stages (docs/adr/0013). state: 1
-- running, 2 paused, 3 stopped, 4 finished; body is the whole record, JSON. A
-- policy names the one of it that is open. Leases are the database's own time.
CREATE TABLE rollout (
  id          text     NOT NULL PRIMARY KEY,
  scope       integer  NOT NULL,
  subject     text     NOT NULL,
  merchant    text     NOT NULL,
  store       text     NOT NULL,
  state       integer  NOT NULL,
  revision    integer  NOT NULL,
  body        text     NOT NULL,
  lease_until integer  NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX rollout_open ON rollout (scope, subject) WHERE state <= 2;

-- Versions of the terminals' program that come to a family of models in stages
-- (docs/adr/0013); as above. release is the version's one text: 1.4.0.0.
CREATE TABLE program_rollout (
  id          text     NOT NULL PRIMARY KEY,
  family      text     NOT NULL,
  release     text     NOT NULL,
  state       integer  NOT NULL,
  revision    integer  NOT NULL,
  body        text     NOT NULL,
  lease_until integer  NOT NULL,
  UNIQUE (family, release)
) WITHOUT ROWID;

CREATE TABLE emergency_stop (
  id        text     NOT NULL PRIMARY KEY,
  scope     integer  NOT NULL,
  subject   text     NOT NULL,
  reason    text     NOT NULL,
  placed_by text     NOT NULL,
  placed_at integer  NOT NULL,
  until     integer  NOT NULL,
  lifted_by text,
  lifted_at integer,
  epoch     integer  NOT NULL
) WITHOUT ROWID;

-- Channels over a network that a merchant's payments can go through, as a server
-- that is connected there has recorded: all servers compute a terminal's config
-- alike, connected or not.
CREATE TABLE merchant_channel (
  merchant text     NOT NULL REFERENCES merchant (id),
  channel  text     NOT NULL,
  since    integer  NOT NULL,
  epoch    integer  NOT NULL,
  PRIMARY KEY (merchant, channel)
) WITHOUT ROWID;

-- When what a scope holds changed last, and when it was last made stricter
-- (tightened 0: never). A tightening that was taken back stays one.
CREATE TABLE scope_change (
  scope        integer  NOT NULL,
  subject      text     NOT NULL,
  at           integer  NOT NULL,
  tightened    integer  NOT NULL,
  tightened_at integer  NOT NULL,
  epoch        integer  NOT NULL,
  PRIMARY KEY (scope, subject)
) WITHOUT ROWID;

-- The policy on terminals, each version that was in force; the newest one is.
-- terms is JSON of terminal/posture.
CREATE TABLE terminal_policy (
  version   integer NOT NULL PRIMARY KEY,
  epoch     integer NOT NULL,
  tightened integer NOT NULL,
  since     integer NOT NULL,
  actor     text NOT NULL,
  terms     text NOT NULL
);

-- OFFs that are watched until every terminal in scope has proved them; outcome
-- '' is one that is watched now.
CREATE TABLE off_watch (
  epoch     integer NOT NULL PRIMARY KEY,
  scope     integer NOT NULL,
  subject   text NOT NULL,
  merchant  text NOT NULL,
  store     text NOT NULL,
  stop      text NOT NULL,
  actor     text NOT NULL,
  at        integer NOT NULL,
  until     integer,
  deadline  integer NOT NULL,
  late_at   integer,
  late_to   text NOT NULL,
  closed_at integer,
  outcome   text NOT NULL
) WITHOUT ROWID;
CREATE INDEX off_watch_open ON off_watch (epoch) WHERE outcome = '';
CREATE INDEX off_watch_merchant ON off_watch (merchant, epoch);

CREATE TABLE approval (
  id          text     NOT NULL PRIMARY KEY,
  scope       integer  NOT NULL,
  subject     text     NOT NULL,
  merchant    text     NOT NULL,
  proposal    text     NOT NULL,
  based_on    integer  NOT NULL,
  proposed_by text     NOT NULL,
  proposed_at integer  NOT NULL,
  expires_at  integer  NOT NULL,
  state       integer  NOT NULL,
  decided_by  text,
  decided_at  integer
) WITHOUT ROWID;

-- A change of the rule packs in force and its life. state: 1 proposed, 2 in
-- force, 3 rejected, 4 taken back, 5 lapsed.
CREATE TABLE rule_change (
  id          text     NOT NULL PRIMARY KEY,
  tightening  integer  NOT NULL,
  based_on    text     NOT NULL,
  note        text     NOT NULL,
  state       integer  NOT NULL,
  proposed_by text     NOT NULL,
  proposed_at integer  NOT NULL,
  expires_at  integer  NOT NULL,
  decided_by  text,
  decided_at  integer
) WITHOUT ROWID;

-- The packs of each change, as text. A pack is in force from from_epoch until
-- until_epoch; withdrawn says that no other version took its place.
CREATE TABLE rule_pack (
  change      text     NOT NULL REFERENCES rule_change (id),
  pack        text     NOT NULL,
  version     integer  NOT NULL,
  withdraws   integer  NOT NULL,
  yaml        text     NOT NULL,
  digest      text     NOT NULL,
  source      text     NOT NULL,
  from_epoch  integer,
  from_at     integer,
  until_epoch integer,
  until_at    integer,
  withdrawn   integer  NOT NULL,
  epoch       integer  NOT NULL,
  PRIMARY KEY (change, pack)
) WITHOUT ROWID;

-- What is known of a terminal's settings now: written by its reports, read by
-- payments. A terminal without a row has never been heard of.
CREATE TABLE terminal_state (
  terminal      text     NOT NULL PRIMARY KEY REFERENCES terminal (id),
  attested      integer  NOT NULL, -- version that it has proved to run; 0: none
  floor         integer  NOT NULL, -- newest version that it has ever proved
  lease_until   integer,
  pin_free      integer  NOT NULL,
  posture       text     NOT NULL, -- rules that it fails, with commas between
  posture_epoch integer  NOT NULL,
  drift         text     NOT NULL,
  drift_since   integer,
  revoked_at    integer,
  boot_id       text     NOT NULL,
  boot          integer  NOT NULL,
  number        integer  NOT NULL,
  running       integer  NOT NULL,
  running_hash  blob     NOT NULL,
  attested_at   integer,
  run_from      integer,
  delivered     integer  NOT NULL,
  saved         integer  NOT NULL,
  refused       integer  NOT NULL,
  said          text     NOT NULL,
  alarms        text     NOT NULL,
  refusal_at    integer,
  reported_at   integer,
  seen_at       integer
) WITHOUT ROWID;

-- A config that a terminal has fetched, with the time of each state of its life.
-- The bytes are kept until a newer one is attested, the row for ever.
CREATE TABLE terminal_setting (
  terminal       text     NOT NULL REFERENCES terminal (id),
  version        integer  NOT NULL,
  hash           blob     NOT NULL,
  config         blob,
  pin_free       integer  NOT NULL,
  stops_until    integer,
  tightened      integer  NOT NULL,
  desired_at     integer,
  delivered_at   integer  NOT NULL,
  delivered_boot integer  NOT NULL,
  saved_at       integer,
  saved_boot     integer  NOT NULL,
  rebooted_at    integer,
  attested_at    integer,
  refused_at     integer,
  refused_reason text     NOT NULL,
  superseded_at  integer,
  PRIMARY KEY (terminal, version)
);

-- A span in which the proof of one setting held; until_at NULL: it lasts, to the
-- end of the lease in terminal_state.
CREATE TABLE terminal_run (
  terminal text     NOT NULL REFERENCES terminal (id),
  from_at  integer  NOT NULL,
  version  integer  NOT NULL,
  hash     blob     NOT NULL,
  pin_free integer  NOT NULL,
  boot     integer  NOT NULL,
  until_at integer,
  PRIMARY KEY (terminal, from_at)
) WITHOUT ROWID;

-- Reports that were not taken; the newest few of each terminal.
CREATE TABLE terminal_refusal (
  terminal text     NOT NULL REFERENCES terminal (id),
  id       text     NOT NULL,
  at       integer  NOT NULL,
  reason   text     NOT NULL,
  key      text     NOT NULL,
  boot     integer  NOT NULL,
  number   integer  NOT NULL,
  digest   blob     NOT NULL,
  PRIMARY KEY (terminal, id)
) WITHOUT ROWID;

-- Changes made in terminals' own menus, and what became of them.
CREATE TABLE terminal_menu (
  terminal    text     NOT NULL REFERENCES terminal (id),
  id          text     NOT NULL,
  version     integer  NOT NULL,
  pin_free    integer  NOT NULL,
  author      text     NOT NULL,
  based_on    integer  NOT NULL,
  at          integer  NOT NULL,
  received_at integer  NOT NULL,
  state       text     NOT NULL,
  approval    text     NOT NULL,
  PRIMARY KEY (terminal, id)
) WITHOUT ROWID;

-- Tests that terminals ran after a change, with the host's verdict.
CREATE TABLE terminal_check (
  id          text     NOT NULL PRIMARY KEY,
  terminal    text     NOT NULL REFERENCES terminal (id),
  version     integer  NOT NULL,
  kind        text     NOT NULL,
  method      text     NOT NULL,
  payment     text     NOT NULL,
  claimed     integer  NOT NULL,
  detail      text     NOT NULL,
  at          integer  NOT NULL,
  received_at integer  NOT NULL,
  verdict     text     NOT NULL,
  because     text     NOT NULL
) WITHOUT ROWID;
CREATE INDEX terminal_check_terminal ON terminal_check (terminal, received_at);
CREATE INDEX terminal_check_pending ON terminal_check (received_at) WHERE verdict = 'pending';

-- What somebody has to look at. One of a kind is open at a terminal.
CREATE TABLE terminal_alarm (
  id        text     NOT NULL PRIMARY KEY,
  terminal  text     NOT NULL REFERENCES terminal (id),
  kind      text     NOT NULL,
  detail    text     NOT NULL,
  opened_at integer  NOT NULL,
  closed_at integer
) WITHOUT ROWID;
CREATE UNIQUE INDEX terminal_alarm_open ON terminal_alarm (terminal, kind) WHERE closed_at IS NULL;

CREATE TABLE staff (
  id           text     NOT NULL PRIMARY KEY,
  login        text     NOT NULL UNIQUE,
  name         text     NOT NULL,
  role         text     NOT NULL,
  merchant     text     NOT NULL,
  store        text     NOT NULL,
  hash         text     NOT NULL,
  tries        integer  NOT NULL,
  locked_until integer,
  totp         blob     NOT NULL,
  totp_step    integer  NOT NULL,
  active       integer  NOT NULL,
  created_at   integer  NOT NULL,
  created_by   text     NOT NULL,
  reset_by     text     NOT NULL,
  epoch        integer  NOT NULL
) WITHOUT ROWID;

CREATE TABLE api_key (
  id         text     NOT NULL PRIMARY KEY,
  digest     blob     NOT NULL UNIQUE,
  name       text     NOT NULL,
  merchant   text     NOT NULL,
  scopes     integer  NOT NULL,
  created_by text     NOT NULL,
  created_at integer  NOT NULL,
  expires_at integer,
  revoked_at integer,
  epoch      integer  NOT NULL
) WITHOUT ROWID;
-- Who is told of facts, and of which: topics is a set of bits. target is
-- sealed: the address and the secrets that sign. state: 1 active, 2 paused, 3
-- gone (the receiver wants no more), 4 removed.
CREATE TABLE webhook (
  id         text    NOT NULL PRIMARY KEY,
  merchant   text    NOT NULL,
  kind       integer NOT NULL,
  topics     integer NOT NULL,
  parallel   integer NOT NULL,
  state      integer NOT NULL,
  target     blob    NOT NULL,
  version    integer NOT NULL,
  created_by text    NOT NULL,
  created_at integer NOT NULL,
  changed_at integer NOT NULL,
  epoch      integer NOT NULL
) WITHOUT ROWID;
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
